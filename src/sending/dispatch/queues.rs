//! The queues of a lane that may have messages to claim, and from when.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::domain::{Queue, Timestamp};

/// The queues to check, each from its earliest known time.
///
/// A claim that takes all ready messages schedules the rest of the queue. A queue without a rest is removed until a
/// signal names it, so an idle lane costs nothing.
#[derive(Debug, Default)]
pub(super) struct Queues {
    due: Mutex<HashMap<Queue, Timestamp>>,
    changed: Notify,
}

impl Queues {
    /// Schedules a queue for `at`, and wakes the claimer.
    pub(super) fn look(&self, queue: Queue, at: Timestamp) {
        self.schedule(queue, at);
        self.changed.notify_one();
    }

    /// Schedules a queue for `at` without waking the claimer.
    ///
    /// The claimer uses it for a queue that it has just taken out. If it woke itself, it would never rest.
    pub(super) fn schedule(&self, queue: Queue, at: Timestamp) {
        let mut queues = self.due.lock();
        let from = queues.entry(queue).or_insert(at);
        *from = at.min(*from);
    }

    /// Wakes the claimer after a change other than a queue's.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Takes out the queues that are due.
    pub(super) fn take_due(&self, now: Timestamp) -> Vec<Queue> {
        let mut queues = self.due.lock();
        let mut ready: Vec<_> = queues.iter().filter(|(_, from)| **from <= now).map(|(queue, _)| *queue).collect();
        for queue in &ready {
            queues.remove(queue);
        }
        ready.sort_unstable();
        ready
    }

    /// When the next queue is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.lock().values().min().copied()
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{BatchId, LaneId, StepIndex};
    use futures_util::FutureExt;

    const QUEUE: Queue = Queue { batch: BatchId(1), step: StepIndex::FIRST, lane: LaneId(1) };

    #[test]
    fn a_signal_wakes_the_claimer_and_a_scheduled_queue_does_not() {
        let (queues, now) = (Queues::default(), Timestamp::from_millis(5));
        queues.schedule(QUEUE, now);
        assert!(queues.changed().now_or_never().is_none());
        assert_eq!((queues.next_due(), queues.take_due(now)), (Some(now), vec![QUEUE]));
        queues.look(QUEUE, now);
        assert!(queues.changed().now_or_never().is_some());
    }
}
