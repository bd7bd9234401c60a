//! LINE notifications: an address and a body of their own. Every one is an approved template, so its texts fill one in.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::intake::{Arriving, Checked, Refusal, addressee};
use super::record::{ChainStep, ContentType, Doom};
use super::{Model, Reply};
use crate::domain::{Channel, Timestamp};
use crate::wire::{BatchAnswer, ChannelStep, Content, Hidden, SendRequest, Text, User};

/// The longest notification.
const LONGEST: usize = 500;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Notification<'a> {
    #[serde(borrow)]
    user: Option<User<'a>>,
    #[serde(borrow)]
    client_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    dlr_callback_url: Option<Text<'a>>,
    #[serde(borrow)]
    sms_fallback: Option<SmsFallback<'a>>,
    content: Option<Value>,
}

#[derive(Deserialize)]
struct SmsFallback<'a> {
    #[serde(borrow)]
    text: Option<Hidden<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Batch<'a> {
    #[serde(borrow)]
    client_batch_id: Option<Text<'a>>,
    include_messages_in_response: bool,
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

impl Model {
    /// Handles a notification, as `POST …/lon` does.
    pub(super) fn line_notification(&mut self, sub_account: &str, body: &[u8], now: Timestamp) -> Reply {
        let notification = match serde_json::from_slice::<Notification<'_>>(body) {
            Ok(notification) => notification,
            Err(error) => return self.unreadable(&error, now),
        };
        let request = notification.request();
        match self.check_notification(sub_account, &notification, now) {
            Ok(checked) => {
                let arriving = Arriving { request: &request, body: std::str::from_utf8(body).ok() };
                let n = self.accept(sub_account, &arriving, &checked, None, now);
                Reply::ok(&self.accepted_answer(n, &request, now))
            }
            Err(refusal) => {
                self.seen.refuse(refusal.channel);
                self.refused(400, refusal.code, now)
            }
        }
    }

    /// Handles many notifications, as `POST …/lon/batch` does.
    pub(super) fn line_notifications(&mut self, sub_account: &str, body: &[u8], now: Timestamp) -> Reply {
        let read = serde_json::from_slice::<Batch<'_>>(body).and_then(|batch| {
            let each = batch.messages.iter().map(|raw| serde_json::from_str::<Notification<'_>>(raw.get()));
            Ok((each.collect::<Result<Vec<_>, _>>()?, batch))
        });
        let (notifications, batch) = match read {
            Ok(read) => read,
            Err(error) => return self.unreadable(&error, now),
        };
        if notifications.is_empty() {
            return self.refused(400, 3_012, now);
        }
        self.seen.batches += 1;
        let opened = self.open_batch(batch.client_batch_id.as_deref());
        let (mut answers, mut rejected) = (Vec::new(), 0);
        for (notification, raw) in notifications.iter().zip(&batch.messages) {
            let request = notification.request();
            answers.push(match self.check_notification(sub_account, notification, now) {
                Ok(checked) => {
                    let arriving = Arriving { request: &request, body: Some(raw.get()) };
                    let n = self.accept(sub_account, &arriving, &checked, Some(opened), now);
                    self.accepted_answer(n, &request, now)
                }
                Err(refusal) => {
                    rejected += 1;
                    self.seen.refuse(refusal.channel);
                    self.rejected_answer(&request, refusal, now)
                }
            });
        }
        let accepted = i64::try_from(answers.len()).unwrap_or(i64::MAX) - rejected;
        answers.retain(|_| batch.include_messages_in_response);
        Reply::ok(&BatchAnswer {
            batch_id: Some(self.batches[opened as usize].id.to_string().into()),
            client_batch_id: batch.client_batch_id,
            accepted_count: Some(accepted),
            rejected_count: Some(rejected),
            messages: answers,
        })
    }

    fn check_notification(
        &self,
        sub_account: &str,
        notification: &Notification<'_>,
        now: Timestamp,
    ) -> Result<Checked, Refusal> {
        if !self.has_sub_account(sub_account) {
            return Err(1_001.into());
        }
        let (to, user_id) = addressee(notification.user.as_ref().ok_or(3_001)?)?;
        if to.number().is_none() {
            return Err(3_002.into());
        }
        let content = notification.content.as_ref().ok_or(3_004)?;
        if content["title"].as_str().is_none_or(str::is_empty) {
            return Err(3_005.into());
        }
        if length(content) > LONGEST {
            return Err(3_006.into());
        }
        let channel = Channel::LineNotification;
        if let Some(code) = self.rejection(to, channel) {
            return Err(Refusal { code: code.into(), channel: Some(channel) });
        }
        let step = |channel: Channel| ChainStep { channel, fallback_after: None, success: channel.default_success() };
        let sms = notification.sms_text().map(|_| step(Channel::Sms));
        Ok(Checked {
            to,
            user_id,
            content_type: ContentType::Template,
            steps: [step(channel)].into_iter().chain(sms).collect(),
            doom: if self.faults_now(now).no_credit { Doom::NoCredit } else { Doom::None },
            scheduled: None,
            expiry: None,
        })
    }
}

impl<'a> Notification<'a> {
    fn sms_text(&self) -> Option<&Hidden<'a>> {
        self.sms_fallback.as_ref()?.text.as_ref().filter(|text| !text.is_empty())
    }

    /// The same as a message of the usual form, for what the model counts and answers.
    fn request(&self) -> SendRequest<'a> {
        let channel = |channel: Channel| ChannelStep { channel: channel.as_str().into(), ..ChannelStep::default() };
        SendRequest {
            user: self.user.clone(),
            client_message_id: self.client_message_id.clone(),
            dlr_callback_url: self.dlr_callback_url.clone(),
            content: Some(Content { fallback_text: self.sms_text().cloned(), ..Content::default() }),
            channels: vec![channel(Channel::LineNotification)],
            ..SendRequest::default()
        }
    }
}

/// The characters of every text that the recipient sees: without addresses and the name of the icon.
fn length(content: &Value) -> usize {
    match content {
        Value::String(text) => text.chars().count(),
        Value::Array(values) => values.iter().map(length).sum(),
        Value::Object(parts) => {
            parts.iter().filter(|(key, _)| !["url", "icon"].contains(&key.as_str())).map(|(_, part)| length(part)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
