//! The queues of messages.

use super::{BatchId, LaneId, StepIndex};

/// The messages of one step of one batch that are queued at a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Queue {
    pub batch: BatchId,
    pub step: StepIndex,
    pub lane: LaneId,
}
