//! Why a lane stands still, for whoever wants to know.

use crate::domain::{Span, Timestamp};

/// What a lane went through so long ago says nothing of how it goes after a restart.
pub(super) const FORGOTTEN: Span = Span::from_secs(600);
/// What an earlier process has written down keeps a lane for no longer; then it is tried.
const BELIEVED: Span = Span::from_secs(3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was too fast for the provider, and goes on more slowly.
    Throttled,
    /// The provider does not answer, or answers what proves nothing.
    Outage,
}

/// A standstill that no acceptance has ended yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    pub cause: Cause,
    /// What the provider said last.
    pub reason: String,
    pub since: Timestamp,
    /// When it was, or will be, tried again.
    pub until: Timestamp,
    /// Requests that were under way when an outage began: at most so many messages may be unknown by it.
    pub in_flight: u32,
}

impl Standstill {
    /// What is left of one that an earlier process has written down. One that is long over counts no more, and none lasts
    /// for much longer because of what was written, whatever has become of the clock or of the configuration since.
    pub(super) fn still_counts(self, now: Timestamp) -> Option<Self> {
        let is_late = now.since(self.until) > FORGOTTEN;
        (!is_late).then(|| Self { since: self.since.min(now), until: self.until.min(now + BELIEVED), ..self })
    }
}
