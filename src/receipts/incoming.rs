//! A webhook's events, as far as they matter here: owned, so that they can wait for their group.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hashbrown::HashSet;

use crate::domain::{AttemptId, Channel, Msisdn, Timestamp, Umid, without_numbers};
use crate::store::{Key, Stray, StrayKind};
use crate::wire::{self, Event, Report};

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
    /// The body that it came in, and its place there: what goes among the strays, should it lead nowhere.
    raw: (Arc<Body>, usize),
}

/// A body that events have come in. What carries our own id or a known umid hardly ever leads nowhere, so it is only
/// taken apart once more where somebody asks for the events as they were.
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

/// What a body holds: receipts of ours, and what is only kept.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) receipts: Vec<Incoming>,
    pub(super) strays: Vec<Stray>,
}

/// Reads a body. Nothing in it is lost: what is no receipt of ours becomes a stray with its reason. Without a list of
/// our subaccounts every receipt is taken for ours.
pub(super) fn parse(bytes: Bytes, ours: Option<&HashSet<String>>, now: Timestamp) -> Parsed {
    let mut parsed = Parsed::default();
    let whole = Arc::new(Body { bytes, events: OnceLock::new() });
    let body: &[u8] = &whole.bytes;
    let stray =
        |kind, umid: Option<&str>, raw: String| Stray { kind, received: now, umid: umid.map(str::to_owned), raw };
    for (place, event) in wire::parse_events(body).into_iter().enumerate() {
        match event {
            Event::Receipt(receipt) => {
                let umid = receipt.umid.as_deref();
                let foreign =
                    receipt.sub_account_id.as_deref().is_some_and(|sub| ours.is_some_and(|ours| !ours.contains(sub)));
                if foreign {
                    parsed.strays.push(stray(StrayKind::OtherSubaccount, umid, whole.event(place)));
                } else {
                    parsed.receipts.push(Incoming::new(&receipt, now, (Arc::clone(&whole), place)));
                }
            }
            Event::Inbound(_) | Event::Business(_) => {
                parsed.strays.push(stray(StrayKind::OtherType, None, String::from_utf8_lossy(body).into_owned()));
            }
            Event::Other { raw, .. } => parsed.strays.push(stray(StrayKind::OtherType, None, raw.to_owned())),
            Event::Unreadable { raw, .. } => parsed.strays.push(stray(StrayKind::Unreadable, None, raw.into_owned())),
        }
    }
    parsed
}

/// A word of the provider's, which is kept and shown: nothing keeps a provider from naming somebody in it.
fn word(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    // Nearly none has a digit in it.
    if text.contains(char::is_numeric) { without_numbers(&text) } else { text }
}

impl Incoming {
    fn new(receipt: &wire::Receipt<'_>, now: Timestamp, raw: (Arc<Body>, usize)) -> Self {
        let attempt = receipt.client_message_id.as_deref().and_then(|id| id.parse().ok());
        Self {
            attempt,
            named: receipt.client_message_id.as_deref().is_some_and(|id| !id.is_empty()),
            umid: receipt.umid.as_deref().filter(|umid| !umid.is_empty()).map(Umid::new),
            msisdn: receipt.msisdn(),
            channel: receipt.known_channel(),
            report: receipt.report(),
            stamp: receipt.at().unwrap_or(now),
            state: word(&receipt.status.state),
            detail: word(receipt.status.detail.as_deref().unwrap_or_default()),
            code: receipt.status.error_code.and_then(|code| u32::try_from(code).ok()).unwrap_or(0),
            received: now,
            raw,
        }
    }

    /// The keys to look for it with, surest first.
    pub(super) fn keys(&self) -> [Option<Key>; 3] {
        [
            self.attempt.map(Key::Attempt),
            self.umid.clone().map(Key::Umid),
            // What names its message, and not ours, must not adopt one of ours by its number.
            self.msisdn.zip(self.channel).filter(|_| !self.named).map(|(msisdn, channel)| Key::Number(msisdn, channel)),
        ]
    }

    pub(super) fn into_stray(self, kind: StrayKind) -> Stray {
        let (body, place) = self.raw;
        let raw = body.event(place);
        Stray { kind, received: self.received, umid: self.umid.map(|umid| umid.as_str().to_owned()), raw }
    }
}
