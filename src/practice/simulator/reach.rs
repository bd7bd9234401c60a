//! How well and how fast a channel reaches recipients.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::profile::InvalidProfile;
use crate::base::domain::{Channel, Rate, Span};

/// What becomes of messages on a channel. The four shares are of all messages. The remaining messages are reported as
/// sent and get no later receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The id of the subaccount's sender on the channel, which replies and details name.
    pub channel_id: String,
    /// Share that is refused at once.
    pub reject: f64,
    /// Share that is accepted and reported as undelivered.
    pub undelivered: f64,
    /// Share that is accepted and gets no receipt.
    pub silent: f64,
    pub delivered: f64,
    /// Share of the delivered messages that are read.
    pub read: f64,
    pub reject_codes: Vec<i64>,
    pub undelivered_codes: Vec<i64>,
    pub sent_after: Latency,
    /// Time after sent.
    pub delivered_after: Latency,
    /// Time after delivered.
    pub read_after: Latency,
    pub undelivered_after: Latency,
    pub answers: Answers,
    /// The rate that the provider accepts; requests above it are answered 429.
    pub rate: Option<Rate>,
    /// Countries that differ, by calling code (`+65`); the longest matching code applies. Empty within a country.
    #[serde(default, rename = "country", skip_serializing_if = "BTreeMap::is_empty")]
    pub countries: BTreeMap<String, Self>,
}

/// A duration. Half of the draws are below the median; none is below `median / spread` or above `median * spread`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    pub median: Span,
    pub spread: f64,
}

/// How recipients write back. None do by default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Share of recipients who write back after they read a message; if the channel does not report Read, after
    /// delivery.
    pub share: f64,
    /// Time after that.
    pub after: Latency,
    /// Share of the answers that name the message they refer to.
    pub quotes: f64,
    /// Shares of the answers that are STOP, and that choose a button, a row or a suggestion of the message, if it has any.
    /// The others are a few words.
    pub stops: f64,
    pub buttons: f64,
    /// Share of recipients who say START after their STOP, as long afterwards.
    pub returns: f64,
}

impl Answers {
    const fn none() -> Self {
        Self { share: 0.0, after: Latency::new(60_000, 8.0), quotes: 1.0, stops: 0.1, buttons: 0.3, returns: 0.0 }
    }
}

impl Latency {
    pub(super) const fn new(median_ms: i64, spread: f64) -> Self {
        Self { median: Span::from_millis(median_ms), spread }
    }

    /// Draws a duration from two uniform draws. Their sum peaks in the middle and thins out towards both ends, much
    /// like a log-normal distribution. It has no tail that a test would have to wait for.
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
    pub(super) fn draw(self, draws: [f64; 2], speed: f64) -> Span {
        let factor = self.spread.powf(draws[0] + draws[1] - 1.0);
        Span::from_millis((self.median.millis() as f64 * factor / speed).round() as i64)
    }

    pub(super) fn check(self, owner: &str, name: &'static str) -> Result<(), InvalidProfile> {
        if self.spread.is_nan() || self.spread < 1.0 {
            return Err(InvalidProfile::Spread { owner: owner.to_owned(), name, spread: self.spread });
        }
        Ok(())
    }
}

impl Delivery {
    /// Returns the defaults of a channel.
    pub(super) fn usual(channel: Channel) -> Self {
        let usual = Self {
            channel_id: channel_id(channel).to_owned(),
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
            answers: Answers::none(),
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

    pub(super) fn check(&self, owner: &str) -> Result<(), InvalidProfile> {
        let owner = || owner.to_owned();
        for (name, share) in [
            ("reject", self.reject),
            ("undelivered", self.undelivered),
            ("silent", self.silent),
            ("delivered", self.delivered),
            ("read", self.read),
            ("answers.share", self.answers.share),
            ("answers.quotes", self.answers.quotes),
            ("answers.stops", self.answers.stops),
            ("answers.buttons", self.answers.buttons),
            ("answers.returns", self.answers.returns),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(InvalidProfile::Share { owner: owner(), name, share });
            }
        }
        let sum = self.reject + self.undelivered + self.silent + self.delivered;
        // Tenths do not add up to one exactly.
        if sum > 1.0 + 1e-9 {
            return Err(InvalidProfile::Sum { owner: owner(), sum });
        }
        for (name, share, codes) in [
            ("reject_codes", self.reject, &self.reject_codes),
            ("undelivered_codes", self.undelivered, &self.undelivered_codes),
        ] {
            if share > 0.0 && codes.is_empty() {
                return Err(InvalidProfile::NoCodes { owner: owner(), name });
            }
        }
        for (name, latency) in [
            ("sent_after", self.sent_after),
            ("delivered_after", self.delivered_after),
            ("read_after", self.read_after),
            ("undelivered_after", self.undelivered_after),
            ("answers.after", self.answers.after),
        ] {
            latency.check(&owner(), name)?;
        }
        Ok(())
    }
}

/// The built-in ids, spelled like the provider's own.
const fn channel_id(channel: Channel) -> &'static str {
    match channel {
        Channel::WhatsApp => "269a57f4-3522-4b11-8278-00155d9f2701",
        Channel::Viber => "269a57f4-3522-4b11-8278-00155d9f2702",
        Channel::Sms => "269a57f4-3522-4b11-8278-00155d9f2703",
        Channel::Rcs => "269a57f4-3522-4b11-8278-00155d9f2704",
        Channel::Line => "269a57f4-3522-4b11-8278-00155d9f2705",
        Channel::ZaloNotification => "269a57f4-3522-4b11-8278-00155d9f2706",
        Channel::LineNotification => "269a57f4-3522-4b11-8278-00155d9f2707",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_stay_within_their_spread() {
        let latency = Latency::new(1_000, 4.0);
        assert_eq!(latency.draw([0.5, 0.5], 1.0), Span::from_secs(1));
        assert_eq!(latency.draw([0.0, 0.0], 1.0), Span::from_millis(250));
        assert_eq!(latency.draw([1.0, 1.0], 10.0), Span::from_millis(400));
    }
}
