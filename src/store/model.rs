//! What the verbs take and give.

use std::collections::HashMap;
use std::sync::Arc;

use super::{DiskTrouble, Epoch, LaneState, Nameless, Sender};
use crate::domain::{
    AttemptId, AudienceId, BatchId, Channel, Fields, LaneId, Loaded, MessageKey, Money, Msisdn, Queue, Span, StepIndex,
    Timestamp, Umid,
};
use crate::planner::{Cap, Pass, Referral, Rest, Slots, Timing};

#[derive(Debug, Clone)]
pub struct NewAudience {
    pub known_as: KnownAs,
    /// The file's name, for people.
    pub source: String,
    pub columns: Vec<String>,
    pub now: Timestamp,
}

/// How somebody finds an audience again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownAs {
    /// What an API call or a campaign file brings along: by its campaign alone.
    Nothing,
    Name(String),
    /// Added later to the audience with this id, and found by its name.
    PartOf(AudienceId),
}

/// What was imported under one name, at once or bit by bit. Batches take its parts as they are at their launch.
#[derive(Debug, Clone)]
pub struct Audience {
    pub name: String,
    pub columns: Vec<String>,
    /// At least one, in the order in which they were imported.
    pub parts: Vec<AudiencePart>,
}

/// What came from one file, never changed.
#[derive(Debug, Clone)]
pub struct AudiencePart {
    pub id: AudienceId,
    pub source: String,
    pub recipients: u32,
    /// What the import understood, as JSON.
    pub summary: Option<String>,
    pub begun_at: Timestamp,
}

impl Audience {
    /// The first part, by which the others are found.
    pub fn id(&self) -> AudienceId {
        self.parts.first().map_or(AudienceId(0), |part| part.id)
    }

    pub fn recipients(&self) -> u32 {
        self.parts.iter().map(|part| part.recipients).fold(0, u32::saturating_add)
    }
}

/// When those in a queue have their turn, at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    pub first: Timestamp,
    pub last: Timestamp,
}

/// A place along the timers, or in a queue: its time, and the number of the message that stands there.
pub type Along = (Timestamp, u32);

/// What a lane takes from queues in one go: its own, and those of lanes that it stands in for.
#[derive(Debug, Clone)]
pub struct Claim {
    pub lane: LaneId,
    /// Equal among one another: what is taken is shared out evenly, and who has less leaves it to those behind.
    pub queues: Vec<Queue>,
    /// How many to take at most.
    pub limit: u32,
    pub now: Timestamp,
    /// The epoch of the server that claims.
    pub epoch: Epoch,
    /// The portfolio in which the people claimed take a place, where its tier is limited.
    pub tier: Option<TierUse>,
    /// Steps that may not leave at all hours.
    pub hours: HashMap<(BatchId, StepIndex), Arc<Timing>>,
    /// Steps of which no more than so much may leave.
    pub caps: HashMap<(BatchId, StepIndex), Arc<Cap>>,
}

impl Claim {
    /// Where nothing stands in the way, and no server has ever started.
    pub fn of(lane: LaneId, queues: Vec<Queue>, limit: u32, now: Timestamp) -> Self {
        let epoch = Epoch::default();
        Self { lane, queues, limit, now, epoch, tier: None, hours: HashMap::new(), caps: HashMap::new() }
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

/// A person's place in a portfolio's tier: since when, and since when before that, should it be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierPlace {
    pub person: Msisdn,
    pub at: Timestamp,
    pub before: Option<Timestamp>,
}

impl TierPlace {
    /// Each time at which it was taken, as far as it is known.
    pub fn times(self) -> impl Iterator<Item = (Msisdn, Timestamp)> {
        self.before.into_iter().chain([self.at]).map(move |at| (self.person, at))
    }
}

/// A message in the hands of the one who claimed it.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub message: Loaded,
    pub fields: Fields,
    pub opted_out: bool,
    /// What lets it pass the tier, if that is limited.
    pub pass: Pass,
    /// What was counted as spent for it.
    pub cost: Money,
}

/// What a claim brought.
#[derive(Debug, Default)]
pub struct ClaimedSet {
    pub messages: Vec<Claimed>,
    /// Messages that are still queued, and about which the engine has to decide.
    pub referred: Vec<Referral>,
    /// When to look at each queue again, and why.
    pub rests: Vec<(Queue, Rest)>,
}

/// What a receipt may be found by, surest first.
#[derive(Debug, Clone)]
pub enum Key {
    /// It carries our own id.
    Attempt(AttemptId),
    Umid(Umid),
    /// The id of something that a person wrote, which leads to what that is on.
    Inbound(String),
    /// Nothing but a number and a channel: the only unknown attempt there may adopt it.
    Number(Nameless),
}

/// The attempt that a key led to.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub message: Loaded,
    pub step: StepIndex,
    /// Whether nothing but the number led to it.
    pub by_number: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub id: LaneId,
    pub name: String,
    pub channel: Channel,
}

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Beat {
    pub node: i64,
    pub now: Timestamp,
    pub noted: u64,
    /// Hand-overs a second of each batch that is sending.
    pub pace: Vec<(BatchId, f64)>,
    /// How its lanes go; those that are not named go as they were said to.
    pub lanes: Vec<LaneState>,
    /// The watermark: everything that the provider said up to then was taken.
    pub listening_until: Timestamp,
    /// What is known of provider addresses, where that has changed.
    pub links: Vec<LinkState>,
    /// What was turned away since the last beat.
    pub turned_away: Vec<Turned>,
}

impl Beat {
    /// Of a node that listens and has nothing else to tell.
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
    /// Since when that is in doubt, and why.
    pub doubt: Option<(Timestamp, DoubtCause)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Requests get to the provider.
    Out = 0,
    /// Its webhooks get to us.
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

/// Why proof of a direction is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoubtCause {
    /// Receipts of ours are turned away, because their proof is not what was agreed on.
    TurnedAway = 0,
    /// They never come to the door.
    Unheard = 1,
    /// Requests get no answer of the provider itself.
    Unreachable = 2,
}

impl DoubtCause {
    pub const fn direction(self) -> Direction {
        match self {
            Self::TurnedAway | Self::Unheard => Direction::In,
            Self::Unreachable => Direction::Out,
        }
    }

    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::TurnedAway),
            1 => Some(Self::Unheard),
            2 => Some(Self::Unreachable),
            _ => None,
        }
    }
}

/// A time in which no receipt could be kept, or, of one provider address, in which proof was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGap {
    pub from: Timestamp,
    pub until: Timestamp,
    /// Nothing where it concerns every lane.
    pub address: Option<String>,
}

impl KeptGap {
    pub const fn span(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }
}

/// Why a webhook was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    Signature = 0,
    Nothing = 1,
    TooLarge = 2,
}

impl TurnedAway {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Signature),
            1 => Some(Self::Nothing),
            2 => Some(Self::TooLarge),
            _ => None,
        }
    }
}

/// How many webhooks were turned away for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned {
    pub why: TurnedAway,
    pub count: u64,
    pub since: Timestamp,
    pub latest: Timestamp,
}

/// That a running server cannot write to its database.
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

/// That the provider was asked about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub key: MessageKey,
    pub step: StepIndex,
    /// How often.
    pub tries: u16,
    pub at: Timestamp,
    /// Not before then once more.
    pub again: Timestamp,
    /// Whether the provider knew how far the attempt has come.
    pub said: bool,
}

/// An attempt to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub key: MessageKey,
    pub step: StepIndex,
    /// Without it nothing can be asked.
    pub umid: Option<Umid>,
    pub asked: Option<Asked>,
}

/// The most that was heard of an attempt since it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Nothing,
    Sent,
}

/// How the asking goes, for one subaccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    pub sub_account: String,
    pub at: Timestamp,
    /// What keeps the provider from answering.
    pub trouble: Option<String>,
}

impl Asking {
    /// A trouble is tried again every minute; one that was not met for longer is over, or there is nobody to ask about.
    const OVER: Span = Span::from_secs(300);

    /// What keeps the provider from answering at present.
    pub fn trouble_now(&self, now: Timestamp) -> Option<&str> {
        self.trouble.as_deref().filter(|_| now.since(self.at) < Self::OVER)
    }
}

/// Something that people should be able to read later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub subject: String,
    pub text: String,
}

/// What events are about, so that they can be told by it.
impl Event {
    pub fn of_campaign(batch: BatchId, name: Option<&str>) -> String {
        name.map_or_else(|| format!("batch {batch}"), |name| format!("campaign {name}"))
    }

    /// A lane, or a template on it.
    pub fn of_lane(lane: &str, template: &str) -> String {
        if template.is_empty() { format!("lane {lane}") } else { format!("template {template} on lane {lane}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_was_taken_at_its_time_and_at_the_one_before_it() {
        let [before, at] = [100, 200].map(Timestamp::from_millis);
        let person = Msisdn::try_from(6_591_234_567_u64).unwrap();
        let times = |before| TierPlace { person, at, before }.times().collect::<Vec<_>>();
        assert_eq!(times(None), [(person, at)]);
        assert_eq!(times(Some(before)), [(person, before), (person, at)]);
    }
}
