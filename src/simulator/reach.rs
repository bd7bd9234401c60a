//! How well and how fast one channel reaches people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::profile::InvalidProfile;
use crate::domain::{Channel, Rate, Span};

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
    pub answers: Answers,
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

/// Who writes back, and what. Nobody, unless a profile says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Of those who have read a message; where the channel does not tell, of those who have got it.
    pub share: f64,
    /// After that.
    pub after: Latency,
    /// Of the answers: those that name the message they are on.
    pub quotes: f64,
    /// Of the answers: STOP, and a tapped button. The others are a few words.
    pub stops: f64,
    pub buttons: f64,
    /// Of those who said STOP: those who say START, as long afterwards.
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

    /// From two even draws: their sum peaks in the middle and thins out towards both ends, much as a log-normal does,
    /// and it needs no tail that a test would have to wait for.
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
    pub(super) fn draw(self, draws: [f64; 2], speed: f64) -> Span {
        let factor = self.spread.powf(draws[0] + draws[1] - 1.0);
        Span::from_millis((self.median.millis() as f64 * factor / speed).round() as i64)
    }

    pub(super) fn check(self, whose: &str, name: &'static str) -> Result<(), InvalidProfile> {
        if self.spread.is_nan() || self.spread < 1.0 {
            return Err(InvalidProfile::Spread { whose: whose.to_owned(), name, spread: self.spread });
        }
        Ok(())
    }
}

impl Delivery {
    /// How a channel does when nobody says otherwise.
    pub(super) fn usual(channel: Channel) -> Self {
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

    pub(super) fn check(&self, whose: &str) -> Result<(), InvalidProfile> {
        let whose = || whose.to_owned();
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
            ("answers.after", self.answers.after),
        ] {
            latency.check(&whose(), name)?;
        }
        Ok(())
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
