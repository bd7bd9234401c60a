//! Money, in millionths of the currency of the prices. A message may cost less than a cent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::grouped;
use super::word::serde_as_text;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an amount of money; write it as 25 or 0.0042, with at most six digits after the point")]
pub struct InvalidMoney(String);

const ONE: u64 = 1_000_000;
const CENT: u64 = ONE / 100;

impl Money {
    pub const ZERO: Self = Self(0);

    pub const fn millionths(self) -> u64 {
        self.0
    }

    pub const fn from_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Reads an amount that a program wrote, rounded to a millionth: `0.30000000000000004` is `0.30`. Anything else, and an
    /// amount that no database can hold, is none.
    pub fn nearest(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let (kept, cut) = part.split_at_checked(6).unwrap_or((part, ""));
        let exact: Self =
            if kept.is_empty() { whole } else { text.get(..whole.len() + 1 + kept.len())? }.parse().ok()?;
        if !cut.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let nearest = exact.plus(Self(u64::from(cut.as_bytes().first().is_some_and(|digit| *digit >= b'5'))));
        i64::try_from(nearest.0).is_ok().then_some(nearest)
    }

    /// Formats the amount for people, to the cent: `1,020.00 EUR`. An amount under a cent keeps its digits.
    pub fn rounded(self, currency: Option<&str>) -> String {
        match self.0 {
            ..CENT => self.in_currency(currency),
            _ => Self(self.0.saturating_add(CENT / 2) / CENT * CENT).in_currency(currency),
        }
    }

    /// Formats the whole amount, such as a limit that an operator gave, with thousands separators and the currency, if
    /// the prices name one: `1,020.0042 EUR`.
    pub fn in_currency(self, currency: Option<&str>) -> String {
        let text = self.to_string();
        let (_, part) = text.split_once('.').unwrap_or((&text, "00"));
        let currency = currency.map(|currency| format!(" {currency}")).unwrap_or_default();
        format!("{}.{part}{currency}", grouped(self.0 / ONE))
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Self::plus)
    }
}

impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let wrong = || InvalidMoney(text.to_owned());
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
            return Err(wrong());
        }
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        whole.checked_mul(ONE).and_then(|whole| whole.checked_add(part)).map(Self).ok_or_else(wrong)
    }
}

/// Prints at least two digits after the point, and more if needed: `25.00`, `0.0042`. Three would be read as thousands.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:06}", self.0 % ONE);
        let needed = match part.trim_end_matches('0').len() {
            3 if self.0 >= ONE => 4,
            needed => needed.max(2),
        };
        write!(f, "{}.{}", self.0 / ONE, part.get(..needed).unwrap_or(&part))
    }
}

serde_as_text!(Money);

/// An amount that people read in two ways: `5.000` is five, or five thousand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" can be read as {small} or as {large}; write {small} or {large}")]
pub struct AmbiguousMoney {
    text: String,
    small: String,
    large: String,
}

impl AmbiguousMoney {
    /// Finds an amount with one separator that three digits follow.
    pub fn find(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once(['.', ','])?;
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // No thousands begin with a zero.
        let is_ambiguous = part.len() == 3
            && (1..=3).contains(&whole.len())
            && !whole.starts_with('0')
            && are_digits(whole)
            && are_digits(part);
        let small = match part.trim_end_matches('0') {
            "" => whole.to_owned(),
            some => format!("{whole}.{some:0<4}"),
        };
        is_ambiguous.then(|| Self { text: text.to_owned(), small, large: format!("{whole}{part}") })
    }
}

/// Limits on what may be submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Messages; retries of a message do not count again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Money>,
}

impl Limits {
    pub const fn are_none(&self) -> bool {
        self.messages.is_none() && self.budget.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_as_it_prints() {
        for (text, millionths, printed) in [
            ("25", 25_000_000, "25.00"),
            ("0.0042", 4_200, "0.0042"),
            ("1.5", 1_500_000, "1.50"),
            ("0.000001", 1, "0.000001"),
            (" 12.340 ", 12_340_000, "12.34"),
            ("1.234", 1_234_000, "1.2340"),
            ("0.069", 69_000, "0.069"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.millionths(), money.to_string().as_str()), (millionths, printed));
            assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
            assert_eq!(AmbiguousMoney::find(&money.to_string()), None);
        }
        for wrong in ["", ".5", "1,50", "-1", "1.0000001", "99999999999999999999", "EUR 5", "1e3"] {
            assert!(wrong.parse::<Money>().is_err(), "{wrong}");
        }
        for (text, small, large) in [
            ("5.000", "5", "5000"),
            ("5,000", "5", "5000"),
            ("12.345", "12.3450", "12345"),
            ("1.230", "1.2300", "1230"),
        ] {
            let found = AmbiguousMoney::find(text).unwrap();
            assert_eq!((found.small.as_str(), found.large.as_str()), (small, large));
            assert!(AmbiguousMoney::find(small).is_none() && AmbiguousMoney::find(large).is_none());
        }
        for clear in ["5000", "5.00", "5.0000", "0.005", "1234.567", "5.00a", ""] {
            assert_eq!(AmbiguousMoney::find(clear), None, "{clear}");
        }
        let much = Money::from_millionths(39_600_004_200);
        assert_eq!([much.in_currency(Some("EUR")), Money::ZERO.in_currency(None)], ["39,600.0042 EUR", "0.00"]);
    }

    #[test]
    fn money_of_a_program_is_rounded() {
        for (text, nearest) in [
            ("0.30000000000000004", Some("0.30")),
            ("0.0000005", Some("0.000001")),
            ("0.9999999", Some("1.00")),
            ("7", Some("7.00")),
            ("7.", Some("7.00")),
            ("9223372036854.775807", Some("9223372036854.775807")),
            ("9223372036854.775808", None),
            ("0.1234567e3", None),
            ("-1", None),
            ("", None),
            (".5", None),
            ("1.12345\u{e9}7", None),
        ] {
            assert_eq!(Money::nearest(text).map(|money| money.to_string()).as_deref(), nearest, "{text}");
        }
    }

    #[test]
    fn rounded_money_has_cents_unless_it_is_less_than_one() {
        let rounded = |text: &str| text.parse::<Money>().unwrap().rounded(Some("EUR"));
        for (amount, printed) in [
            ("203.7335", "203.73 EUR"),
            ("9.605", "9.61 EUR"),
            ("1999.999", "2,000.00 EUR"),
            ("0.01", "0.01 EUR"),
            ("0.0042", "0.0042 EUR"),
            ("0", "0.00 EUR"),
        ] {
            assert_eq!(rounded(amount), printed);
        }
    }
}
