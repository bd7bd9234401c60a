//! Starts and removes drafts: campaigns of which nothing was sent.

use sqlx::{Row, SqliteConnection};

use super::{Work, batches, figures, nodes};
use crate::base::domain::{BatchId, BatchState, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};

/// Hides a draft and frees its name, so that its messages can be removed piece by piece. Returns whether it was one.
///
/// A hidden draft looks like a launch that did not complete, so an interrupted removal is completed by the next sweep.
pub(super) async fn hide(
    connection: &mut SqliteConnection,
    batch: BatchId,
    origin: Origin,
    now: Timestamp,
) -> Work<bool> {
    let found = sqlx::query("SELECT name FROM batch WHERE id = ?1 AND state = ?2")
        .bind(batch.0)
        .bind(BatchState::Draft.code())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(found) = found else { return Ok(false) };
    let name: Option<String> = found.try_get("name")?;
    sqlx::query("UPDATE batch SET state = ?2, touched_at = -1 WHERE id = ?1")
        .bind(batch.0)
        .bind(BatchState::Launching.code())
        .execute(&mut *connection)
        .await?;
    for text in ["DELETE FROM edition WHERE batch = ?1", "DELETE FROM step_hold WHERE batch = ?1"] {
        sqlx::query(text).bind(batch.0).execute(&mut *connection).await?;
    }
    figures::forget_all(connection, batch).await?;
    let subject = Subject::campaign(batch, name.as_deref());
    nodes::record_event(connection, Event { at: now, subject, origin, kind: EventKind::Deleted }).await?;
    batches::bump(connection).await?;
    Ok(true)
}

/// The name of a draft that still has this edition, or that it has none; `None` if it is no such draft.
async fn name(connection: &mut SqliteConnection, (batch, edition): (BatchId, u32)) -> Work<Option<Option<String>>> {
    let found = sqlx::query("SELECT name FROM batch WHERE id = ?1 AND edition = ?2 AND state = ?3")
        .bind(batch.0)
        .bind(edition)
        .bind(BatchState::Draft.code())
        .fetch_optional(&mut *connection)
        .await?;
    Ok(found.map(|row| row.try_get("name")).transpose()?)
}

/// Records that an operator refused a draft, unless it has another edition by now.
pub(super) async fn refuse(
    connection: &mut SqliteConnection,
    draft: (BatchId, u32),
    origin: Origin,
    now: Timestamp,
) -> Work<Option<u64>> {
    let Some(name) = name(connection, draft).await? else { return Ok(None) };
    let subject = Subject::campaign(draft.0, name.as_deref());
    nodes::record_event(connection, Event { at: now, subject, origin, kind: EventKind::Refused }).await?;
    Ok(Some(batches::bump(connection).await?))
}

/// Starts a draft, unless it has another edition by now.
pub(super) async fn start(
    connection: &mut SqliteConnection,
    (batch, edition): (BatchId, u32),
    to: BatchState,
    origin: Origin,
    now: Timestamp,
) -> Work<Option<u64>> {
    if name(connection, (batch, edition)).await?.is_none() {
        return Ok(None);
    }
    batches::move_on(connection, batch, vec![BatchState::Draft], to, Some(origin), now).await
}
