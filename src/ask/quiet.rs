//! Campaigns in which there is nobody to ask about for the time being. A hundred that wait would else be looked through
//! again and again.

use std::collections::{HashMap, HashSet};

use crate::domain::{BatchId, Timestamp};
use crate::store::{Hints, Signal, Store};

#[derive(Debug)]
pub(super) struct Quiet {
    hints: Hints,
    /// Those in which no deadline is waived.
    none_waived: HashSet<BatchId>,
    /// When the first of each is due.
    first_due: HashMap<BatchId, Timestamp>,
}

impl Quiet {
    pub(super) fn of(store: &dyn Store) -> Self {
        Self { hints: Hints::of(store), none_waived: HashSet::new(), first_due: HashMap::new() }
    }

    /// Takes in what has happened since the last time.
    pub(super) fn listen(&mut self, now: Timestamp) {
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

    pub(super) fn is_nobody_waived(&self, batch: BatchId) -> bool {
        self.none_waived.contains(&batch)
    }

    pub(super) fn saw_nobody_waived(&mut self, batch: BatchId) {
        self.none_waived.insert(batch);
    }

    /// When the first of a batch is due, where that is known.
    pub(super) fn first_due(&self, batch: BatchId) -> Option<Timestamp> {
        self.first_due.get(&batch).copied()
    }

    /// Nothing stands for a batch in which nothing is due at all.
    pub(super) fn saw_first_due(&mut self, batch: BatchId, first: Option<Timestamp>) -> Timestamp {
        let first = first.unwrap_or(Timestamp::MAX);
        self.first_due.insert(batch, first);
        first
    }
}
