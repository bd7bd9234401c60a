//! `[[lane]]` and `[[account]]`: the senders, their rates, and the limits that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::error::Error;
use super::keys::{ACCOUNT, LANE};
use super::layers::{Entry, Layers};
use super::provider::{LaneProvider, Provider};
use super::quality::QualityGuard;
use super::read::{Reader, Setting};
use super::route::unknown_country;
use crate::base::domain::{Channel, Country, Msisdn, Rate, Span, Tier, hint, is_reserved};

/// One sender on one channel.
#[derive(Debug, Clone)]
pub struct Lane {
    pub name: String,
    pub channel: Channel,
    pub rate: Rate,
    /// How many messages may be sent at once after a pause.
    pub burst: NonZeroU32,
    /// Whether the burst is configured; otherwise it follows the rate.
    pub burst_is_said: bool,
    /// The account whose rate it shares.
    pub account: String,
    /// The portfolio of its account. On other channels than WhatsApp only if one is stated; see [`Lane::tiered`].
    pub portfolio: Option<String>,
    /// The portfolio's limit of recipients a day; unlimited on other channels than WhatsApp.
    pub tier: Tier,
    pub provider: LaneProvider,
    /// The SMS sender.
    pub source: Option<String>,
    /// The countries whose recipients it serves; empty means all.
    pub countries: BTreeSet<Country>,
    /// Our number in the provider's events.
    pub number: Option<Msisdn>,
    pub channel_id: Option<String>,
    /// Whether its number is also used in the WhatsApp Business app, which caps its rate.
    pub also_in_app: bool,
    /// What is done when the provider reports falling quality; only on WhatsApp, where it does.
    pub quality: QualityGuard,
}

impl Lane {
    /// The same lane at another rate, with the burst that follows from it unless one is configured.
    #[must_use]
    pub fn at_rate(&self, rate: Rate) -> Self {
        let rate = self.highest_rate().filter(|highest| rate.is_above(*highest)).unwrap_or(rate);
        let burst = if self.burst_is_said { self.burst } else { burst_of(rate) };
        Self { rate, burst, ..self.clone() }
    }

    /// The highest rate that its number takes, if that is known.
    pub fn highest_rate(&self) -> Option<Rate> {
        self.also_in_app.then_some(IN_APP_RATE)
    }

    /// The portfolio whose tier counts this lane's recipients; only on WhatsApp.
    pub fn tiered(&self) -> Option<&str> {
        self.portfolio.as_deref().filter(|_| self.channel == Channel::WhatsApp)
    }

    /// The portfolio whose tier limits this lane's recipients; `None` if the tier is unlimited.
    pub fn limited_portfolio(&self) -> Option<&str> {
        self.tiered().filter(|_| self.tier != Tier::Unlimited)
    }
}

/// Lanes that share a rate at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    /// `None` if only the lanes' own rates apply.
    pub rate: Option<Rate>,
    /// The portfolio of its lanes.
    pub portfolio: Option<String>,
}

/// WhatsApp's rate for one number. For other channels the provider documents no rate, or for SMS one far above. So it is
/// the default everywhere.
const LANE_RATE: Rate = Rate::per_second(NonZeroU32::new(80).unwrap());
/// WhatsApp's rate for a number that is also used in its app for businesses.
pub const IN_APP_RATE: Rate = Rate::per_second(NonZeroU32::new(20).unwrap());
/// WhatsApp's rate for one business account, over all of its numbers.
const ACCOUNT_RATE: Rate = Rate::per_second(NonZeroU32::new(1_000).unwrap());
/// The default burst: this much of the lane's rate at once.
const BURST: Span = Span::from_millis(50);
/// The provider's longest SMS sender.
const SOURCE_LONGEST: usize = 16;

#[derive(Debug)]
pub(super) struct Found {
    pub(super) lanes: Vec<Lane>,
    pub(super) accounts: Vec<Account>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn read(
    layers: &Layers,
    provider: &Provider,
    quality: QualityGuard,
    settings: &mut Vec<Setting>,
) -> Result<Found, Error> {
    let mut lanes = Vec::new();
    for entry in layers.named(&LANE) {
        let lane = lane(&mut Reader::new(entry, settings), provider)?;
        let quality = if lane.channel == Channel::WhatsApp { quality } else { QualityGuard::default() };
        lanes.push(Lane { quality, ..lane });
    }
    let portfolios = portfolios(&lanes)?;
    for lane in &mut lanes {
        let stated = portfolios.get(lane.account.as_str()).cloned();
        lane.portfolio = stated.or_else(|| (lane.channel == Channel::WhatsApp).then(|| lane.account.clone()));
    }
    check_tiers(&lanes)?;
    let accounts = accounts(layers, &lanes, settings)?;
    let warnings = warnings(&lanes, &accounts);
    Ok(Found { lanes, accounts, warnings })
}

fn lane(reader: &mut Reader<'_>, provider: &Provider) -> Result<Lane, Error> {
    let name = reader.name().to_owned();
    let Some(channel) = reader.parsed::<Channel>("channel")? else {
        let advice = "add channel = \"WhatsApp\", \"Viber\", \"SMS\" or another";
        return Err(Error::Missing { lane: name, key: "channel", advice });
    };
    let also_in_app = also_in_app(reader, channel)?;
    let rate = reader.parsed_or("rate", if also_in_app { IN_APP_RATE } else { LANE_RATE })?;
    if also_in_app && rate.is_above(IN_APP_RATE) {
        let problem = format_args!(
            "a number that is also used in the app takes {IN_APP_RATE}; lower the rate, or remove also_in_app"
        );
        return Err(reader.wrong("rate", problem));
    }
    let burst_is_said = reader.has("burst");
    let burst = reader.whole("burst", 1..=u32::MAX, burst_of(rate).get())?;
    Ok(Lane {
        channel,
        rate,
        burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
        burst_is_said,
        number: reader.parsed("number")?,
        channel_id: reader.text("channel_id")?,
        also_in_app,
        quality: QualityGuard::default(),
        account: reader.parsed_or("account", name.clone())?,
        portfolio: reader.text("portfolio")?,
        tier: tier(reader, channel)?,
        source: source(reader, channel)?,
        countries: countries(reader)?,
        provider: provider.of_lane(reader, channel)?,
        name,
    })
}

fn burst_of(rate: Rate) -> NonZeroU32 {
    let burst = u32::try_from(rate.within(BURST)).unwrap_or(u32::MAX);
    NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
}

impl Account {
    /// Its burst: that of a lane with its rate, and at least that of each of its lanes, because whole batches must fit.
    pub fn burst(&self, rate: Rate, lanes: &[Lane]) -> NonZeroU32 {
        let of_lanes = lanes.iter().filter(|lane| lane.account == self.name).map(|lane| lane.burst);
        of_lanes.max().map_or(burst_of(rate), |largest| largest.max(burst_of(rate)))
    }
}

/// Refuses a key that only lanes of another channel have.
fn check_channel(
    reader: &Reader<'_>,
    key: &'static str,
    (channel, own): (Channel, Channel),
    problem: &'static str,
) -> Result<(), Error> {
    if channel == own || !reader.has(key) {
        return Ok(());
    }
    Err(Error::NotOnChannel { at: reader.at(key), channel, problem, advice: "remove it" })
}

fn tier(reader: &mut Reader<'_>, channel: Channel) -> Result<Tier, Error> {
    check_channel(reader, "tier", (channel, Channel::WhatsApp), "only WhatsApp lanes have a messaging tier")?;
    match channel {
        Channel::WhatsApp => reader.parsed_or("tier", Tier::default()),
        _ => Ok(Tier::Unlimited),
    }
}

fn also_in_app(reader: &mut Reader<'_>, channel: Channel) -> Result<bool, Error> {
    let problem = "only a WhatsApp number can be used in the WhatsApp Business app";
    check_channel(reader, "also_in_app", (channel, Channel::WhatsApp), problem)?;
    reader.switch("also_in_app", false)
}

fn source(reader: &mut Reader<'_>, channel: Channel) -> Result<Option<String>, Error> {
    check_channel(reader, "source", (channel, Channel::Sms), "only SMS lanes have a source")?;
    let source = reader.text("source")?;
    match &source {
        Some(long) if long.chars().count() > SOURCE_LONGEST => {
            let problem = format!("\"{long}\" has more than {SOURCE_LONGEST} characters; shorten it");
            Err(reader.wrong("source", problem))
        }
        Some(odd) if odd.contains(is_reserved) => {
            Err(reader.wrong("source", "characters from U+FDD0 to U+FDEF are not supported; remove them"))
        }
        Some(_) | None => Ok(source),
    }
}

fn countries(reader: &mut Reader<'_>) -> Result<BTreeSet<Country>, Error> {
    let codes: Vec<String> = reader.parsed_list("countries")?;
    let known = |code: String| Country::by_code(&code).ok_or_else(|| reader.wrong("countries", unknown_country(&code)));
    codes.into_iter().map(known).collect()
}

/// The portfolio that the lanes of each account state.
fn portfolios(lanes: &[Lane]) -> Result<BTreeMap<String, String>, Error> {
    let mut stated: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for lane in lanes {
        let Some(portfolio) = lane.portfolio.as_deref() else { continue };
        let (first, first_portfolio) = *stated.entry(&lane.account).or_insert((&lane.name, portfolio));
        if first_portfolio != portfolio {
            return Err(Error::Portfolios {
                account: lane.account.clone(),
                first: first.to_owned(),
                first_portfolio: first_portfolio.to_owned(),
                second: lane.name.clone(),
                second_portfolio: portfolio.to_owned(),
            });
        }
    }
    Ok(stated.into_iter().map(|(account, (_, portfolio))| (account.to_owned(), portfolio.to_owned())).collect())
}

fn check_tiers(lanes: &[Lane]) -> Result<(), Error> {
    let mut first_of: BTreeMap<&str, &Lane> = BTreeMap::new();
    for lane in lanes {
        let Some(portfolio) = lane.tiered() else { continue };
        let first = *first_of.entry(portfolio).or_insert(lane);
        if first.tier != lane.tier {
            return Err(Error::Tiers {
                portfolio: portfolio.to_owned(),
                first: first.name.clone(),
                first_tier: first.tier,
                second: lane.name.clone(),
                second_tier: lane.tier,
            });
        }
    }
    Ok(())
}

fn accounts(layers: &Layers, lanes: &[Lane], settings: &mut Vec<Setting>) -> Result<Vec<Account>, Error> {
    let mut accounts: Vec<Account> = Vec::new();
    for lane in lanes {
        if accounts.iter().any(|account| account.name == lane.account) {
            continue;
        }
        // A lane without `account` is limited by its own rate alone.
        let shared = lanes.iter().any(|other| {
            other.account == lane.account && other.channel == Channel::WhatsApp && other.account != other.name
        });
        let rate = shared.then_some(ACCOUNT_RATE);
        accounts.push(Account { name: lane.account.clone(), rate, portfolio: lane.portfolio.clone() });
    }
    for entry in layers.named(&ACCOUNT) {
        let mut reader = Reader::new(entry, settings);
        let Some(account) = accounts.iter_mut().find(|account| account.name == entry.name) else {
            return Err(idle(entry, lanes));
        };
        account.rate = Some(reader.parsed_or("rate", account.rate.unwrap_or(ACCOUNT_RATE))?);
    }
    Ok(accounts)
}

fn idle(entry: &Entry, lanes: &[Lane]) -> Error {
    let used: Vec<&str> = lanes.iter().map(|lane| lane.account.as_str()).collect();
    let hint =
        if used.is_empty() { format!("add a lane with account = \"{}\"", entry.name) } else { hint(&entry.name, used) };
    Error::IdleAccount { account: entry.name.clone(), hint }
}

fn warnings(lanes: &[Lane], accounts: &[Account]) -> Vec<String> {
    let mut warnings = Vec::new();
    for lane in lanes {
        let account = accounts.iter().find(|account| account.name == lane.account);
        if let Some(rate) = account.and_then(|account| account.rate)
            && lane.rate.is_above(rate)
        {
            warnings.push(format!(
                "lane {} states {}, but its account {} allows {rate}; that limits the lane, unless [[account]] states another \
                 rate",
                lane.name, lane.rate, lane.account,
            ));
        }
    }
    let unnumbered: Vec<&str> = lanes
        .iter()
        .filter(|lane| lane.channel == Channel::WhatsApp && lane.number.is_none())
        .map(|lane| lane.name.as_str())
        .collect();
    if !unnumbered.is_empty() {
        let more = if unnumbered.len() > 3 { ", …" } else { "" };
        let names = unnumbered.iter().take(3).copied().collect::<Vec<_>>().join(", ") + more;
        let (lanes, have) = if unnumbered.len() == 1 { ("lane", "has") } else { ("lanes", "have") };
        warnings.push(format!(
            "WhatsApp {lanes} {names} {have} no `number`; the provider's events name a lane by its number, so a lower tier or \
             a higher throughput that they report has no effect"
        ));
    }
    warnings
}
