//! Sends hints that there may be something to do.
//!
//! A hint only says "look now"; the rows are the truth. A lost hint delays a message and never loses one.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::broadcast::{self, error::TryRecvError};

use super::{Change, Joining, Start, Store};
use crate::base::domain::{BatchId, LaneId, Queue, Span, State, StepIndex, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A queue has messages; the first of them may be sent from `at` on.
    Queued { queue: Queue, at: Timestamp },
    /// A message of a batch is due at `at`.
    Due { batch: BatchId, at: Timestamp },
    /// Messages of a batch have changed their states.
    Moved { batch: BatchId },
}

/// The largest number of unread hints. A reader that misses more looks at everything instead.
const BACKLOG: usize = 1_024;

#[derive(Debug)]
pub struct Signals(broadcast::Sender<Signal>);

impl Default for Signals {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Signals {
    pub fn subscribe(&self) -> broadcast::Receiver<Signal> {
        self.0.subscribe()
    }

    /// Sends hints about queues and timers that committed changes or decisions have touched.
    pub fn send(&self, signals: &[Signal]) {
        for signal in signals {
            // A command has no readers, so that sending may fail.
            let _ = self.0.send(*signal);
        }
    }
}

/// How often a reader of hints looks at everything, in case a hint was lost.
const FULL_LOOK_EVERY: Span = Span::from_secs(30);

/// The hints since the last look.
#[derive(Debug)]
pub struct Hints {
    signals: broadcast::Receiver<Signal>,
    next_full_look: Timestamp,
}

impl Hints {
    pub fn of(store: &dyn Store) -> Self {
        Self { signals: store.signals().subscribe(), next_full_look: Timestamp::default() }
    }

    /// Takes the hints since the last call; `None` if the caller must look at everything.
    pub fn take(&mut self, now: Timestamp) -> Option<Vec<Signal>> {
        let (mut signals, mut all) = (Vec::new(), now >= self.next_full_look);
        loop {
            match self.signals.try_recv() {
                Ok(signal) => signals.push(signal),
                Err(TryRecvError::Lagged(_)) => all = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if all {
            self.next_full_look = now + FULL_LOOK_EVERY;
        }
        (!all).then_some(signals)
    }
}

/// Returns the hints for a set of changes.
pub(super) fn signals_of(changes: &[Change]) -> Vec<Signal> {
    let mut queued: HashMap<Queue, Timestamp> = HashMap::new();
    let mut due: HashMap<BatchId, Timestamp> = HashMap::new();
    let mut moved = BTreeSet::new();
    for change in changes {
        let batch = change.key.batch;
        moved.insert(batch);
        let timer = match change.after.state {
            State::Queued { not_before, gives_up } => {
                let queue = Queue { batch, step: change.after.step, lane: change.lane };
                let first = queued.entry(queue).or_insert(not_before);
                *first = not_before.min(*first);
                gives_up
            }
            State::Awaiting { due } => Some(due),
            State::Sending { .. } | State::Done { .. } => None,
        };
        if let Some(at) = timer {
            let first = due.entry(batch).or_insert(at);
            *first = at.min(*first);
        }
    }
    let queued = queued.into_iter().map(|(queue, at)| Signal::Queued { queue, at });
    let due = due.into_iter().map(|(batch, at)| Signal::Due { batch, at });
    queued.chain(due).chain(moved.into_iter().map(|batch| Signal::Moved { batch })).collect()
}

/// The queues of messages that join a batch, for the hints about them once the batch is known.
#[derive(Debug)]
pub(super) struct JoinedQueues {
    queues: BTreeSet<(StepIndex, LaneId, Timestamp)>,
    /// When the first of them stops waiting.
    due: Option<Timestamp>,
}

impl JoinedQueues {
    pub(super) fn of(joining: &Joining) -> Self {
        let starts = || [&joining.start].into_iter().chain(joining.elsewhere.iter().map(|(_, start)| start));
        // If all of them have times of their own, the first of these counts.
        let own = joining.own_times.iter().filter(|_| joining.own_times.len() == joining.recipients.len());
        let first = own.map(|own| own.not_before).min();
        let queues = |start: &Start| {
            let at = first.unwrap_or(start.not_before);
            start.lanes.iter().map(|lane| (start.step, *lane, at)).collect::<Vec<_>>()
        };
        let waits = |start: &&Start| start.skipped.is_none();
        let own = joining.own_times.iter().filter_map(|own| own.gives_up);
        let due = starts().filter(waits).filter_map(|start| start.gives_up).chain(own).min();
        Self { queues: starts().filter(waits).flat_map(queues).collect(), due }
    }

    pub(super) fn signals_in(&self, batch: BatchId) -> Vec<Signal> {
        let queued = |(step, lane, at): &(StepIndex, LaneId, Timestamp)| Signal::Queued {
            queue: Queue { batch, step: *step, lane: *lane },
            at: *at,
        };
        let due = self.due.map(|at| Signal::Due { batch, at });
        self.queues.iter().map(queued).chain(due).chain([Signal::Moved { batch }]).collect()
    }
}
