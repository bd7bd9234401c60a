//! A webhook's events, as far as they matter here: owned, so that they can wait for their group.

use std::collections::HashSet;

use super::answers::{Answer, ways};
use crate::domain::{AttemptId, Channel, Msisdn, Timestamp, Umid, without_numbers};
use crate::optout::Words;
use crate::store::{Inbound, Key, Receipt, Stray, StrayKind};
use crate::wire::{self, Event, Report};

/// What is known before anything comes: which subaccounts are ours, and which words mean a wish.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) subaccounts: HashSet<String>,
    pub(super) words: Words,
}

/// A receipt, with everything that may lead to its attempt.
#[derive(Debug, Clone)]
pub(super) struct Incoming {
    pub(super) attempt: Option<AttemptId>,
    /// Whether it carries a client's id at all, ours or another's.
    named: bool,
    pub(super) umid: Option<Umid>,
    pub(super) msisdn: Option<Msisdn>,
    pub(super) channel: Option<Channel>,
    pub(super) report: Report,
    pub(super) stamp: Timestamp,
    pub(super) state: String,
    pub(super) detail: String,
    pub(super) code: u32,
    pub(super) received: Timestamp,
    /// The event as it goes among the strays, should it lead nowhere.
    raw: Box<str>,
    /// Where this is no receipt but a person's answer: the message that is answered, by the provider's id.
    reply_to: Option<String>,
}

/// What a body holds: receipts of ours, what people wrote to us, and what is only kept.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) receipts: Vec<Incoming>,
    pub(super) answers: Vec<Answer>,
    pub(super) strays: Vec<Stray>,
}

/// Reads a body. Nothing in it is lost: what is not for us becomes a stray with its reason. Where nobody says what is
/// ours, every receipt is.
pub(super) fn parse(body: &[u8], ours: Option<&Ours>, now: Timestamp) -> Parsed {
    let mut parsed = Parsed::default();
    let stray =
        |kind, umid: Option<&str>, raw: String| Stray { kind, received: now, umid: umid.map(str::to_owned), raw };
    let foreign = |subaccount: Option<&str>| {
        subaccount.is_some_and(|subaccount| ours.is_some_and(|ours| !ours.subaccounts.contains(subaccount)))
    };
    for event in wire::parse_events(body) {
        match event {
            Event::Receipt(receipt) => {
                let umid = receipt.umid.as_deref();
                if foreign(receipt.sub_account_id.as_deref()) {
                    parsed.strays.push(stray(StrayKind::OtherSubaccount, umid, raw_text(&receipt)));
                } else {
                    parsed.receipts.push(Incoming::new(&receipt, now));
                }
            }
            Event::Inbound { inbound, raw } => match ours {
                Some(ours) if !foreign(inbound.sub_account_id.as_deref()) => {
                    parsed.answers.push(Answer::new(&inbound, raw, &ours.words, now));
                }
                _ => parsed.strays.push(stray(StrayKind::OtherSubaccount, inbound.umid.as_deref(), raw.to_owned())),
            },
            Event::Business(_) => {
                parsed.strays.push(stray(StrayKind::OtherType, None, String::from_utf8_lossy(body).into_owned()));
            }
            Event::Other { raw, .. } => parsed.strays.push(stray(StrayKind::OtherType, None, raw.to_owned())),
            Event::Unreadable { raw, .. } => parsed.strays.push(stray(StrayKind::Unreadable, None, raw.into_owned())),
        }
    }
    parsed
}

fn raw_text(receipt: &wire::Receipt<'_>) -> String {
    let mut raw = Vec::new();
    receipt.append_event(&mut raw);
    String::from_utf8_lossy(&raw).into_owned()
}

impl Incoming {
    pub(super) fn new(receipt: &wire::Receipt<'_>, now: Timestamp) -> Self {
        let attempt = receipt.client_message_id.as_deref().and_then(|id| id.parse().ok());
        Self {
            attempt,
            named: receipt.client_message_id.as_deref().is_some_and(|id| !id.is_empty()),
            umid: receipt.umid.as_deref().filter(|umid| !umid.is_empty()).map(Umid::new),
            msisdn: receipt.msisdn(),
            channel: receipt.known_channel(),
            report: receipt.report(),
            stamp: receipt.at().unwrap_or(now),
            // Both are kept and shown, and nothing keeps a provider from naming somebody in them.
            state: without_numbers(&receipt.status.state.to_ascii_lowercase()),
            detail: without_numbers(&receipt.status.detail.as_deref().unwrap_or_default().to_ascii_lowercase()),
            code: match receipt.report() {
                // The one that decides, and so the one that is kept.
                Report::Negative { code } => code,
                _ => receipt.status.error_code,
            }
            .and_then(|code| u32::try_from(code).ok())
            .unwrap_or(0),
            received: now,
            // What carries our own id hardly ever leads nowhere, and can be told again from its parts.
            raw: if attempt.is_none() { raw_text(receipt).into() } else { String::new().into() },
            reply_to: None,
        }
    }

    /// Whoever answers a message has read it.
    pub(super) fn answer(reply_to: String, inbound: &Inbound) -> Self {
        Self {
            attempt: None,
            named: false,
            umid: None,
            msisdn: inbound.msisdn,
            channel: inbound.channel,
            report: Report::Read,
            stamp: inbound.said,
            state: "read".to_owned(),
            detail: Receipt::ANSWERED.to_owned(),
            code: 0,
            received: inbound.received,
            raw: String::new().into(),
            reply_to: Some(reply_to),
        }
    }

    pub(super) const fn is_answer(&self) -> bool {
        self.reply_to.is_some()
    }

    /// The keys to look for it with, surest first.
    pub(super) fn keys(&self) -> [Option<Key>; 3] {
        if let Some(reply_to) = &self.reply_to {
            let [ours, theirs] = ways(reply_to);
            return [None, Some(ours), Some(theirs)];
        }
        [
            self.attempt.map(Key::Attempt),
            self.umid.clone().map(Key::Umid),
            // What names its message, and not ours, must not adopt one of ours by its number.
            self.msisdn.zip(self.channel).filter(|_| !self.named).map(|(msisdn, channel)| Key::Number(msisdn, channel)),
        ]
    }

    /// The receipt, told again from what was read of it.
    fn retold(&self) -> wire::Receipt<'static> {
        let text = |text: &str| Some(text.to_owned().into());
        wire::Receipt {
            umid: self.umid.as_ref().and_then(|umid| text(umid.as_str())),
            client_message_id: self.attempt.and_then(|id| text(&id.to_string())),
            channel: self.channel.and_then(|channel| text(channel.as_str())),
            user: self
                .msisdn
                .map(|msisdn| wire::User { msisdn: Some(msisdn.to_string().into()), ..wire::User::default() }),
            status: wire::StatusBody {
                state: self.state.clone().into(),
                detail: text(&self.detail).filter(|_| !self.detail.is_empty()),
                timestamp: text(&self.stamp.rfc3339()),
                error_code: Some(i64::from(self.code)).filter(|code| *code != 0),
                error_message: None,
            },
            ..wire::Receipt::default()
        }
    }

    pub(super) fn into_stray(self, kind: StrayKind) -> Stray {
        let raw = if self.raw.is_empty() { raw_text(&self.retold()) } else { self.raw.into_string() };
        Stray { kind, received: self.received, umid: self.umid.map(|umid| umid.as_str().to_owned()), raw }
    }
}
