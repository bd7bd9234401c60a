//! Decimal numbers of any length, compared exactly.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A decimal number in its shortest form, so that equal values are equal texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Decimal<'a> {
    /// Never of zero.
    is_negative: bool,
    /// Digits before the point, without zeros in front; empty below 1.
    whole: Cow<'a, str>,
    /// Digits after the point, without zeros at the end; empty for an integer.
    fraction: Cow<'a, str>,
}

impl<'a> Decimal<'a> {
    /// Reads digits with an optional sign and decimal point, such as `10`, `-0.5` and `+7.`, and with spaces around them.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (is_negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: is_negative && !is_zero, whole: whole.into(), fraction: fraction.into() })
    }

    pub(super) fn into_owned(self) -> Decimal<'static> {
        let owned = |digits: Cow<'_, str>| Cow::Owned(digits.into_owned());
        Decimal { is_negative: self.is_negative, whole: owned(self.whole), fraction: owned(self.fraction) }
    }

    fn magnitude(&self) -> (usize, &str, &str) {
        (self.whole.len(), &self.whole, &self.fraction)
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_ordered_by_value() {
        let ascending = [
            "-1000000000000000000000000000001",
            "-1000000000000000000000000000000",
            "-10.5",
            "-10.05",
            "-0.1",
            "0",
            "0.000000000000000000000000001",
            ".1",
            "0.11",
            "9",
            "9007199254740992",
            "9007199254740993",
        ];
        let numbers = ascending.map(|text| Decimal::read(text).unwrap());
        assert!(numbers.is_sorted_by(|first, second| first < second));
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (first, second) in [("10", "010.00"), ("-0", "0"), ("+5", " 5. "), (".50", "0.5")] {
            assert_eq!(Decimal::read(first), Decimal::read(second), "{first} {second}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_integers_scaled_alike(first in -100_000i64..100_000, second in -100_000i64..100_000) {
            let text = |value: i64| {
                let sign = if value < 0 { "-" } else { "" };
                format!("{sign}{}.{:03}", value.abs() / 1_000, value.abs() % 1_000)
            };
            let read = |value| Decimal::read(&text(value)).unwrap().into_owned();
            prop_assert_eq!(read(first).cmp(&read(second)), first.cmp(&second));
        }
    }
}
