//! Stores batches: begun, filled with messages (see `pieces`), then published at once; later their state changes.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::{decoded, json_list, maybe_json, maybe_timestamp, small, step, timestamp, to_json};
use super::{Error, Fault, Work, nodes};
use crate::base::domain::{AudienceId, BatchId, BatchState, Count, Plan, Tag, Tallies, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{Batch, BatchFilter, BatchPage, NewBatch, Repetitions};

pub(super) async fn begin(connection: &mut SqliteConnection, new: NewBatch) -> Work<BatchId> {
    if let Some(name) = &new.name {
        check_name_is_free(connection, name).await?;
    }
    check_audiences(connection, &new.audience_ids).await?;
    let digest = store_plan(connection, &new.plan).await?;
    let row = sqlx::query(
        "INSERT INTO batch
            (tag, plan, state, name, audience, audience_ids, starts_at, created_at, touched_at, ends_at, open_until,
             texts_final_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11) RETURNING id",
    )
    .bind(new.tag.get().cast_signed())
    .bind(digest)
    .bind(BatchState::Launching.code())
    .bind(new.name)
    .bind(new.audience)
    .bind(json_list(new.audience_ids.iter().map(|id| i64::from(id.0))))
    .bind(new.starts_at.map(Timestamp::millis))
    .bind(new.now.millis())
    .bind(new.plan.end.map(Timestamp::millis))
    .bind(new.open_until.map(Timestamp::millis))
    .bind(new.plan.api.as_ref().map(|_| new.now.millis()))
    .fetch_one(&mut *connection)
    .await?;
    let batch = BatchId(small(&row, "id")?);
    // Of an audience that is named twice, the first messages are the recipient's.
    sqlx::query(USE_AUDIENCES).bind(batch.0).execute(connection).await?;
    Ok(batch)
}

const USE_AUDIENCES: &str = "INSERT OR IGNORE INTO audience_use (audience, batch, base)
     SELECT used.value, batch.id, coalesce(sum(audience.recipients) OVER (
         ORDER BY used.key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
     FROM batch, json_each(batch.audience_ids) used JOIN audience ON audience.id = used.value
     WHERE batch.id = ?1 ORDER BY used.key";

pub(super) const OF_AUDIENCE: &str = "SELECT batch.*, used.base FROM audience_use used
     CROSS JOIN batch ON batch.id = used.batch
     WHERE used.audience = ?1 AND used.batch < ?2 AND batch.state > 0 AND batch.purged_at IS NULL
     ORDER BY used.batch DESC LIMIT ?3";

pub(super) async fn of_audience(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    before: Option<BatchId>,
    limit: u32,
) -> Work<Vec<(Batch, u32)>> {
    let before = before.map_or(i64::MAX, |before| i64::from(before.0));
    let rows = sqlx::query(OF_AUDIENCE).bind(audience.0).bind(before).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((batch(row)?, small(row, "base")?))).collect()
}

/// The key of a plan, the digest of its JSON; and that JSON.
pub(super) fn key_of(plan: &Plan) -> Work<(Vec<u8>, String)> {
    let body = serde_json::to_string(plan)
        .map_err(|error| Error::InvalidRow { what: error.to_string(), place: "the plan".into() })?;
    Ok((Sha256::digest(&body).to_vec(), body))
}

/// Stores a plan, once, and returns its key.
pub(super) async fn store_plan(connection: &mut SqliteConnection, plan: &Plan) -> Work<Vec<u8>> {
    let (digest, body) = key_of(plan)?;
    sqlx::query("INSERT INTO plan (digest, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
        .bind(&digest)
        .bind(body)
        .execute(connection)
        .await?;
    Ok(digest)
}

/// Fails if an audience is being removed. Once the batch exists, its audiences cannot be removed any more.
async fn check_audiences(connection: &mut SqliteConnection, audiences: &[AudienceId]) -> Work<()> {
    for audience in audiences {
        // One query each: a campaign has only a few.
        let found = sqlx::query("SELECT 1 FROM audience WHERE id = ?1 AND touched_at >= 0")
            .bind(audience.0)
            .fetch_optional(&mut *connection)
            .await?;
        if found.is_none() {
            return Err(super::audiences::gone(*audience).into());
        }
    }
    Ok(())
}

async fn check_name_is_free(connection: &mut SqliteConnection, name: &str) -> Work<()> {
    match named(connection, name).await? {
        None => Ok(()),
        Some(_) => Err(Error::NameTaken { name: name.to_owned() }.into()),
    }
}

pub(super) fn gone(batch: BatchId) -> Error {
    Error::Gone { what: format!("batch {batch}") }
}

pub(super) async fn publish(
    connection: &mut SqliteConnection,
    batch: BatchId,
    state: BatchState,
    origin: Origin,
    now: Timestamp,
) -> Work<()> {
    let row = sqlx::query("SELECT name, state, starts_at FROM batch WHERE id = ?1 AND touched_at >= 0")
        .bind(batch.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| gone(batch))?;
    if decoded(&row, "state", BatchState::from_code)? != BatchState::Launching {
        return Ok(());
    }
    let name: Option<String> = row.try_get("name")?;
    if let Some(name) = &name {
        check_name_is_free(connection, name).await?;
    }
    sqlx::query("UPDATE batch SET state = ?2, started_at = iif(?2 = ?3, ?4, NULL) WHERE id = ?1")
        .bind(batch.0)
        .bind(state.code())
        .bind(BatchState::Running.code())
        .bind(now.millis())
        .execute(&mut *connection)
        .await?;
    let kind = match state {
        BatchState::Draft => EventKind::Drafted,
        BatchState::Scheduled => EventKind::Scheduled { starts_at: maybe_timestamp(&row, "starts_at")? },
        _ => EventKind::Launched,
    };
    let subject = Subject::campaign(batch, name.as_deref());
    nodes::record_event(connection, Event { at: now, subject, origin, kind }).await?;
    bump(connection).await?;
    Ok(())
}

/// Gives a batch with a name another one.
pub(super) async fn rename(
    connection: &mut SqliteConnection,
    batch: BatchId,
    name: String,
    origin: Origin,
    now: Timestamp,
) -> Work<Option<u64>> {
    let Some(found) = by_id(connection, batch).await? else { return Ok(None) };
    let Some(before) = found.name else { return Ok(None) };
    if before != name {
        check_name_is_free(connection, &name).await?;
    }
    sqlx::query("UPDATE batch SET name = ?2 WHERE id = ?1").bind(batch.0).bind(&name).execute(&mut *connection).await?;
    let subject = Subject::campaign(batch, Some(&name));
    nodes::record_event(connection, Event { at: now, subject, origin, kind: EventKind::Renamed { before } }).await?;
    bump(connection).await.map(Some)
}

/// Begins a new decision, which makes the nodes look. Returns its number.
pub(super) async fn bump(connection: &mut SqliteConnection) -> Work<u64> {
    let row = sqlx::query("UPDATE control SET seq = seq + 1 RETURNING seq").fetch_one(connection).await?;
    small(&row, "seq")
}

pub(super) async fn unpublished(connection: &mut SqliteConnection, before: Timestamp) -> Work<Vec<BatchId>> {
    let rows = sqlx::query("SELECT id FROM batch WHERE state = ?1 AND touched_at < ?2")
        .bind(BatchState::Launching.code())
        .bind(before.millis())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(BatchId(small(row, "id")?))).collect()
}

/// Marks an unpublished batch for removal if it was last touched before `before`. Returns whether it was.
pub(super) async fn abandon(connection: &mut SqliteConnection, batch: BatchId, before: Timestamp) -> Work<bool> {
    let abandoned = sqlx::query("UPDATE batch SET touched_at = -1 WHERE id = ?1 AND state = 0 AND touched_at < ?2")
        .bind(batch.0)
        .bind(before.millis())
        .execute(connection)
        .await?;
    Ok(abandoned.rows_affected() > 0)
}

pub(super) async fn all(connection: &mut SqliteConnection, states: Option<Vec<BatchState>>) -> Work<Vec<Batch>> {
    let states = states.unwrap_or_else(|| BatchState::ALL.to_vec());
    let codes = states.iter().filter(|state| **state != BatchState::Launching).map(|state| i64::from(state.code()));
    // Nearly all batches are settled, so a query for other states uses the index of those.
    let text = if states.contains(&BatchState::Settled) {
        "SELECT * FROM batch WHERE state IN (SELECT value FROM json_each(?1)) ORDER BY id"
    } else {
        "SELECT * FROM batch INDEXED BY batch_open
         WHERE state < 8 AND state IN (SELECT value FROM json_each(?1)) ORDER BY id"
    };
    let rows = sqlx::query(text).bind(json_list(codes)).fetch_all(connection).await?;
    rows.iter().map(batch).collect()
}

/// Batches that one page looks at, so that a filter with few matches costs no more than another.
const LOOKED_AT: u32 = 5_000;

/// A page of the batches of a source, latest first. The plan of a batch is read only after the other conditions, because it
/// is long.
macro_rules! page {
    ($source:literal) => {
        concat!(
            "SELECT *, (SELECT body->>'$.is_test' FROM plan WHERE digest = batch.plan) AS is_test FROM ",
            $source,
            " AND state IN (SELECT value FROM json_each(?2)) AND id < ?1
              AND (?3 IS NULL OR instr(lower(name), lower(?3)) > 0)
              AND (?4 IS NULL OR (name IS NOT NULL) = ?4)
              AND (?5 OR NOT coalesce((SELECT body->>'$.is_test' FROM plan WHERE digest = batch.plan), 0))
              ORDER BY id DESC LIMIT ?6"
        )
    };
}

/// Ends as soon as the page is full.
pub(super) const PAGE: &str = page!("batch WHERE state > 0 AND id >= ?7");
/// Batches that are neither settled nor cancelled are few, and found wherever they are.
pub(super) const PAGE_IN_PLAY: &str = page!("batch INDEXED BY batch_open WHERE state < 8");
/// The last batch that a page looks at, if there may be more after it.
pub(super) const LOOKED_AT_LAST: &str =
    "SELECT id FROM batch WHERE id < ?1 AND state > 0 ORDER BY id DESC LIMIT 1 OFFSET ?2";

pub(super) async fn page(
    connection: &mut SqliteConnection,
    filter: BatchFilter,
    before: Option<BatchId>,
    limit: u32,
) -> Work<BatchPage> {
    let states = filter.states.as_deref().unwrap_or(BatchState::ALL);
    // A batch that is being launched is hidden.
    let states: Vec<BatchState> = states.iter().copied().filter(|state| *state != BatchState::Launching).collect();
    let are_in_play = !states.iter().any(|state| matches!(state, BatchState::Cancelled | BatchState::Settled));
    let before = before.map_or(i64::MAX, |before| i64::from(before.0));
    let last = match are_in_play {
        true => None,
        false => {
            let last = sqlx::query(LOOKED_AT_LAST).bind(before).bind(LOOKED_AT - 1);
            let last = last.fetch_optional(&mut *connection).await?;
            last.map(|row| Ok::<_, Fault>(BatchId(small(&row, "id")?))).transpose()?
        }
    };
    let rows = sqlx::query(if are_in_play { PAGE_IN_PLAY } else { PAGE })
        .bind(before)
        .bind(json_list(states.iter().map(|state| i64::from(state.code()))))
        .bind(&filter.name)
        .bind(filter.is_campaign)
        .bind(filter.tests)
        .bind(limit)
        .bind(last.map_or(0, |last| i64::from(last.0)))
        .fetch_all(&mut *connection)
        .await?;
    let read = |row: &SqliteRow| Ok((batch(row)?, row.try_get::<Option<bool>, _>("is_test")?.unwrap_or(false)));
    let batches: Vec<(Batch, bool)> = rows.iter().map(read).collect::<Work<_>>()?;
    let next = if batches.len() == limit as usize { batches.last().map(|(last, _)| last.id) } else { last };
    Ok(BatchPage { next, batches })
}

/// Of each length of campaigns, the index leads to those that started too late to have ended before.
pub(super) const SENT_BETWEEN: &str = "WITH lengths (class, most) AS
         (VALUES (0, 86400000), (1, 2764800000), (2, ?1))
     SELECT batch.* FROM lengths CROSS JOIN batch INDEXED BY batch_sent
     WHERE CASE WHEN coalesce(finished_at, cancelled_at) - started_at <= 86400000 THEN 0
         WHEN coalesce(finished_at, cancelled_at) - started_at <= 2764800000 THEN 1 ELSE 2 END = lengths.class
         AND name IS NOT NULL AND started_at IS NOT NULL AND started_at >= ?1 - lengths.most AND started_at < ?2
         AND (coalesce(finished_at, cancelled_at) IS NULL OR coalesce(finished_at, cancelled_at) >= ?1) AND state > 0
         AND NOT coalesce((SELECT body->>'$.is_test' FROM plan WHERE digest = batch.plan), 0)
     ORDER BY started_at DESC LIMIT ?3";

pub(super) const TO_START_BETWEEN: &str = "SELECT * FROM batch INDEXED BY batch_open
     WHERE state < 8 AND state IN (SELECT value FROM json_each(?4))
         AND name IS NOT NULL AND started_at IS NULL AND starts_at >= ?1 AND starts_at < ?2
         AND NOT coalesce((SELECT body->>'$.is_test' FROM plan WHERE digest = batch.plan), 0)
     ORDER BY starts_at DESC LIMIT ?3";

pub(super) async fn between(
    connection: &mut SqliteConnection,
    from: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Work<Vec<Batch>> {
    let (from, until) = (from.millis(), until.millis());
    let sent = sqlx::query(SENT_BETWEEN).bind(from).bind(until).bind(limit).fetch_all(&mut *connection).await?;
    let to_start = [BatchState::Draft, BatchState::Scheduled, BatchState::Paused];
    let to_start = json_list(to_start.iter().map(|state| i64::from(state.code())));
    let query = sqlx::query(TO_START_BETWEEN).bind(from).bind(until).bind(limit).bind(to_start);
    let to_start = query.fetch_all(connection).await?;
    let mut all = sent.iter().chain(&to_start).map(batch).collect::<Work<Vec<_>>>()?;
    all.sort_by_key(|batch| (batch.started_at.or(batch.starts_at), batch.id));
    Ok(all)
}

/// The test sends: one read of the plans, of which many batches share one.
pub(super) async fn tests(connection: &mut SqliteConnection) -> Work<BTreeSet<BatchId>> {
    let rows = sqlx::query(
        "SELECT id FROM batch JOIN plan ON plan.digest = batch.plan WHERE state > 0 AND body->>'$.is_test'",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(BatchId(small(row, "id")?))).collect()
}

pub(super) async fn by_id(connection: &mut SqliteConnection, id: BatchId) -> Work<Option<Batch>> {
    let row =
        sqlx::query("SELECT * FROM batch WHERE id = ?1 AND state > 0").bind(id.0).fetch_optional(connection).await?;
    row.as_ref().map(batch).transpose()
}

pub(super) async fn named(connection: &mut SqliteConnection, name: &str) -> Work<Option<Batch>> {
    let row =
        sqlx::query("SELECT * FROM batch WHERE name = ?1 AND state > 0").bind(name).fetch_optional(connection).await?;
    row.as_ref().map(batch).transpose()
}

fn batch(row: &SqliteRow) -> Work<Batch> {
    let ids: String = row.try_get("audience_ids")?;
    let ids: Vec<u32> = serde_json::from_str(&ids)
        .map_err(|_| Error::InvalidRow { what: ids.clone(), place: "batch.audience_ids".to_owned() })?;
    Ok(Batch {
        id: BatchId(small(row, "id")?),
        tag: Tag::from_random(row.try_get::<i64, _>("tag")?.cast_unsigned()),
        state: decoded(row, "state", BatchState::from_code)?,
        origin: maybe_json(row, "state_origin")?,
        name: row.try_get("name")?,
        edition: small(row, "edition")?,
        audience: row.try_get("audience")?,
        audience_ids: ids.into_iter().map(AudienceId).collect(),
        messages: small(row, "messages")?,
        starts_at: maybe_timestamp(row, "starts_at")?,
        open_until: maybe_timestamp(row, "open_until")?,
        created_at: timestamp(row, "created_at")?,
        started_at: maybe_timestamp(row, "started_at")?,
        texts_final_at: maybe_timestamp(row, "texts_final_at")?,
        cancelled_at: maybe_timestamp(row, "cancelled_at")?,
        finished_at: maybe_timestamp(row, "finished_at")?,
        settled_at: maybe_timestamp(row, "settled_at")?,
        purged_at: maybe_timestamp(row, "purged_at")?,
        restored_from: maybe_timestamp(row, "restored_from")?,
        pace: (row.try_get("pace")?, timestamp(row, "pace_at")?),
    })
}

/// Notes which batch a hidden batch sends again.
pub(super) async fn note_repetition(connection: &mut SqliteConnection, batch: BatchId, of: BatchId) -> Work<()> {
    sqlx::query("UPDATE batch SET repeats = ?2 WHERE id = ?1").bind(batch.0).bind(of.0).execute(connection).await?;
    Ok(())
}

pub(super) const REPETITIONS: &str = "SELECT * FROM batch WHERE repeats = ?1 AND state > 0 ORDER BY id DESC LIMIT ?2";

pub(super) async fn repetitions(connection: &mut SqliteConnection, of: BatchId, limit: u32) -> Work<Repetitions> {
    let origin = sqlx::query("SELECT * FROM batch WHERE id = (SELECT repeats FROM batch WHERE id = ?1) AND state > 0")
        .bind(of.0)
        .fetch_optional(&mut *connection)
        .await?;
    let later = sqlx::query(REPETITIONS).bind(of.0).bind(limit).fetch_all(connection).await?;
    Ok(Repetitions {
        origin: origin.as_ref().map(batch).transpose()?,
        later: later.iter().map(batch).collect::<Work<_>>()?,
    })
}

fn ids(batches: &[BatchId]) -> String {
    json_list(batches.iter().map(|batch| i64::from(batch.0)))
}

pub(super) async fn plans(connection: &mut SqliteConnection, batches: Vec<BatchId>) -> Work<BTreeMap<BatchId, Plan>> {
    let rows = sqlx::query(
        "SELECT batch.id, plan.body FROM json_each(?1) wanted JOIN batch ON batch.id = wanted.value
         JOIN plan ON plan.digest = batch.plan",
    );
    let rows = rows.bind(ids(&batches)).fetch_all(connection).await?;
    let plan = |row: &SqliteRow| {
        let batch = BatchId(small(row, "id")?);
        Ok((batch, read_plan(row, batch)?))
    };
    rows.iter().map(plan).collect()
}

pub(super) async fn plan(connection: &mut SqliteConnection, batch: BatchId) -> Work<Option<Plan>> {
    let row = sqlx::query("SELECT body FROM plan WHERE digest = (SELECT plan FROM batch WHERE id = ?1)")
        .bind(batch.0)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    read_plan(&row, batch).map(Some)
}

pub(super) fn read_plan(row: &SqliteRow, batch: BatchId) -> Work<Plan> {
    let body: String = row.try_get("body")?;
    let nonsense = |error: serde_json::Error| Error::InvalidRow {
        what: error.to_string(),
        place: format!("the plan of batch {batch}"),
    };
    serde_json::from_str(&body).map_err(|error| nonsense(error).into())
}

pub(super) async fn tallies(connection: &mut SqliteConnection, batch: BatchId) -> Work<Tallies> {
    let rows = sqlx::query("SELECT step, count, sum(n) AS n FROM tally WHERE batch = ?1 GROUP BY step, count")
        .bind(batch.0)
        .fetch_all(connection)
        .await?;
    let mut tallies = Tallies::default();
    for row in &rows {
        tallies.add(step(row, "step")?, decoded(row, "count", Count::from_code)?, row.try_get("n")?);
    }
    Ok(tallies)
}

pub(super) async fn tallies_of(
    connection: &mut SqliteConnection,
    batches: Vec<BatchId>,
) -> Work<BTreeMap<BatchId, Tallies>> {
    let rows = sqlx::query(
        "SELECT batch, step, count, sum(n) AS n FROM tally WHERE batch IN (SELECT value FROM json_each(?1))
         GROUP BY batch, step, count",
    );
    let mut all = BTreeMap::<BatchId, Tallies>::new();
    for row in &rows.bind(ids(&batches)).fetch_all(connection).await? {
        let tallies = all.entry(BatchId(small(row, "batch")?)).or_default();
        tallies.add(step(row, "step")?, decoded(row, "count", Count::from_code)?, row.try_get("n")?);
    }
    Ok(all)
}

pub(super) async fn move_on(
    connection: &mut SqliteConnection,
    batch: BatchId,
    from: Vec<BatchState>,
    to: BatchState,
    origin: Option<Origin>,
    now: Timestamp,
) -> Work<Option<u64>> {
    let found =
        sqlx::query("SELECT name, state FROM batch WHERE id = ?1 AND state IN (SELECT value FROM json_each(?2))")
            .bind(batch.0)
            .bind(json_list(from.iter().map(|state| i64::from(state.code()))))
            .fetch_optional(&mut *connection)
            .await?;
    let Some(found) = found else { return Ok(None) };
    // Each time is set once, when the batch first enters the state: resuming is no new start. A cancelled batch stays
    // cancelled; moving it from cancelled to cancelled sets the time at which its last message got its outcome. A restored
    // batch is paused or a draft until an operator has confirmed to send it.
    sqlx::query(
        "UPDATE batch SET state = ?2, state_origin = coalesce(?3, state_origin),
                started_at = iif(?2 = ?5, coalesce(started_at, ?4), started_at),
                cancelled_at = iif(?2 = ?9, coalesce(cancelled_at, ?4), cancelled_at),
                finished_at = iif(?2 IN (?6, ?7), coalesce(finished_at, ?4), finished_at),
                settled_at = iif(?2 = ?7 OR (?2 = ?8 AND state = ?8), coalesce(settled_at, ?4), settled_at),
                restored_from = iif(?2 IN (?5, ?10), NULL, restored_from)
         WHERE id = ?1",
    )
    .bind(batch.0)
    .bind(to.code())
    .bind(origin.as_ref().map(to_json))
    .bind(now.millis())
    .bind(BatchState::Running.code())
    .bind(BatchState::Finished.code())
    .bind(BatchState::Settled.code())
    .bind(BatchState::Cancelled.code())
    .bind(BatchState::Cancelling.code())
    .bind(BatchState::Scheduled.code())
    .execute(&mut *connection)
    .await?;
    let (name, was): (Option<String>, _) = (found.try_get("name")?, decoded(&found, "state", BatchState::from_code)?);
    let subject = Subject::campaign(batch, name.as_deref());
    let event = Event::moved(now, subject, origin.unwrap_or(Origin::SERVER), was, to);
    nodes::record_event(connection, event).await?;
    bump(connection).await.map(Some)
}
