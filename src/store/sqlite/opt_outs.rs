//! Stores opt-outs of numbers and of channels' ids, and their history: every opt-out and opt-in, in the order of arrival.

use std::cmp::Reverse;
use std::collections::HashSet;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::addresses;
use super::batches::bump;
use super::messages::number;
use super::rows::{
    address_key, all_loaded, decoded, json_list, json_of, lines, maybe_small, message_line, msisdn, packed, timestamp,
};
use super::{Work, aliases, possible_stops};
use crate::domain::{Address, AddressKey, BatchId, Channel, Keyword, Loaded, Marks, Msisdn, OptOutSource};
use crate::store::{Cursor, OptIn, OptOut, OptOutRecord};

/// An entry of the history as it is bound: address, time, who asked for it, the words that are shown, and whether it was
/// asked for this address itself or for another one of the recipient.
type Entry<'a> = (i64, i64, u8, &'a str, bool);

/// Describes an opt-out or opt-in by an inbound message, such as `stop by message on SMS`.
pub(super) fn by_message(keyword: Keyword, channel: Option<Channel>) -> String {
    let on = channel.map(|channel| format!(" on {channel}")).unwrap_or_default();
    format!("{} by message{on}", keyword.as_str())
}

/// The condition that the recipient has not opted in later. It applies to a recipient's own opt-out: of a recipient's own
/// requests the later one wins, in whatever order they arrive.
macro_rules! not_superseded {
    () => {
        "(w.value ->> 2 <> 0 OR NOT EXISTS (SELECT 1 FROM opt_out_record later WHERE later.address = w.value ->> 0
          AND later.at > w.value ->> 1 AND later.wants = 1 AND later.source = 0))"
    };
}

/// The condition that a request is not in the history: it may have come under another address of the same recipient.
macro_rules! is_new {
    ($wants:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM opt_out_record same WHERE same.address = w.value ->> 0
              AND same.at = w.value ->> 1 AND same.source = w.value ->> 2 AND same.wants = ",
            $wants,
            ")"
        )
    };
}

/// Adds opt-outs to the history: those that change something, and each of a recipient's own. A repeated "stop" changes
/// nothing, but it wins over an older "start" that arrives after it.
pub(super) const NOTE_STOPS: &str = concat!(
    "INSERT INTO opt_out_record (address, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, 0, w.value ->> 2, w.value ->> 3
     FROM json_each(?1) w LEFT JOIN opt_out o ON o.address = w.value ->> 0
     WHERE (o.address IS NULL OR o.source < w.value ->> 2 OR (w.value ->> 2 = 0 AND ",
    is_new!(0),
    ")) AND ",
    not_superseded!()
);

pub(super) const OPT_OUT: &str = concat!(
    "INSERT INTO opt_out (address, since, source, words)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) w WHERE ",
    not_superseded!(),
    " ON CONFLICT DO UPDATE SET source = excluded.source, words = excluded.words WHERE excluded.source > opt_out.source
      RETURNING address"
);

/// Records opt-outs, for every address that is known to be the recipient's. Returns how many of the given addresses'
/// entries that adds or changes.
pub(super) async fn opt_out(connection: &mut SqliteConnection, opt_outs: &[OptOut]) -> Work<u32> {
    let given: Vec<Address> = opt_outs.iter().map(|wish| wish.address.clone()).collect();
    let others = aliases::linked(connection, &given, |_| true).await?;
    let (given, mut rows) = entries(connection, &given, others, opt_outs, stop).await?;
    // Of each address's entries the one with the highest source applies, and of several of those the first. The others
    // are dropped, except for the recipient's own.
    rows.sort_unstable_by_key(|&(key, since, source, words, _)| (key, Reverse(source), since, words));
    rows.dedup_by_key(|&mut (key, since, source, ..)| {
        (key, (source == OptOutSource::Recipient.code()).then_some(since))
    });
    let new = write(connection, &given, &rows, [NOTE_STOPS, OPT_OUT]).await?;
    possible_stops::settle(connection).await?;
    Ok(new)
}

/// The addresses whose opt-out these opt-ins end. A recipient's own opt-in ends none if any "stop" is later, even
/// a repeated one.
macro_rules! opted_in {
    () => {
        "(SELECT o.address FROM json_each(?1) w CROSS JOIN opt_out o ON o.address = w.value ->> 0
          WHERE w.value ->> 2 = 2 OR (o.source < 2 AND o.since <= w.value ->> 1
          AND NOT EXISTS (SELECT 1 FROM opt_out_record later WHERE later.address = o.address
          AND later.at > w.value ->> 1 AND later.wants = 0 AND later.source < 2)))"
    };
}

/// Adds opt-ins to the history. A recipient's own is kept even if it ends no opt-out: an older "stop" may still arrive. Under
/// other addresses of the recipient it is kept only where it ends one: somebody else may write under the same id.
pub(super) const NOTE_STARTS: &str = concat!(
    "INSERT INTO opt_out_record (address, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) w
     WHERE ((w.value ->> 2 = 0 AND w.value ->> 4) OR w.value ->> 0 IN ",
    opted_in!(),
    ") AND ",
    is_new!(1)
);

pub(super) const OPT_IN: &str = concat!("DELETE FROM opt_out WHERE address IN ", opted_in!(), " RETURNING address");

/// Records opt-ins and ends opt-outs, for every address that is known to be the recipient's. Returns how many opt-outs of
/// the given addresses end.
pub(super) async fn opt_in(connection: &mut SqliteConnection, opt_ins: &[OptIn]) -> Work<u32> {
    let given: Vec<Address> = opt_ins.iter().map(|wish| wish.address.clone()).collect();
    let is_own = |index: usize| opt_ins[index].from == OptOutSource::Recipient;
    let mut others = aliases::linked(connection, &given, |index| !is_own(index)).await?;
    // Several recipients may write under one id. Which of its numbers a "start" is for comes with it, if it is known.
    others.retain(|(index, _)| !is_own(*index) || opt_ins[*index].address.user().is_none());
    let (given, mut rows) = entries(connection, &given, others, opt_ins, start).await?;
    rows.sort_unstable_by_key(|&(key, at, source, words, is_own)| (key, at, source, Reverse(is_own), words));
    rows.dedup_by_key(|&mut (key, at, source, ..)| (key, at, source));
    write(connection, &given, &rows, [NOTE_STARTS, OPT_IN]).await
}

fn stop(key: AddressKey, is_own: bool, OptOut { since, from, source, .. }: &OptOut) -> Entry<'_> {
    (key.get(), since.millis(), from.code(), source, is_own)
}

fn start(key: AddressKey, is_own: bool, OptIn { at, from, source, .. }: &OptIn) -> Entry<'_> {
    (key.get(), at.millis(), from.code(), source, is_own)
}

/// The keys of the given addresses, and an entry for each of these and of the others that are known to be the same
/// recipients'.
async fn entries<'a, W>(
    connection: &mut SqliteConnection,
    given: &[Address],
    others: Vec<(usize, Address)>,
    wishes: &'a [W],
    entry: impl Fn(AddressKey, bool, &'a W) -> Entry<'a>,
) -> Work<(Vec<AddressKey>, Vec<Entry<'a>>)> {
    let given = addresses::keys(connection, given.iter()).await?;
    let (indices, others): (Vec<usize>, Vec<Address>) = others.into_iter().unzip();
    let others = addresses::keys(connection, others.iter()).await?;
    let of_given = given.iter().zip(wishes).map(|(key, wish)| entry(*key, true, wish));
    // Other spellings of a number are that number.
    let is_own = |key: AddressKey| !key.is_user();
    let of_others =
        others.iter().zip(indices).filter_map(|(key, index)| Some(entry(*key, is_own(*key), wishes.get(index)?)));
    let rows = of_given.chain(of_others).collect();
    Ok((given, rows))
}

/// Notes entries and carries them out. Returns how many of the given addresses that changes.
async fn write(
    connection: &mut SqliteConnection,
    given: &[AddressKey],
    rows: &[Entry<'_>],
    [note, carry_out]: [&'static str; 2],
) -> Work<u32> {
    let rows = json_of(rows, "wish")?;
    sqlx::query(note).bind(&rows).execute(&mut *connection).await?;
    let changed: Vec<i64> = sqlx::query_scalar(carry_out).bind(&rows).fetch_all(&mut *connection).await?;
    if !changed.is_empty() {
        bump(connection).await?;
    }
    let given: HashSet<i64> = given.iter().map(|key| key.get()).collect();
    let count = changed.iter().filter(|key| given.contains(key)).count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

pub(super) async fn opted_out(connection: &mut SqliteConnection, recipients: &[Msisdn]) -> Work<Vec<Msisdn>> {
    let rows =
        sqlx::query("SELECT address FROM opt_out WHERE address IN (SELECT value FROM json_each(?1)) ORDER BY address")
            .bind(json_list(recipients.iter().copied().map(number)))
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| msisdn(row, "address")).collect()
}

pub(super) async fn numbers(connection: &mut SqliteConnection, after: Option<Msisdn>, limit: u32) -> Work<Vec<Msisdn>> {
    let rows = sqlx::query("SELECT address FROM opt_out WHERE address > ?1 ORDER BY address LIMIT ?2")
        .bind(after.map_or(0, number))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| msisdn(row, "address")).collect()
}

/// Lists made-up numbers that stood for ids before ids were addresses.
pub(super) async fn stand_ins(connection: &mut SqliteConnection) -> Work<Vec<Msisdn>> {
    let rows = sqlx::query("SELECT number FROM stand_in ORDER BY number").fetch_all(connection).await?;
    rows.iter().map(|row| msisdn(row, "number")).collect()
}

pub(super) const NUMBERS: &str = "SELECT o.*, NULL AS channel, NULL AS called FROM opt_out o WHERE o.address > ?1
     ORDER BY o.address LIMIT ?2";
pub(super) const IDS: &str =
    "SELECT o.*, u.channel, u.called FROM opt_out o CROSS JOIN channel_user u ON u.id = -o.address
     WHERE o.address < ?1 ORDER BY o.address DESC LIMIT ?2";

/// The two parts of the list.
const OF_NUMBERS: i64 = 0;
const OF_IDS: i64 = 1;

/// Lists numbers in their order, and then ids in the order in which they came.
pub(super) async fn list(connection: &mut SqliteConnection, after: Cursor, limit: u32) -> Work<Vec<(Cursor, OptOut)>> {
    let (number, id) = match after {
        Cursor(OF_IDS, id) => (None, id),
        Cursor(OF_NUMBERS, number) => (Some(number), 0),
        Cursor(..) => (Some(0), 0),
    };
    let mut rows = match number {
        Some(number) => sqlx::query(NUMBERS).bind(number).bind(limit).fetch_all(&mut *connection).await?,
        None => Vec::new(),
    };
    let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if left > 0 {
        rows.extend(sqlx::query(IDS).bind(-id).bind(left).fetch_all(connection).await?);
    }
    let place = |key: i64| if key > 0 { Cursor(OF_NUMBERS, key) } else { Cursor(OF_IDS, -key) };
    rows.iter().map(|row| Ok((place(row.try_get("address")?), entry(row)?))).collect()
}

pub(super) const OF: &str =
    "SELECT o.*, u.channel, u.called FROM opt_out o LEFT JOIN channel_user u ON u.id = -o.address
     WHERE o.address = ?1";

pub(super) async fn of(connection: &mut SqliteConnection, address: &Address) -> Work<Option<OptOut>> {
    let Some(key) = addresses::known_key(connection, address).await? else { return Ok(None) };
    sqlx::query(OF).bind(key.get()).fetch_optional(connection).await?.as_ref().map(entry).transpose()
}

fn entry(row: &SqliteRow) -> Work<OptOut> {
    Ok(OptOut {
        address: addresses::address(row)?,
        since: timestamp(row, "since")?,
        from: decoded(row, "source", OptOutSource::from_code)?,
        source: row.try_get("words")?,
    })
}

/// Reads the opt-outs and opt-ins of one recipient, in the order of arrival.
pub(super) async fn history(connection: &mut SqliteConnection, recipient: &Address) -> Work<Vec<OptOutRecord>> {
    let Some(key) = addresses::known_key(connection, recipient).await? else { return Ok(Vec::new()) };
    let rows = sqlx::query("SELECT * FROM opt_out_record WHERE address = ?1 ORDER BY id")
        .bind(key.get())
        .fetch_all(connection)
        .await?;
    let record = |row: &SqliteRow| {
        Ok(OptOutRecord {
            at: timestamp(row, "at")?,
            wants: decoded(row, "wants", Keyword::from_code)?,
            from: decoded(row, "source", OptOutSource::from_code)?,
            source: row.try_get("words")?,
        })
    };
    rows.iter().map(record).collect()
}

/// Uses an index of the opt-outs alone: servers poll this, and the last opt-out may be followed by many opt-ins.
pub(super) const LAST_STOP: &str =
    "SELECT id FROM opt_out_record INDEXED BY opt_out_record_stop WHERE wants = 0 AND id > 0 ORDER BY id DESC LIMIT 1";
pub(super) const STOPS: &str = "SELECT id, address FROM opt_out_record INDEXED BY opt_out_record_stop WHERE id > ?1 AND wants = 0 ORDER BY id LIMIT ?2";

pub(super) async fn last_stop(connection: &mut SqliteConnection) -> Work<Cursor> {
    let row = sqlx::query(LAST_STOP).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?.map_or(Cursor::START, Cursor::of_id))
}

pub(super) async fn stops(
    connection: &mut SqliteConnection,
    after: Cursor,
    limit: u32,
) -> Work<Vec<(Cursor, AddressKey)>> {
    let rows = sqlx::query(STOPS).bind(after.id()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), address_key(row, "address")?))).collect()
}

/// Open messages to opted-out recipients, in a piece of a batch. It reads the whole piece: an index from numbers to
/// messages would cost every launch more than these reads.
pub(super) const OPEN_TO_OPTED_OUT: &str = packed!(
    message_line!(),
    "message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state <> 3 AND (marks & ?4) = 0
     AND EXISTS (SELECT 1 FROM opt_out o WHERE o.address = message.address)"
);

pub(super) async fn opted_out_messages(
    connection: &mut SqliteConnection,
    batch: BatchId,
    from: u32,
    span: u32,
) -> Work<(Vec<Loaded>, Option<u32>)> {
    let until = from.saturating_add(span);
    let query = sqlx::query(OPEN_TO_OPTED_OUT)
        .bind(batch.0)
        .bind(from)
        .bind(until)
        .bind(Marks::default().with_opted_out().bits());
    let mut found = all_loaded(&lines(connection, query).await?)?;
    found.sort_unstable_by_key(|message| message.key);
    let next = sqlx::query("SELECT min(n) AS n FROM message WHERE batch = ?1 AND n >= ?2")
        .bind(batch.0)
        .bind(until)
        .fetch_one(connection)
        .await?;
    Ok((found, maybe_small(&next, "n")?))
}
