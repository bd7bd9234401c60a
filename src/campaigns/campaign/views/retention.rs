//! Purges and erasures as JSON.

use serde::Serialize;

use crate::campaigns::campaign::{Erasure, Overdue};
use crate::store::Batch;

/// What a purge removes.
#[derive(Debug, Serialize)]
pub struct PurgeView {
    pub campaigns: Vec<String>,
    pub audiences: Vec<String>,
    pub messages: u64,
    pub removed: bool,
}

impl PurgeView {
    pub fn new(overdue: &Overdue, removed: bool) -> Self {
        Self {
            campaigns: overdue.campaigns.iter().map(Batch::display_name).collect(),
            audiences: overdue.audiences.iter().filter_map(|(_, name)| name.clone()).collect(),
            messages: overdue.messages(),
            removed,
        }
    }
}

/// What the erasure of a recipient removes.
#[derive(Debug, Serialize)]
pub struct ErasureView {
    pub campaigns: Vec<String>,
    pub messages: usize,
    /// Of audiences.
    pub rows: usize,
    /// Campaigns in which a message has no outcome yet.
    pub open_campaigns: Vec<String>,
    pub removed: bool,
}

impl ErasureView {
    pub fn new(erasure: &Erasure, removed: bool) -> Self {
        Self {
            campaigns: erasure.found.iter().map(|(batch, _)| batch.display_name()).collect(),
            messages: erasure.messages(),
            rows: erasure.rows_in_audiences(),
            open_campaigns: erasure.open().into_iter().map(Batch::display_name).collect(),
            removed,
        }
    }
}
