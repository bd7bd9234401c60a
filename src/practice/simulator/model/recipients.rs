//! Recipients who write back.

use serde_json::{Value, json};

use super::delivery::Webhook;
use super::dice::{Throw, throw};
use super::recipient_key::RecipientKey;
use super::record::Attempt;
use super::{Model, webhooks};
use crate::base::domain::{Channel, Msisdn, Timestamp};
use crate::practice::simulator::reach::Answers;
use crate::rules::wire::{Inbound, Recipient, Referral, Text, User, inbound_event, webhook_channel};

/// A message that an operator writes for a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    pub from: Writer,
    pub channel: Channel,
    pub written: Written,
    /// The umid of the message that it answers.
    pub reply_to: Option<String>,
    /// The subaccount that it is for; the first that has sent if there is none.
    pub sub_account: Option<String>,
    /// Whether an advertisement led the recipient to write, which opens a longer window.
    pub is_from_an_ad: bool,
}

/// A recipient who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writer {
    Number(Msisdn),
    /// By an id on the channel, as on LINE.
    UserId(String),
}

impl Writer {
    fn key(&self) -> RecipientKey {
        match self {
            Self::Number(number) => (*number).into(),
            Self::UserId(id) => RecipientKey::of_user_id(id),
        }
    }
}

/// What a recipient writes or chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The provider's `type`.
    pub kind: String,
    /// The provider's `content`, which is posted as it is.
    pub content: Value,
}

impl Written {
    pub fn text(text: &str) -> Self {
        Self { kind: "Text".to_owned(), content: json!({ "text": text }) }
    }
}

/// The names that recipients have on their channels.
const NAMES: [&str; 8] = ["Ana", "Budi", "Chen Wei", "Devi", "Emma", "Farid", "Linh", "Siti"];

const STOP: &str = "STOP";
const START: &str = "START";
const THANKS: &str = "OK, thanks";

/// A message that its recipient may answer.
struct Talk {
    from: Writer,
    attempt: Attempt,
    answers: Answers,
}

impl Model {
    fn talk(&self, n: u32, step: u8) -> Option<Talk> {
        let record = self.records.get(n as usize)?;
        let attempt = self.attempt(n, step)?;
        let number = record.to.number();
        let by_id = || self.user_ids.get(&n).map(|id| Writer::UserId(id.to_string()));
        // LINE shows no number.
        let from = match attempt.channel {
            Channel::Line => by_id()?,
            _ => number.map(Writer::Number).or_else(by_id)?,
        };
        Some(Talk { from, attempt, answers: self.profile.delivery(attempt.channel, number)?.answers })
    }

    fn dice_of(&self, n: u32, talk: &Talk, what: Throw) -> [f64; 2] {
        let seed = self.records.get(n as usize).map_or(0, |record| record.to.seed());
        throw(self.seed, seed, talk.attempt.channel, talk.attempt.nth, what as u64)
    }

    /// Throws the dice for an answer by the recipient of a read message.
    pub(super) fn draw_answer(&mut self, n: u32, step: u8, at: Timestamp) {
        let Some(talk) = self.talk(n, step) else { return };
        if self.dice_of(n, &talk, Throw::Answers)[0] < talk.answers.share {
            let after = talk.answers.after.draw(self.dice_of(n, &talk, Throw::AnswerAfter), self.profile.speed);
            self.answer_at(at + after, n, step);
        }
    }

    pub(super) fn answer(&mut self, n: u32, step: u8, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        let Some(talk) = self.talk(n, step) else { return };
        let ([with, quotes], answers) = (self.dice_of(n, &talk, Throw::AnswerWith), talk.answers);
        let written = if with < answers.stops {
            let [_, returns] = self.dice_of(n, &talk, Throw::Answers);
            if returns < answers.returns {
                let after = answers.after.draw(self.dice_of(n, &talk, Throw::AnswerAfter), self.profile.speed);
                self.opt_in_at(at + after, n, step);
            }
            Written::text(STOP)
        } else {
            let [which, _] = self.dice_of(n, &talk, Throw::Choice);
            let taps = with < answers.stops + answers.buttons;
            let tapped = if taps { self.choice(n, talk.attempt.channel, which) } else { None };
            tapped.unwrap_or_else(|| Written::text(THANKS))
        };
        let reply_to = (quotes < answers.quotes).then(|| self.umids.of(n).to_string());
        let message = InboundMessage { reply_to, ..self.message_of(n, talk, written) };
        webhooks.push(self.inbound(message, at));
    }

    pub(super) fn opt_in(&mut self, n: u32, step: u8, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        if let Some(talk) = self.talk(n, step) {
            let message = self.message_of(n, talk, Written::text(START));
            webhooks.push(self.inbound(message, at));
        }
    }

    fn message_of(&self, n: u32, talk: Talk, written: Written) -> InboundMessage {
        let of = self.records.get(n as usize).and_then(|record| self.sub_accounts.get(usize::from(record.sub_account)));
        InboundMessage {
            from: talk.from,
            channel: talk.attempt.channel,
            written,
            reply_to: None,
            sub_account: of.cloned(),
            is_from_an_ad: false,
        }
    }

    /// Returns the webhook of a message that a recipient writes to us.
    pub fn inbound(&mut self, message: InboundMessage, at: Timestamp) -> Webhook {
        let InboundMessage { from, channel, written, reply_to, sub_account, is_from_an_ad } = message;
        let sub_account = sub_account.or_else(|| self.sub_accounts.first().cloned());
        let channel_id = self.channel_id(channel).map(|id| Text::from(id.to_owned()));
        let inbound = Inbound {
            umid: Some(self.random_id().to_string().into()),
            sub_account_id: sub_account.map(Text::from),
            timestamp: Some(at.rfc3339().into()),
            user: Some(writer(&from, channel)),
            recipient: Some(Recipient { channel: Some(webhook_channel(channel).into()), channel_id }),
            kind: Some(written.kind.into()),
            reply_to_umid: reply_to.map(Text::from),
            referral: is_from_an_ad.then(|| Referral { source_type: Some("ad".into()) }),
            ..Inbound::default()
        };
        self.open_window(&inbound, at);
        self.seen.answers += 1;
        let address = self.registered(webhooks::Reported::Inbound, inbound.sub_account_id.as_deref());
        // Plain structs cannot fail to become JSON.
        let mut payload = serde_json::to_value(&inbound).unwrap_or_default();
        payload["content"] = written.content;
        let event = if channel == Channel::Line { line_event(&payload) } else { inbound_event(&payload) };
        Webhook { address, event }
    }
}

/// LINE's messages have an envelope of their own: flat, and with another name for us.
fn line_event(payload: &Value) -> Vec<u8> {
    let event = json!({
        "eventType": "inboundMessage",
        "channel": "line",
        "user": { "channelUserId": payload["user"]["channelUserId"] },
        "umid": payload["umid"],
        "subAccountId": payload["subAccountId"],
        "timestamp": payload["timestamp"],
        "type": payload["type"],
        "content": payload["content"],
        "version": 1,
        "recipient": { "recipientId": payload["recipient"]["channelId"] },
    });
    event.to_string().into_bytes()
}

/// The number by which a channel knows a recipient. WhatsApp keeps the older spelling of numbers in Brazil and Mexico, and
/// the one of mobile numbers in Argentina.
pub(super) fn called_on(channel: Channel, number: Msisdn) -> Msisdn {
    let canonical = number.canonical();
    match (channel, number.calling_code()) {
        (Channel::WhatsApp, 55 | 52) => canonical.other_spelling().unwrap_or(canonical),
        (Channel::WhatsApp, 54) => canonical,
        _ => number,
    }
}

/// The recipient as the channel names them.
fn writer(from: &Writer, channel: Channel) -> User<'static> {
    let (id, number) = match from {
        Writer::Number(number) => {
            let number = called_on(channel, *number).to_string();
            (number[1..].to_owned(), Some(number))
        }
        Writer::UserId(id) => (id.clone(), None),
    };
    let which = usize::try_from(from.key().seed() % NAMES.len() as u64).unwrap_or_default();
    User {
        channel_user_id: Some(id.into()),
        msisdn: number.map(Into::into),
        name: Some(NAMES[which].into()),
        ..User::default()
    }
}
