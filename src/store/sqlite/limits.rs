//! Limits: what a claim may still take, what was spent, and steps that are held.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::batches::{bump, tallies};
use super::messages::Moves;
use super::rows::{maybe_moment, moment, small, step, word};
use super::script::Script;
use crate::domain::{BatchId, Count, Money, StepIndex, Tallies, Timestamp};
use crate::store::{
    Cap, Capped, Change, Claimed, ClaimedSet, Event, Queue, Reached, Recall, StepHeldBy, StepHold, ToldBy,
};

/// What has been spent of each step. Most batches have no budget, and so no rows.
type Spent = HashMap<StepIndex, Money>;

/// What batches have used up by the time of a claim, and what the claim adds to it.
#[derive(Debug, Default)]
pub(super) struct Purse {
    used: HashMap<BatchId, (Tallies, Spent)>,
    added: HashMap<(BatchId, StepIndex), Money>,
}

impl Purse {
    /// How many messages may still be claimed from a queue, or which limit keeps all of them.
    pub(super) async fn room(
        &mut self,
        connection: &mut SqliteConnection,
        queue: Queue,
        cap: &Cap,
        moves: &Moves,
    ) -> Work<Result<usize, Capped>> {
        if cap.step.are_none() && cap.batch.are_none() {
            return Ok(Ok(usize::MAX));
        }
        let (tallies, spent) = self.used(connection, queue.batch).await?;
        let count = |step: Option<StepIndex>, count| {
            // The claim's own counters are written at its end.
            [Some(tallies), moves.get(&queue.batch)]
                .into_iter()
                .flatten()
                .map(|tallies| of_count(tallies, step, count))
                .sum()
        };
        let mut room = u64::MAX;
        for (limits, step) in [(cap.step, Some(queue.step)), (cap.batch, None)] {
            let sending: i64 = count(step, Count::Sending);
            let capped = |by| Ok(Err(Capped { queue, by, is_whole: step.is_none(), is_final: sending <= 0 }));
            if let Some(most) = limits.messages {
                let handed_over: i64 = count(step, Count::HandedOver);
                let left = most.saturating_sub(u64::try_from(handed_over + sending).unwrap_or(0));
                if left == 0 {
                    let handed_over = u64::try_from(handed_over).unwrap_or(0);
                    return capped(Reached::Messages { handed_over, of: most });
                }
                room = room.min(left);
            }
            if let Some(of) = limits.budget {
                let spent = spent_of(spent, step);
                if spent >= of {
                    return capped(Reached::Budget { spent, of });
                }
            }
        }
        Ok(Ok(usize::try_from(room).unwrap_or(usize::MAX)))
    }

    /// Leaves those of a queue for whom there is money, and writes down what they cost. Whom there is none for stays where
    /// they are, and so does everybody behind them: a budget is used in turn.
    pub(super) fn pay(&mut self, queue: Queue, cap: &Cap, found: &mut Vec<Claimed>, moves: &Moves) -> Option<Capped> {
        let price = cap.price.as_ref()?;
        let (tallies, spent) = self.used.entry(queue.batch).or_default();
        for place in 0..found.len() {
            let Some(claimed) = found.get_mut(place) else { break };
            let cost = if claimed.opted_out { Money::ZERO } else { price.of(claimed) };
            let limits = [(cap.step, Some(queue.step)), (cap.batch, None)];
            let reached = limits.into_iter().find_map(|(limits, step)| {
                let (of, spent) = (limits.budget?, spent_of(spent, step));
                if spent.plus(cost) <= of {
                    return None;
                }
                let claimed = moves.get(&queue.batch).map_or(0, |moves| of_count(moves, step, Count::Sending));
                let is_final = of_count(tallies, step, Count::Sending) + claimed <= 0;
                Some(Capped { queue, by: Reached::Budget { spent, of }, is_whole: step.is_none(), is_final })
            });
            if reached.is_some() {
                found.truncate(place);
                // Whoever came in front of them goes, and the next claim says that there is nothing left.
                return reached.filter(|_| place == 0);
            }
            claimed.cost = cost;
            let of_step = spent.entry(queue.step).or_default();
            *of_step = of_step.plus(cost);
            let added = self.added.entry((queue.batch, queue.step)).or_default();
            *added = added.plus(cost);
        }
        None
    }

    pub(super) async fn close(self, connection: &mut SqliteConnection) -> Work<()> {
        let mut script = Script::default();
        for ((batch, step), amount) in self.added.into_iter().filter(|(_, amount)| !amount.is_zero()) {
            let amount = amount.millionths().cast_signed();
            script.statement(SPEND).bind(batch.0).bind(step.get()).bind(amount);
        }
        script.run(connection).await?;
        Ok(())
    }

    async fn used(&mut self, connection: &mut SqliteConnection, batch: BatchId) -> Work<(&Tallies, &Spent)> {
        let (tallies, spent) = match self.used.entry(batch) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => {
                let spent = spent(connection, batch).await?.into_iter().collect();
                slot.insert((tallies(connection, batch).await?, spent))
            }
        };
        Ok((tallies, spent))
    }
}

/// What the same claim has set off from another queue may come back and leave room, so no limit of it is reached for good.
pub(super) fn leave_open(set: &mut ClaimedSet) {
    for capped in &mut set.capped {
        let Queue { batch, step, .. } = capped.queue;
        let counts = |claimed: &Claimed| {
            claimed.message.key.batch == batch && (capped.is_whole || claimed.message.present.step == step)
        };
        capped.is_final &= !set.messages.iter().any(counts);
    }
}

/// A count of a step, or of all.
fn of_count(tallies: &Tallies, step: Option<StepIndex>, count: Count) -> i64 {
    step.map_or_else(|| tallies.total(count), |step| tallies.get(step, count))
}

fn spent_of(spent: &Spent, step: Option<StepIndex>) -> Money {
    match step {
        Some(step) => spent.get(&step).copied().unwrap_or_default(),
        None => spent.values().copied().sum(),
    }
}

const SPEND: &str = "INSERT INTO spent (batch, step, amount) VALUES (?1, ?2, ?3)
     ON CONFLICT DO UPDATE SET amount = max(amount + excluded.amount, 0)";

/// What was counted as spent for messages that were not handed over after all.
pub(super) fn give_back(script: &mut Script, changes: &[&Change]) {
    let mut back: HashMap<(BatchId, StepIndex), Money> = HashMap::new();
    for (batch, refund) in changes.iter().filter_map(|change| Some((change.key.batch, change.refund?))) {
        let amount = back.entry((batch, refund.step)).or_default();
        *amount = amount.plus(refund.amount);
    }
    for ((batch, step), amount) in back {
        script.statement(SPEND).bind(batch.0).bind(step.get()).bind(-amount.millionths().cast_signed());
    }
}

pub(super) async fn spent(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<(StepIndex, Money)>> {
    let rows = sqlx::query("SELECT step, amount FROM spent WHERE batch = ?1 ORDER BY step");
    let rows = rows.bind(batch.0).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((step(row, "step")?, Money::from_millionths(small(row, "amount")?)))).collect()
}

pub(super) async fn step_holds(connection: &mut SqliteConnection) -> Work<Vec<StepHold>> {
    let rows = sqlx::query("SELECT * FROM step_hold WHERE lifted_at IS NULL ORDER BY batch, step, held_by");
    let rows = rows.fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(StepHold {
                batch: BatchId(small(row, "batch")?),
                step: step(row, "step")?,
                by: word(row, "held_by", StepHeldBy::from_code)?,
                why: row.try_get("why")?,
                since: moment(row, "since")?,
                recall: recall(row)?,
            })
        })
        .collect()
}

fn recall(row: &SqliteRow) -> Work<Option<Recall>> {
    let Some(since) = maybe_moment(row, "refused_since")? else { return Ok(None) };
    let until = moment(row, "refused_until")?;
    Ok(Some(Recall { by: word(row, "told_by", ToldBy::from_code)?, code: small(row, "code")?, since, until }))
}

/// The first reason stays, unless a later one has something to recall. Nothing where it was held so already, where an operator has let it go on in spite of the rule,
/// or where one has let it go on since the request was begun that was refused.
pub(super) async fn hold_step(
    connection: &mut SqliteConnection,
    hold: StepHold,
    begun: Timestamp,
) -> Work<Option<u64>> {
    let held = sqlx::query(
        "INSERT INTO step_hold (batch, step, held_by, why, since, told_by, code, refused_since, refused_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET why = excluded.why, since = excluded.since, lifted_at = NULL, told_by = excluded.told_by,
             code = excluded.code, refused_since = excluded.refused_since, refused_until = excluded.refused_until
         WHERE CASE WHEN lifted_at IS NULL THEN told_by IS NULL AND excluded.told_by IS NOT NULL
             ELSE held_by <> ?10 AND lifted_at <= ?11 END",
    )
    .bind(hold.batch.0)
    .bind(hold.step.get())
    .bind(hold.by as u8)
    .bind(&hold.why)
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
    let text = format!("step {} is held: {}", hold.step, hold.why);
    note(connection, hold.batch, text, hold.since).await?;
    bump(connection).await.map(Some)
}

pub(super) async fn release_steps(
    connection: &mut SqliteConnection,
    batch: BatchId,
    only: Option<StepIndex>,
    by: String,
    now: Timestamp,
) -> Work<Option<u64>> {
    let lifted = sqlx::query(
        "UPDATE step_hold SET lifted_at = ?3 WHERE batch = ?1 AND lifted_at IS NULL AND step = ifnull(?2, step)
         RETURNING step",
    )
    .bind(batch.0)
    .bind(only.map(StepIndex::get))
    .bind(now.millis())
    .fetch_all(&mut *connection)
    .await?;
    let mut steps = lifted.iter().map(|row| step(row, "step")).collect::<Work<Vec<_>>>()?;
    if steps.is_empty() {
        return Ok(None);
    }
    steps.sort_unstable();
    steps.dedup();
    for step in steps {
        note(connection, batch, format!("step {step} is resumed by {by}"), now).await?;
    }
    bump(connection).await.map(Some)
}

async fn note(connection: &mut SqliteConnection, batch: BatchId, text: String, at: Timestamp) -> Work<()> {
    let name = super::batches::by_id(connection, batch).await?.and_then(|batch| batch.name);
    let subject = Event::of_campaign(batch, name.as_deref());
    super::nodes::note(connection, Event { at, subject, text }).await
}
