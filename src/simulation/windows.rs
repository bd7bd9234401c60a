//! When each recipient's WhatsApp window is open: they wrote to us, so they need no tier slot.

use std::collections::HashMap;

use crate::base::domain::{AddressKey, Msisdn, Span, Timestamp};

const OPEN_FOR: Span = Span::from_secs(86_400);

#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<AddressKey, Timestamp>);

impl Windows {
    /// Notes a webhook that may have been stored. A message counts at most from its arrival.
    pub(super) fn take_webhook(&mut self, event: &[u8], now: Timestamp) {
        let event: serde_json::Value = serde_json::from_slice(event).unwrap();
        let payload = &event["payload"];
        if !payload["recipient"]["channel"].as_str().is_some_and(|channel| channel.eq_ignore_ascii_case("whatsapp")) {
            return;
        }
        let recipient: Msisdn = payload["user"]["msisdn"].as_str().unwrap().parse().unwrap();
        let recipient = AddressKey::from(recipient);
        let received: chrono::DateTime<chrono::Utc> = payload["timestamp"].as_str().unwrap().parse().unwrap();
        let until = Timestamp::from_millis(received.timestamp_millis()).min(now) + OPEN_FOR;
        let known = self.0.entry(recipient.canonical()).or_insert(until);
        *known = until.max(*known);
    }

    pub(super) fn is_open(&self, recipient: AddressKey, at: Timestamp) -> bool {
        self.0.get(&recipient.canonical()).is_some_and(|until| at < *until)
    }
}
