//! Faults of requests: which are on, and which requests they hit.

use super::{Faults, Model, Reply};
use crate::base::domain::{Span, Timestamp};
use crate::rules::wire::ErrorAnswer;

impl Model {
    /// Returns the faults that are on at a time.
    pub(super) fn faults_now(&self, now: Timestamp) -> &Faults {
        let since = self.first_request.map_or(Span::ZERO, |first| now.since(first));
        let window = self.profile.windows.iter().find(|window| window.from <= since && since < window.until);
        window.map_or(&self.faults, |window| &window.faults)
    }

    fn throw(&self, share: f64) -> bool {
        // Without a share nothing is drawn, so a fault that is off changes no throw for another.
        share > 0.0 && self.chance.fraction() < share
    }

    /// Returns a fault that replaces the processing of the request.
    pub(super) fn fault_before(&mut self, faults: &Faults, now: Timestamp) -> Option<Reply> {
        if self.throw(faults.cut_before) {
            self.seen.cut += 1;
            return Some(Reply::CutBeforeReading);
        }
        if self.throw(faults.throttle) {
            return Some(self.throttled(faults.retry_after, now));
        }
        if self.throw(faults.error_500) {
            self.seen.errors += 1;
            return Some(self.error(&ErrorAnswer::Internal, now));
        }
        None
    }

    /// Returns a fault that replaces the answer to a query for a message.
    pub(super) fn fault_of_query(&mut self, faults: &Faults, now: Timestamp) -> Option<Reply> {
        if self.throw(faults.details_cut) {
            self.seen.cut += 1;
            return Some(Reply::CutBeforeReading);
        }
        if self.throw(faults.details_500) {
            self.seen.errors += 1;
            return Some(self.error(&ErrorAnswer::Internal, now));
        }
        None
    }

    /// Returns the reply, or a fault that replaces it after the request was processed.
    pub(super) fn fault_after(&mut self, faults: &Faults, reply: Reply, now: Timestamp) -> Reply {
        if self.throw(faults.cut_after) {
            self.seen.cut += 1;
            return Reply::CutAfterReading;
        }
        if self.throw(faults.error_500_after) {
            self.seen.errors += 1;
            return self.error(&ErrorAnswer::Internal, now);
        }
        reply
    }

    /// Returns the delay of an answer.
    pub(super) fn slowness(&self, faults: &Faults) -> Span {
        let usual = self.profile.answer_after.map_or(Span::ZERO, |latency| {
            latency.draw([self.chance.fraction(), self.chance.fraction()], self.profile.speed)
        });
        if faults.slow_ms > 0 && self.throw(faults.slow) {
            Span::from_millis(usual.millis() + i64::from(faults.slow_ms))
        } else {
            usual
        }
    }
}
