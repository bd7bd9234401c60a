//! Claim, record, timers: the hot path.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::receipts::{Lesson, learn};
use super::rows::{Bound, for_values, json_list, loaded, message_columns, state};
use crate::domain::{
    BatchId, BatchState, Fields, LaneId, MessageKey, Present, State, StepIndex, Tallies, Timestamp, Umid,
};
use crate::store::{Attempt, Change, Claim, Claimed, ClaimedSet, Loaded, Verdict};

/// Counters of all batches that a group touches.
pub(super) type Moves = HashMap<BatchId, Tallies>;

pub(super) async fn claim(connection: &mut SqliteConnection, claim: Claim) -> Work<ClaimedSet> {
    let mut set = ClaimedSet::default();
    let mut moves = Moves::new();
    for (batch, step) in claim.queues {
        let left = claim.limit.saturating_sub(u32::try_from(set.messages.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let rows = claim_queue(connection, claim.lane, batch, step, claim.now, left).await?;
        if rows.len() < usize::try_from(left).unwrap_or(usize::MAX) {
            set.drained.push((batch, step));
        }
        let tallies = moves.entry(batch).or_default();
        let mut queue = rows.iter().map(claimed).collect::<Work<Vec<_>>>()?;
        for claimed in &queue {
            let after = &claimed.message.present;
            tallies.moved(usize::from(StepIndex::COUNT_MAX), &as_queued(after), after);
        }
        // The update returns rows in no order; what was first in the queue leaves first.
        queue.sort_unstable_by_key(|claimed| (place(&claimed.message.present), claimed.message.key.n));
        set.messages.append(&mut queue);
    }
    count(connection, &moves).await?;
    if let Some(tier) = claim.tier {
        let now = claim.now.millis();
        // Who opted out since the launch gets nothing, and so takes no place.
        let people: Vec<_> = set.messages.iter().filter(|claimed| !claimed.opted_out).collect();
        for_values(
            connection,
            "INSERT INTO tier_place (portfolio, msisdn, at)",
            "ON CONFLICT DO UPDATE SET at = excluded.at",
            3,
            &people,
            |query: Bound<'_>, claimed| {
                query.bind(tier.portfolio.clone()).bind(number(claimed.message.msisdn)).bind(now)
            },
        )
        .await?;
    }
    Ok(set)
}

/// The state of the batch is read in the claim's own transaction: what a person has stopped cannot leave.
pub(super) const CLAIM: &str = concat!(
    "UPDATE message SET state = 1, at = ?5, version = version + 1 WHERE batch = ?2 AND n IN (
        SELECT n FROM message INDEXED BY message_queue
        WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0 AND not_before <= ?5
          AND (due IS NULL OR due > ?5)
          AND EXISTS (SELECT 1 FROM batch WHERE id = ?2 AND state = ?6)
        ORDER BY not_before, n LIMIT ?4)
     RETURNING ",
    message_columns!(),
    ", (SELECT fields FROM recipient r WHERE r.audience = message.audience AND r.n = message.recipient) AS fields
     , EXISTS (SELECT 1 FROM opt_out o WHERE o.msisdn = message.msisdn) AS opted_out"
);

async fn claim_queue(
    connection: &mut SqliteConnection,
    lane: LaneId,
    batch: BatchId,
    step: StepIndex,
    now: Timestamp,
    limit: u32,
) -> Work<Vec<SqliteRow>> {
    Ok(sqlx::query(CLAIM)
        .bind(lane.0)
        .bind(batch.0)
        .bind(step.get())
        .bind(limit)
        .bind(now.millis())
        .bind(BatchState::Running.code())
        .fetch_all(connection)
        .await?)
}

fn claimed(row: &SqliteRow) -> Work<Claimed> {
    Ok(Claimed {
        message: loaded(row)?,
        fields: Fields::from_packed(row.try_get("fields")?),
        opted_out: row.try_get("opted_out")?,
    })
}

/// Where a claimed message stood in its queue.
fn place(claimed: &Present) -> Option<Timestamp> {
    match claimed.state {
        State::Sending { not_before, .. } => Some(not_before),
        State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => None,
    }
}

/// What a claimed message was before the claim.
fn as_queued(after: &Present) -> Present {
    match after.state {
        State::Sending { not_before, gives_up, .. } => {
            Present { state: State::Queued { not_before, gives_up }, ..*after }
        }
        State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => *after,
    }
}

/// Applies changes, each to the version it was decided on; returns those that came too late.
pub(super) async fn record(connection: &mut SqliteConnection, changes: &[Change]) -> Work<Vec<MessageKey>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<&Change> = changes.iter().collect();
    sqlx::query("SAVEPOINT changes").execute(&mut *connection).await?;
    let whole = u64::try_from(all.len()).unwrap_or(u64::MAX);
    if write_messages(connection, &all).await? == whole && !has_invented(connection).await? {
        sqlx::query("RELEASE changes").execute(&mut *connection).await?;
        finish(connection, &all).await?;
        return Ok(Vec::new());
    }
    // Somebody was faster with some of them. Which, is only asked now, because it is rare.
    sqlx::query("ROLLBACK TO changes").execute(&mut *connection).await?;
    sqlx::query("RELEASE changes").execute(&mut *connection).await?;
    let (fresh, late) = sort_out(connection, all).await?;
    write_messages(connection, &fresh).await?;
    finish(connection, &fresh).await?;
    Ok(late)
}

/// Whether the upsert has made a row where there was no message.
async fn has_invented(connection: &mut SqliteConnection) -> Work<bool> {
    let row = sqlx::query("SELECT 1 FROM message INDEXED BY message_invented WHERE audience = 0 LIMIT 1");
    Ok(row.fetch_optional(connection).await?.is_some())
}

/// Counters and facts, behind the rows that they are about.
async fn finish(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<()> {
    let mut moves = Moves::new();
    for change in changes {
        let tallies = moves.entry(change.key.batch).or_default();
        tallies.moved(usize::from(change.steps), &change.before, &change.after);
    }
    count(connection, &moves).await?;
    let facts: Vec<_> = changes.iter().filter_map(|change| change.fact.as_ref().map(|fact| (*change, fact))).collect();
    write_attempts(connection, &facts).await?;
    learn(connection, &changes.iter().flat_map(|change| settled(change)).collect::<Vec<_>>()).await
}

/// Attempts of which it is known, from this change on, whether they happened.
fn settled(change: &Change) -> impl Iterator<Item = Lesson> + '_ {
    let told = change.fact.as_ref().map(|fact| fact.step);
    StepIndex::all()
        .filter(|step| change.before.marks.unknown(*step) && !change.after.marks.unknown(*step))
        .filter(move |step| told != Some(*step))
        .map(|step| Lesson { key: change.key, step, umid: None })
}

/// Which changes still meet the version that they were made on, one after the other, and which come too late.
async fn sort_out<'a>(
    connection: &mut SqliteConnection,
    changes: Vec<&'a Change>,
) -> Work<(Vec<&'a Change>, Vec<MessageKey>)> {
    let current = load(connection, changes.iter().map(|change| change.key)).await?;
    let mut current: HashMap<MessageKey, u32> = current.into_iter().map(|found| (found.key, found.version)).collect();
    let (mut fresh, mut late) = (Vec::with_capacity(changes.len()), Vec::new());
    for change in changes {
        match current.get_mut(&change.key) {
            Some(version) if *version == change.version => {
                *version += 1;
                fresh.push(change);
            }
            Some(_) | None => late.push(change.key),
        }
    }
    Ok((fresh, late))
}

/// An upsert that always conflicts: one search of the primary key a row, and no detour over a temporary table, which
/// is what an update from a list takes.
async fn write_messages(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<u64> {
    for_values(
        connection,
        "INSERT INTO message (batch, n, audience, recipient, msisdn, version, state, step, lane, not_before, at, due, \
         outcome, skipped, first_left, accepted, tries, marks)",
        "ON CONFLICT DO UPDATE SET version = excluded.version + 1, state = excluded.state, step = excluded.step, \
         lane = excluded.lane, not_before = coalesce(nullif(excluded.not_before, -1), not_before), \
         at = excluded.at, due = excluded.due, \
         outcome = excluded.outcome, skipped = excluded.skipped, first_left = excluded.first_left, \
         accepted = excluded.accepted, tries = excluded.tries, marks = excluded.marks \
         WHERE message.version = excluded.version",
        18,
        changes,
        |query: Bound<'_>, change| {
            let columns = Columns::of(&change.after.state);
            query
                .bind(change.key.batch.0)
                .bind(change.key.n)
                .bind(0_i64)
                .bind(0_i64)
                .bind(number(change.msisdn))
                .bind(change.version)
                .bind(columns.state)
                .bind(change.after.step.get())
                .bind(change.lane.0)
                .bind(columns.not_before.map_or(-1, Timestamp::millis))
                .bind(columns.at.map(Timestamp::millis))
                .bind(columns.due.map(Timestamp::millis))
                .bind(columns.outcome)
                .bind(columns.skipped)
                .bind(change.after.first_left.map(Timestamp::millis))
                .bind(change.after.accepted.map(Timestamp::millis))
                .bind(change.after.tries)
                .bind(change.after.marks.bits())
        },
    )
    .await
}

/// How a state lies in its columns.
struct Columns {
    state: i64,
    /// Nothing leaves the column as it is: it still tells when the present step was queued.
    not_before: Option<Timestamp>,
    at: Option<Timestamp>,
    due: Option<Timestamp>,
    outcome: Option<u8>,
    skipped: Option<u8>,
}

impl Columns {
    fn of(state: &State) -> Self {
        let empty = Self { state: state::QUEUED, not_before: None, at: None, due: None, outcome: None, skipped: None };
        match *state {
            State::Queued { not_before, gives_up } => Self { not_before: Some(not_before), due: gives_up, ..empty },
            State::Sending { intent, not_before, gives_up } => {
                Self { state: state::SENDING, not_before: Some(not_before), at: Some(intent), due: gives_up, ..empty }
            }
            State::Awaiting { due } => Self { state: state::AWAITING, due: Some(due), ..empty },
            State::Done { outcome, skipped, at } => Self {
                state: state::DONE,
                at: Some(at),
                outcome: Some(outcome.code()),
                skipped: skipped.map(crate::domain::SkipReason::code),
                ..empty
            },
        }
    }
}

pub(super) fn number(msisdn: crate::domain::Msisdn) -> i64 {
    // Fifteen digits at the most.
    msisdn.get().cast_signed()
}

async fn write_attempts(connection: &mut SqliteConnection, facts: &[(&Change, &Attempt)]) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO attempt (batch, n, step, lane, queued, intent, answered, verdict, tries, code, detail, umid, \
         adoptable)",
        "ON CONFLICT DO UPDATE SET lane = excluded.lane, queued = excluded.queued, intent = excluded.intent, \
         answered = excluded.answered, verdict = excluded.verdict, tries = excluded.tries, code = excluded.code, \
         detail = excluded.detail, umid = coalesce(excluded.umid, umid), adoptable = excluded.adoptable",
        13,
        facts,
        |query: Bound<'_>, (change, fact)| {
            let adoptable = fact.verdict == Verdict::Unknown && change.after.marks.unknown(fact.step);
            query
                .bind(change.key.batch.0)
                .bind(change.key.n)
                .bind(fact.step.get())
                .bind(fact.lane.0)
                .bind(fact.queued.millis())
                .bind(fact.intent.map(Timestamp::millis))
                .bind(fact.answered.millis())
                .bind(fact.verdict as i64)
                .bind(fact.tries)
                .bind(fact.code)
                .bind(fact.detail.clone())
                .bind(fact.umid.as_ref().map(Umid::to_bytes))
                .bind(adoptable.then(|| number(change.msisdn)))
        },
    )
    .await?;
    Ok(())
}

/// Moves the counters. They stand in the same transaction as the rows they count.
pub(super) async fn count(connection: &mut SqliteConnection, moves: &Moves) -> Work<()> {
    let entries: Vec<_> = moves
        .iter()
        .flat_map(|(batch, tallies)| tallies.entries().map(move |(step, count, by)| (*batch, step, count, by)))
        .collect();
    for_values(
        connection,
        "INSERT INTO tally (batch, step, count, n, writer)",
        "ON CONFLICT DO UPDATE SET n = n + excluded.n",
        5,
        &entries,
        |query: Bound<'_>, (batch, step, count, by)| {
            query.bind(batch.0).bind(step.get()).bind(count.code()).bind(*by).bind(0_i64)
        },
    )
    .await?;
    Ok(())
}

pub(super) const LOAD: &str =
    concat!("SELECT ", message_columns!(), " FROM message WHERE batch = ?1 AND n IN (SELECT value FROM json_each(?2))");

pub(super) async fn load(
    connection: &mut SqliteConnection,
    keys: impl IntoIterator<Item = MessageKey>,
) -> Work<Vec<Loaded>> {
    let keys: Vec<MessageKey> = keys.into_iter().collect();
    let mut by_batch: HashMap<BatchId, Vec<i64>> = HashMap::new();
    for key in &keys {
        by_batch.entry(key.batch).or_default().push(i64::from(key.n));
    }
    let mut found = HashMap::with_capacity(keys.len());
    for (batch, ns) in by_batch {
        let rows = sqlx::query(LOAD).bind(batch.0).bind(json_list(ns)).fetch_all(&mut *connection).await?;
        for row in &rows {
            let message = loaded(row)?;
            found.insert(message.key, message);
        }
    }
    Ok(keys.iter().filter_map(|key| found.get(key).copied()).collect())
}

pub(super) const IN_FLIGHT: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM message INDEXED BY message_sending WHERE state = 1 ORDER BY lane, batch, n LIMIT ?1"
);

pub(super) async fn in_flight(connection: &mut SqliteConnection, limit: u32) -> Work<Vec<Loaded>> {
    let rows = sqlx::query(IN_FLIGHT).bind(limit).fetch_all(connection).await?;
    rows.iter().map(loaded).collect()
}

pub(super) async fn open_messages(
    connection: &mut SqliteConnection,
    batch: BatchId,
    after: Option<u32>,
    limit: u32,
) -> Work<Vec<Loaded>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        message_columns!(),
        " FROM message WHERE batch = ?1 AND n > ?2 AND state IN (0, 2) ORDER BY n LIMIT ?3"
    ))
    .bind(batch.0)
    .bind(after.map_or(-1, i64::from))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(loaded).collect()
}

pub(super) const DUE: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM message INDEXED BY message_due
      WHERE batch = ?1 AND due <= ?2 AND due IS NOT NULL AND state IN (0, 2) ORDER BY due, n LIMIT ?3"
);

pub(super) async fn due(
    connection: &mut SqliteConnection,
    batch: BatchId,
    now: Timestamp,
    limit: u32,
) -> Work<Vec<Loaded>> {
    let rows = sqlx::query(DUE).bind(batch.0).bind(now.millis()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(loaded).collect()
}

pub(super) const NEXT_DUE: &str = "SELECT min(due) AS due FROM message INDEXED BY message_due
     WHERE batch = ?1 AND due IS NOT NULL AND state IN (0, 2)";

pub(super) async fn next_due(connection: &mut SqliteConnection, batch: BatchId) -> Work<Option<Timestamp>> {
    let row = sqlx::query(NEXT_DUE).bind(batch.0).fetch_one(connection).await?;
    super::rows::maybe_moment(&row, "due")
}
