//! The content of an inbound message: as the provider writes it, and as what the recipient sent or chose.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::loose;
use super::super::text::{Hidden, Text};
use crate::base::domain::Timestamp;

/// The name of the field of a form in which its token comes back.
const FLOW_TOKEN: &str = "flow_token";
/// Fields of a form that are read, many more than a form has. The others are dropped: a webhook has room for a million.
const FIELDS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InboundContent<'a> {
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    /// The payload of a template's quick reply.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub payload: Option<Hidden<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub url: Option<Hidden<'a>>,
    /// The text beside a file. The provider's pages have none; it is read where WhatsApp itself has it.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub caption: Option<Hidden<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub location: Option<SharedLocation<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub interactive: Option<Interactive<'a>>,
    /// An order from a catalogue. The provider does not document it; it is read in WhatsApp's own form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub order: Option<CatalogOrder<'a>>,
}

/// A place on the map, in degrees.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedLocation<'a> {
    #[serde(deserialize_with = "loose::decimal", skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(deserialize_with = "loose::decimal", skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub name: Option<Hidden<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub address: Option<Hidden<'a>>,
}

impl fmt::Debug for SharedLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLocation").finish_non_exhaustive()
    }
}

/// A tapped button or list row, a completed form, or a decision about calls.
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
    #[serde(
        borrow,
        rename = "nfmReply",
        alias = "nfm_reply",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub flow_reply: Option<FlowReply<'a>>,
    #[serde(
        borrow,
        rename = "callPermissionReply",
        alias = "call_permission_reply",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub call_permission: Option<CallPermission<'a>>,
}

/// A button or a row of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tapped<'a> {
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub id: Option<Hidden<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub title: Option<Hidden<'a>>,
    /// Only of a list row.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub description: Option<Hidden<'a>>,
}

/// A completed form (a WhatsApp Flow).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlowReply<'a> {
    /// The fields of the form: a JSON object, written as a text.
    #[serde(
        borrow,
        alias = "response_json",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub response_json: Option<Hidden<'a>>,
    /// The text that the recipient sees in the chat; in WhatsApp's own form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub body: Option<Hidden<'a>>,
    /// The kind of the form; in WhatsApp's own form.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub name: Option<Hidden<'a>>,
}

impl FlowReply<'_> {
    /// The fields that the recipient filled in, in the order of the form, without its token. `None` if they cannot be
    /// read, or are longer than a form can be.
    pub fn answer(&self) -> Option<FlowAnswer> {
        let written = self.response_json.as_deref().filter(|written| written.len() <= loose::VALUE_MAX)?;
        let FlowFields(mut fields) = serde_json::from_str(written).ok()?;
        let token = fields.iter().position(|(name, _)| name == FLOW_TOKEN).map(|at| fields.remove(at).1);
        Some(FlowAnswer { token: token.and_then(|token| token.as_str().map(str::to_owned)), fields })
    }
}

/// The fields of a completed form.
#[derive(Clone, PartialEq)]
pub struct FlowAnswer {
    /// The text that was sent with the form to be returned.
    pub token: Option<String>,
    pub fields: Vec<(String, Value)>,
}

impl fmt::Debug for FlowAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} fields)", self.fields.len())
    }
}

/// The first [`FIELDS_MAX`] fields of an object in their order, and the token. Of two with one name the later one counts, as in
/// JavaScript.
struct FlowFields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for FlowFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyFields)
    }
}

struct AnyFields;

impl<'de> Visitor<'de> for AnyFields {
    type Value = FlowFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FlowFields, A::Error> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        let mut places = HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let known: Option<usize> = places.get(&name).copied();
            if let Some((_, former)) = known.and_then(|place| fields.get_mut(place)) {
                *former = map.next_value()?;
            } else if fields.len() < FIELDS_MAX || name == FLOW_TOKEN {
                places.insert(name.clone(), fields.len());
                fields.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(FlowFields(fields))
    }
}

/// Whether the business may call the recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallPermission<'a> {
    /// `accept` or `reject`.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub response: Option<Text<'a>>,
    #[serde(alias = "is_permanent", deserialize_with = "loose::truth", skip_serializing_if = "Option::is_none")]
    pub is_permanent: Option<bool>,
    #[serde(
        borrow,
        alias = "expiration_timestamp",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub expiration_timestamp: Option<Text<'a>>,
    /// `user_action`.
    #[serde(
        borrow,
        alias = "response_source",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub response_source: Option<Text<'a>>,
}

impl CallPermission<'_> {
    pub fn is_given(&self) -> bool {
        self.response.as_deref().is_some_and(|response| response.eq_ignore_ascii_case("accept"))
    }

    /// The end of a temporary permission.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expiration_timestamp.as_deref().and_then(super::super::instant)
    }
}

/// An order from a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CatalogOrder<'a> {
    #[serde(
        borrow,
        alias = "catalogId",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub catalog_id: Option<Text<'a>>,
    /// The recipient's note.
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    /// The first `loose::ITEMS_MAX` of them.
    #[serde(borrow, alias = "productItems", deserialize_with = "loose::first_items")]
    pub product_items: Vec<OrderItem<'a>>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderItem<'a> {
    #[serde(
        borrow,
        alias = "productRetailerId",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub product_retailer_id: Option<Text<'a>>,
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    #[serde(
        borrow,
        alias = "itemPrice",
        deserialize_with = "loose::or_nothing",
        skip_serializing_if = "Option::is_none"
    )]
    pub item_price: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::or_nothing", skip_serializing_if = "Option::is_none")]
    pub currency: Option<Text<'a>>,
}

/// What a recipient sent or chose.
#[derive(Clone, PartialEq)]
pub enum ReplyContent<'a> {
    Text(&'a str),
    /// An image, a video, a voice message, a document or another file.
    Media {
        url: &'a str,
        caption: Option<&'a str>,
    },
    Location(&'a SharedLocation<'a>),
    /// A tapped button. That of a template has its payload instead of an id.
    Button {
        id: Option<&'a str>,
        title: Option<&'a str>,
        payload: Option<&'a str>,
    },
    /// A chosen row of a list.
    ListRow(&'a Tapped<'a>),
    /// A completed form, with its fields.
    Flow {
        reply: &'a FlowReply<'a>,
        answer: FlowAnswer,
    },
    CallPermission(&'a CallPermission<'a>),
    Order(&'a CatalogOrder<'a>),
    /// Anything else.
    Other,
}

impl fmt::Debug for ReplyContent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Media { .. } => "Media",
            Self::Location(_) => "Location",
            Self::Button { .. } => "Button",
            Self::ListRow(_) => "ListRow",
            Self::Flow { .. } => "Flow",
            Self::CallPermission(_) => "CallPermission",
            Self::Order(_) => "Order",
            Self::Other => "Other",
        })
    }
}

impl<'a> ReplyContent<'a> {
    /// Reads a content; `body` is the text in the SMS API's form.
    pub(super) fn of(content: &'a InboundContent<'a>, body: Option<&'a str>) -> Self {
        let InboundContent { text, payload, url, caption, location, interactive, order } = content;
        let (text, payload) = (text.as_deref().filter(|text| !text.is_empty()), payload.as_deref());
        if let Some(chosen) = interactive.as_ref().and_then(|interactive| Self::chosen(interactive, payload)) {
            return chosen;
        }
        if let Some(order) = order.as_ref().filter(|order| !order.product_items.is_empty()) {
            return Self::Order(order);
        }
        if let Some(location) = location.as_ref().filter(|it| it.latitude.is_some() && it.longitude.is_some()) {
            return Self::Location(location);
        }
        if payload.is_some_and(|payload| !payload.is_empty()) {
            return Self::Button { id: None, title: text, payload };
        }
        match (url.as_deref().filter(|url| !url.is_empty()), text.or(body)) {
            (Some(url), text) => Self::Media { url, caption: caption.as_deref().or(text) },
            (None, Some(text)) => Self::Text(text),
            (None, None) => Self::Other,
        }
    }

    fn chosen(interactive: &'a Interactive<'a>, payload: Option<&'a str>) -> Option<Self> {
        let Interactive { kind: _, button_reply, list_reply, flow_reply, call_permission } = interactive;
        if let Some(Tapped { id, title, .. }) = button_reply {
            return Some(Self::Button { id: id.as_deref(), title: title.as_deref(), payload });
        }
        if let Some(row) = list_reply {
            return Some(Self::ListRow(row));
        }
        if let Some(reply) = flow_reply {
            return reply.answer().map(|answer| Self::Flow { reply, answer });
        }
        call_permission.as_ref().map(Self::CallPermission)
    }

    /// The button or the list row that the recipient chose, in the words of the campaign.
    pub fn choice(&self) -> Option<String> {
        let first = |texts: &[Option<&'a str>]| texts.iter().copied().flatten().find(|text| !text.is_empty());
        match self {
            Self::Button { id, title, payload } => first(&[*title, *payload, *id]).map(str::to_owned),
            Self::ListRow(Tapped { id, title, description }) => {
                let (title, description) = (first(&[title.as_deref(), id.as_deref()])?, description.as_deref());
                let description = description.filter(|description| !description.is_empty());
                Some(description.map_or_else(|| title.to_owned(), |description| format!("{title}: {description}")))
            }
            _ => None,
        }
    }
}
