//! Webhooks in the provider's own form, for clients that are written for its API.

use serde_json::Value;

use crate::domain::{MessageId, Outcome, Plan, Progress, SkipReason, Span, Status};
use crate::store::{Inbound, ObservedMessage, ObservedRecipient};
use crate::wire::{self, codes};

/// The pauses before a webhook is repeated. After the last one it is given up.
pub(super) const REPEATS: [Span; 4] =
    [Span::from_secs(1), Span::from_secs(10), Span::from_secs(30), Span::from_secs(90)];

/// The receipt for a change of a message; `None` if the provider would send none.
///
/// - `umid` is ours for the whole message, `clientMessageId` the caller's.
/// - A message that ended without being submitted gets one receipt that says so. After a submission, the receipts of its
///   steps have told everything.
pub(super) fn receipt(row: &ObservedMessage, recipient: &ObservedRecipient, plan: &Plan) -> Option<String> {
    let observed = &row.observed;
    let (state, detail, failure) = match observed.progress {
        Progress::Reached { status: Status::Read, .. } => ("read", None, None),
        Progress::Reached { status: Status::Delivered, .. } => ("delivered", Some("delivered_to_recipient"), None),
        Progress::Reached { .. } => ("sent", None, None),
        Progress::Failed { .. } => ("undelivered", observed.detail.as_deref(), Some(failed(row))),
        Progress::Ended { outcome, skipped } => {
            ("undelivered", None, Some((None, unsent(outcome, skipped)?.to_owned())))
        }
    };
    let step = observed.progress.step().or_else(|| plan.first(crate::domain::Marks::default()));
    let channel = step.and_then(|step| plan.step(step)).map(|step| step.channel.as_str());
    let (code, message) = failure.map_or((None, None), |(code, message)| (code, Some(message)));
    let umid = MessageId { key: row.key, tag: row.tag }.uuid().to_string();
    let number = recipient.msisdn.to_string();
    let receipt = wire::Receipt {
        umid: Some(umid.as_str().into()),
        sub_account_id: plan.api.as_ref().map(|calls| calls.sub_account.as_str().into()),
        channel: channel.map(Into::into),
        user: Some(wire::User { msisdn: Some(number.as_str().into()), ..wire::User::default() }),
        client_message_id: recipient.client_message_id.as_deref().map(Into::into),
        status: wire::StatusBody {
            state: state.into(),
            detail: detail.map(Into::into),
            timestamp: Some(observed.at.rfc3339().into()),
            error_code: code,
            error_message: message.as_deref().map(Into::into),
        },
        ..wire::Receipt::default()
    };
    let mut body = Vec::new();
    receipt.append_event(&mut body);
    String::from_utf8(body).ok()
}

/// The code and the words of a failure: the provider's own words if it had some, else the meaning of the code.
fn failed(row: &ObservedMessage) -> (Option<i64>, String) {
    let code = row.observed.code.map(i64::from).filter(|code| *code != 0);
    let meaning = || codes::of_receipt(code).meaning.to_owned();
    (code, row.observed.message.clone().unwrap_or_else(meaning))
}

/// Why a message ended without a submission; `None` if there was one.
const fn unsent(outcome: Outcome, skipped: Option<SkipReason>) -> Option<&'static str> {
    match (outcome, skipped) {
        (Outcome::Expired, _) => Some("the message expired before it was sent"),
        (Outcome::Cancelled, _) => Some("the message was cancelled before it was sent"),
        (Outcome::Skipped, Some(SkipReason::OptedOut)) => Some("the recipient has opted out"),
        (Outcome::Skipped, _) => Some("the message was not sent"),
        (Outcome::Reached | Outcome::Undelivered | Outcome::Silent | Outcome::Unknown, _) => None,
    }
}

/// A message from a recipient: the event as it came, but the message that it answers is named as the caller knows it.
pub(super) fn inbound(inbound: &Inbound, answers: Option<MessageId>) -> Option<String> {
    let mut event: Value = serde_json::from_str(&inbound.raw).ok()?;
    if !event.is_object() {
        return None;
    }
    if let Some(id) = answers {
        // LINE's form has no payload.
        let payload = match event.get_mut("payload") {
            Some(payload @ Value::Object(_)) => Some(payload),
            _ => Some(&mut event),
        };
        if let Some(Value::Object(payload)) = payload {
            payload.insert("replyToUmid".to_owned(), Value::String(id.uuid().to_string()));
        }
    }
    Some(event.to_string())
}
