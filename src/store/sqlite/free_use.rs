//! Counts the messages of price lines of which some are free, and charges the others.

use sqlx::{Row as _, SqliteConnection};

use super::Work;
use super::limits::{Spending, add, signed};
use super::reservations::end_of;
use super::script::Script;
use crate::base::domain::{Allowance, Free, Settlement, SettlementKind, Timestamp};
use crate::store::Change;

/// Settles changes of lines of which some messages are free: counts them, and charges those beyond. Few price lists have such lines.
pub(super) async fn charge_beyond(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<()> {
    for change in changes {
        for Settlement { step, kind, amount, free } in &change.settlements {
            let Some((allowance, submitted_at)) = free else { continue };
            let count = match kind {
                // Reserved like any other.
                SettlementKind::Reserved { .. } => continue,
                SettlementKind::Charged => 1,
                SettlementKind::Refunded => -1,
                SettlementKind::Released => 0,
            };
            let reserved = end_of(connection, change.key, *step).await?;
            if count == 0 {
                continue;
            }
            let asked = (allowance, change.address.canonical().get(), *submitted_at);
            let beyond = beyond(connection, asked, count).await?;
            let spent = reserved.unwrap_or_else(|| signed(*amount)).saturating_mul(beyond);
            let mut script = Script::default();
            add(&mut script, [((change.key.batch, *step), Spending { spent, reserved: 0 })].into_iter());
            script.run(connection).await?;
        }
    }
    Ok(())
}

/// The latest message of a recipient that kept a window open at a time.
const WINDOW: &str = "SELECT max(until) AS until FROM inbound INDEXED BY inbound_recipient
     WHERE msisdn = ?1 AND written_at > ?2 AND written_at <= ?3 AND until > ?3 AND channel = ?4";
const USED: &str = "SELECT used FROM free_use WHERE line = ?1 AND address = ?2 AND period = ?3";
const USE: &str = "INSERT INTO free_use (line, address, period, used) VALUES (?1, ?2, ?3, max(?4, 0))
     ON CONFLICT DO UPDATE SET used = max(used + ?4, 0)";
/// Messages of a window may be delivered for a month after it.
const FORGET: &str =
    "DELETE FROM free_use WHERE line = ?1 AND address = ?2 AND address <> 0 AND period < ?3 - 3600000 * 24 * 31";

/// How many messages more are to be charged, if the count of a line changes by `count`.
async fn beyond(
    connection: &mut SqliteConnection,
    (Allowance { of, free }, address, at): (&Allowance, i64, Timestamp),
    count: i64,
) -> Work<i64> {
    let (most, address, period) = match free {
        Free::AMonth(most) => (*most, 0, Some(at.month())),
        Free::InWindow(most) => {
            let longest = super::windows::LONGEST_WINDOW;
            let row = sqlx::query(WINDOW).bind(address).bind((at - longest).millis()).bind(at.millis());
            let row = row.bind(of.channel.code()).fetch_one(&mut *connection).await?;
            (*most, address, row.try_get("until")?)
        }
    };
    let Some(period) = period else { return Ok(count) };
    let line = of.to_string();
    let used = sqlx::query_scalar(USED).bind(&line).bind(address).bind(period).fetch_optional(&mut *connection);
    let used: i64 = used.await?.unwrap_or(0);
    sqlx::query(USE).bind(&line).bind(address).bind(period).bind(count).execute(&mut *connection).await?;
    sqlx::query(FORGET).bind(&line).bind(address).bind(period).execute(connection).await?;
    let charged = |used: i64| (used - i64::from(most)).max(0);
    Ok(charged((used + count).max(0)) - charged(used))
}
