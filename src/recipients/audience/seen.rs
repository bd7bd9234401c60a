//! Remembers the recipients of the sources that were read, to find duplicates within a source and across sources.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::KnownRecipients;
use super::repeated_ids::IdHash;
use crate::base::domain::{Address, Msisdn};

/// All recipients so far: those of the current source and those of earlier ones.
#[derive(Debug, Default)]
pub struct SeenRecipients {
    recipients: Arc<KnownRecipients>,
    current: Seen,
    earlier: Seen,
}

#[derive(Debug, Default)]
struct Seen {
    numbers: Numbers,
    /// The ids of recipients without a number.
    users: HashSet<IdHash>,
    /// The ids that stand beside numbers.
    beside: HashSet<IdHash>,
}

/// Where a number was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    First,
    SameSource,
    EarlierSource,
}

impl SeenRecipients {
    pub(super) fn new(recipients: Arc<KnownRecipients>) -> Self {
        Self { recipients, ..Self::default() }
    }

    /// Starts the next source.
    pub fn next_source(&mut self) {
        let Seen { numbers, users, beside } = std::mem::take(&mut self.current);
        self.earlier.numbers.merge(numbers);
        self.earlier.users.extend(users);
        self.earlier.beside.extend(beside);
    }

    pub(super) fn contains(&self, msisdn: Msisdn) -> bool {
        let msisdn = self.recipients.recipient_of(msisdn);
        self.current.numbers.contains(msisdn) || self.earlier.numbers.contains(msisdn)
    }

    /// Records a recipient and the id `beside` the number, and returns where the recipient was seen before.
    ///
    /// Whichever of its numbers a recipient comes with, it is the same one. An id that has come alone is the recipient's
    /// whose number it stands beside. But two numbers are two recipients, even beside the same id: it may be a placeholder.
    pub(super) fn record(&mut self, address: &Address, beside: Option<IdHash>) -> Occurrence {
        let Self { recipients, current, earlier } = self;
        let (is_earlier, is_repeated) = match address {
            Address::Number(number) => {
                let number = recipients.recipient_of(*number);
                let came_alone = |seen: &Seen| beside.is_some_and(|id| seen.users.contains(&id));
                let is_earlier = earlier.numbers.contains(number) || came_alone(earlier);
                let is_new = current.numbers.insert(number);
                (is_earlier, !is_new || came_alone(current))
            }
            Address::User(user) => {
                let id = IdHash::of(&user.id);
                let is_earlier = earlier.users.contains(&id) || earlier.beside.contains(&id);
                let is_new = current.users.insert(id);
                (is_earlier, !is_new || current.beside.contains(&id))
            }
        };
        // Also those of a repeated row are the recipient's.
        current.beside.extend(beside);
        match (is_earlier, is_repeated) {
            (true, _) => Occurrence::EarlierSource,
            (false, true) => Occurrence::SameSource,
            (false, false) => Occurrence::First,
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
        let mut known = SeenRecipients::default();
        assert_eq!(
            [longest, shortest, longest].map(|n| known.record(&n.into(), None)),
            [Occurrence::First, Occurrence::First, Occurrence::SameSource]
        );
        known.next_source();
        assert_eq!(
            [longest, other, other].map(|n| known.record(&n.into(), None)),
            [Occurrence::EarlierSource, Occurrence::First, Occurrence::SameSource]
        );
        known.next_source();
        assert_eq!([other, shortest, longest].map(|n| known.record(&n.into(), None)), [Occurrence::EarlierSource; 3]);
    }

    #[test]
    fn an_id_alone_is_whom_it_names_beside_a_number() {
        let [one, two]: [Address; 2] = ["+6591234567", "+6598765432"].map(|number| number.parse().unwrap());
        let user: Address = "SG.134912".parse().unwrap();
        let id = Some(IdHash::of("SG.134912"));
        let all = |rows: &[(&Address, Option<IdHash>)]| -> Vec<Occurrence> {
            let mut known = SeenRecipients::default();
            rows.iter().map(|(address, beside)| known.record(address, *beside)).collect()
        };
        use Occurrence::{EarlierSource, First, SameSource};
        assert_eq!(all(&[(&one, id), (&user, None), (&user, None)]), [First, SameSource, SameSource]);
        assert_eq!(all(&[(&user, None), (&one, id), (&user, None)]), [First, SameSource, SameSource]);
        assert_eq!(all(&[(&one, id), (&two, id)]), [First, First], "the id may be a placeholder");
        assert_eq!(all(&[(&one, None), (&one, id), (&user, None)]), [First, SameSource, SameSource]);
        assert_eq!(all(&[(&user, None), (&one, id), (&one, None)]), [First, SameSource, SameSource]);
        for (first, second) in [((&one, id), (&user, None)), ((&user, None), (&one, id))] {
            let mut known = SeenRecipients::default();
            known.record(first.0, first.1);
            known.next_source();
            assert_eq!(known.record(second.0, second.1), EarlierSource);
        }
    }

    /// The spelling of a file and that of WhatsApp, of many numbers. No two of these are of one recipient otherwise.
    #[test]
    fn a_number_occurs_twice_in_two_spellings_and_no_other_is_taken_for_it() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let (mut known, mut count) = (SeenRecipients::default(), 0);
        for n in 0..1_000 {
            let spread = n * 7_919 % 10_000_000;
            for [file, whatsapp] in [
                [5_511_960_000_000 + spread, 551_160_000_000 + spread],
                [525_500_000_000 + 10_000_000 + spread, 5_215_500_000_000 + 10_000_000 + spread],
                [541_120_000_000 + spread, 5_491_120_000_000 + spread],
            ] {
                let both = if n % 2 == 0 { [file, whatsapp] } else { [whatsapp, file] };
                assert_eq!(
                    both.map(|n| known.record(&number(n).into(), None)),
                    [Occurrence::First, Occurrence::SameSource],
                    "{both:?}"
                );
                count += 1;
            }
            // A landline of São Paulo, and a number of eight digits that no mobile ever had.
            for alone in [551_130_000_000 + spread, 551_120_000_000 + spread] {
                assert_eq!(known.record(&number(alone).into(), None), Occurrence::First, "{alone}");
            }
        }
        assert_eq!(count, 3_000);
    }
}
