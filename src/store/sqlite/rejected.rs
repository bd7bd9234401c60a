//! Stores the rejected rows of imports.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::audiences::{REMOVED_AT_ONCE, gone};
use super::messages::number;
use super::rows::{Bound, for_values, json_list, maybe_small, small};
use crate::base::domain::{AudienceId, Fields, Msisdn, Timestamp};
use crate::store::{Error, RejectedRow};

pub(super) async fn add(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    first: u32,
    rows: Vec<RejectedRow>,
    now: Timestamp,
) -> Work<()> {
    let touched = sqlx::query("UPDATE audience SET touched_at = ?2 WHERE id = ?1 AND touched_at >= 0");
    if touched.bind(audience.0).bind(now.millis()).execute(&mut *connection).await?.rows_affected() == 0 {
        return Err(gone(audience).into());
    }
    let numbered: Vec<(i64, RejectedRow)> = (i64::from(first)..).zip(rows).collect();
    for_values(
        connection,
        "INSERT INTO rejected_row (audience, n, line, reason, msisdn, other_msisdn, fields, is_cut)",
        "ON CONFLICT DO NOTHING",
        8,
        &numbered,
        |query: Bound<'_>, (n, row)| {
            query
                .bind(audience.0)
                .bind(*n)
                .bind(i64::try_from(row.line).unwrap_or(i64::MAX))
                .bind(row.reason.clone().into_owned())
                .bind(row.msisdn.map(number))
                .bind(row.other_msisdn.map(number))
                .bind(row.fields.as_str().to_owned())
                .bind(row.is_cut)
        },
    )
    .await?;
    Ok(())
}

/// Rows are read until their cells have so many bytes.
const PIECE_BYTES: usize = 1 << 20;

pub(super) const ALL: &str = "SELECT * FROM rejected_row WHERE audience = ?1 AND n >= ?2 ORDER BY n LIMIT ?3";
pub(super) const OF_REASON: &str = "SELECT * FROM rejected_row INDEXED BY rejected_row_reason
     WHERE audience = ?1 AND reason = ?4 AND n >= ?2 ORDER BY n LIMIT ?3";

pub(super) async fn read(
    connection: &mut SqliteConnection,
    audience: AudienceId,
    reason: Option<String>,
    from: u32,
    limit: u32,
) -> Work<Vec<(u32, RejectedRow)>> {
    let query = sqlx::query(if reason.is_some() { OF_REASON } else { ALL }).bind(audience.0).bind(from).bind(limit);
    let query = match reason {
        Some(reason) => query.bind(reason),
        None => query,
    };
    let mut found = query.fetch(connection);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while bytes < PIECE_BYTES
        && let Some(next) = found.try_next().await?
    {
        let next = row(&next)?;
        bytes += next.1.fields.as_str().len();
        rows.push(next);
    }
    Ok(rows)
}

fn msisdn(row: &SqliteRow, column: &'static str) -> Work<Option<Msisdn>> {
    let invalid = |_| Error::InvalidRow { what: "an invalid number".to_owned(), place: "rejected_row".to_owned() };
    let digits = maybe_small::<i64>(row, column)?;
    Ok(digits.map(|digits| Msisdn::try_from(digits).map_err(invalid)).transpose()?)
}

fn row(row: &SqliteRow) -> Work<(u32, RejectedRow)> {
    let read = RejectedRow {
        line: small(row, "line")?,
        reason: row.try_get::<String, _>("reason")?.into(),
        msisdn: msisdn(row, "msisdn")?,
        other_msisdn: msisdn(row, "other_msisdn")?,
        fields: Fields::from_packed(row.try_get("fields")?),
        is_cut: row.try_get("is_cut")?,
    };
    Ok((small(row, "n")?, read))
}

const REMOVE: &str = "DELETE FROM rejected_row WHERE audience = ?1 AND n IN (SELECT value FROM json_each(?2))";

pub(super) async fn remove(connection: &mut SqliteConnection, audience: AudienceId, numbers: Vec<u32>) -> Work<()> {
    let numbers = json_list(numbers.into_iter().map(i64::from));
    sqlx::query(REMOVE).bind(audience.0).bind(numbers).execute(connection).await?;
    Ok(())
}

/// Removes some rows of an audience. Returns whether none is left.
pub(super) async fn remove_piece(connection: &mut SqliteConnection, audience: AudienceId) -> Work<bool> {
    let removed = sqlx::query(
        "DELETE FROM rejected_row WHERE audience = ?1
         AND n IN (SELECT n FROM rejected_row WHERE audience = ?1 LIMIT ?2)",
    );
    let removed = removed.bind(audience.0).bind(REMOVED_AT_ONCE).execute(connection).await?.rows_affected();
    Ok(removed < u64::from(REMOVED_AT_ONCE))
}

const WITH_CELL: &str = "SELECT audience, n FROM rejected_row
     WHERE instr(fields, json_quote(?1)) > 0 ORDER BY audience, n";

pub(super) async fn with_cell(connection: &mut SqliteConnection, cell: String) -> Work<Vec<(AudienceId, u32)>> {
    let rows = sqlx::query(WITH_CELL).bind(cell).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((AudienceId(small(row, "audience")?), small(row, "n")?))).collect()
}

pub(super) const COUNT: &str = "SELECT count(*) AS count FROM rejected_row WHERE msisdn = ?1 OR other_msisdn = ?1";

pub(super) async fn count(connection: &mut SqliteConnection, recipient: Msisdn) -> Work<usize> {
    small(&sqlx::query(COUNT).bind(number(recipient)).fetch_one(connection).await?, "count")
}

/// Rows of an erased recipient that are removed in one transaction: each has up to 64 KiB.
const ERASED_AT_ONCE: u32 = 200;
pub(super) const ERASE: &str = "DELETE FROM rejected_row WHERE (audience, n) IN
     (SELECT audience, n FROM rejected_row WHERE msisdn = ?1 OR other_msisdn = ?1 LIMIT ?2)";

/// Removes some rows with a number. Returns whether none is left.
pub(super) async fn erase_piece(connection: &mut SqliteConnection, recipient: Msisdn) -> Work<bool> {
    let removed = sqlx::query(ERASE).bind(number(recipient)).bind(ERASED_AT_ONCE);
    Ok(removed.execute(connection).await?.rows_affected() < u64::from(ERASED_AT_ONCE))
}
