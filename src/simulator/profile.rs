//! Who is reached how well and how fast.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::faults::{Faults, InvalidFaults, Window};
use crate::domain::{Channel, Msisdn, Rate, Span, Status};

/// How the practice provider behaves. A file names only what differs from the built-in one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How much faster than real everything happens after acceptance.
    pub speed: f64,
    /// Whether acceptance is reported by a receipt as well.
    pub queued_receipts: bool,
    /// Of so many messages, the first ones, the whole request is kept to be looked at.
    pub keep_requests: usize,
    /// The subaccounts that exist; with none named, every one does.
    pub sub_accounts: Vec<String>,
    /// What the provider does by itself with a request that names no channel.
    pub route: Vec<RouteStep>,
    #[serde(rename = "channel")]
    pub channels: BTreeMap<Channel, Delivery>,
    pub faults: Faults,
    pub windows: Vec<Window>,
}

/// A step of the provider's own fallback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteStep {
    pub channel: Channel,
    pub fallback_after: Option<Span>,
    pub success_status: Option<Status>,
}

/// What becomes of messages on a channel. The four shares are of all messages; what they leave over is sent and never
/// heard of again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Refused at once.
    pub reject: f64,
    /// Accepted, and reported as undelivered.
    pub undelivered: f64,
    /// Accepted, and never a receipt.
    pub silent: f64,
    pub delivered: f64,
    /// Of the delivered.
    pub read: f64,
    pub reject_codes: Vec<i64>,
    pub undelivered_codes: Vec<i64>,
    pub sent_after: Latency,
    /// After sent.
    pub delivered_after: Latency,
    /// After delivered.
    pub read_after: Latency,
    pub undelivered_after: Latency,
    /// What the provider takes; more is answered 429.
    pub rate: Option<Rate>,
    /// Countries that differ, by calling code (`+65`); the longest one that fits counts. Empty within a country.
    #[serde(default, rename = "country", skip_serializing_if = "BTreeMap::is_empty")]
    pub countries: BTreeMap<String, Self>,
}

/// How long something takes: half of the time less than the median, never less than `median / spread` nor more than
/// `median * spread`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    pub median: Span,
    pub spread: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidProfile {
    #[error("the simulator's profile is no TOML: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("the simulator's profile cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
    #[error("{whose}: {name} is {share}; write a share from 0 to 1")]
    Share { whose: String, name: &'static str, share: f64 },
    #[error("{whose}: reject, undelivered, silent and delivered come to {sum}; let them come to 1 at most")]
    Sum { whose: String, sum: f64 },
    #[error("{whose}: {name} names no codes although its share is not 0; name at least one")]
    NoCodes { whose: String, name: &'static str },
    #[error("{whose}: the spread of {name} is {spread}; write 1 or more")]
    Spread { whose: String, name: &'static str, spread: f64 },
    #[error("{whose} is no calling code; write + and up to seven digits, such as \"+65\"")]
    CallingCode { whose: String },
    #[error("speed is {0}; write a number above 0, such as 1 or 60")]
    Speed(f64),
    #[error("the route names {0}, which has no section of its own; add [channel.{0}] or leave it out")]
    Route(Channel),
    #[error(transparent)]
    Faults(#[from] InvalidFaults),
}

impl Latency {
    const fn new(median_ms: i64, spread: f64) -> Self {
        Self { median: Span::from_millis(median_ms), spread }
    }

    /// From two even draws: their sum peaks in the middle and thins out towards both ends, much as a log-normal does,
    /// and it needs no tail that a test would have to wait for.
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
    pub(super) fn draw(self, draws: [f64; 2], speed: f64) -> Span {
        let factor = self.spread.powf(draws[0] + draws[1] - 1.0);
        Span::from_millis((self.median.millis() as f64 * factor / speed).round() as i64)
    }
}

impl Default for Profile {
    /// WhatsApp reaches four of five, Viber three of five of the rest, SMS nearly everybody, so that a demonstration
    /// shows every kind of fallback.
    fn default() -> Self {
        let channels = Channel::ALL.iter().map(|channel| (*channel, Delivery::usual(*channel))).collect();
        let step = |channel, fallback_after| RouteStep { channel, fallback_after, success_status: None };
        Self {
            speed: 1.0,
            queued_receipts: false,
            keep_requests: 10_000,
            sub_accounts: Vec::new(),
            route: vec![step(Channel::WhatsApp, Some(Span::from_secs(60))), step(Channel::Sms, None)],
            channels,
            faults: Faults::default(),
            windows: Vec::new(),
        }
    }
}

impl Delivery {
    /// How a channel does when nobody says otherwise.
    fn usual(channel: Channel) -> Self {
        let usual = Self {
            reject: 0.0,
            undelivered: 0.03,
            silent: 0.02,
            delivered: 0.95,
            read: 0.0,
            reject_codes: vec![3_003],
            undelivered_codes: vec![46, 36],
            sent_after: Latency::new(400, 2.0),
            delivered_after: Latency::new(2_500, 4.0),
            read_after: Latency::new(40_000, 8.0),
            undelivered_after: Latency::new(1_500, 3.0),
            rate: None,
            countries: BTreeMap::new(),
        };
        match channel {
            Channel::WhatsApp => Self {
                reject: 0.02,
                undelivered: 0.08,
                silent: 0.05,
                delivered: 0.80,
                read: 0.6,
                undelivered_codes: vec![1, 1_018, 1_018, 1_024],
                ..usual
            },
            Channel::Viber => Self {
                undelivered: 0.30,
                silent: 0.08,
                delivered: 0.60,
                read: 0.4,
                undelivered_codes: vec![2_008, 2_009],
                ..usual
            },
            Channel::Rcs => Self {
                undelivered: 0.40,
                silent: 0.05,
                delivered: 0.50,
                read: 0.4,
                undelivered_codes: vec![1],
                ..usual
            },
            Channel::Sms | Channel::Line | Channel::ZaloNotification | Channel::LineNotification => usual,
        }
    }

    fn check(&self, whose: &str) -> Result<(), InvalidProfile> {
        let whose = || whose.to_owned();
        for (name, share) in [
            ("reject", self.reject),
            ("undelivered", self.undelivered),
            ("silent", self.silent),
            ("delivered", self.delivered),
            ("read", self.read),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(InvalidProfile::Share { whose: whose(), name, share });
            }
        }
        let sum = self.reject + self.undelivered + self.silent + self.delivered;
        // Tenths do not add up to one exactly.
        if sum > 1.0 + 1e-9 {
            return Err(InvalidProfile::Sum { whose: whose(), sum });
        }
        for (name, share, codes) in [
            ("reject_codes", self.reject, &self.reject_codes),
            ("undelivered_codes", self.undelivered, &self.undelivered_codes),
        ] {
            if share > 0.0 && codes.is_empty() {
                return Err(InvalidProfile::NoCodes { whose: whose(), name });
            }
        }
        for (name, latency) in [
            ("sent_after", self.sent_after),
            ("delivered_after", self.delivered_after),
            ("read_after", self.read_after),
            ("undelivered_after", self.undelivered_after),
        ] {
            if latency.spread.is_nan() || latency.spread < 1.0 {
                return Err(InvalidProfile::Spread { whose: whose(), name, spread: latency.spread });
            }
        }
        Ok(())
    }
}

impl Profile {
    /// Everybody is reached on every channel, within the same moment: for tests that are about something else.
    pub fn perfect() -> Self {
        let mut profile = Self::default();
        for delivery in profile.channels.values_mut() {
            *delivery = Delivery {
                undelivered: 0.0,
                silent: 0.0,
                reject: 0.0,
                delivered: 1.0,
                read: 1.0,
                sent_after: Latency::new(0, 1.0),
                delivered_after: Latency::new(0, 1.0),
                read_after: Latency::new(0, 1.0),
                ..delivery.clone()
            };
        }
        profile
    }

    pub fn from_toml(text: &str) -> Result<Self, InvalidProfile> {
        Self::from_changes(toml::from_str(text).map_err(|error| InvalidProfile::Toml(Box::new(error)))?)
    }

    pub fn from_json(text: &str) -> Result<Self, InvalidProfile> {
        Self::from_changes(serde_json::from_str(text).map_err(InvalidProfile::Unreadable)?)
    }

    fn from_changes(mut changes: Value) -> Result<Self, InvalidProfile> {
        let mut whole = serde_json::to_value(Self::default()).map_err(InvalidProfile::Unreadable)?;
        // Channels by the spelling that the built-in profile uses, so that the two meet.
        if let Some(Value::Object(named)) = changes.get_mut("channel") {
            *named = std::mem::take(named)
                .into_iter()
                .map(|(name, delivery)| (crate::wire::channel(&name).map_or(name, |known| known.to_string()), delivery))
                .collect();
        }
        merge(&mut whole, &changes);
        if let Some(Value::Object(channels)) = whole.get_mut("channel") {
            channels.values_mut().for_each(fill_countries);
        }
        let profile: Self = serde_json::from_value(whole).map_err(InvalidProfile::Unreadable)?;
        profile.check()?;
        Ok(profile)
    }

    /// Whether everything fits together. Profiles from text have been through it.
    pub fn check(&self) -> Result<(), InvalidProfile> {
        if !(self.speed > 0.0 && self.speed.is_finite()) {
            return Err(InvalidProfile::Speed(self.speed));
        }
        for (channel, delivery) in &self.channels {
            delivery.check(channel.as_str())?;
            for (code, country) in &delivery.countries {
                let whose = format!("{channel} {code}");
                if calling_code(code).is_none() {
                    return Err(InvalidProfile::CallingCode { whose });
                }
                country.check(&whose)?;
            }
        }
        if let Some(step) = self.route.iter().find(|step| !self.channels.contains_key(&step.channel)) {
            return Err(InvalidProfile::Route(step.channel));
        }
        self.faults.check()?;
        self.windows.iter().try_for_each(Window::check)?;
        Ok(())
    }

    /// What becomes of messages to this number on this channel; none where the subaccount does not have the channel.
    pub(super) fn delivery(&self, channel: Channel, to: Msisdn) -> Option<&Delivery> {
        let delivery = self.channels.get(&channel)?;
        if delivery.countries.is_empty() {
            return Some(delivery);
        }
        let digits = to.get().to_string();
        let fits = |code: &&String| calling_code(code).is_some_and(|code| digits.starts_with(code));
        let country = delivery.countries.keys().filter(fits).max_by_key(|code| code.len());
        Some(country.and_then(|code| delivery.countries.get(code)).unwrap_or(delivery))
    }
}

fn calling_code(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (matches!(digits.len(), 1..=7) && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(digits)
}

/// Lays each country's changes over its channel.
fn fill_countries(channel: &mut Value) {
    let Value::Object(channel) = channel else { return };
    let Some(Value::Object(countries)) = channel.remove("country") else { return };
    let filled: Map<_, _> = countries
        .into_iter()
        .map(|(code, changes)| {
            let mut country = Value::Object(channel.clone());
            merge(&mut country, &changes);
            (code, country)
        })
        .collect();
    channel.insert("country".to_owned(), Value::Object(filled));
}

/// Lays changes over a JSON value: objects key by key, everything else whole.
pub(super) fn merge(base: &mut Value, changes: &Value) {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(base.entry(key.clone()).or_insert(Value::Null), change);
            }
        }
        (base, change) => base.clone_from(change),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_hold_together() {
        Profile::default().check().unwrap();
        Profile::perfect().check().unwrap();
    }

    #[test]
    fn a_file_names_only_what_differs() {
        let profile = Profile::from_toml(
            r#"
            speed = 60
            [channel.whatsapp]
            delivered = 0.5
            rate = "80/s"
            [channel.whatsapp.country."+65"]
            delivered = 0.9
            undelivered = 0.0
            [[windows]]
            from = "10s"
            until = "20s"
            faults = { throttle = 1.0 }
            "#,
        )
        .unwrap();
        let delivered = |number: &str| profile.delivery(Channel::WhatsApp, number.parse().unwrap()).unwrap().delivered;
        assert_eq!(delivered("+6591234567"), 0.9);
        assert_eq!(delivered("+4915112345678"), 0.5);
        assert_eq!(profile.channels[&Channel::Viber], Delivery::usual(Channel::Viber));
        assert_eq!(profile.channels[&Channel::WhatsApp].undelivered, 0.08);
        assert_eq!(profile.windows[0].faults.throttle, 1.0);
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        for (wrong, says) in [
            ("speed = 0", "speed"),
            ("[channel.SMS]\ndelivered = 1.2", "delivered"),
            ("[channel.SMS]\ndelivered = 0.99", "come to"),
            ("[channel.SMS.country.\"+65\"]\nsilent = 0.9", "SMS +65"),
            ("[channel.SMS.country.SG]\nsilent = 0.0", "calling code"),
            ("[channel.SMS]\nsent_after = { median = \"1s\", spread = 0.5 }", "spread"),
            ("[channel.SMS]\nundelivered_codes = []", "undelivered_codes"),
            ("[channel.Pigeon]\ndelivered = 1.0", "Pigeon"),
            ("sped = 1", "sped"),
            ("[faults]\nthrottle = 2.0", "throttle"),
            ("speed = ", "TOML"),
        ] {
            let error = Profile::from_toml(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn latencies_stay_within_their_spread() {
        let latency = Latency::new(1_000, 4.0);
        assert_eq!(latency.draw([0.5, 0.5], 1.0), Span::from_secs(1));
        assert_eq!(latency.draw([0.0, 0.0], 1.0), Span::from_millis(250));
        assert_eq!(latency.draw([1.0, 1.0], 10.0), Span::from_millis(400));
    }
}
