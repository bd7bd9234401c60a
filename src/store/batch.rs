//! Defines batches: how their messages are written, their states, and changes of their plans.

use super::Cursor;
use crate::base::domain::{
    AudienceId, BatchId, BatchState, CampaignId, Country, LaneId, Marks, MessageId, MessageKey, OptOutOf, Plan,
    Present, Recipient, SkipReason, Span, State, StepIndex, Tag, Timestamp,
};
use crate::base::events::{ChangedKey, Origin};

#[derive(Debug, Clone)]
pub struct NewBatch {
    pub tag: Tag,
    pub plan: Plan,
    pub name: Option<String>,
    /// The audience's name for operators.
    pub audience: String,
    pub audience_ids: Vec<AudienceId>,
    pub starts_at: Option<Timestamp>,
    /// Until when messages may join it.
    pub open_until: Option<Timestamp>,
    pub now: Timestamp,
}

/// Which batches a page has.
#[derive(Debug, Clone, Default)]
pub struct BatchFilter {
    /// Their states; `None` means all.
    pub states: Option<Vec<BatchState>>,
    /// A part of their names, in any letter case.
    pub name: Option<String>,
    /// Whether they are campaigns, which have names, or batches of API calls; `None` means both.
    pub is_campaign: Option<bool>,
    /// Whether test sends are included.
    pub tests: bool,
}

/// A page of batches, latest first.
#[derive(Debug, Clone)]
pub struct BatchPage {
    /// Each batch, and whether it is a test send.
    pub batches: Vec<(Batch, bool)>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<BatchId>,
}

/// Messages that join an open batch of their plan, or begin one if none is open.
#[derive(Debug, Clone)]
pub struct Joining {
    pub plan: Plan,
    pub recipients: Vec<Recipient>,
    pub start: Start,
    /// The countries whose messages begin differently.
    pub elsewhere: Vec<(Country, Start)>,
    /// The messages with times of their own.
    pub own_times: Vec<OwnTimes>,
    /// The ids of the callers, where such an id is accepted once.
    pub client_ids: Option<ClientIds>,
    /// The tag for a new batch.
    pub tag: Tag,
    /// The audience's name for operators, for a new batch.
    pub audience: String,
    /// Until when messages may join a new batch; `None` begins a batch that no other messages join.
    pub open_until: Option<Timestamp>,
    /// The due confirmations that these messages are; from then on they are due no more.
    pub confirms: Vec<Cursor>,
    pub now: Timestamp,
}

/// The callers' own ids of messages, by the positions of the messages.
#[derive(Debug, Clone)]
pub struct ClientIds {
    pub of: Vec<(u32, String)>,
    /// A message that was accepted before this time is forgotten.
    pub since: Timestamp,
}

/// One call of the API that sends many messages at once.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// The caller's own id for it.
    pub client_batch_id: Option<String>,
    /// Its messages, by their plans. Each plan gets a batch of its own.
    pub parts: Vec<Joining>,
}

/// A call of the API that sent many messages at once. The first of its batches names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub batches: Vec<BatchId>,
    pub client_batch_id: Option<String>,
}

/// The batch that messages have joined. The first of them has number `first`; the others follow in order.
///
/// Messages that were accepted before under the callers' ids are in no row of this batch: they are listed with their places
/// among those that were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub batch: BatchId,
    pub tag: Tag,
    pub first: u32,
    /// The number of messages that have joined.
    pub added: u32,
    /// In order of their positions.
    pub repeated: Vec<(u32, MessageId)>,
}

impl Joined {
    /// The id of the batch for callers.
    pub const fn batch_id(&self) -> CampaignId {
        CampaignId { batch: self.batch, tag: self.tag }
    }

    /// The id of the message at this position among those that joined together.
    pub fn message_id(&self, position: u32) -> MessageId {
        match self.repeated.binary_search_by_key(&position, |(at, _)| *at) {
            Ok(known) => self.repeated[known].1,
            Err(before) => {
                let n = self.first + position - u32::try_from(before).unwrap_or(position);
                MessageId { key: MessageKey { batch: self.batch, n }, tag: self.tag }
            }
        }
    }
}

/// A piece of an audience to write as messages.
///
/// Recipient `n` becomes message `base + n`. The lists name recipients by their numbers in the audience.
#[derive(Debug, Clone)]
pub struct PieceOfMessages {
    pub batch: BatchId,
    pub audience: AudienceId,
    pub from: u32,
    pub until: u32,
    pub base: u32,
    /// The period over which the messages begin, evenly by their numbers.
    pub over: Option<Over>,
    pub start: Start,
    /// The countries whose messages begin differently, because some steps do not apply to every country.
    pub elsewhere: Vec<(Country, Start)>,
    /// How messages to recipients without a number begin, by country; the default has none. Empty if it is no different.
    pub users: Vec<(Option<Country>, Start)>,
    /// Recipients of this piece who become a skipped message.
    pub excluded: Vec<u32>,
    /// Recipients of this piece who lack a value for a variable, and become a skipped message as well.
    pub lacking: Vec<u32>,
    /// Recipients of this piece who become no message.
    pub left_out: Vec<u32>,
    /// Recipients who have opted out of this from every sender are skipped. `None` if the messages confirm opt-outs.
    pub heeds: Option<OptOutOf>,
    pub now: Timestamp,
}

/// The period over which the messages of a batch begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    pub span: Span,
    /// The number of all messages.
    pub messages: u32,
}

/// How messages begin, as the engine decides: in the queue of a lane, or skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub step: StepIndex,
    pub marks: Marks,
    /// The lanes that share the messages. A recipient's phone number modulo the length is the index of its lane.
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

/// The times of one of the messages that join, instead of those of its [`Start`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnTimes {
    /// The position of its recipient among those who join.
    pub index: u32,
    pub not_before: Timestamp,
    pub gives_up: Option<Timestamp>,
    /// Its own expiry.
    pub expires: Option<Timestamp>,
}

impl OwnTimes {
    /// The times of a message that waits; `None` if it was skipped.
    pub const fn of(index: u32, begun: &Present) -> Option<Self> {
        match begun.state {
            State::Queued { not_before, gives_up } => {
                Some(Self { index, not_before, gives_up, expires: begun.expires })
            }
            State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Batch {
    pub id: BatchId,
    pub tag: Tag,
    pub state: BatchState,
    /// Who moved it to this state, and why.
    pub origin: Option<Origin>,
    pub name: Option<String>,
    /// The number of changes of its plan since its launch.
    pub edition: u32,
    pub audience: String,
    pub audience_ids: Vec<AudienceId>,
    pub messages: u32,
    pub starts_at: Option<Timestamp>,
    /// Until when messages may join it; `None` if no message ever could.
    pub open_until: Option<Timestamp>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// Since when its texts are not corrected any more: since its first claim, or since its beginning if the API began it.
    pub texts_final_at: Option<Timestamp>,
    /// When an operator cancelled it. The rows of its messages follow somewhat later.
    pub cancelled_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub settled_at: Option<Timestamp>,
    /// When its messages were purged; its counters stay.
    pub purged_at: Option<Timestamp>,
    /// The time of the backup that it was restored from, before it was over. It is unknown what was sent of it since, and an
    /// operator has not confirmed yet to send it all the same.
    pub restored_from: Option<Timestamp>,
    /// Submissions per second, and when that was measured.
    pub pace: (f64, Timestamp),
}

impl Batch {
    /// Its id for operators and scripts.
    pub const fn public_id(&self) -> CampaignId {
        CampaignId { batch: self.id, tag: self.tag }
    }

    /// Its name, or its id if it has none.
    pub fn display_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.public_id().to_string())
    }

    /// Why a paused or cancelled batch stopped. Other states need no reason.
    pub fn why(&self) -> Option<String> {
        let stop = self.stop()?;
        self.origin.as_ref().map(|origin| origin.because(stop)).filter(|why| !why.is_empty())
    }

    /// How a paused or cancelled batch stopped, with who did it or why: `paused by Ann`, `paused: its budget is used up`.
    pub fn stopped(&self) -> Option<String> {
        let stop = self.stop()?;
        Some(self.origin.as_ref().map_or_else(|| stop.to_owned(), |origin| origin.done(stop)))
    }

    const fn stop(&self) -> Option<&'static str> {
        match self.state {
            BatchState::Paused => Some("paused"),
            BatchState::Cancelling | BatchState::Cancelled => Some("cancelled"),
            _ => None,
        }
    }
}

/// A change of a batch's plan.
#[derive(Debug, Clone)]
pub struct Amendment {
    pub batch: BatchId,
    /// The edition that it changes.
    pub edition: u32,
    pub plan: Plan,
    /// When the batch starts under the new plan.
    pub starts_at: Option<Timestamp>,
    pub origin: Origin,
    pub changes: Vec<ChangedKey>,
    pub now: Timestamp,
}

/// An earlier plan of a batch, until it was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Edition {
    pub plan: Plan,
    pub until: Timestamp,
}
