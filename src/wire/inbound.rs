//! What people write back.

use serde::{Deserialize, Serialize};

use super::loose;
use super::send::User;
use super::text::{Hidden, Text};
use crate::domain::{Channel, Msisdn, Timestamp};

/// An inbound message. LINE writes it without `payload` and the SMS API with words of its own; all three are read. A
/// part that has another shape than the documents give it counts as not there, and the others are read all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inbound<'a> {
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub umid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub sub_account_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Text<'a>>,
    /// In LINE's form alone; elsewhere it stands in `recipient`.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient<'a>>,
    #[serde(borrow, rename = "type", deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing")]
    pub content: InboundContent<'a>,
    /// The message that this answers; some pages mean ours by it, others the person's own.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub reply_to_umid: Option<Text<'a>>,
    /// The advertisement that led here. No page of the provider's has it; it is read as WhatsApp itself writes it.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral<'a>>,
    /// The person's number, in the SMS API's form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub source: Option<Hidden<'a>>,
    /// Our number, in the SMS API's form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hidden<'a>>,
    /// The text, in the SMS API's form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
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
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    /// What a template's quick reply was told to send back.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hidden<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub url: Option<Hidden<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub interactive: Option<Interactive<'a>>,
}

/// What was tapped or filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Interactive<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(
        borrow,
        alias = "buttonReply",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub button_reply: Option<Tapped<'a>>,
    #[serde(
        borrow,
        alias = "listReply",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub list_reply: Option<Tapped<'a>>,
}

/// A button or a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tapped<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub id: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub title: Option<Hidden<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Referral<'a> {
    #[serde(borrow, alias = "source_type", skip_serializing_if = "Option::is_none")]
    pub source_type: Option<Text<'a>>,
}

/// An inbound message as it stands in a webhook.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InboundEvent<'a> {
    namespace: &'static str,
    event_type: &'static str,
    description: &'static str,
    payload: &'a Inbound<'a>,
}

pub(super) const EVENT_TYPE: &str = "inbound_message_received";

impl Inbound<'_> {
    pub fn known_channel(&self) -> Option<Channel> {
        let named = self.recipient.as_ref().and_then(|us| us.channel.as_deref()).or(self.channel.as_deref());
        match named {
            Some(named) => super::channel(named),
            None if self.body.is_some() => Some(Channel::Sms),
            None => None,
        }
    }

    /// Who wrote. On LINE nobody is known by a number, whatever their id looks like.
    pub fn msisdn(&self) -> Option<Msisdn> {
        let source = || self.source.as_ref().and_then(|text| text.parse().ok());
        let user = self.user.as_ref();
        match self.known_channel() {
            Some(Channel::Line) => user.and_then(|user| user.msisdn.as_ref()).and_then(|text| text.parse().ok()),
            _ => user.and_then(User::number).or_else(source),
        }
    }

    /// What the channel calls whoever wrote, where that is no number.
    pub fn called(&self) -> Option<&str> {
        self.user.as_ref()?.called()
    }

    pub fn at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref().and_then(super::instant)
    }

    /// Whether an advertisement brought the person here, which opens a longer window.
    pub fn is_from_an_ad(&self) -> bool {
        let kind = self.referral.as_ref().and_then(|referral| referral.source_type.as_deref());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("ad"))
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

    /// What kind of message it is, in one small word: what was tapped or filled in where that is said.
    pub fn kind(&self) -> String {
        let interactive = self.content.interactive.as_ref().and_then(|interactive| interactive.kind.as_deref());
        let kind = interactive.or(self.kind.as_deref()).filter(|kind| !kind.is_empty());
        match kind {
            Some(kind) => kind.to_ascii_lowercase(),
            None if self.body.is_some() || self.content.text.is_some() => "text".to_owned(),
            None => "unknown".to_owned(),
        }
    }

    /// Appends the whole webhook event.
    pub fn append_event(&self, body: &mut Vec<u8>) {
        let event = InboundEvent {
            namespace: "ChatApps",
            event_type: EVENT_TYPE,
            description: "ChatApps inbound message",
            payload: self,
        };
        // Writing plain structs into memory has nothing that could fail.
        let _ = serde_json::to_writer(body, &event);
    }
}
