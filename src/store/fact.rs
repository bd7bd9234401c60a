//! Facts: what is written once and never changed. And changes: a decision with the version it was made on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{Channel, LaneId, MessageKey, Money, Msisdn, Present, StepIndex, Timestamp, Umid};
use crate::engine::{Note, Ruling};

/// What came of a step, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted = 0,
    Rejected = 1,
    Unknown = 2,
    /// Its time to leave was up.
    CouldNotLeave = 3,
    /// Free text on WhatsApp, and no 24-hour window known to be open.
    OutsideWindow = 4,
    /// A variable had neither value nor default; the detail names its column.
    MissingVariable = 5,
    /// Its portfolio's tier was spent, and the step does not wait for a place.
    TierSpent = 6,
}

impl Verdict {
    /// Whether anything was meant to go out at all.
    pub const fn was_begun(self) -> bool {
        matches!(self, Self::Accepted | Self::Rejected | Self::Unknown)
    }

    /// Whether the person may have got it.
    pub const fn may_have_left(self) -> bool {
        matches!(self, Self::Accepted | Self::Unknown)
    }

    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Accepted),
            1 => Some(Self::Rejected),
            2 => Some(Self::Unknown),
            3 => Some(Self::CouldNotLeave),
            4 => Some(Self::OutsideWindow),
            5 => Some(Self::MissingVariable),
            6 => Some(Self::TierSpent),
            _ => None,
        }
    }
}

/// One try of a step, or why there was none. A step has one, unless the provider undid it, it failed in passing, or nobody
/// knows what came of it and the route says to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub step: StepIndex,
    pub lane: LaneId,
    /// When the step was queued, which is when the one before it gave way.
    pub queued: Timestamp,
    /// When it was claimed to leave; nothing where it never was.
    pub intent: Option<Timestamp>,
    pub answered: Timestamp,
    pub verdict: Verdict,
    /// How many tries came before it.
    pub tries: u16,
    pub code: Option<u32>,
    pub detail: Option<String>,
    pub umid: Option<Umid>,
    /// What was decided by it.
    pub ruling: Ruling,
}

impl Attempt {
    /// Whether the provider may have a name for it that nobody has learned yet.
    pub fn may_be_called(&self) -> bool {
        self.verdict.may_have_left() && self.umid.is_none()
    }
}

/// A decision about one message.
#[derive(Debug, Clone)]
pub struct Change {
    pub key: MessageKey,
    pub msisdn: Msisdn,
    /// The version that the decision was made on: it applies to no other.
    pub version: u32,
    pub before: Present,
    pub after: Present,
    /// The lane of the step that the message is at afterwards.
    pub lane: LaneId,
    /// How many steps the route has, for the counters.
    pub steps: u8,
    pub fact: Option<Attempt>,
    /// What the latest decision was, and those of which no fact tells.
    pub ruling: Ruling,
    pub notes: Vec<Note>,
    /// What a claim had counted as spent for something that was not handed over after all.
    pub refund: Option<Refund>,
}

impl Change {
    /// The same, recorded by a fact where there is one, instead of by a note.
    #[must_use]
    pub fn told_by(self, fact: impl Into<Option<Attempt>>) -> Self {
        match fact.into() {
            Some(fact) => Self { fact: Some(Attempt { ruling: self.ruling, ..fact }), notes: Vec::new(), ..self },
            None => self,
        }
    }
}

/// Money back to a step: the one that was claimed, which the message may have left since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refund {
    pub step: StepIndex,
    pub amount: Money,
}

/// What the provider said about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub key: MessageKey,
    pub step: StepIndex,
    /// The provider's own time.
    pub stamp: Timestamp,
    pub state: String,
    pub detail: String,
    pub code: u32,
    /// When it came; where it had to wait before it could adopt its attempt, or for a server, from when it counts.
    pub received: Timestamp,
    /// Which try of its step it speaks of, counted from nought; nothing where nobody had to know.
    pub tries: Option<u16>,
    /// The umid it named, to be learned where that try has none yet.
    pub umid: Option<Umid>,
    /// What was decided by it.
    pub ruling: Ruling,
}

impl Receipt {
    /// The detail of a receipt that no provider sent: the person has answered the message, and so has read it.
    pub const ANSWERED: &str = "answered";
}

/// A receipt that names neither our id nor a umid that is known.
#[derive(Debug, Clone)]
pub struct Nameless {
    pub msisdn: Msisdn,
    pub channel: Channel,
    /// It can speak of no attempt with this intent, or an earlier one.
    pub begun_after: Timestamp,
    /// It can speak of no attempt with this intent, or a later one.
    pub begun_before: Timestamp,
    /// Lanes of whose attempts it cannot speak.
    pub except: Arc<BTreeSet<String>>,
}

/// A lane whose receipts carry our ids: one did, while this was its subaccount and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingLane {
    pub lane: String,
    pub sub_account: String,
    pub base_url: String,
    pub since: Timestamp,
}

/// Why a webhook belongs to no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrayKind {
    NoAttempt = 0,
    OtherSubaccount = 1,
    OtherType = 2,
    Unreadable = 3,
}

impl StrayKind {
    pub const ALL: [Self; 4] = [Self::NoAttempt, Self::OtherSubaccount, Self::OtherType, Self::Unreadable];

    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::NoAttempt),
            1 => Some(Self::OtherSubaccount),
            2 => Some(Self::OtherType),
            3 => Some(Self::Unreadable),
            _ => None,
        }
    }
}

/// How many strays of a kind are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrayCount {
    pub kind: StrayKind,
    pub count: u64,
    pub earliest: Timestamp,
    pub latest: Timestamp,
}

/// An authentic webhook that belongs to no attempt yet, or never will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    pub kind: StrayKind,
    pub received: Timestamp,
    pub umid: Option<String>,
    pub raw: String,
}
