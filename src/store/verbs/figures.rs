//! The part of the contract that is about the figures of campaigns over time.

use crate::base::domain::{BatchId, Timestamp};
use crate::store::{BatchFigures, Result};

/// The figures of campaigns over time.
#[async_trait::async_trait]
pub trait Figures: Send + Sync + std::fmt::Debug {
    /// Notes figures of some batches, and forgets others. Figures of the same time replace earlier ones.
    async fn note_figures(&self, figures: Vec<BatchFigures>, forget: Vec<(BatchId, Timestamp)>) -> Result<()>;
    /// The figures of a batch, oldest first.
    async fn figures(&self, batch: BatchId) -> Result<Vec<BatchFigures>>;
}
