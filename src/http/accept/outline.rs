//! Turns a checked request into a plan that many messages share, and into one recipient with its texts.

use serde_json::{Map, Value};

use super::origin::Origin;
use super::slots::Slots;
use crate::base::domain::{
    Address, ApiCalls, Channel, Content, Country, Extras, Fields, Labelled, Notification, NotificationLink, Plan,
    Purpose, RawContent, Recipient, SmsEncoding, Sources, Step, Timestamp, point_at,
};
use crate::campaigns::campaign::SingleMessage;
use crate::rules::wire::NotificationContent;
use crate::rules::wire::rules::{Addressee, NamedStep};

/// No lane of the subaccount sends on the channel.
const NO_SUCH_CHANNEL: i64 = 3_027;
/// The `channelId` of a step names no lane.
const NO_SUCH_SENDER: i64 = 3_051;
const INVALID_CHANNEL: i64 = 3_022;
const TEXT_MISSING: i64 = 3_005;

/// What is read of a request that the provider's rules accept.
#[derive(Debug)]
pub(super) struct Read<'r> {
    pub(super) address: Address,
    pub(super) country: Country,
    /// Whom the request names.
    pub(super) to: &'r Addressee<'r>,
    pub(super) purpose: Purpose,
    pub(super) client_message_id: Option<&'r str>,
    pub(super) body: Body<'r>,
    pub(super) sms: SmsText<'r>,
    pub(super) steps: Vec<NamedStep<'r>>,
    pub(super) callback: Option<&'r str>,
    pub(super) scheduled: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    /// What the request has that no message of ours keeps elsewhere.
    pub(super) extras: Extras,
}

/// What the steps send that are no SMS.
#[derive(Debug)]
pub(super) enum Body<'r> {
    Message {
        /// The provider's `type`.
        kind: &'r str,
        /// As the caller wrote it.
        content: Map<String, Value>,
        /// The same as Volley reads it.
        known: Map<String, Value>,
    },
    Notification(&'r NotificationContent<'r>),
}

/// What an SMS step sends.
#[derive(Debug, Default)]
pub(super) struct SmsText<'r> {
    pub(super) text: Option<&'r str>,
    pub(super) source: Option<&'r str>,
    pub(super) encoding: Option<SmsEncoding>,
}

/// A message as it is stored: the plan that it shares with others of its kind, and everything that is its own.
#[derive(Debug)]
pub(super) struct Outlined {
    pub(super) plan: Plan,
    pub(super) message: SingleMessage,
}

/// The messages of one plan, with what belongs to each.
pub(super) type Alike<T> = (Plan, Vec<SingleMessage>, Vec<T>);

/// Adds a message to those of its plan.
pub(super) fn add<T>(plans: &mut Vec<Alike<T>>, Outlined { plan, message }: Outlined, own: T) {
    // Messages of one plan often follow each other.
    match plans.iter_mut().rev().find(|(known, ..)| *known == plan) {
        Some((_, messages, all)) => {
            messages.push(message);
            all.push(own);
        }
        None => plans.push((plan, vec![message], vec![own])),
    }
}

/// Outlines a message.
pub(super) fn outline(origin: &Origin<'_>, read: Read<'_>) -> Result<Outlined, i64> {
    let mut slots = Slots::default();
    let Read { address, country, to, purpose, client_message_id, steps: wanted, callback, scheduled, expiry, .. } =
        read;
    let mut writing = Writing { body: read.body, sms: read.sms, taken: None, extras: read.extras };
    let mut steps: Vec<Step> = Vec::with_capacity(wanted.len());
    for named in &wanted {
        // A receipt names the channel and no step.
        if steps.iter().any(|step| step.channel == named.channel) {
            return Err(INVALID_CHANNEL);
        }
        let is_last = steps.len() + 1 == wanted.len();
        let user_id = to.id_on(named.channel).map(|id| slots.add("userId", id));
        steps.push(Step {
            lanes: origin.pool(*named).ok_or(if named.channel_id.is_some() {
                NO_SUCH_SENDER
            } else {
                NO_SUCH_CHANNEL
            })?,
            fallback_after: named.fallback_after.filter(|_| !is_last),
            success: named.success,
            user_id,
            content: writing.content_on(named.channel, &mut slots)?,
            purpose: Some(purpose),
            ..Step::of_text(named.channel, "", "")
        });
    }
    let callback = callback.and_then(|url| {
        slots.add("dlrCallbackUrl", url);
        slots.last()
    });
    writing.note_unknown_of_sms();
    // Always there, so that messages with and without them share a plan.
    slots.add("extras", &writing.extras.to_text());
    let extras = slots.last();
    let (columns, fields) = slots.into_parts();
    let (sub_account, caller) = (origin.sub_account.to_owned(), origin.caller.id.clone());
    let api = Some(ApiCalls { sub_account, caller, callback, extras });
    let plan = Plan { columns, api, ..Plan::of_steps(steps) };
    let client_message_id = client_message_id.filter(|id| !id.is_empty()).map(Into::into);
    let fields = Fields::pack(fields.iter().map(String::as_str));
    let recipient = Recipient { address: Some(address), country, client_message_id, fields };
    Ok(Outlined { plan, message: SingleMessage { recipient, not_before: scheduled, expires: expiry } })
}

/// The content of a message, as each of its steps sends it.
struct Writing<'r> {
    body: Body<'r>,
    sms: SmsText<'r>,
    /// The content of the steps that are no SMS, without its texts.
    taken: Option<Content>,
    extras: Extras,
}

impl Writing<'_> {
    fn content_on(&mut self, channel: Channel, slots: &mut Slots) -> Result<Content, i64> {
        if channel == Channel::Sms {
            return self.sms(slots);
        }
        if let Some(taken) = &self.taken {
            return Ok(taken.clone());
        }
        let taken = match &mut self.body {
            Body::Message { kind, content, known } => {
                slots.take_from(content, known, "/content", &mut self.extras);
                message(kind, std::mem::take(content))
            }
            Body::Notification(content) => Content::Notification(notification(content, slots)),
        };
        Ok(self.taken.insert(taken).clone())
    }

    /// Notes the unknown keys in the content of a message that has no other step.
    fn note_unknown_of_sms(&mut self) {
        if let (None, Body::Message { content, known, .. }) = (&self.taken, &mut self.body) {
            for (key, value) in std::mem::take(content).into_iter().filter(|(key, _)| !known.contains_key(key)) {
                let mut at = String::from("/content");
                point_at(&mut at, &key);
                self.extras.add(&at, value);
            }
        }
    }

    fn sms(&self, slots: &mut Slots) -> Result<Content, i64> {
        let SmsText { text, source, encoding } = self.sms;
        let text = slots.add("sms", text.ok_or(TEXT_MISSING)?);
        Ok(Content::Text { text, source: source.map(Sources::of_all).unwrap_or_default(), encoding })
    }
}

fn message(kind: &str, content: Map<String, Value>) -> Content {
    match content.get("text").and_then(Value::as_str) {
        Some(text) if kind.eq_ignore_ascii_case("text") && content.len() == 1 => {
            Content::Text { text: text.to_owned(), source: Sources::default(), encoding: None }
        }
        _ => Content::Raw(RawContent { kind: kind.to_owned(), content, category: None }),
    }
}

fn notification(content: &NotificationContent<'_>, slots: &mut Slots) -> Notification {
    let NotificationContent { title, company, icon, emphasis, list, explanation, greeting, actions } = content;
    let mut slot = |name: &str, text: &str| slots.text(name, text);
    Notification {
        title: slot("title", title.as_deref().unwrap_or_default()),
        company: company.as_deref().map(|text| slot("company", text)),
        icon: icon.as_deref().map(str::to_owned),
        emphasis: emphasis
            .as_ref()
            .map(|pair| Labelled { label: slot("label", &pair.label), content: slot("content", &pair.content) }),
        list: list
            .iter()
            .map(|pair| Labelled { label: slot("label", &pair.label), content: slot("content", &pair.content) })
            .collect(),
        explanation: explanation.as_deref().map(|text| slot("explanation", text)),
        greeting: greeting.as_deref().map(|text| slot("greeting", text)),
        actions: actions
            .iter()
            .map(|link| NotificationLink { title: slot("action", &link.title), url: slot("url", &link.url) })
            .collect(),
    }
}

/// Reads an encoding of the SMS API. The documents also write `GSM` and `UNICODE`.
pub(super) fn sms_encoding(text: &str) -> Option<SmsEncoding> {
    match text.to_ascii_uppercase().as_str() {
        "GSM" => Some(SmsEncoding::Gsm7),
        "UNICODE" => Some(SmsEncoding::Ucs2),
        other => other.parse().ok(),
    }
}
