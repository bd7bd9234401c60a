//! Rebuilds the sieves (Bloom filters) of stored pieces when an audience grows or a recipient is erased.

use std::ops::Range;

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::messages::number;
use super::rows::{msisdn, small};
use crate::domain::{AudienceId, Msisdn};
use crate::store::sieve;

/// The most recipients of a piece that has grown: about as many as an import puts into one.
const PIECE_MAX: u32 = 4_096;
/// How many of the last pieces are considered for a merge.
///
/// A growing piece is merged with the one before it if that is no larger. So each small piece is larger than the next,
/// and most are much larger.
const GROWING_MAX: u32 = PIECE_MAX.ilog2() + 1;

/// Adds the recipients with the numbers `new` to the sieves. The cost is bounded: a recipient is read again only when its
/// piece has doubled.
pub(super) async fn append(connection: &mut SqliteConnection, audience: AudienceId, new: Range<u32>) -> Work<()> {
    if new.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query("SELECT first FROM sieve WHERE audience = ?1 ORDER BY first DESC LIMIT ?2")
        .bind(audience.0)
        .bind(GROWING_MAX)
        .fetch_all(&mut *connection)
        .await?;
    let mut first = new.start;
    for row in &rows {
        let before: u32 = small(row, "first")?;
        if first - before > new.end - first || new.end - before > PIECE_MAX {
            break;
        }
        first = before;
    }
    // The merged pieces.
    sqlx::query("DELETE FROM sieve WHERE audience = ?1 AND first > ?2")
        .bind(audience.0)
        .bind(first)
        .execute(&mut *connection)
        .await?;
    build(connection, audience, i64::from(first)..i64::from(new.end)).await
}

/// Rebuilds the sieve of the piece with recipient `n`, who has changed.
pub(super) async fn rebuild(connection: &mut SqliteConnection, audience: AudienceId, n: u32) -> Work<()> {
    let row = sqlx::query(
        "SELECT max(first) AS first, coalesce((SELECT min(first) FROM sieve WHERE audience = ?1 AND first > ?2),
             4294967296) AS until FROM sieve WHERE audience = ?1 AND first <= ?2",
    );
    let row = row.bind(audience.0).bind(n).fetch_one(&mut *connection).await?;
    let Some(first) = row.try_get::<Option<i64>, _>("first")? else { return Ok(()) };
    build(connection, audience, first..row.try_get("until")?).await
}

/// Builds the sieve of the piece with these numbers, and replaces the piece's earlier one.
async fn build(connection: &mut SqliteConnection, audience: AudienceId, piece: Range<i64>) -> Work<()> {
    let rows = sqlx::query(
        "SELECT msisdn, client_message_id FROM recipient WHERE audience = ?1 AND n >= ?2 AND n < ?3 AND msisdn <> ?4",
    );
    let rows = rows.bind(audience.0).bind(piece.start).bind(piece.end).bind(number(Msisdn::ERASED));
    let (mut numbers, mut ids) = (Vec::new(), Vec::new());
    for row in rows.fetch_all(&mut *connection).await? {
        numbers.push(msisdn(&row, "msisdn")?);
        ids.extend(row.try_get::<Option<String>, _>("client_message_id")?);
    }
    sqlx::query(
        "INSERT INTO sieve (audience, first, bits) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bits = excluded.bits",
    )
    .bind(audience.0)
    .bind(piece.start)
    .bind(sieve::of(&numbers, ids.iter().map(String::as_str)))
    .execute(connection)
    .await?;
    Ok(())
}
