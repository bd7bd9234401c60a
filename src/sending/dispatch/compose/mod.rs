//! Composes the body of the provider's request from a step's content.

mod cards;
mod interactive;
mod notification;
mod rich;
mod sms;
mod template;

use crate::base::domain::{Channel, Content, Country, MessagingApi, Names, RawContent, SmsEncoding, Step, StepIndex};
use crate::rules::template::{
    self as texts, ATTEMPT_MARK, MSISDN_MARK, MarkedContent, PartsOf, Pattern, USER_MARK, expiry_mark,
};
use crate::rules::wire;
use crate::rules::wire::rules::Kind;

#[derive(Debug, thiserror::Error)]
pub enum Uncomposable {
    #[error("the route has no step {step}")]
    NoStep { step: StepIndex },
    #[error("the SMS API sends texts alone")]
    NoText,
    #[error(transparent)]
    Template(#[from] texts::Error),
    #[error("cannot serialize the request")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Pattern(#[from] texts::InvalidPattern),
}

/// Which of its recipients a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct For {
    pub country: Country,
    /// They have no number: the channel knows them by an id.
    pub has_no_number: bool,
}

impl From<Country> for For {
    fn from(country: Country) -> Self {
        Self { country, has_no_number: false }
    }
}

/// Compiles a step's request: serialized once as the wire type, with slots for the values of each recipient.
pub fn compose(
    api: MessagingApi,
    step: &Step,
    lane: &str,
    For { country, has_no_number }: For,
    names: Names<'_>,
) -> Result<Pattern, Uncomposable> {
    let mut marked = texts::mark(&step.content, step.user_id.as_deref(), names)?;
    if has_no_number && marked.user_id.is_none() {
        marked.user_id = Some(USER_MARK.to_owned());
    }
    let compiled = |marked: &MarkedContent| -> Result<Pattern, Uncomposable> {
        let request = match api {
            MessagingApi::ChatApps => request(step, lane, country, marked)?,
            MessagingApi::Sms => sms::request(step, lane, country, marked)?,
        };
        Ok(Pattern::new(&request, &marked.variables)?)
    };
    let pattern = compiled(&marked)?;
    match &mut marked.content {
        Content::Text { text, .. } if step.transliterate => {
            let Some(plain) = texts::plain_marked(text) else { return Ok(pattern) };
            *text = plain;
            match PartsOf::of_step(step, names) {
                Some(parts) => Ok(pattern.or_plain(compiled(&marked)?, parts?)),
                // Only an SMS is transliterated.
                None => Ok(pattern),
            }
        }
        _ => Ok(pattern),
    }
}

/// The request of a marked content. Its `type` and its `content` are spelled as in the samples of the channel.
fn request(step: &Step, lane: &str, country: Country, marked: &MarkedContent) -> Result<String, serde_json::Error> {
    let (channel, envelope) = (step.channel, envelope(step, marked.user_id.as_deref()));
    let (kind, content) = match &marked.content {
        Content::Template(content) => (Kind::Template, template::content(content)),
        Content::ZaloTemplate(content) => (Kind::Template, template::zalo_content(content)),
        Content::Text { text, source: _, encoding } => {
            let sms = (channel == Channel::Sms).then(|| wire::Sms {
                encoding: Some(encoding.map_or("AUTO", SmsEncoding::as_str).into()),
                source: step.source(lane, country).map(Into::into),
            });
            (Kind::Text, wire::Content { text: Some(text.as_str().into()), sms, ..wire::Content::default() })
        }
        Content::Rich(message) => rich::content(channel, message),
        Content::Location(location) => {
            let location = Some(rich::location(location, channel));
            (Kind::Location, wire::Content { location, ..wire::Content::default() })
        }
        Content::Interactive(message) => {
            let interactive = Some(interactive::message(message));
            (Kind::Interactive, wire::Content { interactive, ..wire::Content::default() })
        }
        Content::Card(message) => (Kind::RichCard, cards::rich_card(message)),
        Content::Carousel(message) => (Kind::Carousel, cards::carousel(message)),
        Content::Notification(notification) => {
            return serde_json::to_string(&notification::request(notification, envelope));
        }
        Content::Raw(raw) => return raw_request(raw, envelope),
    };
    serde_json::to_string(&wire::SendRequest {
        kind: Some(kind.spelled(channel).into()),
        content: Some(content),
        ..envelope
    })
}

/// What requests of all contents have in common.
fn envelope<'a>(step: &Step, user_id: Option<&'a str>) -> wire::SendRequest<'a> {
    let user = match user_id {
        Some(id) if step.channel == Channel::WhatsApp => {
            wire::User { channel_user_id: Some(id.into()), ..wire::User::default() }
        }
        Some(id) => wire::User { line_user_id: Some(id.into()), ..wire::User::default() },
        None => wire::User { msisdn: Some(MSISDN_MARK.into()), ..wire::User::default() },
    };
    wire::SendRequest {
        user: Some(user),
        client_message_id: Some(ATTEMPT_MARK.into()),
        expiry: step.ttl.map(|ttl| expiry_mark(ttl).into()),
        // Exactly this step's channel: Volley decides fallbacks, never the provider.
        channels: vec![wire::ChannelStep { channel: step.channel.as_str().into(), ..wire::ChannelStep::default() }],
        ..wire::SendRequest::default()
    }
}

/// A request whose content may have keys that the wire type does not know.
fn raw_request(raw: &RawContent, envelope: wire::SendRequest<'_>) -> Result<String, serde_json::Error> {
    let request = wire::SendRequest { kind: Some(raw.kind.as_str().into()), ..envelope };
    let mut request = serde_json::to_value(request)?;
    request["content"] = serde_json::Value::Object(raw.content.clone());
    Ok(request.to_string())
}

#[cfg(test)]
mod injection;
#[cfg(test)]
mod tests;
