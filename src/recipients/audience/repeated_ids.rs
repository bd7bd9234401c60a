//! Counts rows that repeat the `ClientMessageId` of an earlier row. That is allowed, and the summary reports it.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// The eight-byte hash of an id. Among ten million ids, two share a hash in about one of 370,000 files; then the count is
/// wrong by one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct IdHash(u64);

impl IdHash {
    pub(super) fn of(id: &str) -> Self {
        Self(FixedState::default().hash_one(id))
    }
}

/// Hashes are grouped by their first byte, so that each part grows in small steps and fits into the cache for sorting.
const PARTS: usize = 1 << u8::BITS;

/// Hashes of all ids so far.
#[derive(Debug)]
pub(super) struct IdHashes(Vec<Vec<u64>>);

impl Default for IdHashes {
    fn default() -> Self {
        Self(vec![Vec::new(); PARTS])
    }
}

impl IdHashes {
    pub(super) fn add(&mut self, ids: impl IntoIterator<Item = IdHash>) {
        for IdHash(digest) in ids {
            let [first, ..] = digest.to_be_bytes();
            self.0[usize::from(first)].push(digest);
        }
    }

    /// Counts rows that repeat the id of an earlier row.
    pub(super) fn count_repeats(self) -> u64 {
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
        let mut repeats = IdHashes::default();
        repeats.add((0..100_000_u32).map(|n| IdHash::of(&format!("order-{}", n % 70_000))));
        repeats.add(["A-1", "a-1", "A-1", "", ""].map(IdHash::of));
        assert_eq!(repeats.count_repeats(), 30_000 + 2);
    }
}
