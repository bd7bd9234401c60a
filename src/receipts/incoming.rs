//! A webhook's events, as far as they matter here: owned, so that they can wait for their group.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hashbrown::HashSet;

use super::answers::{Answer, ways};
use super::business::OfAccount;
use super::naming::Adoption;
use crate::config::Lane;
use crate::domain::{AttemptId, Channel, Fault, Msisdn, Span, Timestamp, Umid, without_numbers};
use crate::optout::Words;
use crate::store::{Inbound, Key, Nameless, Receipt, Stray, StrayKind, Waiting};
use crate::wire::{self, Event, Report, codes};

/// How far the clock of the provider may be behind ours.
const CLOCKS_APART: Span = Span::from_secs(120);
/// For so long after its intent something may be said of an attempt: the longest time to live that a provider knows.
const SPOKEN_OF_FOR: Span = Span::from_secs(30 * 24 * 3_600);

/// What is known before anything comes: which subaccounts and lanes are ours, and which words mean a wish.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) subaccounts: HashSet<String>,
    /// What events of the account may be about.
    pub(super) lanes: Vec<Lane>,
    pub(super) words: Words,
}

/// A receipt, with everything that may lead to its attempt.
#[derive(Clone)]
pub(super) struct Incoming {
    pub(super) attempt: Option<AttemptId>,
    /// Whether it carries a client's id at all, ours or another's.
    named: bool,
    pub(super) umid: Option<Umid>,
    pub(super) msisdn: Option<Msisdn>,
    pub(super) channel: Option<Channel>,
    /// What the channel calls the person, where that is no number.
    pub(super) called: Option<String>,
    pub(super) report: Report,
    pub(super) stamp: Timestamp,
    pub(super) state: String,
    pub(super) detail: String,
    pub(super) code: u32,
    pub(super) received: Timestamp,
    /// From when what it says counts.
    pub(super) counts_from: Timestamp,
    /// What goes among the strays, should it lead nowhere.
    raw: Raw,
    /// Where this is no receipt but a person's answer: the message that is answered, by the provider's id.
    reply_to: Option<String>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, umid, channel, report, stamp, .. } = self;
        write!(f, "Incoming({attempt:?}, {umid:?}, {channel:?}, {report:?}, {stamp:?})")
    }
}

/// An event as it came.
#[derive(Debug, Clone)]
enum Raw {
    /// The body that it came in, and its place there.
    In(Arc<Body>, usize),
    Told(Box<str>),
}

/// A body that events have come in. Hardly any leads nowhere, so it is only taken apart once more where somebody asks for
/// the events as they were.
#[derive(Debug)]
struct Body {
    bytes: Bytes,
    events: OnceLock<Vec<Range<usize>>>,
}

impl Body {
    fn event(&self, place: usize) -> String {
        let events = self.events.get_or_init(|| wire::event_places(&self.bytes));
        let event = events.get(place).and_then(|range| self.bytes.get(range.clone())).unwrap_or(&self.bytes);
        String::from_utf8_lossy(event).into_owned()
    }
}

/// What a body holds: receipts of ours, what people wrote to us, what happens to the account, and what is only kept.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) receipts: Vec<Incoming>,
    pub(super) answers: Vec<Answer>,
    pub(super) business: Vec<OfAccount>,
    pub(super) strays: Vec<Stray>,
    /// The subaccounts that its receipts and messages name, each once.
    pub(super) subaccounts: Vec<String>,
}

impl Parsed {
    fn names(&mut self, subaccount: Option<&str>) {
        if let Some(named) = subaccount.filter(|named| !self.subaccounts.iter().any(|known| known == named)) {
            self.subaccounts.push(named.to_owned());
        }
    }
}

/// Reads a body. Nothing in it is lost: what is not for us becomes a stray with its reason. Each stray is its event and no
/// more, so however many they are, they are as long as the body; one that breaks off is kept whole behind them. Where
/// nobody says what is ours, every receipt is.
pub(super) fn parse(bytes: Bytes, ours: Option<&Ours>, now: Timestamp) -> Parsed {
    let mut parsed = Parsed::default();
    let whole = Arc::new(Body { bytes, events: OnceLock::new() });
    let body: &[u8] = &whole.bytes;
    let stray =
        |kind, umid: Option<&str>, raw: String| Stray { kind, received: now, umid: umid.map(str::to_owned), raw };
    let foreign = |subaccount: Option<&str>| {
        subaccount.is_some_and(|subaccount| ours.is_some_and(|ours| !ours.subaccounts.contains(subaccount)))
    };
    for (place, event) in wire::parse_events(body).into_iter().enumerate() {
        match event {
            Event::Receipt(receipt) => {
                let umid = receipt.umid.as_deref();
                parsed.names(receipt.sub_account_id.as_deref());
                if foreign(receipt.sub_account_id.as_deref()) {
                    parsed.strays.push(stray(StrayKind::OtherSubaccount, umid, whole.event(place)));
                } else {
                    parsed.receipts.push(Incoming::of(&receipt, now, Raw::In(Arc::clone(&whole), place)));
                }
            }
            Event::Inbound { inbound, raw } => {
                parsed.names(inbound.sub_account_id.as_deref());
                match ours {
                    Some(ours) if !foreign(inbound.sub_account_id.as_deref()) => {
                        parsed.answers.push(Answer::new(&inbound, raw, &ours.words, now));
                    }
                    _ => parsed.strays.push(stray(StrayKind::OtherSubaccount, inbound.umid.as_deref(), raw.to_owned())),
                }
            }
            Event::Business { business, raw } => {
                match ours.and_then(|ours| super::business::read(&business, raw, &ours.lanes, now)) {
                    Some(event) => parsed.business.push(event),
                    None => parsed.strays.push(stray(StrayKind::OtherType, None, raw.to_owned())),
                }
            }
            Event::Other { raw, .. } => parsed.strays.push(stray(StrayKind::OtherType, None, raw.to_owned())),
            Event::Unreadable { raw, .. } => parsed.strays.push(stray(StrayKind::Unreadable, None, raw.into_owned())),
        }
    }
    parsed
}

/// What may lead to an attempt of ours in a body that came without its proof: ids alone, for what anybody may know (a
/// number) is no sign of the provider. Nothing of it is kept.
pub(super) fn signs(body: &[u8], events: usize, now: Timestamp) -> Vec<Incoming> {
    let receipts = wire::first_receipts(body, events).into_iter();
    let named =
        receipts.map(|receipt| Incoming { msisdn: None, ..Incoming::of(&receipt, now, Raw::Told(Box::default())) });
    named.filter(|receipt| receipt.attempt.is_some() || receipt.umid.is_some()).collect()
}

/// A word of the provider's, which is kept and shown: nothing keeps a provider from naming somebody in it.
fn word(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    // Nearly none has a digit in it.
    if text.contains(char::is_numeric) { without_numbers(&text) } else { text }
}

impl Incoming {
    /// A receipt that was told otherwise than by a webhook.
    pub(super) fn new(receipt: &wire::Receipt<'_>, now: Timestamp) -> Self {
        let mut raw = Vec::new();
        receipt.append_event(&mut raw);
        Self::of(receipt, now, Raw::Told(String::from_utf8_lossy(&raw).into()))
    }

    fn of(receipt: &wire::Receipt<'_>, now: Timestamp, raw: Raw) -> Self {
        let attempt = receipt.client_message_id.as_deref().and_then(|id| id.parse().ok());
        Self {
            attempt,
            named: receipt.client_message_id.as_deref().is_some_and(|id| !id.is_empty()),
            umid: receipt.umid.as_deref().filter(|umid| !umid.is_empty()).map(Umid::new),
            msisdn: receipt.msisdn(),
            channel: receipt.known_channel(),
            called: receipt.called().map(str::to_owned),
            report: receipt.report(),
            stamp: receipt.at().unwrap_or(now),
            state: word(&receipt.status.state),
            detail: word(receipt.status.detail.as_deref().unwrap_or_default()),
            code: match receipt.report() {
                // The one that decides, and so the one that is kept.
                Report::Negative { code } => code,
                _ => receipt.status.error_code,
            }
            .and_then(|code| u32::try_from(code).ok())
            .unwrap_or(0),
            received: now,
            counts_from: now,
            raw,
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
            // The answer itself tells it.
            called: None,
            report: Report::Read,
            stamp: inbound.said,
            state: "read".to_owned(),
            detail: Receipt::ANSWERED.to_owned(),
            code: 0,
            received: inbound.received,
            counts_from: inbound.received,
            raw: Raw::Told(Box::default()),
            reply_to: Some(reply_to),
        }
    }

    pub(super) const fn is_answer(&self) -> bool {
        self.reply_to.is_some()
    }

    /// The keys to look for it with, surest first.
    pub(super) fn keys(&self, adoption: &Adoption) -> impl Iterator<Item = Key> + use<> {
        let answered = self.reply_to.as_deref().map(ways).into_iter().flatten();
        let named = self.attempt.map(Key::Attempt).into_iter().chain(self.umid.clone().map(Key::Umid));
        answered.chain(named).chain(self.nameless(adoption).map(Key::Number))
    }

    /// Whom it is about on which channel, where its number may lead to its attempt. A receipt that names another's message
    /// is another sender's; an answer names what it answers.
    fn by_number(&self) -> Option<(Msisdn, Channel)> {
        let may_adopt = !self.named && !self.is_answer();
        self.msisdn.zip(self.channel).filter(|_| may_adopt)
    }

    /// What may lead to its attempt by the number alone. One that came or was stamped before the attempt was begun is
    /// another sender's, and so is one of another subaccount than the attempt's.
    fn nameless(&self, adoption: &Adoption) -> Option<Nameless> {
        let (msisdn, channel) = self.by_number().filter(|_| self.received <= adoption.came_by)?;
        let begun_before = self.received.min(self.stamp + CLOCKS_APART);
        let begun_after = self.received - SPOKEN_OF_FOR;
        let except = self.except(adoption);
        Some(Nameless { msisdn, channel, begun_after, begun_before, except })
    }

    /// What is to be expected of it, where it has to wait before it may adopt.
    pub(super) fn waits(&self, adoption: &Adoption) -> Option<Waiting> {
        let about = self.by_number().filter(|_| self.received > adoption.came_by)?;
        Some(Waiting { about, came: self.received, except: self.except(adoption) })
    }

    /// Lanes of whose attempts it cannot speak.
    fn except(&self, adoption: &Adoption) -> Arc<BTreeSet<String>> {
        adoption.except(self.posted_by().flatten().as_deref())
    }

    /// Whether a webhook of this subaccount brought it, as far as it says so. What the provider is asked by our id says
    /// nothing of what it posts.
    pub(super) fn was_posted_by(&self, sub_account: &str) -> bool {
        self.posted_by().is_some_and(|named| named.is_none_or(|named| named == sub_account))
    }

    /// The subaccount that its webhook named, if any; nothing where no webhook brought it.
    fn posted_by(&self) -> Option<Option<String>> {
        let Raw::In(body, place) = &self.raw else { return None };
        let event = body.event(*place);
        let receipts = wire::first_receipts(event.as_bytes(), 1);
        receipts.first().map(|receipt| receipt.sub_account_id.as_deref().map(str::to_owned))
    }

    /// What it says of why it did not arrive; nothing where it is no bad news.
    pub(super) fn failure(&self) -> Option<&'static codes::Entry> {
        match self.report {
            Report::Negative { code } => Some(codes::of_receipt(code)),
            _ => None,
        }
    }

    /// Whether it says that the person wants nothing more.
    pub(super) fn wants_no_more(&self) -> bool {
        self.failure().is_some_and(|failure| failure.fault == Fault::Person)
    }

    pub(super) fn into_stray(self, kind: StrayKind) -> Stray {
        let raw = match self.raw {
            Raw::In(body, place) => body.event(place),
            Raw::Told(told) => told.into_string(),
        };
        Stray { kind, received: self.received, umid: self.umid.map(|umid| umid.as_str().to_owned()), raw }
    }
}
