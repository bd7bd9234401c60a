//! Reads a message, and checks it by the provider's rules.

use serde_json::{Map, Value};

use super::origin::Origin;
use super::outline::{Outlined, Read, outline};
use crate::audience::number_of_program;
use crate::domain::{Channel, Country, Msisdn, Timestamp};
use crate::wire::rules::{self, Accepted, AcceptedContent, Addressee, Arriving, NamedStep, Refusal};
use crate::wire::{Content, SendRequest};

const INVALID_NUMBER: i64 = 1_002;
const NUMBER_MISSING: i64 = 3_002;

/// Checks a message, and outlines it.
pub(super) fn read(from: &Origin<'_>, message: &Arriving<'_>, now: Timestamp) -> Result<Outlined, Refusal> {
    let accepted = rules::check(message, from, now)?;
    let request = &message.request;
    let (msisdn, country) = recipient(&accepted, request)?;
    let content = match accepted.content {
        AcceptedContent::Message { content, .. } => written(content),
        AcceptedContent::Notification(notification) => notification_content(notification),
    };
    let read = Read {
        msisdn,
        country,
        user_id: accepted.to.user_id(),
        client_message_id: request.client_message_id.as_deref(),
        kind: request.kind.as_deref().unwrap_or("template"),
        content,
        steps: with_sms(from, &accepted.steps, request),
        callback: request.dlr_callback_url.as_deref(),
        scheduled: accepted.scheduled,
        expiry: accepted.expiry,
    };
    outline(from, read).map_err(Refusal::from)
}

/// The number of the recipient, and its country. A recipient whom only a channel's id names gets a number that stands in.
fn recipient(accepted: &Accepted<'_>, request: &SendRequest<'_>) -> Result<(Msisdn, Country), i64> {
    let stated = request.user.as_ref().and_then(|user| user.country.as_deref()).and_then(|code| code.parse().ok());
    match &accepted.to {
        Addressee::Number { number, .. } => number_of_program(&number.to_string(), stated).ok_or(INVALID_NUMBER),
        // A step is sent to a number, except on LINE.
        Addressee::UserId(_) if accepted.steps.iter().any(|step| step.channel != Channel::Line) => Err(NUMBER_MISSING),
        Addressee::UserId(id) => Ok((Msisdn::stand_in(id), stated.unwrap_or(Country::WORLD))),
    }
}

/// The steps of a message. Without `channels`, a fallback text is an SMS that follows a failure.
fn with_sms<'r>(from: &Origin<'_>, steps: &[NamedStep<'r>], request: &SendRequest<'_>) -> Vec<NamedStep<'r>> {
    let mut steps = steps.to_vec();
    let has_text = request.content.as_ref().and_then(|content| content.fallback_text.as_deref());
    let is_unnamed = request.channels.is_empty() && steps.iter().all(|step| step.channel != Channel::Sms);
    let sms = NamedStep::on(Channel::Sms);
    if is_unnamed && has_text.is_some_and(|text| !text.trim().is_empty()) && from.pool(sms).is_some() {
        steps.push(sms);
    }
    steps
}

/// A content as JSON.
fn written(content: &Content<'_>) -> Map<String, Value> {
    match serde_json::to_value(content) {
        Ok(Value::Object(content)) => content,
        // A content is an object.
        _ => Map::new(),
    }
}
