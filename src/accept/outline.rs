//! Turns a checked request into a plan that many messages share, and into one recipient with its texts.

use serde_json::{Map, Value};

use super::origin::Origin;
use super::slots::Slots;
use crate::domain::{
    ApiCalls, Channel, Content, Country, Fields, Msisdn, Plan, RawContent, Recipient, SmsEncoding, Sources, Step,
    Timestamp,
};
use crate::wire::rules::NamedStep;

/// No lane of the subaccount sends on the channel.
const NO_SUCH_CHANNEL: i64 = 3_027;
/// The `channelId` of a step names no lane.
const NO_SUCH_SENDER: i64 = 3_051;
const INVALID_CHANNEL: i64 = 3_022;
const TEXT_MISSING: i64 = 3_005;

/// What is read of a request that the provider's rules accept.
#[derive(Debug)]
pub(super) struct Read<'r> {
    pub(super) msisdn: Msisdn,
    pub(super) country: Country,
    pub(super) user_id: Option<&'r str>,
    pub(super) client_message_id: Option<&'r str>,
    /// The provider's `type`.
    pub(super) kind: &'r str,
    pub(super) content: Map<String, Value>,
    pub(super) steps: Vec<NamedStep<'r>>,
    pub(super) callback: Option<&'r str>,
    pub(super) scheduled: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
}

/// A message as it is stored: the plan that it shares with others of its kind, and everything that is its own.
#[derive(Debug)]
pub(super) struct Outlined {
    pub(super) plan: Plan,
    pub(super) recipient: Recipient,
    pub(super) scheduled: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
}

/// Outlines a message.
pub(super) fn outline(from: &Origin<'_>, read: Read<'_>) -> Result<Outlined, i64> {
    let mut slots = Slots::default();
    let Read { msisdn, country, user_id, client_message_id, kind, content, steps: wanted, callback, scheduled, expiry } =
        read;
    let mut writing = Writing { kind, content, taken: None };
    let mut steps: Vec<Step> = Vec::with_capacity(wanted.len());
    for named in &wanted {
        // A receipt names the channel and no step.
        if steps.iter().any(|step| step.channel == named.channel) {
            return Err(INVALID_CHANNEL);
        }
        let is_last = steps.len() + 1 == wanted.len();
        let line_user_id = user_id.filter(|_| named.channel == Channel::Line).map(|id| slots.add("lineUserId", id));
        steps.push(Step {
            lanes: from.pool(*named).ok_or(if named.channel_id.is_some() { NO_SUCH_SENDER } else { NO_SUCH_CHANNEL })?,
            fallback_after: named.fallback_after.filter(|_| !is_last),
            success: named.success,
            line_user_id,
            content: writing.content_on(named.channel, &mut slots)?,
            ..Step::of_text(named.channel, "", "")
        });
    }
    let callback = callback.and_then(|url| {
        slots.add("dlrCallbackUrl", url);
        slots.last()
    });
    let (columns, fields) = slots.into_parts();
    let api = Some(ApiCalls { sub_account: from.sub_account.to_owned(), callback });
    let plan = Plan { columns, api, ..Plan::of_steps(steps) };
    let client_message_id = client_message_id.filter(|id| !id.is_empty()).map(Into::into);
    let fields = Fields::pack(fields.iter().map(String::as_str));
    let recipient = Recipient { msisdn, country, client_message_id, fields };
    Ok(Outlined { plan, recipient, scheduled, expiry })
}

/// The content of a message, as each of its steps sends it.
struct Writing<'r> {
    kind: &'r str,
    content: Map<String, Value>,
    /// The content of the steps that are no SMS, without its texts.
    taken: Option<Content>,
}

impl Writing<'_> {
    fn content_on(&mut self, channel: Channel, slots: &mut Slots) -> Result<Content, i64> {
        if channel == Channel::Sms {
            return self.sms(slots);
        }
        if let Some(taken) = &self.taken {
            return Ok(taken.clone());
        }
        let mut content = self.content.clone();
        // Volley decides fallbacks, never the provider.
        content.remove("fallbackText");
        content.remove("sms");
        slots.take_from(&mut content);
        let text = content.get("text").and_then(Value::as_str).map(str::to_owned);
        let taken = match text {
            Some(text) if self.kind.eq_ignore_ascii_case("text") && content.len() == 1 => {
                Content::Text { text, source: Sources::default(), encoding: None }
            }
            _ => Content::Raw(RawContent { kind: self.kind.to_owned(), content, category: None }),
        };
        Ok(self.taken.insert(taken).clone())
    }

    /// The text of an SMS: the fallback text, else that of the message.
    fn sms(&self, slots: &mut Slots) -> Result<Content, i64> {
        let text = |key| self.content.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let text = text("fallbackText").or_else(|| text("text")).ok_or(TEXT_MISSING)?;
        let setting = |key| self.content.get("sms")?.get(key)?.as_str().filter(|text| !text.is_empty());
        let encoding = setting("encoding").and_then(sms_encoding);
        let source = setting("source").map(Sources::of_all).unwrap_or_default();
        Ok(Content::Text { text: slots.add("sms", text), source, encoding })
    }
}

/// The documents also write `GSM` and `UNICODE`.
fn sms_encoding(text: &str) -> Option<SmsEncoding> {
    match text.to_ascii_uppercase().as_str() {
        "GSM" => Some(SmsEncoding::Gsm7),
        "UNICODE" => Some(SmsEncoding::Ucs2),
        other => other.parse().ok(),
    }
}
