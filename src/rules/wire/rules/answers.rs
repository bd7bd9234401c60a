//! The answers to requests in each form: the chat-apps API and the SMS API each have their own.

use serde::Serialize;

use super::Refusal;
use super::form::{Arriving, ArrivingBatch};
use crate::base::domain::Timestamp;
use crate::rules::wire::codes::words;
use crate::rules::wire::{
    BatchAnswer, MessageAnswer, SmsAnswer, SmsBatchAnswer, SmsRequest, SmsStatus, StatusBody, Text,
};

/// The answer about one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SendAnswer<'a> {
    ChatApps(MessageAnswer<'a>),
    Sms(SmsAnswer<'a>),
}

/// The answer about a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum BatchSendAnswer<'a> {
    ChatApps(BatchAnswer<'a>),
    Sms(SmsBatchAnswer<'a>),
}

impl<'a> Arriving<'a> {
    /// The answer about this message. A refused message has a umid too.
    pub fn answer(&self, umid: String, refusal: Option<Refusal>, now: Timestamp) -> SendAnswer<'a> {
        match self.sms() {
            Some(sms) => SendAnswer::Sms(about_sms(sms, umid, refusal)),
            None => SendAnswer::ChatApps(self.about(umid, refusal, now)),
        }
    }

    fn about(&self, umid: String, refusal: Option<Refusal>, now: Timestamp) -> MessageAnswer<'a> {
        MessageAnswer {
            umid: Some(umid.into()),
            user: self.request.user.clone(),
            client_message_id: self.request.client_message_id.clone(),
            status: StatusBody {
                state: if refusal.is_some() { "rejected" } else { "queued" }.into(),
                timestamp: Some(now.rfc3339().into()),
                error_code: refusal.map(|refusal| refusal.code),
                error_message: refusal.map(|refusal| Text::from(refusal.message())),
                ..StatusBody::default()
            },
        }
    }
}

/// The SMS API has sentences instead of codes.
fn about_sms<'a>(sms: &SmsRequest<'a>, umid: String, refusal: Option<Refusal>) -> SmsAnswer<'a> {
    let (code, description) = match refusal {
        None => ("QUEUED", "SMS is accepted and queued for processing"),
        Some(_) if sms.text.is_empty() => ("REJECTED", "Text value is missing"),
        Some(refusal) => ("REJECTED", words::of_sms_rejection(refusal.code)),
    };
    SmsAnswer {
        umid: umid.into(),
        destination: sms.destination.clone(),
        encoding: sms.encoding.clone(),
        client_message_id: sms.client_message_id.clone(),
        status: SmsStatus { code: code.into(), description: description.into() },
    }
}

impl<'a> ArrivingBatch<'a> {
    /// The answer about this batch. The results are those of its messages, in their order; `umid` is asked only for the
    /// messages that the answer lists.
    pub fn answer<T>(
        &self,
        batch_id: String,
        results: &[Result<T, Refusal>],
        umid: impl Fn(&Result<T, Refusal>) -> String,
        now: Timestamp,
    ) -> BatchSendAnswer<'a> {
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        let count = |messages: usize| i64::try_from(messages).unwrap_or(i64::MAX);
        let (accepted_count, rejected_count) = (count(accepted), count(results.len() - accepted));
        let listed = self.messages.iter().zip(results).filter(|_| self.include_messages_in_response);
        let listed = listed.map(|(message, result)| (message, umid(result), result.as_ref().err().copied()));
        let (batch_id, client_batch_id) = (Text::from(batch_id), self.client_batch_id.clone());
        if self.is_sms() {
            let messages = listed.filter_map(|(message, umid, refusal)| Some(about_sms(message.sms()?, umid, refusal)));
            let messages = messages.collect();
            return BatchSendAnswer::Sms(SmsBatchAnswer {
                batch_id,
                client_batch_id,
                accepted_count,
                rejected_count,
                messages,
            });
        }
        BatchSendAnswer::ChatApps(BatchAnswer {
            batch_id: Some(batch_id),
            client_batch_id,
            accepted_count: Some(accepted_count),
            rejected_count: Some(rejected_count),
            messages: listed.map(|(message, umid, refusal)| message.about(umid, refusal, now)).collect(),
        })
    }
}
