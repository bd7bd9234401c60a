//! Purges the messages of settled campaigns, piece by piece, and erases single recipients.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::audiences::REMOVED_AT_ONCE;
use super::rows::{json_of, maybe_small, small};
use super::{Work, addresses, figures, sieves};
use crate::base::domain::{Address, AddressKey, AudienceId, BatchId, ChannelUser, MessageKey, Timestamp};

/// Messages purged in one transaction, each with its facts.
const PIECE: u32 = 2_000;

pub(super) async fn begin(connection: &mut SqliteConnection, batch: BatchId, now: Timestamp) -> Work<bool> {
    let begun = "UPDATE batch SET purged_at = coalesce(purged_at, ?2) WHERE id = ?1 AND settled_at IS NOT NULL";
    let begun = sqlx::query(begun).bind(batch.0).bind(now.millis());
    let is_begun = begun.execute(&mut *connection).await?.rows_affected() > 0;
    if is_begun {
        figures::forget_all(connection, batch).await?;
    }
    Ok(is_begun)
}

/// The next piece of a batch that is being purged.
pub(super) const NEXT_PIECE: &str =
    "SELECT min(n) AS first, max(n) AS last, count(*) AS count FROM (SELECT n FROM message
     WHERE batch = (SELECT id FROM batch WHERE id = ?1 AND purged_at IS NOT NULL) ORDER BY n LIMIT ?2)";

pub(super) async fn piece(connection: &mut SqliteConnection, batch: BatchId) -> Work<u32> {
    let row = sqlx::query(NEXT_PIECE).bind(batch.0).bind(PIECE).fetch_one(&mut *connection).await?;
    let (first, last) = (maybe_small::<u32>(&row, "first")?, maybe_small::<u32>(&row, "last")?);
    let (Some(first), Some(last)) = (first, last) else { return Ok(0) };
    for text in [
        // The row stays, because the report counts it, with what was chosen. A message with a keyword keeps its sender
        // instead: the keyword may have to be applied once the sender's number is known, and it proves since when the
        // recipient has been opted out.
        "UPDATE inbound SET raw = '', msisdn = iif(keyword IS NULL, NULL, msisdn), called = iif(keyword IS NULL, NULL, called),
             choice = iif(keyword IS NULL, choice, NULL)
         WHERE batch = ?1 AND n BETWEEN ?2 AND ?3",
        "DELETE FROM question WHERE batch = ?1 AND n BETWEEN ?2 AND ?3",
        "DELETE FROM receipt WHERE batch = ?1 AND n BETWEEN ?2 AND ?3",
        "DELETE FROM attempt WHERE batch = ?1 AND n BETWEEN ?2 AND ?3",
        "DELETE FROM message WHERE batch = ?1 AND n BETWEEN ?2 AND ?3",
    ] {
        sqlx::query(text).bind(batch.0).bind(first).bind(last).execute(&mut *connection).await?;
    }
    small(&row, "count")
}

pub(super) async fn forget_texts(connection: &mut SqliteConnection, before: Timestamp) -> Work<u64> {
    let deleted = sqlx::query(
        "DELETE FROM inbound WHERE id IN (SELECT id FROM inbound INDEXED BY inbound_not_reply
             WHERE batch IS NULL AND received < ?1 AND keyword IS NULL ORDER BY id LIMIT ?2)",
    );
    Ok(deleted.bind(before.millis()).bind(PIECE).execute(connection).await?.rows_affected())
}

pub(super) const FORGET_USERS: &str = "DELETE FROM channel_user WHERE id > ?1 AND id <= ?2 AND NOT EXISTS (
         SELECT 1 FROM recipient r INDEXED BY recipient_user WHERE r.address = -channel_user.id AND r.address < 0)
     AND NOT EXISTS (SELECT 1 FROM wish w WHERE w.address = -channel_user.id)";

/// Forgets ids of one piece, those after `after`; returns where the next piece begins, or nothing at the end. An id is
/// stored in the transaction that stores what has it, so none is removed in between.
pub(super) async fn forget_channel_users(connection: &mut SqliteConnection, after: i64) -> Work<Option<i64>> {
    let until = after + i64::from(REMOVED_AT_ONCE);
    sqlx::query(FORGET_USERS).bind(after).bind(until).execute(&mut *connection).await?;
    let more = sqlx::query("SELECT 1 FROM channel_user WHERE id > ?1 LIMIT 1").bind(until).fetch_optional(connection);
    Ok(more.await?.map(|_| until))
}

/// Finds a batch that uses one of these audiences and is not among the known ones.
const OTHER_USE: &str = "SELECT 1 FROM batch, json_each(batch.audience_ids) used WHERE touched_at >= 0
     AND used.value IN (SELECT value FROM json_each(?1))
     AND batch.id NOT IN (SELECT value ->> 0 FROM json_each(?2)) LIMIT 1";

/// Finds a recipient with this number who has joined an open batch since its known message count. Reads only the
/// recipients after that count.
const JOINED_SINCE: &str = "WITH known AS MATERIALIZED
         (SELECT value ->> 0 AS batch, value ->> 1 AS messages FROM json_each(?2))
     SELECT 1 FROM batch b LEFT JOIN known k ON k.batch = b.id
     CROSS JOIN recipient r ON r.audience = b.audience_ids ->> 0 AND r.n >= coalesce(k.messages, 0)
     WHERE b.open_until IS NOT NULL AND r.address = ?1 LIMIT 1";

pub(super) async fn erase(
    connection: &mut SqliteConnection,
    addresses: Vec<Address>,
    rows: Vec<(AudienceId, u32)>,
    messages: Vec<MessageKey>,
    known: Vec<(BatchId, u32)>,
) -> Work<bool> {
    let audiences: BTreeSet<u32> = rows.iter().map(|(audience, _)| audience.0).collect();
    let known: Vec<(u32, u32)> = known.iter().map(|(batch, messages)| (batch.0, *messages)).collect();
    let (audience_ids, known) = (json_of(&audiences, "audience.id")?, json_of(&known, "batch.id")?);
    let other = sqlx::query(OTHER_USE).bind(&audience_ids).bind(&known);
    if other.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(false);
    }
    let keys = addresses::known_keys(connection, addresses.iter()).await?;
    let erased: Vec<(Option<AddressKey>, Option<ChannelUser>)> = keys
        .into_iter()
        .zip(addresses)
        .flat_map(|(key, address)| match address {
            Address::Number(number) => number.spellings().map(|spelling| (Some(spelling.into()), None)).collect(),
            // Whoever only wrote to us has no key.
            Address::User(user) => vec![(key, Some(user))],
        })
        .collect();
    for key in erased.iter().filter_map(|(key, _)| *key) {
        let joined = sqlx::query(JOINED_SINCE).bind(key.get()).bind(&known);
        if joined.fetch_optional(&mut *connection).await?.is_some() {
            return Ok(false);
        }
    }
    let keys: Vec<(u32, u32)> = messages.iter().map(|key| (key.batch.0, key.n)).collect();
    let keys = json_of(&keys, "message")?;
    let without_outcome =
        "SELECT 1 FROM json_each(?1) k JOIN message m ON m.batch = k.value ->> 0 AND m.n = k.value ->> 1
                WHERE m.state <> 3 LIMIT 1";
    if sqlx::query(without_outcome).bind(&keys).fetch_optional(&mut *connection).await?.is_some() {
        return Ok(false);
    }
    for text in [
        "UPDATE message SET address = ?2 FROM json_each(?1) k WHERE batch = k.value ->> 0 AND n = k.value ->> 1",
        "UPDATE attempt SET umid = NULL, detail = NULL, adoptable = NULL FROM json_each(?1) k
         WHERE batch = k.value ->> 0 AND n = k.value ->> 1",
    ] {
        sqlx::query(text).bind(&keys).bind(AddressKey::ERASED.get()).execute(&mut *connection).await?;
    }
    for audience in audiences {
        // The summary of an import has sample values of each column.
        let remove_samples =
            "UPDATE audience SET summary = json_set(summary, '$.summary.fields', (SELECT json_group_array(
                 json_set(value, '$.samples', json('[]'))) FROM json_each(summary, '$.summary.fields')))
             WHERE id = ?1 AND json_type(summary, '$.summary.fields') = 'array'";
        sqlx::query(remove_samples).bind(audience).execute(&mut *connection).await?;
    }
    for (audience, n) in rows {
        erase_recipient(connection, audience, n).await?;
    }
    for (key, user) in erased {
        match (user, key) {
            (Some(user), key) => forget_user(connection, key, &user).await?,
            (None, Some(number)) => forget_number(connection, number).await?,
            (None, None) => {}
        }
    }
    Ok(true)
}

/// Of an opt-out, what proves it stays.
const FORGET_WISHES: &str = "DELETE FROM wish WHERE address = ?1 AND id NOT IN (
         SELECT max(w.id) FROM wish w JOIN opt_out o ON o.address = w.address AND o.purpose = w.purpose
             AND o.channel = w.channel AND o.sender = w.sender
         WHERE w.wants = 0 AND w.address = ?1 GROUP BY w.purpose, w.channel, w.sender, w.source)";

const FORGET_FREE_USE: &str = "DELETE FROM free_use WHERE address = ?1";

async fn forget_number(connection: &mut SqliteConnection, number: AddressKey) -> Work<()> {
    for text in [
        "UPDATE inbound SET msisdn = NULL, called = NULL, raw = '', choice = NULL, umid = 'erased ' || id WHERE msisdn = ?1",
        FORGET_WISHES,
        "DELETE FROM alias WHERE msisdn = ?1",
        FORGET_FREE_USE,
    ] {
        sqlx::query(text).bind(number.get()).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn forget_user(connection: &mut SqliteConnection, key: Option<AddressKey>, user: &ChannelUser) -> Work<()> {
    for text in [
        "UPDATE inbound SET msisdn = NULL, called = NULL, raw = '', choice = NULL, umid = 'erased ' || id
         WHERE called = ?1 AND called IS NOT NULL AND channel = ?2",
        "DELETE FROM alias WHERE called = ?1 AND channel = ?2",
    ] {
        sqlx::query(text).bind(&user.id).bind(user.channel.code()).execute(&mut *connection).await?;
    }
    let Some(key) = key else { return Ok(()) };
    // The id itself stays with the proof of its opt-out.
    let forget_id = "DELETE FROM channel_user WHERE id = -?1
         AND NOT EXISTS (SELECT 1 FROM wish w WHERE w.address = ?1)";
    for text in [FORGET_WISHES, FORGET_FREE_USE, forget_id] {
        sqlx::query(text).bind(key.get()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Empties a recipient's row, which stays because the numbers of others count from it. Its piece gets a sieve without the
/// recipient.
async fn erase_recipient(connection: &mut SqliteConnection, audience: AudienceId, n: u32) -> Work<()> {
    sqlx::query(
        "UPDATE recipient SET address = ?3, client_message_id = NULL,
             fields = (SELECT json_group_array('') FROM json_each(recipient.fields)) WHERE audience = ?1 AND n = ?2",
    )
    .bind(audience.0)
    .bind(n)
    .bind(AddressKey::ERASED.get())
    .execute(&mut *connection)
    .await?;
    sieves::rebuild(connection, audience, n).await
}
