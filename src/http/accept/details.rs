//! What became of a message, as the provider tells it: one record for each channel that was tried.

use serde::Deserialize;
use serde_json::Value;

use super::origin::id_of;
use crate::base::config::Config;
use crate::base::domain::{AddressKey, Channel, Content, Ending, MessageId, Plan, State, Status, StepIndex, Timestamp};
use crate::rules::wire::rules::{ContentType, Kind};
use crate::rules::wire::{self, AttemptState, Detail, Details, MASKED, StatusBody, User, detail_channel, masked};
use crate::store::{Attempt, Call, MessageFacts, StoredLane, Verdict};

/// Everything that the records of a message are made of.
pub(super) struct Known<'a> {
    pub(super) id: MessageId,
    pub(super) facts: &'a MessageFacts,
    pub(super) plan: &'a Plan,
    pub(super) call: Option<&'a Call>,
    pub(super) call_id: Option<String>,
    pub(super) lanes: &'a [StoredLane],
    pub(super) config: &'a Config,
}

impl Known<'_> {
    pub(super) fn records(&self) -> Details<'static> {
        let tried = || StepIndex::all().filter_map(|step| Some((step, self.last_attempt(step)?)));
        let mut data: Vec<Detail<'static>> = tried().map(|(step, attempt)| self.record(step, Some(attempt))).collect();
        let present = self.facts.message.present.step;
        if data.is_empty() || self.is_queued() && self.last_attempt(present).is_none() {
            data.push(self.record(present, None));
        }
        Details { data }
    }

    /// The last try of a step that was begun.
    fn last_attempt(&self, step: StepIndex) -> Option<&Attempt> {
        self.facts.attempts.iter().rfind(|attempt| attempt.step == step && attempt.verdict.was_begun())
    }

    fn is_queued(&self) -> bool {
        matches!(self.facts.message.present.state, State::Queued { .. } | State::Sending { .. })
    }

    fn record(&self, step: StepIndex, attempt: Option<&Attempt>) -> Detail<'static> {
        let channel = self.plan.step(step).map_or(Channel::Sms, |step| step.channel);
        let recipient = self.facts.recipient.as_ref();
        let number = self.facts.recipient_address.and_then(AddressKey::number);
        Detail {
            umid: self.id.uuid().to_string().into(),
            sub_account_id: self.plan.api.as_ref().map(|api| api.sub_account.clone().into()),
            channel: detail_channel(channel).into(),
            channel_id: self.channel_id(attempt).map(Into::into),
            direction: Some("outbound".into()),
            country: self.facts.country.map(|country| country.to_string().into()),
            status: self.status(step, attempt),
            user: number.map(|number| User { msisdn: Some(masked(&number.to_string()).into()), ..User::default() }),
            content_type: self.plan.step(step).map(|step| content_type(&step.content).on(channel).as_str().into()),
            content: Some(MASKED.into()),
            created_at: Some(self.created_at().rfc3339().into()),
            client_message_id: recipient
                .and_then(|recipient| recipient.client_message_id.clone())
                .map(|id| String::from(id).into()),
            client_batch_id: self.call.and_then(|call| call.client_batch_id.clone()).map(Into::into),
            batch_id: self.call_id.clone().map(Into::into),
            step: Some(i64::from(step.get()) + 1),
            ..Detail::default()
        }
    }

    fn channel_id(&self, attempt: Option<&Attempt>) -> Option<String> {
        let lane = attempt.map_or(self.facts.message.lane, |attempt| attempt.lane);
        let name = self.lanes.iter().find(|known| known.id == lane).map(|known| known.name.as_str());
        let lane = self.config.lanes.iter().find(|lane| Some(lane.name.as_str()) == name);
        lane.map(|lane| id_of(lane).to_owned())
    }

    /// When its first step was queued.
    fn created_at(&self) -> Timestamp {
        let first = self.facts.attempts.first().map(|attempt| attempt.queued);
        first.unwrap_or(match self.facts.message.present.state {
            State::Queued { not_before, .. } | State::Sending { not_before, .. } => not_before,
            State::Awaiting { due } => due,
            State::Done { at, .. } => at,
        })
    }

    fn status(&self, step: StepIndex, attempt: Option<&Attempt>) -> StatusBody<'static> {
        let marks = self.facts.message.present.marks;
        let receipt = self.facts.receipts.iter().rfind(|receipt| receipt.step == step);
        let reported = receipt.map(|receipt| receipt.stamp);
        let at = reported.or(attempt.map(|attempt| attempt.answered)).unwrap_or_else(|| self.created_at());
        let is_rejected = attempt.is_some_and(|attempt| attempt.verdict == Verdict::Rejected);
        let has_failed = is_rejected || marks.failed(step) || marks.ending(step) == Ending::Undelivered;
        let state = match marks.status(step) {
            Some(Status::Read) => AttemptState::Read,
            Some(Status::Delivered) => AttemptState::Delivered,
            _ if has_failed => AttemptState::Undelivered,
            Some(Status::Sent) => AttemptState::Sent,
            _ if attempt.is_none() => return self.unsent(at),
            _ => AttemptState::Queued,
        };
        let code = receipt.map(|receipt| receipt.code).filter(|code| *code > 0);
        let code = code.or_else(|| attempt?.code).filter(|_| state == AttemptState::Undelivered);
        StatusBody::reported(state, at, code.map(i64::from))
    }

    /// The status of a message that was never submitted.
    fn unsent(&self, at: Timestamp) -> StatusBody<'static> {
        match self.facts.message.present.state {
            State::Done { outcome, skipped, at } => {
                let (code, words) = wire::unsent(outcome, skipped).unwrap_or_default();
                StatusBody::failed(at, code, words)
            }
            _ => StatusBody::reported(AttemptState::Queued, at, None),
        }
    }
}

/// The content's type as details spell it.
fn content_type(content: &Content) -> ContentType {
    let of_raw = |kind: &str, content: Value| {
        let content = wire::Content::deserialize(&content).ok()?;
        Some(ContentType::of(Kind::parse(kind)?, &content))
    };
    match content {
        Content::Raw(raw) => of_raw(&raw.kind, Value::Object(raw.content.clone())).unwrap_or(ContentType::Text),
        // A LINE notification is an approved template.
        Content::Notification(_) => ContentType::Template,
        _ => ContentType::Text,
    }
}
