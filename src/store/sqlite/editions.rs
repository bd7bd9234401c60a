//! Changes the plans of launched batches and keeps their earlier editions.

use sqlx::{Row, SqliteConnection};

use super::batches::{self, bump, read_plan, store_plan};
use super::rows::{decoded, json_list, timestamp, to_json};
use super::{Work, nodes};
use crate::base::domain::{BatchId, BatchState, Queue, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::store::{Amendment, Edition, StepHeldBy};

pub(super) async fn amend(connection: &mut SqliteConnection, amendment: Amendment) -> Work<Option<u64>> {
    let Amendment { batch, edition, plan, starts_at, origin, changes, now } = amendment;
    let open = json_list(BatchState::OPEN.iter().map(|state| i64::from(state.code())));
    let found = sqlx::query(
        "SELECT name, plan FROM batch WHERE id = ?1 AND edition = ?2 AND state IN (SELECT value FROM json_each(?3))
           AND (ends_at IS NULL OR ends_at > ?4) AND (started_at IS NULL OR starts_at IS ?5)",
    )
    .bind(batch.0)
    .bind(edition)
    .bind(open)
    .bind(now.millis())
    .bind(starts_at.map(Timestamp::millis))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let digest = store_plan(connection, &plan).await?;
    let before = batches::plan(connection, batch).await?;
    if before.is_none_or(|before| before.hold_paid_when != plan.hold_paid_when) {
        // An operator's release of a step that a rule held does not apply to another rule.
        sqlx::query("DELETE FROM step_hold WHERE batch = ?1 AND held_by = ?2 AND released_at IS NOT NULL")
            .bind(batch.0)
            .bind(StepHeldBy::Rule as u8)
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("INSERT INTO edition (batch, n, plan, until) VALUES (?1, ?2, ?3, ?4)")
        .bind(batch.0)
        .bind(edition)
        .bind(found.try_get::<Vec<u8>, _>("plan")?)
        .bind(now.millis())
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE batch SET plan = ?2, ends_at = ?3, starts_at = ?4, edition = edition + 1 WHERE id = ?1")
        .bind(batch.0)
        .bind(digest)
        .bind(plan.end.map(Timestamp::millis))
        .bind(starts_at.map(Timestamp::millis))
        .execute(&mut *connection)
        .await?;
    let name: Option<String> = found.try_get("name")?;
    let subject = Subject::campaign(batch, name.as_deref());
    let event = Event { at: now, subject, origin, kind: EventKind::Changed { changes } };
    nodes::record_event(connection, event).await?;
    bump(connection).await.map(Some)
}

/// Changes a batch of which nothing has been claimed.
pub(super) async fn correct(
    connection: &mut SqliteConnection,
    amendment: Amendment,
    is_draft_again: bool,
) -> Work<Option<u64>> {
    let batch = amendment.batch;
    let untouched =
        sqlx::query("SELECT state FROM batch WHERE id = ?1 AND texts_final_at IS NULL AND restored_from IS NULL");
    let Some(found) = untouched.bind(batch.0).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let (now, by, was) = (amendment.now, amendment.origin.clone(), decoded(&found, "state", BatchState::from_code)?);
    let Some(seq) = amend(connection, amendment).await? else { return Ok(None) };
    if is_draft_again && was != BatchState::Draft {
        // One that waits for its hours has started, and starts again.
        let state = sqlx::query("UPDATE batch SET state = ?2, state_origin = ?3, started_at = NULL WHERE id = ?1");
        state.bind(batch.0).bind(BatchState::Draft.code()).bind(to_json(&by)).execute(&mut *connection).await?;
        let name: Option<String> = sqlx::query_scalar("SELECT name FROM batch WHERE id = ?1")
            .bind(batch.0)
            .fetch_one(&mut *connection)
            .await?;
        let subject = Subject::campaign(batch, name.as_deref());
        nodes::record_event(connection, Event::moved(now, subject, by, was, BatchState::Draft)).await?;
    }
    Ok(Some(seq))
}

pub(super) async fn editions(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<Edition>> {
    let rows =
        sqlx::query("SELECT body, until FROM edition JOIN plan ON digest = edition.plan WHERE batch = ?1 ORDER BY n")
            .bind(batch.0)
            .fetch_all(connection)
            .await?;
    let edition = |row| Ok(Edition { plan: read_plan(row, batch)?, until: timestamp(row, "until")? });
    rows.iter().map(edition).collect()
}

/// A message that has not begun gets its full `leave_within` from the earlier time on, unless it expires before.
pub(super) const BRING_FORWARD: &str = "UPDATE message
     SET not_before = ?2, version = version + 1, due = iif(due = not_before + ?6 OR due = expires AND first_submitted_at IS NULL AND tries = 0,
                   ifnull(min(due, ?2 + ?6), due), due)
     WHERE batch = ?1 AND n IN (SELECT m.n FROM message m INDEXED BY message_queue
         WHERE m.lane = ?3 AND m.batch = ?1 AND m.step = ?4 AND m.state = 0 AND m.not_before > ?2 LIMIT ?5)";

pub(super) async fn bring_forward(
    connection: &mut SqliteConnection,
    queue: Queue,
    to: Timestamp,
    leave_within: Option<Span>,
    limit: u32,
) -> Work<u32> {
    let brought = sqlx::query(BRING_FORWARD)
        .bind(queue.batch.0)
        .bind(to.millis())
        .bind(queue.lane.0)
        .bind(queue.step.get())
        .bind(limit)
        .bind(leave_within.map(Span::millis))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if brought > 0 {
        // Without a decision, lanes would not claim from the queue before the old time.
        bump(connection).await?;
    }
    Ok(u32::try_from(brought).unwrap_or(u32::MAX))
}
