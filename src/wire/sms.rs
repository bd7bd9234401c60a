//! The SMS API's own request. Its answers and receipts are read by the same types as those of the chat-apps API.

use serde::Serialize;

use super::text::{Hidden, Text};

/// The body of the SMS API's `POST …/messages`, and one entry of its batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsRequest<'a> {
    pub destination: Hidden<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    pub text: Hidden<'a>,
    pub encoding: Text<'a>,
    pub client_message_id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Text<'a>>,
}
