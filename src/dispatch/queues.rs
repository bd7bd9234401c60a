//! Which queues of a lane may hold something, and from when on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::{BatchId, StepIndex, Timestamp};

/// A queue is worth a look from the time it stands here with. One that a claim has emptied is left out until somebody
/// says that it has got something again, so an idle lane costs nothing.
#[derive(Debug, Default)]
pub(super) struct Queues {
    worth_a_look: Mutex<HashMap<(BatchId, StepIndex), Timestamp>>,
    changed: Notify,
}

impl Queues {
    /// Says that a queue may hold something from `at` on.
    pub(super) fn look(&self, batch: BatchId, step: StepIndex, at: Timestamp) {
        let mut queues = self.lock();
        let from = queues.entry((batch, step)).or_insert(at);
        *from = at.min(*from);
        drop(queues);
        self.changed.notify_one();
    }

    /// Wakes whoever waits, because something else than a queue has changed.
    pub(super) fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Takes out the queues that are worth a look now: later steps first, because their people have waited longest.
    pub(super) fn take_ready(&self, now: Timestamp) -> Vec<(BatchId, StepIndex)> {
        let mut queues = self.lock();
        let mut ready: Vec<_> = queues.iter().filter(|(_, from)| **from <= now).map(|(queue, _)| *queue).collect();
        for queue in &ready {
            queues.remove(queue);
        }
        ready.sort_unstable_by_key(|(batch, step)| (std::cmp::Reverse(*step), *batch));
        ready
    }

    /// When the next queue is worth a look.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.lock().values().min().copied()
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(BatchId, StepIndex), Timestamp>> {
        self.worth_a_look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
