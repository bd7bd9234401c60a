//! Stores the figures of campaigns over time.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{for_values, json_of, small, timestamp};
use crate::base::domain::{BatchId, Timestamp};
use crate::store::BatchFigures;

pub(super) const OF: &str = "SELECT * FROM batch_figures WHERE batch = ?1 ORDER BY at";
pub(super) const FORGET: &str = "DELETE FROM batch_figures WHERE (batch, at) IN
     (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
pub(super) const FORGET_ALL: &str = "DELETE FROM batch_figures WHERE batch = ?1";

pub(super) async fn note(
    connection: &mut SqliteConnection,
    figures: Vec<BatchFigures>,
    forget: Vec<(BatchId, Timestamp)>,
) -> Work<()> {
    if !forget.is_empty() {
        let keys: Vec<(u32, i64)> = forget.iter().map(|(batch, at)| (batch.0, at.millis())).collect();
        sqlx::query(FORGET).bind(json_of(&keys, "batch_figures")?).execute(&mut *connection).await?;
    }
    let before =
        "INSERT OR REPLACE INTO batch_figures (batch, at, submitted, reached, ended, open, fell_back, allowed)";
    for_values(connection, before, "", 8, &figures, |query, noted| {
        query
            .bind(noted.batch.0)
            .bind(noted.at.millis())
            .bind(noted.submitted)
            .bind(noted.reached)
            .bind(noted.ended)
            .bind(noted.open)
            .bind(noted.fell_back)
            .bind(noted.allowed)
    })
    .await?;
    Ok(())
}

pub(super) async fn of(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<BatchFigures>> {
    let rows = sqlx::query(OF).bind(batch.0).fetch_all(connection).await?;
    rows.iter().map(figures).collect()
}

/// Forgets the figures of a batch, in the transaction that begins to remove it.
pub(super) async fn forget_all(connection: &mut SqliteConnection, batch: BatchId) -> Work<()> {
    sqlx::query(FORGET_ALL).bind(batch.0).execute(connection).await?;
    Ok(())
}

fn figures(row: &SqliteRow) -> Work<BatchFigures> {
    Ok(BatchFigures {
        batch: BatchId(small(row, "batch")?),
        at: timestamp(row, "at")?,
        submitted: row.try_get("submitted")?,
        reached: row.try_get("reached")?,
        ended: row.try_get("ended")?,
        open: row.try_get("open")?,
        fell_back: row.try_get("fell_back")?,
        allowed: row.try_get("allowed")?,
    })
}
