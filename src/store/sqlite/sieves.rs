//! Extends the sieves (Bloom filters) of an audience when it grows, and rebuilds one when a recipient is erased.

use std::ops::{Range, RangeInclusive};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{address_key, small};
use super::script::Script;
use crate::base::domain::{AddressKey, AudienceId};
use crate::store::sieve::{self, Filtered};

/// So many new recipients are a piece of their own. Fewer are added to the last piece until its sieve is full.
const OWN_PIECE: usize = 256;
/// Keys for which a piece that grows has room: more in a large audience, so a small one needs little space.
const ROOM: RangeInclusive<usize> = 64..=512;

/// The last piece of an audience, with its sieve.
pub(super) type LastPiece = (u32, Vec<u8>);

/// Adds recipients, the first of them with the number `first`, to the sieves of an audience, whose `last` piece was read
/// before. No recipient is read again.
pub(super) fn append(
    script: &mut Script,
    audience: AudienceId,
    first: u32,
    recipients: &[Filtered<'_>],
    last: Option<LastPiece>,
) {
    if recipients.is_empty() {
        return;
    }
    let (piece, bits) = match last {
        _ if recipients.len() >= OWN_PIECE => (first, sieve::of(recipients.iter().copied())),
        Some((piece, bits)) if !sieve::is_full(&bits) => (piece, grown(bits, recipients)),
        _ => (first, grown(sieve::growing(room(first, recipients.len())), recipients)),
    };
    script.statement(STORE).bind(audience.0).bind(i64::from(piece)).bind(bits);
}

fn room(before: u32, new: usize) -> usize {
    (before as usize).max(new).clamp(*ROOM.start(), *ROOM.end())
}

fn grown(mut bits: Vec<u8>, recipients: &[Filtered<'_>]) -> Vec<u8> {
    sieve::grow(&mut bits, recipients.iter().copied());
    bits
}

/// Reads the last piece of an audience.
pub(super) fn last(script: &mut Script, audience: AudienceId) {
    script
        .statement("SELECT NULL AS recipients, first, bits FROM sieve WHERE audience = ?1 ORDER BY first DESC LIMIT 1")
        .bind(audience.0);
}

pub(super) fn read(row: &SqliteRow) -> Work<LastPiece> {
    Ok((small(row, "first")?, row.try_get("bits")?))
}

const STORE: &str =
    "INSERT INTO sieve (audience, first, bits) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bits = excluded.bits";

async fn store(connection: &mut SqliteConnection, audience: AudienceId, first: i64, bits: Vec<u8>) -> Work<()> {
    sqlx::query(STORE).bind(audience.0).bind(first).bind(bits).execute(connection).await?;
    Ok(())
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
        "SELECT address, client_message_id FROM recipient WHERE audience = ?1 AND n >= ?2 AND n < ?3 AND address <> ?4",
    );
    let rows = rows.bind(audience.0).bind(piece.start).bind(piece.end).bind(AddressKey::ERASED.get());
    let mut recipients: Vec<(AddressKey, Option<String>)> = Vec::new();
    for row in rows.fetch_all(&mut *connection).await? {
        recipients.push((address_key(&row, "address")?, row.try_get("client_message_id")?));
    }
    let bits = sieve::of(recipients.iter().map(|(key, id)| (*key, id.as_deref())));
    store(connection, audience, piece.start, bits).await
}
