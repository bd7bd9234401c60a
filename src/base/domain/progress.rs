//! What observers of a message are told about it.

use super::{Outcome, SkipReason, Status, StepIndex};

/// Something about a message that is worth telling. Each is told at most once for a step, unless the step is resent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The provider reported this status of a step: sent, delivered or read.
    Reached { step: StepIndex, status: Status },
    /// A step did not arrive: the provider rejected it, or reported a failure.
    Failed { step: StepIndex },
    /// The message has its outcome. A late success changes it, and is told again.
    Ended { outcome: Outcome, skipped: Option<SkipReason> },
}

impl Progress {
    /// The step that it is about; the outcome is about all of them.
    pub const fn step(self) -> Option<StepIndex> {
        match self {
            Self::Reached { step, .. } | Self::Failed { step } => Some(step),
            Self::Ended { .. } => None,
        }
    }
}
