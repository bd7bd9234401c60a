//! Webhooks in the provider's own form, for clients that are written for its API.

use serde_json::Value;

use crate::base::domain::{Marks, MessageId, Plan, Progress, Span, Status, Step};
use crate::rules::template::RecipientText;
use crate::rules::wire::codes::{self, words};
use crate::rules::wire::{self, AttemptState, StatusBody};
use crate::store::{Inbound, Observed, ObservedMessage, ObservedRecipient};

/// The pauses before a webhook is repeated. After the last one it is given up.
pub(super) const REPEATS: [Span; 4] =
    [Span::from_secs(1), Span::from_secs(10), Span::from_secs(30), Span::from_secs(90)];

/// The receipt for a change of a message; `None` if the provider would send none.
///
/// - `umid` is ours for the whole message, `clientMessageId` the caller's.
/// - A message that ended without being submitted gets one receipt that says so. After a submission, the receipts of its
///   steps have told everything.
pub(super) fn receipt(row: &ObservedMessage, recipient: &ObservedRecipient, plan: &Plan) -> Option<String> {
    let (status, whatsapp) = status(row)?;
    let step = row.observed.progress.step().or_else(|| plan.first(Marks::default()));
    let step = step.and_then(|step| plan.step(step));
    let umid = MessageId { key: row.key, tag: row.tag }.uuid().to_string();
    let batch_id = row.call.as_ref().map(|call| call.id.uuid().to_string());
    let client_batch_id = row.call.as_ref().and_then(|call| call.client_batch_id.as_deref());
    let receipt = wire::Receipt {
        umid: Some(umid.as_str().into()),
        sub_account_id: plan.api.as_ref().map(|calls| calls.sub_account.as_str().into()),
        channel: step.map(|step| wire::webhook_channel(step.channel).into()),
        user: Some(user(recipient, plan, step)),
        client_message_id: recipient.client_message_id.as_deref().map(Into::into),
        client_batch_id: client_batch_id.map(Into::into),
        batch_id: batch_id.map(Into::into),
        status,
        whatsapp,
        ..wire::Receipt::default()
    };
    let mut body = Vec::new();
    receipt.append_event(&mut body);
    String::from_utf8(body).ok()
}

/// The recipient as the channel of a step knows them: by an id of the channel, or by the digits of the number.
fn user(recipient: &ObservedRecipient, plan: &Plan, step: Option<&Step>) -> wire::User<'static> {
    let called = step.and_then(|step| RecipientText::user_id(step, plan.names()));
    let id = called.and_then(|text| text.fill(&recipient.fields.unpack().ok()?));
    let id = id.unwrap_or_else(|| recipient.address.to_string().trim_start_matches('+').to_owned());
    // A recipient whom only an id names has no number.
    let number = recipient.address.number().map(|number| number.to_string());
    wire::User { msisdn: number.map(Into::into), channel_user_id: Some(id.into()), ..wire::User::default() }
}

/// The status of a receipt, and WhatsApp's own code for a failure.
fn status(row: &ObservedMessage) -> Option<(StatusBody<'_>, Option<wire::WhatsApp>)> {
    let observed = &row.observed;
    let state = match observed.progress {
        Progress::Reached { status: Status::Read, .. } => AttemptState::Read,
        Progress::Reached { status: Status::Delivered, .. } => AttemptState::Delivered,
        Progress::Reached { .. } => AttemptState::Sent,
        Progress::Failed { .. } | Progress::Ended { .. } => AttemptState::Undelivered,
    };
    let (code, message, underlying) = match observed.progress {
        Progress::Reached { .. } => (None, None, None),
        Progress::Failed { .. } => failed(observed),
        Progress::Ended { .. } if row.was_submitted => return None,
        Progress::Ended { outcome, skipped } => {
            let (code, message) = wire::unsent(outcome, skipped)?;
            (code, message, None)
        }
    };
    let mut status = StatusBody::reported(state, observed.at, code);
    match observed.progress {
        // No operator has seen it.
        Progress::Ended { .. } => status.detail = None,
        Progress::Failed { .. } => status.detail = observed.detail.as_deref().map(Into::into).or(status.detail),
        Progress::Reached { .. } => {}
    }
    status.error_message = message.map(Into::into).or(status.error_message);
    let whatsapp = |code| wire::WhatsApp { provider_error_code: Some(code), ..wire::WhatsApp::default() };
    Some((status, underlying.map(whatsapp)))
}

/// Codes of receipts.
const INVALID_DESTINATION: i64 = 15;
const INVALID_VALUE: i64 = 29;
const REJECTED_BY_CHANNEL: i64 = 41;
const UNKNOWN: i64 = 57;
/// The code of an answer for an invalid number.
const INVALID_NUMBER: i64 = 1_002;
/// From here on, codes mean the same in answers and in receipts.
const SHARED: i64 = 3_000;

/// The code and the words of a failure, and WhatsApp's own code if that decided.
///
/// The client has no answer of the provider, only receipts. Where the two number their codes differently, the code of an
/// answer becomes one of a receipt; its words stay.
fn failed(observed: &Observed) -> (Option<i64>, Option<&str>, Option<i64>) {
    let unnamed = if observed.message.is_some() { INVALID_VALUE } else { UNKNOWN };
    let code = observed.code.map(i64::from).filter(|code| *code != 0).unwrap_or(unnamed);
    if codes::is_whatsapps(code) {
        return (Some(REJECTED_BY_CHANNEL), Some(codes::of_receipt(Some(code)).meaning), Some(code));
    }
    if code >= SHARED {
        return (Some(code), observed.message.as_deref().or_else(|| Some(words::of_answer(code))), None);
    }
    let code = match observed.message {
        Some(_) if code == INVALID_NUMBER => INVALID_DESTINATION,
        Some(_) => INVALID_VALUE,
        None => code,
    };
    (Some(code), observed.message.as_deref(), None)
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
        // An event that quotes no message stays without.
        if let Some(quoted) = payload.and_then(|payload| payload.get_mut("replyToUmid")) {
            *quoted = Value::String(id.uuid().to_string());
        }
    }
    Some(event.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::domain::{
        ApiCalls, BatchId, CampaignId, Channel, Fields, MessageKey, Msisdn, Outcome, SkipReason, StepIndex, Tag,
        Timestamp,
    };

    const FIRST: StepIndex = StepIndex::FIRST;

    fn plan() -> Plan {
        let api = Some(ApiCalls {
            sub_account: "<SUBACCOUNT_ID>".to_owned(),
            caller: String::new(),
            callback: None,
            extras: None,
        });
        let steps = vec![Step::of_text(Channel::WhatsApp, "wa", "Hi"), Step::of_text(Channel::Sms, "sms", "Hi")];
        Plan { api, ..Plan::of_steps(steps) }
    }

    fn row(progress: Progress, at: &str) -> ObservedMessage {
        let at = Timestamp::parse_rfc3339(at).unwrap();
        ObservedMessage {
            key: MessageKey { batch: BatchId(3), n: 4 },
            observed: Observed { progress, at, code: None, detail: None, message: None },
            tag: Tag::from_random(5),
            campaign: None,
            edition: 0,
            recipient: None,
            was_submitted: true,
            umid: None,
            call: None,
        }
    }

    fn failed(code: Option<u32>, detail: Option<&str>, message: Option<&str>) -> ObservedMessage {
        let row = row(Progress::Failed { step: FIRST }, "2016-01-01T00:00:00Z");
        let (detail, message) = (detail.map(str::to_owned), message.map(str::to_owned));
        ObservedMessage { observed: Observed { code, detail, message, ..row.observed }, ..row }
    }

    fn ended(outcome: Outcome, skipped: Option<SkipReason>, was_submitted: bool) -> ObservedMessage {
        ObservedMessage { was_submitted, ..row(Progress::Ended { outcome, skipped }, "2016-01-01T00:00:00Z") }
    }

    fn recipient() -> ObservedRecipient {
        ObservedRecipient {
            address: Msisdn::try_from(6_512_345_678_u64).unwrap().into(),
            country: "SG".parse().unwrap(),
            client_message_id: None,
            fields: Fields::pack([""; 0]),
        }
    }

    fn sent(row: &ObservedMessage) -> Option<Value> {
        receipt(row, &recipient(), &plan()).map(|body| serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn receipts_are_those_of_the_provider_s_documents() {
        // From "WhatsApp Webhooks Reference": delivered, read, undelivered. The fractions of seconds are ours.
        let reached = |status| Progress::Reached { step: FIRST, status };
        let document = |umid: String, status: Value| {
            json!({
                "namespace": "ChatApps",
                "eventType": "outbound_message_status_changed",
                "description": "ChatApps outbound message delivery receipt",
                "payload": {
                    "umid": umid, "subAccountId": "<SUBACCOUNT_ID>", "channel": "whatsapp",
                    "user": {"msisdn": "+6512345678", "channelUserId": "6512345678"}, "status": status
                }
            })
        };
        let delivered = json!({
            "state": "delivered", "detail": "delivered_to_recipient", "timestamp": "2025-05-05T09:15:57.000Z"
        });
        let read = json!({"state": "read", "timestamp": "2025-05-17T06:27:52.450Z"});
        let undelivered = json!({
            "state": "undelivered", "detail": "rejected_by_operator", "timestamp": "2016-01-01T00:00:00.000Z",
            "errorCode": 15, "errorMessage": "Invalid destination"
        });
        let sending = json!({"state": "sent", "timestamp": "2025-05-05T09:15:57.000Z"});
        for (row, status) in [
            (row(reached(Status::Sent), "2025-05-05T09:15:57.00Z"), sending),
            (row(reached(Status::Delivered), "2025-05-05T09:15:57.00Z"), delivered),
            (row(reached(Status::Read), "2025-05-17T06:27:52.45Z"), read),
            (failed(Some(15), Some("rejected_by_operator"), None), undelivered),
        ] {
            let umid = MessageId { key: row.key, tag: row.tag }.uuid().to_string();
            assert_eq!(sent(&row), Some(document(umid, status)));
        }
    }

    #[test]
    fn the_ids_of_a_call_are_in_its_receipts() {
        let id = CampaignId { batch: BatchId(3), tag: Tag::from_random(5) };
        let call = Some(crate::store::CallIds { id, client_batch_id: Some("spring".to_owned()) });
        let second = Progress::Reached { step: StepIndex::new(1).unwrap(), status: Status::Delivered };
        let payload = sent(&ObservedMessage { call, ..row(second, "2016-01-01T00:00:00Z") }).unwrap()["payload"].take();
        assert_eq!((&payload["clientBatchId"], &payload["channel"]), (&json!("spring"), &json!("sms")));
        assert_eq!(payload["batchId"], json!(id.uuid().to_string()));
    }

    #[test]
    fn a_recipient_on_line_is_named_by_their_id() {
        let step = Step { user_id: Some("{{Id}}".to_owned()), ..Step::of_text(Channel::Line, "line", "Hi") };
        let plan = Plan { columns: vec!["Id".to_owned()], ..Plan::of_steps(vec![step]) };
        let reached = Progress::Reached { step: FIRST, status: Status::Sent };
        let recipient = ObservedRecipient { fields: Fields::pack(["U4af4980629"]), ..recipient() };
        let body = receipt(&row(reached, "2016-01-01T00:00:00Z"), &recipient, &plan).unwrap();
        let payload = serde_json::from_str::<Value>(&body).unwrap()["payload"].take();
        assert_eq!((&payload["channel"], &payload["user"]["channelUserId"]), (&json!("line"), &json!("U4af4980629")));
    }

    #[test]
    fn a_failure_has_a_code_of_receipts_whoever_found_it() {
        let too_many = "API Too Many Calls - App rate limit reached (WhatsApp: 4)";
        let unknown = "An unknown error occurred with no more specific reason available";
        for (row, code, words) in [
            // The provider's codes for answers are others than those for receipts.
            (failed(Some(1_002), None, Some("Invalid MSISDN format")), 15, "Invalid MSISDN format"),
            (failed(Some(1_002), Some("rejected_by_operator"), None), 1_002, too_many),
            (failed(Some(1_004), None, Some("Too long")), 29, "Too long"),
            (failed(None, None, Some("Bad request")), 29, "Bad request"),
            (failed(None, None, None), 57, unknown),
            // From 3000 on they are the same.
            (failed(Some(3_041), None, Some("Wrong parameter")), 3_041, "Wrong parameter"),
            (failed(Some(3_041), Some("rejected_by_operator"), None), 3_041, "Invalid Template parameter"),
        ] {
            let payload = sent(&row).unwrap()["payload"].take();
            let status = &payload["status"];
            assert_eq!((&status["errorCode"], &status["errorMessage"]), (&json!(code), &json!(words)));
            assert_eq!((&status["detail"], payload.get("whatsapp")), (&json!("rejected_by_operator"), None));
        }
        let payload = sent(&failed(Some(131_049), Some("rejected_by_operator"), None)).unwrap()["payload"].take();
        assert_eq!(payload["status"]["errorCode"], 41);
        assert_eq!(payload["whatsapp"], json!({"providerErrorCode": 131_049}));
    }

    #[test]
    fn only_the_end_of_an_unsubmitted_message_is_told() {
        let status = |row: &ObservedMessage| sent(row).map(|mut body| body["payload"]["status"].take());
        let told = status(&ended(Outcome::Expired, None, false)).unwrap();
        assert_eq!((&told["state"], &told["errorCode"]), (&json!("undelivered"), &json!(36)));
        assert!(told.get("detail").is_none(), "no operator has seen it: {told}");
        let told = status(&ended(Outcome::Skipped, Some(SkipReason::OutsideWindow), false)).unwrap();
        assert_eq!(told["errorCode"], 1_022);
        let told = status(&ended(Outcome::Skipped, Some(SkipReason::OptedOut), false)).unwrap();
        assert_eq!((&told["errorCode"], &told["errorMessage"]), (&json!(15), &json!("the recipient has opted out")));
        let told = status(&ended(Outcome::Cancelled, None, false)).unwrap();
        assert_eq!(told["errorMessage"], "the message was cancelled before it was sent");
        // An earlier step was submitted, and its receipts tell what became of it.
        assert_eq!(status(&ended(Outcome::Expired, None, true)), None);
        assert_eq!(status(&ended(Outcome::Skipped, Some(SkipReason::OptedOut), true)), None);
        for outcome in [Outcome::Reached, Outcome::Undelivered, Outcome::Silent, Outcome::Unknown] {
            assert_eq!(status(&ended(outcome, None, true)), None);
        }
    }
}
