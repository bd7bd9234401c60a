//! The body of a webhook: one event or an array of them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::business::Business;
use super::inbound::{self, Inbound};
use super::loose;
use super::receipt::{self, Receipt, ReceiptEvent};
use super::text::Text;
use crate::domain::Channel;

/// One event of a webhook.
#[expect(clippy::large_enum_variant, reason = "nearly every event is a receipt, and a box for each would cost more")]
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookEvent<'a> {
    Receipt(Receipt<'a>),
    /// Boxed, as the next one: both are rare and much larger than the others.
    Inbound {
        inbound: Box<Inbound<'a>>,
        raw: &'a str,
    },
    Business {
        business: Box<Business<'a>>,
        raw: &'a str,
    },
    /// Readable JSON of an unknown type.
    Other {
        event_type: Text<'a>,
        raw: &'a str,
    },
    /// An unreadable event: its whole text, with the error.
    Unreadable {
        raw: Cow<'a, str>,
        why: String,
    },
}

/// Reads a webhook's body, event by event. Never fails: an unreadable event becomes [`WebhookEvent::Unreadable`]. A body
/// that is cut off gives the events before the cut, and then the whole body.
pub fn parse_events(body: &[u8]) -> Vec<WebhookEvent<'_>> {
    // Nearly every event is a receipt, so that is tried first, in one pass over the bytes.
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if start == Some(&b'[') {
        return parse_array(body);
    }
    if let Some(receipt) = receipt_at_once(body) {
        return vec![WebhookEvent::Receipt(receipt)];
    }
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(raw) => vec![parse_one(raw.get())],
        Err(error) => vec![unreadable(body, &error)],
    }
}

fn parse_array(body: &[u8]) -> Vec<WebhookEvent<'_>> {
    if let Ok(events) = serde_json::from_slice::<Vec<ReceiptEvent<'_>>>(body) {
        let count = events.len();
        let receipts: Vec<_> =
            events.into_iter().filter_map(ReceiptEvent::into_receipt).map(WebhookEvent::Receipt).collect();
        if receipts.len() == count {
            return receipts;
        }
    }
    let mut raws = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let end = RawList::whole(&mut raws).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    let mut events: Vec<_> = raws.into_iter().map(|raw| parse_one(raw.get())).collect();
    if let Err(error) = end {
        events.push(unreadable(body, &error));
    }
    events
}

/// The positions in the body of the events that [`parse_events`] returns, in the same order. The rest of a body that is cut
/// off has no position.
pub fn event_places(body: &[u8]) -> Vec<Range<usize>> {
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    if body.get(start) != Some(&b'[') {
        return std::iter::once(0..body.len()).collect();
    }
    let mut raws = Vec::new();
    // Events before a cut have positions too.
    let _ = RawList::whole(&mut raws).deserialize(&mut serde_json::Deserializer::from_slice(body));
    let place = |raw: &&RawValue| {
        let from = raw.get().as_ptr().addr() - body.as_ptr().addr();
        from..from + raw.get().len()
    };
    raws.iter().map(place).collect()
}

/// The receipts among the first `events` events of an unverified body. No more events are read, however many it contains.
pub fn first_receipts(body: &[u8], events: usize) -> Vec<Receipt<'_>> {
    let mut raws = Vec::new();
    let first = if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        // More events than that are an error here, and events before a cut still count.
        let _ =
            RawList { list: &mut raws, at_most: events }.deserialize(&mut serde_json::Deserializer::from_slice(body));
        raws.into_iter().map(|raw| parse_one(raw.get())).collect()
    } else {
        parse_events(body)
    };
    let receipt = |event| match event {
        WebhookEvent::Receipt(receipt) => Some(receipt),
        _ => None,
    };
    first.into_iter().filter_map(receipt).collect()
}

fn receipt_at_once(body: &[u8]) -> Option<Receipt<'_>> {
    serde_json::from_slice::<ReceiptEvent<'_>>(body).ok().and_then(ReceiptEvent::into_receipt)
}

fn unreadable<'a>(body: &'a [u8], error: &serde_json::Error) -> WebhookEvent<'a> {
    WebhookEvent::Unreadable { raw: String::from_utf8_lossy(body), why: error.to_string() }
}

/// The keys that all events share.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "loose::or_nothing")]
    namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    event_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_details: Option<&'a RawValue>,
}

fn parse_one(raw: &str) -> WebhookEvent<'_> {
    let unreadable = |why: String| WebhookEvent::Unreadable { raw: Cow::Borrowed(raw), why };
    let envelope = match serde_json::from_str::<Envelope<'_>>(raw) {
        Ok(envelope) => envelope,
        Err(error) => return unreadable(error.to_string()),
    };
    let event_type = envelope.event_type.unwrap_or_default();
    let is = |word: &str| event_type.eq_ignore_ascii_case(word);
    if is(receipt::EVENT_TYPE) {
        return match serde_json::from_str::<ReceiptEvent<'_>>(raw).map(ReceiptEvent::into_receipt) {
            Ok(Some(receipt)) => WebhookEvent::Receipt(receipt),
            Ok(None) => unreadable("a receipt of another event type".to_owned()),
            Err(error) => unreadable(error.to_string()),
        };
    }
    if is(inbound::EVENT_TYPE) || is("inboundMessage") {
        // LINE's form has no payload: the event is the message.
        let payload = envelope.payload.map_or(raw, RawValue::get);
        return serde_json::from_str::<Inbound<'_>>(payload).map_or_else(
            |error| unreadable(error.to_string()),
            |mut inbound| {
                let is_sms = envelope.namespace.is_some_and(|namespace| namespace.eq_ignore_ascii_case("SMS"));
                if is_sms && inbound.known_channel().is_none() {
                    inbound.channel = Some(Text::from(Channel::Sms.as_str()));
                }
                WebhookEvent::Inbound { inbound: Box::new(inbound), raw }
            },
        );
    }
    if envelope.event_details.is_some() {
        return serde_json::from_str(raw)
            .map_or_else(|error| unreadable(error.to_string()), |business| WebhookEvent::Business { business, raw });
    }
    WebhookEvent::Other { event_type, raw }
}

/// The content of an inbound message as it came, from its stored event.
pub fn raw_content(raw: &str) -> Option<&RawValue> {
    /// The part of an event that has its content: the event itself in LINE's form.
    #[derive(Deserialize)]
    struct WithContent<'a> {
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }
    let event: WithContent<'_> = serde_json::from_str(raw).ok()?;
    match event.payload {
        Some(payload) => serde_json::from_str::<WithContent<'_>>(payload.get()).ok()?.content,
        None => event.content,
    }
}

/// Collects the elements of an array into the caller's list, so that those before a cut are not lost.
struct RawList<'list, 'de> {
    list: &'list mut Vec<&'de RawValue>,
    at_most: usize,
}

impl<'list, 'de> RawList<'list, 'de> {
    const fn whole(list: &'list mut Vec<&'de RawValue>) -> Self {
        Self { list, at_most: usize::MAX }
    }
}

impl<'de> DeserializeSeed<'de> for RawList<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RawList<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.list.len() < self.at_most
            && let Some(raw) = seq.next_element()?
        {
            self.list.push(raw);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
