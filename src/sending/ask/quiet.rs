//! Campaigns without candidates for now. Otherwise a hundred waiting campaigns would be searched again and again.

use std::collections::{HashMap, HashSet};

use crate::base::domain::{BatchId, Timestamp};
use crate::store::{Hints, Signal, Store};

#[derive(Debug)]
pub(super) struct Quiet {
    hints: Hints,
    /// Batches without a waived deadline.
    none_waived: HashSet<BatchId>,
    /// The first due time of each batch.
    first_due: HashMap<BatchId, Timestamp>,
}

impl Quiet {
    pub(super) fn of(store: &dyn Store) -> Self {
        Self { hints: Hints::of(store), none_waived: HashSet::new(), first_due: HashMap::new() }
    }

    /// Applies the signals since the last call.
    pub(super) fn apply_signals(&mut self, now: Timestamp) {
        let Some(signals) = self.hints.take(now) else {
            self.none_waived.clear();
            self.first_due.clear();
            return;
        };
        for signal in signals {
            match signal {
                Signal::Moved { batch } => {
                    self.none_waived.remove(&batch);
                }
                Signal::Due { batch, at } => {
                    self.first_due.entry(batch).and_modify(|first| *first = at.min(*first));
                }
                Signal::Queued { .. } => {}
            }
        }
    }

    pub(super) fn has_none_waived(&self, batch: BatchId) -> bool {
        self.none_waived.contains(&batch)
    }

    pub(super) fn note_none_waived(&mut self, batch: BatchId) {
        self.none_waived.insert(batch);
    }

    /// The first due time of a batch, if it is known.
    pub(super) fn first_due(&self, batch: BatchId) -> Option<Timestamp> {
        self.first_due.get(&batch).copied()
    }

    /// Stores the first due time of a batch; `None` if nothing is due.
    pub(super) fn note_first_due(&mut self, batch: BatchId, first: Option<Timestamp>) -> Timestamp {
        let first = first.unwrap_or(Timestamp::MAX);
        self.first_due.insert(batch, first);
        first
    }
}
