//! Who is reached how well and how fast.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::faults::{Faults, InvalidFaults, Window};
use super::reach::{Delivery, Latency};
use crate::domain::{Channel, Msisdn, Span, Status};

/// How the practice provider behaves. A file names only what differs from the built-in one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How much faster than real everything happens after acceptance.
    pub speed: f64,
    /// How long answers to posts take; none means at once.
    pub answer_after: Option<Latency>,
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

impl Default for Profile {
    /// WhatsApp reaches four of five, Viber three of five of the rest, SMS nearly everybody, so that a demonstration
    /// shows every kind of fallback.
    fn default() -> Self {
        let channels = Channel::ALL.iter().map(|channel| (*channel, Delivery::usual(*channel))).collect();
        let step = |channel, fallback_after| RouteStep { channel, fallback_after, success_status: None };
        Self {
            speed: 1.0,
            answer_after: None,
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
        if let Some(latency) = self.answer_after {
            latency.check("answers", "answer_after")?;
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
            ("[channel.Viber.answers]\nshare = 2.0", "answers.share"),
            ("[channel.Viber.answers]\nafter = { median = \"1s\", spread = 0.5 }", "answers.after"),
            ("[channel.Pigeon]\ndelivered = 1.0", "Pigeon"),
            ("sped = 1", "sped"),
            ("[faults]\nthrottle = 2.0", "throttle"),
            ("answer_after = { median = \"1s\", spread = 0.0 }", "answer_after"),
            ("speed = ", "TOML"),
        ] {
            let error = Profile::from_toml(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
