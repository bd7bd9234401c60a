//! The figures of a campaign at one time.

use crate::base::domain::{BatchId, Timestamp};

/// The figures of a campaign, as noted at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFigures {
    pub batch: BatchId,
    pub at: Timestamp,
    /// Submissions, fallbacks included.
    pub submitted: i64,
    /// Recipients who were reached.
    pub reached: i64,
    /// Recipients with another outcome.
    pub ended: i64,
    /// Recipients without an outcome.
    pub open: i64,
    /// Messages that went on to a later step.
    pub fell_back: i64,
    /// Submissions a second that its lanes allowed, in thousandths.
    pub allowed: i64,
}

impl BatchFigures {
    /// The same figures at another time.
    #[must_use]
    pub const fn moved_to(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }
}
