//! What can happen to a message, and what can be decided about it.

use crate::domain::{Ending, Fault, Present, SenderPart, Status, StepIndex, Timestamp};

/// Something that happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A node took it from its queue; the intent is on disk before the request leaves.
    Claimed,
    /// How the hand-over of a step went. Whoever records it holds the claim that it answers.
    Answered { step: StepIndex, answer: Answer },
    /// What the provider says about the attempt of a step, at whatever time. News of a try that another one has followed
    /// comes here only where it [`counts`](super::counts).
    Receipt { step: StepIndex, report: Report },
    /// The due time in its row has come.
    Due { silence: Silence },
    /// Its turn came, and the tier has no place for the person; the step says not to wait for one (rule 10).
    TierSpent { step: StepIndex },
    /// Its turn came outside the hours in which it may leave, which begin again then.
    PutOff { until: Timestamp },
    /// The silence by which the step before has given way is worth this by what is known now; that step's attempt was
    /// submitted after so many tries.
    Doubted { silence: Silence, tries: u16 },
    /// The refusal by which the step has given way is the sender's fault after all; it answered an attempt after so many
    /// tries.
    RefusalRecalled { step: StepIndex, tries: u16 },
    /// Nobody wants it to go on.
    CalledOff(CallOff),
}

/// What came of a hand-over, as far as a message is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The provider took it.
    Accepted,
    /// It did not, and this is whose fault that is; what may go again goes at `again` at the earliest.
    Refused { fault: Fault, again: Timestamp },
    /// Nothing can have been processed: the same step again, at `again` at the earliest.
    Unavailable { again: Timestamp },
    /// It may have been taken, and nobody knows.
    Unknown,
    /// The request was never begun: the claim is given back.
    NotBegun,
    /// Nor was this one, and it may not be before then.
    Later { at: Timestamp },
    /// The step cannot be handed over at all.
    CannotLeave(Obstacle),
}

/// Why a step cannot be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// Its time to leave is up (rule 10).
    CouldNotLeave,
    /// Free text on WhatsApp, outside an open 24-hour window (rule 10).
    OutsideWindow,
    /// A variable without value and without default.
    MissingVariable,
}

impl Obstacle {
    pub const fn ending(self) -> Ending {
        match self {
            Self::CouldNotLeave => Ending::CouldNotLeave,
            Self::OutsideWindow => Ending::OutsideWindow,
            Self::MissingVariable => Ending::MissingVariable,
        }
    }
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Reached(Status),
    /// It did not arrive, and this is whose fault that is; what may go again goes at `again` at the earliest.
    Failed {
        fault: Fault,
        again: Timestamp,
    },
}

/// Whether silence up to now means anything: it does only while receipts could be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// We listened all along.
    Trusted,
    /// We did not, and the provider is still repeating what we missed.
    Held { until: Timestamp },
    /// We did not, and what we missed will not be repeated.
    Lost,
    /// We did not, and have asked since: what the provider did not say by now has not happened. Lifts a waiver at
    /// once, whatever the row's due time.
    Filled,
}

/// Why nobody wants a message to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOff {
    Cancel,
    OptOut,
}

/// The rule behind a decision, for the row of the attempt and for whoever asks why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    Claimed,
    /// The provider accepted the step; its deadline or receipt window runs from here.
    HandedOver,
    /// Nobody knows whether the provider took it: it counts as handed over at its intent (rule 7).
    CountedAsHandedOver,
    /// Nobody knows, and the route says to send again (rule 7).
    Resent,
    /// Handed back unbegun.
    HandedBack,
    /// Its turn came outside the hours in which it may leave: it waits for the next.
    PutOff,
    /// In passing: the same step again (rule 2).
    TriedAgain,
    /// Refused because of the sender: no step is consumed (rule 2).
    KeptForSender(SenderPart),
    /// The present step gave way with this ending (rules 1, 2, 10).
    GaveWay(Ending),
    /// No step was left to give way to.
    Ended(Ending),
    /// A step met its success status (rule 2).
    Reached,
    /// A better status, short of success, or one that no longer decides anything.
    Progressed,
    /// Bad news of a step that has given way, or of a message that has ended: kept and counted, it decides nothing.
    Noted,
    /// The deadline of the step before is in doubt, and the present one has not been claimed: back to awaiting (rule 9).
    TakenBack,
    /// The refusal of the step before is the sender's fault, and the present one has not been submitted: the step before
    /// waits in its queue again (rule 2).
    RefusalRecalled,
    /// Success of an earlier step took back a later one that was still queued (rule 6).
    Recalled,
    /// Success of an earlier step while a later one is under way (rule 6).
    ReachedEarlier,
    /// A second step met its success status: the person got it twice (rule 6).
    DeliveredTwice,
    /// Success after the end (rule 6).
    Late,
    /// The deadline waits until the provider has repeated what we missed (rule 9).
    DeadlineHeld,
    /// The deadline fell into a gap that cannot be filled; the receipt window or the TTL decides (rule 9).
    DeadlineWaived,
    /// Its due time was set before the plan's times were known better; it waits for the right one.
    Rescheduled,
    /// The receipt window closed (rule 4).
    WindowClosed,
    /// No step leaves after the TTL or the campaign's end (rule 5).
    Expired,
    /// Called off before the first hand-over (rule 8, or an opt-out).
    CalledOffUnsent,
    /// Called off later: the present step is the last.
    CalledOffPresentLast,
    /// The person wants no more (rule 2).
    Suppressed,
    /// A receipt settled a hand-over that was unknown, or whose answer it overtook (rule 7).
    Adopted,
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// It says nothing that was not known, or ranks lower.
    NothingNew,
    /// It is about a step that the message has not begun.
    NotBegun,
    /// Its time has not come.
    NotYet,
    /// It speaks of a hand-over that is no longer waited for.
    Stale,
    /// The message has ended, and this does not change how.
    Ended,
    /// In flight: the answer, or what becomes of a claim whose node died, will settle it.
    InFlight,
}

/// What the machine makes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Moved { next: Present, rule: Rule },
    Ignored(Ignored),
}

impl Decision {
    /// The message as it stands next, where that differs.
    pub const fn next(&self) -> Option<&Present> {
        match self {
            Self::Moved { next, .. } => Some(next),
            Self::Ignored(_) => None,
        }
    }
}
