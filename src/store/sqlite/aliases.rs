//! What channels call people whose numbers they may leave out.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::inbound::{message, obey};
use super::messages::number;
use super::rows::{json_of, msisdn, small};
use super::wishes::opted_out;
use crate::domain::{Channel, Keyword, Msisdn};
use crate::store::{Alias, Inbound};

pub(super) const WHOSE: &str = "SELECT asked.key AS place, alias.msisdn FROM json_each(?1) asked
     CROSS JOIN alias ON alias.channel = asked.value ->> 0 AND alias.called = asked.value ->> 1";

/// Tells whose the messages are that carry no number, as far as that is known.
pub(super) async fn name(connection: &mut SqliteConnection, inbound: &mut [Inbound]) -> Work<()> {
    let nameless = inbound.iter_mut().filter(|message| message.msisdn.is_none());
    let mut nameless: Vec<(Channel, String, &mut Inbound)> =
        nameless.filter_map(|message| Some((message.channel?, message.called.clone()?, message))).collect();
    if nameless.is_empty() {
        return Ok(());
    }
    let asked: Vec<(u8, &str)> =
        nameless.iter().map(|(channel, called, _)| (channel.code(), called.as_str())).collect();
    for row in &sqlx::query(WHOSE).bind(json_of(&asked, "what people are called")?).fetch_all(connection).await? {
        let place: usize = small(row, "place")?;
        if let Some((.., message)) = nameless.get_mut(place) {
            message.msisdn = Some(msisdn(row, "msisdn")?);
        }
    }
    Ok(())
}

/// A channel that calls somebody else so than it did has given the id anew.
pub(super) const LEARN: &str = "INSERT INTO alias (channel, called, msisdn)
     SELECT told.value ->> 0, told.value ->> 1, told.value ->> 2 FROM json_each(?1) told WHERE true
     ON CONFLICT DO UPDATE SET msisdn = excluded.msisdn WHERE msisdn <> excluded.msisdn
     RETURNING channel, called, msisdn";

/// What was written under names that nobody knew.
pub(super) const UNNAMED: &str = "SELECT inbound.* FROM json_each(?1) told
     CROSS JOIN inbound INDEXED BY inbound_nameless ON inbound.called = told.value ->> 1
     WHERE inbound.msisdn IS NULL AND inbound.called IS NOT NULL AND inbound.channel = told.value ->> 0";

pub(super) const NAME: &str = "UPDATE inbound INDEXED BY inbound_nameless SET msisdn = ?3
     WHERE msisdn IS NULL AND called IS NOT NULL AND called = ?2 AND channel = ?1";

pub(super) async fn learn(connection: &mut SqliteConnection, aliases: Vec<Alias>) -> Work<Vec<Msisdn>> {
    let told: Vec<(u8, &str, i64)> =
        aliases.iter().map(|alias| (alias.channel.code(), alias.called.as_str(), number(alias.msisdn))).collect();
    let rows = sqlx::query(LEARN).bind(json_of(&told, "what people are called")?).fetch_all(&mut *connection).await?;
    let mut new: HashMap<(u8, String), Msisdn> = HashMap::new();
    for row in &rows {
        new.insert((small(row, "channel")?, row.try_get("called")?), msisdn(row, "msisdn")?);
    }
    // Hardly any is new: most people get more than one message.
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<&(u8, String)> = new.keys().collect();
    let rows = sqlx::query(UNNAMED).bind(json_of(&asked, "what people are called")?);
    let mut written = rows.fetch_all(&mut *connection).await?.iter().map(message).collect::<Work<Vec<Inbound>>>()?;
    for message in &mut written {
        let Some(named) = message.channel.map(Channel::code).zip(message.called.clone()) else { continue };
        message.msisdn = new.get(&named).copied();
        let (channel, called) = named;
        let name = sqlx::query(NAME).bind(channel).bind(called).bind(message.msisdn.map(number));
        name.execute(&mut *connection).await?;
    }
    obey(connection, &written).await?;
    let stopped = written.iter().filter(|message| message.keyword == Some(Keyword::Stop));
    let stopped: Vec<Msisdn> = stopped.filter_map(|message| message.msisdn).collect();
    if stopped.is_empty() {
        return Ok(stopped);
    }
    opted_out(connection, &stopped).await
}
