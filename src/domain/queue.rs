//! Where messages wait.

use super::{BatchId, LaneId, StepIndex};

/// What waits at a lane for one step of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue {
    pub batch: BatchId,
    pub step: StepIndex,
    pub lane: LaneId,
}
