//! Facts: what is written once and never changed. And changes: a decision with the version it was made on.

use crate::domain::{LaneId, MessageKey, Msisdn, Present, StepIndex, Timestamp};

/// The provider's id for an attempt: opaque text, nearly always a UUID, which then takes sixteen bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Umid(Box<str>);

impl Umid {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Sixteen bytes where the text is a UUID in its usual form; else a zero byte and the text.
    pub fn to_bytes(&self) -> Vec<u8> {
        match uuid::Uuid::try_parse(&self.0) {
            Ok(uuid) if *uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()) == *self.0 => {
                uuid.as_bytes().to_vec()
            }
            _ => [b"\0", self.0.as_bytes()].concat(),
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(uuid) = uuid::Uuid::from_slice(bytes) {
            return Some(Self(uuid.hyphenated().to_string().into()));
        }
        let (zero, text) = bytes.split_first()?;
        (*zero == 0).then(|| std::str::from_utf8(text).ok().map(Self::new))?
    }
}

/// What came of a step, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted = 0,
    Rejected = 1,
    Unknown = 2,
    CouldNotLeave = 3,
}

impl Verdict {
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Accepted),
            1 => Some(Self::Rejected),
            2 => Some(Self::Unknown),
            3 => Some(Self::CouldNotLeave),
            _ => None,
        }
    }
}

/// The one hand-over of a step, or why there was none.
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
    pub tries: u8,
    pub code: Option<u32>,
    pub detail: Option<String>,
    pub umid: Option<Umid>,
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
    pub received: Timestamp,
    /// The umid it named, to be learned where the attempt has none yet.
    pub umid: Option<Umid>,
}

/// Why a webhook belongs to no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrayKind {
    NoAttempt = 0,
    OtherSubaccount = 1,
    OtherType = 2,
    Unreadable = 3,
}

/// An authentic webhook that belongs to no attempt yet, or never will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    pub kind: StrayKind,
    pub received: Timestamp,
    pub umid: Option<String>,
    pub raw: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umid_comes_back_as_it_came() {
        for text in ["5f1d3c2e-8b7a-4c6d-9e0f-112233445566", "5F1D3C2E-8B7A-4C6D-9E0F-112233445566", "m-1", ""] {
            let umid = Umid::new(text);
            assert_eq!(Umid::from_bytes(&umid.to_bytes()), Some(umid));
        }
        assert_eq!(Umid::new("5f1d3c2e-8b7a-4c6d-9e0f-112233445566").to_bytes().len(), 16);
    }
}
