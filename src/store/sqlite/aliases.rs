//! What channels call people whose numbers they may leave out.

use sqlx::SqliteConnection;

use super::Work;
use super::messages::number;
use super::rows::{json_of, timestamp, msisdn, small, decoded};
use super::opt_outs::{by_message, opt_in, opt_out};
use crate::domain::{Channel, Keyword, Msisdn, WishFrom};
use crate::store::{Alias, Inbound, OptIn, OptOut};

pub(super) const NUMBERS_OF: &str = "SELECT asked.key AS place, alias.msisdn FROM json_each(?1) asked
     CROSS JOIN alias ON alias.channel = asked.value ->> 0 AND alias.called = asked.value ->> 1";

/// The numbers of whoever wrote each message: the one that it carries, and those that its channel calls the same. Names
/// those that carry none where there is just one.
pub(super) async fn resolve(connection: &mut SqliteConnection, inbound: &mut [Inbound]) -> Work<Vec<Vec<Msisdn>>> {
    let mut whose: Vec<Vec<Msisdn>> = inbound.iter().map(|message| message.msisdn.into_iter().collect()).collect();
    let called = inbound.iter().enumerate();
    let called = called.filter_map(|(place, message)| Some((place, message.channel?, message.called.as_deref()?)));
    let (places, asked): (Vec<usize>, Vec<(u8, &str)>) =
        called.map(|(place, channel, called)| (place, (channel.code(), called))).unzip();
    if asked.is_empty() {
        return Ok(whose);
    }
    for row in &sqlx::query(NUMBERS_OF).bind(json_of(&asked, "what people are called")?).fetch_all(connection).await? {
        let (place, person): (usize, _) = (small(row, "place")?, msisdn(row, "msisdn")?);
        if let Some(numbers) = places.get(place).and_then(|place| whose.get_mut(*place))
            && !numbers.contains(&person)
        {
            numbers.push(person);
        }
    }
    for (message, numbers) in inbound.iter_mut().zip(&whose) {
        if let ([only], None) = (numbers.as_slice(), message.msisdn) {
            message.msisdn = Some(*only);
        }
    }
    Ok(whose)
}

pub(super) const LEARN: &str = "INSERT INTO alias (channel, called, msisdn)
     SELECT told.value ->> 0, told.value ->> 1, told.value ->> 2 FROM json_each(?1) told WHERE true
     ON CONFLICT DO NOTHING RETURNING channel, called, msisdn";

/// Whether a name is of one number alone, so that what was said under it is that number's.
macro_rules! only_one {
    () => {
        "(SELECT count(*) FROM alias WHERE alias.channel = told.value ->> 0 AND alias.called = told.value ->> 1) = 1"
    };
}

pub(super) const FILL_NUMBERS: &str = concat!(
    "UPDATE inbound SET msisdn = told.value ->> 2 FROM json_each(?1) told
     WHERE inbound.called = told.value ->> 1 AND inbound.called IS NOT NULL AND inbound.channel = told.value ->> 0
     AND inbound.msisdn IS NULL AND ",
    only_one!()
);

/// What was wished last under each new name. Of two wishes of one moment "stop" weighs more.
pub(super) const LAST_KEYWORDS: &str = concat!(
    "SELECT told.value ->> 0 AS channel, told.value ->> 2 AS msisdn, said, keyword, ",
    only_one!(),
    " AS only, max(said * 2 + (keyword = 0)) FROM json_each(?1) told
     CROSS JOIN inbound INDEXED BY inbound_called ON inbound.called = told.value ->> 1
     WHERE inbound.called IS NOT NULL AND inbound.channel = told.value ->> 0 AND keyword IS NOT NULL GROUP BY told.key"
);

pub(super) async fn learn(connection: &mut SqliteConnection, aliases: Vec<Alias>) -> Work<Vec<Msisdn>> {
    let told: Vec<(u8, &str, i64)> =
        aliases.iter().map(|alias| (alias.channel.code(), alias.called.as_str(), number(alias.msisdn))).collect();
    let told = json_of(&told, "what people are called")?;
    let new: Vec<(u8, String, i64)> = sqlx::query_as(LEARN).bind(told).fetch_all(&mut *connection).await?;
    // Hardly any is new: most people get more than one message.
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let new = json_of(&new, "what people are called")?;
    sqlx::query(FILL_NUMBERS).bind(&new).execute(&mut *connection).await?;
    let (mut out, mut back) = (Vec::new(), Vec::new());
    for row in &sqlx::query(LAST_KEYWORDS).bind(&new).fetch_all(&mut *connection).await? {
        let (msisdn, said) = (msisdn(row, "msisdn")?, timestamp(row, "said")?);
        let keyword = decoded(row, "keyword", Keyword::from_code)?;
        let source = by_message(keyword, Some(decoded(row, "channel", Channel::from_code)?));
        let from = WishFrom::Person;
        match keyword {
            Keyword::Stop => out.push(OptOut { msisdn, since: said, from, source }),
            // Whoever has several numbers may mean another.
            Keyword::Start if small::<u8>(row, "only")? != 0 => back.push(OptIn { msisdn, at: said, from, source }),
            Keyword::Start => {}
        }
    }
    if !out.is_empty() {
        opt_out(connection, &out).await?;
    }
    if !back.is_empty() {
        opt_in(connection, &back).await?;
    }
    Ok(out.into_iter().map(|wish| wish.msisdn).collect())
}
