//! Defines what tells how the database itself is.

use std::io;
use std::path::Path;

use crate::base::domain::{HistogramFigures, Span, Timestamp};

/// With less free space than this, a campaign may fill the disk before an operator notices.
pub const LOW_SPACE: u64 = 100 * 1024 * 1024;

/// The free bytes of the disk of a folder. Not every file system reports them.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The schema of the database beside the one of this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersion {
    pub found: i64,
    pub known: i64,
}

impl SchemaVersion {
    pub const fn is_current(self) -> bool {
        self.found == self.known
    }
}

/// What the writer has done since the store was opened, and the writes that wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterFigures {
    /// When the oldest write that is not on disk yet was asked for.
    pub oldest: Option<Timestamp>,
    /// Writes that wait to be written.
    pub queued: u64,
    /// Writes in one commit.
    pub group_sizes: HistogramFigures,
    /// Milliseconds from the beginning of a group to its commit.
    pub commit_ms: HistogramFigures,
    /// Groups that could not be committed.
    pub failed: u64,
}

impl WriterFigures {
    /// How long the oldest write has waited.
    pub fn lag(&self, now: Timestamp) -> Span {
        self.oldest.map_or(Span::ZERO, |oldest| now.since(oldest))
    }
}
