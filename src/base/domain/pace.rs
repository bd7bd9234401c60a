//! Rates, and messaging tiers.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::str::FromStr;

use super::Span;
use super::word::{serde_as_text, words};

/// A number of submissions per unit of time: `80/s`, `5/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    per: Span,
}

/// The fraction of its rate at which a lane sends, in sixteenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Portion(NonZeroU8);

/// How many recipients a portfolio may start a conversation with in any rolling day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Recipients(u32),
    Unlimited,
}

words! {
    /// A setting that can be overridden while a server runs.
    OverridableSetting, "setting" {
        /// The rate of a lane.
        Rate = 0, "rate";
        /// The burst of a lane.
        Burst = 1, "burst";
        /// The tier of a portfolio.
        Tier = 2, "tier";
        /// The rate of an account, for all of its lanes together.
        AccountRate = 3, "account-rate";
    }
}

impl OverridableSetting {
    /// The setting's name without its subject.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Rate | Self::AccountRate => "rate",
            Self::Burst => "burst",
            Self::Tier => "tier",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPace {
    #[error("\"{0}\" is not a rate; write a number of at least 1 and a unit, such as 80/s, 5/min or 2000/h")]
    Rate(String),
    #[error("unknown messaging tier \"{0}\"; use one of 50, 250, 2K, 10K, 100K, unlimited")]
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

    /// The time between two submissions at an even rate.
    pub fn interval(self) -> std::time::Duration {
        self.per.std() / self.count.get()
    }

    /// The time between two submissions in nanoseconds, rounded up; at least 1.
    pub fn nanos_between(self) -> u64 {
        let per = u128::from(self.per.millis().unsigned_abs()) * 1_000_000;
        u64::try_from(per.div_ceil(u128::from(self.count.get()))).unwrap_or(u64::MAX).max(1)
    }

    /// How many submissions fit into a span, rounded down.
    pub fn within(self, span: Span) -> u64 {
        let product = u128::from(self.count.get()) * u128::from(span.millis().unsigned_abs());
        u64::try_from(product / u128::from(self.per.millis().unsigned_abs())).unwrap_or(u64::MAX)
    }

    /// Half of it; one in the same time at least.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { count: NonZeroU32::new(self.count.get() / 2).unwrap_or(NonZeroU32::MIN), ..self }
    }

    pub fn is_above(self, other: Self) -> bool {
        self.each_second() > other.each_second()
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

impl Portion {
    pub const WHOLE: Self = Self(NonZeroU8::MIN.saturating_add(Self::PARTS - 1));
    const PARTS: u8 = 16;

    /// `None` unless `parts` is from 1 to 16.
    pub fn of_sixteenths(parts: u8) -> Option<Self> {
        NonZeroU8::new(parts).filter(|parts| parts.get() <= Self::PARTS).map(Self)
    }

    pub const fn sixteenths(self) -> u8 {
        self.0.get()
    }

    /// Half of it, but at least a sixteenth.
    #[must_use]
    pub fn halved(self) -> Self {
        Self(NonZeroU8::new(self.0.get() / 2).unwrap_or(NonZeroU8::MIN))
    }

    /// Adds so many sixteenths, up to the whole.
    #[must_use]
    pub fn and_sixteenths(self, more: u64) -> Self {
        let parts = u64::from(self.0.get()).saturating_add(more);
        u8::try_from(parts).ok().and_then(Self::of_sixteenths).unwrap_or(Self::WHOLE)
    }

    pub fn of(self, whole: f64) -> f64 {
        whole * f64::from(self.0.get()) / f64::from(Self::PARTS)
    }

    /// How many nanoseconds the lane needs at this fraction for what takes `nanos` at its whole rate.
    pub const fn stretched(self, nanos: u64) -> u64 {
        nanos.saturating_mul(Self::PARTS as u64) / self.0.get() as u64
    }
}

impl fmt::Display for Portion {
    /// `1/2`, `3/16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.0.get().trailing_zeros();
        f.pad(&format!("{}/{}", self.0.get() >> shared, Self::PARTS >> shared))
    }
}

impl Default for Tier {
    fn default() -> Self {
        Self::Recipients(250)
    }
}

impl Tier {
    /// The limited tiers that the provider has. New numbers start on the second; the first is for numbers that were
    /// downgraded.
    pub const KNOWN: [u32; 6] = [50, 250, 1_000, 2_000, 10_000, 100_000];
    /// How long a recipient holds a slot after the latest claim.
    ///
    /// That is a day from the submission. The submission may follow up to 45 seconds after the claim that took the
    /// slot, and may itself take some time.
    pub const HELD: Span = Span::from_secs(86_400 + 60);

    /// The tier of a business that is not verified.
    pub const UNVERIFIED: Self = Self::Recipients(250);
    /// A tier that the provider no longer gives, though a number may still have it.
    const FORMER: Self = Self::Recipients(1_000);

    /// The provider's next tier; unlimited after the last.
    #[must_use]
    pub fn next_higher(self) -> Self {
        let all = Self::KNOWN.into_iter().map(Self::Recipients);
        all.filter(|tier| *tier != Self::FORMER).find(|tier| *tier > self).unwrap_or(Self::Unlimited)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipients(limit) if limit % 1_000 == 0 => f.pad(&format!("{}K", limit / 1_000)),
            Self::Recipients(limit) => f.pad(&limit.to_string()),
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
            .map(Self::Recipients)
            .find(|tier| tier.to_string().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| InvalidPace::Tier(text.to_owned()))
    }
}

serde_as_text!(Rate, Tier);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_that_the_provider_no_longer_gives_is_read_and_never_proposed() {
        let tier = |text: &str| text.parse::<Tier>().unwrap();
        assert_eq!(tier("1K"), Tier::Recipients(1_000));
        for (now, next) in [("50", "250"), ("250", "2K"), ("1K", "2K"), ("2K", "10K"), ("100K", "unlimited")] {
            assert_eq!(tier(now).next_higher(), tier(next), "{now}");
        }
        let error = "7K".parse::<Tier>().unwrap_err().to_string();
        assert!(error.ends_with("use one of 50, 250, 2K, 10K, 100K, unlimited"), "{error}");
    }

    #[test]
    fn rates_parse_and_print() {
        let rate: Rate = "80/s".parse().unwrap();
        assert_eq!(rate.within(Span::from_millis(50)), 4);
        assert_eq!(rate.to_string(), "80/s");
        assert_eq!("5/min".parse::<Rate>().unwrap().interval(), std::time::Duration::from_secs(12));
        for wrong in ["0/s", "80", "/s", "80/week", "-1/s", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_portion_is_halved_down_to_a_sixteenth_and_grows_to_the_whole() {
        let half = Portion::WHOLE.halved();
        assert_eq!((half.to_string(), half.of(80.0), half.stretched(100)), ("1/2".to_owned(), 40.0, 200));
        let least = (0..9).fold(half, |portion, _| portion.halved());
        assert_eq!((least.to_string(), least.and_sixteenths(2).to_string()), ("1/16".to_owned(), "3/16".to_owned()));
        assert_eq!((least.and_sixteenths(u64::MAX), Portion::WHOLE.to_string()), (Portion::WHOLE, "1/1".to_owned()));
        assert_eq!((Portion::of_sixteenths(0), Portion::of_sixteenths(17)), (None, None));
    }

    #[test]
    fn tiers_are_those_of_the_provider() {
        for text in ["50", "250", "1K", "2K", "10K", "100K", "unlimited"] {
            assert_eq!(text.parse::<Tier>().unwrap().to_string(), text);
        }
        assert!("300".parse::<Tier>().is_err());
    }
}
