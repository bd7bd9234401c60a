//! Campaigns in which there is nobody to ask about for the time being. A hundred that wait would else be looked through
//! again and again.

use std::collections::{HashMap, HashSet};

use tokio::sync::broadcast::{self, error::TryRecvError};

use crate::domain::{BatchId, Span, Timestamp};
use crate::store::{Signal, Store};

/// How often everything is looked at anew, in case a hint was lost.
const FORGOTTEN: Span = Span::from_secs(30);

#[derive(Debug)]
pub(super) struct Quiet {
    signals: broadcast::Receiver<Signal>,
    /// Those in which no deadline is waived.
    none_waived: HashSet<BatchId>,
    /// When the first of each is due.
    first_due: HashMap<BatchId, Timestamp>,
    forgets_at: Timestamp,
}

impl Quiet {
    pub(super) fn of(store: &dyn Store) -> Self {
        let (none_waived, first_due, forgets_at) = (HashSet::new(), HashMap::new(), Timestamp::default());
        Self { signals: store.signals().subscribe(), none_waived, first_due, forgets_at }
    }

    /// Takes in what has happened since the last time.
    pub(super) fn listen(&mut self, now: Timestamp) {
        let mut forgets = now >= self.forgets_at;
        loop {
            match self.signals.try_recv() {
                Ok(Signal::Moved { batch }) => {
                    self.none_waived.remove(&batch);
                }
                Ok(Signal::Due { batch, at }) => {
                    self.first_due.entry(batch).and_modify(|first| *first = at.min(*first));
                }
                Ok(Signal::Queued { .. }) => {}
                Err(TryRecvError::Lagged(_)) => forgets = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if forgets {
            self.none_waived.clear();
            self.first_due.clear();
            self.forgets_at = now + FORGOTTEN;
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
