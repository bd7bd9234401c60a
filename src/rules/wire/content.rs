//! The content of a request.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cards::{Carousel, RichCard, Suggestion};
use super::figure::Figure;
use super::interactive::{FlowActionData, InteractiveMessage};
use super::loose;
use super::text::{Hidden, Text};

/// The content of a message. Its `type` says which of the keys it has.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Content<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub url: Option<Hidden<'a>>,
    /// The text of the SMS if the provider falls back. Volley never sends it.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub fallback_text: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sms: Option<Sms<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub image: Option<FileDetails<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub video: Option<FileDetails<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub audio: Option<FileDetails<'a>>,
    /// Viber only.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub button: Option<LinkButton<'a>>,
    /// WhatsApp only.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub interactive: Option<InteractiveMessage<'a>>,
    /// RCS only, as are the next two.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub rich_card: Option<RichCard<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub carousel: Option<Carousel<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub suggestions: Vec<Suggestion<'a>>,
    /// Settings of WhatsApp that Volley does not use; passed on unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whats_app: Option<Value>,
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("text", &self.text)
            .field("template", &self.template)
            .field("sms", &self.sms)
            .finish_non_exhaustive()
    }
}

/// What a channel wants to know about a file beside its address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileDetails<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Hidden<'a>>,
    /// In bytes.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub filesize: Option<Figure<'a>>,
    /// In seconds.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Figure<'a>>,
}

/// A button that opens an address. Both are empty where a sample has a text and an image without a button.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkButton<'a> {
    #[serde(borrow)]
    pub caption: Hidden<'a>,
    #[serde(borrow)]
    pub action: Hidden<'a>,
}

/// A place on a map. The samples write the degrees as texts for WhatsApp, and as numbers for LINE.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Location<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<Figure<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<Figure<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub name: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub address: Option<Hidden<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sms<'a> {
    /// `AUTO`, `GSM7` or `UCS2`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Text<'a>>,
    /// The sender that the handset shows, at most 16 characters.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Template<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub language: Text<'a>,
    /// Always written, because the provider reads an empty list as "no variables".
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub components: Vec<Component<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Component<'a> {
    /// `header`, `body`, `button` or `carousel`.
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
    /// `url`, `QuickReply`, `copyCode`, `flow` or `VoiceCall`; in some samples a number.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub parameters: Vec<Parameter<'a>>,
    /// The cards of a `carousel`.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub cards: Vec<TemplateCard<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateCard<'a> {
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub card_index: Option<i64>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub components: Vec<Component<'a>>,
}

#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Parameter<'a> {
    /// `text`, `image`, `video`, `document`, `location`, `payload`, `couponCode`, `action`, …
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub url: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub coupon_code: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub flow_action_data: Option<FlowActionData<'a>>,
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<i64>,
}

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter").field("kind", &self.kind).field("text", &self.text).finish_non_exhaustive()
    }
}
