//! Interactive messages of WhatsApp.

use serde::{Deserialize, Serialize};

use super::super::word::words;
use super::FlowAction;

/// A message with one action for the recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interactive {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<InteractiveHeader>,
    /// Only a single product needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    pub action: InteractiveAction,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractiveHeader {
    Text(String),
    Image(String),
    Video(String),
    Document(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractiveAction {
    Buttons(Vec<ReplyButton>),
    List {
        /// The label of the button that opens the list.
        button: String,
        sections: Vec<ListSection>,
    },
    /// A button that opens an address.
    Link {
        text: String,
        url: String,
    },
    Flow {
        id: String,
        /// The label of the button that opens the flow.
        text: String,
        /// Comes back with the recipient's answers. Without one, the attempt's id does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Without one, WhatsApp opens the published flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<FlowMode>,
        /// The version of the flow message. Without one, the provider chooses it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_version: Option<String>,
        #[serde(default, skip_serializing_if = "FlowAction::is_default")]
        opens: FlowAction,
    },
    Product {
        catalog: String,
        product: String,
    },
    Products {
        catalog: String,
        /// The product whose picture the message shows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product: Option<String>,
        sections: Vec<ProductSection>,
    },
}

words! {
    /// Which state of a flow a message opens.
    FlowMode, "flow mode" {
        Draft = 0, "draft";
        Published = 1, "published";
    }
}

/// A button that answers with its title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyButton {
    /// Comes back when the recipient taps the button.
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListSection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub rows: Vec<ListRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRow {
    /// Comes back when the recipient chooses the row.
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductSection {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Ids of products in the catalog.
    pub products: Vec<String>,
}

impl FlowAction {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
