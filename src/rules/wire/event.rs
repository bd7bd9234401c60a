//! The body of a webhook: one event or an array of them.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::business::Business;
use super::inbound::{self, Inbound};
use super::loose;
use super::preferences::{self, Preferences};
use super::receipt::{self, Receipt, ReceiptEvent};
use super::text::Text;
use crate::base::domain::{Channel, has_private_key};

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
    /// What recipients want of marketing on WhatsApp.
    Preferences {
        preferences: Box<Preferences>,
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

impl WebhookEvent<'_> {
    /// The subaccount that a receipt or a message names.
    pub fn sub_account(&self) -> Option<&str> {
        match self {
            Self::Receipt(receipt) => receipt.sub_account_id.as_deref(),
            Self::Inbound { inbound, .. } => inbound.sub_account_id.as_deref(),
            Self::Preferences { preferences, .. } => preferences.sub_account.as_deref(),
            Self::Business { .. } | Self::Other { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// The events of a webhook's body, one after another, each with its position there.
///
/// Never fails: an unreadable event becomes [`WebhookEvent::Unreadable`], and the next one that can be found is read. A body
/// that is cut off gives the events before the cut, and then the whole body. Memory holds one event, however many there are.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    body: &'a [u8],
    state: Reading,
    /// After how many more unreadable events the next one is looked for.
    mends: u8,
}

#[derive(Debug, Clone, Copy)]
enum Reading {
    /// The body is one event.
    One,
    /// In an array, before an element.
    Array {
        at: usize,
    },
    /// In an array that goes on in another way.
    Broken(&'static str),
    Over,
}

impl<'a> Events<'a> {
    pub fn of(body: &'a [u8]) -> Self {
        let start = skip_space(body, 0);
        if body.get(start) != Some(&b'[') {
            return Self { body, state: Reading::One, mends: MENDS };
        }
        let first = skip_space(body, start + 1);
        let is_empty = body.get(first) == Some(&b']');
        let events = Self { body, state: Reading::Array { at: first }, mends: MENDS };
        if is_empty { Self { state: events.after_end(first + 1), ..events } } else { events }
    }

    /// The element of an array at `at`, and what follows it.
    fn element(&self, at: usize) -> Result<(Range<usize>, Reading), serde_json::Error> {
        let at = skip_space(self.body, at);
        let rest = self.body.get(at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let raw = values.next().unwrap_or_else(|| Err(serde::de::Error::custom(CUT_OFF)))?;
        let until = at + raw.get().len();
        let after = skip_space(self.body, until);
        let state = match self.body.get(after) {
            Some(b',') => Reading::Array { at: after + 1 },
            Some(b']') => self.after_end(after + 1),
            _ => self.event_after(until - 1).map_or(Reading::Broken(CUT_OFF), |at| Reading::Array { at }),
        };
        Ok((at..until, state))
    }

    /// Where the next event after an unreadable one at `at` begins. Within a text the quotes of its first key would be
    /// escaped.
    fn event_after(&self, at: usize) -> Option<usize> {
        let begins = |at: &usize| {
            let rest = self.body.get(skip_space(self.body, at + 1)..).unwrap_or_default();
            self.body.get(*at) == Some(&b'{') && FIRST_KEYS.iter().any(|key| rest.starts_with(key))
        };
        (skip_space(self.body, at) + 1..self.body.len()).find(begins)
    }

    /// Nothing follows the end of an array.
    fn after_end(&self, at: usize) -> Reading {
        match self.body.get(skip_space(self.body, at)) {
            None => Reading::Over,
            Some(_) => Reading::Broken("text after the end of an array"),
        }
    }
}

/// The keys with which an event of the provider begins.
const FIRST_KEYS: [&[u8]; 3] = [b"\"namespace\"", b"\"eventType\"", b"\"eventId\""];

/// Unreadable events after which the next one is looked for. Each may make the parser read the whole body.
const MENDS: u8 = 100;

const CUT_OFF: &str = "an array of events without its end";

impl<'a> Iterator for Events<'a> {
    type Item = (Range<usize>, WebhookEvent<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.body;
        match std::mem::replace(&mut self.state, Reading::Over) {
            Reading::One => Some((0..body.len(), parse_one(body))),
            Reading::Array { at } => match self.element(at) {
                Ok((range, state)) => {
                    self.state = state;
                    Some((range.clone(), parse_one(body.get(range)?)))
                }
                Err(error) => {
                    let after = self.mends.checked_sub(1).and_then(|left| {
                        self.mends = left;
                        self.event_after(at)
                    });
                    let range = match after {
                        Some(next) => at..next,
                        None => 0..body.len(),
                    };
                    self.state = after.map_or(Reading::Over, |at| Reading::Array { at });
                    Some((range.clone(), unreadable(body.get(range)?, error.to_string())))
                }
            },
            Reading::Broken(why) => Some((0..body.len(), unreadable(body, why.to_owned()))),
            Reading::Over => None,
        }
    }
}

fn skip_space(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
}

/// All events of a short body.
pub fn parse_events(body: &[u8]) -> Vec<WebhookEvent<'_>> {
    Events::of(body).map(|(_, event)| event).collect()
}

/// The receipts among the first `events` events of an unverified body. No more events are read, however many it contains.
pub fn first_receipts(body: &[u8], events: usize) -> Vec<Receipt<'_>> {
    let receipt = |(_, event)| match event {
        WebhookEvent::Receipt(receipt) => Some(receipt),
        _ => None,
    };
    Events::of(body).take(events).filter_map(receipt).collect()
}

fn receipt_at_once(body: &[u8]) -> Option<Receipt<'_>> {
    serde_json::from_slice::<ReceiptEvent<'_>>(body).ok().and_then(ReceiptEvent::into_receipt)
}

fn unreadable(body: &[u8], why: String) -> WebhookEvent<'_> {
    WebhookEvent::Unreadable { raw: String::from_utf8_lossy(body), why }
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

/// Nearly every event is a receipt, so that is tried first, in one pass over the bytes.
fn parse_one(event: &[u8]) -> WebhookEvent<'_> {
    if let Some(receipt) = receipt_at_once(event) {
        return WebhookEvent::Receipt(receipt);
    }
    match serde_json::from_slice::<&RawValue>(event) {
        Ok(_) if has_private_key(event) => {
            unreadable(event, "it has a key that no event has, or too many levels".to_owned())
        }
        Ok(raw) => parse_by_type(raw.get()),
        Err(error) => unreadable(event, error.to_string()),
    }
}

fn parse_by_type(raw: &str) -> WebhookEvent<'_> {
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
    if is_nearly(&event_type, inbound::EVENT_TYPE) || is("inboundMessage") {
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
    if let Some(preferences) = preferences::read(raw) {
        return WebhookEvent::Preferences { preferences: Box::new(preferences), raw };
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

/// Whether a name is this one, or this one with a single character damaged: an opt-out does not depend on it.
fn is_nearly(name: &str, wanted: &str) -> bool {
    let is_same = |(one, other): &(u8, u8)| one.eq_ignore_ascii_case(other);
    let begins = name.bytes().zip(wanted.bytes()).take_while(is_same).count();
    let ends = name.bytes().rev().zip(wanted.bytes().rev()).take_while(is_same).count();
    // A backslash makes one control character of itself and the next one. U+FFFD is longer by two than a damaged byte.
    let damaged = if name.contains(char::is_control) { 2 } else { 1 };
    name.len().abs_diff(wanted.len()) <= 2 && begins + ends + damaged >= wanted.len()
}

#[cfg(test)]
mod tests;
