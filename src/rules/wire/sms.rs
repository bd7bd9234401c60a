//! The SMS API's own request and answer. Its answers and receipts are read by the same types as those of the chat-apps API.

use serde::{Deserialize, Serialize};

use super::loose;
use super::text::{Hidden, Text};

/// The body of the SMS API's `POST …/messages`, and one entry of its batch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SmsRequest<'a> {
    #[serde(borrow)]
    pub destination: Hidden<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text<'a>>,
    #[serde(borrow)]
    pub text: Hidden<'a>,
    #[serde(borrow)]
    pub encoding: Text<'a>,
    #[serde(borrow)]
    pub client_message_id: Text<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub dlr_callback_url: Option<Text<'a>>,
}

impl SmsRequest<'_> {
    /// Whether it names a destination, by which it is told from a request of the chat-apps API.
    pub fn is_addressed(&self) -> bool {
        !self.destination.is_empty()
    }
}

/// The body of the SMS API's `POST …/messages/batch`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SmsBatch<'a> {
    #[serde(borrow)]
    pub client_batch_id: Option<Text<'a>>,
    /// Without it the answer has only counts.
    #[serde(deserialize_with = "loose::nothing_is_default")]
    pub include_messages_in_response: bool,
    /// Defaults for keys that a message lacks.
    #[serde(borrow)]
    pub template: Option<SmsRequest<'a>>,
    #[serde(borrow, deserialize_with = "loose::messages")]
    pub messages: Vec<SmsRequest<'a>>,
}

impl<'a> SmsBatch<'a> {
    /// The messages, each with the batch's defaults for the keys that it lacks.
    pub fn into_messages(self) -> Vec<SmsRequest<'a>> {
        let Some(defaults) = self.template else { return self.messages };
        let mut messages = self.messages;
        for message in &mut messages {
            for (own, default) in [
                (&mut message.source, &defaults.source),
                (&mut message.scheduled, &defaults.scheduled),
                (&mut message.expiry, &defaults.expiry),
                (&mut message.dlr_callback_url, &defaults.dlr_callback_url),
            ] {
                if own.is_none() {
                    own.clone_from(default);
                }
            }
            if message.text.is_empty() {
                message.text.clone_from(&defaults.text);
            }
            if message.encoding.is_empty() {
                message.encoding.clone_from(&defaults.encoding);
            }
        }
        messages
    }
}

/// The SMS API's answer about one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsAnswer<'a> {
    pub umid: Text<'a>,
    pub destination: Hidden<'a>,
    #[serde(skip_serializing_if = "is_empty")]
    pub encoding: Text<'a>,
    #[serde(skip_serializing_if = "is_empty")]
    pub client_message_id: Text<'a>,
    pub status: SmsStatus<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SmsStatus<'a> {
    /// `QUEUED` or `REJECTED`.
    pub code: Text<'a>,
    pub description: Text<'a>,
}

/// The SMS API's answer about a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsBatchAnswer<'a> {
    pub batch_id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_batch_id: Option<Text<'a>>,
    pub accepted_count: i64,
    pub rejected_count: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<SmsAnswer<'a>>,
}

fn is_empty(text: &Text<'_>) -> bool {
    text.is_empty()
}
