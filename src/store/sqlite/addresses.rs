//! Gives each address one number in the database: a phone number is its own, and an id of a channel has the negative
//! number of its row in `channel_user`.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::messages::number;
use super::rows::{decoded, json_of, msisdn, small};
use crate::domain::{Address, Channel, ChannelUser};

/// The number of an address.
pub(super) type Key = i64;

/// An id as it is bound: its channel and its name there.
type Id<'a> = (u8, &'a str);

pub(super) const ADD: &str = "INSERT INTO channel_user (channel, called)
     SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

pub(super) const KEYS: &str = "SELECT asked.key AS index_of, -u.id AS address FROM json_each(?1) asked
     CROSS JOIN channel_user u ON u.channel = asked.value ->> 0 AND u.called = asked.value ->> 1";

/// The key of each address. Ids that are new get one.
pub(super) async fn keys(connection: &mut SqliteConnection, addresses: &[Address]) -> Work<Vec<Key>> {
    let ids: Vec<Id<'_>> = addresses.iter().filter_map(id).collect();
    if !ids.is_empty() {
        sqlx::query(ADD).bind(json_of(&ids, "alias")?).execute(&mut *connection).await?;
    }
    Ok(known_keys(connection, addresses).await?.into_iter().flatten().collect())
}

/// The key of each address, or nothing for an id that has none: it has neither opted out nor in.
pub(super) async fn known_keys(connection: &mut SqliteConnection, addresses: &[Address]) -> Work<Vec<Option<Key>>> {
    let mut keys: Vec<Option<Key>> = addresses.iter().map(of_number).collect();
    let (places, ids): (Vec<usize>, Vec<Id<'_>>) =
        addresses.iter().enumerate().filter_map(|(place, address)| Some((place, id(address)?))).unzip();
    if !ids.is_empty() {
        for row in &sqlx::query(KEYS).bind(json_of(&ids, "alias")?).fetch_all(connection).await? {
            let index: usize = small(row, "index_of")?;
            if let Some(key) = places.get(index).and_then(|place| keys.get_mut(*place)) {
                *key = Some(row.try_get("address")?);
            }
        }
    }
    Ok(keys)
}

pub(super) async fn known_key(connection: &mut SqliteConnection, address: &Address) -> Work<Option<Key>> {
    Ok(known_keys(connection, std::slice::from_ref(address)).await?.pop().flatten())
}

fn of_number(address: &Address) -> Option<Key> {
    match address {
        Address::Number(msisdn) => Some(number(*msisdn)),
        Address::User(_) => None,
    }
}

fn id(address: &Address) -> Option<Id<'_>> {
    address.user().map(|user| (user.channel.code(), user.id.as_str()))
}

/// Reads an address from `address`, joined with `channel` and `called` of its row.
pub(super) fn address(row: &SqliteRow) -> Work<Address> {
    if row.try_get::<Key, _>("address")? > 0 {
        return Ok(Address::Number(msisdn(row, "address")?));
    }
    Ok(Address::User(user(row)?))
}

pub(super) fn user(row: &SqliteRow) -> Work<ChannelUser> {
    Ok(ChannelUser { channel: decoded(row, "channel", Channel::from_code)?, id: row.try_get("called")? })
}
