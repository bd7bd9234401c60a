//! Rules that pause a campaign automatically.

use std::fmt;
use std::str::FromStr;

use super::word::serde_as_text;

/// A limit on the share of undelivered messages among a step's latest messages with a known result: `undelivered > 20%
/// of the last 1000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRule {
    /// The largest share allowed, in thousandths.
    share: u16,
    /// How many of the latest messages count.
    last: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStopRule {
    #[error("\"{0}\" is not a rule; write it as \"undelivered > 20% of the last 1000\"")]
    Shape(String),
    #[error("\"{0}\" can never apply; write a share under 100%")]
    Share(String),
    #[error("\"{0}\" counts too few or too many messages; write the last 10 to 1000000")]
    Last(String),
}

/// Fewer messages are chance, and more are a whole campaign.
const LAST: std::ops::RangeInclusive<u32> = 10..=1_000_000;

impl StopRule {
    /// How many of the latest messages count.
    pub const fn last(self) -> u32 {
        self.last
    }

    /// Whether `undelivered` of the latest `of` messages exceed the share. Never true for fewer messages than
    /// [`StopRule::last`].
    pub fn is_broken(self, undelivered: u64, of: u64) -> bool {
        of >= u64::from(self.last) && undelivered.saturating_mul(1_000) > of.saturating_mul(self.share.into())
    }
}

impl FromStr for StopRule {
    type Err = InvalidStopRule;

    fn from_str(text: &str) -> Result<Self, InvalidStopRule> {
        let wrong = || InvalidStopRule::Shape(text.to_owned());
        let rest = text.trim().strip_prefix("undelivered").ok_or_else(wrong)?.trim_start();
        let (share, rest) = rest.strip_prefix('>').and_then(|rest| rest.split_once('%')).ok_or_else(wrong)?;
        let last = rest.trim_start().strip_prefix("of the last").ok_or_else(wrong)?.trim().replace([',', '_'], "");
        let (whole, part) = share.trim().split_once('.').unwrap_or((share.trim(), "0"));
        let (whole, part): (u16, u16) =
            whole.parse().ok().zip(part.parse().ok().filter(|_| part.len() == 1)).ok_or_else(wrong)?;
        let share = whole.checked_mul(10).map(|whole| whole + part).filter(|share| *share < 1_000);
        let share = share.ok_or_else(|| InvalidStopRule::Share(text.to_owned()))?;
        if last.is_empty() || !last.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(wrong());
        }
        let last = last.parse().ok().filter(|last| LAST.contains(last));
        let last = last.ok_or_else(|| InvalidStopRule::Last(text.to_owned()))?;
        Ok(Self { share, last })
    }
}

impl fmt::Display for StopRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.share / 10, self.share % 10);
        let part = if part > 0 { format!(".{part}") } else { String::new() };
        write!(f, "undelivered > {whole}{part}% of the last {}", self.last)
    }
}

serde_as_text!(StopRule);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_broken_by_more_than_its_share_of_enough_messages() {
        let rule: StopRule = "undelivered > 20% of the last 1,000".parse().unwrap();
        assert_eq!(rule.to_string(), "undelivered > 20% of the last 1000");
        for (undelivered, of, broken) in
            [(200, 1_000, false), (201, 1_000, true), (999, 999, false), (240, 1_200, false)]
        {
            assert_eq!(rule.is_broken(undelivered, of), broken, "{undelivered} of {of}");
        }
        let fine: StopRule = " undelivered >0.5% of the last 10000 ".parse().unwrap();
        assert_eq!(fine.to_string(), "undelivered > 0.5% of the last 10000");
        for wrong in [
            "",
            "undelivered > 20%",
            "undelivered < 20% of the last 1000",
            "undelivered > 100% of the last 1000",
            "undelivered > 20% of the last 5",
            "silent > 20% of the last 1000",
            "undelivered > 2.55% of the last 1000",
        ] {
            assert!(wrong.parse::<StopRule>().is_err(), "{wrong}");
        }
        let why = |wrong: &str| wrong.parse::<StopRule>().unwrap_err();
        assert!(matches!(why("undelivered > 120% of the last 1000"), InvalidStopRule::Share(_)));
        assert!(matches!(why("undelivered > 20% of the last 5"), InvalidStopRule::Last(_)));
        assert!(matches!(why("undelivered > 20% of the last few"), InvalidStopRule::Shape(_)));
    }
}
