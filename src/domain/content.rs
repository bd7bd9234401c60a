//! What a step says. Texts may hold variables, `{{Column}}` or `{{Column|default}}`; the `template` room reads them.

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{Sources, Span};

/// What one step hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A WhatsApp template that the provider has approved.
    Template(TemplateContent),
    /// Plain words, on any channel; the last two matter to SMS alone.
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Sources::is_empty")]
        source: Sources,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encoding: Option<SmsEncoding>,
    },
}

impl Content {
    /// Whether any of it is filled from the recipient's fields.
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

    /// Whether its media are.
    pub fn has_variable_media(&self) -> bool {
        match self {
            Self::Text { .. } | Self::Template(TemplateContent { header: None | Some(Header::Text(_)), .. }) => false,
            Self::Template(TemplateContent { header: Some(header), .. }) => header.texts().any(is_variable),
        }
    }
}

/// Whether a text differs between recipients. A campaign is refused where one opens a variable and does not close it.
fn is_variable(text: &str) -> bool {
    text.contains("{{")
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateContent {
    pub name: String,
    pub language: String,
    pub category: Category,
    /// How long the provider goes on trying, as set on the template there.
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
    /// How long the provider may still deliver it after acceptance.
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
    /// The variable end of the button's address.
    Url(String),
    /// What comes back when a quick reply is tapped.
    Payload(String),
    /// A coupon code to copy.
    CopyCode(String),
    /// Opens a flow; the text is its token or empty.
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
    /// What kind of conversation a template starts; decides its price and how long the provider tries.
    Category, "template category" {
        Authentication = 0, "AUTHENTICATION";
        Utility = 1, "UTILITY";
        Marketing = 2, "MARKETING";
    }
}

words! {
    /// How an SMS is written on the air.
    SmsEncoding, "SMS encoding" {
        Auto = 0, "AUTO";
        Gsm7 = 1, "GSM7";
        Ucs2 = 2, "UCS2";
    }
}
