//! Who wants nothing more, and what they wished before.

use std::cmp::Reverse;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::batches::bump;
use super::messages::number;
use super::rows::{all_loaded, json_list, json_of, lines, maybe_small, message_line, timestamp, msisdn, packed, decoded};
use crate::domain::{BatchId, Channel, Keyword, Loaded, Marks, Msisdn, WishFrom};
use crate::store::{OptIn, OptOut, Wish};

/// Wishes as they are handed in: number, time, source, words.
type Row4<'a> = (i64, i64, u8, &'a str);

/// How a wish was said that somebody wrote, for people.
pub(super) fn by_message(keyword: Keyword, channel: Option<Channel>) -> String {
    let on = channel.map(|channel| format!(" on {channel}")).unwrap_or_default();
    format!("{} by message{on}", keyword.as_str())
}

fn as_json(rows: &[Row4<'_>]) -> Work<String> {
    json_of(rows, "wishes")
}

/// A person's own word does not outlive a later one of theirs, in whatever order they come in.
macro_rules! still_meant {
    () => {
        "(w.value ->> 2 <> 0 OR NOT EXISTS (SELECT 1 FROM wish later WHERE later.msisdn = w.value ->> 0
          AND later.at > w.value ->> 1 AND later.wants = 1 AND later.source = 0))"
    };
}

/// The wishes that are news, for the record; and every word of a person's, which an older "start" has to give way to
/// although it put nobody out.
pub(super) const NOTE_STOPS: &str = concat!(
    "INSERT INTO wish (msisdn, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, 0, w.value ->> 2, w.value ->> 3
     FROM json_each(?1) w LEFT JOIN opt_out o ON o.msisdn = w.value ->> 0
     WHERE (w.value ->> 2 = 0 OR o.msisdn IS NULL OR o.source < w.value ->> 2) AND ",
    still_meant!()
);

pub(super) const OPT_OUT: &str = concat!(
    "INSERT INTO opt_out (msisdn, since, source, words)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) w WHERE ",
    still_meant!(),
    " ON CONFLICT DO UPDATE SET source = excluded.source, words = excluded.words WHERE excluded.source > opt_out.source"
);

pub(super) async fn opt_out(connection: &mut SqliteConnection, people: &[OptOut]) -> Work<u32> {
    let mut rows: Vec<Row4<'_>> = people
        .iter()
        .map(|wish| (number(wish.msisdn), wish.since.millis(), wish.from.code(), wish.source.as_str()))
        .collect();
    // Of each person the weightiest wish holds, and of those the first; the others are dropped, but for the person's own.
    rows.sort_unstable_by_key(|&(person, since, source, words)| (person, Reverse(source), since, words));
    rows.dedup_by_key(|&mut (person, since, source, _)| (person, (source == WishFrom::Person.code()).then_some(since)));
    let rows = as_json(&rows)?;
    sqlx::query(NOTE_STOPS).bind(&rows).execute(&mut *connection).await?;
    let added = sqlx::query(OPT_OUT).bind(&rows).execute(&mut *connection).await?.rows_affected();
    if added > 0 {
        bump(connection).await?;
    }
    Ok(u32::try_from(added).unwrap_or(u32::MAX))
}

/// Whom these wishes let back: nobody by a word of theirs that is older than a "stop", be it also a repeated one.
macro_rules! let_back {
    () => {
        "(SELECT o.msisdn FROM json_each(?1) w CROSS JOIN opt_out o ON o.msisdn = w.value ->> 0
          WHERE w.value ->> 2 = 2 OR (o.source < 2 AND o.since <= w.value ->> 1
          AND NOT EXISTS (SELECT 1 FROM wish later WHERE later.msisdn = o.msisdn
          AND later.at > w.value ->> 1 AND later.wants = 0 AND later.source < 2)))"
    };
}

/// A person's word is kept also where it lifts nothing: an older "stop" may still come.
pub(super) const NOTE_STARTS: &str = concat!(
    "INSERT INTO wish (msisdn, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) w
     WHERE w.value ->> 2 = 0 OR w.value ->> 0 IN ",
    let_back!()
);

pub(super) const OPT_IN: &str = concat!("DELETE FROM opt_out WHERE msisdn IN ", let_back!());

pub(super) async fn opt_in(connection: &mut SqliteConnection, people: &[OptIn]) -> Work<u32> {
    let rows: Vec<Row4<'_>> = people
        .iter()
        .map(|wish| (number(wish.msisdn), wish.at.millis(), wish.from.code(), wish.source.as_str()))
        .collect();
    let rows = as_json(&rows)?;
    sqlx::query(NOTE_STARTS).bind(&rows).execute(&mut *connection).await?;
    let lifted = sqlx::query(OPT_IN).bind(&rows).execute(&mut *connection).await?.rows_affected();
    if lifted > 0 {
        bump(connection).await?;
    }
    Ok(u32::try_from(lifted).unwrap_or(u32::MAX))
}

pub(super) async fn opted_out(connection: &mut SqliteConnection, people: &[Msisdn]) -> Work<Vec<Msisdn>> {
    let rows =
        sqlx::query("SELECT msisdn FROM opt_out WHERE msisdn IN (SELECT value FROM json_each(?1)) ORDER BY msisdn")
            .bind(json_list(people.iter().copied().map(number)))
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

pub(super) async fn list(connection: &mut SqliteConnection, after: Option<Msisdn>, limit: u32) -> Work<Vec<OptOut>> {
    let rows = sqlx::query("SELECT * FROM opt_out WHERE msisdn > ?1 ORDER BY msisdn LIMIT ?2")
        .bind(after.map_or(0, number))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let of = |row: &SqliteRow| {
        Ok(OptOut {
            msisdn: msisdn(row, "msisdn")?,
            since: timestamp(row, "since")?,
            from: decoded(row, "source", WishFrom::from_code)?,
            source: row.try_get("words")?,
        })
    };
    rows.iter().map(of).collect()
}

pub(super) async fn wishes(connection: &mut SqliteConnection, person: Msisdn) -> Work<Vec<Wish>> {
    let rows = sqlx::query("SELECT * FROM wish WHERE msisdn = ?1 ORDER BY id")
        .bind(number(person))
        .fetch_all(connection)
        .await?;
    let of = |row: &SqliteRow| {
        Ok(Wish {
            at: timestamp(row, "at")?,
            wants: decoded(row, "wants", Keyword::from_code)?,
            from: decoded(row, "source", WishFrom::from_code)?,
            source: row.try_get("words")?,
        })
    };
    rows.iter().map(of).collect()
}

/// Servers ask all the time, and where starts are many and stops few the last one lies far back.
pub(super) const LAST_STOP: &str =
    "SELECT id FROM wish INDEXED BY wish_stop WHERE wants = 0 AND id > 0 ORDER BY id DESC LIMIT 1";
pub(super) const STOPS: &str =
    "SELECT id, msisdn FROM wish INDEXED BY wish_stop WHERE id > ?1 AND wants = 0 ORDER BY id LIMIT ?2";

pub(super) async fn last_stop(connection: &mut SqliteConnection) -> Work<i64> {
    let row = sqlx::query(LAST_STOP).fetch_optional(connection).await?;
    Ok(row.map(|row| row.try_get("id")).transpose()?.unwrap_or(0))
}

pub(super) async fn stops(connection: &mut SqliteConnection, after: i64, limit: u32) -> Work<Vec<(i64, Msisdn)>> {
    let rows = sqlx::query(STOPS).bind(after).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, msisdn(row, "msisdn")?))).collect()
}

/// Walks over a piece of a batch. No index leads from a number to its messages: it would cost every launch more than
/// these walks do.
pub(super) const OPEN_TO_OPTED_OUT: &str = packed!(
    message_line!(),
    "message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state <> 3 AND (marks & ?4) = 0
     AND EXISTS (SELECT 1 FROM opt_out o WHERE o.msisdn = message.msisdn)"
);

pub(super) async fn unwilling(
    connection: &mut SqliteConnection,
    batch: BatchId,
    from: u32,
    span: u32,
) -> Work<(Vec<Loaded>, Option<u32>)> {
    let until = from.saturating_add(span);
    let query =
        sqlx::query(OPEN_TO_OPTED_OUT).bind(batch.0).bind(from).bind(until).bind(Marks::default().with_opted_out().bits());
    let mut found = all_loaded(&lines(connection, query).await?)?;
    found.sort_unstable_by_key(|message| message.key);
    let next = sqlx::query("SELECT min(n) AS n FROM message WHERE batch = ?1 AND n >= ?2")
        .bind(batch.0)
        .bind(until)
        .fetch_one(connection)
        .await?;
    Ok((found, maybe_small(&next, "n")?))
}
