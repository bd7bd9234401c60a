//! Numbers that have come up before: in the same source, or in another one that the same people come from.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::domain::Msisdn;

/// Every number that has come up, once: in the present source, or in one before it.
#[derive(Debug, Default)]
pub struct Known {
    here: Numbers,
    elsewhere: Numbers,
}

/// Whether a number has come up before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    Never,
    /// In the present source.
    Here,
    /// In an earlier one.
    Elsewhere,
}

impl Known {
    /// What comes from here on is another source's.
    pub fn next_source(&mut self) {
        self.elsewhere.take_in(std::mem::take(&mut self.here));
    }

    pub(super) fn contains(&self, msisdn: Msisdn) -> bool {
        self.here.contains(msisdn) || self.elsewhere.contains(msisdn)
    }

    /// Notes a number, and says whether it was known.
    pub fn meet(&mut self, msisdn: Msisdn) -> Met {
        if self.elsewhere.contains(msisdn) {
            Met::Elsewhere
        } else if self.here.insert(msisdn) {
            Met::Never
        } else {
            Met::Here
        }
    }
}

/// Numbers by their upper halves: those of a country share one or a few, so that each takes the room of its lower half:
/// ten million take some 85 MB.
#[derive(Debug, Default)]
struct Numbers(HashMap<u32, HashSet<u32, FixedState>, FixedState>);

impl Numbers {
    fn contains(&self, msisdn: Msisdn) -> bool {
        let (upper, lower) = halves(msisdn);
        self.0.get(&upper).is_some_and(|numbers| numbers.contains(&lower))
    }

    fn insert(&mut self, msisdn: Msisdn) -> bool {
        let (upper, lower) = halves(msisdn);
        self.0.entry(upper).or_default().insert(lower)
    }

    fn take_in(&mut self, others: Self) {
        for (upper, numbers) in others.0 {
            let known = self.0.entry(upper).or_default();
            if known.is_empty() {
                *known = numbers;
            } else {
                known.extend(numbers);
            }
        }
    }
}

fn halves(msisdn: Msisdn) -> (u32, u32) {
    let [a, b, c, d, lower @ ..] = msisdn.get().to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_from_the_source_in_which_it_came_up_first() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let (shortest, longest) = (number(1_000_000), number(999_999_999_999_999));
        // The same lower half under another upper one is another number.
        let other = number(1_000_000 + (1 << 32));
        let mut known = Known::default();
        assert_eq!([longest, shortest, longest].map(|n| known.meet(n)), [Met::Never, Met::Never, Met::Here]);
        known.next_source();
        assert_eq!([longest, other, other].map(|n| known.meet(n)), [Met::Elsewhere, Met::Never, Met::Here]);
        known.next_source();
        assert_eq!([other, shortest, longest].map(|n| known.meet(n)), [Met::Elsewhere; 3]);
    }
}
