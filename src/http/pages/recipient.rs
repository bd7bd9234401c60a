//! One recipient: opt-out, messages and replies; and the questions before an opt-out and before its end.

use askama::Template;
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::replies::Reply;
use super::show::percent_encoded;
use super::writing::{Field, FieldKind};
use crate::base::domain::{Address, AddressFields, Keyword, OptOutSource, Timestamp};
use crate::campaigns::report::{HistoryCounts, MessageView};

/// Where the page of a recipient is.
pub fn recipient_path(address: &Address) -> String {
    match address {
        Address::Number(number) => format!("/recipients/{number}"),
        Address::User(user) => format!("/recipients/{}", percent_encoded(&user.id)),
    }
}

/// Where the page of a message's recipient is. An erased recipient has none, nor has an id of no known form.
pub fn path_of(address: &AddressFields) -> Option<String> {
    let number = address.msisdn.map(Address::Number);
    number.or_else(|| address.channel_user.as_deref()?.parse().ok()).as_ref().map(recipient_path)
}

/// The page of a recipient.
#[derive(Debug, Template)]
#[template(path = "recipient.html")]
pub struct RecipientPage {
    pub frame: Frame,
    pub address: Address,
    /// The present opt-outs, the widest first.
    pub opt_outs: Vec<WishLine>,
    /// Every opt-out and opt-in, latest first.
    pub wishes: Vec<WishLine>,
    /// The other numbers of the recipient, and the ids of channels.
    pub other_addresses: Vec<Address>,
    /// The open WhatsApp windows: the lanes, and the end. `None` without a WhatsApp lane.
    pub windows: Option<Vec<(String, Timestamp)>>,
    pub counts: HistoryCounts,
    pub replies: u32,
    /// Whether there are more replies than those counted.
    pub has_more_replies: bool,
    pub contacts: Vec<Contact>,
    /// Whether it is not the first page.
    pub is_later: bool,
    pub next: Option<String>,
}

/// An opt-out or an opt-in.
#[derive(Debug)]
pub struct WishLine {
    pub at: Timestamp,
    pub wants: Keyword,
    /// What it is about; empty if that is everything.
    pub of: String,
    pub by: OptOutSource,
    pub how: String,
}

/// An entry of the history.
#[derive(Debug)]
pub enum Contact {
    Message {
        at: Timestamp,
        campaign_path: String,
        view: MessageView,
        /// The address at which the campaign is sent again to this recipient.
        repetition: Option<String>,
    },
    Reply(Reply),
}

impl RecipientPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether the recipient gets nothing any more.
    fn is_opted_out(&self) -> bool {
        self.opt_outs.iter().any(|opt_out| opt_out.of.is_empty())
    }

    fn path(&self) -> String {
        recipient_path(&self.address)
    }
}

/// The question before an opt-out, or before its end.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub struct ConsentPage {
    pub frame: Frame,
    /// The number, or the id of a channel.
    pub whom: String,
    pub wants: Keyword,
    /// What an opt-out is of.
    pub purpose: Field,
    /// Where the form goes.
    pub action: String,
    /// The page before.
    pub back: String,
    /// The present opt-out.
    pub opt_out: Option<WishLine>,
}

impl ConsentPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_stop(&self) -> bool {
        self.wants == Keyword::Stop
    }

    /// What is worth knowing about the opt-out that would end.
    fn caution(&self) -> Option<&'static str> {
        let own = self.frame.texts().on_recipients;
        match self.opt_out.as_ref().filter(|_| !self.is_stop())?.by {
            OptOutSource::Recipient => Some(own.asked_themselves),
            OptOutSource::Provider => Some(own.said_by_provider),
            OptOutSource::Operator => None,
        }
    }
}

/// What was just decided about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentDone {
    Out,
    In,
    Unchanged,
}

impl ConsentDone {
    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Unchanged => "unchanged",
        }
    }
}
