//! Whether a lane may send: now, from a queue, a step, or a claimed message.

use std::sync::atomic::Ordering;

use super::RunningLane;
use crate::base::domain::{BatchState, Queue, Span, StepIndex, Timestamp};
use crate::sending::book::Entry;
use crate::sending::dispatch::job::Job;
use crate::sending::throttle::Standstill;

/// How long an outage lasts before other lanes of the pool take over. In a short outage, recipients keep their sender.
const TAKEOVER_AFTER: Span = Span::from_secs(10);

impl RunningLane {
    /// Until when the lane may not send, if it may not now; `Some(None)` if the end is unknown, as of a hold.
    pub(in crate::sending::dispatch) fn blocked(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        if self.unrecordable.load(Ordering::Acquire)
            || !self.tenure.is_current(now)
            || self.holds.on_lane(&self.config.name).is_some()
        {
            return Some(None);
        }
        self.backoff.until(now).max(self.circuit.rests_until(now)).map(Some)
    }

    /// Whether a claimed message may still be sent now.
    ///
    /// On a slow lane its time may have passed meanwhile, or an earlier submission may turn out to have been delivered. After
    /// a refusal without a known code one message alone is sent, which tests the lane.
    pub(in crate::sending::dispatch) fn may_send(&self, job: &Job, now: Timestamp) -> bool {
        self.may_send_step(&job.entry, job.step())
            && self.test.allows(job.claimed.message.key)
            && !job.is_too_late(now)
            && !job.has_lost_its_pass(now)
            && !job.is_out_of_hours(now)
            && !job.is_recalled()
    }

    /// Whether this lane may send a batch's step now.
    pub(in crate::sending::dispatch) fn may_send_step(&self, entry: &Entry, step: StepIndex) -> bool {
        entry.state() == BatchState::Running && !entry.is_held(step) && !self.template_is_held(entry, step)
    }

    /// Whether this lane may send from a queue now: its own queue, or the queue of an unavailable lane.
    pub(in crate::sending::dispatch) fn serves(&self, entry: &Entry, queue: &Queue, now: Timestamp) -> bool {
        let takes_over =
            || self.fleet.lane(queue.lane).is_none_or(|other| other.is_unavailable(entry, queue.step, now));
        self.may_send_step(entry, queue.step) && (queue.lane == self.id || takes_over())
    }

    /// Whether other lanes of the pool take over a step from this one: it is held, or its outage lasts too long.
    ///
    /// A lane that is only slow, or waits for a tier slot, keeps its recipients.
    fn is_unavailable(&self, entry: &Entry, step: StepIndex, now: Timestamp) -> bool {
        let is_out = |outage: Standstill| now.since(outage.since) >= TAKEOVER_AFTER;
        self.holds.on_lane(&self.config.name).is_some()
            || self.template_is_held(entry, step)
            || self.circuit.standstill().is_some_and(is_out)
    }

    /// Whether other lanes take over this queue of its own.
    pub(in crate::sending::dispatch) fn is_taken_over(&self, queue: &Queue) -> bool {
        let entry = self.book.entry(queue.batch);
        let shared = entry.filter(|entry| entry.pool(queue.step).is_some_and(|(pool, _)| pool.is_shared()));
        shared.is_some_and(|entry| self.is_unavailable(&entry, queue.step, self.clock.now()))
    }

    pub(in crate::sending::dispatch) fn template_is_held(&self, entry: &Entry, step: StepIndex) -> bool {
        entry.plan.step(step).is_some_and(|step| self.holds.on_content(&self.config.name, &step.content).is_some())
    }
}
