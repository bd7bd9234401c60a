//! Stores batches: their messages are created in pieces, then published at once; later their state changes.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::audiences::REMOVED_AT_ONCE;
use super::messages::{Moves, count, number};
use super::rows::{decoded, json_list, maybe_json, maybe_timestamp, small, step, timestamp, to_json};
use super::{Error, Work, nodes};
use crate::domain::{
    AudienceId, BatchId, BatchState, Count, LaneId, Marks, Msisdn, Outcome, Plan, Present, SkipReason, State,
    StepIndex, Tag, Tallies, Timestamp,
};
use crate::events::{Event, EventKind, Origin, Subject};
use crate::store::{Batch, NewBatch, PieceOfMessages, Start};

pub(super) async fn begin(connection: &mut SqliteConnection, new: NewBatch) -> Work<BatchId> {
    if let Some(name) = &new.name {
        check_name_is_free(connection, name).await?;
    }
    check_audiences(connection, &new.audience_ids).await?;
    let digest = store_plan(connection, &new.plan).await?;
    let row = sqlx::query(
        "INSERT INTO batch
            (tag, plan, state, name, audience, audience_ids, starts_at, created_at, touched_at, ends_at, open_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10) RETURNING id",
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
    .fetch_one(connection)
    .await?;
    Ok(BatchId(small(&row, "id")?))
}

/// Stores a plan, once, and returns its key: the digest of its JSON.
pub(super) async fn store_plan(connection: &mut SqliteConnection, plan: &Plan) -> Work<Vec<u8>> {
    let body = serde_json::to_string(plan)
        .map_err(|error| Error::InvalidRow { what: error.to_string(), place: "the plan".into() })?;
    let digest = Sha256::digest(&body).to_vec();
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

/// Creates the messages of one piece of an audience. Returns how many.
///
/// - A recipient who is excluded, has opted out, or to whom no step applies also gets a message, with the outcome
///   skipped: totals add up to the audience.
/// - A recipient who is left out gets none and leaves a gap in the numbering.
pub(super) async fn spread(connection: &mut SqliteConnection, spread: PieceOfMessages) -> Work<u32> {
    let piece = (spread.batch, spread.base.saturating_add(spread.from), spread.base.saturating_add(spread.until));
    let before = tallies_of_piece(connection, &spread.start, piece, -1).await?;
    // Each row looks up the start of its country; countries without one of their own use the default start. `LIMIT -1`
    // limits nothing: it keeps SQLite from computing the skip reason again for each column that uses it.
    sqlx::query(
        "WITH start (country, step, marks, lane, lanes, places, not_before, due, skipped) AS MATERIALIZED
            (SELECT value->>0, value->>1, value->>2, iif(length(value->>4) = 1, value->>'$[3][0]', NULL), value->>3,
                    value->>4, value->>5, value->>6, value->>7
             FROM json_each(?6))
         INSERT INTO message
            (batch, n, audience, recipient, msisdn, country, state, step, lane, not_before, due, at, outcome, skipped,
             marks)
         SELECT ?1, ?5 + r.n, r.audience, r.n, r.msisdn, r.country, iif(skip IS NULL, 0, 3), r.step,
                coalesce(r.lane, r.lanes->>(unicode(substr(r.places, r.msisdn % length(r.places) + 1, 1)) - 65)),
                r.not_before + later,
                iif(skip IS NULL, r.due + later, NULL), iif(skip IS NULL, NULL, ?8),
                iif(skip IS NULL, NULL, ?10), skip, r.marks
         FROM (SELECT recipient.*, start.step, start.lane, start.lanes, start.places, start.not_before, start.due, start.marks,
                      (?5 + n) * ?7 / ?14 AS later,
                      CASE WHEN n IN (SELECT value FROM json_each(?9)) THEN ?12
                           WHEN EXISTS (SELECT 1 FROM opt_out o WHERE o.msisdn = recipient.msisdn) THEN ?11
                           ELSE start.skipped END AS skip
               FROM recipient JOIN start ON start.country =
                    iif(recipient.country IN (SELECT country FROM start), recipient.country, '')
               WHERE audience = ?2 AND n >= ?3 AND n < ?4
                 AND n NOT IN (SELECT value FROM json_each(?13)) AND recipient.msisdn <> ?15 LIMIT -1) r
         WHERE true ON CONFLICT DO NOTHING",
    )
    .bind(spread.batch.0)
    .bind(spread.audience.0)
    .bind(spread.from)
    .bind(spread.until)
    .bind(spread.base)
    .bind(starts(&spread))
    .bind(spread.over.map_or(0, |over| over.span.millis()))
    .bind(spread.now.millis())
    .bind(json_list(spread.excluded.iter().copied().map(i64::from)))
    .bind(Outcome::Skipped.code())
    .bind(SkipReason::OptedOut.code())
    .bind(SkipReason::Excluded.code())
    .bind(json_list(spread.left_out.iter().copied().map(i64::from)))
    .bind(spread.over.map_or(1, |over| over.messages.max(1)))
    .bind(number(Msisdn::ERASED))
    .execute(&mut *connection)
    .await?;
    let mut created = tallies_of_piece(connection, &spread.start, piece, 1).await?;
    created.merge(&before);
    let all = created.total(Count::Queued) + created.done();
    count(connection, &Moves::from([(spread.batch, created)])).await?;
    let touched =
        sqlx::query("UPDATE batch SET messages = messages + ?2, touched_at = ?3 WHERE id = ?1 AND touched_at >= 0")
            .bind(spread.batch.0)
            .bind(all)
            .bind(spread.now.millis())
            .execute(connection)
            .await?
            .rows_affected();
    if touched == 0 {
        return Err(gone(spread.batch).into());
    }
    Ok(u32::try_from(all).unwrap_or(u32::MAX))
}

/// The starts of messages as JSON: a line for each country that starts differently, and one without a name for all
/// others.
fn starts(spread: &PieceOfMessages) -> String {
    let line = |country: &str, start: &Start| {
        let skipped = start.skipped.map(SkipReason::code);
        let gives_up = start.gives_up.map(Timestamp::millis);
        let not_before = start.not_before.millis();
        let (step, marks, (lanes, slots)) = (start.step.get(), start.marks.bits(), lettered(&start.lanes));
        serde_json::json!([country, step, marks, lanes, slots, not_before, gives_up, skipped])
    };
    let others = std::iter::once(line("", &spread.start));
    let named = spread.elsewhere.iter().map(|(country, start)| line(country.as_str(), start));
    serde_json::Value::from_iter(others.chain(named)).to_string()
}

/// Encodes the slots of a pool: the distinct lanes, and for each slot a letter that names its lane. Each row looks up
/// its slot, so the text is kept short.
fn lettered(slots: &[LaneId]) -> (Vec<u32>, String) {
    let mut lanes = Vec::new();
    let letter = |lane: &LaneId| {
        let at = lanes.iter().position(|known| *known == lane.0).unwrap_or_else(|| {
            lanes.push(lane.0);
            lanes.len() - 1
        });
        // No pool has more lanes than there are characters from `A` on.
        char::from(b'A' + u8::try_from(at).unwrap_or_default())
    };
    let letters = slots.iter().map(letter).collect();
    (lanes, letters)
}

/// Returns the counters of one piece of a batch, multiplied by `times`.
///
/// - `spread` subtracts the counters before its insert from those after it. Counting along the key is much cheaper than
///   reading every row.
/// - Until the batch is published, its messages do not change, so a few columns determine the counters.
/// - Messages with the start `most` are counted separately: grouping 5,000 rows took a quarter of a launch.
async fn tallies_of_piece(
    connection: &mut SqliteConnection,
    most: &Start,
    (batch, from, until): (BatchId, u32, u32),
    times: i64,
) -> Work<Tallies> {
    let rows = sqlx::query(
        "SELECT ?4 AS step, ?5 AS marks, NULL AS skipped, count(*) AS n FROM message
         WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND skipped IS NULL AND step = ?4 AND marks = ?5
         UNION ALL
         SELECT step, marks, skipped, count(*) AS n FROM message
         WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND NOT (skipped IS NULL AND step = ?4 AND marks = ?5)
         GROUP BY step, marks, skipped",
    )
    .bind(batch.0)
    .bind(from)
    .bind(until)
    .bind(most.step.get())
    .bind(most.marks.bits())
    .fetch_all(connection)
    .await?;
    let mut tallies = Tallies::default();
    for row in &rows {
        let queued = Present::queued(Timestamp::default(), None);
        let state = match row.try_get::<Option<u8>, _>("skipped")? {
            None => queued.state,
            Some(_) => State::Done {
                outcome: Outcome::Skipped,
                skipped: Some(decoded(row, "skipped", SkipReason::from_code)?),
                at: Timestamp::default(),
            },
        };
        let marks = Marks::from_bits(row.try_get("marks")?);
        let present = Present { state, step: step(row, "step")?, marks, ..queued };
        tallies.weigh(usize::from(StepIndex::COUNT_MAX), &present, times * row.try_get::<i64, _>("n")?);
    }
    Ok(tallies)
}

fn gone(batch: BatchId) -> Error {
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

/// Removes one piece of a batch that was never published. Returns whether the batch is gone.
pub(super) async fn remove_piece(connection: &mut SqliteConnection, batch: BatchId) -> Work<bool> {
    let removed =
        sqlx::query("DELETE FROM message WHERE batch = ?1 AND n IN (SELECT n FROM message WHERE batch = ?1 LIMIT ?2)")
            .bind(batch.0)
            .bind(REMOVED_AT_ONCE)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    if removed >= u64::from(REMOVED_AT_ONCE) {
        return Ok(false);
    }
    sqlx::query("DELETE FROM tally WHERE batch = ?1").bind(batch.0).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM batch WHERE id = ?1 AND state = 0").bind(batch.0).execute(connection).await?;
    Ok(true)
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
        cancelled_at: maybe_timestamp(row, "cancelled_at")?,
        finished_at: maybe_timestamp(row, "finished_at")?,
        settled_at: maybe_timestamp(row, "settled_at")?,
        purged_at: maybe_timestamp(row, "purged_at")?,
        pace: (row.try_get("pace")?, timestamp(row, "pace_at")?),
    })
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
    // cancelled; moving it from cancelled to cancelled sets the time at which its last message got its outcome.
    sqlx::query(
        "UPDATE batch SET state = ?2, state_origin = coalesce(?3, state_origin),
                started_at = iif(?2 = ?5, coalesce(started_at, ?4), started_at),
                cancelled_at = iif(?2 = ?9, coalesce(cancelled_at, ?4), cancelled_at),
                finished_at = iif(?2 IN (?6, ?7), coalesce(finished_at, ?4), finished_at),
                settled_at = iif(?2 = ?7 OR (?2 = ?8 AND state = ?8), coalesce(settled_at, ?4), settled_at)
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
    .execute(&mut *connection)
    .await?;
    let (name, was): (Option<String>, _) = (found.try_get("name")?, decoded(&found, "state", BatchState::from_code)?);
    let subject = Subject::campaign(batch, name.as_deref());
    let event = Event::moved(now, subject, origin.unwrap_or(Origin::SERVER), was, to);
    nodes::record_event(connection, event).await?;
    bump(connection).await.map(Some)
}
