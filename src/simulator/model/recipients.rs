//! Recipients who write back.

use super::addressee::Addressee;
use super::delivery::{Webhook, webhook_name};
use super::dice::{Throw, throw};
use super::record::Attempt;
use super::{Model, webhooks};
use crate::domain::{Channel, Msisdn, Timestamp};
use crate::simulator::reach::Answers;
use crate::wire::{Inbound, InboundContent, Interactive, Recipient, Referral, Tapped, Text, User};

/// A message that an operator writes for a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundText {
    pub from: Writer,
    pub channel: Channel,
    pub text: String,
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
    fn addressee(&self) -> Addressee {
        match self {
            Self::Number(number) => (*number).into(),
            Self::UserId(id) => Addressee::of_user_id(id),
        }
    }
}

/// What a recipient writes.
enum Written<'a> {
    Words(&'a str),
    Button { id: &'a str, title: &'a str },
}

/// A written message, and what it is about.
struct Writing<'a> {
    from: Writer,
    channel: Channel,
    written: Written<'a>,
    /// The message that is answered.
    on: Option<u32>,
    sub_account: Option<Text<'a>>,
    is_from_an_ad: bool,
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
            Written::Words(STOP)
        } else if with < answers.stops + answers.buttons {
            Written::Button { id: "yes-1", title: "Yes" }
        } else {
            Written::Words(THANKS)
        };
        let on = (quotes < answers.quotes).then_some(n);
        webhooks.push(self.write(Writing { on, ..self.writing_of(n, talk, written) }, at));
    }

    pub(super) fn opt_in(&mut self, n: u32, step: u8, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        if let Some(talk) = self.talk(n, step) {
            webhooks.push(self.write(self.writing_of(n, talk, Written::Words(START)), at));
        }
    }

    fn writing_of<'a>(&self, n: u32, talk: Talk, written: Written<'a>) -> Writing<'a> {
        let of = self.records.get(n as usize).and_then(|record| self.sub_accounts.get(usize::from(record.sub_account)));
        let sub_account = of.cloned().map(Text::from);
        Writing { from: talk.from, channel: talk.attempt.channel, written, on: None, sub_account, is_from_an_ad: false }
    }

    /// Returns the webhook of a message that a recipient writes to us.
    pub fn inbound(&mut self, text: &InboundText, now: Timestamp) -> Webhook {
        let sub_account = text.sub_account.as_ref().or_else(|| self.sub_accounts.first()).cloned();
        let writing = Writing {
            from: text.from.clone(),
            channel: text.channel,
            written: Written::Words(&text.text),
            on: None,
            sub_account: sub_account.map(Text::from),
            is_from_an_ad: text.is_from_an_ad,
        };
        self.write(writing, now)
    }

    fn write(&mut self, writing: Writing<'_>, at: Timestamp) -> Webhook {
        let (kind, content) = match writing.written {
            Written::Words(text) => ("Text", InboundContent { text: Some(text.into()), ..InboundContent::default() }),
            Written::Button { id, title } => {
                let tapped = Tapped { id: Some(id.into()), title: Some(title.into()), description: None };
                let interactive = Interactive {
                    kind: Some("button_reply".into()),
                    button_reply: Some(tapped),
                    ..Interactive::default()
                };
                ("Interactive", InboundContent { interactive: Some(interactive), ..InboundContent::default() })
            }
        };
        let channel_id = self.channel_id(writing.channel).map(|id| Text::from(id.to_owned()));
        let inbound = Inbound {
            umid: Some(self.random_id().into()),
            sub_account_id: writing.sub_account,
            timestamp: Some(at.rfc3339().into()),
            user: Some(writer(&writing.from)),
            recipient: Some(Recipient { channel: Some(webhook_name(writing.channel).into()), channel_id }),
            kind: Some(kind.into()),
            content,
            reply_to_umid: writing.on.map(|n| self.umids.of(n).to_string().into()),
            referral: writing.is_from_an_ad.then(|| Referral { source_type: Some("ad".into()) }),
            ..Inbound::default()
        };
        self.open_window(&inbound, at);
        self.seen.answers += 1;
        let address = self.registered(webhooks::Reported::Inbound, inbound.sub_account_id.as_deref());
        let event = if writing.channel == Channel::Line { line_event(&inbound) } else { chat_apps_event(&inbound) };
        Webhook { address, event }
    }
}

fn chat_apps_event(inbound: &Inbound<'_>) -> Vec<u8> {
    let mut event = Vec::with_capacity(512);
    inbound.append_event(&mut event);
    event
}

/// LINE's messages have an envelope of their own: flat, and with another name for us.
fn line_event(inbound: &Inbound<'_>) -> Vec<u8> {
    let user = inbound.user.as_ref().and_then(|user| user.channel_user_id.as_deref());
    let event = serde_json::json!({
        "eventType": "inboundMessage",
        "channel": "line",
        "user": { "channelUserId": user },
        "umid": inbound.umid,
        "subAccountId": inbound.sub_account_id,
        "timestamp": inbound.timestamp,
        "type": inbound.kind,
        "content": inbound.content,
        "version": 1,
        "recipient": { "recipientId": inbound.recipient.as_ref().and_then(|us| us.channel_id.as_deref()) },
    });
    event.to_string().into_bytes()
}

/// The recipient as the channel names them.
fn writer(from: &Writer) -> User<'static> {
    let (id, number) = match from {
        Writer::Number(number) => {
            let number = number.to_string();
            (number[1..].to_owned(), Some(number))
        }
        Writer::UserId(id) => (id.clone(), None),
    };
    let which = usize::try_from(from.addressee().seed() % NAMES.len() as u64).unwrap_or_default();
    User {
        channel_user_id: Some(id.into()),
        msisdn: number.map(Into::into),
        name: Some(NAMES[which].into()),
        ..User::default()
    }
}
