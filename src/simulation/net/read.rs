//! Reads what passes the network: requests of the server, and events of the provider.

use crate::base::domain::{AttemptId, Channel};
use crate::provider::client::Endpoint;
use crate::rules::wire;
use crate::simulation::laid_out::CORRECTED;

/// The same receipt without the id of our message.
pub(super) fn without_name(event: &[u8]) -> Vec<u8> {
    let mut event: serde_json::Value = serde_json::from_slice(event).unwrap();
    if let Some(payload) = event.get_mut("payload").and_then(serde_json::Value::as_object_mut) {
        payload.remove("clientMessageId");
    }
    serde_json::to_vec(&event).unwrap()
}

pub(super) fn requests_of(to: Endpoint, body: &[u8]) -> Vec<wire::SendRequest<'_>> {
    let mut messages = match to.is_batch() {
        false => vec![serde_json::from_slice(body).unwrap()],
        true => serde_json::from_slice::<wire::BatchRequest<'_>>(body).unwrap().into_messages(),
    };
    // A notification names no channel: its address does.
    for message in messages.iter_mut().filter(|message| message.channels.is_empty()) {
        let channel = Channel::LineNotification.as_str().into();
        message.channels.push(wire::ChannelStep { channel, ..wire::ChannelStep::default() });
    }
    messages
}

pub(super) fn channel_of(event: &[u8]) -> Option<Channel> {
    wire::parse_events(event).into_iter().find_map(|event| match event {
        wire::WebhookEvent::Receipt(receipt) => receipt.known_channel(),
        _ => None,
    })
}

/// Whether a request says a corrected text.
pub(super) fn is_corrected(request: &wire::SendRequest<'_>) -> bool {
    let text = request.content.as_ref().and_then(|content| content.text.as_ref());
    text.is_some_and(|text| text.starts_with(CORRECTED))
}

/// Returns our attempt id in a request.
pub(super) fn client_id(request: &wire::SendRequest<'_>) -> AttemptId {
    let id = request.client_message_id.as_deref().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("a request without our id: {request:?}"))
}
