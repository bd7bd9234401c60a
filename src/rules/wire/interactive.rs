//! Interactive messages of WhatsApp.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::loose;
use super::text::{Hidden, Text};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InteractiveMessage<'a> {
    /// `button`, `list`, `cta_url`, `flow`, `product`, `product_list`, …
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub header: Option<MessageHeader<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub body: Option<MessageText<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub footer: Option<MessageText<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub action: Option<MessageAction<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageHeader<'a> {
    /// `text`, `image`, `video` or `document`, as the key that it has.
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub image: Option<Linked<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub video: Option<Linked<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub document: Option<Linked<'a>>,
}

/// The address of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Linked<'a> {
    #[serde(borrow)]
    pub link: Hidden<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageText<'a> {
    #[serde(borrow)]
    pub text: Hidden<'a>,
}

/// What the recipient can do. Which keys it has depends on the `type` of the message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageAction<'a> {
    /// Of `button`.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub buttons: Vec<ActionButton<'a>>,
    /// Of `list`: the label of the button that opens it.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub button: Option<Hidden<'a>>,
    /// Of `product` and `product_list`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub catalog_id: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub product_retailer_id: Option<Hidden<'a>>,
    /// Of `list` and `product_list`.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub sections: Vec<ActionSection<'a>>,
    /// Of `cta_url` and `flow`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<ActionParameters<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionButton<'a> {
    /// Always `reply`.
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub reply: ActionReply<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionReply<'a> {
    #[serde(borrow)]
    pub id: Hidden<'a>,
    #[serde(borrow)]
    pub title: Hidden<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionSection<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub title: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub rows: Vec<ActionRow<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub product_items: Vec<ProductItem<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionRow<'a> {
    #[serde(borrow)]
    pub id: Hidden<'a>,
    #[serde(borrow)]
    pub title: Hidden<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub description: Option<Hidden<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProductItem<'a> {
    #[serde(borrow)]
    pub product_retailer_id: Hidden<'a>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActionParameters<'a> {
    #[serde(borrow, rename = "display_text", skip_serializing_if = "Option::is_none")]
    pub display_text: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub url: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub flow_id: Option<Hidden<'a>>,
    /// The label of the button that opens the flow.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub flow_cta: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub flow_token: Option<Hidden<'a>>,
    /// `draft` or `published`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub flow_message_version: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub flow_action_data: Option<FlowActionData<'a>>,
}

/// Where a flow opens, and with which values.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowActionData<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub screen: Option<Hidden<'a>>,
    /// The provider wants no empty object here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
}

/// Hides the values, which may be a recipient's.
impl fmt::Debug for FlowActionData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowActionData").field("screen", &self.screen).finish_non_exhaustive()
    }
}
