//! Several spellings of one number: in Brazil, Mexico and Argentina, WhatsApp names recipients by an older or a newer form
//! of their number than the one that is dialled.
//!
//! | country | canonical | the other spelling |
//! | --- | --- | --- |
//! | Brazil | `+55 11 9 8765 4321` | `+55 11 8765 4321`, without the ninth digit; only mobile numbers, which began with 6 to 9 |
//! | Mexico | `+52 55 1234 5678` | `+52 1 55 1234 5678` |
//! | Argentina | `+54 9 11 2345 6789` | `+54 11 2345 6789` |

use std::ops::RangeInclusive;

use super::Msisdn;

/// How two spellings of a country's numbers differ: the other one lacks, or adds, one digit.
struct Rule {
    /// The numbers in the other spelling.
    other: RangeInclusive<u64>,
    /// The digit of `other` that must be 6 or more, counted from the end, if one must.
    mobile_digit: Option<u32>,
    /// How many digits at the end both spellings share.
    shared: u32,
    /// The digits before the shared ones, in both spellings; those between are kept.
    change: Change,
}

/// The digit that the canonical spelling has more, or less.
enum Change {
    /// This digit stands before the shared digits of the canonical spelling.
    Adds(u64),
    /// This digit stands before the shared digits of the other spelling.
    Drops(u64),
}

const RULES: [Rule; 3] = [
    Rule { other: 551_100_000_000..=559_999_999_999, mobile_digit: Some(8), shared: 8, change: Change::Adds(9) },
    Rule { other: 5_212_000_000_000..=5_219_999_999_999, mobile_digit: None, shared: 10, change: Change::Drops(1) },
    Rule { other: 541_000_000_000..=543_999_999_999, mobile_digit: None, shared: 10, change: Change::Adds(9) },
];

impl Rule {
    fn is_other(&self, digits: u64) -> bool {
        let is_mobile = |place: u32| digits / 10_u64.pow(place - 1) % 10 >= 6;
        self.other.contains(&digits) && self.mobile_digit.is_none_or(is_mobile)
    }

    /// The canonical spelling of a number in the other one.
    fn canonical(&self, digits: u64) -> u64 {
        let (before, shared) = self.split(digits);
        match self.change {
            Change::Adds(digit) => self.join(before * 10 + digit, shared),
            Change::Drops(_) => self.join(before / 10, shared),
        }
    }

    /// The other spelling of a canonical number.
    fn other(&self, digits: u64) -> u64 {
        let (before, shared) = self.split(digits);
        match self.change {
            Change::Adds(_) => self.join(before / 10, shared),
            Change::Drops(digit) => self.join(before * 10 + digit, shared),
        }
    }

    fn split(&self, digits: u64) -> (u64, u64) {
        let scale = 10_u64.pow(self.shared);
        (digits / scale, digits % scale)
    }

    fn join(&self, before: u64, shared: u64) -> u64 {
        before * 10_u64.pow(self.shared) + shared
    }
}

impl Msisdn {
    /// The spelling by which a recipient is recognized, whichever one a file, a caller or a channel uses.
    pub fn canonical(self) -> Self {
        let digits = self.get();
        let rule = RULES.iter().find(|rule| rule.is_other(digits));
        rule.and_then(|rule| Self::try_from(rule.canonical(digits)).ok()).unwrap_or(self)
    }

    /// All spellings of the number, with this one first.
    pub fn spellings(self) -> impl Iterator<Item = Self> {
        std::iter::once(self).chain(self.other_spelling())
    }

    /// The number's other spelling, if it has one.
    pub fn other_spelling(self) -> Option<Self> {
        let canonical = self.canonical();
        if canonical != self {
            return Some(canonical);
        }
        let others = RULES.iter().filter_map(|rule| {
            let other = rule.other(self.get());
            (rule.is_other(other) && rule.canonical(other) == self.get()).then(|| Self::try_from(other).ok()).flatten()
        });
        others.into_iter().next()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Msisdn {
        text.replace(' ', "").parse().unwrap()
    }

    #[test]
    fn two_spellings_of_a_number_have_one_canonical_spelling() {
        for (canonical, other) in [
            ("+55 11 9 8765 4321", "+55 11 8765 4321"),
            ("+55 51 9 6000 0000", "+55 51 6000 0000"),
            ("+52 55 1234 5678", "+52 1 55 1234 5678"),
            ("+52 998 123 4567", "+52 1 998 123 4567"),
            ("+54 9 11 2345 6789", "+54 11 2345 6789"),
            ("+54 9 3817 12 3456", "+54 3817 12 3456"),
        ] {
            let (canonical, other) = (number(canonical), number(other));
            assert_eq!((canonical.canonical(), other.canonical()), (canonical, canonical));
            assert_eq!((canonical.other_spelling(), other.other_spelling()), (Some(other), Some(canonical)));
            assert_eq!(canonical.spellings().collect::<Vec<_>>(), [canonical, other]);
        }
    }

    #[test]
    fn numbers_of_two_recipients_are_not_merged() {
        // A landline, and the mobile number whose last digits it shares; a new mobile number that never had eight digits.
        for one in ["+55 11 3456 7890", "+55 11 9 3456 7890", "+55 11 9 5000 0000"] {
            assert_eq!((number(one).canonical(), number(one).other_spelling()), (number(one), None), "{one}");
        }
        // Other countries whose numbers begin alike, and numbers of other lengths.
        for one in ["+65 9123 4567", "+52 1 55 1234 567", "+54 9 11 2345 67", "+5 1 1987 6543 21", "+1 541 234 5678"] {
            assert_eq!((number(one).canonical(), number(one).other_spelling()), (number(one), None), "{one}");
        }
    }

    proptest! {
        #[test]
        fn a_canonical_spelling_is_its_own_and_leads_back(country in 0_usize..4, rest in 0_u64..100_000_000_000) {
            let digits = match country {
                0 => 55 * 100_000_000_000 + rest,
                1 => 52 * 100_000_000_000 + rest,
                2 => 54 * 100_000_000_000 + rest,
                _ => 5_000_000_000 + rest,
            };
            let number = Msisdn::try_from(digits).unwrap();
            let canonical = number.canonical();
            prop_assert_eq!(canonical.canonical(), canonical);
            if let Some(other) = number.other_spelling() {
                prop_assert_eq!(other.other_spelling(), Some(number));
                prop_assert_eq!(other.canonical(), canonical);
            } else {
                prop_assert_eq!(canonical, number);
            }
        }
    }
}
