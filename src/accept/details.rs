//! What became of a message, as the provider tells it: one record for each channel that was tried.

use crate::config::Config;
use crate::domain::{
    BatchId, Channel, Content, MessageId, Msisdn, Outcome, Plan, State, Status, StepIndex, Timestamp,
};
use crate::store::{Attempt, Call, MessageFacts, StoredLane, Verdict};
use crate::wire::rules::{self, masked};
use crate::wire::{Detail, Details, StatusBody, User};

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
        let number = self.facts.number.filter(|number| !number.is_stand_in());
        Detail {
            umid: self.id.uuid().to_string().into(),
            sub_account_id: self.plan.api.as_ref().map(|api| api.sub_account.clone().into()),
            channel: rules::channel_in_details(channel).into(),
            channel_id: Some(self.channel_id(attempt).into()),
            direction: Some("outbound".into()),
            country: self.facts.country.map(|country| country.to_string().into()),
            status: self.status(step, attempt),
            user: number.map(|number| User { msisdn: Some(masked_number(number).into()), ..User::default() }),
            content_type: self.plan.step(step).map(|step| content_type(&step.content).into()),
            content: Some("**MASKED**".to_owned().into()),
            created_at: Some(self.created_at().rfc3339().into()),
            client_message_id: recipient
                .and_then(|recipient| recipient.client_message_id.clone())
                .map(|id| String::from(id).into()),
            client_batch_id: self.call.and_then(|call| call.client_batch_id.clone()).map(Into::into),
            batch_id: self.call_id.clone().map(Into::into),
            step: Some(i64::from(step.get()) + 1),
        }
    }

    fn channel_id(&self, attempt: Option<&Attempt>) -> String {
        let lane = attempt.map_or(self.facts.message.lane, |attempt| attempt.lane);
        let name = self.lanes.iter().find(|known| known.id == lane).map(|known| known.name.as_str());
        let lane = self.config.lanes.iter().find(|lane| Some(lane.name.as_str()) == name);
        lane.and_then(|lane| lane.channel_id.clone()).unwrap_or_default()
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
        let answered = attempt.map(|attempt| attempt.answered);
        let at = reported.or(answered).unwrap_or_else(|| self.created_at());
        let failed = |code: Option<i64>| StatusBody {
            error_code: code,
            error_message: code.map(|code| rules::words_of_receipt(code).into()),
            ..status("undelivered", Some("undelivered_to_recipient"), at)
        };
        match (marks.status(step), attempt.map(|attempt| attempt.verdict)) {
            (Some(Status::Read), _) => status("read", None, at),
            (Some(Status::Delivered), _) => status("delivered", Some("delivered_to_recipient"), at),
            _ if marks.failed(step) => failed(receipt.map(|receipt| i64::from(receipt.code)).filter(|code| *code > 0)),
            (Some(Status::Sent), _) => status("sent", Some("delivered_to_operator"), at),
            (_, Some(Verdict::Rejected)) => {
                let code = attempt.and_then(|attempt| attempt.code).map(i64::from);
                let message = code.map(|code| rules::words_of_answer(code).into());
                StatusBody { error_code: code, error_message: message, ..status("failed", None, at) }
            }
            (_, Some(Verdict::Unknown)) => status("unknown", None, at),
            (_, Some(_)) => status("queued", None, at),
            (_, None) => self.unsent(at),
        }
    }

    /// The status of a step that was never submitted.
    fn unsent(&self, at: Timestamp) -> StatusBody<'static> {
        /// "Message expired (not delivered at the requested time)".
        const EXPIRED: i64 = 36;
        let State::Done { outcome, at: ended, .. } = self.facts.message.present.state else {
            return status("queued", None, at);
        };
        match outcome {
            Outcome::Expired => StatusBody {
                error_code: Some(EXPIRED),
                error_message: Some(rules::words_of_receipt(EXPIRED).into()),
                ..status("undelivered", Some("undelivered_to_recipient"), ended)
            },
            _ => status("failed", None, ended),
        }
    }
}

fn status(state: &'static str, detail: Option<&'static str>, at: Timestamp) -> StatusBody<'static> {
    StatusBody {
        state: state.into(),
        detail: detail.map(Into::into),
        timestamp: Some(at.rfc3339().into()),
        ..StatusBody::default()
    }
}

fn masked_number(number: Msisdn) -> String {
    masked(&number.to_string())
}

/// The content's type as details spell it.
fn content_type(content: &Content) -> String {
    match content {
        Content::Raw(raw) => rules::content_type(&raw.kind, &raw.content).to_owned(),
        _ => "Text".to_owned(),
    }
}

/// The id of a call for its caller: that of its first batch.
pub(super) fn first_of(call: &Call) -> Option<BatchId> {
    call.batches.first().copied()
}
