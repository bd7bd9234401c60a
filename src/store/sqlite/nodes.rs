//! Running servers, the decisions they have noted, and what is told about them.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{maybe_moment, moment, small};
use crate::domain::Timestamp;
use crate::store::{Beat, Event, Node};

pub(super) async fn start(connection: &mut SqliteConnection, now: Timestamp) -> Work<(i64, Option<Timestamp>)> {
    let row = sqlx::query("SELECT max(listening_until) AS until FROM node").fetch_one(&mut *connection).await?;
    let listened_until = maybe_moment(&row, "until")?;
    // Only the newest few are of interest; the watermark is taken over by the new row.
    sqlx::query("DELETE FROM node").execute(&mut *connection).await?;
    let row = sqlx::query(
        "INSERT INTO node (started_at, seen_at, noted_seq, listening_until)
         VALUES (?1, ?1, 0, coalesce(?2, ?1)) RETURNING id",
    )
    .bind(now.millis())
    .bind(listened_until.map(Timestamp::millis))
    .fetch_one(connection)
    .await?;
    Ok((row.try_get("id")?, listened_until))
}

pub(super) async fn beat(connection: &mut SqliteConnection, beat: Beat) -> Work<()> {
    sqlx::query("UPDATE node SET seen_at = ?2, listening_until = ?2, noted_seq = ?3 WHERE id = ?1")
        .bind(beat.node)
        .bind(beat.now.millis())
        .bind(beat.noted.cast_signed())
        .execute(&mut *connection)
        .await?;
    for (batch, pace) in beat.pace {
        // One row for each batch that is sending now: a handful.
        sqlx::query("UPDATE batch SET pace = ?2, pace_at = ?3 WHERE id = ?1")
            .bind(batch.0)
            .bind(pace)
            .bind(beat.now.millis())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn stop(connection: &mut SqliteConnection, node: i64, now: Timestamp) -> Work<()> {
    sqlx::query("UPDATE node SET stopped = 1, seen_at = ?2, listening_until = ?2 WHERE id = ?1")
        .bind(node)
        .bind(now.millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn keep_gap(
    connection: &mut SqliteConnection,
    from: Timestamp,
    until: Timestamp,
    forget: Timestamp,
) -> Work<()> {
    sqlx::query("DELETE FROM gap WHERE ends < ?1").bind(forget.millis()).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO gap (begins, ends) VALUES (?1, ?2)")
        .bind(from.millis())
        .bind(until.millis())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn gaps(connection: &mut SqliteConnection) -> Work<Vec<(Timestamp, Timestamp)>> {
    let rows = sqlx::query("SELECT begins, ends FROM gap ORDER BY ends, id").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((moment(row, "begins")?, moment(row, "ends")?))).collect()
}

pub(super) async fn live(connection: &mut SqliteConnection, since: Timestamp) -> Work<Vec<Node>> {
    let rows = sqlx::query("SELECT id, seen_at, noted_seq FROM node WHERE stopped = 0 AND seen_at >= ?1 ORDER BY id")
        .bind(since.millis())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Node { id: row.try_get("id")?, seen_at: moment(row, "seen_at")?, noted: small(row, "noted_seq")? })
        })
        .collect()
}

pub(super) async fn seq(connection: &mut SqliteConnection) -> Work<u64> {
    small(&sqlx::query("SELECT seq FROM control").fetch_one(connection).await?, "seq")
}

pub(super) async fn note(connection: &mut SqliteConnection, event: Event) -> Work<()> {
    sqlx::query("INSERT INTO event (at, subject, text) VALUES (?1, ?2, ?3)")
        .bind(event.at.millis())
        .bind(event.subject)
        .bind(event.text)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn events(connection: &mut SqliteConnection, limit: u32) -> Work<Vec<Event>> {
    let rows = sqlx::query("SELECT * FROM (SELECT * FROM event ORDER BY id DESC LIMIT ?1) ORDER BY id")
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok(Event { at: moment(row, "at")?, subject: row.try_get("subject")?, text: row.try_get("text")? }))
        .collect()
}
