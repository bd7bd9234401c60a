//! Who has written to us on WhatsApp, and until when that opens a window: such a person needs no place in a tier.

use std::collections::HashMap;

use crate::domain::{Msisdn, Span, Timestamp};

const OPEN_FOR: Span = Span::from_secs(86_400);

#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<Msisdn, Timestamp>);

impl Windows {
    /// A webhook may have been kept. No word is newer than its arrival.
    pub(super) fn hears(&mut self, event: &[u8], now: Timestamp) {
        let event: serde_json::Value = serde_json::from_slice(event).unwrap();
        let payload = &event["payload"];
        if !payload["recipient"]["channel"].as_str().is_some_and(|channel| channel.eq_ignore_ascii_case("whatsapp")) {
            return;
        }
        let who: Msisdn = payload["user"]["msisdn"].as_str().unwrap().parse().unwrap();
        let said: chrono::DateTime<chrono::Utc> = payload["timestamp"].as_str().unwrap().parse().unwrap();
        let until = Timestamp::from_millis(said.timestamp_millis()).min(now) + OPEN_FOR;
        let known = self.0.entry(who).or_insert(until);
        *known = until.max(*known);
    }

    pub(super) fn is_open(&self, who: Msisdn, at: Timestamp) -> bool {
        self.0.get(&who).is_some_and(|until| at < *until)
    }
}
