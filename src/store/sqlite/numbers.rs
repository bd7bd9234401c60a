//! Selects the messages of a batch that a set statement applies to.
//!
//! Messages that are claimed together have adjacent numbers, and those that are answered together nearly do. Such a run
//! is read once, and each row is checked against a mask. For scattered numbers, SQLite first collects a list of keys and
//! then looks up each, which takes 50% longer.

use super::rows::json_list;
use super::script::Script;

/// The most rows of a run per selected row; sparser numbers become a list.
const SPARSEST: usize = 3;

/// Numbers of messages, bound to a statement as `?2` and `?3`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// A byte for each number from `first` on: one if it is selected.
    Run { first: u32, mask: Vec<u8> },
    /// An array for `json_each`.
    List(String),
}

/// A statement in both forms.
#[derive(Debug)]
pub(super) struct OverNumbers {
    pub(super) run: &'static str,
    pub(super) list: &'static str,
}

/// Builds a statement on the rows of `message` in batch `?1` that `?2` and `?3` select, in both forms. The condition goes
/// between `$before` and `$after`.
macro_rules! over_numbers {
    ($before:expr, $after:expr) => {
        crate::store::sqlite::numbers::OverNumbers {
            run: concat!($before, " ", crate::store::sqlite::numbers::in_run!(), " ", $after),
            list: concat!($before, " batch = ?1 AND n IN (SELECT value FROM json_each(?3)) ", $after),
        }
    };
}
pub(super) use over_numbers;

/// The condition on `message` for the rows of a run.
macro_rules! in_run {
    () => {
        "batch = ?1 AND n BETWEEN ?2 AND ?2 + length(?3) - 1 AND substr(?3, n - ?2 + 1, 1) = x'01'"
    };
}
pub(super) use in_run;

impl Numbers {
    /// Takes numbers in ascending order.
    pub(super) fn of(sorted: &[u32]) -> Self {
        let (first, last) = (sorted.first().copied().unwrap_or(0), sorted.last().copied().unwrap_or(0));
        let span = usize::try_from(last.saturating_sub(first)).unwrap_or(usize::MAX).saturating_add(1);
        if span > sorted.len().saturating_mul(SPARSEST) {
            return Self::List(json_list(sorted.iter().copied().map(i64::from)));
        }
        let mut mask = vec![0; span];
        for number in sorted {
            if let Some(byte) = usize::try_from(number - first).ok().and_then(|index| mask.get_mut(index)) {
                *byte = 1;
            }
        }
        Self::Run { first, mask }
    }

    /// The index of the `index`th number's value, in a list of values that is bound beside the numbers.
    pub(super) fn slot(&self, index: usize, number: u32) -> usize {
        match self {
            Self::Run { first, .. } => usize::try_from(number.saturating_sub(*first)).unwrap_or(index),
            Self::List(_) => index,
        }
    }

    /// Adds the statement in the form for these numbers, with the batch and the numbers bound.
    pub(super) fn statement<'s>(
        self,
        script: &'s mut Script,
        statement: &OverNumbers,
        batch: crate::base::domain::BatchId,
    ) -> &'s mut Script {
        match self {
            Self::Run { first, mask } => script.statement(statement.run).bind(batch.0).bind(first).bind(mask),
            Self::List(list) => script.statement(statement.list).bind(batch.0).bind(0).bind(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_numbers_are_a_run_and_sparse_ones_a_list() {
        assert_eq!(Numbers::of(&[4, 5, 7]), Numbers::Run { first: 4, mask: vec![1, 1, 0, 1] });
        assert_eq!(Numbers::of(&[9]), Numbers::Run { first: 9, mask: vec![1] });
        assert_eq!(Numbers::of(&[1, 1_000_000]), Numbers::List("[1,1000000]".to_owned()));
        assert_eq!(Numbers::of(&[0, u32::MAX]), Numbers::List("[0,4294967295]".to_owned()));
    }
}
