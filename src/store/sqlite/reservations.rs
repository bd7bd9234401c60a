//! Keeps what is reserved for steps that may still be delivered.
//!
//! Each statement changes the rows of `reservation` and the sum of their step alike.

use std::collections::HashMap;

use sqlx::{Row as _, SqliteConnection};

use super::Work;
use super::limits::{Spending, add, signed};
use super::numbers::{Numbers, OverNumbers, over_numbers};
use super::rows::{json_of, small, step};
use super::script::Script;
use crate::base::domain::{BatchId, MessageKey, Money, Settlement, SettlementKind, Span, StepIndex, Timestamp};
use crate::store::{Change, Claimed};

const RESERVE: OverNumbers = over_numbers!(
    "INSERT INTO reservation (batch, n, step, amount, until) SELECT batch, n, ?4, ?5, ?6 FROM message WHERE",
    "ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, until = excluded.until"
);

/// Reserves what claimed messages cost if they are delivered.
pub(super) fn reserve(script: &mut Script, claimed: &[Claimed], now: Timestamp) {
    // Messages of a step to one country nearly always cost the same.
    let mut numbers: HashMap<(BatchId, StepIndex, Money, Span), Vec<u32>> = HashMap::new();
    for Claimed { message, fee, .. } in claimed {
        let Some(span) = fee.reserved_for.filter(|_| !fee.amount.is_zero()) else { continue };
        numbers.entry((message.key.batch, message.present.step, fee.amount, span)).or_default().push(message.key.n);
    }
    for ((batch, step, amount, span), mut numbers) in numbers {
        numbers.sort_unstable();
        let statement = Numbers::of(&numbers).statement(script, &RESERVE, batch);
        statement.bind(step.get()).bind(signed(amount)).bind((now + span).millis());
    }
}

/// Spends what is reserved, and the price for those without a reservation; or frees it.
const SETTLE: OverNumbers = over_numbers!(
    "INSERT INTO spent (batch, step, spent, reserved)
     SELECT ?1, ?4, iif(?5, ifnull(sum(amount), 0) + (?6 - count(*)) * ?7, 0), -ifnull(sum(amount), 0)
     FROM reservation WHERE",
    "AND step = ?4
     ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = max(reserved + excluded.reserved, 0)"
);
const END: OverNumbers = over_numbers!("DELETE FROM reservation WHERE", "AND step = ?4");

/// Settles what changes charge, release, refund and reserve. What of it may be free, the next statements find.
pub(super) fn settle(script: &mut Script, changes: &[&Change]) {
    let mut numbers: HashMap<_, Vec<u32>> = HashMap::new();
    let all = changes.iter().flat_map(|change| change.settlements.iter().map(|settlement| (change.key, settlement)));
    let is_settled_here = |it: &Settlement| it.free.is_none() || matches!(it.kind, SettlementKind::Reserved { .. });
    for (MessageKey { batch, n }, settlement) in all.filter(|(_, settlement)| is_settled_here(settlement)) {
        numbers.entry((batch, settlement.step, settlement.kind, settlement.amount)).or_default().push(n);
    }
    for ((batch, step, kind, amount), mut numbers) in numbers {
        numbers.sort_unstable();
        let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        if kind == SettlementKind::Refunded {
            let spent = signed(amount).saturating_mul(-count);
            add(script, [((batch, step), Spending { spent, reserved: 0 })].into_iter());
            continue;
        }
        if let SettlementKind::Reserved { until } = kind {
            let statement = Numbers::of(&numbers).statement(script, &RESERVE, batch);
            statement.bind(step.get()).bind(signed(amount)).bind(until.millis());
            let reserved = signed(amount).saturating_mul(count);
            add(script, [((batch, step), Spending { spent: 0, reserved })].into_iter());
            continue;
        }
        let statement = Numbers::of(&numbers).statement(script, &SETTLE, batch).bind(step.get());
        statement.bind(kind == SettlementKind::Charged).bind(count).bind(signed(amount));
        Numbers::of(&numbers).statement(script, &END, batch).bind(step.get());
    }
}

/// Ends the reservation of one step. Returns what was reserved for it, which its sum no longer has.
pub(super) async fn end_of(
    connection: &mut SqliteConnection,
    MessageKey { batch, n }: MessageKey,
    step: StepIndex,
) -> Work<Option<i64>> {
    let ended = sqlx::query("DELETE FROM reservation WHERE batch = ?1 AND n = ?2 AND step = ?3 RETURNING amount");
    let ended = ended.bind(batch.0).bind(n).bind(step.get()).fetch_optional(&mut *connection).await?;
    let Some(row) = ended else { return Ok(None) };
    let amount: i64 = row.try_get("amount")?;
    let mut script = Script::default();
    add(&mut script, [((batch, step), Spending { spent: 0, reserved: -amount })].into_iter());
    script.run(connection).await?;
    Ok(Some(amount))
}

/// The most reservations that one call ends.
const AT_ONCE: u32 = 5_000;
/// How long a present step keeps its reservation beyond its window at least: its own end is decided elsewhere.
const LOOK_AGAIN: Span = Span::from_secs(60);

pub(super) const OVER: &str = "SELECT r.batch, r.n, r.step, r.amount, m.step IS r.step AND m.state <> 3 AS is_present
     FROM reservation r INDEXED BY reservation_until LEFT JOIN message m ON m.batch = r.batch AND m.n = r.n
     WHERE r.until <= ?1 ORDER BY r.until LIMIT ?2";
const KEEP: &str = "UPDATE reservation SET until = ?2 WHERE (batch, n, step) IN
     (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))";
const END_ALL: &str = "DELETE FROM reservation WHERE (batch, n, step) IN
     (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1))";

pub(super) async fn end_over(connection: &mut SqliteConnection, now: Timestamp) -> Work<bool> {
    let rows = sqlx::query(OVER).bind(now.millis()).bind(AT_ONCE).fetch_all(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let (mut kept, mut ended, mut sums) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let (batch, step) = (BatchId(small(row, "batch")?), step(row, "step")?);
        let key = (batch.0, small::<u32>(row, "n")?, step.get());
        if row.try_get("is_present")? {
            kept.push(key);
        } else {
            let amount: i64 = row.try_get("amount")?;
            ended.push(key);
            sums.push(((batch, step), Spending { spent: 0, reserved: -amount }));
        }
    }
    let mut script = Script::default();
    script.statement(KEEP).bind(json_of(&kept, "message")?).bind((now + LOOK_AGAIN).millis());
    script.statement(END_ALL).bind(json_of(&ended, "message")?);
    add(&mut script, sums.into_iter());
    script.run(connection).await?;
    Ok(rows.len() == usize::try_from(AT_ONCE).unwrap_or(usize::MAX))
}
