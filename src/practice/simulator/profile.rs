//! The profile of the practice provider: how well and how fast it reaches recipients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::faults::{Faults, InvalidFaults, Window};
use super::model::TemplatesProfile;
use super::reach::{Delivery, Latency};
use crate::base::domain::{Channel, Msisdn, Span, Status};

/// How the practice provider behaves. A file contains only what differs from the built-in profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How much faster than in reality everything happens after acceptance.
    pub speed: f64,
    /// The delay of answers to posts; `None` means no delay.
    pub answer_after: Option<Latency>,
    /// Whether acceptance is also reported by a receipt.
    pub queued_receipts: bool,
    /// Number of messages, from the first, whose whole request is kept.
    pub keep_requests: usize,
    /// The account that events name; without it, that of the latest request that named one.
    pub account_id: Option<String>,
    /// The subaccounts that exist; if empty, every subaccount does.
    pub sub_accounts: Vec<String>,
    /// Whether WhatsApp delivers free-form content only in the recipient's open window.
    pub session_window: bool,
    /// The subaccount's own route for a request that names no channel. A step that the content cannot be written for is
    /// skipped. If empty, the message is tried on WhatsApp alone, or on the one channel that carries its content.
    pub route: Vec<RouteStep>,
    #[serde(rename = "channel")]
    pub channels: BTreeMap<Channel, Delivery>,
    pub templates: TemplatesProfile,
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
    #[error("the simulator's profile is not valid TOML: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("the simulator's profile cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
    #[error("{owner}: {name} is {share}; write a share from 0 to 1")]
    Share { owner: String, name: &'static str, share: f64 },
    #[error("{owner}: reject, undelivered, silent and delivered add up to {sum}; lower them to 1 at most")]
    Sum { owner: String, sum: f64 },
    #[error("{owner}: {name} is empty although its share is not 0; name at least one code")]
    NoCodes { owner: String, name: &'static str },
    #[error("{owner}: the spread of {name} is {spread}; write 1 or more")]
    Spread { owner: String, name: &'static str, spread: f64 },
    #[error("{owner}: invalid calling code; write + and up to seven digits, such as \"+65\"")]
    CallingCode { owner: String },
    #[error("speed is {0}; write a number above 0, such as 1 or 60")]
    Speed(f64),
    #[error("the route names {0}, which has no section; add [channel.{0}] or remove {0} from the route")]
    Route(Channel),
    #[error(transparent)]
    Faults(#[from] InvalidFaults),
}

impl Default for Profile {
    /// WhatsApp reaches four of five recipients, Viber three of five of the rest, and SMS nearly all. So a
    /// demonstration shows every kind of fallback.
    fn default() -> Self {
        let channels = Channel::ALL.iter().map(|channel| (*channel, Delivery::usual(*channel))).collect();
        Self {
            speed: 1.0,
            answer_after: None,
            queued_receipts: false,
            keep_requests: 10_000,
            account_id: None,
            sub_accounts: Vec::new(),
            session_window: true,
            route: Vec::new(),
            channels,
            templates: TemplatesProfile::default(),
            faults: Faults::default(),
            windows: Vec::new(),
        }
    }
}

impl Profile {
    /// Reaches every recipient on every channel without delay, for tests of other things.
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
        // Channels get the spelling of the built-in profile, so the changes apply to them.
        if let Some(Value::Object(named)) = changes.get_mut("channel") {
            *named = std::mem::take(named)
                .into_iter()
                .map(|(name, delivery)| {
                    (crate::rules::wire::channel(&name).map_or(name, |known| known.to_string()), delivery)
                })
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

    /// Checks that the profile is consistent. A profile from text has been checked.
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
                let owner = format!("{channel} {code}");
                if calling_code(code).is_none() {
                    return Err(InvalidProfile::CallingCode { owner });
                }
                country.check(&owner)?;
            }
        }
        if let Some(step) = self.route.iter().find(|step| !self.channels.contains_key(&step.channel)) {
            return Err(InvalidProfile::Route(step.channel));
        }
        self.faults.check()?;
        self.windows.iter().try_for_each(Window::check)?;
        Ok(())
    }

    /// Returns the delivery for this number on this channel; `None` if the subaccount does not have the channel.
    /// A recipient without a number is in no country.
    pub(super) fn delivery(&self, channel: Channel, to: Option<Msisdn>) -> Option<&Delivery> {
        let delivery = self.channels.get(&channel)?;
        let Some(to) = to.filter(|_| !delivery.countries.is_empty()) else { return Some(delivery) };
        let digits = to.get().to_string();
        let matches = |code: &&String| calling_code(code).is_some_and(|code| digits.starts_with(code));
        let country = delivery.countries.keys().filter(matches).max_by_key(|code| code.len());
        Some(country.and_then(|code| delivery.countries.get(code)).unwrap_or(delivery))
    }
}

fn calling_code(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (matches!(digits.len(), 1..=7) && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(digits)
}

/// Merges each country's changes into the values of its channel.
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

/// Merges changes into a JSON value: objects key by key, everything else as a whole.
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
    fn the_built_in_profiles_are_valid() {
        Profile::default().check().unwrap();
        Profile::perfect().check().unwrap();
    }

    #[test]
    fn a_file_overrides_only_what_it_names() {
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
        let delivered = |number: &str| profile.delivery(Channel::WhatsApp, number.parse().ok()).unwrap().delivered;
        assert_eq!(delivered("+6591234567"), 0.9);
        assert_eq!(delivered("+4915112345678"), 0.5);
        assert_eq!(profile.channels[&Channel::Viber], Delivery::usual(Channel::Viber));
        assert_eq!(profile.channels[&Channel::WhatsApp].undelivered, 0.08);
        assert_eq!(profile.windows[0].faults.throttle, 1.0);
    }

    #[test]
    fn an_invalid_profile_is_refused_with_a_reason() {
        for (wrong, reason) in [
            ("speed = 0", "speed"),
            ("[channel.SMS]\ndelivered = 1.2", "delivered"),
            ("[channel.SMS]\ndelivered = 0.99", "add up to"),
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
            assert!(error.contains(reason), "{wrong}: {error}");
        }
    }
}
