//! Stores opt-outs by a channel's id for a recipient, and their history. They apply to every number that is known with the
//! id.

use std::cmp::Reverse;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::aliases::NUMBERS_OF;
use super::opt_outs;
use super::rows::{decoded, json_of, msisdn, small, timestamp};
use crate::domain::{Channel, ChannelUser, Msisdn, OptOutSource};
use crate::store::{OptIn, OptOut, OptOutRecord, UserOptIn, UserOptOut};

/// An entry of the history as it is bound: channel, id, time, who asked for it, and the words that are shown.
type Entry<'a> = (u8, &'a str, i64, u8, &'a str);

/// As with opt-outs by number: of a recipient's own requests the later one wins, in whatever order they arrive.
macro_rules! not_superseded {
    () => {
        "(w.value ->> 3 <> 0 OR NOT EXISTS (SELECT 1 FROM opt_out_id_record later WHERE later.channel = w.value ->> 0
          AND later.called = w.value ->> 1 AND later.at > w.value ->> 2 AND later.wants = 1 AND later.source = 0))"
    };
}

pub(super) const NOTE_STOPS: &str = concat!(
    "INSERT INTO opt_out_id_record (channel, called, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, 0, w.value ->> 3, w.value ->> 4
     FROM json_each(?1) w LEFT JOIN opt_out_id o ON o.channel = w.value ->> 0 AND o.called = w.value ->> 1
     WHERE (w.value ->> 3 = 0 OR o.called IS NULL OR o.source < w.value ->> 3) AND ",
    not_superseded!()
);

pub(super) const OPT_OUT: &str = concat!(
    "INSERT INTO opt_out_id (channel, called, since, source, words)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3, w.value ->> 4 FROM json_each(?1) w WHERE ",
    not_superseded!(),
    " ON CONFLICT DO UPDATE SET source = excluded.source, words = excluded.words
      WHERE excluded.source > opt_out_id.source"
);

/// Records opt-outs. Returns how many ids' entries that adds or changes.
pub(super) async fn opt_out(connection: &mut SqliteConnection, opt_outs: &[UserOptOut]) -> Work<u32> {
    let mut rows: Vec<Entry<'_>> = opt_outs
        .iter()
        .map(|UserOptOut { user, since, from, source }| {
            (user.channel.code(), user.id.as_str(), since.millis(), from.code(), source.as_str())
        })
        .collect();
    // See opt-outs by number: of each id's entries the one with the highest source applies, but each of the recipient's own
    // stays in the history.
    rows.sort_unstable_by_key(|&(channel, called, since, source, words)| {
        (channel, called, Reverse(source), since, words)
    });
    rows.dedup_by_key(|&mut (channel, called, since, source, _)| {
        (channel, called, (source == OptOutSource::Recipient.code()).then_some(since))
    });
    let rows = json_of(&rows, "wish")?;
    sqlx::query(NOTE_STOPS).bind(&rows).execute(&mut *connection).await?;
    let added = sqlx::query(OPT_OUT).bind(&rows).execute(&mut *connection).await?.rows_affected();
    Ok(u32::try_from(added).unwrap_or(u32::MAX))
}

/// The ids whose opt-out these opt-ins end, under the rules for numbers.
macro_rules! opted_in {
    () => {
        "(SELECT o.channel, o.called FROM json_each(?1) w
          CROSS JOIN opt_out_id o ON o.channel = w.value ->> 0 AND o.called = w.value ->> 1
          WHERE w.value ->> 3 = 2 OR (o.source < 2 AND o.since <= w.value ->> 2
          AND NOT EXISTS (SELECT 1 FROM opt_out_id_record later WHERE later.channel = o.channel
          AND later.called = o.called AND later.at > w.value ->> 2 AND later.wants = 0 AND later.source < 2)))"
    };
}

pub(super) const NOTE_STARTS: &str = concat!(
    "INSERT INTO opt_out_id_record (channel, called, at, wants, source, words)
     SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, 1, w.value ->> 3, w.value ->> 4 FROM json_each(?1) w
     WHERE w.value ->> 3 = 0 OR (w.value ->> 0, w.value ->> 1) IN ",
    opted_in!()
);

pub(super) const OPT_IN: &str = concat!("DELETE FROM opt_out_id WHERE (channel, called) IN ", opted_in!());

/// Records opt-ins and ends opt-outs. Returns how many opt-outs end.
pub(super) async fn opt_in(connection: &mut SqliteConnection, opt_ins: &[UserOptIn]) -> Work<u32> {
    let rows: Vec<Entry<'_>> = opt_ins
        .iter()
        .map(|UserOptIn { user, at, from, source }| {
            (user.channel.code(), user.id.as_str(), at.millis(), from.code(), source.as_str())
        })
        .collect();
    let rows = json_of(&rows, "wish")?;
    sqlx::query(NOTE_STARTS).bind(&rows).execute(&mut *connection).await?;
    let ended = sqlx::query(OPT_IN).bind(&rows).execute(&mut *connection).await?.rows_affected();
    Ok(u32::try_from(ended).unwrap_or(u32::MAX))
}

/// Opts ids out, and the numbers that are known with them.
pub(super) async fn opt_out_with_numbers(connection: &mut SqliteConnection, users: &[UserOptOut]) -> Work<u32> {
    let changed = opt_out(connection, users).await?;
    let known = numbers(connection, users.iter().map(|entry| &entry.user)).await?;
    let of = |(index, msisdn): (usize, Msisdn)| {
        let UserOptOut { since, from, source, .. } = users.get(index)?.clone();
        Some(OptOut { msisdn, since, from, source })
    };
    let opt_outs: Vec<OptOut> = known.into_iter().filter_map(of).collect();
    if !opt_outs.is_empty() {
        opt_outs::opt_out(connection, &opt_outs).await?;
    }
    Ok(changed)
}

/// Opts ids in again, and the numbers that are known with them.
pub(super) async fn opt_in_with_numbers(connection: &mut SqliteConnection, users: &[UserOptIn]) -> Work<u32> {
    let changed = opt_in(connection, users).await?;
    let known = numbers(connection, users.iter().map(|entry| &entry.user)).await?;
    let of = |(index, msisdn): (usize, Msisdn)| {
        let UserOptIn { at, from, source, .. } = users.get(index)?.clone();
        Some(OptIn { msisdn, at, from, source })
    };
    let opt_ins: Vec<OptIn> = known.into_iter().filter_map(of).collect();
    if !opt_ins.is_empty() {
        opt_outs::opt_in(connection, &opt_ins).await?;
    }
    Ok(changed)
}

/// The known numbers of each id, by its index.
async fn numbers<'a>(
    connection: &mut SqliteConnection,
    users: impl Iterator<Item = &'a ChannelUser>,
) -> Work<Vec<(usize, Msisdn)>> {
    let names: Vec<(u8, &str)> = users.map(|user| (user.channel.code(), user.id.as_str())).collect();
    let rows = sqlx::query(NUMBERS_OF).bind(json_of(&names, "alias")?).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((small(row, "index_of")?, msisdn(row, "msisdn")?))).collect()
}

pub(super) async fn numbers_of(connection: &mut SqliteConnection, user: &ChannelUser) -> Work<Vec<Msisdn>> {
    let mut known: Vec<Msisdn> =
        numbers(connection, std::iter::once(user)).await?.into_iter().map(|(_, msisdn)| msisdn).collect();
    known.sort_unstable();
    Ok(known)
}

/// The ids of numbers that opt in, with the numbers' own requests.
pub(super) const OF_NUMBERS: &str = "SELECT a.channel, a.called, w.value ->> 1 AS at, w.value ->> 2 AS source,
         w.value ->> 3 AS words FROM json_each(?1) w
     CROSS JOIN alias a INDEXED BY alias_recipient ON a.msisdn = w.value ->> 0
     CROSS JOIN opt_out_id o ON o.channel = a.channel AND o.called = a.called";

/// Ends the opt-outs of the ids of numbers that opt in; `rows` are the numbers' entries.
pub(super) async fn opt_in_numbers(connection: &mut SqliteConnection, rows: &str) -> Work<()> {
    let found = sqlx::query(OF_NUMBERS).bind(rows).fetch_all(&mut *connection).await?;
    if found.is_empty() {
        return Ok(());
    }
    let of = |row: &SqliteRow| {
        let (at, source) = (timestamp(row, "at")?, row.try_get("words")?);
        Ok(UserOptIn { user: user(row)?, at, from: decoded(row, "source", OptOutSource::from_code)?, source })
    };
    opt_in(connection, &found.iter().map(of).collect::<Work<Vec<_>>>()?).await?;
    Ok(())
}

fn user(row: &SqliteRow) -> Work<ChannelUser> {
    Ok(ChannelUser { channel: decoded(row, "channel", Channel::from_code)?, id: row.try_get("called")? })
}

pub(super) const LIST: &str =
    "SELECT * FROM opt_out_id WHERE (channel, called) > (?1, ?2) ORDER BY channel, called LIMIT ?3";

pub(super) async fn list(
    connection: &mut SqliteConnection,
    after: Option<&ChannelUser>,
    limit: u32,
) -> Work<Vec<UserOptOut>> {
    let rows = sqlx::query(LIST)
        .bind(after.map_or(-1, |user| i64::from(user.channel.code())))
        .bind(after.map_or("", |user| user.id.as_str()).to_owned())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(entry).collect()
}

pub(super) async fn of_user(connection: &mut SqliteConnection, user: &ChannelUser) -> Work<Option<UserOptOut>> {
    let row = sqlx::query("SELECT * FROM opt_out_id WHERE channel = ?1 AND called = ?2")
        .bind(user.channel.code())
        .bind(user.id.clone())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(entry).transpose()
}

fn entry(row: &SqliteRow) -> Work<UserOptOut> {
    Ok(UserOptOut {
        user: user(row)?,
        since: timestamp(row, "since")?,
        from: decoded(row, "source", OptOutSource::from_code)?,
        source: row.try_get("words")?,
    })
}

pub(super) const HISTORY: &str = "SELECT * FROM opt_out_id_record WHERE channel = ?1 AND called = ?2 ORDER BY id";

/// Reads the opt-outs and opt-ins of one id, in the order of arrival.
pub(super) async fn history(connection: &mut SqliteConnection, user: &ChannelUser) -> Work<Vec<OptOutRecord>> {
    let rows = sqlx::query(HISTORY).bind(user.channel.code()).bind(user.id.clone()).fetch_all(connection).await?;
    rows.iter().map(opt_outs::record).collect()
}
