//! Defines parameters and results of the verbs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::{DiskTrouble, Epoch, LaneState, Nameless, Sender};
use crate::base::domain::{
    AddressKey, AttemptId, AudienceId, BatchId, Channel, ChannelUser, DoubtCause, Fee, Fields, Heeds, LaneId, Loaded,
    MessageKey, Msisdn, Queue, ServerLimit, Span, StepIndex, Timestamp, Umid, Unwanted, WishSenders,
};
use crate::rules::planner::{Cap, Pass, Referral, Rest, Slots, Timing};

#[derive(Debug, Clone)]
pub struct NewAudience {
    pub known_as: KnownAs,
    /// The file's name, for operators.
    pub source: String,
    pub columns: Vec<String>,
    pub now: Timestamp,
}

/// How an audience is found later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownAs {
    /// Only by its campaign: an API call or a campaign file contained it.
    Nothing,
    Name(String),
    /// By the name of the audience with this id, to which it was added later.
    PartOf(AudienceId),
}

/// What was imported under one name, at once or in several parts. A batch uses the parts that exist at its launch.
#[derive(Debug, Clone)]
pub struct Audience {
    pub name: String,
    pub columns: Vec<String>,
    /// At least one, in the order in which they were imported.
    pub parts: Vec<AudiencePart>,
}

/// The recipients of one file; it never changes.
#[derive(Debug, Clone)]
pub struct AudiencePart {
    pub id: AudienceId,
    pub source: String,
    pub recipients: u32,
    /// The summary of the import, as JSON.
    pub summary: Option<String>,
    pub begun_at: Timestamp,
}

/// A row of an imported file that became no recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Where it begins in the file.
    pub line: u64,
    /// The short form of the reason.
    pub reason: Cow<'static, str>,
    /// Its number, if it can be read.
    pub msisdn: Option<Msisdn>,
    /// The other number that it can be read as.
    pub other_msisdn: Option<Msisdn>,
    /// The cells in the order of the audience's columns, and then those after the last column.
    pub fields: Fields,
    /// Whether the row was too long, so that long cells are cut.
    pub is_cut: bool,
}

impl Audience {
    /// The id of the first part, by which the others are found.
    pub fn id(&self) -> AudienceId {
        self.parts.first().map_or(AudienceId(0), |part| part.id)
    }

    pub fn recipients(&self) -> u32 {
        self.parts.iter().map(|part| part.recipients).fold(0, u32::saturating_add)
    }
}

/// The earliest times at which the first and the last message of a queue may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueTimes {
    pub first: Timestamp,
    pub last: Timestamp,
}

/// A position among the timers or in a queue: the time and the number of a message.
pub type Along = (Timestamp, u32);

/// The messages that a lane takes at once, from its own queues and those of lanes that it replaces.
#[derive(Debug, Clone)]
pub struct Claim {
    pub lane: LaneId,
    /// They share the limit evenly. What one queue does not use, the others may take.
    pub queues: Vec<Queue>,
    /// The largest number of messages to take.
    pub limit: u32,
    pub now: Timestamp,
    /// The epoch of the server that claims.
    pub epoch: Epoch,
    /// The tier in which recipients take slots, if it is limited.
    pub tier: Option<TierUse>,
    /// The editions of the batches' plans that the rules below are of. Nothing is claimed of a batch that has another by now.
    pub editions: HashMap<BatchId, u32>,
    /// The hours of steps that may not be sent at all hours.
    pub hours: HashMap<(BatchId, StepIndex), Arc<Timing>>,
    /// The limits and budgets of steps.
    pub caps: HashMap<(BatchId, StepIndex), Arc<Cap>>,
    /// The lane's channel and subaccount: an opt-out may be from its messages alone.
    pub sender: WishSenders,
    /// Which opt-outs the messages of each step heed; those of steps that are missing here are all marketing.
    pub heeds: HashMap<(BatchId, StepIndex), Heeds>,
}

impl Claim {
    /// A claim without tier, hours or limits, of whatever edition, before any server has started.
    pub fn of(lane: LaneId, queues: Vec<Queue>, limit: u32, now: Timestamp) -> Self {
        let epoch = Epoch::default();
        let (hours, caps, heeds) = (HashMap::new(), HashMap::new(), HashMap::new());
        let editions = HashMap::new();
        let sender = WishSenders { channel: Channel::WhatsApp, sub_account: None };
        Self { lane, queues, limit, now, epoch, tier: None, editions, hours, caps, sender, heeds }
    }
}

/// The limited tier of a claim's lane.
#[derive(Debug, Clone)]
pub struct TierUse {
    pub portfolio: String,
    pub slots: Slots,
    /// A slot that was taken later than this is still held.
    pub since: Timestamp,
    /// A recipient with an open customer service window with this sender needs no slot.
    pub sender: Sender,
}

/// A recipient's slot of a portfolio's tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierSlot {
    pub recipient: AddressKey,
    /// When it was taken last.
    pub at: Timestamp,
    /// When it was taken before that; this counts again if the latest one is given back.
    pub before: Option<Timestamp>,
}

impl TierSlot {
    /// The known times at which it was taken.
    pub fn times(self) -> impl Iterator<Item = (AddressKey, Timestamp)> {
        self.before.into_iter().chain([self.at]).map(move |at| (self.recipient, at))
    }
}

/// A claimed message.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub message: Loaded,
    pub fields: Fields,
    /// Its recipient, if only an id of a channel names them.
    pub user: Option<Box<ChannelUser>>,
    /// Why it is not to be sent, if its recipient does not want it.
    pub unwanted: Option<Unwanted>,
    /// Why it passes the tier, if that is limited.
    pub pass: Pass,
    /// What was counted for it.
    pub fee: Fee,
}

/// The result of a claim.
#[derive(Debug, Default)]
pub struct ClaimedSet {
    pub messages: Vec<Claimed>,
    /// Messages that are still queued, and about which the engine has to decide.
    pub referred: Vec<Referral>,
    /// When to look at each queue again, and why.
    pub rests: Vec<(Queue, Rest)>,
}

/// What finds an attempt, surest first.
#[derive(Debug, Clone)]
pub enum Key {
    /// Our own id, with the provider's id of what it is about, where that is known. It finds nothing if every try of the
    /// attempt has another one: a server that ran on another copy of this database gave the same id.
    Attempt {
        id: AttemptId,
        umid: Option<Umid>,
    },
    Umid(Umid),
    /// The id of a message from a recipient, which finds the attempt that it replies to.
    Inbound(String),
    /// Only a number and a channel: they find the only unknown attempt there.
    Number(Nameless),
}

/// The attempt that a key found.
#[derive(Debug, Clone, Copy)]
pub struct FoundAttempt {
    pub message: Loaded,
    pub step: StepIndex,
    /// Whether only the number led to it.
    pub by_number: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLane {
    pub id: LaneId,
    pub name: String,
    pub channel: Channel,
}

/// A node's regular report that it lives.
#[derive(Debug, Clone)]
pub struct Beat {
    pub node: i64,
    pub now: Timestamp,
    /// The number of the latest decision that the node obeys.
    pub noted: u64,
    /// Submissions per second of each batch that is sending.
    pub pace: Vec<(BatchId, f64)>,
    /// The states of its lanes that have changed.
    pub lanes: Vec<LaneState>,
    /// The watermark: all webhooks up to then were stored.
    pub listening_until: Timestamp,
    /// The states of provider addresses that have changed.
    pub links: Vec<LinkState>,
    /// What the door turned away since the last beat.
    pub turned_away: Vec<TurnedAway>,
}

impl Beat {
    /// The beat of a node that listens and has nothing else to report.
    pub const fn of(node: i64, now: Timestamp, noted: u64) -> Self {
        Self {
            node,
            now,
            noted,
            pace: Vec::new(),
            lanes: Vec::new(),
            listening_until: now,
            links: Vec::new(),
            turned_away: Vec::new(),
        }
    }
}

/// One direction between this installation and a provider address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// The `base_url` of its lanes.
    pub address: String,
    pub direction: Direction,
    /// When it was last proven to work.
    pub proven: Timestamp,
    /// Since when it is in doubt, and why.
    pub doubt: Option<(Timestamp, DoubtCause)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Our requests reach the provider.
    Out = 0,
    /// The provider's webhooks reach us.
    In = 1,
}

impl Direction {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Out),
            1 => Some(Self::In),
            _ => None,
        }
    }
}

impl DoubtCause {
    pub const fn direction(self) -> Direction {
        match self {
            Self::SecretMismatch | Self::NoWebhooks => Direction::In,
            Self::Unreachable => Direction::Out,
        }
    }
}

/// A recorded gap: no receipt could be committed, or proof of one provider address was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGap {
    pub from: Timestamp,
    pub until: Timestamp,
    /// The provider address; `None` if the gap concerns every lane.
    pub address: Option<String>,
}

impl KeptGap {
    pub const fn span(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }
}

/// Why something was turned away at the door: a webhook by its proof or its size, anything by a limit of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionReason {
    Signature = 0,
    Nothing = 1,
    TooLarge = 2,
    Connections = 3,
    EventStreams = 4,
    LongOperations = 5,
}

impl From<ServerLimit> for RejectionReason {
    fn from(limit: ServerLimit) -> Self {
        match limit {
            ServerLimit::Connections => Self::Connections,
            ServerLimit::EventStreams => Self::EventStreams,
            ServerLimit::LongOperations => Self::LongOperations,
        }
    }
}

impl RejectionReason {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Signature),
            1 => Some(Self::Nothing),
            2 => Some(Self::TooLarge),
            3 => Some(Self::Connections),
            4 => Some(Self::EventStreams),
            5 => Some(Self::LongOperations),
            _ => None,
        }
    }
}

/// How much was turned away for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnedAway {
    pub why: RejectionReason,
    pub count: u64,
    pub since: Timestamp,
    pub latest: Timestamp,
}

/// Why a running server cannot write to its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritable {
    pub since: Timestamp,
    pub trouble: DiskTrouble,
}

#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub id: i64,
    pub seen_at: Timestamp,
    pub noted: u64,
}

/// A question to the provider about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    pub key: MessageKey,
    pub step: StepIndex,
    /// How often it was asked.
    pub tries: u16,
    pub at: Timestamp,
    /// The earliest time to ask again.
    pub again: Timestamp,
    /// Whether the provider reported the attempt's status.
    pub is_answered: bool,
}

/// An attempt to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub key: MessageKey,
    pub step: StepIndex,
    /// The provider's id, without which it cannot be asked.
    pub umid: Option<Umid>,
    pub asked: Option<Query>,
}

/// The highest status that was reported for an accepted attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HighestStatus {
    Nothing,
    Sent,
}

/// Whether the provider answers questions for one subaccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryState {
    pub sub_account: String,
    pub at: Timestamp,
    /// Why the provider does not answer.
    pub trouble: Option<String>,
}

impl QueryState {
    /// Questions are retried every minute during a trouble. If none was recorded for this long, the trouble is over, or
    /// there is nothing to ask about.
    const OVER: Span = Span::from_secs(300);

    /// Why the provider does not answer at present.
    pub fn trouble_now(&self, now: Timestamp) -> Option<&str> {
        self.trouble.as_deref().filter(|_| now.since(self.at) < Self::OVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_slot_include_the_one_before() {
        let [before, at] = [100, 200].map(Timestamp::from_millis);
        let recipient = AddressKey::try_from(6_591_234_567).unwrap();
        let times = |before| TierSlot { recipient, at, before }.times().collect::<Vec<_>>();
        assert_eq!(times(None), [(recipient, at)]);
        assert_eq!(times(Some(before)), [(recipient, before), (recipient, at)]);
    }
}
