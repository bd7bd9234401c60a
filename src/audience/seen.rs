//! Remembers the numbers of the sources that were read, to find duplicates within a source and across sources.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::domain::Msisdn;

/// All numbers so far: those of the current source and those of earlier ones.
#[derive(Debug, Default)]
pub struct SeenNumbers {
    current: Numbers,
    earlier: Numbers,
}

/// Where a number was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    First,
    SameSource,
    EarlierSource,
}

impl SeenNumbers {
    /// Starts the next source.
    pub fn next_source(&mut self) {
        self.earlier.merge(std::mem::take(&mut self.current));
    }

    pub(super) fn contains(&self, msisdn: Msisdn) -> bool {
        let msisdn = msisdn.canonical();
        self.current.contains(msisdn) || self.earlier.contains(msisdn)
    }

    /// Records a number, in whichever spelling, and returns where it was seen before.
    pub(super) fn record(&mut self, msisdn: Msisdn) -> Occurrence {
        let msisdn = msisdn.canonical();
        if self.earlier.contains(msisdn) {
            Occurrence::EarlierSource
        } else if self.current.insert(msisdn) {
            Occurrence::First
        } else {
            Occurrence::SameSource
        }
    }
}

/// A set of numbers, grouped by their upper half. The numbers of a country share one or a few upper halves, so each number
/// costs little more than its lower half: ten million take about 85 MB.
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

    fn merge(&mut self, others: Self) {
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
    fn a_number_belongs_to_the_source_that_has_it_first() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let (shortest, longest) = (number(1_000_000), number(999_999_999_999_999));
        // The same lower half with another upper half is a different number.
        let other = number(1_000_000 + (1 << 32));
        let mut known = SeenNumbers::default();
        assert_eq!(
            [longest, shortest, longest].map(|n| known.record(n)),
            [Occurrence::First, Occurrence::First, Occurrence::SameSource]
        );
        known.next_source();
        assert_eq!(
            [longest, other, other].map(|n| known.record(n)),
            [Occurrence::EarlierSource, Occurrence::First, Occurrence::SameSource]
        );
        known.next_source();
        assert_eq!([other, shortest, longest].map(|n| known.record(n)), [Occurrence::EarlierSource; 3]);
    }
}
