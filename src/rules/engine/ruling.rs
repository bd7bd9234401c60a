//! Decisions as they are stored: the rule that decided, and on what. With the facts, this is enough to decide again.

mod codes;

use super::event::{Answer, CallOff, Decision, Event, Ignored, Rule, Silence};
use super::machine::Standing;
use crate::base::domain::{Present, State, Timestamp};

/// A decision about one event, and the state of the message before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ruling {
    /// The version of the row that the decision was based on.
    pub version: u32,
    /// How many decisions that changed the message were made on the same version before this one.
    pub moves: u8,
    pub met: Met,
    /// How often the provider had given back the present step.
    pub tries: u16,
    pub is_cancelled: bool,
    pub made: Made,
}

/// The state in which the event met the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Met {
    #[default]
    Queued = 0,
    Sending = 1,
    Awaiting = 2,
    Done = 3,
}

/// The result of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Made {
    Moved(Rule),
    Ignored(Ignored),
    /// A report on an earlier try that does not count, because another try followed.
    Superseded,
    /// The engine was not asked: the event has no consequence for the message.
    #[default]
    Nothing,
}

/// The cause of a decision that no stored fact records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its time had come: a deadline, the end of a window, its time for submission. Silence had this value.
    Due(Worth),
    /// The silence by which the step before fell back was doubted.
    Doubted(Worth),
    /// A refusal turned out to be caused by the sender.
    RefusalRecalled,
    /// Another message was accepted after this one was refused without a known code.
    RefusedAlone,
    /// An operator returned it to its queue, after it was set aside.
    Released,
    Cancel,
    OptOut,
    /// A claim was handed back before a request was begun.
    HandedBack,
}

/// The value of silence: see [`Silence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worth {
    Trusted,
    Held,
    Lost,
    Filled,
}

/// A decision that no stored fact records. The message's row stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Note {
    pub at: Timestamp,
    pub cause: Cause,
    pub ruling: Ruling,
}

impl Met {
    pub const fn of(state: &State) -> Self {
        match state {
            State::Queued { .. } => Self::Queued,
            State::Sending { .. } => Self::Sending,
            State::Awaiting { .. } => Self::Awaiting,
            State::Done { .. } => Self::Done,
        }
    }
}

impl Made {
    pub const fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Moved { rule, .. } => Self::Moved(*rule),
            Decision::Ignored(why) => Self::Ignored(*why),
        }
    }
}

impl Worth {
    const fn of(silence: Silence) -> Self {
        match silence {
            Silence::Trusted => Self::Trusted,
            Silence::Held { .. } => Self::Held,
            Silence::Lost => Self::Lost,
            Silence::Filled => Self::Filled,
        }
    }

    /// The silence of this value. The exact end of a hold decides only when the message is checked again, so it is not
    /// stored.
    const fn silence(self, at: Timestamp) -> Silence {
        match self {
            Self::Trusted => Silence::Trusted,
            Self::Held => Silence::Held { until: Timestamp::from_millis(at.millis() + 1) },
            Self::Lost => Silence::Lost,
            Self::Filled => Silence::Filled,
        }
    }
}

impl Cause {
    /// The cause of an event; `None` if stored facts record the event, or if it only changes when a message may be
    /// submitted.
    pub const fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Due { silence } => Some(Self::Due(Worth::of(*silence))),
            Event::Doubted { silence, .. } => Some(Self::Doubted(Worth::of(*silence))),
            Event::RefusalRecalled { .. } => Some(Self::RefusalRecalled),
            Event::RefusedAlone { .. } => Some(Self::RefusedAlone),
            Event::Released => Some(Self::Released),
            Event::CalledOff(CallOff::Cancel) => Some(Self::Cancel),
            Event::CalledOff(CallOff::OptOut) => Some(Self::OptOut),
            Event::Answered { .. } => Some(Self::HandedBack),
            Event::Claimed | Event::Receipt { .. } | Event::TierSpent { .. } | Event::Postponed { .. } => None,
        }
    }

    /// The event that the engine got for a message with this present. The step before had been submitted after `tries`
    /// tries.
    pub fn event(self, before: &Present, tries: u16, at: Timestamp) -> Event {
        let step = before.step;
        match self {
            Self::Due(worth) => Event::Due { silence: worth.silence(at) },
            Self::Doubted(worth) => Event::Doubted { silence: worth.silence(at), tries },
            Self::RefusalRecalled => {
                Event::RefusalRecalled { step: before.marks.preceding(step).unwrap_or(step), tries }
            }
            Self::RefusedAlone => Event::RefusedAlone { step },
            Self::Released => Event::Released,
            Self::Cancel => Event::CalledOff(CallOff::Cancel),
            Self::OptOut => Event::CalledOff(CallOff::OptOut),
            Self::HandedBack => Event::Answered { step, answer: Answer::NotBegun },
        }
    }
}

impl Ruling {
    /// A ruling about a message on a version of its row, after `moves` changes on the same version.
    pub const fn on(version: u32, moves: u8, before: &Present, standing: Standing, made: Made) -> Self {
        let is_cancelled = matches!(standing, Standing::Cancelled);
        Self { version, moves, met: Met::of(&before.state), tries: before.tries, is_cancelled, made }
    }

    pub const fn standing(&self) -> Standing {
        if self.is_cancelled { Standing::Cancelled } else { Standing::Live }
    }

    pub const fn has_moved(&self) -> bool {
        matches!(self.made, Made::Moved(_))
    }

    /// The order of a decision among those about a message. On one version, the decision that changed the message comes
    /// last.
    pub const fn position(&self) -> (u32, u8, bool) {
        (self.version, self.moves, self.has_moved())
    }
}

/// Whether a decision changed more than the times of a message: when it may be submitted, or until when it waits for
/// receipts.
pub fn is_more_than_a_time(before: &Present, after: &Present) -> bool {
    let is_unsent = |present: &Present| matches!(present.state, State::Queued { .. } | State::Sending { .. });
    let essence =
        |present: &Present| (present.step, present.marks, is_unsent(present), present.refused, present.outcome());
    essence(before) != essence(after)
}
