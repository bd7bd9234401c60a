//! Finds where a recipient is in the audiences, by the sieves of their pieces.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sqlx::{Row, SqliteConnection};

use super::rows::{json_list, small};
use super::{Work, addresses, aliases};
use crate::base::domain::{Address, AddressKey, AudienceId};
use crate::store::sieve::{Sought, may_hold};
use crate::store::{FoundRecipient, RecipientPlace, Whom};

/// Searches the pieces whose sieve may contain the recipient.
pub(super) async fn find_recipient(
    connection: &mut SqliteConnection,
    whom: &Whom,
    within: Option<Vec<AudienceId>>,
) -> Work<Vec<(AudienceId, u32)>> {
    let Some(whom) = &sought(connection, whom).await? else { return Ok(Vec::new()) };
    let mut pieces = Vec::new();
    let query = match within {
        Some(audiences) => sqlx::query(SIEVES_WITHIN).bind(json_list(audiences.iter().map(|id| i64::from(id.0)))),
        None => sqlx::query(SIEVES),
    };
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        if may_hold(row.try_get("bits")?, whom) {
            pieces.push((AudienceId(small(&row, "audience")?), small::<u32>(&row, "first")?));
        }
    }
    drop(rows);
    let mut found = Vec::new();
    for (audience, first) in pieces {
        found.extend(in_piece(&mut *connection, whom, audience, first).await?.into_iter().map(|n| (audience, n)));
    }
    Ok(found)
}

/// What pieces are searched by; nothing if nobody has ever been known by the address.
async fn sought(connection: &mut SqliteConnection, whom: &Whom) -> Work<Option<Sought>> {
    Ok(match whom {
        Whom::Address(address) => {
            // A number may be a channel's name for the recipient of another one.
            let owner = match address {
                Address::Number(number) => aliases::recipient_of(connection, *number).await?,
                Address::User(_) => None,
            };
            let own = addresses::known_key(connection, address).await?;
            let keys: Vec<AddressKey> = own.into_iter().chain(owner.map(AddressKey::from)).collect();
            Some(Sought::Addresses(keys)).filter(|_| own.is_some())
        }
        Whom::ClientId(id) => Some(Sought::ClientId(id.clone())),
    })
}

/// The numbers of a recipient in the piece that begins with number `first`.
async fn in_piece(
    connection: &mut SqliteConnection,
    whom: &Sought,
    audience: AudienceId,
    first: u32,
) -> Work<Vec<u32>> {
    let query = match whom {
        Sought::Addresses(keys) => {
            let all = keys.iter().flat_map(|key| key.spellings());
            let all = json_list(all.map(AddressKey::get));
            sqlx::query(IN_PIECE_BY_ADDRESS).bind(audience.0).bind(first).bind(all)
        }
        Sought::ClientId(id) => sqlx::query(IN_PIECE_BY_ID).bind(audience.0).bind(first).bind(id.clone()),
    };
    query.fetch_all(connection).await?.iter().map(|row| small(row, "n")).collect()
}

/// Sieves that one bounded search reads: those of four million imported recipients, in a few milliseconds.
const SIEVES_READ: u32 = 1_000;
/// Pieces that one bounded search reads, each in about half a millisecond.
const PIECES_READ: usize = 16;

pub(super) const SIEVES_FROM: &str = "SELECT audience, first, bits FROM sieve WHERE (audience, first) <= (?1, ?2)
     ORDER BY audience DESC, first DESC LIMIT ?3";

/// Searches the latest pieces whose sieve may contain the recipient, up to the bounds of one search.
pub(super) async fn find_recipient_from(
    connection: &mut SqliteConnection,
    whom: &Whom,
    from: Option<RecipientPlace>,
) -> Work<FoundRecipient> {
    let Some(whom) = &sought(connection, whom).await? else { return Ok(FoundRecipient::default()) };
    let from = from.unwrap_or(RecipientPlace { audience: AudienceId(u32::MAX), n: u32::MAX });
    let (mut pieces, mut read, mut seen, mut next) = (Vec::new(), 0, from, None);
    let mut rows =
        sqlx::query(SIEVES_FROM).bind(from.audience.0).bind(from.n).bind(SIEVES_READ + 1).fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let piece = RecipientPlace { audience: AudienceId(small(&row, "audience")?), n: small(&row, "first")? };
        if read == SIEVES_READ || pieces.len() == PIECES_READ {
            // The last number of this piece: the next one begins the piece that was seen before it, or is `from`.
            let last = if piece.audience == seen.audience { seen.n } else { u32::MAX };
            next = Some(RecipientPlace { n: last, ..piece });
            break;
        }
        read += 1;
        seen = RecipientPlace { n: piece.n.saturating_sub(1), ..piece };
        if may_hold(row.try_get("bits")?, whom) {
            pieces.push(piece);
        }
    }
    drop(rows);
    let mut places = Vec::new();
    for RecipientPlace { audience, n: first } in pieces {
        let numbers = in_piece(&mut *connection, whom, audience, first).await?.into_iter().rev();
        places.extend(numbers.map(|n| RecipientPlace { audience, n }).filter(|place| *place <= from));
    }
    Ok(FoundRecipient { places, next })
}

/// Those of these addresses that a recipient of the latest audiences has.
pub(super) async fn of_recipients(
    connection: &mut SqliteConnection,
    addresses: &[AddressKey],
) -> Work<BTreeSet<AddressKey>> {
    let latest = RecipientPlace { audience: AudienceId(u32::MAX), n: u32::MAX };
    let sought: Vec<_> = addresses.iter().map(|key| (*key, Sought::Addresses(vec![*key]))).collect();
    let mut pieces = Vec::new();
    let query = sqlx::query(SIEVES_FROM).bind(latest.audience.0).bind(latest.n).bind(SIEVES_READ);
    let mut rows = query.fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        let (audience, first): (u32, u32) = (small(&row, "audience")?, small(&row, "first")?);
        let bits = row.try_get("bits")?;
        let held = sought.iter().filter(|(_, whom)| may_hold(bits, whom));
        pieces.extend(held.map(|(key, whom)| (*key, whom, AudienceId(audience), first)));
    }
    drop(rows);
    let mut found = BTreeSet::new();
    for (key, whom, audience, first) in pieces {
        if !found.contains(&key) && !in_piece(connection, whom, audience, first).await?.is_empty() {
            found.insert(key);
        }
    }
    Ok(found)
}

const SIEVES: &str = "SELECT audience, first, bits FROM sieve ORDER BY audience, first";
pub(super) const SIEVES_WITHIN: &str = "SELECT audience, first, bits FROM sieve
     WHERE audience IN (SELECT value FROM json_each(?1)) ORDER BY audience, first";

macro_rules! in_piece {
    ($condition:literal) => {
        concat!(
            "SELECT n FROM recipient WHERE audience = ?1 AND n >= ?2 AND n < coalesce(
                 (SELECT first FROM sieve WHERE audience = ?1 AND first > ?2 ORDER BY first LIMIT 1), 4294967296)
             AND ",
            $condition,
            " ORDER BY n"
        )
    };
}
pub(super) const IN_PIECE_BY_ADDRESS: &str = in_piece!("address IN (SELECT value FROM json_each(?3))");
pub(super) const IN_PIECE_BY_ID: &str = in_piece!("client_message_id = ?3");
