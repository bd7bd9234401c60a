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
use crate::base::domain::{
    Address, AddressKey, BatchId, Channel, ChannelUser, Keyword, Loaded, Marks, Msisdn, OptOutOf, OptOutSource,
    Timestamp, WishSenders, WishSubject,
};
use crate::store::{Cursor, OptIn, OptOut, Wish};

/// An entry of the history as it is bound: address, time, who asked for it, the words that are shown, and whether it was
/// asked for this address itself or for another one of the recipient; then its subject as its three columns.
type Entry<'a> = (i64, i64, u8, &'a str, bool, u8, i64, &'a str);

/// The columns of a subject.
type Columns<'a> = (u8, i64, &'a str);

/// The code of every channel.
const EVERY_CHANNEL: i64 = -1;

/// The columns of a subject: `purpose`, `channel` and `sender`.
fn columns(subject: &WishSubject) -> Columns<'_> {
    let (channel, sender) = match &subject.senders {
        None => (EVERY_CHANNEL, ""),
        Some(senders) => (senders.channel.code().into(), senders.sub_account.as_deref().unwrap_or_default()),
    };
    (subject.of.code(), channel, sender)
}

/// Reads a subject from its columns.
pub(super) fn subject(row: &SqliteRow) -> Work<WishSubject> {
    let senders = match row.try_get::<i64, _>("channel")? {
        EVERY_CHANNEL => None,
        _ => {
            let (channel, sender) = (decoded(row, "channel", Channel::from_code)?, row.try_get::<String, _>("sender")?);
            Some(WishSenders { channel, sub_account: Some(sender).filter(|sender| !sender.is_empty()) })
        }
    };
    Ok(WishSubject { of: decoded(row, "purpose", OptOutOf::from_code)?, senders })
}

/// The condition that a row is about the same as the request `w`.
macro_rules! same_subject {
    ($row:literal) => {
        concat!(
            $row,
            ".purpose = w.value ->> 5 AND ",
            $row,
            ".channel = w.value ->> 6 AND ",
            $row,
            ".sender = w.value ->> 7"
        )
    };
}

/// Describes an opt-out or opt-in by an inbound message, such as `stop by message on SMS`.
pub(super) fn by_message(keyword: Keyword, channel: Option<Channel>) -> String {
    let on = channel.map(|channel| format!(" on {channel}")).unwrap_or_default();
    format!("{} by message{on}", keyword.as_str())
}

/// The condition that the recipient has not opted in later, to what the request is about. It applies to a recipient's own
/// opt-out: of a recipient's own requests the later one wins, in whatever order they arrive.
macro_rules! not_superseded {
    () => {
        "(w.value ->> 2 = 2 OR NOT EXISTS (SELECT 1 FROM wish later WHERE later.address = w.value ->> 0
          AND later.at > w.value ->> 1 AND later.wants = 1 AND later.source <= w.value ->> 2 AND later.purpose <= w.value ->> 5
          AND (later.channel = -1 OR later.channel = w.value ->> 6 AND later.sender IN ('', w.value ->> 7))))"
    };
}

/// The condition that a request is not in the history: it may have come under another address of the same recipient.
macro_rules! is_new {
    ($wants:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM wish same WHERE same.address = w.value ->> 0
              AND same.at = w.value ->> 1 AND same.source = w.value ->> 2 AND ",
            same_subject!("same"),
            " AND same.wants = ",
            $wants,
            ")"
        )
    };
}

/// Adds opt-outs to the history: those that change something, and each of a recipient's own. A repeated "stop" changes
/// nothing, but it wins over an older "start" that arrives after it.
pub(super) const NOTE_STOPS: &str = concat!(
    "INSERT INTO wish (address, at, wants, source, words, purpose, channel, sender)
     SELECT w.value ->> 0, w.value ->> 1, 0, w.value ->> 2, w.value ->> 3, w.value ->> 5, w.value ->> 6, w.value ->> 7
     FROM json_each(?1) w LEFT JOIN opt_out o ON o.address = w.value ->> 0 AND ",
    same_subject!("o"),
    " WHERE (o.address IS NULL OR o.source < w.value ->> 2 OR (w.value ->> 2 < 2 AND ",
    is_new!(0),
    ")) AND ",
    not_superseded!()
);

pub(super) const OPT_OUT: &str = concat!(
    "INSERT INTO opt_out (address, since, source, words, purpose, channel, sender)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3, w.value ->> 5, w.value ->> 6, w.value ->> 7
     FROM json_each(?1) w WHERE ",
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
    // Of an address's entries about the same the one with the highest source applies, and of several of those the first. The
    // others are dropped, except for the recipient's own.
    rows.sort_unstable_by_key(|row| {
        let &(key, since, source, words, ..) = row;
        (key, of_row(row), Reverse(source), since, words)
    });
    rows.dedup_by_key(|row| {
        let &mut (key, since, source, ..) = row;
        (key, of_row(row), (source == OptOutSource::Recipient.code()).then_some(since))
    });
    let new = write(connection, &given, &rows, [NOTE_STOPS, OPT_OUT]).await?;
    possible_stops::settle(connection).await?;
    Ok(new)
}

/// The opt-outs that these opt-ins end, as `$columns`: those that an opt-in covers. A recipient's own opt-in ends none if any
/// "stop" is later, even a repeated one.
macro_rules! opted_in {
    ($columns:literal) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM json_each(?1) w CROSS JOIN opt_out o ON o.address = w.value ->> 0
              WHERE w.value ->> 5 <= o.purpose
              AND (w.value ->> 6 = -1 OR w.value ->> 6 = o.channel AND w.value ->> 7 IN ('', o.sender))
              AND (w.value ->> 2 = 2 OR (o.source < 2 AND o.since <= w.value ->> 1
              AND NOT EXISTS (SELECT 1 FROM wish later WHERE later.address = o.address
              AND later.at > w.value ->> 1 AND later.wants = 0 AND later.source < 2 AND later.purpose = o.purpose
              AND later.channel = o.channel AND later.sender = o.sender))))"
        )
    };
}

/// Adds opt-ins to the history. A recipient's own is kept even if it ends no opt-out: an older "stop" may still arrive. Under
/// other addresses of the recipient it is kept only where it ends one: somebody else may write under the same id.
pub(super) const NOTE_STARTS: &str = concat!(
    "INSERT INTO wish (address, at, wants, source, words, purpose, channel, sender)
     SELECT w.value ->> 0, w.value ->> 1, 1, w.value ->> 2, w.value ->> 3, w.value ->> 5, w.value ->> 6, w.value ->> 7
     FROM json_each(?1) w
     WHERE ((w.value ->> 2 = 0 AND w.value ->> 4) OR w.value ->> 0 IN ",
    opted_in!("o.address"),
    ") AND ",
    is_new!(1)
);

pub(super) const OPT_IN: &str = concat!(
    "DELETE FROM opt_out WHERE (address, purpose, channel, sender) IN ",
    opted_in!("o.address, o.purpose, o.channel, o.sender"),
    " RETURNING address"
);

/// Records opt-ins and ends opt-outs, for every address that is known to be the recipient's. Returns how many opt-outs of
/// the given addresses end.
pub(super) async fn opt_in(connection: &mut SqliteConnection, opt_ins: &[OptIn]) -> Work<u32> {
    let given: Vec<Address> = opt_ins.iter().map(|wish| wish.address.clone()).collect();
    let is_own = |index: usize| opt_ins[index].from == OptOutSource::Recipient;
    let mut others = aliases::linked(connection, &given, |index| !is_own(index)).await?;
    // Several recipients may write under one id. Which of its numbers a "start" is for comes with it, if it is known.
    others.retain(|(index, _)| !is_own(*index) || opt_ins[*index].address.user().is_none());
    let (given, mut rows) = entries(connection, &given, others, opt_ins, start).await?;
    rows.sort_unstable_by_key(|row| {
        let &(key, at, source, words, is_own, ..) = row;
        (key, of_row(row), at, source, Reverse(is_own), words)
    });
    rows.dedup_by_key(|row| (row.0, of_row(row), row.1, row.2));
    write(connection, &given, &rows, [NOTE_STARTS, OPT_IN]).await
}

fn stop(key: AddressKey, is_own: bool, OptOut { of, since, from, source, .. }: &OptOut) -> Entry<'_> {
    let (purpose, channel, sender) = columns(of);
    (key.get(), since.millis(), from.code(), source, is_own, purpose, channel, sender)
}

fn start(key: AddressKey, is_own: bool, OptIn { of, at, from, source, .. }: &OptIn) -> Entry<'_> {
    let (purpose, channel, sender) = columns(of);
    (key.get(), at.millis(), from.code(), source, is_own, purpose, channel, sender)
}

/// What an entry is about.
const fn of_row<'a>(&(.., purpose, channel, sender): &Entry<'a>) -> Columns<'a> {
    (purpose, channel, sender)
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
    // One opt-in may end several opt-outs of an address.
    let changed: HashSet<i64> = changed.into_iter().collect();
    let given: HashSet<i64> = given.iter().map(|key| key.get()).collect();
    Ok(u32::try_from(changed.intersection(&given).count()).unwrap_or(u32::MAX))
}

pub(super) const OPTED_OUT: &str = "SELECT DISTINCT address FROM opt_out
     WHERE address IN (SELECT value FROM json_each(?1)) AND purpose <= ?2 AND channel = -1 ORDER BY address";

pub(super) async fn opted_out(
    connection: &mut SqliteConnection,
    recipients: &[Msisdn],
    of: OptOutOf,
) -> Work<Vec<Msisdn>> {
    let query = sqlx::query(OPTED_OUT).bind(json_list(recipients.iter().copied().map(number))).bind(of.code());
    query.fetch_all(connection).await?.iter().map(|row| msisdn(row, "address")).collect()
}

pub(super) const OPTED_OUT_NUMBERS: &str = "SELECT DISTINCT address FROM opt_out
     WHERE address > ?1 AND purpose <= ?3 AND channel = -1 ORDER BY address LIMIT ?2";

pub(super) async fn numbers(
    connection: &mut SqliteConnection,
    after: Option<Msisdn>,
    limit: u32,
    of: OptOutOf,
) -> Work<Vec<Msisdn>> {
    let query = sqlx::query(OPTED_OUT_NUMBERS).bind(after.map_or(0, number)).bind(limit).bind(of.code());
    query.fetch_all(connection).await?.iter().map(|row| msisdn(row, "address")).collect()
}

pub(super) const OPTED_OUT_USERS: &str = "SELECT DISTINCT u.channel, u.called FROM opt_out o
     CROSS JOIN channel_user u ON u.id = -o.address WHERE o.address < 0 AND o.purpose <= ?1 AND o.channel = -1";

pub(super) async fn users(connection: &mut SqliteConnection, of: OptOutOf) -> Work<Vec<ChannelUser>> {
    let query = sqlx::query(OPTED_OUT_USERS).bind(of.code());
    query.fetch_all(connection).await?.iter().map(addresses::user).collect()
}

/// Lists made-up numbers that stood for ids before ids were addresses.
pub(super) async fn stand_ins(connection: &mut SqliteConnection) -> Work<Vec<Msisdn>> {
    let rows = sqlx::query("SELECT number FROM stand_in ORDER BY number").fetch_all(connection).await?;
    rows.iter().map(|row| msisdn(row, "number")).collect()
}

pub(super) const NUMBERS: &str = "SELECT o.*, NULL AS user_channel, NULL AS called FROM opt_out o
     WHERE o.address >= ?1 AND o.address > 0 ORDER BY o.address, o.purpose, o.channel, o.sender
     LIMIT ?2 OFFSET min(?3, (SELECT count(*) FROM opt_out known WHERE known.address = ?1))";
pub(super) const IDS: &str =
    "SELECT o.*, u.channel AS user_channel, u.called FROM opt_out o CROSS JOIN channel_user u ON u.id = -o.address
     WHERE o.address <= ?1 AND o.address < 0 ORDER BY o.address DESC, o.purpose DESC, o.channel DESC, o.sender DESC
     LIMIT ?2 OFFSET min(?3, (SELECT count(*) FROM opt_out known WHERE known.address = ?1))";

/// The two parts of the list. A cursor names the part and the address, and in the higher bits how many of the address's
/// opt-outs come before.
const OF_NUMBERS: i64 = 0;
const OF_IDS: i64 = 1;

/// Lists numbers in their order, and then ids in the order in which they came.
pub(super) async fn list(connection: &mut SqliteConnection, after: Cursor, limit: u32) -> Work<Vec<(Cursor, OptOut)>> {
    let (is_of_ids, seen, key) = match after {
        Cursor(place @ 0.., key @ 1..) => {
            (place & 1 == OF_IDS, place >> 1, if place & 1 == OF_IDS { -key } else { key })
        }
        Cursor(..) => (false, 0, 0),
    };
    let mut rows = Vec::new();
    if !is_of_ids {
        rows = sqlx::query(NUMBERS).bind(key).bind(limit).bind(seen).fetch_all(&mut *connection).await?;
    }
    let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if left > 0 {
        let (key, seen) = if is_of_ids { (key, seen) } else { (-1, 0) };
        rows.extend(sqlx::query(IDS).bind(key).bind(left).bind(seen).fetch_all(connection).await?);
    }
    let (mut last, mut count) = (key, seen);
    let mut place = |key: i64| {
        count = if key == last { count + 1 } else { 1 };
        last = key;
        Cursor(count << 1 | if key > 0 { OF_NUMBERS } else { OF_IDS }, key.abs())
    };
    rows.iter().map(|row| Ok((place(row.try_get("address")?), entry(row)?))).collect()
}

pub(super) const OF: &str = "SELECT o.*, u.channel AS user_channel, u.called FROM opt_out o
     LEFT JOIN channel_user u ON u.id = -o.address WHERE o.address = ?1 ORDER BY o.purpose, o.channel, o.sender";

/// The opt-outs of an address, the widest first.
pub(super) async fn of(connection: &mut SqliteConnection, address: &Address) -> Work<Vec<OptOut>> {
    let Some(key) = addresses::known_key(connection, address).await? else { return Ok(Vec::new()) };
    sqlx::query(OF).bind(key.get()).fetch_all(connection).await?.iter().map(entry).collect()
}

pub(super) const REPORTED: &str =
    "SELECT o.*, u.channel AS user_channel, u.called FROM opt_out o INDEXED BY opt_out_reported
     LEFT JOIN channel_user u ON u.id = -o.address WHERE o.source = 1 AND o.purpose = 0 AND o.channel = -1
     AND o.address > ?1 ORDER BY o.address LIMIT ?2";

/// Those of these addresses that have asked for an opt-out themselves, and for nothing else since.
///
/// A stop is an opt-out of everything, with no opt-in after it.
pub(super) const OWN_STOPS: &str = "SELECT DISTINCT w.address FROM wish w
     WHERE w.address IN (SELECT value FROM json_each(?1)) AND w.wants = 0 AND w.source = 0 AND w.purpose = 0
     AND NOT EXISTS (SELECT 1 FROM wish later WHERE later.address = w.address AND later.at > w.at AND later.wants = 1
         AND later.purpose = 0 AND later.channel = -1)";

/// Reads so many opt-outs of everything that the provider has reported, and leaves out those of recipients who have also
/// asked for one, under this address or another one. Returns the others, and where the next ones begin.
pub(super) async fn reported(
    connection: &mut SqliteConnection,
    after: Cursor,
    limit: u32,
) -> Work<(Vec<OptOut>, Option<Cursor>)> {
    let rows = sqlx::query(REPORTED).bind(after.id()).bind(limit).fetch_all(&mut *connection).await?;
    let next = rows.last().map(|row| Ok::<_, sqlx::Error>(Cursor::of_id(row.try_get("address")?))).transpose()?;
    let found = rows.iter().map(entry).collect::<Work<Vec<OptOut>>>()?;
    let given: Vec<Address> = found.iter().map(|opt_out| opt_out.address.clone()).collect();
    let linked = aliases::linked(connection, &given, |_| true).await?;
    let (indices, addresses): (Vec<usize>, Vec<Address>) = given.into_iter().enumerate().chain(linked).unzip();
    let keys = addresses::known_keys(connection, addresses.iter()).await?;
    let asked = json_list(keys.iter().flatten().map(|key| key.get()));
    let own: HashSet<i64> =
        sqlx::query_scalar(OWN_STOPS).bind(asked).fetch_all(connection).await?.into_iter().collect();
    let asked_for = |key: &Option<AddressKey>| key.is_some_and(|key| own.contains(&key.get()));
    let kept: HashSet<usize> =
        indices.into_iter().zip(&keys).filter(|(_, key)| asked_for(key)).map(|(index, _)| index).collect();
    let alone = found.into_iter().enumerate().filter(|(index, _)| !kept.contains(index));
    Ok((alone.map(|(_, opt_out)| opt_out).collect(), next))
}

const NARROW: &str = "DELETE FROM opt_out WHERE purpose = 0 AND channel = -1 AND sender = '' AND source = 1
     AND address IN (SELECT value FROM json_each(?1))";

const NOTE_NARROWED: &str = "INSERT INTO wish (address, at, wants, source, words)
     SELECT value, ?2, 1, 2, ?3 FROM json_each(?1)";

/// Replaces the [reported](reported) opt-outs by opt-outs of `to`: both are entries of the history. Returns how many, and
/// where the next ones begin.
pub(super) async fn narrow(
    connection: &mut SqliteConnection,
    (after, limit): (Cursor, u32),
    to: &WishSubject,
    at: Timestamp,
    how: &str,
) -> Work<(u32, Option<Cursor>)> {
    let (found, next) = reported(connection, after, limit).await?;
    if found.is_empty() {
        return Ok((0, next));
    }
    let keys = addresses::keys(connection, found.iter().map(|opt_out| &opt_out.address)).await?;
    let keys = json_list(keys.iter().map(|key| key.get()));
    sqlx::query(NARROW).bind(&keys).execute(&mut *connection).await?;
    sqlx::query(NOTE_NARROWED).bind(&keys).bind(at.millis()).bind(how).execute(&mut *connection).await?;
    let begin = |opt_out: &OptOut| OptOut { of: to.clone(), ..opt_out.clone() };
    opt_out(connection, &found.iter().map(begin).collect::<Vec<_>>()).await?;
    bump(connection).await?;
    Ok((u32::try_from(found.len()).unwrap_or(u32::MAX), next))
}

fn entry(row: &SqliteRow) -> Work<OptOut> {
    Ok(OptOut {
        address: addresses::address_on(row, "user_channel")?,
        of: subject(row)?,
        since: timestamp(row, "since")?,
        from: decoded(row, "source", OptOutSource::from_code)?,
        source: row.try_get("words")?,
    })
}

/// Reads the opt-outs and opt-ins of one recipient, in the order of arrival.
pub(super) async fn history(connection: &mut SqliteConnection, recipient: &Address) -> Work<Vec<Wish>> {
    let Some(key) = addresses::known_key(connection, recipient).await? else { return Ok(Vec::new()) };
    let rows =
        sqlx::query("SELECT * FROM wish WHERE address = ?1 ORDER BY id").bind(key.get()).fetch_all(connection).await?;
    let record = |row: &SqliteRow| {
        Ok(Wish {
            at: timestamp(row, "at")?,
            wants: decoded(row, "wants", Keyword::from_code)?,
            of: subject(row)?,
            from: decoded(row, "source", OptOutSource::from_code)?,
            source: row.try_get("words")?,
        })
    };
    rows.iter().map(record).collect()
}

/// Uses an index of the opt-outs alone: servers poll this, and the last opt-out may be followed by many opt-ins.
pub(super) const LAST_STOP: &str =
    "SELECT id FROM wish INDEXED BY wish_stop WHERE wants = 0 AND id > 0 ORDER BY id DESC LIMIT 1";
pub(super) const STOPS: &str =
    "SELECT id, address FROM wish INDEXED BY wish_stop WHERE id > ?1 AND wants = 0 ORDER BY id LIMIT ?2";

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

/// Open messages to recipients who have opted out of them from every sender, in a piece of a batch. It reads the whole
/// piece: an index from numbers to messages would cost every launch more than these reads.
pub(super) const OPEN_TO_OPTED_OUT: &str = packed!(
    message_line!(),
    "message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state <> 3 AND (marks & ?4) = 0
     AND EXISTS (SELECT 1 FROM opt_out o WHERE o.address = message.address AND o.purpose <= ?5 AND o.channel = -1)"
);

/// Claimed messages to recipients with an opt-out of any subject, in a piece of a batch.
pub(super) const CLAIMED: &str = packed!(
    message_line!(),
    "message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state = 1
     AND EXISTS (SELECT 1 FROM opt_out o WHERE o.address = message.address)"
);

pub(super) async fn claimed(
    connection: &mut SqliteConnection,
    batch: BatchId,
    from: u32,
    span: u32,
) -> Work<Vec<Loaded>> {
    let query = sqlx::query(CLAIMED).bind(batch.0).bind(from).bind(from.saturating_add(span));
    all_loaded(&lines(connection, query).await?)
}

pub(super) async fn opted_out_messages(
    connection: &mut SqliteConnection,
    batch: BatchId,
    of: OptOutOf,
    from: u32,
    span: u32,
) -> Work<(Vec<Loaded>, Option<u32>)> {
    let until = from.saturating_add(span);
    let query = sqlx::query(OPEN_TO_OPTED_OUT)
        .bind(batch.0)
        .bind(from)
        .bind(until)
        .bind(Marks::default().with_opted_out().bits())
        .bind(of.code());
    let mut found = all_loaded(&lines(connection, query).await?)?;
    found.sort_unstable_by_key(|message| message.key);
    let next = sqlx::query("SELECT min(n) AS n FROM message WHERE batch = ?1 AND n >= ?2")
        .bind(batch.0)
        .bind(until)
        .fetch_one(connection)
        .await?;
    Ok((found, maybe_small(&next, "n")?))
}
