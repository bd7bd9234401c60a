//! Defines messages from recipients, and their opt-outs and opt-ins.

use crate::base::domain::{
    Address, BatchId, Channel, ChannelUser, Keyword, Language, MessageKey, Msisdn, OptOutSource, StepIndex, Timestamp,
    WishSubject,
};

/// A message from a recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's id, by which repeats are recognized.
    pub umid: String,
    pub received: Timestamp,
    /// When it was written, if the provider reports it; never later than `received`.
    pub written_at: Timestamp,
    pub sub_account: String,
    pub channel: Option<Channel>,
    /// The sender that the recipient wrote to; empty if it was not reported.
    pub channel_id: String,
    /// The recipient's number: of a reply, that of the recipient whose message it answers.
    pub msisdn: Option<Msisdn>,
    /// The channel's name for the recipient, if that is not their number: an id, or another number.
    pub called: Option<String>,
    pub kind: String,
    /// The button or list row that the recipient chose, in the words of the campaign.
    pub choice: Option<String>,
    pub keyword: Option<Keyword>,
    /// The language of the keyword, if it belongs to one alone.
    pub language: Option<Language>,
    /// The end of the window for free text that it opened.
    pub window: Option<Timestamp>,
    /// The attempt that it replies to.
    pub on: Option<(MessageKey, StepIndex)>,
    /// The whole webhook event.
    pub raw: String,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { umid, received, channel, kind, keyword, on, .. } = self;
        write!(f, "Inbound({umid}, {received:?}, {channel:?}, {kind}, {keyword:?}, {on:?})")
    }
}

impl Inbound {
    /// The address under which the recipient wrote, if that is not their number.
    pub fn address(&self) -> Option<Address> {
        Some(Address::on(self.channel?, self.called.as_deref()?))
    }

    /// The recipient as the channel names them, if that is not a number.
    pub fn user(&self) -> Option<ChannelUser> {
        self.address()?.user().cloned()
    }

    /// What the channel calls the recipient, number or not: the name of an [`Alias`].
    pub fn name(&self) -> Option<(Channel, String)> {
        let number = || self.msisdn.map(|number| number.canonical().to_string());
        Some((self.channel?, self.called.clone().or_else(number)?))
    }
}

/// A channel's name for a recipient: an id, after which the channel may omit the number, or the canonical spelling of
/// another number, with its plus.
#[derive(Clone, PartialEq, Eq)]
pub struct Alias {
    pub channel: Channel,
    pub called: String,
    pub msisdn: Msisdn,
}

impl Alias {
    /// Names a recipient by the number that a channel reported, if that is another one with the same calling code. Another
    /// spelling needs no name.
    pub fn of_number(channel: Channel, reported: Msisdn, recipient: Msisdn) -> Option<Self> {
        let (name, own) = (reported.canonical(), recipient.canonical());
        let is_alias = channel != Channel::Line && name != own && name.calling_code() == own.calling_code();
        is_alias.then(|| Self { channel, called: name.to_string(), msisdn: recipient })
    }
}

impl std::fmt::Debug for Alias {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Alias({} on {})", self.msisdn.masked(), self.channel)
    }
}

/// How many replies to a step are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyCount {
    pub step: StepIndex,
    /// As in [`Inbound`].
    pub kind: String,
    pub choice: Option<String>,
    pub replies: u32,
}

/// Selects messages from recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundOf {
    All,
    /// All messages from one recipient: under any spelling of the number, or under the id.
    Recipient(Address),
    /// Replies to messages of a batch.
    Batch(BatchId),
    /// Replies to one message.
    Message(MessageKey),
    /// Messages that reply to no known message of ours.
    NotReplies,
    /// Messages that may be opt-outs: an operator is to decide, unless their writers have opted out.
    PossibleStops,
}

/// The sender of a 24-hour window. A channel id that is missing here or in the window matches any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    pub sub_account: String,
    pub channel_id: Option<String>,
}

/// An opt-out of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    pub address: Address,
    pub of: WishSubject,
    pub since: Timestamp,
    pub from: OptOutSource,
    /// How the recipient or operator opted out, for operators.
    pub source: String,
}

/// An opt-in of a recipient who had opted out. It ends every opt-out that its subject covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    pub address: Address,
    pub of: WishSubject,
    pub at: Timestamp,
    pub from: OptOutSource,
    pub source: String,
}

/// A recorded opt-out or opt-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub at: Timestamp,
    pub wants: Keyword,
    pub of: WishSubject,
    pub from: OptOutSource,
    pub source: String,
}
