//! Recipients who write back.

use super::Model;
use super::delivery::{Webhook, webhook_name};
use super::dice::{Throw, throw};
use super::record::Attempt;
use crate::domain::{Channel, Msisdn, Timestamp};
use crate::simulator::reach::Answers;
use crate::wire::{Inbound, InboundContent, Interactive, Recipient, Tapped, Text};

/// What a recipient writes.
enum Written<'a> {
    Words(&'a str),
    Button { id: &'a str, title: &'a str },
}

const STOP: &str = "STOP";
const START: &str = "START";
const THANKS: &str = "OK, thanks";

/// A message that its recipient may answer.
struct Talk {
    to: Msisdn,
    attempt: Attempt,
    answers: Answers,
}

impl Model {
    fn talk(&self, n: u32, step: u8) -> Option<Talk> {
        let record = self.records.get(n as usize)?;
        let attempt = self.attempt(n, step)?;
        let to = Msisdn::try_from(record.msisdn).ok()?;
        Some(Talk { to, attempt, answers: self.profile.delivery(attempt.channel, to)?.answers })
    }

    fn dice_of(&self, talk: &Talk, what: Throw) -> [f64; 2] {
        throw(self.seed, talk.to.get(), talk.attempt.channel, talk.attempt.nth, what as u64)
    }

    /// Throws the dice for an answer by the recipient of a read message.
    pub(super) fn draw_answer(&mut self, n: u32, step: u8, at: Timestamp) {
        let Some(talk) = self.talk(n, step) else { return };
        if self.dice_of(&talk, Throw::Answers)[0] < talk.answers.share {
            let after = talk.answers.after.draw(self.dice_of(&talk, Throw::AnswerAfter), self.profile.speed);
            self.answer_at(at + after, n, step);
        }
    }

    pub(super) fn answer(&mut self, n: u32, step: u8, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        let Some(talk) = self.talk(n, step) else { return };
        let ([with, quotes], answers) = (self.dice_of(&talk, Throw::AnswerWith), talk.answers);
        let written = if with < answers.stops {
            let [_, returns] = self.dice_of(&talk, Throw::Answers);
            if returns < answers.returns {
                let after = answers.after.draw(self.dice_of(&talk, Throw::AnswerAfter), self.profile.speed);
                self.opt_in_at(at + after, n, step);
            }
            Written::Words(STOP)
        } else if with < answers.stops + answers.buttons {
            Written::Button { id: "yes-1", title: "Yes" }
        } else {
            Written::Words(THANKS)
        };
        let on = (quotes < answers.quotes).then_some(n);
        webhooks.push(self.inbound_webhook(talk.to, talk.attempt.channel, &written, on, at));
    }

    pub(super) fn opt_in(&mut self, n: u32, step: u8, at: Timestamp, webhooks: &mut Vec<Webhook>) {
        if let Some(talk) = self.talk(n, step) {
            webhooks.push(self.inbound_webhook(talk.to, talk.attempt.channel, &Written::Words(START), None, at));
        }
    }

    /// Returns the webhook of a message that a recipient writes to us.
    pub fn inbound(&mut self, from: Msisdn, channel: Channel, text: &str, now: Timestamp) -> Webhook {
        self.inbound_webhook(from, channel, &Written::Words(text), None, now)
    }

    /// `on` is the message that is answered.
    fn inbound_webhook(
        &mut self,
        from: Msisdn,
        channel: Channel,
        written: &Written<'_>,
        on: Option<u32>,
        at: Timestamp,
    ) -> Webhook {
        let of = on.and_then(|n| self.records.get(n as usize)).map_or(0, |record| usize::from(record.sub_account));
        let (kind, content) = match *written {
            Written::Words(text) => ("Text", InboundContent { text: Some(text.into()), ..InboundContent::default() }),
            Written::Button { id, title } => {
                let tapped = Tapped { id: Some(id.into()), title: Some(title.into()) };
                let interactive = Interactive {
                    kind: Some("button_reply".into()),
                    button_reply: Some(tapped),
                    ..Interactive::default()
                };
                ("Interactive", InboundContent { interactive: Some(interactive), ..InboundContent::default() })
            }
        };
        let inbound = Inbound {
            umid: Some(self.random_id().into()),
            sub_account_id: self.sub_accounts.get(of).map(|name| Text::from(name.as_str())),
            timestamp: Some(at.rfc3339().into()),
            user: Some(self.user_of(from.get())),
            recipient: Some(Recipient { channel: Some(webhook_name(channel).into()), channel_id: None }),
            kind: Some(kind.into()),
            content,
            reply_to_umid: on.map(|n| self.umids.of(n).to_string().into()),
            ..Inbound::default()
        };
        let mut event = Vec::with_capacity(512);
        inbound.append_event(&mut event);
        self.seen.answers += 1;
        Webhook { url: None, event }
    }
}
