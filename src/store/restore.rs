//! Defines the restore of a backup, which does not know what was sent after it.

use crate::base::domain::{Span, Timestamp};

/// The last restore of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restore {
    /// The time of the backup.
    pub copied_at: Timestamp,
    /// When the first server accepted it.
    pub accepted_at: Timestamp,
}

impl Restore {
    /// How long an operator may still take for new what was launched before the restore.
    const RECENT: Span = Span::from_secs(24 * 3_600);

    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.since(self.accepted_at) < Self::RECENT
    }
}

/// Slots of a portfolio's tier whose recipients are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownSlots {
    pub recipients: u32,
    /// From when they count.
    pub at: Timestamp,
    /// Whether an operator said how many there are. Otherwise the tier counts as full.
    pub is_told: bool,
}
