//! Opt-outs and opt-ins: the recipient's wish to get no messages, or to get messages again; and which messages heed it.

use std::fmt;

use super::Channel;
use super::word::words;

words! {
    /// What a message is for.
    Purpose, "purpose" {
        /// Offers, news and everything else that its recipient did not ask for.
        Marketing = 0, "marketing";
        /// What its recipient asked for or needs: a code, a delivery, an appointment.
        Service = 1, "service";
    }
}

words! {
    /// What a recipient has opted out of. Who heeds an opt-out heeds those with a lower code too.
    #[derive(Default)]
    OptOutOf, "purpose of an opt-out" {
        #[default]
        Everything = 0, "everything";
        Marketing = 1, "marketing";
    }
}

impl Purpose {
    /// The narrowest opt-out that stops such a message.
    pub const fn heeds(self) -> OptOutOf {
        match self {
            Self::Marketing => OptOutOf::Marketing,
            Self::Service => OptOutOf::Everything,
        }
    }
}

/// The senders that a wish is about: those on a channel, or the one of a subaccount there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WishSenders {
    pub channel: Channel,
    pub sub_account: Option<String>,
}

/// Which messages a wish is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WishSubject {
    pub of: OptOutOf,
    /// `None` means every sender.
    pub senders: Option<WishSenders>,
}

impl WishSubject {
    pub const EVERYTHING: Self = Self { of: OptOutOf::Everything, senders: None };

    /// Marketing of the senders of a channel, or of one of them.
    pub const fn marketing_on(channel: Channel, sub_account: Option<String>) -> Self {
        Self { of: OptOutOf::Marketing, senders: Some(WishSenders { channel, sub_account }) }
    }

    /// Whether it is about every message to its recipient.
    pub fn is_everything(&self) -> bool {
        *self == Self::EVERYTHING
    }

    /// Whether everything that another one is about is in it.
    pub fn covers(&self, other: &Self) -> bool {
        let is_sender = |ours: &WishSenders, theirs: &WishSenders| {
            ours.channel == theirs.channel && (ours.sub_account.is_none() || ours.sub_account == theirs.sub_account)
        };
        let has_senders = match (&self.senders, &other.senders) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => is_sender(ours, theirs),
        };
        self.of <= other.of && has_senders
    }
}

/// `marketing on WhatsApp from acme-promo`.
impl fmt::Display for WishSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.of.as_str())?;
        let Some(WishSenders { channel, sub_account }) = &self.senders else { return Ok(()) };
        write!(f, " on {channel}")?;
        sub_account.as_ref().map_or(Ok(()), |sub_account| write!(f, " from {sub_account}"))
    }
}

/// Which opt-outs a message heeds at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heeds {
    /// Those of all senders that end the message, with every step that it still has. `None` for a confirmation, which is sent
    /// because of an opt-out.
    pub message: Option<OptOutOf>,
    /// Those that stop the step.
    pub step: OptOutOf,
}

/// A message of marketing alone.
impl Default for Heeds {
    fn default() -> Self {
        Self { message: Some(OptOutOf::Marketing), step: OptOutOf::Marketing }
    }
}

/// Why a due message is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// Its recipient has opted out of all that it can still be.
    Message,
    /// Its recipient has opted out of what the step is.
    Step,
    /// It confirms an opt-out that has ended.
    Confirmation,
}

words! {
    /// The meaning of a word that a recipient wrote.
    Keyword, "keyword" {
        Stop = 0, "stop";
        Start = 1, "start";
    }
}

words! {
    /// The source of an opt-out. A later variant weighs more: it takes more to undo it.
    OptOutSource, "source of an opt-out" {
        /// The recipient wrote to us.
        Recipient = 0, "recipient";
        /// The provider, to which the recipient opted out.
        Provider = 1, "provider";
        /// An operator, with a list or a command.
        Operator = 2, "operator";
    }
}
