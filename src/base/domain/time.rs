//! Instants and lengths of time, both in whole milliseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use chrono::{Datelike, Timelike};
use serde::{Deserialize, Serialize};

use super::word::serde_as_text;

/// An instant: milliseconds since 1970, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later than any event.
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is in the future.
    pub fn since(self, earlier: Self) -> Span {
        Span::from_millis(self.0.saturating_sub(earlier.0).max(0))
    }

    /// The month in UTC, as 202611.
    pub fn month(self) -> i64 {
        let utc = self.utc();
        i64::from(utc.year()) * 100 + i64::from(utc.month())
    }

    fn utc(self) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::from_timestamp_millis(self.0).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC)
    }

    /// As RFC 3339, for `#[serde(serialize_with)]`.
    pub fn as_text<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }

    /// Formats the instant as the provider does: `2026-12-01T09:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    /// Appends the same without the formatter, for the hot path.
    pub fn append_to(self, buffer: &mut Vec<u8>) {
        let at = self.utc();
        let Some(year) = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999) else {
            return buffer.extend_from_slice(self.rfc3339().as_bytes());
        };
        let mut push = |number: u32, digits: u32, mark: u8| {
            buffer.extend(
                (0..digits).rev().map(|place| b'0' + u8::try_from(number / 10_u32.pow(place) % 10).unwrap_or_default()),
            );
            buffer.push(mark);
        };
        push(year, 4, b'-');
        push(at.month(), 2, b'-');
        push(at.day(), 2, b'T');
        push(at.hour(), 2, b':');
        push(at.minute(), 2, b':');
        push(at.second(), 2, b'.');
        push(at.timestamp_subsec_millis(), 3, b'Z');
    }

    /// Parses the output of [`Timestamp::rfc3339`], and every other RFC 3339 instant.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| Self(at.timestamp_millis()))
    }
}

/// Instants as RFC 3339 text, for `#[serde(with = "rfc3339")]`.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Timestamp;

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        at.as_text(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse_rfc3339(&text).ok_or_else(|| de::Error::custom(format!("\"{text}\" is not an instant")))
    }
}

/// The same for an instant that may be missing.
pub mod rfc3339_option {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Timestamp;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => at.as_text(serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let at = Timestamp::parse_rfc3339(&text);
        at.map(Some).ok_or_else(|| de::Error::custom(format!("\"{text}\" is not an instant")))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.millis()))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.millis()))
    }
}

/// A length of time, never negative. Written with its unit: `900ms`, `15m`, `1h30m`, `2d`. Read with words as well: `15 minutes`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a length of time; write a number and a unit, such as 90s, 15m, 12 hours or 2d")]
pub struct InvalidSpan(String);

/// The words that an operator may write instead of a unit.
const WORDS: [(&str, &[&str]); 4] = [
    ("d", &["day", "days"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("m", &["min", "mins", "minute", "minutes"]),
    ("s", &["sec", "secs", "second", "seconds"]),
];
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    pub const ZERO: Self = Self(0);

    /// A negative length becomes zero.
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis < 0 { 0 } else { millis })
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Rounds to seconds from 10 s on, for output: longer spans need no milliseconds.
    #[must_use]
    pub const fn rounded(self) -> Self {
        if self.0 < 10_000 { self } else { Self((self.0 + 500) / 1_000 * 1_000) }
    }

    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.unsigned_abs())
    }
}

impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Self {
        Self(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut left = self.0;
        for (unit, millis) in UNITS {
            let count = left / millis;
            left %= millis;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let invalid = || InvalidSpan(text.to_owned());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0_i64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let count: i64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let word = &rest[..letters];
            let is_named = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
            let unit = WORDS.iter().find(|(_, words)| is_named(words)).map_or(word, |(unit, _)| unit);
            let (_, millis) = UNITS.iter().find(|(known, _)| *known == unit).ok_or_else(invalid)?;
            rest = rest[letters..].trim_start();
            total = count.checked_mul(*millis).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        }
        Ok(Self(total))
    }
}

serde_as_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_need_a_number_and_a_known_unit() {
        for wrong in ["", "15", "m", "15 x", "-5s", "1.5h", "15 minutess", "minutes", "99999999999999999d"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong:?} was taken");
        }
        for right in
            ["1h 30m", "1 h 30 m", "1 hour 30 minutes", "1hour 30min", "90 min", "5400 sec", "5399 seconds 1 second"]
        {
            assert_eq!(right.parse(), Ok(Span::from_secs(5_400)), "{right}");
        }
        assert_eq!(
            ("2 days".parse(), "1 day 24 hours".parse()),
            (Ok(Span::from_secs(172_800)), Ok(Span::from_secs(172_800)))
        );
    }

    proptest! {
        #[test]
        fn a_span_parses_what_it_prints(millis in 0_i64..10_000_000_000_000) {
            let span = Span::from_millis(millis);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn an_instant_parses_what_it_prints(millis in 0_i64..4_000_000_000_000) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339()), Some(at));
            let mut appended = Vec::new();
            at.append_to(&mut appended);
            prop_assert_eq!(appended, at.rfc3339().into_bytes());
        }
    }
}
