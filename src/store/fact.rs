//! Defines facts, which are written once and never changed, and changes: a decision with the version it was made on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::domain::{
    AddressKey, Channel, Charge, LaneId, MessageKey, Msisdn, Present, Progress, Settlement, StepIndex, Timestamp, Umid,
};
use crate::rules::engine::{Note, Ruling};

/// The final result of one try of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Accepted = 0,
    Rejected = 1,
    Unknown = 2,
    /// It was not sent within `leave_within`.
    CouldNotLeave = 3,
    /// Free text on WhatsApp without a 24-hour window that is known to be open.
    OutsideWindow = 4,
    /// A variable had neither value nor default; the detail names its column.
    MissingVariable = 5,
    /// The tier of its portfolio was spent, and the step does not wait for a slot.
    TierSpent = 6,
    /// The provider refused it without a known code, so the message or the sender may be the cause.
    Refused = 7,
    /// The recipient had opted out of what the step is.
    OptedOut = 8,
}

impl Verdict {
    /// Whether a submission was begun.
    pub const fn was_begun(self) -> bool {
        matches!(self, Self::Accepted | Self::Rejected | Self::Unknown | Self::Refused)
    }

    /// Whether the recipient may have received the message.
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
            7 => Some(Self::Refused),
            8 => Some(Self::OptedOut),
            _ => None,
        }
    }
}

/// One try of a step, or why there was none.
///
/// A step has one try. It has more if the provider undid the first, if it failed temporarily, or if its result is unknown
/// and the route says to resend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub step: StepIndex,
    pub lane: LaneId,
    /// When the step was queued, that is, when the previous step fell back.
    pub queued: Timestamp,
    /// When it was claimed for sending; `None` if it never was.
    pub intent: Option<Timestamp>,
    pub answered: Timestamp,
    pub verdict: Verdict,
    /// The number of earlier tries.
    pub tries: u16,
    pub code: Option<u32>,
    pub detail: Option<String>,
    pub umid: Option<Umid>,
    /// The decision that follows from it.
    pub ruling: Ruling,
}

impl Attempt {
    /// Whether the provider may have an id for it that is not known yet.
    pub fn may_be_called(&self) -> bool {
        self.verdict.may_have_left() && self.umid.is_none()
    }
}

/// A decision about one message.
#[derive(Debug, Clone)]
pub struct Change {
    pub key: MessageKey,
    pub address: AddressKey,
    /// The version that the decision was made on. It applies to no other version.
    pub version: u32,
    pub before: Present,
    pub after: Present,
    /// The lane of the step that the message was at before the decision.
    pub lane_before: LaneId,
    /// The lane of the step that the message is at after the decision.
    pub lane: LaneId,
    /// The number of steps of the route, for the counters.
    pub steps: u8,
    pub fact: Option<Attempt>,
    /// The latest decision.
    pub ruling: Ruling,
    /// The decisions that no fact records.
    pub notes: Vec<Note>,
    /// What becomes of amounts that were counted for the message.
    pub settlements: Vec<Settlement>,
    /// What the observers of the message are told about it, in order; nothing if nobody observes its batch.
    pub observed: Vec<Observed>,
}

/// Something that observers of a message are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub progress: Progress,
    /// When it happened: by the provider's clock if it was reported, but never later than it was recorded.
    pub at: Timestamp,
    /// The code of a failure, as the provider reported it.
    pub code: Option<u32>,
    /// The provider's word for the details, in receipts.
    pub detail: Option<String>,
    /// The provider's sentence, in answers.
    pub message: Option<String>,
}

impl Change {
    /// Returns the change recorded by a fact, if there is one, instead of by notes.
    #[must_use]
    pub fn told_by(self, fact: impl Into<Option<Attempt>>) -> Self {
        match fact.into() {
            Some(fact) => Self { fact: Some(Attempt { ruling: self.ruling, ..fact }), notes: Vec::new(), ..self },
            None => self,
        }
    }

    /// What observers are told. The fact of a rejected attempt has the code and the words of its failure.
    pub(super) fn observations(&self) -> impl Iterator<Item = Observed> + '_ {
        self.observed.iter().map(|observed| {
            let failed = match observed.progress {
                Progress::Failed { step } => self.fact.as_ref().filter(|fact| fact.step == step),
                Progress::Reached { .. } | Progress::Ended { .. } => None,
            };
            Observed {
                code: observed.code.or_else(|| failed?.code),
                message: failed.and_then(|fact| fact.detail.clone()),
                ..observed.clone()
            }
        })
    }
}

/// A report of the provider about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub key: MessageKey,
    pub step: StepIndex,
    /// The provider's own time.
    pub stamp: Timestamp,
    pub state: String,
    pub detail: String,
    pub code: u32,
    /// When it arrived. If it had to wait for a server, or before it could adopt its attempt, the time from which it counts.
    pub received: Timestamp,
    /// The number of the try that it is about, from 0; `None` if it was not needed.
    pub tries: Option<u16>,
    /// The umid that it contains, to be recorded if that try has none yet.
    pub umid: Option<Umid>,
    /// What it says that the message cost. Few receipts say anything.
    pub charge: Option<Box<Charge>>,
    /// The decision that follows from it.
    pub ruling: Ruling,
}

impl Receipt {
    /// The detail of a receipt that no provider sent: the recipient has replied to the message, and so has read it.
    pub const ANSWERED: &str = "answered";
}

/// A receipt that contains neither our id nor a known umid.
#[derive(Debug, Clone)]
pub struct Nameless {
    pub msisdn: Msisdn,
    pub channel: Channel,
    /// It is about no attempt whose intent is at this time or earlier.
    pub begun_after: Timestamp,
    /// It is about no attempt whose intent is at this time or later.
    pub begun_before: Timestamp,
    /// Lanes whose attempts it cannot be about.
    pub except: Arc<BTreeSet<String>>,
}

/// A lane whose receipts carry our ids: one receipt did while the lane had this subaccount and address.
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

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAttempt => "no attempt",
            Self::OtherSubaccount => "another subaccount",
            Self::OtherType => "another type",
            Self::Unreadable => "unreadable",
        }
    }

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

/// The number of stored strays of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrayCount {
    pub kind: StrayKind,
    pub count: u64,
    pub earliest: Timestamp,
    pub latest: Timestamp,
}

/// An authentic webhook that belongs to no attempt, yet or at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    pub kind: StrayKind,
    pub received: Timestamp,
    pub umid: Option<String>,
    pub raw: String,
}
