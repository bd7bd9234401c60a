//! What recipients sent or chose, as JSON and on one line.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::base::clock::format_time_exactly;
use crate::base::domain::{Timestamp, rfc3339_option};
use crate::rules::wire::{
    CallPermission, CatalogOrder, FlowAnswer, OrderItem, ReplyContent, SharedLocation, Tapped, WebhookEvent,
    parse_events, raw_content,
};

/// The content of a message, read from its stored event.
#[derive(Debug, Clone)]
pub struct ContentView {
    /// On one line, for operators.
    pub line: String,
    /// `None` if it is a text alone.
    pub data: Option<ContentData>,
}

/// What a message has beside or instead of a text.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentData {
    Media(MediaView),
    Location(LocationView),
    Button(ButtonView),
    Row(RowView),
    Flow(FlowView),
    CallPermission(CallPermissionView),
    Order(OrderView),
    /// Any other content, as it came.
    #[schema(value_type = Object)]
    Content(Box<RawValue>),
}

/// A file, at an address that the provider deletes after a day.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MediaView {
    pub url: String,
    pub caption: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LocationView {
    pub latitude_deg: f64,
    pub longitude_deg: f64,
    pub name: Option<String>,
    pub address: Option<String>,
}

/// A tapped button.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ButtonView {
    pub id: Option<String>,
    pub title: Option<String>,
    pub payload: Option<String>,
}

/// A chosen row of a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RowView {
    pub id: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
}

/// A completed form.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FlowView {
    pub token: Option<String>,
    pub name: Option<String>,
    pub body: Option<String>,
    /// The fields by name. Their order is in `fields`.
    pub answer: Map<String, Value>,
    #[serde(skip)]
    pub fields: Vec<(String, Value)>,
}

/// Whether the business may call the recipient.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CallPermissionView {
    pub response: Option<String>,
    pub is_permanent: Option<bool>,
    #[serde(serialize_with = "rfc3339_option::serialize")]
    pub expires_at: Option<Timestamp>,
    pub source: Option<String>,
    #[serde(skip)]
    pub is_given: bool,
}

/// An order from a catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OrderView {
    pub catalog_id: Option<String>,
    pub note: Option<String>,
    pub items: Vec<OrderItemView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct OrderItemView {
    pub product_id: Option<String>,
    pub quantity: Option<i64>,
    pub item_price: Option<String>,
    pub currency: Option<String>,
}

impl ContentView {
    /// Reads a stored event. `None` if it was purged.
    pub fn of(raw: &str) -> Option<Self> {
        let events = parse_events(raw.as_bytes());
        let Some(WebhookEvent::Inbound { inbound, .. }) = events.first() else { return None };
        Some(match ContentData::of(inbound.reply_content(), raw) {
            Ok(data) => Self { line: data.line(), data: Some(data) },
            Err(text) => Self { line: text.to_owned(), data: None },
        })
    }
}

impl ContentData {
    /// `Err` with the text if it is one.
    fn of<'a>(content: ReplyContent<'a>, raw: &str) -> Result<Self, &'a str> {
        Ok(match content {
            ReplyContent::Text(text) => return Err(text),
            ReplyContent::Media { url, caption } => {
                Self::Media(MediaView { url: url.to_owned(), caption: owned(caption) })
            }
            ReplyContent::Location(location) => Self::Location(LocationView::of(location)),
            ReplyContent::Button { id, title, payload } => {
                Self::Button(ButtonView { id: owned(id), title: owned(title), payload: owned(payload) })
            }
            ReplyContent::ListRow(Tapped { id, title, description }) => Self::Row(RowView {
                id: owned(id.as_deref()),
                title: owned(title.as_deref()),
                description: owned(description.as_deref()),
            }),
            ReplyContent::Flow { reply, answer: FlowAnswer { token, fields } } => Self::Flow(FlowView {
                token,
                name: owned(reply.name.as_deref()),
                body: owned(reply.body.as_deref()),
                answer: fields.iter().cloned().collect(),
                fields,
            }),
            ReplyContent::CallPermission(permission) => Self::CallPermission(CallPermissionView::of(permission)),
            ReplyContent::Order(order) => Self::Order(OrderView::of(order)),
            // An event without a content, such as a message of the type "None".
            ReplyContent::Other => Self::Content(raw_content(raw).ok_or("")?.to_owned()),
        })
    }

    fn line(&self) -> String {
        match self {
            Self::Media(MediaView { url, caption }) => joined(" · ", [caption.as_deref(), Some(url)]),
            Self::Location(location) => location.line(),
            Self::Button(ButtonView { id, title, payload }) => {
                let shown = title.as_deref().or(payload.as_deref()).or(id.as_deref());
                shown.unwrap_or_default().to_owned()
            }
            Self::Row(RowView { id, title, description }) => {
                joined(": ", [title.as_deref().or(id.as_deref()), description.as_deref()])
            }
            Self::Flow(flow) => {
                let fields = flow.fields.iter().map(|(name, value)| format!("{name}: {}", plain(value)));
                fields.collect::<Vec<_>>().join(" · ")
            }
            Self::CallPermission(permission) => permission.line(),
            Self::Order(order) => order.line(),
            Self::Content(raw) => raw.get().to_owned(),
        }
    }
}

impl LocationView {
    fn of(location: &SharedLocation<'_>) -> Self {
        let SharedLocation { latitude, longitude, name, address } = location;
        Self {
            latitude_deg: latitude.unwrap_or_default(),
            longitude_deg: longitude.unwrap_or_default(),
            name: owned(name.as_deref()),
            address: owned(address.as_deref()),
        }
    }

    fn line(&self) -> String {
        let Self { latitude_deg, longitude_deg, name, address } = self;
        let place = name.as_deref().or(address.as_deref());
        joined(" ", [Some(&*format!("{latitude_deg}, {longitude_deg}")), place])
    }
}

impl CallPermissionView {
    fn of(permission: &CallPermission<'_>) -> Self {
        Self {
            response: owned(permission.response.as_deref()),
            is_permanent: permission.is_permanent,
            expires_at: permission.expires_at(),
            source: owned(permission.response_source.as_deref()),
            is_given: permission.is_given(),
        }
    }

    fn line(&self) -> String {
        match self.expires_at.filter(|_| self.is_given) {
            Some(until) => format!("may be called until {}", format_time_exactly(until, None)),
            None if self.is_given => "may be called".to_owned(),
            None => "may not be called".to_owned(),
        }
    }
}

impl OrderView {
    fn of(order: &CatalogOrder<'_>) -> Self {
        let item = |item: &OrderItem<'_>| OrderItemView {
            product_id: owned(item.product_retailer_id.as_deref()),
            quantity: item.quantity,
            item_price: owned(item.item_price.as_deref()),
            currency: owned(item.currency.as_deref()),
        };
        Self {
            catalog_id: owned(order.catalog_id.as_deref()),
            note: owned(order.text.as_deref()),
            items: order.product_items.iter().map(item).collect(),
        }
    }

    fn line(&self) -> String {
        joined(" · ", [Some(&*self.items_on_line()), self.note.as_deref()])
    }

    /// The items without the recipient's note: `2 of PRODUCT_SKU_123 · 1 of PRODUCT_SKU_7`.
    pub(super) fn items_on_line(&self) -> String {
        let item = |OrderItemView { product_id, quantity, .. }: &OrderItemView| {
            format!("{} of {}", quantity.unwrap_or(1), product_id.as_deref().unwrap_or("an unnamed product"))
        };
        self.items.iter().map(item).collect::<Vec<_>>().join(" · ")
    }
}

/// A value of a form for operators: a text without quotes, a list with commas, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) if !all.iter().any(|one| one.is_array() || one.is_object()) => {
            all.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn joined<const N: usize>(by: &str, parts: [Option<&str>; N]) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(content: &str) -> String {
        format!(
            r#"{{"namespace":"ChatApps","eventType":"inbound_message_received","payload":{{"umid":"in-1",
            "recipient":{{"channel":"whatsapp"}},"content":{content}}}}}"#
        )
    }

    #[test]
    fn every_content_has_its_line_and_its_data() {
        let flow = r#"{"interactive":{"type":"nfmReply","nfmReply":{"name":"flow","body":"Sent",
            "responseJson":"{\"name\":\"Ann\",\"seats\":2,\"days\":[\"Mon\",\"Tue\"],\"at\":{\"hour\":9},\"flow_token\":\"t-1\"}"}}}"#;
        let accepted = r#"{"interactive":{"type":"callPermissionReply","callPermissionReply":{"response":"accept",
            "isPermanent":false,"expirationTimestamp":"2026-01-23T06:51:55.00Z","responseSource":"user_action"}}}"#;
        let order = r#"{"order":{"catalog_id":"c-1","text":"Ring twice","product_items":[
            {"product_retailer_id":"PRODUCT_SKU_123","quantity":2,"item_price":12.5,"currency":"SGD"},
            {"product_retailer_id":"PRODUCT_SKU_7","quantity":"1"}]}}"#;
        let place = r#"{"location":{"latitude":"1.2857","longitude":103.8479,"name":"8x8 Singapore Office","address":"1 George St"}}"#;
        let row = r#"{"interactive":{"type":"list_reply","list_reply":
            {"id":"slot-1","title":"Monday, Oct 9","description":"9:00 AM"}}}"#;
        for (content, line, data) in [
            (r#"{"text":"Hello"}"#, "Hello", "{}"),
            (
                r#"{"url":"https://a.example/1","text":"Look"}"#,
                "Look · https://a.example/1",
                r#"{"media":{"url":"https://a.example/1","caption":"Look"}}"#,
            ),
            (
                place,
                "1.2857, 103.8479 8x8 Singapore Office",
                r#"{"location":{"latitude_deg":1.2857,"longitude_deg":103.8479,"name":"8x8 Singapore Office",
                    "address":"1 George St"}}"#,
            ),
            (r#"{"text":"Yes","payload":"yes-1"}"#, "Yes", r#"{"button":{"id":null,"title":"Yes","payload":"yes-1"}}"#),
            (
                row,
                "Monday, Oct 9: 9:00 AM",
                r#"{"row":{"id":"slot-1","title":"Monday, Oct 9","description":"9:00 AM"}}"#,
            ),
            (
                flow,
                "name: Ann · seats: 2 · days: Mon, Tue · at: {\"hour\":9}",
                r#"{"flow":{"token":"t-1","name":"flow","body":"Sent",
                    "answer":{"name":"Ann","seats":2,"days":["Mon","Tue"],"at":{"hour":9}}}}"#,
            ),
            (
                accepted,
                "may be called until 2026-01-23 06:51:55.000 UTC",
                r#"{"call_permission":{"response":"accept","is_permanent":false,"expires_at":"2026-01-23T06:51:55.000Z",
                    "source":"user_action"}}"#,
            ),
            (
                order,
                "2 of PRODUCT_SKU_123 · 1 of PRODUCT_SKU_7 · Ring twice",
                r#"{"order":{"catalog_id":"c-1","note":"Ring twice","items":[
                    {"product_id":"PRODUCT_SKU_123","quantity":2,"item_price":"12.5","currency":"SGD"},
                    {"product_id":"PRODUCT_SKU_7","quantity":1,"item_price":null,"currency":null}]}}"#,
            ),
            (r#"{"contacts":[1]}"#, r#"{"contacts":[1]}"#, r#"{"content":{"contacts":[1]}}"#),
        ] {
            let shown = ContentView::of(&event(content)).unwrap();
            assert_eq!(shown.line, line, "{content}");
            let printed = shown.data.map_or("{}".to_owned(), |data| serde_json::to_string(&data).unwrap());
            let read = |json: &str| serde_json::from_str::<Value>(json).unwrap();
            assert_eq!(read(&printed), read(data), "{content}");
        }
        assert!(ContentView::of("").is_none(), "a purged message");
    }

    #[test]
    fn calls_may_be_allowed_for_good_or_refused() {
        let line = |answer: &str| {
            let content = format!(r#"{{"interactive":{{"callPermissionReply":{answer}}}}}"#);
            ContentView::of(&event(&content)).unwrap().line
        };
        assert_eq!(line(r#"{"response":"accept","isPermanent":true}"#), "may be called");
        assert_eq!(line(r#"{"response":"reject","isPermanent":false}"#), "may not be called");
    }
}
