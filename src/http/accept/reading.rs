//! Reads a message, and checks it by the provider's rules.

use serde_json::{Map, Value};

use super::origin::Origin;
use super::outline::{Body, Outlined, Read, SmsText, outline, sms_encoding};
use super::purposes::Purposes;
use crate::base::domain::{Address, Channel, ChannelUser, Country, Extras, Purpose, Timestamp, point_at};
use crate::recipients::audience::number_of_program;
use crate::rules::wire::rules::{self, Accepted, AcceptedContent, Addressee, Arriving, NamedStep, Refusal};
use crate::rules::wire::{Content, NotificationRequest, SendRequest, SmsFallback};

const INVALID_NUMBER: i64 = 1_002;
const NUMBER_MISSING: i64 = 3_002;
const CONTENT_MISSING: i64 = 3_004;

/// Checks a message, and outlines it.
pub(super) fn read(
    origin: &Origin<'_>,
    message: &Arriving<'_>,
    purposes: &Purposes,
    now: Timestamp,
) -> Result<Outlined, Refusal> {
    let accepted = rules::check(message, origin, now)?;
    let request = &message.request;
    let (address, country) = recipient(&accepted, request)?;
    let mut extras = Extras::default();
    let by_content = match accepted.content {
        AcceptedContent::Message { content, .. } => purposes.of_content(content),
        AcceptedContent::Notification(_) => Purpose::Marketing,
    };
    let (body, sms) = match accepted.content {
        AcceptedContent::Message { content, .. } => {
            let kind = request.kind.as_deref().unwrap_or("text");
            let known = known(content);
            let content_as_written = own_content(message, &mut extras);
            (Body::Message { kind, content: content_as_written, known }, sms_of(content))
        }
        AcceptedContent::Notification(notification) => {
            let content = notification.content.as_ref().ok_or(CONTENT_MISSING)?;
            note_unlike(message.written(), notification, &mut extras);
            (Body::Notification(content), sms_after(notification))
        }
    };
    let read = Read {
        address,
        country,
        to: &accepted.to,
        purpose: origin.caller.purpose.unwrap_or(by_content),
        client_message_id: request.client_message_id.as_deref(),
        body,
        sms,
        steps: with_sms(origin, &accepted.steps, request),
        callback: request.dlr_callback_url.as_deref(),
        scheduled: accepted.scheduled,
        expiry: accepted.expiry,
        extras,
    };
    outline(origin, read).map_err(Refusal::from)
}

/// The SMS of a message: the fallback text, else its own text.
fn sms_of<'r>(content: &'r Content<'_>) -> SmsText<'r> {
    let filled = |text: &&str| !text.trim().is_empty();
    let text = content.fallback_text.as_deref().filter(filled).or(content.text.as_deref()).filter(filled);
    let sms = content.sms.as_ref();
    SmsText {
        text,
        source: sms.and_then(|sms| sms.source.as_deref()).filter(filled),
        encoding: sms.and_then(|sms| sms_encoding(sms.encoding.as_deref()?)),
    }
}

/// The SMS after a notification.
fn sms_after<'r>(notification: &'r NotificationRequest<'_>) -> SmsText<'r> {
    let Some(SmsFallback { text, source, encoding }) = &notification.sms_fallback else { return SmsText::default() };
    let filled = |text: &&str| !text.trim().is_empty();
    SmsText {
        text: text.as_deref().filter(filled),
        source: source.as_deref().filter(filled),
        encoding: encoding.as_deref().and_then(sms_encoding),
    }
}

/// The address of the recipient, and its country.
fn recipient(accepted: &Accepted<'_>, request: &SendRequest<'_>) -> Result<(Address, Country), i64> {
    let stated = request.user.as_ref().and_then(|user| user.country.as_deref()).and_then(|code| code.parse().ok());
    match &accepted.to {
        Addressee::Number { number, .. } => number_of_program(&number.to_string(), stated)
            .map(|(number, country)| (number.into(), country))
            .ok_or(INVALID_NUMBER),
        // Every other channel takes a number.
        Addressee::User(channel, _) if accepted.steps.iter().any(|step| step.channel != *channel) => {
            Err(NUMBER_MISSING)
        }
        Addressee::User(channel, id) => {
            let user = ChannelUser { channel: *channel, id: id.to_string() };
            let country = stated.or_else(|| user.country()).unwrap_or(Country::WORLD);
            Ok((user.into(), country))
        }
    }
}

/// The steps of a message. Without `channels`, a fallback text is an SMS that follows a failure.
fn with_sms<'r>(origin: &Origin<'_>, steps: &[NamedStep<'r>], request: &SendRequest<'_>) -> Vec<NamedStep<'r>> {
    let mut steps = steps.to_vec();
    let has_text = request.content.as_ref().and_then(|content| content.fallback_text.as_deref());
    let is_unnamed = request.channels.is_empty() && steps.iter().all(|step| step.channel != Channel::Sms);
    let sms = NamedStep::on(Channel::Sms);
    if is_unnamed && has_text.is_some_and(|text| !text.trim().is_empty()) && origin.pool(sms).is_some() {
        steps.push(sms);
    }
    steps
}

/// Keys of a request of which Volley makes its own.
const OURS: [&str; 8] =
    ["user", "clientMessageId", "type", "channels", "scheduled", "expiry", "dlrCallbackUrl", "smsFallback"];
/// Keys of a content for the provider's fallback. Volley decides fallbacks, never the provider.
const FALLBACKS: [&str; 2] = ["fallbackText", "sms"];

/// The content as its caller wrote it. What the request has beside it goes into `extras`.
fn own_content(message: &Arriving<'_>, extras: &mut Extras) -> Map<String, Value> {
    let mut content = Map::new();
    // The SMS API has keys of its own, which another API does not take.
    if message.sms().is_some() {
        return content;
    }
    for (key, value) in message.written() {
        match value {
            Value::Object(own) if key == "content" => content = own,
            value if !OURS.contains(&key.as_str()) => extras.add(&pointer_to(&key), value),
            _ => {}
        }
    }
    content.retain(|key, _| !FALLBACKS.contains(&key.as_str()));
    content
}

/// Adds what a notification has in another way than Volley writes it.
fn note_unlike(written: Map<String, Value>, notification: &NotificationRequest<'_>, extras: &mut Extras) {
    let known = serde_json::to_value(notification).unwrap_or_default();
    for (key, value) in written {
        if !OURS.contains(&key.as_str()) {
            note_unlike_at(&mut pointer_to(&key), value, known.get(&key), extras);
        }
    }
}

fn note_unlike_at(at: &mut String, value: Value, known: Option<&Value>, extras: &mut Extras) {
    let before = at.len();
    let mut below = |at: &mut String, key: &str, value, known| {
        point_at(at, key);
        note_unlike_at(at, value, known, extras);
        at.truncate(before);
    };
    match (value, known) {
        (value, Some(known)) if value == *known => {}
        (Value::Object(values), Some(Value::Object(known))) => {
            for (key, value) in values {
                // A key is known in any case of its letters: the documents have `Content` and `content`.
                let of_key = known.iter().find(|(other, _)| other.eq_ignore_ascii_case(&key)).map(|(_, known)| known);
                below(at, &key, value, of_key);
            }
        }
        (Value::Array(values), Some(Value::Array(known))) if values.len() == known.len() => {
            for (index, (value, known)) in values.into_iter().zip(known).enumerate() {
                below(at, &index.to_string(), value, Some(known));
            }
        }
        (value, _) => extras.add(at, value),
    }
}

fn pointer_to(key: &str) -> String {
    let mut pointer = String::new();
    point_at(&mut pointer, key);
    pointer
}

/// A content as Volley reads it.
fn known(content: &Content<'_>) -> Map<String, Value> {
    match serde_json::to_value(content) {
        Ok(Value::Object(content)) => content,
        // A content is an object.
        _ => Map::new(),
    }
}
