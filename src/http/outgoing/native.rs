//! The bodies of Volley's own webhooks: `{type, timestamp, data}`.

use serde::Serialize;

use super::event_types;
use crate::base::domain::{
    AddressFields, CampaignId, Channel, MessageId, Outcome, Plan, Progress, SkipReason, StepIndex, Timestamp,
};
use crate::base::events::{Event, EventView};
use crate::sending::receipts::ReplyView;
use crate::store::{ObservedMessage, ObservedRecipient};

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: T,
}

/// A change of a message.
#[derive(Serialize)]
struct MessageData<'a> {
    message: String,
    batch: String,
    campaign: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_account: Option<&'a str>,
    #[serde(flatten)]
    address: AddressFields,
    country: String,
    client_message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepIndex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    umid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkipReason>,
}

/// A test that an operator asked for.
#[derive(Serialize)]
struct TestData<'a> {
    subscription: &'a str,
}

fn body(kind: &str, at: Timestamp, data: impl Serialize) -> String {
    let envelope = Envelope { kind, timestamp: at.rfc3339(), data };
    // Plain structs have no value that JSON cannot hold.
    serde_json::to_string(&envelope).unwrap_or_default()
}

pub(super) fn of_event(kind: &str, event: &Event) -> String {
    body(kind, event.at, EventView::new(event))
}

pub(super) fn of_reply(at: Timestamp, reply: &ReplyView<'_>) -> String {
    body(event_types::REPLY, at, reply)
}

pub(super) fn of_test(at: Timestamp, subscription: &str) -> String {
    body(event_types::TEST, at, TestData { subscription })
}

pub(super) fn of_message(row: &ObservedMessage, recipient: &ObservedRecipient, plan: &Plan) -> String {
    let observed = &row.observed;
    let step = observed.progress.step();
    let (outcome, skipped) = match observed.progress {
        Progress::Ended { outcome, skipped } => (Some(outcome), skipped),
        Progress::Reached { .. } | Progress::Failed { .. } => (None, None),
    };
    let data = MessageData {
        message: MessageId { key: row.key, tag: row.tag }.to_string(),
        batch: CampaignId { batch: row.key.batch, tag: row.tag }.to_string(),
        campaign: row.campaign.as_deref(),
        sub_account: plan.api.as_ref().map(|calls| calls.sub_account.as_str()),
        address: Some(recipient.address.clone()).into(),
        country: recipient.country.to_string(),
        client_message_id: recipient.client_message_id.as_deref(),
        step,
        channel: step.and_then(|step| plan.step(step)).map(|step| step.channel),
        umid: row.umid.as_ref().map(crate::base::domain::Umid::as_str),
        code: observed.code,
        detail: observed.detail.as_deref(),
        error: observed.message.as_deref(),
        outcome,
        skipped,
    };
    body(event_types::of_progress(observed.progress), observed.at, data)
}
