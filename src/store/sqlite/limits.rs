//! Stores the amounts spent and the holds on steps.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::Work;
use super::batches::{bump, tallies};
use super::reservations::reserve;
use super::rows::{decoded, from_json, maybe_timestamp, small, step, timestamp, to_json};
use super::script::Script;
use crate::base::domain::{BatchId, Money, Spent, StepIndex, Timestamp};
use crate::base::events::{self, Event, EventKind, Origin};
use crate::rules::planner::Used;
use crate::store::{Claimed, Recall, ReportedBy, StepHeldBy, StepHold};

/// Reads what batches with limits have used so far.
pub(super) async fn used(connection: &mut SqliteConnection, of: BTreeSet<BatchId>) -> Work<Vec<(BatchId, Used)>> {
    let mut used = Vec::with_capacity(of.len());
    for batch in of {
        let tallies = tallies(&mut *connection, batch).await?;
        let spent = spent(&mut *connection, batch).await?.into_iter().collect();
        used.push((batch, Used { tallies, spent }));
    }
    Ok(used)
}

/// Counts the fees of claimed messages.
pub(super) fn spend(script: &mut Script, claimed: &[Claimed], now: Timestamp) {
    let fees = claimed.iter().filter(|claimed| !claimed.fee.amount.is_zero());
    add(
        script,
        fees.map(|Claimed { message, fee, .. }| {
            let spent = Spending { spent: signed(fee.spent()), reserved: signed(fee.reserved()) };
            ((message.key.batch, message.present.step), spent)
        }),
    );
    reserve(script, claimed, now);
}

/// What is added to the sums of a step, or taken from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spending {
    pub(super) spent: i64,
    pub(super) reserved: i64,
}

/// Prices that no database can hold are as good as the highest that it can.
pub(super) fn signed(amount: Money) -> i64 {
    i64::try_from(amount.millionths()).unwrap_or(i64::MAX)
}

const SPEND: &str = "INSERT INTO spent (batch, step, spent, reserved) VALUES (?1, ?2, max(?3, 0), max(?4, 0))
     ON CONFLICT DO UPDATE SET spent = max(spent + ?3, 0), reserved = max(reserved + ?4, 0)";

pub(super) fn add(script: &mut Script, amounts: impl Iterator<Item = ((BatchId, StepIndex), Spending)>) {
    let mut sums: BTreeMap<_, Spending> = BTreeMap::new();
    for (of, Spending { spent, reserved }) in amounts {
        let sum = sums.entry(of).or_default();
        sum.spent = sum.spent.saturating_add(spent);
        sum.reserved = sum.reserved.saturating_add(reserved);
    }
    for ((batch, step), Spending { spent, reserved }) in sums.into_iter().filter(|(_, sum)| *sum != Spending::default())
    {
        script.statement(SPEND).bind(batch.0).bind(step.get()).bind(spent).bind(reserved);
    }
}

pub(super) async fn spent(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<(StepIndex, Spent)>> {
    let rows = sqlx::query("SELECT step, spent, reserved FROM spent WHERE batch = ?1 ORDER BY step");
    let rows = rows.bind(batch.0).fetch_all(connection).await?;
    let spent = |row| {
        let amount = |column| small(row, column).map(Money::from_millionths);
        Ok((step(row, "step")?, Spent { spent: amount("spent")?, reserved: amount("reserved")? }))
    };
    rows.iter().map(spent).collect()
}

pub(super) async fn step_holds(connection: &mut SqliteConnection) -> Work<Vec<StepHold>> {
    let rows = sqlx::query("SELECT * FROM step_hold WHERE released_at IS NULL ORDER BY batch, step, held_by");
    let rows = rows.fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(StepHold {
                batch: BatchId(small(row, "batch")?),
                step: step(row, "step")?,
                by: decoded(row, "held_by", StepHeldBy::from_code)?,
                origin: from_json(row, "origin")?,
                since: timestamp(row, "since")?,
                recall: recall(row)?,
            })
        })
        .collect()
}

fn recall(row: &SqliteRow) -> Work<Option<Recall>> {
    let Some(since) = maybe_timestamp(row, "refused_since")? else { return Ok(None) };
    let until = timestamp(row, "refused_until")?;
    Ok(Some(Recall { by: decoded(row, "told_by", ReportedBy::from_code)?, code: small(row, "code")?, since, until }))
}

/// Holds a step. Returns the number of the decision, or `None` if the hold changes nothing:
///
/// - The step is already held by the same cause. The first reason stays, unless only the later one has something to
///   recall.
/// - An operator has released the step from this rule.
/// - An operator has released the step after `begun`, when the request began that was refused.
pub(super) async fn hold_step(
    connection: &mut SqliteConnection,
    hold: StepHold,
    begun: Timestamp,
) -> Work<Option<u64>> {
    let held = sqlx::query(
        "INSERT INTO step_hold (batch, step, held_by, origin, since, told_by, code, refused_since, refused_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET origin = excluded.origin, since = excluded.since, released_at = NULL, told_by = excluded.told_by,
             code = excluded.code, refused_since = excluded.refused_since, refused_until = excluded.refused_until
         WHERE CASE WHEN released_at IS NULL THEN told_by IS NULL AND excluded.told_by IS NOT NULL
             ELSE held_by <> ?10 AND released_at <= ?11 END",
    )
    .bind(hold.batch.0)
    .bind(hold.step.get())
    .bind(hold.by as u8)
    .bind(to_json(&hold.origin))
    .bind(hold.since.millis())
    .bind(hold.recall.map(|recall| recall.by as u8))
    .bind(hold.recall.map(|recall| recall.code))
    .bind(hold.recall.map(|recall| recall.since.millis()))
    .bind(hold.recall.map(|recall| recall.until.millis()))
    .bind(StepHeldBy::Rule as u8)
    .bind(begun.millis())
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if held == 0 {
        return Ok(None);
    }
    let StepHold { batch, step, origin, since, .. } = hold;
    record_event(connection, batch, step, origin, EventKind::Held { code: None }, since).await?;
    bump(connection).await.map(Some)
}

pub(super) async fn release_steps(
    connection: &mut SqliteConnection,
    batch: BatchId,
    steps: Vec<StepIndex>,
    by: Origin,
    now: Timestamp,
) -> Work<Option<u64>> {
    let mask = steps.iter().fold(0_i64, |mask, step| mask | 1 << step.get());
    let released = sqlx::query(
        "UPDATE step_hold SET released_at = ?3 WHERE batch = ?1 AND released_at IS NULL AND ?2 >> step & 1
         RETURNING step",
    )
    .bind(batch.0)
    .bind(mask)
    .bind(now.millis())
    .fetch_all(&mut *connection)
    .await?;
    let mut steps = released.iter().map(|row| step(row, "step")).collect::<Work<Vec<_>>>()?;
    if steps.is_empty() {
        return Ok(None);
    }
    steps.sort_unstable();
    steps.dedup();
    for step in steps {
        record_event(connection, batch, step, by.clone(), EventKind::Released, now).await?;
    }
    bump(connection).await.map(Some)
}

async fn record_event(
    connection: &mut SqliteConnection,
    batch: BatchId,
    step: StepIndex,
    origin: Origin,
    kind: EventKind,
    at: Timestamp,
) -> Work<()> {
    let name = super::batches::by_id(connection, batch).await?.and_then(|batch| batch.name);
    let subject = events::Subject::step(batch, name.as_deref(), step);
    super::nodes::record_event(connection, Event { at, subject, origin, kind }).await
}
