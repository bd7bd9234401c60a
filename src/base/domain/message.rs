//! The present of a message: everything that the engine needs to know, small enough to copy.

use super::word::words;
use super::{AddressKey, Country, LaneId, Marks, MessageKey, Outcome, SkipReason, StepIndex, Timestamp, Zone, zone_of};

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
    /// The state in one word, but for messages that are set aside: see [`Present::state_name`].
    const fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Sending { .. } => "sending",
            Self::Awaiting { .. } => "awaiting",
            Self::Done { .. } => "done",
        }
    }
}

words! {
    /// What refusals without a known code have shown about a queued message.
    Refused, "refusal" {
        Never = 0, "never";
        /// It was refused. No other message has been accepted since, so the sender may be the cause.
        Once = 1, "once";
        /// It alone was refused: another message was accepted afterwards.
        Alone = 2, "alone";
        /// It was refused again, and no other message has been accepted since.
        Again = 3, "again";
        /// It alone was refused again. No claim takes it until an operator releases it.
        SetAside = 4, "set aside";
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
    /// What refusals without a known code have shown about the present step. `Never` unless queued or sending.
    pub refused: Refused,
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
            refused: Refused::Never,
            expires: None,
        }
    }

    /// Whether it alone is refused: it stays queued, and no claim takes it.
    pub const fn is_set_aside(&self) -> bool {
        matches!((self.state, self.refused), (State::Queued { .. }, Refused::SetAside))
    }

    /// The state in one word; `set_aside` for a queued message that no claim takes.
    pub const fn state_name(&self) -> &'static str {
        if self.is_set_aside() { "set_aside" } else { self.state.name() }
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
    /// Whom it is to.
    pub address: AddressKey,
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
        zone_of(self.address.number(), self.country)
    }

    /// Its position in the order of the timers, if it has a timer.
    pub fn timer_position(&self) -> Option<(Timestamp, u32)> {
        self.present.timer().map(|due| (due, self.key.n))
    }
}
