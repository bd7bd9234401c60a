//! The windows of recipients for free text on WhatsApp, which their messages open.

use std::collections::{HashMap, HashSet};

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::messages::number;
use super::rows::{address_key, json_list, msisdn, timestamp};
use crate::base::domain::{AddressKey, Channel, Msisdn, Span, Timestamp};
use crate::store::Sender;

/// The longest window that an inbound message opens: 72 hours after a click on an ad, otherwise 24.
pub(super) const LONGEST_WINDOW: Span = Span::from_secs(72 * 3_600);

/// A subaccount or channel id that an inbound message does not name matches every one: webhooks may lack them, and a
/// subaccount mostly has one sender on a channel.
pub(super) const WINDOWS: &str = "SELECT asked.value AS address, max(i.until) AS until FROM json_each(?1) asked
     CROSS JOIN inbound i INDEXED BY inbound_recipient ON i.msisdn = asked.value AND i.written_at > ?2
     WHERE i.until > ?3 AND i.sub_account IN (?4, '') AND (?5 IS NULL OR i.channel_id IN (?5, ''))
     GROUP BY asked.value";

pub(super) async fn windows(
    connection: &mut SqliteConnection,
    recipients: &[AddressKey],
    sender: &Sender,
    now: Timestamp,
) -> Work<Vec<(AddressKey, Timestamp)>> {
    let rows = sqlx::query(WINDOWS)
        .bind(json_list(recipients.iter().map(|recipient| recipient.canonical().get())))
        .bind((now - LONGEST_WINDOW).millis())
        .bind(now.millis())
        .bind(&sender.sub_account)
        .bind(&sender.channel_id)
        .fetch_all(connection)
        .await?;
    let open = rows.iter().map(|row| Ok((address_key(row, "address")?, timestamp(row, "until")?)));
    let open: HashMap<AddressKey, Timestamp> = open.collect::<Work<_>>()?;
    let until = |recipient: &AddressKey| Some((*recipient, *open.get(&recipient.canonical())?));
    Ok(recipients.iter().filter_map(until).collect())
}

/// Whether nothing that was written since ?1 can be missing: no gap since, and no doubt now. Both tables are small.
const NOTHING_IS_MISSING: &str = "SELECT NOT EXISTS (SELECT 1 FROM gap WHERE ends > ?1 OR begins > ?1)
         AND NOT EXISTS (SELECT 1 FROM link WHERE direction = 1 AND doubt_since IS NOT NULL) AS is_so";

/// Whether messages from before and after ?1 show that those to a sender arrive.
pub(super) const OTHERS_WROTE: &str = "SELECT
         EXISTS (SELECT 1 FROM inbound WHERE sub_account IN (?2, '') AND channel = ?4 AND received <= ?1
                 AND (?3 IS NULL OR channel_id IN (?3, '')))
         AND EXISTS (SELECT 1 FROM inbound WHERE sub_account IN (?2, '') AND channel = ?4 AND received > ?1
                     AND (?3 IS NULL OR channel_id IN (?3, ''))) AS is_so";

pub(super) const WROTE: &str = "SELECT asked.value AS address FROM json_each(?1) asked WHERE EXISTS (
         SELECT 1 FROM inbound i INDEXED BY inbound_recipient WHERE i.msisdn = asked.value AND i.written_at > ?2
         AND i.sub_account IN (?3, '') AND (?4 IS NULL OR i.channel_id IN (?4, '')))";

pub(super) async fn closed_windows(
    connection: &mut SqliteConnection,
    recipients: &[AddressKey],
    sender: &Sender,
    now: Timestamp,
) -> Work<Vec<AddressKey>> {
    let since = (now - LONGEST_WINDOW).millis();
    let Sender { sub_account, channel_id } = sender;
    let wrote = sqlx::query(OTHERS_WROTE).bind(since).bind(sub_account).bind(channel_id).bind(Channel::WhatsApp.code());
    for statement in [sqlx::query(NOTHING_IS_MISSING).bind(since), wrote] {
        if !statement.fetch_one(&mut *connection).await?.try_get::<bool, _>("is_so")? {
            return Ok(Vec::new());
        }
    }
    let asked = json_list(recipients.iter().map(|recipient| recipient.canonical().get()));
    let wrote = sqlx::query(WROTE).bind(asked).bind(since).bind(sub_account).bind(channel_id);
    let rows = wrote.fetch_all(connection).await?;
    let wrote: HashSet<AddressKey> = rows.iter().map(|row| address_key(row, "address")).collect::<Work<_>>()?;
    // What somebody wrote under an id has no number, so nothing is known of those who have none.
    let has_number = |recipient: &AddressKey| recipient.number().is_some();
    let is_silent = |recipient: &AddressKey| !wrote.contains(&recipient.canonical());
    Ok(recipients.iter().copied().filter(|recipient| has_number(recipient) && is_silent(recipient)).collect())
}

const HOLDERS: &str = "SELECT DISTINCT msisdn FROM inbound INDEXED BY inbound_recipient
     WHERE msisdn > ?1 AND written_at > ?2 AND until > ?3 AND sub_account IN (?4, '') AND (?5 IS NULL OR channel_id IN (?5, ''))
     ORDER BY msisdn LIMIT ?6";

/// Lists the recipients with an open window. Reads all inbound messages, so only a plan uses it.
pub(super) async fn holders(
    connection: &mut SqliteConnection,
    sender: &Sender,
    now: Timestamp,
    after: Option<Msisdn>,
    limit: u32,
) -> Work<Vec<Msisdn>> {
    let rows = sqlx::query(HOLDERS)
        .bind(after.map_or(0, number))
        .bind((now - LONGEST_WINDOW).millis())
        .bind(now.millis())
        .bind(&sender.sub_account)
        .bind(&sender.channel_id)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| msisdn(row, "msisdn")).collect()
}
