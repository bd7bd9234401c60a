//! The sieves of pieces that are stored already: made anew as an audience grows, and as recipients are erased.

use std::ops::Range;

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::messages::number;
use super::rows::{msisdn, small};
use crate::domain::{AudienceId, Msisdn};
use crate::store::sieve;

/// Recipients of a piece that has grown, at most: some as many as an import puts into one.
const PIECE_MAX: u32 = 4_096;
/// A piece that grows is joined with the one before it where that is no larger. So each small
/// piece is larger than the next, and most are far larger. So many of the last are looked at.
const GROWING_MAX: u32 = PIECE_MAX.ilog2() + 1;

/// Recipients have been added at these places. What they cost is bounded: each recipient is sieved anew once for each time
/// that their piece doubles.
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
    sqlx::query("DELETE FROM sieve WHERE audience = ?1 AND first >= ?2")
        .bind(audience.0)
        .bind(first)
        .execute(&mut *connection)
        .await?;
    let bits = bits(connection, audience, i64::from(first)..i64::from(new.end)).await?;
    sqlx::query("INSERT INTO sieve (audience, first, bits) VALUES (?1, ?2, ?3)")
        .bind(audience.0)
        .bind(first)
        .bind(bits)
        .execute(connection)
        .await?;
    Ok(())
}

/// The recipient at this place is another one.
pub(super) async fn anew(connection: &mut SqliteConnection, audience: AudienceId, n: u32) -> Work<()> {
    let row = sqlx::query(
        "SELECT max(first) AS first, coalesce((SELECT min(first) FROM sieve WHERE audience = ?1 AND first > ?2),
             4294967296) AS until FROM sieve WHERE audience = ?1 AND first <= ?2",
    );
    let row = row.bind(audience.0).bind(n).fetch_one(&mut *connection).await?;
    let Some(first) = row.try_get::<Option<i64>, _>("first")? else { return Ok(()) };
    let bits = bits(connection, audience, first..row.try_get("until")?).await?;
    sqlx::query("UPDATE sieve SET bits = ?3 WHERE audience = ?1 AND first = ?2")
        .bind(audience.0)
        .bind(first)
        .bind(bits)
        .execute(connection)
        .await?;
    Ok(())
}

/// The sieve of those who are at these places.
async fn bits(connection: &mut SqliteConnection, audience: AudienceId, places: Range<i64>) -> Work<Vec<u8>> {
    let rows = sqlx::query(
        "SELECT msisdn, client_message_id FROM recipient WHERE audience = ?1 AND n >= ?2 AND n < ?3 AND msisdn <> ?4",
    );
    let rows = rows.bind(audience.0).bind(places.start).bind(places.end).bind(number(Msisdn::ERASED));
    let (mut numbers, mut ids) = (Vec::new(), Vec::new());
    for row in rows.fetch_all(connection).await? {
        numbers.push(msisdn(&row, "msisdn")?);
        ids.extend(row.try_get::<Option<String>, _>("client_message_id")?);
    }
    Ok(sieve::of(&numbers, ids.iter().map(String::as_str)))
}
