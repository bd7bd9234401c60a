//! How fast, and how many people a day.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::Span;
use super::word::{serde_as_text, words};

/// So many hand-overs in such a time: `80/s`, `5/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    per: Span,
}

/// People a portfolio may start a conversation with in any rolling day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    People(u32),
    Unlimited,
}

words! {
    /// What may be changed of the configuration while a server runs.
    Knob, "setting" {
        /// Of a lane.
        Rate = 0, "rate";
        /// Of a lane.
        Burst = 1, "burst";
        /// Of a portfolio.
        Tier = 2, "tier";
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPace {
    #[error("\"{0}\" is not a rate; write a number of at least 1 and a unit, such as 80/s, 5/min or 2000/h")]
    Rate(String),
    #[error("\"{0}\" is not a messaging tier; known are 250, 1K, 2K, 10K, 100K and unlimited")]
    Tier(String),
}

const UNITS: [(&str, i64); 4] = [("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Rate {
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self { count, per: Span::from_secs(1) }
    }

    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The time between two hand-overs at an even pace.
    pub fn interval(self) -> std::time::Duration {
        self.per.std() / self.count.get()
    }

    /// The same in nanoseconds, and never less.
    pub fn nanos_between(self) -> u64 {
        let per = u128::from(self.per.millis().unsigned_abs()) * 1_000_000;
        u64::try_from(per.div_ceil(u128::from(self.count.get()))).unwrap_or(u64::MAX).max(1)
    }

    /// How many fit into a span, rounded down.
    pub fn within(self, span: Span) -> u64 {
        let product = u128::from(self.count.get()) * u128::from(span.millis().unsigned_abs());
        u64::try_from(product / u128::from(self.per.millis().unsigned_abs())).unwrap_or(u64::MAX)
    }

    pub fn each_second(self) -> f64 {
        f64::from(self.count.get()) / self.per.std().as_secs_f64()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, millis)| *millis == self.per.millis()).map_or("s", |(unit, _)| unit);
        f.pad(&format!("{}/{unit}", self.count))
    }
}

impl FromStr for Rate {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, InvalidPace> {
        let invalid = || InvalidPace::Rate(text.to_owned());
        let (count, unit) = text.trim().split_once('/').ok_or_else(invalid)?;
        let count = count.trim().parse().map_err(|_| invalid())?;
        let (_, millis) = UNITS.iter().find(|(known, _)| *known == unit.trim()).ok_or_else(invalid)?;
        Ok(Self { count, per: Span::from_millis(*millis) })
    }
}

impl Default for Tier {
    fn default() -> Self {
        Self::People(250)
    }
}

impl Tier {
    /// The steps that the provider knows. New numbers start on the first.
    pub const KNOWN: [u32; 5] = [250, 1_000, 2_000, 10_000, 100_000];
    /// How long a person counts after the latest claim: a day from the hand-over, which may come 45 seconds later than the
    /// claim that has taken the place, and take some itself.
    pub const HELD: Span = Span::from_secs(86_400 + 60);
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::People(people) if people % 1_000 == 0 => f.pad(&format!("{}K", people / 1_000)),
            Self::People(people) => f.pad(&people.to_string()),
            Self::Unlimited => f.pad("unlimited"),
        }
    }
}

impl FromStr for Tier {
    type Err = InvalidPace;

    fn from_str(text: &str) -> Result<Self, InvalidPace> {
        if text.eq_ignore_ascii_case("unlimited") {
            return Ok(Self::Unlimited);
        }
        Self::KNOWN
            .into_iter()
            .map(Self::People)
            .find(|tier| tier.to_string().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| InvalidPace::Tier(text.to_owned()))
    }
}

serde_as_text!(Rate, Tier);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_people_write_them() {
        let rate: Rate = "80/s".parse().unwrap();
        assert_eq!(rate.within(Span::from_millis(50)), 4);
        assert_eq!(rate.to_string(), "80/s");
        assert_eq!("5/min".parse::<Rate>().unwrap().interval(), std::time::Duration::from_secs(12));
        for wrong in ["0/s", "80", "/s", "80/week", "-1/s", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tiers_are_the_providers_steps() {
        for text in ["250", "1K", "2K", "10K", "100K", "unlimited"] {
            assert_eq!(text.parse::<Tier>().unwrap().to_string(), text);
        }
        assert!("300".parse::<Tier>().is_err());
    }
}
