//! The events of a message, and the decisions about it.

use crate::base::domain::{Ending, Fault, Present, SenderPart, Status, StepIndex, Timestamp};

/// An event of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A node claimed it from its queue. The intent is on disk before the request is made.
    Claimed,
    /// The answer to a step's submission. The recorder that passes it holds the claim that it answers.
    Answered { step: StepIndex, answer: Answer },
    /// A provider's receipt for a step's attempt, at any time. A receipt for a try that was followed by another comes
    /// here only if it [`counts`](super::counts).
    Receipt { step: StepIndex, report: AttemptReport },
    /// The due time in its row has come.
    Due { silence: Silence },
    /// It came up, and the tier has no free slot for the recipient. The step does not wait for one (rule 10).
    TierSpent { step: StepIndex },
    /// It came up outside its send hours, which open again then.
    Postponed { until: Timestamp },
    /// The step before fell back by silence, which is worth this by what is known now. That step's attempt was
    /// submitted after `tries` tries.
    Doubted { silence: Silence, tries: u16 },
    /// The step fell back by a refusal that the sender turns out to have caused. It answered an attempt after `tries`
    /// tries.
    RefusalRecalled { step: StepIndex, tries: u16 },
    /// Another message was accepted after this one was refused without a known code.
    RefusedAlone { step: StepIndex },
    /// An operator returns it to its queue, after it was set aside.
    Released,
    /// An operator or the recipient stops it.
    CalledOff(CallOff),
}

/// The result of a submission, as far as the message is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The provider accepted it.
    Accepted,
    /// The provider refused it, for this cause. A retry starts at `again` at the earliest.
    Refused { fault: Fault, again: Timestamp },
    /// The provider refused it without a known code, so the message or the sender may be the cause. A retry starts at
    /// `again` at the earliest.
    Unclear { again: Timestamp },
    /// The request was certainly not processed: retry the step at `again` at the earliest.
    Unavailable { again: Timestamp },
    /// It is unknown whether the provider accepted it.
    Unknown,
    /// No request was begun: the claim is handed back.
    NotBegun,
    /// No request was begun, and none may be before `at`.
    Later { at: Timestamp },
    /// The step cannot be submitted at all.
    CannotLeave(StepObstacle),
}

/// Why a step cannot be submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepObstacle {
    /// Its time for submission is over (rule 10).
    CouldNotLeave,
    /// Free text on WhatsApp, outside an open 24-hour window (rule 10).
    OutsideWindow,
    /// A variable without a value and without a default.
    MissingVariable,
    /// The recipient has opted out of what the step is.
    OptedOut,
}

impl StepObstacle {
    pub const fn ending(self) -> Ending {
        match self {
            Self::CouldNotLeave => Ending::CouldNotLeave,
            Self::OutsideWindow => Ending::OutsideWindow,
            Self::MissingVariable => Ending::MissingVariable,
            Self::OptedOut => Ending::OptedOut,
        }
    }
}

/// The content of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptReport {
    Reached(Status),
    /// It did not arrive, for this cause. A retry starts at `again` at the earliest.
    Failed {
        fault: Fault,
        again: Timestamp,
    },
}

/// The meaning of the absence of a receipt. Silence decides only while receipts could be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Receipts could be stored all the time.
    Trusted,
    /// Receipts were missed, and the provider still repeats them.
    Held { until: Timestamp },
    /// Receipts were missed, and the provider will not repeat them.
    Lost,
    /// Receipts were missed, and nothing is missing now: the provider was asked since, or the doubt has lost no receipt.
    /// What was not reported has not happened. Ends a waiver at once, whatever the due time of the row.
    Filled,
}

/// Why a message is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOff {
    Cancel,
    OptOut,
}

/// The rule that made a decision. The attempt's row stores it, and `explain` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    Claimed,
    /// The provider accepted the step; its deadline or receipt window runs from here.
    HandedOver,
    /// It is unknown whether the provider accepted the step; it counts as submitted at its intent (rule 7).
    CountedAsHandedOver,
    /// It is unknown whether the provider accepted the step, and the route resends it (rule 7).
    Resent,
    /// The claim was handed back before a request was begun.
    HandedBack,
    /// It came up outside its send hours and waits for the next opening.
    Postponed,
    /// A temporary failure: the same step is retried (rule 2).
    TriedAgain,
    /// The provider's limit for this recipient is reached: the same step is sent again a day later (rule 2).
    WaitsForRecipient,
    /// Refused because of the sender: the step stays queued (rule 2).
    KeptForSender(SenderPart),
    /// Refused without a known code: it moves to the end of its queue while another message tests the lane (rule 2).
    MovedToEnd,
    /// Another message was accepted after its refusal without a known code (rule 2).
    RefusedAlone,
    /// It alone was refused again: no claim takes it until an operator releases it (rule 2).
    SetAside,
    /// An operator returned it to its queue, after it was set aside.
    Released,
    /// The present step fell back with this ending (rules 1, 2, 10).
    FellBack(Ending),
    /// The present step ended like this, and there was no further step.
    Ended(Ending),
    /// A step met its success status (rule 2).
    Reached,
    /// A better status that is not yet success, or that decides nothing after the end.
    Progressed,
    /// A failure of a step that has already fallen back, or of a message that has ended: stored and counted, it decides
    /// nothing.
    Recorded,
    /// The deadline of the step before is in doubt, and the present step has not been claimed: back to awaiting (rule
    /// 9).
    TakenBack,
    /// The sender caused the refusal of the step before, and the present step has not been submitted. The step before
    /// returns to its queue (rule 2).
    RefusalRecalled,
    /// Success of an earlier step recalled a later one that was still queued (rule 6).
    Recalled,
    /// Success of an earlier step while a later one is submitted (rule 6).
    ReachedEarlier,
    /// A second step met its success status: delivered twice (rule 6).
    DeliveredTwice,
    /// Success after the end (rule 6).
    Late,
    /// The deadline waits until the provider has repeated the missed receipts (rule 9).
    DeadlineHeld,
    /// The deadline fell into a gap that cannot be filled; the receipt window or the TTL decides (rule 9).
    DeadlineWaived,
    /// Its due time was set before the plan's times were known exactly; it waits for the exact one.
    Rescheduled,
    /// The receipt window closed (rule 4).
    WindowClosed,
    /// No step is submitted after the TTL or the campaign's end (rule 5).
    Expired,
    /// Stopped before the first submission, by a cancel (rule 8) or an opt-out.
    CalledOffUnsent,
    /// Stopped later: the present step is the last.
    CalledOffPresentLast,
    /// The recipient opted out. Until version 27 of the schema, an opt-out that the provider reported ended the message.
    Suppressed,
    /// A receipt settled a submission whose result was unknown, or whose answer it overtook (rule 7).
    Adopted,
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It brings nothing new, or ranks lower.
    NothingNew,
    /// It concerns a step that the message has not begun.
    NotBegun,
    /// Its time has not come.
    NotYet,
    /// It concerns a submission for which the message does not wait.
    Stale,
    /// The message has ended, and the event does not change how.
    Ended,
    /// The message is in flight. The answer settles it, or the recovery of a claim whose node died.
    InFlight,
}

/// The machine's decision about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Moved { next: Present, rule: Rule },
    Ignored(Ignored),
}

impl Decision {
    /// The next present of the message, if it changes.
    pub const fn next(&self) -> Option<&Present> {
        match self {
            Self::Moved { next, .. } => Some(next),
            Self::Ignored(_) => None,
        }
    }
}
