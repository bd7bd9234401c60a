//! Why a lane does not send, for its status.

use crate::base::domain::{Span, Timestamp};

/// After this time, an earlier standstill no longer affects a restart.
pub(super) const FORGOTTEN: Span = Span::from_secs(600);
/// A stored standstill stops a lane for this long at most; then the lane is tried.
const STORED_MAX: Span = Span::from_secs(3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandstillCause {
    /// The provider throttled it; it resumes more slowly.
    Throttled,
    /// The provider does not answer, or its answer proves nothing.
    Outage,
    /// A message was refused without a known code, and another one tests the lane.
    Refused,
}

/// A standstill that no acceptance has ended yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    pub cause: StandstillCause,
    /// The last reason.
    pub reason: String,
    pub since: Timestamp,
    /// When the lane is tried again.
    pub until: Timestamp,
    /// Requests that were in flight when an outage began: at most so many messages may be unknown because of it.
    pub in_flight: u32,
}

impl Standstill {
    /// The remainder of a stored standstill; `None` if it is long over.
    ///
    /// Its end is capped, whatever happened to the clock or to the configuration since.
    pub(super) fn still_counts(self, now: Timestamp) -> Option<Self> {
        let is_late = now.since(self.until) > FORGOTTEN;
        (!is_late).then(|| Self { since: self.since.min(now), until: self.until.min(now + STORED_MAX), ..self })
    }
}
