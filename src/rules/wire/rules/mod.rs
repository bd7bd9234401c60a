//! What the provider refuses of a request, and with which code.
//!
//! [`check`] needs only the request, the time, and what a server knows of the subaccount ([`Subaccount`]). The practice
//! provider and the server's own API share it, so both refuse the same requests with the same codes and words. What a
//! server alone knows (keys, templates, rates, faults) it checks by itself.

mod addressee;
mod answers;
mod content;
mod form;
mod kind;
mod notification;
mod route;
mod sms;
#[cfg(test)]
mod tests;

use url::Url;

pub use self::addressee::Addressee;
pub use self::answers::{BatchSendAnswer, SendAnswer};
pub use self::content::SubType;
pub use self::form::{Arriving, ArrivingBatch, Form};
pub use self::kind::{ContentType, Kind};
pub use self::route::NamedStep;
use super::codes::words;
use super::{Content, NotificationRequest, SendRequest};
use crate::base::domain::{Channel, Timestamp};

/// What a server knows of the subaccount that a request names.
pub trait Subaccount {
    /// Whether the subaccount can send on the channel.
    fn has_channel(&self, channel: Channel) -> bool;

    /// Whether the subaccount has a sender with this `channelId` on the channel.
    fn has_sender(&self, channel: Channel, channel_id: &str) -> bool;

    /// Whether receipts can be posted to an address.
    fn can_call(&self, url: &str) -> bool;

    /// The steps of a request that names no channel. If there are none, the message is tried on WhatsApp alone, or on the
    /// one channel that carries its content and reaches its recipient.
    fn route(&self) -> Vec<NamedStep<'_>>;
}

/// A valid message, as the rules read it.
#[derive(Debug)]
pub struct Accepted<'r> {
    pub to: Addressee<'r>,
    pub content: AcceptedContent<'r>,
    /// At least one. Each can deliver the message.
    pub steps: Vec<NamedStep<'r>>,
    /// When it is sent, if that is later than now.
    pub scheduled: Option<Timestamp>,
    /// The time at which it is dropped unless it has been delivered.
    pub expiry: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
pub enum AcceptedContent<'r> {
    Message {
        kind: Kind,
        content: &'r Content<'r>,
    },
    /// A LINE notification, which is an approved template, and perhaps the text of its SMS.
    Notification(&'r NotificationRequest<'r>),
}

impl AcceptedContent<'_> {
    /// The type that the details of the message show.
    pub fn content_type(&self) -> ContentType {
        match self {
            Self::Message { kind, content } => ContentType::of(*kind, content),
            Self::Notification(_) => ContentType::Template,
        }
    }
}

/// Why a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub code: i64,
    /// The channel that refuses it, if it is one alone.
    pub channel: Option<Channel>,
}

impl From<i64> for Refusal {
    fn from(code: i64) -> Self {
        Self { code, channel: None }
    }
}

impl Refusal {
    /// The provider's words for it.
    pub fn message(&self) -> &'static str {
        words::of_answer(self.code)
    }
}

const CLIENT_ID_MAX: usize = 50;

/// Whether a text has the form of a subaccount's id.
pub fn is_sub_account_id(text: &str) -> bool {
    (3..=50).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._&".contains(&byte))
}

/// Checks one message in any form.
pub fn check<'r>(
    message: &'r Arriving<'r>,
    subaccount: &'r dyn Subaccount,
    now: Timestamp,
) -> Result<Accepted<'r>, Refusal> {
    let request = &message.request;
    match &message.form {
        Form::Sms(sms) => sms::check(sms)?,
        Form::ChatApps | Form::Notification(_) => check_client_id(request)?,
    }
    match &message.form {
        Form::Notification(notification) => notification::check(notification, request, subaccount),
        Form::ChatApps | Form::Sms(_) => check_message(request, subaccount, now),
    }
}

fn check_client_id(request: &SendRequest<'_>) -> Result<(), i64> {
    if request.client_message_id.as_deref().is_none_or(is_client_id) { Ok(()) } else { Err(3_009) }
}

/// Whether a text may be the id of a program for its message. A NUL is no character of a text: databases end it there.
fn is_client_id(id: &str) -> bool {
    id.chars().count() <= CLIENT_ID_MAX && !id.contains('\0')
}

fn check_message<'r>(
    request: &'r SendRequest<'r>,
    subaccount: &'r dyn Subaccount,
    now: Timestamp,
) -> Result<Accepted<'r>, Refusal> {
    let user = request.user.as_ref().ok_or(3_001)?;
    let to = Addressee::of(user)?;
    let kind = request.kind.as_deref().and_then(Kind::parse).ok_or(3_010)?;
    let content = request.content.as_ref().ok_or(3_004)?;
    let steps = route::steps(request, route::Draft { kind, content, user }, subaccount)?;
    let scheduled = match request.scheduled.as_deref().map(super::instant) {
        Some(None) => return Err(1_011.into()),
        Some(at) => at.filter(|at| *at > now),
        None => None,
    };
    let expiry = match request.expiry.as_deref().map(super::instant) {
        Some(at) => Some(at.filter(|at| *at > now).ok_or(1_006)?),
        None => None,
    };
    check_callback(request, subaccount)?;
    Ok(Accepted { to, content: AcceptedContent::Message { kind, content }, steps, scheduled, expiry })
}

/// Receipts can be posted only to an address of HTTP that the subaccount reaches.
fn check_callback(request: &SendRequest<'_>, subaccount: &dyn Subaccount) -> Result<(), i64> {
    let is_http = |text: &str| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let is_address = |text: &str| is_http(text) && subaccount.can_call(text);
    match request.dlr_callback_url.as_deref() {
        Some(text) if !is_address(text) => Err(3_020),
        _ => Ok(()),
    }
}
