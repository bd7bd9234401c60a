//! Spellings of numbers that no rule knows, only a channel: it was seen to call the recipient of one number by another.

use std::collections::HashMap;

use super::Msisdn;

/// Which numbers are one recipient's, by the fixed rules of [`Msisdn::canonical`] and by what channels have told.
#[derive(Debug, Clone, Default)]
pub struct LearnedSpellings(HashMap<Msisdn, Msisdn>);

impl LearnedSpellings {
    /// Records that two numbers are of one recipient.
    pub fn link(&mut self, one: Msisdn, other: Msisdn) {
        let (from, to) = (self.recipient_of(one), self.recipient_of(other));
        // The two are ends of their chains, so no chain becomes a circle.
        if from != to {
            self.0.insert(from, to);
        }
    }

    /// The number under which a recipient is known, whichever of the recipient's numbers is given.
    pub fn recipient_of(&self, number: Msisdn) -> Msisdn {
        let mut number = number.canonical();
        while let Some(next) = self.0.get(&number) {
            number = *next;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_numbers_are_of_one_recipient_in_whichever_order_the_links_come() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let links =
            [(1, 2), (3, 4), (2, 3), (4, 1), (5, 5)].map(|(one, other)| (6_591_000_000 + one, 6_591_000_000 + other));
        for start in 0..links.len() {
            let mut known = LearnedSpellings::default();
            for (one, other) in links.iter().cycle().skip(start).take(links.len()) {
                known.link(number(*one), number(*other));
            }
            let of = |n: u64| known.recipient_of(number(6_591_000_000 + n));
            assert!((2..=4).all(|n| of(n) == of(1)), "{known:?}");
            assert!(of(5) == number(6_591_000_005) && of(6) == number(6_591_000_006));
        }
    }

    #[test]
    fn a_link_is_of_every_spelling_of_both_numbers() {
        let number = |text: &str| text.parse::<Msisdn>().unwrap();
        let mut known = LearnedSpellings::default();
        known.link(number("+5215512345678"), number("+525587654321"));
        let [one, other] = ["+525512345678", "+5215587654321"].map(|text| known.recipient_of(number(text)));
        assert_eq!(one, other);
    }
}
