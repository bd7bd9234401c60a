//! Maps the names that channels use for recipients to their numbers, for inbound messages without a number.

use std::collections::BTreeSet;

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::messages::number;
use super::opt_outs::{by_message, opt_in, opt_out};
use super::rows::{decoded, json_of, msisdn, small, timestamp};
use crate::domain::{Channel, ChannelUser, Keyword, Msisdn, OptOutSource};
use crate::store::{Alias, Inbound, OptIn, OptOut};

pub(super) const NUMBERS_OF: &str = "SELECT asked.key AS index_of, alias.msisdn FROM json_each(?1) asked
     CROSS JOIN alias ON alias.channel = asked.value ->> 0 AND alias.called = asked.value ->> 1";

pub(super) const OF_NUMBER: &str =
    "SELECT channel, called FROM alias INDEXED BY alias_recipient WHERE msisdn = ?1 ORDER BY channel, called";

/// The names that channels use for a number.
pub(super) async fn of_number(connection: &mut SqliteConnection, recipient: Msisdn) -> Work<Vec<ChannelUser>> {
    let rows = sqlx::query(OF_NUMBER).bind(number(recipient)).fetch_all(connection).await?;
    let user =
        |row| Ok(ChannelUser { channel: decoded(row, "channel", Channel::from_code)?, id: row.try_get("called")? });
    rows.iter().map(user).collect()
}

/// Returns the known numbers of each message's sender: the one that it carries, and those that its channel calls by the
/// same name.
///
/// Fills in the number of a message that carries none if exactly one is known.
pub(super) async fn resolve(connection: &mut SqliteConnection, inbound: &mut [Inbound]) -> Work<Vec<Vec<Msisdn>>> {
    let mut senders: Vec<Vec<Msisdn>> = inbound.iter().map(|message| message.msisdn.into_iter().collect()).collect();
    let called = inbound.iter().enumerate();
    let called = called.filter_map(|(index, message)| Some((index, message.channel?, message.called.as_deref()?)));
    let (indices, names): (Vec<usize>, Vec<(u8, &str)>) =
        called.map(|(index, channel, called)| (index, (channel.code(), called))).unzip();
    if names.is_empty() {
        return Ok(senders);
    }
    for row in &sqlx::query(NUMBERS_OF).bind(json_of(&names, "alias")?).fetch_all(connection).await? {
        let (index, number): (usize, _) = (small(row, "index_of")?, msisdn(row, "msisdn")?);
        if let Some(numbers) = indices.get(index).and_then(|index| senders.get_mut(*index))
            && !numbers.contains(&number)
        {
            numbers.push(number);
        }
    }
    for (message, numbers) in inbound.iter_mut().zip(&senders) {
        if let ([only], None) = (numbers.as_slice(), message.msisdn) {
            message.msisdn = Some(*only);
        }
    }
    Ok(senders)
}

pub(super) const LEARN: &str = "INSERT INTO alias (channel, called, msisdn)
     SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2 FROM json_each(?1) new WHERE true
     ON CONFLICT DO NOTHING RETURNING channel, called, msisdn";

/// Whether a name belongs to exactly one number, so that what was written under it is that number's.
macro_rules! only_one {
    () => {
        "(SELECT count(*) FROM alias WHERE alias.channel = new.value ->> 0 AND alias.called = new.value ->> 1) = 1"
    };
}

pub(super) const FILL_NUMBERS: &str = concat!(
    "UPDATE inbound SET msisdn = new.value ->> 2 FROM json_each(?1) new
     WHERE inbound.called = new.value ->> 1 AND inbound.called IS NOT NULL AND inbound.channel = new.value ->> 0
     AND inbound.msisdn IS NULL AND ",
    only_one!()
);

/// The latest keyword sent under each new name, to find a "start"; of two with the same time, "stop".
pub(super) const LAST_KEYWORDS: &str = concat!(
    "SELECT new.value ->> 0 AS channel, new.value ->> 2 AS msisdn, written_at, keyword, ",
    only_one!(),
    " AS only, max(written_at * 2 + (keyword = 0)) FROM json_each(?1) new
     CROSS JOIN inbound INDEXED BY inbound_called ON inbound.called = new.value ->> 1
     WHERE inbound.called IS NOT NULL AND inbound.channel = new.value ->> 0 AND keyword IS NOT NULL GROUP BY new.key"
);

/// The opt-outs under each new name.
pub(super) const OPT_OUTS_OF: &str =
    "SELECT new.value ->> 2 AS msisdn, o.since, o.source, o.words FROM json_each(?1) new
     CROSS JOIN opt_out_id o ON o.channel = new.value ->> 0 AND o.called = new.value ->> 1";

/// Stores names of recipients, and applies what earlier inbound messages under the new ones asked for. Returns the
/// numbers that this opts out.
pub(super) async fn learn(connection: &mut SqliteConnection, aliases: Vec<Alias>) -> Work<Vec<Msisdn>> {
    let all: Vec<(u8, &str, i64)> =
        aliases.iter().map(|alias| (alias.channel.code(), alias.called.as_str(), number(alias.msisdn))).collect();
    let all = json_of(&all, "alias")?;
    let new: Vec<(u8, String, i64)> = sqlx::query_as(LEARN).bind(all).fetch_all(&mut *connection).await?;
    // Most are known, because most recipients get more than one message.
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let new = json_of(&new, "alias")?;
    sqlx::query(FILL_NUMBERS).bind(&new).execute(&mut *connection).await?;
    let (mut opt_outs, mut opt_ins) = (Vec::new(), Vec::new());
    for row in &sqlx::query(LAST_KEYWORDS).bind(&new).fetch_all(&mut *connection).await? {
        let (msisdn, at) = (msisdn(row, "msisdn")?, timestamp(row, "written_at")?);
        let keyword = decoded(row, "keyword", Keyword::from_code)?;
        // A "stop" is an opt-out of the id, unless that has ended since. A recipient with several numbers may mean another
        // one with a "start".
        if keyword == Keyword::Start && small::<u8>(row, "only")? != 0 {
            let source = by_message(keyword, Some(decoded(row, "channel", Channel::from_code)?));
            opt_ins.push(OptIn { msisdn, at, from: OptOutSource::Recipient, source });
        }
    }
    for row in &sqlx::query(OPT_OUTS_OF).bind(&new).fetch_all(&mut *connection).await? {
        let from = decoded(row, "source", OptOutSource::from_code)?;
        let (msisdn, since) = (msisdn(row, "msisdn")?, timestamp(row, "since")?);
        opt_outs.push(OptOut { msisdn, since, from, source: row.try_get("words")? });
    }
    if !opt_outs.is_empty() {
        opt_out(connection, &opt_outs).await?;
    }
    if !opt_ins.is_empty() {
        opt_in(connection, &opt_ins).await?;
    }
    // A recipient with several ids may come more than once.
    Ok(opt_outs.into_iter().map(|opt_out| opt_out.msisdn).collect::<BTreeSet<_>>().into_iter().collect())
}
