//! What people write back.

use serde::{Deserialize, Serialize};

use super::loose;
use super::send::User;
use super::text::{Hidden, Text};
use crate::domain::{Channel, Msisdn, Timestamp};

/// An inbound message. LINE writes it without `payload` and the SMS API with words of its own; all three are read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inbound<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub umid: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub_account_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Text<'a>>,
    /// In LINE's form alone; elsewhere it stands in `recipient`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient<'a>>,
    #[serde(borrow, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub content: InboundContent<'a>,
    /// The message that this answers; some pages mean ours by it, others the person's own.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub reply_to_umid: Option<Text<'a>>,
    /// The person's number, in the SMS API's form.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub source: Option<Hidden<'a>>,
    /// Our number, in the SMS API's form.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hidden<'a>>,
    /// The text, in the SMS API's form.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub body: Option<Hidden<'a>>,
}

/// Us: the channel and the number that the person wrote to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recipient<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    #[serde(borrow, alias = "recipientId", skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InboundContent<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    /// What a template's quick reply was told to send back.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub url: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    interactive: Option<Interactive<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Interactive<'a> {
    #[serde(borrow, alias = "buttonReply", skip_serializing_if = "Option::is_none")]
    button_reply: Option<Reply<'a>>,
    #[serde(borrow, alias = "listReply", skip_serializing_if = "Option::is_none")]
    list_reply: Option<Reply<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Reply<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    id: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    title: Option<Hidden<'a>>,
}

impl Inbound<'_> {
    pub fn known_channel(&self) -> Option<Channel> {
        let named = self.recipient.as_ref().and_then(|us| us.channel.as_deref()).or(self.channel.as_deref());
        match named {
            Some(named) => super::channel(named),
            None if self.body.is_some() => Some(Channel::Sms),
            None => None,
        }
    }

    /// Who wrote.
    pub fn msisdn(&self) -> Option<Msisdn> {
        let source = || self.source.as_ref().and_then(|text| text.parse().ok());
        self.user.as_ref().and_then(User::number).or_else(source)
    }

    pub fn at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref().and_then(super::instant)
    }

    /// Everything that the person said or tapped, wherever the provider put it: where a "stop" may stand.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let interactive = self.content.interactive.as_ref();
        let replies = [
            interactive.and_then(|interactive| interactive.button_reply.as_ref()),
            interactive.and_then(|interactive| interactive.list_reply.as_ref()),
        ];
        let tapped = replies.into_iter().flatten().flat_map(|reply| [reply.title.as_deref(), reply.id.as_deref()]);
        [self.content.text.as_deref(), self.content.payload.as_deref(), self.body.as_deref()]
            .into_iter()
            .chain(tapped)
            .flatten()
    }
}
