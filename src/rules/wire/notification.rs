//! LINE Official Notifications, which have an address and a body of their own.

use serde::{Deserialize, Serialize};

use super::loose;
use super::send::User;
use super::text::{Hidden, Text};

/// The body of `POST …/lon`, and one entry of `POST …/lon/batch`. It names neither a type nor a channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotificationRequest<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<Text<'a>>,
    /// The SMS if the provider falls back. Volley never sends it.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sms_fallback: Option<SmsFallback<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub content: Option<NotificationContent<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub dlr_callback_url: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotificationBatch<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_batch_id: Option<Text<'a>>,
    /// Without it the answer has only counts.
    #[serde(deserialize_with = "loose::nothing_is_default")]
    pub include_messages_in_response: bool,
    #[serde(borrow, deserialize_with = "loose::messages")]
    pub messages: Vec<NotificationRequest<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SmsFallback<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub text: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationContent<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub title: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub company: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub icon: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub emphasis: Option<Emphasis<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub list: Vec<ListEntry<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub actions: Vec<NotificationAction<'a>>,
}

/// The sample writes `Content`, the schema `content`; written as in the sample.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Emphasis<'a> {
    #[serde(borrow)]
    pub label: Hidden<'a>,
    #[serde(borrow, rename = "Content", alias = "content")]
    pub content: Hidden<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ListEntry<'a> {
    #[serde(borrow)]
    pub label: Hidden<'a>,
    #[serde(borrow)]
    pub content: Hidden<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotificationAction<'a> {
    #[serde(borrow)]
    pub title: Hidden<'a>,
    #[serde(borrow)]
    pub url: Hidden<'a>,
}
