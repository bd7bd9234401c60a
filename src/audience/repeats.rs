//! How many rows have a `ClientMessageId` that an earlier row has. That is allowed, and a person wants to know.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// An id, of which only eight bytes are kept: that two of ten million have the same ones is once in three hundred thousand
/// files, and costs one row in a count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(u64);

impl Id {
    pub(super) fn of(id: &str) -> Self {
        Self(FixedState::default().hash_one(id))
    }
}

/// By their first byte, so that each part grows by little and is sorted where it fits into the cache.
const PARTS: usize = 1 << u8::BITS;

/// Ids that have come up.
#[derive(Debug)]
pub(super) struct Repeats(Vec<Vec<u64>>);

impl Default for Repeats {
    fn default() -> Self {
        Self(vec![Vec::new(); PARTS])
    }
}

impl Repeats {
    pub(super) fn note(&mut self, ids: impl IntoIterator<Item = Id>) {
        for Id(digest) in ids {
            let [first, ..] = digest.to_be_bytes();
            self.0[usize::from(first)].push(digest);
        }
    }

    /// Rows whose id an earlier one has.
    pub(super) fn count(self) -> u64 {
        let repeated = |mut part: Vec<u64>| {
            let all = part.len();
            part.sort_unstable();
            part.dedup();
            (all - part.len()) as u64
        };
        self.0.into_iter().map(repeated).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_but_the_first_of_an_id_is_a_repeat() {
        let mut repeats = Repeats::default();
        repeats.note((0..100_000_u32).map(|n| Id::of(&format!("order-{}", n % 70_000))));
        repeats.note(["A-1", "a-1", "A-1", "", ""].map(Id::of));
        assert_eq!(repeats.count(), 30_000 + 2);
    }
}
