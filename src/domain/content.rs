//! The content of a step. Texts may contain variables, `{{Column}}` or `{{Column|default}}`; the `template` room reads
//! them.

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{Sources, Span};

/// The content that one step submits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A WhatsApp template that the provider has approved.
    Template(TemplateContent),
    /// Free text, on any channel. `source` and `encoding` apply to SMS only.
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Sources::is_empty")]
        source: Sources,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encoding: Option<SmsEncoding>,
    },
}

impl Content {
    /// Whether any part of the content is filled from the recipient's fields.
    pub fn has_variables(&self) -> bool {
        match self {
            Self::Text { text, .. } => is_variable(text),
            Self::Template(TemplateContent { header, body, buttons, .. }) => {
                header.as_ref().is_some_and(|header| header.texts().any(is_variable))
                    || body.iter().any(|text| is_variable(text))
                    || buttons.iter().any(|button| is_variable(button.action.text()))
            }
        }
    }

    /// How long after its submission the provider may deliver it, with this TTL of its step; `None` if no TTL is set. A
    /// template has its own at the provider.
    pub fn delivers_for(&self, ttl: Option<Span>) -> Option<Span> {
        match self {
            Self::Template(template) => Some(template.effective_ttl()),
            Self::Text { .. } => ttl,
        }
    }

    /// Whether the header's media are filled from the recipient's fields.
    pub fn has_variable_media(&self) -> bool {
        match self {
            Self::Text { .. } | Self::Template(TemplateContent { header: None | Some(Header::Text(_)), .. }) => false,
            Self::Template(TemplateContent { header: Some(header), .. }) => header.texts().any(is_variable),
        }
    }
}

/// Whether a text differs between recipients. A campaign with an unclosed variable is refused, so `{{` suffices.
fn is_variable(text: &str) -> bool {
    text.contains("{{")
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateContent {
    pub name: String,
    pub language: String,
    pub category: Category,
    /// How long the provider tries to deliver, as set on the template at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// Parameters of the body, in the order of its `{{1}}`, `{{2}}`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

impl TemplateContent {
    /// How long after acceptance the provider may deliver the template.
    pub fn effective_ttl(&self) -> Span {
        self.ttl.unwrap_or(match self.category {
            Category::Authentication => Span::from_secs(600),
            Category::Utility | Category::Marketing => Span::from_secs(30 * 86_400),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Header {
    Text(String),
    Image(String),
    Video(String),
    Document(String),
    Location { latitude: String, longitude: String, name: String, address: String },
}

impl Header {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::Text(text) | Self::Image(text) | Self::Video(text) | Self::Document(text) => [text, "", "", ""],
            Self::Location { latitude, longitude, name, address } => [latitude.as_str(), longitude, name, address],
        };
        texts.into_iter()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    pub index: u8,
    #[serde(flatten)]
    pub action: ButtonAction,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonAction {
    /// The variable suffix of the button's URL.
    Url(String),
    /// The payload that the provider returns when the recipient taps a quick reply.
    Payload(String),
    /// A coupon code to copy.
    CopyCode(String),
    /// Opens a flow; the text is the flow's token, or empty.
    Flow(String),
}

impl ButtonAction {
    fn text(&self) -> &str {
        match self {
            Self::Url(text) | Self::Payload(text) | Self::CopyCode(text) | Self::Flow(text) => text,
        }
    }
}

words! {
    /// The kind of conversation that a template starts. It decides the price and how long the provider tries to
    /// deliver.
    Category, "template category" {
        Authentication = 0, "AUTHENTICATION";
        Utility = 1, "UTILITY";
        Marketing = 2, "MARKETING";
    }
}

words! {
    /// The character encoding of an SMS.
    SmsEncoding, "SMS encoding" {
        Auto = 0, "AUTO";
        Gsm7 = 1, "GSM7";
        Ucs2 = 2, "UCS2";
    }
}
