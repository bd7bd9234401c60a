//! Marks a copy of the database as one, in the `user_version` of its header, which nothing else uses; and what was not over
//! in it, once it is restored.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::rows::{json_list, timestamp};
use super::{Work, open_error};
use crate::base::domain::{BatchState, Timestamp};
use crate::store::{Restore, Result};

/// The mark is a signed number of 32 bits, so it counts minutes.
const MINUTE_MS: i64 = 60_000;

/// Marks a copy that no other process uses yet, unless it is a copy of a copy.
pub(super) async fn mark(copy: &Path, now: Timestamp) -> Result<()> {
    let place = copy.display().to_string();
    let failed = |source| open_error(&place, source);
    // Without files beside the copy, which would be left over.
    let options = SqliteConnectOptions::new().filename(copy).journal_mode(SqliteJournalMode::Memory);
    let mut connection = options.disable_statement_logging().connect().await.map_err(failed)?;
    if minutes(&mut connection).await.map_err(failed)? == 0 {
        let statement = format!("PRAGMA user_version = {}", now.millis() / MINUTE_MS);
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)
}

async fn minutes(connection: &mut SqliteConnection) -> std::result::Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT user_version FROM pragma_user_version").fetch_one(connection).await
}

pub(super) async fn copied_at(connection: &mut SqliteConnection) -> Work<Option<Timestamp>> {
    let minutes = minutes(connection).await?;
    Ok((minutes != 0).then(|| Timestamp::from_millis(minutes * MINUTE_MS)))
}

/// Marks every batch that is not over, and notes the restore.
pub(super) async fn mark_restored(connection: &mut SqliteConnection, restore: Restore) -> Work<()> {
    let open = BatchState::OPEN.into_iter().chain([BatchState::Finished]);
    // A mark of an earlier restore stays: even less is known of what was sent.
    sqlx::query(
        "UPDATE batch SET restored_from = coalesce(restored_from, ?1) WHERE state IN (SELECT value FROM json_each(?2))",
    )
    .bind(restore.copied_at.millis())
    .bind(json_list(open.map(|state| i64::from(state.code()))))
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT OR REPLACE INTO restore (id, copied_at, accepted_at) VALUES (0, ?1, ?2)")
        .bind(restore.copied_at.millis())
        .bind(restore.accepted_at.millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn last_restore(connection: &mut SqliteConnection) -> Work<Option<Restore>> {
    let row = sqlx::query("SELECT copied_at, accepted_at FROM restore").fetch_optional(connection).await?;
    let restore = |row: &SqliteRow| {
        Ok(Restore { copied_at: timestamp(row, "copied_at")?, accepted_at: timestamp(row, "accepted_at")? })
    };
    row.as_ref().map(restore).transpose()
}

/// Accepts a copy. Closes every open batch for good: another database may have added messages to it since, and a message
/// that joined it here would have the id of one of those.
pub(super) async fn accept(connection: &mut SqliteConnection) -> Work<()> {
    sqlx::query(CLOSE).execute(&mut *connection).await?;
    sqlx::query("PRAGMA user_version = 0").execute(connection).await?;
    Ok(())
}

/// A batch whose time to join ended with its creation is closed by every clock.
const CLOSE: &str = "UPDATE batch SET open_until = created_at WHERE open_until > created_at";
