//! Inbound messages: replies of recipients.

mod content;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use content::{
    CallPermission, CatalogOrder, FlowAnswer, FlowReply, InboundContent, Interactive, OrderItem, ReplyContent,
    SharedLocation, Tapped,
};

use super::loose;
use super::send::User;
use super::text::{Hidden, Text};
use crate::base::domain::{Channel, Msisdn, Timestamp};

/// An inbound message. LINE's form has no `payload`, and the SMS API has its own keys; all three forms are read. A part with
/// an undocumented shape counts as absent, and the others are still read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inbound<'a> {
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub umid: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub sub_account_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Text<'a>>,
    /// Only in LINE's form; elsewhere it is in `recipient`.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "sender", skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient<'a>>,
    #[serde(borrow, rename = "type", deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing")]
    pub content: InboundContent<'a>,
    /// The message that this answers. In some of the provider's pages that is ours, in others the recipient's own.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub reply_to_umid: Option<Text<'a>>,
    /// The advertisement that led here. The provider does not document it; it is read in WhatsApp's own form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral<'a>>,
    /// The recipient's number, in the SMS API's form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub source: Option<Hidden<'a>>,
    /// Our number, in the SMS API's form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hidden<'a>>,
    /// The text, in the SMS API's form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub body: Option<Hidden<'a>>,
}

/// Us: the channel and the id that the recipient wrote to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recipient<'a> {
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    #[serde(
        borrow,
        alias = "recipientId",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub channel_id: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Referral<'a> {
    #[serde(borrow, alias = "source_type", skip_serializing_if = "Option::is_none")]
    pub source_type: Option<Text<'a>>,
}

/// Reads each part of the sender for itself, and numbers as people write them.
fn sender<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User<'de>>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Parts<'a> {
        #[serde(borrow, deserialize_with = "loose::or_nothing")]
        msisdn: Option<Hidden<'a>>,
        #[serde(borrow, deserialize_with = "loose::or_nothing")]
        country: Option<Text<'a>>,
        #[serde(borrow, deserialize_with = "loose::or_nothing")]
        channel_user_id: Option<Hidden<'a>>,
        #[serde(borrow, deserialize_with = "loose::or_nothing")]
        line_user_id: Option<Hidden<'a>>,
        #[serde(borrow, deserialize_with = "loose::or_nothing")]
        name: Option<Hidden<'a>>,
    }

    let parts: Option<Parts<'de>> = loose::or_nothing(deserializer)?;
    Ok(parts.map(|Parts { msisdn, country, channel_user_id, line_user_id, name }| User {
        msisdn: msisdn.map(bare_number),
        country,
        channel_user_id: channel_user_id.map(bare_number),
        line_user_id,
        name,
    }))
}

/// The digits of a number that has separators, or a scheme before it (`whatsapp:+65 9123 4567`). Other texts stay as they
/// are.
fn bare_number(text: Hidden<'_>) -> Hidden<'_> {
    if text.parse::<Msisdn>().is_ok() {
        return text;
    }
    let number = text.rsplit_once(':').map_or(&*text, |(_, number)| number);
    let bare: String =
        number.chars().filter(|c| !c.is_whitespace() && !"-.()\u{ad}\u{200e}\u{fffd}".contains(*c)).collect();
    if bare.parse::<Msisdn>().is_ok() { Hidden::from(bare) } else { text }
}

/// An inbound message as a webhook event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InboundEvent<'a> {
    namespace: &'static str,
    event_type: &'static str,
    description: &'static str,
    payload: &'a Value,
}

/// Writes the whole webhook event around an inbound message. That is JSON, because it may have a content that is not
/// documented.
pub fn inbound_event(payload: &Value) -> Vec<u8> {
    let event = InboundEvent {
        namespace: "ChatApps",
        event_type: EVENT_TYPE,
        description: "ChatApps inbound message",
        payload,
    };
    // Writing plain structs into memory cannot fail.
    serde_json::to_vec(&event).unwrap_or_default()
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

    /// The recipient's number. On LINE an id is never a number, whatever it looks like.
    pub fn msisdn(&self) -> Option<Msisdn> {
        let source = || self.source.clone().and_then(|text| bare_number(text).parse().ok());
        let user = self.user.as_ref();
        match self.known_channel() {
            Some(Channel::Line) => user.and_then(|user| user.msisdn.as_ref()).and_then(|text| text.parse().ok()),
            _ => user.and_then(User::number).or_else(source),
        }
    }

    /// The number by which the channel knows the recipient.
    pub fn channel_number(&self) -> Option<Msisdn> {
        self.user.as_ref().and_then(|user| user.channel_number(self.known_channel()))
    }

    /// The recipient's channel user id, if that is not their number.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_ref()?.user_id()
    }

    pub fn at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref().and_then(super::instant)
    }

    /// Whether an advertisement led the recipient to write, which opens a longer window.
    pub fn is_from_an_ad(&self) -> bool {
        let kind = self.referral.as_ref().and_then(|referral| referral.source_type.as_deref());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("ad"))
    }

    /// What the recipient sent or chose.
    pub fn reply_content(&self) -> ReplyContent<'_> {
        ReplyContent::of(&self.content, self.body.as_deref())
    }

    /// All texts that the recipient wrote or tapped, wherever the provider puts them: any of them may be a "stop".
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

    /// The type of the message in lower case: that of the interactive part, if there is one.
    pub fn kind(&self) -> String {
        let interactive = self.content.interactive.as_ref().and_then(|interactive| interactive.kind.as_deref());
        let kind = interactive.or(self.kind.as_deref()).filter(|kind| !kind.is_empty());
        match kind {
            Some(kind) => kind.to_ascii_lowercase(),
            None if self.body.is_some() || self.content.text.is_some() => "text".to_owned(),
            None => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
