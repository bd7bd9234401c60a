//! Defines holds on steps, and the refusals that they recall.

use crate::base::domain::{BatchId, StepIndex, Timestamp};
use crate::base::events::Origin;

/// Why no message of a step is sent, although its campaign runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepHold {
    pub batch: BatchId,
    pub step: StepIndex,
    pub by: StepHeldBy,
    /// Who holds it, and why.
    pub origin: Origin,
    pub since: Timestamp,
    /// The refusals that counted as their recipients' fault until the step was held.
    pub recall: Option<Recall>,
}

/// Refusals that turned out to be the sender's fault: the fallbacks that they queued are recalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recall {
    pub by: ReportedBy,
    pub code: u32,
    /// When the first of them arrived.
    pub since: Timestamp,
    /// When the refusal arrived that showed the sender's fault.
    pub until: Timestamp,
}

/// How the provider reported a refusal. The same code means different things in an answer and in a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportedBy {
    Answer = 0,
    Receipt = 1,
}

impl ReportedBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Answer),
            1 => Some(Self::Receipt),
            _ => None,
        }
    }
}

/// Why a step is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepHeldBy {
    /// An operator.
    Operator = 0,
    /// A limit or budget is reached.
    Limit = 1,
    /// A stop rule: too many earlier messages failed. After an operator's release the rule does not hold it again.
    Rule = 2,
    /// The provider refuses what the step sends, and that is the sender's fault.
    Refusal = 3,
}

impl StepHeldBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Operator),
            1 => Some(Self::Limit),
            2 => Some(Self::Rule),
            3 => Some(Self::Refusal),
            _ => None,
        }
    }
}
