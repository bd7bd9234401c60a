//! Messages from recipients, and receipts of no known message, as JSON.

use serde::{Deserialize, Serialize};

use super::content::{ContentData, ContentView};
use crate::base::domain::text::one_line;
use crate::base::domain::{Channel, Keyword, MessageId, Msisdn, Timestamp, without_numbers};
use crate::rules::wire::{WebhookEvent, parse_events};
use crate::store::{Batch, Batches, Inbound, Result, Stray};

/// Maximum length of an id of a channel.
const ID_SHOWN: usize = 80;

/// A message from a recipient, with the campaign message that it answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReplyView<'a> {
    pub umid: &'a str,
    pub received_at: String,
    pub written_at: String,
    pub msisdn: Option<String>,
    pub channel: Option<Channel>,
    pub kind: &'a str,
    pub keyword: Option<Keyword>,
    pub campaign: Option<String>,
    pub message: Option<String>,
    pub step: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_user: Option<String>,
    /// What the recipient sent or chose, on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The same as data.
    #[serde(flatten)]
    pub data: Option<ContentData>,
}

/// Describes messages from recipients; remembers the campaigns that they answer.
#[derive(Debug)]
pub struct ReplyViews<'a> {
    store: &'a dyn Batches,
    batches: Vec<Batch>,
    /// Whether numbers and texts are shown.
    unmasked: bool,
}

impl<'a> ReplyViews<'a> {
    pub const fn new(store: &'a dyn Batches, unmasked: bool) -> Self {
        Self { store, batches: Vec::new(), unmasked }
    }

    /// Describes a message. A purged message has no content.
    pub async fn of<'b>(&mut self, inbound: &'b Inbound) -> Result<ReplyView<'b>> {
        let batch = match inbound.on {
            None => None,
            Some((key, _)) => {
                if !self.batches.iter().any(|known| known.id == key.batch) {
                    self.batches.extend(self.store.batch(key.batch).await?);
                }
                self.batches.iter().find(|known| known.id == key.batch)
            }
        };
        let unmasked = self.unmasked;
        let content = unmasked.then(|| ContentView::of(&inbound.raw)).flatten();
        let whole = |msisdn: Msisdn| msisdn.to_string();
        let masked = |msisdn: Msisdn| msisdn.masked().to_string();
        Ok(ReplyView {
            umid: &inbound.umid,
            received_at: inbound.received.rfc3339(),
            written_at: inbound.written_at.rfc3339(),
            msisdn: inbound.msisdn.map(|msisdn| if unmasked { whole(msisdn) } else { masked(msisdn) }),
            channel: inbound.channel,
            kind: &inbound.kind,
            keyword: inbound.keyword,
            campaign: batch.map(Batch::display_name),
            message: batch.zip(inbound.on).map(|(batch, (key, _))| MessageId { key, tag: batch.tag }.to_string()),
            step: inbound.on.map(|(_, step)| step.get() + 1),
            channel_user: unmasked.then(|| channel_user(&inbound.raw)).flatten(),
            text: unmasked.then(|| content.as_ref().map(|content| content.line.clone()).unwrap_or_default()),
            data: content.and_then(|content| content.data),
        })
    }
}

/// Returns the channel's own id of the recipient, for a provider event without a number.
fn channel_user(raw: &str) -> Option<String> {
    let events = parse_events(raw.as_bytes());
    let Some(WebhookEvent::Inbound { inbound, .. }) = events.first() else { return None };
    let user = inbound.user.as_ref()?;
    let id = user.channel_user_id.as_deref().or(user.line_user_id.as_deref())?;
    Some(one_line(id, ID_SHOWN).trim().to_owned()).filter(|id| !id.is_empty())
}

/// A webhook that belongs to no known message.
#[derive(Debug, Serialize)]
pub struct StrayView {
    pub received_at: String,
    /// The same time, for other formats.
    #[serde(skip)]
    pub at: Timestamp,
    /// Why it belongs to none.
    pub kind: &'static str,
    /// The provider's word for its type, if it could be read.
    pub event_type: Option<String>,
    pub umid: Option<String>,
}

impl StrayView {
    /// Keeps only the type and the ids, because a stray may hold data of another system's recipients.
    pub fn of(stray: Stray) -> Self {
        let event_type = event_type(&stray.raw).map(|word| without_numbers(&word).chars().take(ID_SHOWN).collect());
        let Stray { kind, received, umid, .. } = stray;
        Self { received_at: received.rfc3339(), at: received, kind: kind.as_str(), event_type, umid }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    event_type: Option<String>,
}

fn event_type(raw: &str) -> Option<String> {
    serde_json::from_str::<Typed>(raw).ok()?.event_type.filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StrayKind;

    #[test]
    fn a_stray_shows_its_type_and_why_it_is_one() {
        let of = |kind, raw: &str| {
            let stray = Stray { kind, received: Timestamp::default(), umid: None, raw: raw.to_owned() };
            serde_json::to_value(StrayView::of(stray)).unwrap()
        };
        let flow = of(StrayKind::OtherType, r#"{"eventType":"flow_update","to":"+6591234567"}"#);
        assert_eq!((&flow["kind"], &flow["event_type"]), (&"another type".into(), &"flow_update".into()));
        assert!(of(StrayKind::Unreadable, "{").get("event_type").is_some_and(serde_json::Value::is_null));
        assert!(!flow.to_string().contains("91234567"));
    }

    #[test]
    fn a_reply_without_a_number_shows_the_channels_own_id() {
        let event = |user: &str| {
            format!(
                r#"{{"eventType":"inbound_message_received","payload":{{"umid":"in-1","user":{user},
                "recipient":{{"channel":"whatsapp"}},"type":"Text","content":{{"text":"STOP"}}}}}}"#
            )
        };
        let id_of = |user: &str| channel_user(&event(user));
        assert_eq!(id_of(r#"{"channelUserId":"SG.13491208655302741918"}"#).unwrap(), "SG.13491208655302741918");
        assert_eq!(id_of(r#"{"lineUserId":"Ua12b"}"#).unwrap(), "Ua12b");
        assert_eq!((id_of("{}"), id_of(r#"{"channelUserId":"\n"}"#)), (None, None));
    }
}
