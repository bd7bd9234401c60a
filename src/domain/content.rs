//! The content of a step. Texts may contain variables, `{{Column}}` or `{{Column|default}}`; the `template` room reads
//! them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::word::words;
use super::{Sources, Span};

/// The content that one step submits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A WhatsApp template that the provider has approved.
    Template(TemplateContent),
    /// A template of Zalo, whose parameters have names.
    ZaloTemplate(ZaloTemplate),
    /// Free text, on any channel. `source` and `encoding` apply to SMS only.
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Sources::is_empty")]
        source: Sources,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encoding: Option<SmsEncoding>,
    },
    /// The provider's own JSON, for contents that have no keys of their own.
    Raw(RawContent),
}

impl Content {
    /// Whether any part of the content is filled from the recipient's fields.
    pub fn has_variables(&self) -> bool {
        match self {
            Self::Text { text, .. } => is_variable(text),
            Self::Template(TemplateContent { header, body, buttons, .. }) => {
                header.as_ref().is_some_and(|header| header.texts().any(is_variable))
                    || body.iter().any(|text| is_variable(text))
                    || buttons.iter().any(|button| button.action.has_variables())
            }
            Self::ZaloTemplate(template) => template.params.values().any(|text| is_variable(text)),
            Self::Raw(raw) => raw.content.values().any(has_variables),
        }
    }

    /// The template that it sends, if it is one. Templates are approved, and held, by name and language.
    pub fn template(&self) -> Option<TemplateName<'_>> {
        match self {
            Self::Template(TemplateContent { name, language, .. })
            | Self::ZaloTemplate(ZaloTemplate { name, language, .. }) => Some(TemplateName { name, language }),
            Self::Raw(raw) => raw.template(),
            Self::Text { .. } => None,
        }
    }

    /// How long after its submission the provider may deliver it, with this TTL of its step; `None` if no TTL is set. A
    /// template has its own at the provider.
    pub fn delivers_for(&self, ttl: Option<Span>) -> Option<Span> {
        match self {
            Self::Template(template) => Some(template.effective_ttl()),
            // Only the provider knows its category.
            Self::Raw(raw) if raw.template().is_some() => Some(LONGEST_TTL),
            Self::ZaloTemplate(_) | Self::Text { .. } | Self::Raw(_) => ttl,
        }
    }

    /// Whether the media are filled from the recipient's fields.
    pub fn has_variable_media(&self) -> bool {
        match self {
            Self::Text { .. } | Self::ZaloTemplate(_) => false,
            Self::Template(TemplateContent { header: None | Some(Header::Text(_)), .. }) => false,
            Self::Template(TemplateContent { header: Some(header), .. }) => header.texts().any(is_variable),
            // Which of its texts are addresses of media depends on its type.
            Self::Raw(_) => self.has_variables(),
        }
    }
}

/// The longest that the provider tries to deliver a template.
const LONGEST_TTL: Span = Span::from_secs(30 * 86_400);

/// Whether a text differs between recipients. A campaign with an unclosed variable is refused, so `{{` suffices.
fn is_variable(text: &str) -> bool {
    text.contains("{{")
}

/// Whether any string of a JSON differs between recipients.
fn has_variables(json: &Value) -> bool {
    match json {
        Value::String(text) => is_variable(text),
        Value::Array(values) => values.iter().any(has_variables),
        Value::Object(keys) => keys.values().any(has_variables),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

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
}

impl TemplateContent {
    /// How long after acceptance the provider may deliver the template.
    pub fn effective_ttl(&self) -> Span {
        self.ttl.unwrap_or(match self.category {
            Category::Authentication => Span::from_secs(600),
            Category::Utility | Category::Marketing => LONGEST_TTL,
        })
    }
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

/// A message as the provider's API takes it: its `type` and its `content`. Strings may contain variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawContent {
    #[serde(rename = "type")]
    pub kind: String,
    pub content: Map<String, Value>,
}

impl RawContent {
    fn template(&self) -> Option<TemplateName<'_>> {
        let template = self.content.get("template")?;
        let text = |key| template.get(key).and_then(Value::as_str);
        let is_template = self.kind.eq_ignore_ascii_case("template");
        is_template.then_some(TemplateName { name: text("name")?, language: text("language")? })
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
}

impl ButtonAction {
    fn has_variables(&self) -> bool {
        match self {
            Self::Url(text) | Self::Payload(text) | Self::CopyCode(text) => is_variable(text),
            Self::Flow(flow) => flow.data.values().any(has_variables),
        }
    }
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
