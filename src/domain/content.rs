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
