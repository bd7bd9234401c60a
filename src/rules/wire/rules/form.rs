//! The forms in which messages arrive: of the chat-apps API, of the SMS API, and LINE notifications. Each is also read as a
//! message of the first form, in which it is counted, kept and sent.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::base::domain::Channel;
use crate::rules::wire::loose::{self, BATCH_MAX};
use crate::rules::wire::{
    BatchRequest, ChannelStep, Content, NotificationBatch, NotificationRequest, SendRequest, Sms, SmsBatch, SmsRequest,
    Text, User,
};

/// A message as it arrived.
#[derive(Debug)]
pub struct Arriving<'a> {
    /// As a message of the chat-apps API.
    pub request: SendRequest<'a>,
    pub form: Form<'a>,
    written: Written<'a>,
}

/// The JSON of a message as its sender wrote it.
#[derive(Debug)]
struct Written<'a> {
    own: &'a [u8],
    /// That of the batch, for the keys that it lacks.
    defaults: Option<Arc<Map<String, Value>>>,
}

#[derive(Debug)]
pub enum Form<'a> {
    ChatApps,
    Sms(Box<SmsRequest<'a>>),
    Notification(Box<NotificationRequest<'a>>),
}

/// The messages of a batch.
#[derive(Debug)]
pub struct ArrivingBatch<'a> {
    pub client_batch_id: Option<Text<'a>>,
    pub include_messages_in_response: bool,
    pub messages: Vec<Arriving<'a>>,
}

impl<'a> Arriving<'a> {
    /// Reads one message of the chat-apps API or of the SMS API, which have the same path. Only the first names a `user`.
    pub fn message(body: &'a [u8]) -> serde_json::Result<Self> {
        loose::check_values(body, VALUES_MAX)?;
        let (request, written): (SendRequest<'_>, _) = (serde_json::from_slice(body)?, Written::alone(body));
        let of_sms = || serde_json::from_slice::<SmsRequest<'_>>(body).ok().filter(SmsRequest::is_addressed);
        let sms = if request.user.is_none() { of_sms() } else { None };
        Ok(match sms {
            Some(sms) => Self::from((sms, written)),
            None => Self::from((request, written)),
        })
    }

    /// Reads one LINE notification.
    pub fn notification(body: &'a [u8]) -> serde_json::Result<Self> {
        loose::check_values(body, VALUES_MAX)?;
        serde_json::from_slice::<NotificationRequest<'_>>(body).map(|read| Self::from((read, Written::alone(body))))
    }

    /// The keys and values of its JSON, as its sender wrote them.
    pub fn written(&self) -> Map<String, Value> {
        // What was read once can be read again.
        let mut written: Map<String, Value> = serde_json::from_slice(self.written.own).unwrap_or_default();
        for (key, value) in self.written.defaults.iter().flat_map(|defaults| defaults.iter()) {
            if written.get(key).is_none_or(Value::is_null) {
                written.insert(key.clone(), value.clone());
            }
        }
        written
    }

    /// The message as the SMS API has it, if that took it.
    pub fn sms(&self) -> Option<&SmsRequest<'a>> {
        match &self.form {
            Form::Sms(sms) => Some(sms),
            Form::ChatApps | Form::Notification(_) => None,
        }
    }

    /// Its JSON, in its own form.
    pub fn json(&self) -> serde_json::Result<String> {
        match &self.form {
            Form::ChatApps => serde_json::to_string(&self.request),
            Form::Sms(sms) => serde_json::to_string(sms),
            Form::Notification(notification) => serde_json::to_string(notification),
        }
    }
}

impl<'a> ArrivingBatch<'a> {
    /// Reads the messages of a batch, each as [`Arriving::message`] does.
    pub fn messages(body: &'a [u8]) -> serde_json::Result<Self> {
        loose::check_values(body, BATCH_VALUES_MAX)?;
        let batch: BatchRequest<'_> = serde_json::from_slice(body)?;
        if batch.messages.first().is_some_and(|first| first.user.is_none())
            && let Ok(batch) = serde_json::from_slice::<SmsBatch<'_>>(body)
            && batch.messages.iter().any(SmsRequest::is_addressed)
        {
            let (client_batch_id, include) = (batch.client_batch_id.clone(), batch.include_messages_in_response);
            return Self::of(body, client_batch_id, include, batch.into_messages());
        }
        let (client_batch_id, include) = (batch.client_batch_id.clone(), batch.include_messages_in_response);
        Self::of(body, client_batch_id, include, batch.into_messages())
    }

    /// Reads a batch of LINE notifications.
    pub fn notifications(body: &'a [u8]) -> serde_json::Result<Self> {
        loose::check_values(body, BATCH_VALUES_MAX)?;
        let NotificationBatch { client_batch_id, include_messages_in_response, messages } =
            serde_json::from_slice(body)?;
        Self::of(body, client_batch_id, include_messages_in_response, messages)
    }

    fn of<M>(
        body: &'a [u8],
        client_batch_id: Option<Text<'a>>,
        include: bool,
        messages: Vec<M>,
    ) -> serde_json::Result<Self>
    where
        Arriving<'a>: From<(M, Written<'a>)>,
    {
        let WrittenBatch { template, messages: all } = serde_json::from_slice(body)?;
        let template = template.map(RawValue::get);
        if template.is_some_and(|template| template.len() * messages.len() > COPIES_MAX) {
            return Err(Error::custom("its template is too large for so many messages: each may get a copy of it"));
        }
        let defaults = template.map(serde_json::from_str).transpose()?.map(Arc::new);
        let written = all.into_iter().map(|own| Written { own: own.get().as_bytes(), defaults: defaults.clone() });
        let messages = messages.into_iter().zip(written).map(Arriving::from).collect();
        Ok(Self { client_batch_id, include_messages_in_response: include, messages })
    }

    /// Why the whole batch is refused, as the provider's code.
    pub fn refusal(&self) -> Option<i64> {
        let (id_max, code) = if self.is_sms() { (20, 1_008) } else { (100, 3_014) };
        match self.messages.len() {
            0 => Some(3_012),
            len if len > BATCH_MAX => Some(3_013),
            _ => self.client_batch_id.as_ref().filter(|id| id.chars().count() > id_max).map(|_| code),
        }
    }

    /// Whether the SMS API took it.
    pub(super) fn is_sms(&self) -> bool {
        self.messages.first().and_then(Arriving::sms).is_some()
    }
}

impl<'a> Written<'a> {
    const fn alone(body: &'a [u8]) -> Self {
        Self { own: body, defaults: None }
    }
}

/// A batch whose messages are not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenBatch<'a> {
    #[serde(borrow)]
    template: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "loose::messages")]
    messages: Vec<&'a RawValue>,
}

/// JSON values of one message, and of a batch: a hundred for each message that it may have.
const VALUES_MAX: usize = 10_000;
const BATCH_VALUES_MAX: usize = 100 * BATCH_MAX;
/// Bytes of the defaults of a batch, once for each of its messages.
const COPIES_MAX: usize = 64 << 20;

impl<'a> From<(SendRequest<'a>, Written<'a>)> for Arriving<'a> {
    fn from((request, written): (SendRequest<'a>, Written<'a>)) -> Self {
        Self { request, form: Form::ChatApps, written }
    }
}

impl<'a> From<(SmsRequest<'a>, Written<'a>)> for Arriving<'a> {
    fn from((sms, written): (SmsRequest<'a>, Written<'a>)) -> Self {
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
        Self { request, form: Form::Sms(Box::new(sms)), written }
    }
}

impl<'a> From<(NotificationRequest<'a>, Written<'a>)> for Arriving<'a> {
    fn from((notification, written): (NotificationRequest<'a>, Written<'a>)) -> Self {
        let fallback_text = notification.sms_fallback.as_ref().and_then(|sms| sms.text.clone());
        let request = SendRequest {
            user: notification.user.clone(),
            client_message_id: notification.client_message_id.clone(),
            dlr_callback_url: notification.dlr_callback_url.clone(),
            content: Some(Content { fallback_text, ..Content::default() }),
            channels: vec![step(Channel::LineNotification)],
            ..SendRequest::default()
        };
        Self { request, form: Form::Notification(Box::new(notification)), written }
    }
}

fn step(channel: Channel) -> ChannelStep<'static> {
    ChannelStep { channel: channel.as_str().into(), ..ChannelStep::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read, each of these takes a thousand times its length.
    #[test]
    fn no_more_values_are_read_than_a_request_may_have() {
        let batch = |count: usize| format!("{{\"messages\":[{}{{}}]}}", "{},".repeat(count - 1));
        for (count, read) in [(1, 1), (BATCH_MAX, BATCH_MAX), (BATCH_MAX + 1, BATCH_MAX + 1), (300_000, BATCH_MAX + 1)]
        {
            let batch = batch(count);
            assert_eq!(ArrivingBatch::messages(batch.as_bytes()).unwrap().messages.len(), read, "{count}");
            assert_eq!(ArrivingBatch::notifications(batch.as_bytes()).unwrap().messages.len(), read, "{count}");
        }
        let refused = ArrivingBatch::messages(batch(600_000).as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("more than 1000000 values"), "{refused}");
        for list in ["\"channels\":[", "\"context\":[", "\"content\":{\"template\":{\"components\":["] {
            let ends = "}".repeat(list.matches('{').count() + 1);
            let body = format!("{{{list}{}{{}}]{ends}", "{},".repeat(20_000));
            let refused = Arriving::message(body.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains("more than 10000 values"), "{list}: {refused}");
        }
        let with_defaults = |bytes: usize| {
            format!("{{\"template\":{{\"x\":\"{}\"}},\"messages\":[{}{{}}]}}", "y".repeat(bytes), "{},".repeat(9_999))
        };
        assert_eq!(ArrivingBatch::messages(with_defaults(6_000).as_bytes()).unwrap().messages.len(), 10_000);
        let refused = ArrivingBatch::messages(with_defaults(7_000).as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("too large for so many messages"), "{refused}");
        let text = format!("{{\"content\":{{\"text\":\"{}\"}}}}", "[{\\\",\\\\".repeat(20_000));
        assert!(Arriving::message(text.as_bytes()).is_ok(), "signs in a text are no values");
    }
}
