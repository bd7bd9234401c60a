//! What may leave of a campaign at most, and steps of which nothing leaves for the time being.

use std::fmt::Debug;
use std::sync::Arc;

use super::{Claimed, Queue};
use crate::domain::{BatchId, Limits, Money, StepIndex, Timestamp};

/// What a message costs. Asked in the claim, so that what is spent is counted before anything leaves.
pub trait Price: Debug + Send + Sync {
    fn of(&self, claimed: &Claimed) -> Money;
}

/// What a queue may still hand over.
#[derive(Debug, Clone)]
pub struct Cap {
    pub step: Limits,
    /// Over all steps of its batch.
    pub batch: Limits,
    /// Nothing where nobody says what anything costs.
    pub price: Option<Arc<dyn Price>>,
}

/// A limit that is reached: nothing more of the queue is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capped {
    pub queue: Queue,
    pub by: Reached,
    /// Whether it is a limit of the whole batch.
    pub is_whole: bool,
    /// Whether that is for good: nothing is being handed over that may come back and leave room.
    pub is_final: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Messages { handed_over: u64, of: u64 },
    Budget { spent: Money, of: Money },
}

/// Why nothing of a step leaves, although its campaign runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepHold {
    pub batch: BatchId,
    pub step: StepIndex,
    pub by: StepHeldBy,
    pub why: String,
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepHeldBy {
    Person = 0,
    /// As much has left as may.
    Limit = 1,
    /// Too much of what left before was in vain. Once a person has let it go on, it goes on.
    Rule = 2,
}

impl StepHeldBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Person),
            1 => Some(Self::Limit),
            2 => Some(Self::Rule),
            _ => None,
        }
    }
}
