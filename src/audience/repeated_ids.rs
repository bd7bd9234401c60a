//! Counts rows whose `ClientMessageId` an earlier row has. That is allowed, and the summary reports it.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// The eight-byte hash of an id. Among ten million ids, two share a hash in about one of 300,000 files; then the count is
/// wrong by one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(u64);

impl Id {
    pub(super) fn of(id: &str) -> Self {
        Self(FixedState::default().hash_one(id))
    }
}

/// Hashes are grouped by their first byte, so that each part grows in small steps and fits into the cache for sorting.
const PARTS: usize = 1 << u8::BITS;

/// Hashes of all ids so far.
#[derive(Debug)]
pub(super) struct RepeatedIds(Vec<Vec<u64>>);

impl Default for RepeatedIds {
    fn default() -> Self {
        Self(vec![Vec::new(); PARTS])
    }
}

impl RepeatedIds {
    pub(super) fn add(&mut self, ids: impl IntoIterator<Item = Id>) {
        for Id(digest) in ids {
            let [first, ..] = digest.to_be_bytes();
            self.0[usize::from(first)].push(digest);
        }
    }

    /// Counts rows whose id an earlier row has.
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
    fn every_row_after_the_first_with_an_id_counts_as_a_repeat() {
        let mut repeats = RepeatedIds::default();
        repeats.add((0..100_000_u32).map(|n| Id::of(&format!("order-{}", n % 70_000))));
        repeats.add(["A-1", "a-1", "A-1", "", ""].map(Id::of));
        assert_eq!(repeats.count(), 30_000 + 2);
    }
}
