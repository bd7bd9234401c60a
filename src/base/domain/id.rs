//! Ids: small keys in the database, 128 bits with a prefix in public.
//!
//! The key of a message is (batch, n); the key of an attempt is (batch, n, step). A public id contains exactly the key
//! and the batch's random tag. A receipt that carries our id therefore leads to its row without an index. The tag
//! rejects ids of another installation, or of a discarded database, which would otherwise match an unrelated row.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

key! {
    /// An imported recipient file.
    AudienceId(u32)
}
key! {
    /// Messages launched together. Batches are numbered in order of launch, so ids built on them are ordered by time.
    BatchId(u32)
}
key! {
    /// A lane's number in the store. Operators use its name.
    LaneId(u32)
}

/// The position of a step in a route, counted from zero. It prints counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepIndex(u8);

impl StepIndex {
    pub const FIRST: Self = Self(0);
    /// The maximum number of steps of a route: one for every channel.
    pub const COUNT_MAX: u8 = 7;

    pub const fn new(index: u8) -> Option<Self> {
        if index < Self::COUNT_MAX { Some(Self(index)) } else { None }
    }

    pub const fn get(self) -> u8 {
        self.0
    }

    /// The step's bit in a byte with one bit for each step.
    pub const fn bit(self) -> u8 {
        1 << self.0
    }

    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The following position, unless this is the last that a route can have.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }

    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..Self::COUNT_MAX).map(Self)
    }
}

/// Prints 1 for the first step.
impl fmt::Display for StepIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&(self.0 + 1), f)
    }
}

impl Serialize for StepIndex {
    /// As printed: the first step is 1.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0 + 1)
    }
}

impl<'de> Deserialize<'de> for StepIndex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        let step = number.checked_sub(1).and_then(Self::new);
        step.ok_or_else(|| serde::de::Error::custom(format!("{number} is not the number of a step")))
    }
}

/// One message: the `n`th of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub batch: BatchId,
    pub n: u32,
}

/// The random part of a batch's public ids: 54 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(u64);

impl Tag {
    const BITS: u32 = 54;

    /// Uses the low 54 bits of a random number.
    pub const fn from_random(random: u64) -> Self {
        Self(random & ((1 << Self::BITS) - 1))
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {} id \"{text}\"; an id looks like {}", kind.what, kind.example())]
pub struct InvalidId {
    text: String,
    kind: Kind,
}

/// A kind of public id: its name, its prefix, and its step code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    what: &'static str,
    prefix: &'static str,
    step_code: u8,
}

const MESSAGE: Kind = Kind { what: "message", prefix: "msg_", step_code: 0 };
const ATTEMPT: Kind = Kind { what: "attempt", prefix: AttemptId::PREFIX, step_code: 1 };
/// No step has this step code.
const CAMPAIGN: Kind = Kind { what: "campaign", prefix: "cmp_", step_code: 0xf };

impl Kind {
    /// A complete and valid id as an example, because an operator may try it.
    fn example(self) -> String {
        let key = MessageKey { batch: BatchId(1), n: 0 };
        let uuid = Parts { key, step_code: self.step_code, tag: Tag(0) }.pack();
        format!("{}{}", self.prefix, uuid.simple())
    }

    fn invalid(self, text: &str) -> InvalidId {
        InvalidId { text: text.chars().take(60).collect(), kind: self }
    }

    fn parse(self, text: &str) -> Result<Parts, InvalidId> {
        let bare = text.strip_prefix(self.prefix).unwrap_or(text);
        Uuid::try_parse(bare).ok().and_then(Parts::unpack).ok_or_else(|| self.invalid(text))
    }
}

/// The parts of a public id, in the 122 free bits of a UUID of version 8.
///
/// Most significant first: batch 32, n 32, step code 4 (0 for the message itself, else the step counted from 1), tag
/// 54.
#[derive(Clone, Copy)]
struct Parts {
    key: MessageKey,
    step_code: u8,
    tag: Tag,
}

impl Parts {
    fn pack(self) -> Uuid {
        let free = (u128::from(self.key.batch.0) << 90)
            | (u128::from(self.key.n) << 58)
            | (u128::from(self.step_code) << 54)
            | u128::from(self.tag.0);
        // 48 bits, the version, 12 bits, the variant, 62 bits.
        let high = free >> 74;
        let middle = (free >> 62) & 0xfff;
        let low = free & ((1 << 62) - 1);
        Uuid::from_u128((high << 80) | (0x8 << 76) | (middle << 64) | (0b10 << 62) | low)
    }

    #[expect(clippy::cast_possible_truncation, reason = "each part is masked or shifted to its width")]
    fn unpack(uuid: Uuid) -> Option<Self> {
        let bits = uuid.as_u128();
        if (bits >> 76) & 0xf != 0x8 || (bits >> 62) & 0b11 != 0b10 {
            return None;
        }
        let free = ((bits >> 80) << 74) | (((bits >> 64) & 0xfff) << 62) | (bits & ((1 << 62) - 1));
        Some(Self {
            key: MessageKey { batch: BatchId((free >> 90) as u32), n: (free >> 58) as u32 },
            step_code: ((free >> 54) & 0xf) as u8,
            tag: Tag::from_random(free as u64),
        })
    }
}

/// The public id of a message: `msg_` and 32 hexadecimal digits. The 8x8 API uses the plain UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId {
    pub key: MessageKey,
    pub tag: Tag,
}

impl MessageId {
    pub fn uuid(self) -> Uuid {
        Parts { key: self.key, step_code: MESSAGE.step_code, tag: self.tag }.pack()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.uuid().simple())
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match MESSAGE.parse(text)? {
            Parts { key, step_code, tag } if step_code == MESSAGE.step_code => Ok(Self { key, tag }),
            _ => Err(MESSAGE.invalid(text)),
        }
    }
}

/// The public id of an attempt, sent to the provider as `clientMessageId`: `att_` and 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId {
    pub key: MessageKey,
    pub step: StepIndex,
    pub tag: Tag,
}

impl AttemptId {
    pub const PREFIX: &'static str = "att_";
    /// Characters in the printed form.
    pub const LEN: usize = 36;

    pub fn uuid(self) -> Uuid {
        Parts { key: self.key, step_code: self.step.get() + 1, tag: self.tag }.pack()
    }

    /// Appends the printed form without the formatter, for the hot path.
    pub fn append_to(self, buffer: &mut Vec<u8>) {
        let mut hex = [0_u8; 32];
        self.uuid().simple().encode_lower(&mut hex);
        buffer.extend_from_slice(Self::PREFIX.as_bytes());
        buffer.extend_from_slice(&hex);
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.uuid().simple())
    }
}

impl FromStr for AttemptId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parts = ATTEMPT.parse(text)?;
        match parts.step_code.checked_sub(1).and_then(StepIndex::new) {
            Some(step) => Ok(Self { key: parts.key, step, tag: parts.tag }),
            None => Err(ATTEMPT.invalid(text)),
        }
    }
}

/// The public id of a campaign: `cmp_` and 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CampaignId {
    pub batch: BatchId,
    pub tag: Tag,
}

impl CampaignId {
    pub fn uuid(self) -> Uuid {
        Parts { key: MessageKey { batch: self.batch, n: 0 }, step_code: CAMPAIGN.step_code, tag: self.tag }.pack()
    }
}

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cmp_{}", self.uuid().simple())
    }
}

impl FromStr for CampaignId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match CAMPAIGN.parse(text)? {
            Parts { key, step_code, tag } if step_code == CAMPAIGN.step_code => Ok(Self { batch: key.batch, tag }),
            _ => Err(CAMPAIGN.invalid(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_parse_what_they_print(batch: u32, n: u32, step in 0_u8..7, random: u64) {
            let key = MessageKey { batch: BatchId(batch), n };
            let tag = Tag::from_random(random);
            let message = MessageId { key, tag };
            prop_assert_eq!(message.to_string().parse(), Ok(message));
            let attempt = AttemptId { key, step: StepIndex::new(step).unwrap(), tag };
            prop_assert_eq!(attempt.to_string().parse(), Ok(attempt));
            let mut appended = Vec::new();
            attempt.append_to(&mut appended);
            prop_assert_eq!(appended.len(), AttemptId::LEN);
            prop_assert_eq!(String::from_utf8(appended).unwrap(), attempt.to_string());
            let campaign = CampaignId { batch: key.batch, tag };
            prop_assert_eq!(campaign.to_string().parse(), Ok(campaign));
            prop_assert!(campaign.to_string().parse::<MessageId>().is_err());
            prop_assert!(message.to_string().parse::<AttemptId>().is_err());
            prop_assert!(attempt.uuid().to_string().parse::<MessageId>().is_err());
        }

        #[test]
        fn later_launches_sort_later(batch in 0..u32::MAX, n: u32, other_n: u32, a: u64, b: u64) {
            let id = |batch, n, random| {
                MessageId { key: MessageKey { batch: BatchId(batch), n }, tag: Tag::from_random(random) }.to_string()
            };
            prop_assert!(id(batch, n, a) < id(batch + 1, other_n, b));
        }
    }

    #[test]
    fn the_example_of_an_error_is_an_id() {
        let example = |error: InvalidId| error.to_string().rsplit(' ').next().unwrap().to_owned();
        assert!(example("x".parse::<MessageId>().unwrap_err()).parse::<MessageId>().is_ok());
        assert!(example("x".parse::<AttemptId>().unwrap_err()).parse::<AttemptId>().is_ok());
        assert!(example("x".parse::<CampaignId>().unwrap_err()).parse::<CampaignId>().is_ok());
    }

    #[test]
    fn a_foreign_uuid_is_no_id_of_ours() {
        assert!("msg_7f2f42a4-74a6-4e5a-b3c9-1d8c2f0b9d11".parse::<MessageId>().is_err());
        assert!("att_nonsense".parse::<AttemptId>().is_err());
    }
}
