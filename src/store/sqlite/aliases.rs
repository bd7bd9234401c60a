//! Maps the names that channels use for recipients to their numbers: ids, and other spellings of a number.
//!
//! A name that is a number begins with a plus, and is canonical: see [`Msisdn::canonical`].

use std::collections::{BTreeSet, HashMap};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::messages::number;
use super::opt_outs::{by_message, opt_in, opt_out, subject};
use super::rows::{decoded, json_of, msisdn, small, timestamp};
use super::{Work, addresses, places};
use crate::base::domain::{Address, AddressKey, Channel, Keyword, Msisdn, OptOutSource, WishSubject};
use crate::store::{Alias, Inbound, OptIn, OptOut};

pub(super) const NUMBERS_OF: &str = "SELECT asked.key AS index_of, alias.msisdn FROM json_each(?1) asked
     CROSS JOIN alias ON alias.channel = asked.value ->> 0 AND alias.called = asked.value ->> 1";

/// Returns the known numbers of each message's sender: the one that it carries, and those that its channel calls by the
/// same name.
///
/// Each message gets the canonical number of its sender if exactly one is known. A number that a channel uses for another
/// one becomes the name under which the recipient wrote.
pub(super) async fn resolve(connection: &mut SqliteConnection, inbound: &mut [Inbound]) -> Work<Vec<Vec<Msisdn>>> {
    let mut senders: Vec<Vec<Msisdn>> =
        inbound.iter().map(|message| message.msisdn.map(Msisdn::canonical).into_iter().collect()).collect();
    let called = inbound.iter().enumerate().filter_map(|(index, message)| Some((index, message.name()?)));
    let (indices, names): (Vec<usize>, Vec<(u8, String)>) =
        called.map(|(index, (channel, called))| (index, (channel.code(), called))).unzip();
    let mut named = vec![BTreeSet::new(); inbound.len()];
    if !names.is_empty() {
        for row in &sqlx::query(NUMBERS_OF).bind(json_of(&names, "alias")?).fetch_all(connection).await? {
            let (index, number): (usize, _) = (small(row, "index_of")?, msisdn(row, "msisdn")?);
            if let Some(numbers) = indices.get(index).and_then(|index| named.get_mut(*index)) {
                numbers.insert(number.canonical());
            }
        }
    }
    for ((message, numbers), named) in inbound.iter_mut().zip(&mut senders).zip(named) {
        if let ([only], true) = (named.iter().copied().collect::<Vec<_>>().as_slice(), message.called.is_none()) {
            message.called = message.msisdn.map(|number| number.canonical().to_string());
            message.msisdn = Some(*only);
        }
        let unknown = named.into_iter().filter(|number| !numbers.contains(number)).collect::<Vec<_>>();
        numbers.extend(unknown);
        if let ([only], None) = (numbers.as_slice(), message.msisdn) {
            message.msisdn = Some(*only);
        }
        message.msisdn = message.msisdn.map(Msisdn::canonical);
    }
    Ok(senders)
}

/// The numbers that are known to be one of these recipients: those that a channel calls by a number asked for, and those
/// by which a channel calls it. `?1` lists each number with its canonical and its other spelling, `?2` the channels.
pub(super) const LINKED: &str = "SELECT asked.key AS index_of, a.msisdn AS msisdn
     FROM json_each(?1) asked CROSS JOIN json_each(?2) on_channel
     CROSS JOIN alias a ON a.channel = on_channel.value AND a.called = '+' || (asked.value ->> 1)
     UNION ALL
     SELECT asked.key, CAST(substr(a.called, 2) AS INTEGER)
     FROM json_each(?1) asked
     CROSS JOIN alias a INDEXED BY alias_recipient ON a.msisdn IN (asked.value ->> 0, asked.value ->> 1, asked.value ->> 2)
     WHERE a.called LIKE '+%'";

/// The ids of numbers, which are listed as for [`LINKED`].
pub(super) const IDS_OF: &str = "SELECT asked.key AS index_of, a.channel, a.called
     FROM json_each(?1) asked
     CROSS JOIN alias a INDEXED BY alias_recipient ON a.msisdn IN (asked.value ->> 0, asked.value ->> 1, asked.value ->> 2)
     WHERE a.called NOT LIKE '+%'";

/// The number of a recipient whom channels call by another number, if it is one alone.
pub(super) async fn recipient_of(connection: &mut SqliteConnection, name: Msisdn) -> Work<Option<Msisdn>> {
    let name = name.canonical();
    let query = sqlx::query(LINKED_TO).bind(name.to_string()).bind(channels()?);
    let owners = query.fetch_all(connection).await?;
    let owners = owners.iter().map(|row| Ok(msisdn(row, "msisdn")?.canonical())).collect::<Work<BTreeSet<_>>>()?;
    Ok(owners.first().copied().filter(|owner| owners.len() == 1 && *owner != name))
}

pub(super) const LINKED_TO: &str = "SELECT a.msisdn FROM json_each(?2) on_channel
     CROSS JOIN alias a ON a.channel = on_channel.value AND a.called = ?1";

/// The names that are numbers, each of one recipient on all channels that know it. `?1` lists the channels, so that no id is
/// read.
pub(super) const NUMBERS: &str = "SELECT CAST(substr(a.called, 2) AS INTEGER) AS called, max(a.msisdn) AS msisdn
     FROM json_each(?1) on_channel
     CROSS JOIN alias a ON a.channel = on_channel.value AND a.called >= '+' AND a.called < ','
     GROUP BY a.called HAVING min(a.msisdn) = max(a.msisdn)";

pub(super) async fn numbers(connection: &mut SqliteConnection) -> Work<Vec<(Msisdn, Msisdn)>> {
    let rows = sqlx::query(NUMBERS).bind(channels()?).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((msisdn(row, "called")?, msisdn(row, "msisdn")?))).collect()
}

/// The other addresses of recipients: other spellings of their numbers, the numbers and ids that channels use, the numbers of
/// ids, and in turn the addresses of those. Each with the index of its recipient, and in order.
///
/// Several recipients may share an id. Only where `shares` says so, the others count too.
pub(super) async fn linked(
    connection: &mut SqliteConnection,
    recipients: &[Address],
    shares: impl Fn(usize) -> bool,
) -> Work<Vec<(usize, Address)>> {
    let mut linked: BTreeSet<(usize, Address)> = recipients.iter().cloned().enumerate().collect();
    let mut new: Vec<_> = linked.iter().cloned().collect();
    while !new.is_empty() {
        let found = beside(connection, &new).await?;
        new = found.into_iter().filter(|address| linked.insert(address.clone())).collect();
        new.retain(|(index, address)| address.user().is_none() || shares(*index));
    }
    Ok(linked.into_iter().filter(|(index, address)| recipients.get(*index) != Some(address)).collect())
}

/// The addresses that are known directly beside these.
async fn beside(connection: &mut SqliteConnection, addresses: &[(usize, Address)]) -> Work<Vec<(usize, Address)>> {
    let (mut numbers, mut places, mut ids, mut found) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, address) in addresses {
        match address {
            Address::Number(number) => numbers.push((*index, *number)),
            Address::User(user) => {
                places.push(*index);
                ids.push((user.channel.code(), user.id.as_str()));
            }
        }
    }
    if !ids.is_empty() {
        let rows = sqlx::query(NUMBERS_OF).bind(json_of(&ids, "alias")?).fetch_all(&mut *connection).await?;
        for row in &rows {
            found.push((placed(row, &places)?, Address::Number(msisdn(row, "msisdn")?)));
        }
    }
    if numbers.is_empty() {
        return Ok(found);
    }
    let others = numbers.iter().filter_map(|(index, number)| Some((*index, Address::Number(number.other_spelling()?))));
    found.extend(others);
    let (places, asked) = spelled(&numbers)?;
    for row in &sqlx::query(LINKED).bind(&asked).bind(channels()?).fetch_all(&mut *connection).await? {
        found.push((placed(row, &places)?, Address::Number(msisdn(row, "msisdn")?)));
    }
    for row in &sqlx::query(IDS_OF).bind(&asked).fetch_all(connection).await? {
        found.push((placed(row, &places)?, Address::User(addresses::user(row)?)));
    }
    Ok(found)
}

/// The codes of all channels, as a list.
fn channels() -> Work<String> {
    let codes: Vec<u8> = Channel::ALL.iter().map(|channel| channel.code()).collect();
    json_of(&codes, "alias")
}

/// Numbers as [`LINKED`] and [`IDS_OF`] list them, and the recipient of each.
fn spelled(numbers: &[(usize, Msisdn)]) -> Work<(Vec<usize>, String)> {
    let spelled = |it: &Msisdn| (number(*it), number(it.canonical()), number(it.other_spelling().unwrap_or(*it)));
    let (places, asked): (Vec<usize>, Vec<(i64, i64, i64)>) =
        numbers.iter().map(|(index, number)| (*index, spelled(number))).unzip();
    Ok((places, json_of(&asked, "alias")?))
}

/// The recipient that a row is about.
fn placed(row: &SqliteRow, places: &[usize]) -> Work<usize> {
    let index: usize = small(row, "index_of")?;
    Ok(places.get(index).copied().unwrap_or(index))
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
    "UPDATE inbound SET msisdn = new.value ->> 3 FROM json_each(?1) new
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

/// Moves what was written under each new name that is a number to its recipient.
pub(super) const MOVE_NUMBERS: &str = "UPDATE inbound SET called = new.value ->> 1, msisdn = new.value ->> 3
     FROM json_each(?1) new WHERE new.value ->> 1 LIKE '+%'
     AND inbound.msisdn = CAST(substr(new.value ->> 1, 2) AS INTEGER) AND inbound.channel = new.value ->> 0
     AND inbound.called IS NULL";

/// The opt-outs under each new name.
pub(super) const OPT_OUTS_OF: &str = "SELECT new.value ->> 2 AS msisdn, o.* FROM json_each(?1) new
     CROSS JOIN channel_user u ON u.channel = new.value ->> 0 AND u.called = new.value ->> 1
     CROSS JOIN opt_out o ON o.address = -u.id
     UNION ALL
     SELECT new.value ->> 2, o.* FROM json_each(?1) new
     CROSS JOIN opt_out o ON o.address = CAST(substr(new.value ->> 1, 2) AS INTEGER) WHERE new.value ->> 1 LIKE '+%'";

/// The opt-outs of the recipients of new names, which apply to the names too.
pub(super) const OPT_OUTS_OF_RECIPIENTS: &str =
    "SELECT new.value ->> 1 AS called, new.value ->> 2 AS msisdn, o.* FROM json_each(?1) new
     CROSS JOIN opt_out o ON o.address = new.value ->> 2";

/// What learning names has led to.
#[derive(Debug, Default)]
pub(super) struct LearnedNames {
    /// The numbers that this opts out.
    pub(super) opted_out: Vec<Msisdn>,
    /// Names that were not learned, because they belong to other numbers.
    pub(super) taken: Vec<Alias>,
}

/// Learns names that the provider reports. A name that belongs to another number stays with it, and so does a number that is
/// a recipient of its own.
pub(super) async fn learn_reported(connection: &mut SqliteConnection, aliases: Vec<Alias>) -> Work<LearnedNames> {
    let names: Vec<(u8, &str)> = aliases.iter().map(|alias| (alias.channel.code(), alias.called.as_str())).collect();
    let mut owners: HashMap<(Channel, String), BTreeSet<Msisdn>> = HashMap::new();
    for row in &sqlx::query(NUMBERS_OF).bind(json_of(&names, "alias")?).fetch_all(&mut *connection).await? {
        if let Some(alias) = aliases.get(small::<usize>(row, "index_of")?) {
            let owner = msisdn(row, "msisdn")?.canonical();
            owners.entry((alias.channel, alias.called.clone())).or_default().insert(owner);
        }
    }
    let (mut new, mut taken) = (Vec::new(), Vec::new());
    for alias in aliases {
        let owners = owners.entry((alias.channel, alias.called.clone())).or_default();
        let recipient = alias.msisdn.canonical();
        if owners.is_empty() {
            owners.insert(recipient);
            new.push(alias);
        } else if !owners.contains(&recipient) {
            taken.push(alias);
        }
    }
    // Most names are known, because most recipients get more than one message.
    let numbers: Vec<AddressKey> = new.iter().filter_map(number_of).collect();
    if !numbers.is_empty() {
        let recipients = places::of_recipients(connection, &numbers).await?;
        let is_own = |alias: &Alias| number_of(alias).is_some_and(|number| recipients.contains(&number));
        let (own, others) = new.into_iter().partition(is_own);
        taken.extend::<Vec<Alias>>(own);
        new = others;
    }
    let opted_out = if new.is_empty() { Vec::new() } else { learn(connection, new).await? };
    Ok(LearnedNames { opted_out, taken })
}

/// The number that a name is, if it is one.
fn number_of(alias: &Alias) -> Option<AddressKey> {
    alias.called.starts_with('+').then(|| alias.called.parse::<Msisdn>().ok()).flatten().map(AddressKey::from)
}

/// Stores names of recipients, and applies what earlier inbound messages under the new ones asked for. Returns the
/// numbers that this opts out.
pub(super) async fn learn(connection: &mut SqliteConnection, aliases: Vec<Alias>) -> Work<Vec<Msisdn>> {
    let all: Vec<(u8, &str, i64)> =
        aliases.iter().map(|alias| (alias.channel.code(), alias.called.as_str(), number(alias.msisdn))).collect();
    let all = json_of(&all, "alias")?;
    let new: Vec<(u8, String, i64)> = sqlx::query_as(LEARN).bind(all).fetch_all(&mut *connection).await?;
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let canonical =
        |recipient| Msisdn::try_from(recipient).map_or(recipient, |number| super::messages::number(number.canonical()));
    let new: Vec<_> = new
        .into_iter()
        .map(|(channel, called, recipient)| (channel, called, recipient, canonical(recipient)))
        .collect();
    let new = json_of(&new, "alias")?;
    sqlx::query(FILL_NUMBERS).bind(&new).execute(&mut *connection).await?;
    sqlx::query(MOVE_NUMBERS).bind(&new).execute(&mut *connection).await?;
    let (mut opted_out, mut opt_outs, mut opt_ins) = (BTreeSet::new(), Vec::new(), Vec::new());
    for row in &sqlx::query(LAST_KEYWORDS).bind(&new).fetch_all(&mut *connection).await? {
        let (msisdn, at) = (msisdn(row, "msisdn")?, timestamp(row, "written_at")?);
        let keyword = decoded(row, "keyword", Keyword::from_code)?;
        // A "stop" is an opt-out of the id, unless that has ended since. A recipient with several numbers may mean another
        // one with a "start".
        if keyword == Keyword::Start && small::<u8>(row, "only")? != 0 {
            let source = by_message(keyword, Some(decoded(row, "channel", Channel::from_code)?));
            let (address, from) = (Address::Number(msisdn), OptOutSource::Recipient);
            opt_ins.push(OptIn { address, of: WishSubject::EVERYTHING, at, from, source });
        }
    }
    for row in &sqlx::query(OPT_OUTS_OF).bind(&new).fetch_all(&mut *connection).await? {
        // A recipient with several ids may come more than once.
        opted_out.insert(msisdn(row, "msisdn")?);
        opt_outs.push(opt_out_of(row)?);
    }
    for row in &sqlx::query(OPT_OUTS_OF_RECIPIENTS).bind(&new).fetch_all(&mut *connection).await? {
        let called: String = row.try_get("called")?;
        opted_out.extend(called.strip_prefix('+').and_then(|digits| digits.parse::<Msisdn>().ok()));
        opt_outs.push(opt_out_of(row)?);
    }
    if !opt_outs.is_empty() {
        opt_out(connection, &opt_outs).await?;
    }
    if !opt_ins.is_empty() {
        opt_in(connection, &opt_ins).await?;
    }
    Ok(opted_out.into_iter().collect())
}

/// An opt-out of the number of a row.
fn opt_out_of(row: &SqliteRow) -> Work<OptOut> {
    Ok(OptOut {
        address: Address::Number(msisdn(row, "msisdn")?),
        of: subject(row)?,
        since: timestamp(row, "since")?,
        from: decoded(row, "source", OptOutSource::from_code)?,
        source: row.try_get("words")?,
    })
}
