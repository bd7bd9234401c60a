//! Rules that stop a campaign by itself.

use std::fmt;
use std::str::FromStr;

use super::word::serde_as_text;

/// `undelivered > 20% of the last 1000`: what a step hands over in vain, of those of whom it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRule {
    /// In thousandths.
    share: u16,
    last: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStopRule {
    #[error("\"{0}\" is no rule; write it as \"undelivered > 20% of the last 1000\"")]
    Shape(String),
    #[error("\"{0}\" is never broken, as nothing is more than all; write a share under 100%")]
    Share(String),
    #[error("\"{0}\" looks at too few or too many; write the last 10 to 1000000")]
    Last(String),
}

/// Fewer are chance, and more are a campaign's worth.
const LAST: std::ops::RangeInclusive<u32> = 10..=1_000_000;

impl StopRule {
    /// Those who are looked at: the latest so many.
    pub const fn last(self) -> u32 {
        self.last
    }

    /// Whether so many of them were in vain.
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
    fn a_rule_is_broken_by_more_than_its_share_of_as_many_as_it_names() {
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
