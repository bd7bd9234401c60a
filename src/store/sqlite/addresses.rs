//! Gives each address its key: a phone number is its own, and an id of a channel has the negative number of its row in
//! `channel_user`.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::{address_key, decoded, json_list, json_of, small};
use super::{Error, Work};
use crate::base::domain::{Address, AddressKey, Channel, ChannelUser, stable_hash};
use crate::store::Addresses;

/// An id as it is bound: its channel and its name there.
type Id<'a> = (u8, &'a str);

pub(super) const ADD: &str = "INSERT INTO channel_user (channel, called)
     SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

pub(super) const KEYS: &str = "SELECT asked.key AS index_of, -u.id AS address FROM json_each(?1) asked
     CROSS JOIN channel_user u ON u.channel = asked.value ->> 0 AND u.called = asked.value ->> 1";

/// The key of each address. Ids that are new get one.
pub(super) async fn keys<'a>(
    connection: &mut SqliteConnection,
    addresses: impl Iterator<Item = &'a Address> + Clone,
) -> Work<Vec<AddressKey>> {
    let ids: Vec<Id<'_>> = addresses.clone().filter_map(id).collect();
    if !ids.is_empty() {
        let added = sqlx::query(ADD).bind(json_of(&ids, "alias")?).execute(&mut *connection).await?;
        if added.rows_affected() > 0 {
            recall_stand_ins(connection, &ids).await?;
        }
    }
    let missing = || Error::InvalidRow { what: "an id without its row".to_owned(), place: "channel_user".into() };
    known_keys(connection, addresses).await?.into_iter().map(|key| key.ok_or_else(|| missing().into())).collect()
}

pub(super) const RECALL: &str = "INSERT INTO opt_out (address, since, source, words)
     SELECT -u.id, s.since, s.source, s.words FROM json_each(?1) asked CROSS JOIN stand_in s ON s.number = asked.value ->> 0
     CROSS JOIN channel_user u ON u.channel = ?2 AND u.called = asked.value ->> 1
     WHERE s.since IS NOT NULL AND NOT EXISTS (SELECT 1 FROM wish r WHERE r.address = -u.id)
     ON CONFLICT DO NOTHING";
pub(super) const NOTE_RECALLED: &str = "INSERT INTO wish (address, at, wants, source, words)
     SELECT o.address, o.since, 0, o.source, o.words FROM json_each(?1) asked
     CROSS JOIN channel_user u ON u.channel = ?2 AND u.called = asked.value ->> 1 CROSS JOIN opt_out o ON o.address = -u.id
     WHERE NOT EXISTS (SELECT 1 FROM wish r WHERE r.address = o.address)";

/// Opts out the ids whose made-up number had opted out before ids were addresses, and whose id was not known any more.
async fn recall_stand_ins(connection: &mut SqliteConnection, ids: &[Id<'_>]) -> Work<()> {
    let line = Channel::Line.code();
    let stand_ins: Vec<(i64, &str)> =
        ids.iter().filter(|(channel, _)| *channel == line).map(|(_, id)| (stand_in(id), *id)).collect();
    let stand_ins = json_of(&stand_ins, "alias")?;
    for text in [RECALL, NOTE_RECALLED] {
        sqlx::query(text).bind(&stand_ins).bind(line).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The number that stood for an id of LINE before version 23 of the schema.
fn stand_in(id: &str) -> i64 {
    999_000_000_000_000 + (stable_hash(id.bytes()) % 999_999_999_999).cast_signed()
}

/// The key of each address, or nothing for an id that has none: nothing is stored under it.
pub(super) async fn known_keys<'a>(
    connection: &mut SqliteConnection,
    addresses: impl Iterator<Item = &'a Address> + Clone,
) -> Work<Vec<Option<AddressKey>>> {
    let mut keys: Vec<Option<AddressKey>> =
        addresses.clone().map(|address| address.number().map(AddressKey::from)).collect();
    let (places, ids): (Vec<usize>, Vec<Id<'_>>) =
        addresses.enumerate().filter_map(|(place, address)| Some((place, id(address)?))).unzip();
    if !ids.is_empty() {
        for row in &sqlx::query(KEYS).bind(json_of(&ids, "alias")?).fetch_all(connection).await? {
            let index: usize = small(row, "index_of")?;
            if let Some(key) = places.get(index).and_then(|place| keys.get_mut(*place)) {
                *key = Some(address_key(row, "address")?);
            }
        }
    }
    Ok(keys)
}

pub(super) async fn known_key(connection: &mut SqliteConnection, address: &Address) -> Work<Option<AddressKey>> {
    Ok(known_keys(connection, std::iter::once(address)).await?.pop().flatten())
}

fn id(address: &Address) -> Option<Id<'_>> {
    address.user().map(|user| (user.channel.code(), user.id.as_str()))
}

pub(super) const USERS: &str = "SELECT -u.id AS address, u.channel, u.called FROM json_each(?1) asked
     CROSS JOIN channel_user u ON u.id = -asked.value";

/// The ids that have these keys.
pub(super) async fn users(
    connection: &mut SqliteConnection,
    keys: impl Iterator<Item = AddressKey>,
) -> Work<Addresses> {
    let ids: Vec<i64> = keys.filter(|key| key.is_user()).map(AddressKey::get).collect();
    if ids.is_empty() {
        return Ok(Addresses::default());
    }
    let rows = sqlx::query(USERS).bind(json_list(ids)).fetch_all(connection).await?;
    let users = rows.iter().map(|row| Ok((address_key(row, "address")?, user(row)?)));
    Ok(Addresses::new(users.collect::<Work<_>>()?))
}

/// Reads an address from `address`, joined with the channel and `called` of its row.
pub(super) fn address_on(row: &SqliteRow, channel: &'static str) -> Work<Address> {
    match address_key(row, "address")?.number() {
        Some(number) => Ok(Address::Number(number)),
        None => Ok(Address::User(user_on(row, channel)?)),
    }
}

pub(super) fn user(row: &SqliteRow) -> Work<ChannelUser> {
    user_on(row, "channel")
}

fn user_on(row: &SqliteRow, channel: &'static str) -> Work<ChannelUser> {
    Ok(ChannelUser { channel: decoded(row, channel, Channel::from_code)?, id: row.try_get("called")? })
}
