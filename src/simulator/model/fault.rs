//! Faults of requests: which are on, and whom they hit.

use super::{Faults, Model, Reply};
use crate::domain::{Span, Timestamp};

impl Model {
    /// The faults that are on at a time.
    pub(super) fn faults_now(&self, now: Timestamp) -> &Faults {
        let since = self.started.map_or(Span::ZERO, |started| now.since(started));
        let window = self.profile.windows.iter().find(|window| window.from <= since && since < window.until);
        window.map_or(&self.faults, |window| &window.faults)
    }

    fn hits(&self, share: f64) -> bool {
        // No draw without a share, so that switching faults on changes no id that was drawn without them.
        share > 0.0 && self.chance.fraction() < share
    }

    /// Faults that come instead of carrying the request out.
    pub(super) fn fault_before(&mut self, faults: &Faults, now: Timestamp) -> Option<Reply> {
        if self.hits(faults.cut_before) {
            self.seen.cut += 1;
            return Some(Reply::CutBeforeReading);
        }
        if self.hits(faults.throttle) {
            return Some(self.throttled(faults.retry_after, now));
        }
        if self.hits(faults.error_500) {
            self.seen.errors += 1;
            return Some(self.error(500, 2_000, "Internal server error", now));
        }
        None
    }

    /// Faults that come instead of the answer to a question about a message.
    pub(super) fn fault_of_question(&mut self, faults: &Faults, now: Timestamp) -> Option<Reply> {
        if self.hits(faults.details_cut) {
            self.seen.cut += 1;
            return Some(Reply::CutBeforeReading);
        }
        if self.hits(faults.details_500) {
            self.seen.errors += 1;
            return Some(self.error(500, 2_000, "Internal server error", now));
        }
        None
    }

    /// Faults that come after it was carried out.
    pub(super) fn fault_after(&mut self, faults: &Faults, reply: Reply, now: Timestamp) -> Reply {
        if self.hits(faults.cut_after) {
            self.seen.cut += 1;
            return Reply::CutAfterReading;
        }
        if self.hits(faults.error_500_after) {
            self.seen.errors += 1;
            return self.error(500, 2_000, "Internal server error", now);
        }
        reply
    }

    /// How much later than at once an answer comes.
    pub(super) fn slowness(&self, faults: &Faults) -> Span {
        let usual = self.profile.answer_after.map_or(Span::ZERO, |latency| {
            latency.draw([self.chance.fraction(), self.chance.fraction()], self.profile.speed)
        });
        if faults.slow_ms > 0 && self.hits(faults.slow) {
            Span::from_millis(usual.millis() + i64::from(faults.slow_ms))
        } else {
            usual
        }
    }
}
