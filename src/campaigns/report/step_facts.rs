//! What a message may have had at a step, for lists of exactly the messages behind a number of a step.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::figures::as_counted;
use crate::base::domain::{Count, Loaded, StepIndex, Tallies};
use crate::store::Batch;

/// What became of a message at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepFact {
    ToSubmit,
    Submitted,
    Sent,
    Delivered,
    Read,
    /// The step met its success status first.
    Reached,
    Undelivered,
    Rejected,
    /// Submitted with an unknown result.
    Unknown,
    /// Any reason for a fallback.
    FellBack,
    FellDeadline,
    FellUndelivered,
    FellRejected,
    FellCouldNotLeave,
    FellOutsideWindow,
    FellMissingVariable,
    FellOptedOut,
}

impl StepFact {
    pub const ALL: &'static [Self] = &[
        Self::ToSubmit,
        Self::Submitted,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Reached,
        Self::Undelivered,
        Self::Rejected,
        Self::Unknown,
        Self::FellBack,
        Self::FellDeadline,
        Self::FellUndelivered,
        Self::FellRejected,
        Self::FellCouldNotLeave,
        Self::FellOutsideWindow,
        Self::FellMissingVariable,
        Self::FellOptedOut,
    ];

    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToSubmit => "to_submit",
            Self::Submitted => "submitted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Reached => "reached",
            Self::Undelivered => "undelivered",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::FellBack => "fell_back",
            Self::FellDeadline => "fell_deadline",
            Self::FellUndelivered => "fell_undelivered",
            Self::FellRejected => "fell_rejected",
            Self::FellCouldNotLeave => "fell_could_not_leave",
            Self::FellOutsideWindow => "fell_outside_window",
            Self::FellMissingVariable => "fell_missing_variable",
            Self::FellOptedOut => "fell_opted_out",
        }
    }

    /// Whether it holds for a message, exactly as the counters count it.
    pub fn holds(self, batch: &Batch, message: &Loaded, step: StepIndex) -> bool {
        thread_local! {
            static WEIGHED: RefCell<Tallies> = RefCell::default();
        }
        let present = as_counted(batch, &message.present);
        let steps = usize::from(StepIndex::COUNT_MAX);
        WEIGHED.with_borrow_mut(|tallies| {
            tallies.weigh(steps, &present, 1);
            let holds = self.count(tallies, step) > 0;
            tallies.weigh(steps, &present, -1);
            holds
        })
    }

    /// How many messages it holds for.
    fn count(self, tallies: &Tallies, step: StepIndex) -> i64 {
        let count = |count| tallies.get(step, count);
        match self {
            Self::ToSubmit => count(Count::ToSubmit),
            Self::Submitted => count(Count::HandedOver),
            Self::Sent => count(Count::Sent),
            Self::Delivered => count(Count::Delivered),
            Self::Read => count(Count::Read),
            Self::Reached => count(Count::ReachedBy),
            Self::Undelivered => count(Count::Undelivered),
            Self::Rejected => count(Count::Rejected),
            Self::Unknown => count(Count::Unknown),
            Self::FellBack => Self::ALL[10..].iter().map(|why| why.count(tallies, step)).sum(),
            Self::FellDeadline => count(Count::FellDeadline),
            Self::FellUndelivered => count(Count::FellUndelivered),
            Self::FellRejected => count(Count::FellRejected),
            Self::FellCouldNotLeave => count(Count::CouldNotLeave) - count(Count::EndedCouldNotLeave),
            Self::FellOutsideWindow => count(Count::OutsideWindow) - count(Count::EndedOutsideWindow),
            Self::FellMissingVariable => count(Count::MissingVariable) - count(Count::EndedMissingVariable),
            Self::FellOptedOut => count(Count::OptedOut) - count(Count::EndedOptedOut),
        }
    }
}
