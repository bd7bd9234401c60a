//! Numbers that have come up before: in the same source, or in another one that the same people come from.

use std::hash::{Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::domain::Msisdn;

/// Every number that has come up, with the source that had it first: one integer for each.
#[derive(Debug, Default)]
pub struct Known {
    numbers: HashSet<Had, FixedState>,
    source: u64,
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

/// A number above, its source below; it is the number alone that makes it the same.
#[derive(Debug, Clone, Copy)]
struct Had(u64);

/// Fifteen digits take fifty bits. More sources than the rest can count are counted as the last one.
const SOURCE_BITS: u32 = 14;
const SOURCE_MAX: u64 = (1 << SOURCE_BITS) - 1;

impl Had {
    const fn number(self) -> u64 {
        self.0 >> SOURCE_BITS
    }

    const fn source(self) -> u64 {
        self.0 & SOURCE_MAX
    }
}

impl PartialEq for Had {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl Eq for Had {}

impl Hash for Had {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl Known {
    /// What comes from here on is another source's.
    pub fn next_source(&mut self) {
        self.source = (self.source + 1).min(SOURCE_MAX);
    }

    /// Notes a number, and says whether it was known.
    pub fn meet(&mut self, msisdn: Msisdn) -> Met {
        let before = self.numbers.len();
        let had = *self.numbers.get_or_insert(Had(msisdn.get() << SOURCE_BITS | self.source));
        match had.source() == self.source {
            true if self.numbers.len() > before => Met::Never,
            true => Met::Here,
            false => Met::Elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_from_where_it_came_up_first() {
        let number = |digits: u64| Msisdn::try_from(digits).unwrap();
        let (shortest, longest) = (number(1_000_000), number(999_999_999_999_999));
        let mut known = Known::default();
        assert_eq!([longest, shortest, longest].map(|n| known.meet(n)), [Met::Never, Met::Never, Met::Here]);
        known.next_source();
        assert_eq!([longest, number(7_000_000)].map(|n| known.meet(n)), [Met::Elsewhere, Met::Never]);
        for _ in 0..20_000 {
            known.next_source();
        }
        assert_eq!([number(7_000_000), shortest].map(|n| known.meet(n)), [Met::Elsewhere, Met::Elsewhere]);
    }
}
