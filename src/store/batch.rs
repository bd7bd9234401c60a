//! Batches: how they are laid out, where they stand, and how their plans are changed.

use crate::domain::{
    AudienceId, BatchId, BatchState, Country, LaneId, Marks, Plan, Present, Recipient, SkipReason, Span, State,
    StepIndex, Tag, Timestamp,
};

#[derive(Debug, Clone)]
pub struct NewBatch {
    pub tag: Tag,
    pub plan: Plan,
    pub name: Option<String>,
    /// What people call the audience.
    pub audience: String,
    pub audience_ids: Vec<AudienceId>,
    pub starts_at: Option<Timestamp>,
    /// Until when messages can join it.
    pub open_until: Option<Timestamp>,
    pub now: Timestamp,
}

/// Messages that join an open batch of their plan, or begin one where none is open.
#[derive(Debug, Clone)]
pub struct Joining {
    pub plan: Plan,
    pub recipients: Vec<Recipient>,
    pub start: Start,
    /// Those of these countries begin otherwise.
    pub elsewhere: Vec<(Country, Start)>,
    /// Of the batch that begins.
    pub tag: Tag,
    /// What people call the audience of the batch that begins.
    pub audience: String,
    /// How long others can join the batch that begins.
    pub open_until: Timestamp,
    pub now: Timestamp,
}

/// Where messages have joined: the first of them is the `first`th of the batch, the others follow in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    pub batch: BatchId,
    pub tag: Tag,
    pub first: u32,
}

/// A piece of an audience to lay out as messages: the `n`th recipient becomes the message `base + n`. Whom the lists name
/// is named by his place in the audience.
#[derive(Debug, Clone)]
pub struct Spread {
    pub batch: BatchId,
    pub audience: AudienceId,
    pub from: u32,
    pub until: u32,
    pub base: u32,
    /// Over how long their beginnings are spread, evenly by their numbers.
    pub over: Option<Over>,
    pub start: Start,
    /// Those of these countries begin otherwise: the route has steps that are not for everybody.
    pub elsewhere: Vec<(Country, Start)>,
    /// Those in this piece who become a message that is skipped.
    pub excluded: Vec<u32>,
    /// Those in this piece who become no message at all.
    pub left_out: Vec<u32>,
    pub now: Timestamp,
}

/// How a batch's messages begin one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    pub span: Span,
    /// How many there are in all.
    pub messages: u32,
}

/// How messages begin: as the engine says, in the queue of a lane, or skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub step: StepIndex,
    pub marks: Marks,
    /// Whose queue it is: the one at a person's number modulo the length of this.
    pub lanes: Vec<LaneId>,
    pub not_before: Timestamp,
    pub gives_up: Option<Timestamp>,
    pub skipped: Option<SkipReason>,
}

impl Start {
    pub const fn of(present: &Present, lanes: Vec<LaneId>) -> Self {
        let (not_before, gives_up, skipped) = match present.state {
            State::Queued { not_before, gives_up } | State::Sending { not_before, gives_up, .. } => {
                (not_before, gives_up, None)
            }
            State::Awaiting { due } => (due, None, None),
            State::Done { skipped, at, .. } => (at, None, skipped),
        };
        Self { step: present.step, marks: present.marks, lanes, not_before, gives_up, skipped }
    }
}

#[derive(Debug, Clone)]
pub struct Batch {
    pub id: BatchId,
    pub tag: Tag,
    pub state: BatchState,
    /// Who or what brought it there, in words.
    pub why: Option<String>,
    pub name: Option<String>,
    /// How often its plan has been changed since its launch.
    pub edition: u32,
    pub audience: String,
    pub audience_ids: Vec<AudienceId>,
    pub messages: u32,
    pub starts_at: Option<Timestamp>,
    /// Until when messages can join it; nothing where none ever could.
    pub open_until: Option<Timestamp>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// When a person called it off. Messages notice somewhat later.
    pub cancelled_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub settled_at: Option<Timestamp>,
    /// Since when its messages are gone; its counters stay.
    pub purged_at: Option<Timestamp>,
    /// Hand-overs a second, and when that was measured.
    pub pace: (f64, Timestamp),
}

/// A change of a batch's plan.
#[derive(Debug, Clone)]
pub struct Amendment {
    pub batch: BatchId,
    /// The edition that it changes.
    pub edition: u32,
    pub plan: Plan,
    /// When it begins by then.
    pub starts_at: Option<Timestamp>,
    /// Who changes what, in words.
    pub why: String,
    pub now: Timestamp,
}

/// What a batch's plan was until somebody changed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Edition {
    pub plan: Plan,
    pub until: Timestamp,
    /// Who changed what, in words.
    pub why: String,
}
