//! What the reader of a sheet finds beside the texts of its cells.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts that are complete once the last row is read.
#[derive(Debug, Default)]
pub(in crate::recipients::audience) struct SheetCounts {
    errors: AtomicU64,
    hidden_rows: AtomicU64,
    merged: AtomicU64,
}

impl SheetCounts {
    /// Counts a cell that holds an error instead of a value.
    pub(super) fn add_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_hidden_rows(&self, rows: u64) {
        self.hidden_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Counts merged areas of several rows.
    pub(super) fn add_merged(&self, areas: u64) {
        self.merged.fetch_add(areas, Ordering::Relaxed);
    }

    pub(in crate::recipients::audience) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    pub(in crate::recipients::audience) fn hidden_rows(&self) -> u64 {
        self.hidden_rows.load(Ordering::Relaxed)
    }

    pub(in crate::recipients::audience) fn merged(&self) -> u64 {
        self.merged.load(Ordering::Relaxed)
    }
}
