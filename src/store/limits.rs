//! Steps of which nothing leaves for the time being.

use super::refusals::ALIKE;
use crate::domain::{BatchId, StepIndex, Subject, Timestamp};

/// Why nothing of a step leaves, although its campaign runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepHold {
    pub batch: BatchId,
    pub step: StepIndex,
    pub by: StepHeldBy,
    pub why: String,
    pub since: Timestamp,
    /// The refusals that were taken for their recipients' fault until it was held.
    pub recall: Option<Recall>,
}

impl StepHold {
    /// Because the provider refuses what the step sends: at once where that is alike for every recipient, else after
    /// many refusals alike, which are to be recalled then.
    pub fn for_refusal(
        (batch, step): (BatchId, StepIndex),
        subject: Subject,
        code: Option<u32>,
        detail: &str,
        recall: Option<Recall>,
        now: Timestamp,
    ) -> Self {
        let code = code.map(|code| format!(" (code {code})")).unwrap_or_default();
        let alike = match subject {
            Subject::Text => "its text, which is the same for every recipient",
            Subject::Media => "its media, which are the same for every recipient",
            Subject::Parameter => "its parameters, which are the same for every recipient",
            Subject::Number | Subject::Operator | Subject::Template | Subject::Account | Subject::Unsaid => {
                "what it sends"
            }
        };
        let why = match recall {
            Some(_) => format!("the provider refused the last {ALIKE} messages alike: {detail}{code}"),
            None => format!("the provider refuses {alike}: {detail}{code}"),
        };
        Self { batch, step, by: StepHeldBy::Refusal, why, since: now, recall }
    }
}

/// Refusals that turned out to be the sender's fault: what they have queued is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recall {
    pub by: ToldBy,
    pub code: u32,
    /// When the first of them came, and the one that showed whose fault they are.
    pub since: Timestamp,
    pub until: Timestamp,
}

/// How the provider said it. The same number means another thing in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToldBy {
    Answer = 0,
    Receipt = 1,
}

impl ToldBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Answer),
            1 => Some(Self::Receipt),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepHeldBy {
    Person = 0,
    /// As much has left as may.
    Limit = 1,
    /// Too much of what left before was in vain. Once a person has let it go on, it goes on.
    Rule = 2,
    /// The provider refuses what it sends, and that is the sender's fault.
    Refusal = 3,
}

impl StepHeldBy {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Person),
            1 => Some(Self::Limit),
            2 => Some(Self::Rule),
            3 => Some(Self::Refusal),
            _ => None,
        }
    }
}
