//! Stores links to reports.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::api_keys::digest;
use super::rows::{small, timestamp};
use crate::base::domain::{BatchId, Timestamp};
use crate::store::{SecretDigest, SharedReport};

pub(super) const FIND: &str = "SELECT * FROM shared_report WHERE secret = ?1";
pub(super) const LIST: &str =
    "SELECT * FROM shared_report WHERE batch = ?1 AND expires_at > ?2 ORDER BY made_at DESC LIMIT ?3";
pub(super) const FORGET: &str =
    "DELETE FROM shared_report WHERE secret IN (SELECT secret FROM shared_report WHERE expires_at < ?1 LIMIT 500)";

pub(super) const SHARE: &str = "INSERT INTO shared_report (secret, batch, made_by, made_at, expires_at)
     SELECT ?1, ?2, name, ?4, ?5 FROM operator WHERE name = ?3 AND disabled_at IS NULL
         AND (SELECT count(*) FROM shared_report WHERE batch = ?2 AND expires_at > ?4) < ?6";
pub(super) const END_ALL: &str = "DELETE FROM shared_report WHERE made_by = ?1";

pub(super) async fn share(connection: &mut SqliteConnection, shared: SharedReport, most: u32) -> Work<bool> {
    let made = sqlx::query(SHARE)
        .bind(&shared.secret.0[..])
        .bind(shared.batch.0)
        .bind(&shared.made_by)
        .bind(shared.made_at.millis())
        .bind(shared.expires_at.millis())
        .bind(most)
        .execute(connection)
        .await?;
    Ok(made.rows_affected() > 0)
}

/// Ends the links of an operator, in the transaction that disables the operator.
pub(super) async fn end_all(connection: &mut SqliteConnection, operator: &str) -> Work<()> {
    sqlx::query(END_ALL).bind(operator).execute(connection).await?;
    Ok(())
}

pub(super) async fn find(connection: &mut SqliteConnection, secret: SecretDigest) -> Work<Option<SharedReport>> {
    let row = sqlx::query(FIND).bind(&secret.0[..]).fetch_optional(connection).await?;
    row.as_ref().map(shared_report).transpose()
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    batch: BatchId,
    now: Timestamp,
    limit: u32,
) -> Work<Vec<SharedReport>> {
    let rows = sqlx::query(LIST).bind(batch.0).bind(now.millis()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(shared_report).collect()
}

pub(super) async fn end(connection: &mut SqliteConnection, batch: BatchId, secret: SecretDigest) -> Work<bool> {
    let ended = sqlx::query("DELETE FROM shared_report WHERE secret = ?1 AND batch = ?2");
    Ok(ended.bind(&secret.0[..]).bind(batch.0).execute(connection).await?.rows_affected() > 0)
}

/// Removes some of the links that expired before then; returns how many.
pub(super) async fn forget(connection: &mut SqliteConnection, before: Timestamp) -> Work<u64> {
    Ok(sqlx::query(FORGET).bind(before.millis()).execute(connection).await?.rows_affected())
}

fn shared_report(row: &SqliteRow) -> Work<SharedReport> {
    Ok(SharedReport {
        secret: digest(row, "secret")?,
        batch: BatchId(small(row, "batch")?),
        made_by: row.try_get("made_by")?,
        made_at: timestamp(row, "made_at")?,
        expires_at: timestamp(row, "expires_at")?,
    })
}
