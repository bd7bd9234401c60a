//! What people say: the messages that they write, and what they want altogether.

use crate::domain::{BatchId, Channel, Keyword, MessageKey, Msisdn, StepIndex, Timestamp, WishFrom};

/// Something that a person wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// What makes it the same message.
    pub umid: String,
    pub received: Timestamp,
    /// When it was said, as far as the provider told, and never later than `received`.
    pub said: Timestamp,
    pub sub_account: String,
    pub channel: Option<Channel>,
    /// Whom the person wrote to; empty where that was not said.
    pub channel_id: String,
    pub msisdn: Option<Msisdn>,
    /// What the channel calls them, where that is no number.
    pub called: Option<String>,
    pub kind: String,
    pub keyword: Option<Keyword>,
    /// The end of the 24-hour window that it opened.
    pub window: Option<Timestamp>,
    /// The attempt that it is on.
    pub on: Option<(MessageKey, StepIndex)>,
    /// The whole event.
    pub raw: String,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { umid, received, channel, kind, keyword, on, .. } = self;
        write!(f, "Inbound({umid}, {received:?}, {channel:?}, {kind}, {keyword:?}, {on:?})")
    }
}

/// What a channel calls somebody, whose number it then may leave out.
#[derive(Clone, PartialEq, Eq)]
pub struct Alias {
    pub channel: Channel,
    pub called: String,
    pub msisdn: Msisdn,
}

impl std::fmt::Debug for Alias {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Alias({} on {})", self.msisdn.masked(), self.channel)
    }
}

/// Whose messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundOf {
    Everybody,
    Person(Msisdn),
    /// Those on messages of a batch.
    Batch(BatchId),
    Message(MessageKey),
    /// Those on no message of ours, as far as is known.
    Nowhere,
}

/// Whom people write to, as their windows know it: what is not said of either stands for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub sub_account: String,
    pub channel_id: Option<String>,
}

/// Somebody who wants nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    pub msisdn: Msisdn,
    pub since: Timestamp,
    pub from: WishFrom,
    /// How it was said, for people.
    pub source: String,
}

/// Somebody who wants messages again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    pub msisdn: Msisdn,
    pub at: Timestamp,
    pub from: WishFrom,
    pub source: String,
}

/// A wish as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub at: Timestamp,
    pub wants: Keyword,
    pub from: WishFrom,
    pub source: String,
}
