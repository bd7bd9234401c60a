//! Stores the slots of tiers: the recipients to whom a portfolio has submitted messages lately.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batches::bump;
use super::rows::{
    Bound, address_key, canonical_number, for_values, json_list, lines, maybe_timestamp, packed, small, timestamp,
};
use super::{Work, nodes};
use crate::base::domain::{AddressKey, BatchId, LaneId, Span, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::rules::planner::{Candidate, TierStanding};
use crate::store::{TierSlot, TierUse, UnknownSlots};

/// The recipients among `?3` who hold a slot.
pub(super) const HOLDERS: &str =
    packed!("address", "tier_slot WHERE portfolio = ?1 AND at > ?2 AND address IN (SELECT value FROM json_each(?3))");

/// Gives returned slots their time before the claim.
pub(super) const RESTORE: &str = "UPDATE tier_slot SET at = before
     WHERE portfolio = ?1 AND at = ?2 AND before IS NOT NULL AND address IN (SELECT value FROM json_each(?3))";

/// Frees returned slots that were not held before the claim.
pub(super) const FREE: &str = "DELETE FROM tier_slot
     WHERE portfolio = ?1 AND at = ?2 AND before IS NULL AND address IN (SELECT value FROM json_each(?3))";

/// Keeps the two latest times of a slot that is taken repeatedly: claims of two lanes may commit in another order than
/// their times, and one claim may have taken the slot for two messages.
macro_rules! latest_two {
    () => {
        "ON CONFLICT DO UPDATE SET at = max(at, excluded.at),
     before = max(coalesce(before, min(at, excluded.at)), min(at, excluded.at))"
    };
}

/// The key of a slot: portfolio and number.
pub(super) type SlotKey = (String, i64);

/// Less than the key of any slot.
pub(super) const START: SlotKey = (String::new(), 0);

/// Slots that one transaction reads.
const PIECE: i64 = 5_000;

/// The last slot of a piece. Pieces follow the key: an index by age would cost every claim a write.
pub(super) const PIECE_END: &str = "SELECT portfolio, address FROM tier_slot WHERE (portfolio, address) > (?1, ?2)
     ORDER BY portfolio, address LIMIT 1 OFFSET ?3";

pub(super) const FORGET: &str =
    "DELETE FROM tier_slot WHERE (portfolio, address) > (?1, ?2) AND (portfolio, address) <= (?3, ?4) AND at <= ?5";

pub(super) const FORGET_REST: &str = "DELETE FROM tier_slot WHERE (portfolio, address) > (?1, ?2) AND at <= ?3";

/// The number by which a recipient holds a slot.
fn canonical(recipient: AddressKey) -> i64 {
    recipient.canonical().get()
}

/// A window that closes within this time counts as closed: it may be over when the message is submitted.
const CLOSES_TOO_SOON: Span = Span::from_secs(60);

/// Sets the tier standing of a claim's candidates.
///
/// - A recipient with an open window needs no slot.
/// - Slots are looked up only if `needs_holders` says so for the number of recipients who need one. A message that is
///   never sent needs none.
pub(super) async fn set_standings(
    connection: &mut SqliteConnection,
    tier: &TierUse,
    candidates: &mut [&mut Candidate],
    now: Timestamp,
    needs_holders: impl Fn(usize) -> bool,
) -> Work<()> {
    let recipients: Vec<AddressKey> = candidates.iter().map(|candidate| candidate.message.address).collect();
    let open = super::windows::windows(connection, &recipients, &tier.sender, now + CLOSES_TOO_SOON).await?;
    let open: HashMap<AddressKey, Timestamp> = open.into_iter().collect();
    for candidate in candidates.iter_mut() {
        let window = open.get(&candidate.message.address);
        candidate.tier = window.map_or(TierStanding::New, |until| TierStanding::Window(*until));
    }
    let needs_slot = |candidate: &&&mut Candidate| candidate.tier == TierStanding::New && !candidate.is_never_sent();
    let recipients: Vec<i64> =
        candidates.iter().filter(needs_slot).map(|candidate| canonical(candidate.message.address)).collect();
    if !needs_holders(recipients.len()) {
        return Ok(());
    }
    let query = sqlx::query(HOLDERS).bind(&tier.portfolio).bind(tier.since.millis()).bind(json_list(recipients));
    let lines = lines(connection, query).await?;
    let holders: HashSet<i64> = lines.lines().filter_map(|line| line.parse().ok()).collect();
    for candidate in candidates.iter_mut().filter(|candidate| candidate.tier == TierStanding::New) {
        if holders.contains(&canonical(candidate.message.address)) {
            candidate.tier = TierStanding::Holder;
        }
    }
    Ok(())
}

pub(super) async fn take_slots(
    connection: &mut SqliteConnection,
    portfolio: &str,
    recipients: &[(AddressKey, Timestamp)],
) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO tier_slot (portfolio, address, at)",
        latest_two!(),
        3,
        recipients,
        |query: Bound<'_>, (recipient, at)| {
            query.bind(portfolio.to_owned()).bind(canonical(*recipient)).bind(at.millis())
        },
    )
    .await?;
    Ok(())
}

/// Returns the portfolios whose recipients are counted, each with the lanes on which they are.
pub(super) async fn counted(connection: &mut SqliteConnection) -> Work<BTreeSet<(String, LaneId)>> {
    let rows = sqlx::query("SELECT portfolio, lane FROM counted").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("portfolio")?, LaneId(small(row, "lane")?)))).collect()
}

pub(super) async fn set_counted(
    connection: &mut SqliteConnection,
    pairs: &BTreeSet<(String, LaneId)>,
    are_counted: bool,
) -> Work<()> {
    let text = if are_counted {
        "INSERT INTO counted (portfolio, lane) SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
         ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM counted WHERE (portfolio, lane) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))"
    };
    sqlx::query(text).bind(as_json(pairs)).execute(connection).await?;
    Ok(())
}

fn as_json(pairs: &BTreeSet<(String, LaneId)>) -> String {
    json!(pairs.iter().map(|(portfolio, lane)| (portfolio, lane.0)).collect::<Vec<_>>()).to_string()
}

/// Returns the batches that may have submitted something after `since`, with their highest message number.
pub(super) async fn to_count(connection: &mut SqliteConnection, since: Timestamp) -> Work<Vec<(BatchId, u32)>> {
    let rows = sqlx::query(
        "SELECT batch.id, (SELECT max(n) FROM message WHERE batch = batch.id) AS last FROM batch
         WHERE started_at IS NOT NULL AND coalesce(settled_at, ?1 + 1) > ?1 AND last IS NOT NULL ORDER BY id",
    )
    .bind(since.millis())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((BatchId(small(row, "id")?), small(row, "last")?))).collect()
}

/// Messages whose submissions one transaction counts.
pub(super) const COUNTED_AT_ONCE: u32 = 5_000;

/// A range of a batch's messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) batch: BatchId,
    pub(super) from: u32,
    pub(super) until: u32,
    pub(super) since: Timestamp,
}

/// Takes slots for the recipients of submitted and sending messages. A recipient with two submissions gets both times,
/// because each row is inserted separately.
pub(super) const COUNT: &str = concat!(
    "WITH owner (portfolio, lane) AS (SELECT value ->> 0, value ->> 1 FROM json_each(?5))
     INSERT INTO tier_slot (portfolio, address, at)
     SELECT portfolio, ",
    canonical_number!("address"),
    ", at FROM (
         SELECT a.lane, m.address, a.intent AS at FROM attempt a JOIN message m ON m.batch = a.batch AND m.n = a.n
         WHERE a.batch = ?1 AND a.n >= ?2 AND a.n < ?3 AND a.intent > ?4 AND a.verdict IN (0, 2)
         UNION ALL
         SELECT lane, address, at FROM message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state = 1) AS begun
     JOIN owner ON owner.lane = begun.lane WHERE true ",
    latest_two!()
);

pub(super) async fn count(
    connection: &mut SqliteConnection,
    pairs: &BTreeSet<(String, LaneId)>,
    piece: Piece,
) -> Work<()> {
    sqlx::query(COUNT)
        .bind(piece.batch.0)
        .bind(piece.from)
        .bind(piece.until)
        .bind(piece.since.millis())
        .bind(as_json(pairs))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) const SLOTS: &str = "SELECT portfolio, address, at, before FROM tier_slot
     WHERE portfolio IN (SELECT value FROM json_each(?1)) AND at > ?2 ORDER BY at";

pub(super) async fn slots(
    connection: &mut SqliteConnection,
    portfolios: &[String],
    since: Timestamp,
) -> Work<BTreeMap<String, Vec<TierSlot>>> {
    let query = sqlx::query(SLOTS).bind(json!(portfolios).to_string()).bind(since.millis());
    let mut rows = query.fetch(connection);
    let mut slots = BTreeMap::<String, Vec<TierSlot>>::new();
    while let Some(row) = rows.try_next().await? {
        let slot = TierSlot {
            recipient: address_key(&row, "address")?,
            at: timestamp(&row, "at")?,
            before: maybe_timestamp(&row, "before")?,
        };
        let portfolio: &str = row.try_get("portfolio")?;
        match slots.get_mut(portfolio) {
            Some(slots) => slots.push(slot),
            None => drop(slots.insert(portfolio.to_owned(), vec![slot])),
        }
    }
    Ok(slots)
}

/// The recipients of each portfolio. One that only counts as full after a restore has as many as its tier.
pub(super) async fn used(connection: &mut SqliteConnection, since: Timestamp) -> Work<BTreeMap<String, u32>> {
    let rows = sqlx::query(
        "SELECT portfolio, max(sum(counted), sum(full)) AS recipients FROM (
             SELECT portfolio, count(*) AS counted, 0 AS full FROM tier_slot WHERE at > ?1 GROUP BY portfolio
             UNION ALL SELECT portfolio, iif(is_told, recipients, 0), iif(is_told, 0, recipients)
             FROM unknown_slots WHERE at > ?1)
         GROUP BY portfolio",
    )
    .bind(since.millis())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("portfolio")?, small(row, "recipients")?))).collect()
}

pub(super) async fn note_unknown(
    connection: &mut SqliteConnection,
    portfolio: String,
    slots: UnknownSlots,
    origin: Origin,
    now: Timestamp,
) -> Work<u64> {
    sqlx::query("INSERT OR REPLACE INTO unknown_slots (portfolio, recipients, at, is_told) VALUES (?1, ?2, ?3, ?4)")
        .bind(&portfolio)
        .bind(slots.recipients)
        .bind(slots.at.millis())
        .bind(slots.is_told)
        .execute(&mut *connection)
        .await?;
    let kind = EventKind::TierUsed { recipients: slots.recipients, is_told: slots.is_told };
    nodes::record_event(connection, Event { at: now, subject: Subject::portfolio(&portfolio), origin, kind }).await?;
    bump(connection).await
}

pub(super) async fn unknown(
    connection: &mut SqliteConnection,
    since: Timestamp,
) -> Work<BTreeMap<String, UnknownSlots>> {
    let rows = sqlx::query("SELECT * FROM unknown_slots WHERE at > ?1").bind(since.millis());
    let slots = |row: &SqliteRow| {
        let (recipients, at) = (small(row, "recipients")?, timestamp(row, "at")?);
        Ok((row.try_get("portfolio")?, UnknownSlots { recipients, at, is_told: row.try_get("is_told")? }))
    };
    rows.fetch_all(connection).await?.iter().map(slots).collect()
}

/// Deletes the slots of one piece that were taken at `before` or earlier. Returns the key after which the next piece
/// begins.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    (portfolio, after): SlotKey,
    before: Timestamp,
) -> Work<Option<SlotKey>> {
    let end = sqlx::query(PIECE_END).bind(&portfolio).bind(after).bind(PIECE - 1);
    let Some(end) = end.fetch_optional(&mut *connection).await? else {
        let rest = sqlx::query(FORGET_REST).bind(portfolio).bind(after).bind(before.millis());
        rest.execute(connection).await?;
        return Ok(None);
    };
    let end: SlotKey = (end.try_get("portfolio")?, end.try_get("address")?);
    let piece = sqlx::query(FORGET).bind(portfolio).bind(after).bind(&end.0).bind(end.1).bind(before.millis());
    piece.execute(connection).await?;
    Ok(Some(end))
}

pub(super) async fn return_slots(
    connection: &mut SqliteConnection,
    portfolio: &str,
    recipients: Vec<(AddressKey, Timestamp)>,
) -> Work<()> {
    // Whole claims are returned together: few times, many recipients.
    let mut by_time: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for (recipient, at) in recipients {
        by_time.entry(at).or_default().push(canonical(recipient));
    }
    for (at, recipients) in by_time {
        let recipients = json_list(recipients);
        // The second statement skips the slots that the first has restored, because their time has changed.
        for statement in [RESTORE, FREE] {
            let query = sqlx::query(statement).bind(portfolio).bind(at.millis()).bind(&recipients);
            query.execute(&mut *connection).await?;
        }
    }
    Ok(())
}
