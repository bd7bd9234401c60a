//! Templates, which the provider has approved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::word::words;
use super::super::{Purpose, Span};
use super::Location;

/// The most characters of a WhatsApp template's name.
pub const TEMPLATE_NAME_MAX: usize = 200;

/// Whether a text has the form of a WhatsApp template's language, of 5 characters at most: `en`, `fil` or `en_US`.
pub fn is_template_language(text: &str) -> bool {
    let (language, region) = text.split_once('_').map_or((text, None), |(language, region)| (language, Some(region)));
    let is_region = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    text.len() <= 5
        && (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && region.is_none_or(is_region)
}

/// Whether each character of a WhatsApp template's name is allowed: lowercase letters, digits and underscores.
pub fn is_template_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The longest that the provider tries to deliver a template.
pub(super) const LONGEST_TTL: Span = Span::from_secs(30 * 86_400);

/// What names a template at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateName<'a> {
    pub name: &'a str,
    pub language: &'a str,
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
    /// The cards of a carousel, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carousel: Vec<TemplateCard>,
}

impl TemplateContent {
    /// How long after acceptance the provider may deliver the template.
    pub fn effective_ttl(&self) -> Span {
        self.ttl.unwrap_or(self.category.default_ttl())
    }
}

/// The parameters of one card of a carousel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateCard {
    pub header: Header,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZaloTemplate {
    /// The template's id at the provider.
    pub name: String,
    pub language: String,
    /// The texts of its parameters, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    Text(String),
    Image(String),
    Video(String),
    /// The address of a video that plays like a GIF.
    Gif(String),
    Document(String),
    Location(Location),
}

/// What of a text the provider may refuse in a parameter of a template, if anything.
pub fn refused_in_a_parameter(text: &str) -> Option<&'static str> {
    if text.contains(['\n', '\r', '\t']) || text.contains("     ") {
        return Some("a line break, a tab or many spaces");
    }
    text.contains(['#', '$', '%']).then_some("one of #, $ and %")
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
    Flow(FlowAction),
    VoiceCall(VoiceCall),
}

/// Opens the flow of a template: at its first screen, or at another one, with data if some are given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowAction {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<String>,
    /// Values of the screen. Strings may contain variables.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
}

/// Calls the sender over WhatsApp.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoiceCall {
    /// How long the button works, in whole minutes. Default: as set on the template at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// The payload that the provider returns with the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
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

impl Category {
    /// What a template is for.
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::Authentication | Self::Utility => Purpose::Service,
            Self::Marketing => Purpose::Marketing,
        }
    }

    /// How long the provider tries to deliver a template without a TTL of its own.
    pub const fn default_ttl(self) -> Span {
        match self {
            Self::Authentication => Span::from_secs(600),
            Self::Utility | Self::Marketing => LONGEST_TTL,
        }
    }
}
