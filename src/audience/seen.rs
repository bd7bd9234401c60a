//! Remembers the numbers of the sources that were read, to find duplicates within a source and across sources.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::KnownRecipients;
use crate::domain::Msisdn;

/// All numbers so far: those of the current source and those of earlier ones.
#[derive(Debug, Default)]
pub struct SeenNumbers {
    recipients: Arc<KnownRecipients>,
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
    pub(super) fn new(recipients: Arc<KnownRecipients>) -> Self {
        Self { recipients, ..Self::default() }
    }

    /// Starts the next source.
    pub fn next_source(&mut self) {
        self.earlier.merge(std::mem::take(&mut self.current));
    }

    pub(super) fn contains(&self, msisdn: Msisdn) -> bool {
        let msisdn = self.recipients.recipient_of(msisdn);
        self.current.contains(msisdn) || self.earlier.contains(msisdn)
    }

    /// Records a number, whichever of the recipient's it is, and returns where it was seen before.
    pub(super) fn record(&mut self, msisdn: Msisdn) -> Occurrence {
        let msisdn = self.recipients.recipient_of(msisdn);
        if self.earlier.contains(msisdn) {
            Occurrence::EarlierSource
        } else if self.current.insert(msisdn) {
            Occurrence::First
        } else {
            Occurrence::SameSource
        }
    }
}

/// A set of numbers, grouped by their upper digits. The numbers of a country share a few of them, so each number costs little
/// more than its lower part: ten million take about 85 MB. A group is small enough that it grows without a second copy of
/// all numbers.
#[derive(Debug, Default)]
struct Numbers(HashMap<u64, HashSet<u32, FixedState>, FixedState>);

impl Numbers {
    fn contains(&self, msisdn: Msisdn) -> bool {
        let (group, place) = parts(msisdn);
        self.0.get(&group).is_some_and(|numbers| numbers.contains(&place))
    }

    fn insert(&mut self, msisdn: Msisdn) -> bool {
        let (group, place) = parts(msisdn);
        self.0.entry(group).or_default().insert(place)
    }

    fn merge(&mut self, others: Self) {
        for (group, numbers) in others.0 {
            let known = self.0.entry(group).or_default();
            if known.is_empty() {
                *known = numbers;
            } else {
                known.extend(numbers);
            }
        }
    }
}

/// The group of a number, and its place within the group.
fn parts(msisdn: Msisdn) -> (u64, u32) {
    const PLACES: u64 = 1 << 22;
    let place = msisdn.get() % PLACES;
    (msisdn.get() / PLACES, u32::try_from(place).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_belongs_to_the_source_that_has_it_first() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let (shortest, longest) = (number(1_000_000), number(Msisdn::LONGEST));
        // The same place in another group is a different number.
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

    /// The spelling of a file and that of WhatsApp, of many numbers. No two of these are of one recipient otherwise.
    #[test]
    fn a_number_occurs_twice_in_two_spellings_and_no_other_is_taken_for_it() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let (mut known, mut count) = (SeenNumbers::default(), 0);
        for n in 0..1_000 {
            let spread = n * 7_919 % 10_000_000;
            for [file, whatsapp] in [
                [5_511_960_000_000 + spread, 551_160_000_000 + spread],
                [525_500_000_000 + 10_000_000 + spread, 5_215_500_000_000 + 10_000_000 + spread],
                [541_120_000_000 + spread, 5_491_120_000_000 + spread],
            ] {
                let both = if n % 2 == 0 { [file, whatsapp] } else { [whatsapp, file] };
                assert_eq!(
                    both.map(|n| known.record(number(n))),
                    [Occurrence::First, Occurrence::SameSource],
                    "{both:?}"
                );
                count += 1;
            }
            // A landline of São Paulo, and a number of eight digits that no mobile ever had.
            for alone in [551_130_000_000 + spread, 551_120_000_000 + spread] {
                assert_eq!(known.record(number(alone)), Occurrence::First, "{alone}");
            }
        }
        assert_eq!(count, 3_000);
    }
}
