//! The forms in which messages arrive: of the chat-apps API, of the SMS API, and LINE notifications. Each is also read as a
//! message of the first form, in which it is counted, kept and sent.

use super::intake::Refusal;
use super::{Model, words};
use crate::domain::{Channel, Msisdn};
use crate::wire::{
    BatchRequest, ChannelStep, Content, NotificationBatch, NotificationContent, NotificationRequest, SendRequest, Sms,
    SmsAnswer, SmsBatch, SmsRequest, SmsStatus, Text, User,
};

/// A message as it arrived.
pub(super) struct Arriving<'a> {
    /// As a message of the chat-apps API.
    pub(super) request: SendRequest<'a>,
    pub(super) form: Form<'a>,
}

pub(super) enum Form<'a> {
    ChatApps,
    Sms(Box<SmsRequest<'a>>),
    Notification(Box<NotificationRequest<'a>>),
}

/// The messages of a batch.
pub(super) struct ArrivingBatch<'a> {
    pub(super) client_batch_id: Option<Text<'a>>,
    pub(super) include_messages_in_response: bool,
    pub(super) messages: Vec<Arriving<'a>>,
}

/// Reads one message of the chat-apps API or of the SMS API, which have the same path. Only the first names a `user`.
pub(super) fn message(body: &[u8]) -> serde_json::Result<Arriving<'_>> {
    let request: SendRequest<'_> = serde_json::from_slice(body)?;
    let of_sms = || serde_json::from_slice::<SmsRequest<'_>>(body).ok().filter(SmsRequest::is_addressed);
    let sms = if request.user.is_none() { of_sms() } else { None };
    Ok(sms.map_or_else(|| Arriving::from(request), Arriving::from))
}

/// Reads the messages of a batch, each as [`message`] does.
pub(super) fn messages(body: &[u8]) -> serde_json::Result<ArrivingBatch<'_>> {
    let batch: BatchRequest<'_> = serde_json::from_slice(body)?;
    if batch.messages.first().is_some_and(|first| first.user.is_none())
        && let Ok(batch) = serde_json::from_slice::<SmsBatch<'_>>(body)
        && batch.messages.iter().any(SmsRequest::is_addressed)
    {
        let SmsBatch { client_batch_id, include_messages_in_response, messages } = batch;
        return Ok(ArrivingBatch::of(client_batch_id, include_messages_in_response, messages));
    }
    let (client_batch_id, include) = (batch.client_batch_id.clone(), batch.include_messages_in_response);
    Ok(ArrivingBatch::of(client_batch_id, include, batch.into_messages()))
}

pub(super) fn notification(body: &[u8]) -> serde_json::Result<Arriving<'_>> {
    serde_json::from_slice::<NotificationRequest<'_>>(body).map(Arriving::from)
}

pub(super) fn notifications(body: &[u8]) -> serde_json::Result<ArrivingBatch<'_>> {
    let NotificationBatch { client_batch_id, include_messages_in_response, messages } = serde_json::from_slice(body)?;
    Ok(ArrivingBatch::of(client_batch_id, include_messages_in_response, messages))
}

impl<'a> ArrivingBatch<'a> {
    fn of<M: Into<Arriving<'a>>>(client_batch_id: Option<Text<'a>>, include: bool, messages: Vec<M>) -> Self {
        let messages = messages.into_iter().map(Into::into).collect();
        Self { client_batch_id, include_messages_in_response: include, messages }
    }

    /// Why the whole batch is refused.
    pub(super) fn refusal(&self) -> Option<i64> {
        let is_sms = self.messages.first().and_then(Arriving::sms).is_some();
        let (id_max, code) = if is_sms { (20, 1_008) } else { (100, 3_014) };
        match self.messages.len() {
            0 => Some(3_012),
            len if len > BATCH_MAX => Some(3_013),
            _ => self.client_batch_id.as_ref().filter(|id| id.chars().count() > id_max).map(|_| code),
        }
    }
}

const BATCH_MAX: usize = 10_000;

impl<'a> From<SendRequest<'a>> for Arriving<'a> {
    fn from(request: SendRequest<'a>) -> Self {
        Self { request, form: Form::ChatApps }
    }
}

impl<'a> From<SmsRequest<'a>> for Arriving<'a> {
    fn from(sms: SmsRequest<'a>) -> Self {
        let encoding = Some(sms.encoding.clone()).filter(|encoding| !encoding.is_empty());
        let settings = Sms { encoding, source: sms.source.clone() };
        let request = SendRequest {
            user: Some(User { msisdn: Some(sms.destination.clone()), ..User::default() }),
            client_message_id: Some(sms.client_message_id.clone()).filter(|id| !id.is_empty()),
            kind: Some("text".into()),
            content: Some(Content { text: Some(sms.text.clone()), sms: Some(settings), ..Content::default() }),
            channels: vec![step(Channel::Sms)],
            scheduled: sms.scheduled.clone(),
            expiry: sms.expiry.clone(),
            dlr_callback_url: sms.dlr_callback_url.clone(),
            ..SendRequest::default()
        };
        Self { request, form: Form::Sms(Box::new(sms)) }
    }
}

impl<'a> From<NotificationRequest<'a>> for Arriving<'a> {
    fn from(notification: NotificationRequest<'a>) -> Self {
        let fallback_text = notification.sms_fallback.as_ref().and_then(|sms| sms.text.clone());
        let request = SendRequest {
            user: notification.user.clone(),
            client_message_id: notification.client_message_id.clone(),
            dlr_callback_url: notification.dlr_callback_url.clone(),
            content: Some(Content { fallback_text, ..Content::default() }),
            channels: vec![step(Channel::LineNotification)],
            ..SendRequest::default()
        };
        Self { request, form: Form::Notification(Box::new(notification)) }
    }
}

fn step(channel: Channel) -> ChannelStep<'static> {
    ChannelStep { channel: channel.as_str().into(), ..ChannelStep::default() }
}

impl<'a> Arriving<'a> {
    /// The message as the SMS API has it, if that took it.
    pub(super) fn sms(&self) -> Option<&SmsRequest<'a>> {
        match &self.form {
            Form::Sms(sms) => Some(sms),
            Form::ChatApps | Form::Notification(_) => None,
        }
    }

    /// The JSON that is kept of it, in its own form.
    pub(super) fn kept(&self) -> String {
        let written = match &self.form {
            Form::ChatApps => serde_json::to_string(&self.request),
            Form::Sms(sms) => serde_json::to_string(sms),
            Form::Notification(notification) => serde_json::to_string(notification),
        };
        // Plain structs and texts cannot fail to serialize.
        written.unwrap_or_default()
    }
}

const SMS_SOURCE_MAX: usize = 16;
const SMS_TEXT_MAX: usize = 35_000;
const SMS_CLIENT_ID_MAX: usize = 350;

/// Checks what the SMS API has codes of its own for.
pub(super) fn check_sms(sms: &SmsRequest<'_>) -> Result<(), i64> {
    let len = |text: &str| text.chars().count();
    if sms.destination.parse::<Msisdn>().is_err() {
        return Err(1_002);
    }
    if !matches!(sms.encoding.to_ascii_uppercase().as_str(), "" | "AUTO" | "GSM7" | "UCS2") {
        return Err(1_003);
    }
    if sms.text.is_empty() || len(&sms.text) > SMS_TEXT_MAX {
        return Err(1_004);
    }
    if sms.source.as_deref().is_some_and(|source| len(source) > SMS_SOURCE_MAX) {
        return Err(1_005);
    }
    if len(&sms.client_message_id) > SMS_CLIENT_ID_MAX { Err(1_008) } else { Ok(()) }
}

impl Model {
    /// The answer of the SMS API about one message.
    pub(super) fn sms_answer<'a>(&self, sms: &SmsRequest<'a>, result: &Result<u32, Refusal>) -> SmsAnswer<'a> {
        let (umid, code, description) = match result {
            Ok(n) => (self.umids.of(*n).to_string(), "QUEUED", "SMS is accepted and queued for processing"),
            Err(_) if sms.text.is_empty() => (self.random_id(), "REJECTED", "Text value is missing"),
            Err(refusal) => (self.random_id(), "REJECTED", words::of_sms_rejection(refusal.code)),
        };
        SmsAnswer {
            umid: umid.into(),
            destination: sms.destination.clone(),
            encoding: sms.encoding.clone(),
            client_message_id: sms.client_message_id.clone(),
            status: SmsStatus { code: code.into(), description: description.into() },
        }
    }
}

/// The longest notification.
const NOTIFICATION_MAX: usize = 500;

/// Checks the texts of a LINE notification and of its SMS.
pub(super) fn check_notification(notification: &NotificationRequest<'_>) -> Result<(), i64> {
    let content = notification.content.as_ref().ok_or(3_004)?;
    if content.title.as_deref().is_none_or(str::is_empty) {
        return Err(3_005);
    }
    if shown(content) > NOTIFICATION_MAX {
        return Err(3_006);
    }
    let Some(sms) = &notification.sms_fallback else { return Ok(()) };
    if sms.text.as_deref().is_some_and(|text| text.chars().count() > SMS_TEXT_MAX) {
        return Err(3_017);
    }
    if sms.source.as_deref().is_some_and(|source| source.chars().count() > SMS_SOURCE_MAX) {
        Err(3_011)
    } else {
        Ok(())
    }
}

/// The characters of every text that the recipient sees: without addresses and the name of the icon.
fn shown(content: &NotificationContent<'_>) -> usize {
    let NotificationContent { title, company, icon: _, emphasis, list, explanation, greeting, actions } = content;
    let single = [title, company, explanation, greeting].into_iter().flatten();
    let emphasis = emphasis.iter().flat_map(|emphasis| [&emphasis.label, &emphasis.content]);
    let list = list.iter().flat_map(|entry| [&entry.label, &entry.content]);
    let titles = actions.iter().map(|action| &action.title);
    single.chain(emphasis).chain(list).chain(titles).map(|text| text.chars().count()).sum()
}
