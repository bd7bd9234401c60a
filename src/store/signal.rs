//! Hints that there may be something to do. They say "look now" and no more: the rows are the truth, and a hint that
//! is lost costs a moment, never a message.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::broadcast::{self, error::TryRecvError};

use super::{Change, Joining, Start, Store};
use crate::domain::{BatchId, LaneId, Queue, Span, State, StepIndex, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Something waits in a queue, the first of it from `at` on.
    Queued { queue: Queue, at: Timestamp },
    /// A message of a batch is due at `at`.
    Due { batch: BatchId, at: Timestamp },
    /// Messages of a batch stand elsewhere than before.
    Moved { batch: BatchId },
}

/// Hints that may wait to be read. Whoever falls further behind looks at everything instead.
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

    /// Tells of what committed changes have put into queues and onto timers, and of what a decision lets go on.
    pub fn tell(&self, signals: &[Signal]) {
        for signal in signals {
            // Nobody listens in a command, and that is fine.
            let _ = self.0.send(*signal);
        }
    }
}

/// How often whoever goes by hints alone looks at everything, in case one was lost.
const LOOK_ANYWAY: Span = Span::from_secs(30);

/// The hints that have come since somebody looked last.
#[derive(Debug)]
pub struct Hints {
    signals: broadcast::Receiver<Signal>,
    /// When everything is looked at next.
    look_anyway: Timestamp,
}

impl Hints {
    pub fn of(store: &dyn Store) -> Self {
        Self { signals: store.signals().subscribe(), look_anyway: Timestamp::default() }
    }

    /// What has come since the last time; nothing where everything is to be looked at.
    pub fn take(&mut self, now: Timestamp) -> Option<Vec<Signal>> {
        let (mut signals, mut all) = (Vec::new(), now >= self.look_anyway);
        loop {
            match self.signals.try_recv() {
                Ok(signal) => signals.push(signal),
                Err(TryRecvError::Lagged(_)) => all = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if all {
            self.look_anyway = now + LOOK_ANYWAY;
        }
        (!all).then_some(signals)
    }
}

/// The few hints that a set of changes is worth.
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

/// Where messages that join a batch wait, kept for the hints about them until it is known which batch that is.
#[derive(Debug)]
pub(super) struct Places {
    queues: BTreeSet<(StepIndex, LaneId, Timestamp)>,
    /// When the first of them gives up waiting.
    due: Option<Timestamp>,
}

impl Places {
    pub(super) fn of(joining: &Joining) -> Self {
        let starts = || [&joining.start].into_iter().chain(joining.elsewhere.iter().map(|(_, start)| start));
        let queues =
            |start: &Start| start.lanes.iter().map(|lane| (start.step, *lane, start.not_before)).collect::<Vec<_>>();
        let waits = |start: &&Start| start.skipped.is_none();
        let due = starts().filter(waits).filter_map(|start| start.gives_up).min();
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
