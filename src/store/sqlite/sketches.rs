//! Stores campaigns that operators are writing.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{small, timestamp};
use crate::base::domain::{SketchId, Timestamp};
use crate::store::Sketch;

pub(super) const LIST: &str = "SELECT * FROM sketch WHERE changed_at <= ?1 AND (changed_at < ?1 OR id < ?2)
     ORDER BY changed_at DESC, id DESC LIMIT ?3";
pub(super) const FORGET: &str =
    "DELETE FROM sketch WHERE id IN (SELECT id FROM sketch WHERE changed_at < ?1 LIMIT 500)";

pub(super) async fn create(connection: &mut SqliteConnection, sketch: Sketch) -> Work<()> {
    sqlx::query(
        "INSERT INTO sketch (id, campaign, version, created_at, changed_at, changed_by, launch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(number(sketch.id))
    .bind(&sketch.campaign)
    .bind(sketch.version)
    .bind(sketch.created_at.millis())
    .bind(sketch.changed_at.millis())
    .bind(&sketch.changed_by)
    .bind(&sketch.launch)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn find(connection: &mut SqliteConnection, id: SketchId) -> Work<Option<Sketch>> {
    let found = sqlx::query("SELECT * FROM sketch WHERE id = ?1").bind(number(id)).fetch_optional(connection).await?;
    found.as_ref().map(sketch).transpose()
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    before: Option<(Timestamp, SketchId)>,
    limit: u32,
) -> Work<Vec<Sketch>> {
    let (at, id) = before.map_or((i64::MAX, i64::MAX), |(at, id)| (at.millis(), number(id)));
    let rows = sqlx::query(LIST).bind(at).bind(id).bind(limit).fetch_all(connection).await?;
    rows.iter().map(sketch).collect()
}

pub(super) async fn change(connection: &mut SqliteConnection, sketch: Sketch) -> Work<bool> {
    let changed = sqlx::query(
        "UPDATE sketch SET campaign = ?2, version = ?3, changed_at = ?4, changed_by = ?5, launch = ?6
         WHERE id = ?1 AND version = ?3 - 1",
    )
    .bind(number(sketch.id))
    .bind(&sketch.campaign)
    .bind(sketch.version)
    .bind(sketch.changed_at.millis())
    .bind(&sketch.changed_by)
    .bind(&sketch.launch)
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() > 0)
}

pub(super) async fn remove(connection: &mut SqliteConnection, id: SketchId) -> Work<bool> {
    let removed = sqlx::query("DELETE FROM sketch WHERE id = ?1").bind(number(id)).execute(connection).await?;
    Ok(removed.rows_affected() > 0)
}

/// Removes some of the sketches that were last changed before then; returns how many.
pub(super) async fn forget(connection: &mut SqliteConnection, before: Timestamp) -> Work<u64> {
    Ok(sqlx::query(FORGET).bind(before.millis()).execute(connection).await?.rows_affected())
}

fn number(id: SketchId) -> i64 {
    id.get().cast_signed()
}

fn sketch(row: &SqliteRow) -> Work<Sketch> {
    Ok(Sketch {
        id: SketchId::new(row.try_get::<i64, _>("id")?.cast_unsigned()),
        campaign: row.try_get("campaign")?,
        version: small(row, "version")?,
        created_at: timestamp(row, "created_at")?,
        changed_at: timestamp(row, "changed_at")?,
        changed_by: row.try_get("changed_by")?,
        launch: row.try_get("launch")?,
    })
}
