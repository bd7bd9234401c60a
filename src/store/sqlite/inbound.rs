//! Stores the inbound messages of recipients, each once, and applies their keywords, each once.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::messages::number;
use super::opt_outs::{by_message, opt_in, opt_out, opted_out};
use super::rows::{
    Bound, decoded, for_values, json_list, json_of, maybe_small, maybe_timestamp, msisdn, small, step, timestamp,
};
use super::{Work, addresses, aliases, possible_stops};
use crate::base::domain::{
    Address, AddressKey, BatchId, Channel, Keyword, Language, MessageKey, Msisdn, OptOutOf, OptOutSource, StepIndex,
    Timestamp, WishSubject,
};
use crate::store::{Cursor, Inbound, InboundOf, OptIn, OptOut, ReplyCount};

fn json_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Work<String> {
    json_of(&texts.collect::<Vec<_>>(), "ids")
}

pub(super) const KNOWN: &str = "SELECT umid, batch IS NULL AS unattached, msisdn, called FROM inbound
     WHERE umid IN (SELECT value FROM json_each(?1))";

/// What is known of a message that is already stored.
struct Known {
    /// Whether it replies to no known attempt.
    is_unattached: bool,
    msisdn: Option<Msisdn>,
    called: Option<String>,
}

/// What is known of stored inbound messages.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// For each message, the known addresses of the recipient who wrote it.
    pub(super) writers: Vec<Vec<AddressKey>>,
    pub(super) is_first_possible_stop: bool,
}

/// Stores inbound messages and applies their keywords.
///
/// A "stop" opts out of `stops`. If it `confirms`, a confirmation becomes due for each writer whom a message opts out.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    mut inbound: Vec<Inbound>,
    (stops, confirms): (OptOutOf, bool),
    possible_stops: &BTreeSet<String>,
) -> Work<Written> {
    if inbound.is_empty() {
        return Ok(Written::default());
    }
    let mut writers = aliases::resolve(connection, &mut inbound).await?;
    // Before a "stop" stores it: until then, no message was sent to the id.
    let ids = known_ids(connection, &inbound).await?;
    let asked = json_texts(inbound.iter().map(|message| message.umid.as_str()))?;
    let rows = sqlx::query(KNOWN).bind(asked).fetch_all(&mut *connection).await?;
    let mut known = HashMap::new();
    for row in &rows {
        let (is_unattached, called) = (row.try_get("unattached")?, row.try_get("called")?);
        let stored = Known { is_unattached, msisdn: maybe_msisdn(row)?, called };
        known.insert(row.try_get::<String, _>("umid")?, stored);
    }
    // Indices into `inbound`.
    let (mut named, mut new, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (index, (message, numbers)) in inbound.iter().zip(&mut writers).enumerate() {
        let Some(before) = known.get_mut(&message.umid) else {
            if seen.insert(message.umid.as_str()) {
                new.push(index);
            }
            continue;
        };
        if message.on.is_some() && before.is_unattached {
            attach(connection, message).await?;
            before.is_unattached = false;
            let has_new_id = message.user().is_some() && before.called != message.called;
            if has_new_id || (message.msisdn.is_some() && before.msisdn != message.msisdn) {
                // Its keyword could not be applied while the recipient was unknown.
                named.push(index);
            }
        }
        if let Some(number) = before.msisdn.filter(|number| !numbers.contains(number)) {
            numbers.push(number);
        }
    }
    insert(connection, &new.iter().map(|index| &inbound[*index]).collect::<Vec<_>>()).await?;
    let umids = new.iter().map(|index| inbound[*index].umid.as_str());
    let may_stop: Vec<&str> = umids.filter(|umid| possible_stops.contains(*umid)).collect();
    let is_first_possible_stop = possible_stops::note(connection, &may_stop).await?;
    let to_apply = named.into_iter().chain(new).map(|index| (&inbound[index], writers[index].as_slice()));
    let to_apply: Vec<_> = to_apply.collect();
    let confirmed: Vec<&Inbound> = to_apply
        .iter()
        .map(|(message, _)| *message)
        .filter(|message| confirms && message.keyword == Some(Keyword::Stop) && message.msisdn.is_some())
        .collect();
    let before = opted_out_writers(connection, &confirmed, stops).await?;
    apply_keywords(connection, &to_apply, stops).await?;
    if !confirmed.is_empty() {
        confirm_new(connection, confirmed, stops, &before).await?;
    }
    let of_numbers = writers.into_iter().map(|numbers| numbers.into_iter().map(AddressKey::from));
    let writers = of_numbers.zip(ids).map(|(numbers, id)| numbers.chain(id).collect()).collect();
    Ok(Written { writers, is_first_possible_stop })
}

/// The keys of the ids under which messages were written; nothing for an id under which nothing is stored yet.
async fn known_ids(connection: &mut SqliteConnection, inbound: &[Inbound]) -> Work<Vec<Option<AddressKey>>> {
    let ids = inbound.iter().enumerate().filter_map(|(index, message)| Some((index, Address::User(message.user()?))));
    let (places, ids): (Vec<usize>, Vec<Address>) = ids.unzip();
    let mut known = vec![None; inbound.len()];
    for (place, key) in places.into_iter().zip(addresses::known_keys(connection, ids.iter()).await?) {
        known[place] = key;
    }
    Ok(known)
}

/// The writers of these messages who have opted out of what a "stop" opts out of.
async fn opted_out_writers(
    connection: &mut SqliteConnection,
    written: &[&Inbound],
    stops: OptOutOf,
) -> Work<HashSet<Msisdn>> {
    let writers: Vec<Msisdn> = written.iter().filter_map(|message| message.msisdn).collect();
    if writers.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(opted_out(connection, &writers, stops).await?.into_iter().collect())
}

pub(super) const CONFIRM: &str = "INSERT INTO confirmation (inbound)
     SELECT id FROM inbound WHERE umid IN (SELECT value FROM json_each(?1)) ON CONFLICT DO NOTHING";

/// Makes a confirmation due for each recipient whom a "stop" has opted out, by the first one.
async fn confirm_new(
    connection: &mut SqliteConnection,
    written: Vec<&Inbound>,
    stops: OptOutOf,
    before: &HashSet<Msisdn>,
) -> Work<()> {
    let after = opted_out_writers(connection, &written, stops).await?;
    let mut confirmed = HashSet::new();
    let new = written.into_iter().filter(|message| {
        message.msisdn.is_some_and(|it| after.contains(&it) && !before.contains(&it) && confirmed.insert(it))
    });
    let umids = json_texts(new.map(|message| message.umid.as_str()))?;
    sqlx::query(CONFIRM).bind(umids).execute(connection).await?;
    Ok(())
}

pub(super) const DUE_CONFIRMATIONS: &str = "SELECT i.* FROM confirmation c CROSS JOIN inbound i ON i.id = c.inbound
     WHERE c.inbound > 0 ORDER BY c.inbound LIMIT ?1";

pub(super) async fn due_confirmations(connection: &mut SqliteConnection, limit: u32) -> Work<Vec<(Cursor, Inbound)>> {
    let rows = sqlx::query(DUE_CONFIRMATIONS).bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((Cursor::of_id(row.try_get("id")?), message(row)?))).collect()
}

/// Forgets that confirmations are due. Returns how many were.
pub(super) async fn forget_confirmations(connection: &mut SqliteConnection, of: &[Cursor]) -> Work<u64> {
    let forgotten = sqlx::query("DELETE FROM confirmation WHERE inbound IN (SELECT value FROM json_each(?1))")
        .bind(json_list(of.iter().map(|position| position.id())))
        .execute(connection)
        .await?;
    Ok(forgotten.rows_affected())
}

pub(super) const ATTACH: &str =
    "UPDATE inbound SET batch = ?2, n = ?3, step = ?4, msisdn = coalesce(?5, msisdn), until = coalesce(until, ?6),
         called = coalesce(?7, called), channel = coalesce(channel, ?8)
     WHERE umid = ?1";

/// Attaches a stored message to the attempt that it replies to. Rare: the reply arrived before the attempt's umid did.
async fn attach(connection: &mut SqliteConnection, message: &Inbound) -> Work<()> {
    sqlx::query(ATTACH)
        .bind(&message.umid)
        .bind(message.on.map(|(key, _)| key.batch.0))
        .bind(message.on.map(|(key, _)| key.n))
        .bind(message.on.map(|(_, step)| step.get()))
        .bind(message.msisdn.map(number))
        .bind(message.window.map(Timestamp::millis))
        .bind(&message.called)
        .bind(message.channel.map(Channel::code))
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, new: &[&Inbound]) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO inbound (umid, received, written_at, sub_account, channel, channel_id, msisdn, called, kind, choice, keyword, language, until,
                              batch, n, step, raw)",
        "",
        17,
        new,
        |query: Bound<'_>, message| {
            query
                .bind(message.umid.clone())
                .bind(message.received.millis())
                .bind(message.written_at.millis())
                .bind(message.sub_account.clone())
                .bind(message.channel.map(Channel::code))
                .bind(message.channel_id.clone())
                .bind(message.msisdn.map(number))
                .bind(message.called.clone())
                .bind(message.kind.clone())
                .bind(message.choice.clone())
                .bind(message.keyword.map(Keyword::code))
                .bind(message.language.map(Language::code))
                .bind(message.window.map(Timestamp::millis))
                .bind(message.on.map(|(key, _)| key.batch.0))
                .bind(message.on.map(|(key, _)| key.n))
                .bind(message.on.map(|(_, step)| step.get()))
                .bind(message.raw.clone())
        },
    )
    .await?;
    Ok(())
}

/// Applies the keywords of messages in the order in which they were sent, so of two from one recipient the later one wins.
async fn apply_keywords(
    connection: &mut SqliteConnection,
    messages: &[(&Inbound, &[Msisdn])],
    stops: OptOutOf,
) -> Work<()> {
    let asking = messages.iter().filter_map(|(message, writers)| Some((message.keyword?, *message, *writers)));
    let mut asking: Vec<_> = asking.collect();
    asking.sort_by_key(|(_, message, _)| message.written_at);
    for alike in asking.chunk_by(|a, b| a.0 == b.0) {
        let messages = alike.iter().map(|(_, message, writers)| (*message, *writers));
        match alike.first().map(|(keyword, ..)| *keyword) {
            Some(Keyword::Stop) => apply_stops(connection, messages, stops).await?,
            Some(Keyword::Start) => apply_starts(connection, messages.map(|(message, _)| message)).await?,
            None => {}
        }
    }
    Ok(())
}

/// Opts out all known numbers of each sender, and the channel's id of the sender, which may get more numbers later.
async fn apply_stops<'a>(
    connection: &mut SqliteConnection,
    messages: impl Iterator<Item = (&'a Inbound, &'a [Msisdn])>,
    of: OptOutOf,
) -> Work<()> {
    let mut stops = Vec::new();
    for (message, writers) in messages {
        let source = by_message(Keyword::Stop, message.channel);
        let addresses = writers.iter().copied().map(Address::Number).chain(message.address());
        stops.extend(addresses.map(|address| OptOut {
            address,
            of: WishSubject { of, senders: None },
            since: message.written_at,
            from: OptOutSource::Recipient,
            source: source.clone(),
        }));
    }
    if !stops.is_empty() {
        opt_out(connection, &stops).await?;
    }
    Ok(())
}

/// Opts in the number that each message carries, and the channel's id of its sender.
async fn apply_starts<'a>(connection: &mut SqliteConnection, messages: impl Iterator<Item = &'a Inbound>) -> Work<()> {
    let mut starts = Vec::new();
    for message in messages {
        let source = by_message(Keyword::Start, message.channel);
        let user = message.user().map(Address::User);
        let addresses = message.msisdn.map(Address::Number).into_iter().chain(user);
        starts.extend(addresses.map(|address| OptIn {
            address,
            of: WishSubject::EVERYTHING,
            at: message.written_at,
            from: OptOutSource::Recipient,
            source: source.clone(),
        }));
    }
    if !starts.is_empty() {
        opt_in(connection, &starts).await?;
    }
    Ok(())
}

pub(super) const ON: &str = "SELECT asked.key AS index_of, batch, n, step FROM json_each(?1) asked
     CROSS JOIN inbound ON inbound.umid = asked.value WHERE batch IS NOT NULL";

/// Finds the attempts that earlier inbound messages reply to, by the messages' umids.
pub(super) async fn on(
    connection: &mut SqliteConnection,
    asked: &[(usize, String)],
    targets: &mut [Option<(MessageKey, StepIndex)>],
) -> Work<()> {
    if asked.is_empty() {
        return Ok(());
    }
    let umids = json_texts(asked.iter().map(|(_, umid)| umid.as_str()))?;
    for row in &sqlx::query(ON).bind(umids).fetch_all(connection).await? {
        let index: usize = small(row, "index_of")?;
        if let Some((target, _)) = asked.get(index) {
            targets[*target] = attempt(row)?;
        }
    }
    Ok(())
}

fn maybe_msisdn(row: &SqliteRow) -> Work<Option<Msisdn>> {
    let is_known = row.try_get::<Option<i64>, _>("msisdn")?.is_some();
    is_known.then(|| msisdn(row, "msisdn")).transpose()
}

fn attempt(row: &SqliteRow) -> Work<Option<(MessageKey, StepIndex)>> {
    let Some(batch) = maybe_small(row, "batch")? else { return Ok(None) };
    Ok(Some((MessageKey { batch: BatchId(batch), n: small(row, "n")? }, step(row, "step")?)))
}

/// The messages from recipients that are wanted, in both orders of arrival.
macro_rules! selected {
    ($order:literal) => {
        Selected {
            all: concat!("SELECT * FROM inbound WHERE id ", $order),
            possible_stops: concat!(
                "SELECT possible_stop.inbound AS id, inbound.* FROM possible_stop
                 CROSS JOIN inbound ON inbound.id = possible_stop.inbound WHERE possible_stop.inbound ",
                $order
            ),
            of_number: concat!("SELECT * FROM inbound INDEXED BY inbound_from WHERE msisdn = ?3 AND id ", $order),
            of_user: concat!(
                "SELECT * FROM inbound INDEXED BY inbound_called WHERE called = ?3 AND channel = ?4 AND id ",
                $order
            ),
            of_batch: concat!("SELECT * FROM inbound INDEXED BY inbound_batch WHERE batch = ?3 AND id ", $order),
            unattached: concat!(
                "SELECT * FROM inbound INDEXED BY inbound_not_reply WHERE batch IS NULL AND id ",
                $order
            ),
            of_message: concat!(
                "SELECT * FROM inbound INDEXED BY inbound_message WHERE batch = ?3 AND n = ?4 AND id ",
                $order
            ),
        }
    };
}

/// A statement for each [`InboundOf`].
pub(super) struct Selected {
    pub(super) all: &'static str,
    pub(super) possible_stops: &'static str,
    pub(super) of_number: &'static str,
    pub(super) of_user: &'static str,
    pub(super) of_batch: &'static str,
    pub(super) unattached: &'static str,
    pub(super) of_message: &'static str,
}

pub(super) const AFTER: Selected = selected!("> ?1 ORDER BY id LIMIT ?2");
pub(super) const BEFORE: Selected = selected!("< ?1 ORDER BY id DESC LIMIT ?2");

pub(super) async fn list(
    connection: &mut SqliteConnection,
    of: InboundOf,
    after: Cursor,
    limit: u32,
) -> Work<Vec<(Cursor, Inbound)>> {
    selection(connection, &AFTER, of, after.id(), limit).await
}

/// Lists messages in the reverse order of arrival.
pub(super) async fn list_before(
    connection: &mut SqliteConnection,
    of: InboundOf,
    before: Option<Cursor>,
    limit: u32,
) -> Work<Vec<(Cursor, Inbound)>> {
    selection(connection, &BEFORE, of, before.map_or(i64::MAX, Cursor::id), limit).await
}

async fn selection(
    connection: &mut SqliteConnection,
    selected: &Selected,
    of: InboundOf,
    from: i64,
    limit: u32,
) -> Work<Vec<(Cursor, Inbound)>> {
    let query = |text: &'static str| sqlx::query(text).bind(from).bind(limit);
    let query = match of {
        InboundOf::All => query(selected.all),
        InboundOf::NotReplies => query(selected.unattached),
        InboundOf::PossibleStops => query(selected.possible_stops),
        InboundOf::Recipient(Address::Number(it)) => {
            // What came under a channel's name for a recipient is stored under the recipient's number.
            let owner = aliases::recipient_of(&mut *connection, it).await?;
            query(selected.of_number).bind(number(owner.unwrap_or_else(|| it.canonical())))
        }
        InboundOf::Recipient(Address::User(user)) => query(selected.of_user).bind(user.id).bind(user.channel.code()),
        InboundOf::Batch(batch) => query(selected.of_batch).bind(batch.0),
        InboundOf::Message(key) => query(selected.of_message).bind(key.batch.0).bind(key.n),
    };
    query
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| Ok((Cursor::of_id(row.try_get("id")?), message(row)?)))
        .collect()
}

pub(super) fn message(row: &SqliteRow) -> Work<Inbound> {
    let has = |column| Ok::<_, super::Fault>(row.try_get::<Option<i64>, _>(column)?.is_some());
    Ok(Inbound {
        umid: row.try_get("umid")?,
        received: timestamp(row, "received")?,
        written_at: timestamp(row, "written_at")?,
        sub_account: row.try_get("sub_account")?,
        channel: has("channel")?.then(|| decoded(row, "channel", Channel::from_code)).transpose()?,
        channel_id: row.try_get("channel_id")?,
        msisdn: maybe_msisdn(row)?,
        called: row.try_get("called")?,
        kind: row.try_get("kind")?,
        choice: row.try_get("choice")?,
        keyword: has("keyword")?.then(|| decoded(row, "keyword", Keyword::from_code)).transpose()?,
        language: has("language")?.then(|| decoded(row, "language", Language::from_code)).transpose()?,
        window: maybe_timestamp(row, "until")?,
        on: attempt(row)?,
        raw: row.try_get("raw")?,
    })
}

pub(super) const REPLIED: &str = "SELECT step, count(DISTINCT n) AS replied FROM inbound INDEXED BY inbound_message
     WHERE batch = ?1 AND batch IS NOT NULL GROUP BY step ORDER BY step";

pub(super) async fn replied(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<(StepIndex, u32)>> {
    let rows = sqlx::query(REPLIED).bind(batch.0).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((step(row, "step")?, small(row, "replied")?))).collect()
}

/// Reads the index alone, whatever the replies contain.
pub(super) const REPLY_COUNTS: &str =
    "SELECT step, kind, choice, count(*) AS replies FROM inbound INDEXED BY inbound_choice
     WHERE batch = ?1 AND batch IS NOT NULL GROUP BY step, kind, choice
     ORDER BY step, replies DESC, kind, choice LIMIT ?2";

pub(super) async fn reply_counts(
    connection: &mut SqliteConnection,
    batch: BatchId,
    limit: u32,
) -> Work<Vec<ReplyCount>> {
    let rows = sqlx::query(REPLY_COUNTS).bind(batch.0).bind(limit).fetch_all(connection).await?;
    let count = |row: &SqliteRow| {
        let (kind, choice) = (row.try_get("kind")?, row.try_get("choice")?);
        Ok(ReplyCount { step: step(row, "step")?, kind, choice, replies: small(row, "replies")? })
    };
    rows.iter().map(count).collect()
}
