//! Stores opt-outs and their history: every opt-out and opt-in, in the order of arrival.

use std::cmp::Reverse;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batches::bump;
use super::messages::number;
use super::rows::{
    all_loaded, decoded, json_list, json_of, lines, maybe_small, message_line, msisdn, packed, timestamp,
};
use super::{Work, aliases, opt_out_ids};
use crate::domain::{BatchId, Channel, Keyword, Loaded, Marks, Msisdn, OptOutSource};
use crate::store::{Cursor, OptIn, OptOut, OptOutRecord};

/// An entry of the history as it is bound: number, time, who asked for it, and the words that are shown.
type Entry<'a> = (i64, i64, u8, &'a str);

/// Describes an opt-out or opt-in by an inbound message, such as `stop by message on SMS`.
pub(super) fn by_message(keyword: Keyword, channel: Option<Channel>) -> String {
    let on = channel.map(|channel| format!(" on {channel}")).unwrap_or_default();
    format!("{} by message{on}", keyword.as_str())
}

fn as_json(entries: &[Entry<'_>]) -> Work<String> {
    json_of(entries, "wish")
}

/// The condition that the recipient has not opted in later. It applies to a recipient's own opt-out: of a recipient's own
/// requests the later one wins, in whatever order they arrive.
macro_rules! not_superseded {
    () => {
        "(w.value ->> 2 <> 0 OR NOT EXISTS (SELECT 1 FROM opt_out_record later WHERE later.msisdn = w.value ->> 0
          AND later.at > w.value ->> 1 AND later.wants = 1 AND later.source = 0))"
    };
}

/// Adds opt-outs to the history: those that change something, and each of a recipient's own. A repeated "stop" changes
/// nothing, but it wins over an older "start" that arrives after it.
pub(super) const NOTE_STOPS: &str = concat!(
    "INSERT INTO opt_out_record (msisdn, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, 0, w.value ->> 2, w.value ->> 3
     FROM json_each(?1) w LEFT JOIN opt_out o ON o.msisdn = w.value ->> 0
     WHERE (w.value ->> 2 = 0 OR o.msisdn IS NULL OR o.source < w.value ->> 2) AND ",
    not_superseded!()
);

pub(super) const OPT_OUT: &str = concat!(
    "INSERT INTO opt_out (msisdn, since, source, words)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) w WHERE ",
    not_superseded!(),
    " ON CONFLICT DO UPDATE SET source = excluded.source, words = excluded.words WHERE excluded.source > opt_out.source"
);

/// Records opt-outs, for every number that is known to be the recipient's. Returns how many of the given numbers' entries
/// that adds or changes.
pub(super) async fn opt_out(connection: &mut SqliteConnection, opt_outs: &[OptOut]) -> Work<u32> {
    let recipients: Vec<Msisdn> = opt_outs.iter().map(|opt_out| opt_out.msisdn).collect();
    let others = aliases::linked(connection, &recipients).await?;
    let others =
        others.into_iter().filter_map(|(index, msisdn)| Some(OptOut { msisdn, ..opt_outs.get(index)?.clone() }));
    let others: Vec<OptOut> = others.collect();
    let added = write_opt_outs(connection, opt_outs).await?;
    if !others.is_empty() {
        write_opt_outs(connection, &others).await?;
    }
    Ok(added)
}

async fn write_opt_outs(connection: &mut SqliteConnection, opt_outs: &[OptOut]) -> Work<u32> {
    let mut rows: Vec<Entry<'_>> = opt_outs
        .iter()
        .map(|entry| (number(entry.msisdn), entry.since.millis(), entry.from.code(), entry.source.as_str()))
        .collect();
    // Of each recipient's entries the one with the highest source applies, and of several of those the first. The others
    // are dropped, except for the recipient's own.
    rows.sort_unstable_by_key(|&(msisdn, since, source, words)| (msisdn, Reverse(source), since, words));
    rows.dedup_by_key(|&mut (msisdn, since, source, _)| {
        (msisdn, (source == OptOutSource::Recipient.code()).then_some(since))
    });
    let rows = as_json(&rows)?;
    sqlx::query(NOTE_STOPS).bind(&rows).execute(&mut *connection).await?;
    let added = sqlx::query(OPT_OUT).bind(&rows).execute(&mut *connection).await?.rows_affected();
    if added > 0 {
        bump(connection).await?;
    }
    Ok(u32::try_from(added).unwrap_or(u32::MAX))
}

/// The recipients whose opt-out these opt-ins end. A recipient's own opt-in ends none if any "stop" is later, even
/// a repeated one.
macro_rules! opted_in {
    () => {
        "(SELECT o.msisdn FROM json_each(?1) w CROSS JOIN opt_out o ON o.msisdn = w.value ->> 0
          WHERE w.value ->> 2 = 2 OR (o.source < 2 AND o.since <= w.value ->> 1
          AND NOT EXISTS (SELECT 1 FROM opt_out_record later WHERE later.msisdn = o.msisdn
          AND later.at > w.value ->> 1 AND later.wants = 0 AND later.source < 2)))"
    };
}

/// Adds opt-ins to the history. A recipient's own is kept even if it ends no opt-out: an older "stop" may still arrive.
pub(super) const NOTE_STARTS: &str = concat!(
    "INSERT INTO opt_out_record (msisdn, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) w
     WHERE w.value ->> 2 = 0 OR w.value ->> 0 IN ",
    opted_in!()
);

pub(super) const OPT_IN: &str = concat!("DELETE FROM opt_out WHERE msisdn IN ", opted_in!());

/// Records opt-ins and ends opt-outs, for every number that is known to be the recipient's. Returns how many opt-outs of
/// the given numbers end.
pub(super) async fn opt_in(connection: &mut SqliteConnection, opt_ins: &[OptIn]) -> Work<u32> {
    let recipients: Vec<Msisdn> = opt_ins.iter().map(|opt_in| opt_in.msisdn).collect();
    let others = aliases::linked(connection, &recipients).await?;
    let others = others.into_iter().filter_map(|(index, msisdn)| Some(OptIn { msisdn, ..opt_ins.get(index)?.clone() }));
    let others: Vec<OptIn> = others.collect();
    let ended = write_opt_ins(connection, opt_ins).await?;
    if !others.is_empty() {
        write_opt_ins(connection, &others).await?;
    }
    Ok(ended)
}

async fn write_opt_ins(connection: &mut SqliteConnection, opt_ins: &[OptIn]) -> Work<u32> {
    let rows: Vec<Entry<'_>> = opt_ins
        .iter()
        .map(|entry| (number(entry.msisdn), entry.at.millis(), entry.from.code(), entry.source.as_str()))
        .collect();
    let rows = as_json(&rows)?;
    sqlx::query(NOTE_STARTS).bind(&rows).execute(&mut *connection).await?;
    let ended = sqlx::query(OPT_IN).bind(&rows).execute(&mut *connection).await?.rows_affected();
    if ended > 0 {
        opt_out_ids::opt_in_numbers(connection, &rows).await?;
        bump(connection).await?;
    }
    Ok(u32::try_from(ended).unwrap_or(u32::MAX))
}

pub(super) async fn opted_out(connection: &mut SqliteConnection, recipients: &[Msisdn]) -> Work<Vec<Msisdn>> {
    let rows =
        sqlx::query("SELECT msisdn FROM opt_out WHERE msisdn IN (SELECT value FROM json_each(?1)) ORDER BY msisdn")
            .bind(json_list(recipients.iter().copied().map(number)))
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| msisdn(row, "msisdn")).collect()
}

pub(super) async fn opt_outs(
    connection: &mut SqliteConnection,
    after: Option<Msisdn>,
    limit: u32,
) -> Work<Vec<Msisdn>> {
    let rows = sqlx::query("SELECT msisdn FROM opt_out WHERE msisdn > ?1 ORDER BY msisdn LIMIT ?2")
        .bind(after.map_or(0, number))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| msisdn(row, "msisdn")).collect()
}

pub(super) const LIST: &str = "SELECT * FROM opt_out WHERE msisdn > ?1 ORDER BY msisdn LIMIT ?2";

pub(super) async fn list(connection: &mut SqliteConnection, after: Option<Msisdn>, limit: u32) -> Work<Vec<OptOut>> {
    let rows = sqlx::query(LIST).bind(after.map_or(0, number)).bind(limit).fetch_all(connection).await?;
    let of = |row: &SqliteRow| {
        Ok(OptOut {
            msisdn: msisdn(row, "msisdn")?,
            since: timestamp(row, "since")?,
            from: decoded(row, "source", OptOutSource::from_code)?,
            source: row.try_get("words")?,
        })
    };
    rows.iter().map(of).collect()
}

/// Reads the opt-outs and opt-ins of one recipient, in the order of arrival.
pub(super) async fn history(connection: &mut SqliteConnection, recipient: Msisdn) -> Work<Vec<OptOutRecord>> {
    let rows = sqlx::query("SELECT * FROM opt_out_record WHERE msisdn = ?1 ORDER BY id")
        .bind(number(recipient))
        .fetch_all(connection)
        .await?;
    rows.iter().map(record).collect()
}

/// An opt-out or an opt-in, of a number or of an id.
pub(super) fn record(row: &SqliteRow) -> Work<OptOutRecord> {
    Ok(OptOutRecord {
        at: timestamp(row, "at")?,
        wants: decoded(row, "wants", Keyword::from_code)?,
        from: decoded(row, "source", OptOutSource::from_code)?,
        source: row.try_get("words")?,
    })
}

/// Uses an index of the opt-outs alone: servers poll this, and the last opt-out may be followed by many opt-ins.
pub(super) const LAST_STOP: &str =
    "SELECT id FROM opt_out_record INDEXED BY opt_out_record_stop WHERE wants = 0 AND id > 0 ORDER BY id DESC LIMIT 1";
pub(super) const STOPS: &str = "SELECT id, msisdn FROM opt_out_record INDEXED BY opt_out_record_stop WHERE id > ?1 AND wants = 0 ORDER BY id LIMIT ?2";

pub(super) async fn last_stop(connection: &mut SqliteConnection) -> Work<Cursor> {
    let row = sqlx::query(LAST_STOP).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?.map_or(Cursor::START, Cursor::of_id))
}

pub(super) async fn stops(connection: &mut SqliteConnection, after: Cursor, limit: u32) -> Work<Vec<(Cursor, Msisdn)>> {
    let rows = sqlx::query(STOPS).bind(after.id()).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), msisdn(row, "msisdn")?))).collect()
}

/// Open messages to opted-out recipients, in a piece of a batch. It reads the whole piece: an index from numbers to
/// messages would cost every launch more than these reads.
pub(super) const OPEN_TO_OPTED_OUT: &str = packed!(
    message_line!(),
    "message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state <> 3 AND (marks & ?4) = 0
     AND EXISTS (SELECT 1 FROM opt_out o WHERE o.msisdn = message.msisdn)"
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
