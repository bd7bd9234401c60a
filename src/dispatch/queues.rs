//! Which queues of a lane may hold something, and from when on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::{Queue, Timestamp};

/// A queue is worth a look from the time it stands here with, which is the earliest that anybody said. A claim that takes
/// all of what may leave says when the rest may; a queue without a rest is left out until somebody says that it has got
/// something again, so an idle lane costs nothing.
#[derive(Debug, Default)]
pub(super) struct Queues {
    worth_a_look: Mutex<HashMap<Queue, Timestamp>>,
    changed: Notify,
}

impl Queues {
    /// Says that a queue may hold something from `at` on.
    pub(super) fn look(&self, queue: Queue, at: Timestamp) {
        self.put_back(queue, at);
        self.changed.notify_one();
    }

    /// The same without waking anybody: for the one who has just taken it out, could do nothing with it, and is about
    /// to rest. Waking itself, it would never rest.
    pub(super) fn put_back(&self, queue: Queue, at: Timestamp) {
        let mut queues = self.lock();
        let from = queues.entry(queue).or_insert(at);
        *from = at.min(*from);
    }

    /// Wakes whoever waits, because something else than a queue has changed.
    pub(super) fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Takes out the queues that are worth a look now.
    pub(super) fn take_ready(&self, now: Timestamp) -> Vec<Queue> {
        let mut queues = self.lock();
        let mut ready: Vec<_> = queues.iter().filter(|(_, from)| **from <= now).map(|(queue, _)| *queue).collect();
        for queue in &ready {
            queues.remove(queue);
        }
        ready.sort_unstable();
        ready
    }

    /// When the next queue is worth a look.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.lock().values().min().copied()
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Queue, Timestamp>> {
        self.worth_a_look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BatchId, LaneId, StepIndex};
    use futures_util::FutureExt;

    const QUEUE: Queue = Queue { batch: BatchId(1), step: StepIndex::FIRST, lane: LaneId(1) };

    #[test]
    fn what_is_new_wakes_and_what_is_put_back_does_not() {
        let (queues, now) = (Queues::default(), Timestamp::from_millis(5));
        queues.put_back(QUEUE, now);
        assert!(queues.changed().now_or_never().is_none());
        assert_eq!((queues.next_look(), queues.take_ready(now)), (Some(now), vec![QUEUE]));
        queues.look(QUEUE, now);
        assert!(queues.changed().now_or_never().is_some());
    }
}
