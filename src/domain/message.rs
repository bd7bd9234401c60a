//! The present of a message: everything that the engine needs to know, small enough to copy.

use super::{Country, LaneId, Marks, MessageKey, Msisdn, Outcome, SkipReason, StepIndex, Timestamp, Zone, zone_of};

/// The state of a message. Only the engine decides its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting for its submission, in the queue position that `not_before` gives it. At `gives_up` the wait ends.
    Queued {
        not_before: Timestamp,
        gives_up: Option<Timestamp>,
    },
    /// Claimed at `intent`, on its way to the provider. The other fields are restored if the claim is handed back.
    Sending {
        intent: Timestamp,
        not_before: Timestamp,
        gives_up: Option<Timestamp>,
    },
    /// Submitted. At `due` the step falls back, or the message ends.
    Awaiting {
        due: Timestamp,
    },
    Done {
        outcome: Outcome,
        skipped: Option<SkipReason>,
        at: Timestamp,
    },
}

impl State {
    /// The state in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Sending { .. } => "sending",
            Self::Awaiting { .. } => "awaiting",
            Self::Done { .. } => "done",
        }
    }
}

/// The present of one message, without its batch, number and fields, which never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Present {
    pub state: State,
    /// The step that the state refers to; in `Done` the last one that the message came to.
    pub step: StepIndex,
    pub marks: Marks,
    /// When the first step was submitted; the message's `ttl` runs from here. `None` exactly while no step is marked as
    /// submitted.
    pub first_submitted_at: Option<Timestamp>,
    /// When the latest step was submitted; its deadline and its receipt window run from here. A retry after a temporary
    /// failure does not change it.
    pub accepted: Option<Timestamp>,
    /// How often the provider has given back the present step, for whatever reason.
    pub tries: u16,
    /// The message's own expiry: from then on no step is submitted, whatever the plan allows. It never changes.
    pub expires: Option<Timestamp>,
}

impl Present {
    /// When the timer of a waiting message is due.
    pub const fn timer(&self) -> Option<Timestamp> {
        match self.state {
            State::Queued { gives_up, .. } => gives_up,
            State::Awaiting { due } => Some(due),
            State::Sending { .. } | State::Done { .. } => None,
        }
    }

    /// The earliest time of its claim, which is also its position in its queue; `None` unless queued.
    pub const fn not_before(&self) -> Option<Timestamp> {
        match self.state {
            State::Queued { not_before, .. } => Some(not_before),
            State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => None,
        }
    }

    /// A message that is queued for its first step.
    pub fn queued(not_before: Timestamp, gives_up: Option<Timestamp>) -> Self {
        Self {
            state: State::Queued { not_before, gives_up },
            step: StepIndex::FIRST,
            marks: Marks::default(),
            first_submitted_at: None,
            accepted: None,
            tries: 0,
            expires: None,
        }
    }

    pub const fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done { outcome, .. } => Some(outcome),
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
        }
    }
}

/// The present of a message, with the version that guards a change of its row.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    pub key: MessageKey,
    pub msisdn: Msisdn,
    /// The country of the number.
    pub country: Country,
    pub version: u32,
    /// The lane that queues the present step, or that submitted it.
    pub lane: LaneId,
    pub present: Present,
}

impl Loaded {
    /// The time zone of the recipient, for send hours.
    pub fn zone(&self) -> Zone {
        zone_of(self.msisdn, self.country)
    }

    /// Its position in the order of the timers, if it has a timer.
    pub fn timer_position(&self) -> Option<(Timestamp, u32)> {
        self.present.timer().map(|due| (due, self.key.n))
    }
}
