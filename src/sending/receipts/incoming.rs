//! The events of a webhook, reduced to what matters here and owned, so they can wait for their group.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;

use super::business::ReportedEvent;
use super::naming::Adoption;
use super::replies::{Reply, ReplyTo};
use crate::base::config::Lane;
use crate::base::domain::{AttemptId, Channel, Charge, Fault, Msisdn, Span, Timestamp, Umid, without_numbers};
use crate::recipients::optout::Words;
use crate::rules::wire::{self, Preferences, ReportedStatus, WebhookEvent, codes};
use crate::sending::book::WaitingReceipt;
use crate::store::{Inbound, Key, Nameless, Receipt, Stray, StrayKind};

/// How far the provider's clock may be behind ours.
const CLOCKS_APART: Span = Span::from_secs(120);
/// How long after its intent an attempt may get receipts: the longest time to live that a provider supports.
const SPOKEN_OF_FOR: Span = Span::from_secs(30 * 24 * 3_600);
/// Events of a body that are applied at once.
const PORTION: usize = 2_000;
/// Events of a body that are of unknown types or unreadable, and are stored one by one. A run of more is stored as one.
const APART: usize = 100;
/// Events that are read before others get their turn: a body has room for millions.
const READ: usize = 10_000;

/// What the configuration says: our subaccounts and lanes, and the keywords of opt-outs.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) subaccounts: HashSet<String>,
    /// The lanes that account events may be about.
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
    /// The recipient's channel user id, if that is not their number.
    pub(super) called: Option<String>,
    /// The number by which the channel knows the recipient.
    pub(super) channel_number: Option<Msisdn>,
    pub(super) report: ReportedStatus,
    pub(super) stamp: Timestamp,
    pub(super) state: String,
    pub(super) detail: String,
    pub(super) code: u32,
    pub(super) charge: Option<Box<Charge>>,
    pub(super) received: Timestamp,
    /// From when the report counts.
    pub(super) counts_from: Timestamp,
    /// The event as it arrived, to be stored as a stray if no attempt is found.
    raw: Raw,
    /// For a reply instead of a receipt: what leads to the message that it answers.
    reply_to: Option<ReplyTo>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, umid, channel, report, stamp, .. } = self;
        write!(f, "Incoming({attempt:?}, {umid:?}, {channel:?}, {report:?}, {stamp:?})")
    }
}

/// An event as it arrived.
#[derive(Debug, Clone)]
enum Raw {
    /// Its part of the body that it arrived in.
    Posted(Bytes),
    /// Its own text.
    Text(Box<str>),
}

/// The contents of a body: our receipts, replies to us, account events, and events that are only stored.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) receipts: Vec<Incoming>,
    pub(super) replies: Vec<Reply>,
    pub(super) business: Vec<ReportedEvent>,
    pub(super) preferences: Vec<Preferences>,
    pub(super) strays: Vec<Stray>,
    /// The subaccounts that its receipts and messages name, each once.
    pub(super) subaccounts: Vec<String>,
}

impl Parsed {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.receipts.len() + self.replies.len() + self.business.len() + self.preferences.len() + self.strays.len()
    }

    fn names(&mut self, subaccount: Option<&str>) {
        if let Some(named) = subaccount.filter(|named| !self.subaccounts.iter().any(|known| known == named)) {
            self.subaccounts.push(named.to_owned());
        }
    }
}

/// Reads a body, a portion at a time: memory holds one portion, however many events the body has.
///
/// - Loses nothing: an event that is not for us becomes a stray with its reason.
/// - A stray is one event, or a run of many that are only stored. So all strays together are as long as the body. The rest
///   of a body that is cut off is stored with the whole body.
/// - Obeys an opt-out to a subaccount that is not ours: one installation serves one company. It is a stray as well.
/// - Without `ours`, every receipt counts as ours.
pub(super) struct Portions<'a> {
    body: &'a Bytes,
    events: wire::Events<'a>,
    ours: Option<&'a Ours>,
    now: Timestamp,
    /// Strays of unknown types, and unreadable ones, that were stored one by one.
    apart: usize,
    /// The run that the events just read belong to.
    run: Option<Range<usize>>,
    portion: Parsed,
}

impl<'a> Portions<'a> {
    pub(super) fn of(body: &'a Bytes, ours: Option<&'a Ours>, now: Timestamp) -> Self {
        Self { body, events: wire::Events::of(body), ours, now, apart: 0, run: None, portion: Parsed::default() }
    }

    fn take(&mut self, event: WebhookEvent<'a>, range: Range<usize>) -> Option<Range<usize>> {
        match event {
            WebhookEvent::Receipt(receipt) => self.take_receipt(&receipt, range),
            WebhookEvent::Inbound { inbound, raw } => self.take_inbound(&inbound, raw),
            WebhookEvent::Preferences { preferences, raw } => self.take_preferences(*preferences, raw),
            WebhookEvent::Business { business, raw } => {
                let lanes = self.ours.map(|ours| &ours.lanes);
                match lanes.and_then(|lanes| super::business::read(&business, raw, lanes, self.now)) {
                    Some(event) => self.portion.business.push(event),
                    None => return self.take_unknown(StrayKind::OtherType, range),
                }
            }
            WebhookEvent::Other { .. } => return self.take_unknown(StrayKind::OtherType, range),
            WebhookEvent::Unreadable { .. } => return self.take_unknown(StrayKind::Unreadable, range),
        }
        None
    }

    fn take_receipt(&mut self, receipt: &wire::Receipt<'_>, range: Range<usize>) {
        self.portion.names(receipt.sub_account_id.as_deref());
        if self.is_foreign(receipt.sub_account_id.as_deref()) {
            let raw = self.text(range);
            self.stray(StrayKind::OtherSubaccount, receipt.umid.as_deref(), raw);
        } else {
            let raw = Raw::Posted(self.body.slice(range));
            self.portion.receipts.push(Incoming::of(receipt, self.now, raw));
        }
    }

    fn take_inbound(&mut self, inbound: &wire::Inbound<'_>, raw: &str) {
        self.portion.names(inbound.sub_account_id.as_deref());
        let is_foreign = self.is_foreign(inbound.sub_account_id.as_deref());
        let reply = self.ours.map(|ours| Reply::new(inbound, raw, &ours.words, self.now));
        if is_foreign || reply.is_none() {
            self.stray(StrayKind::OtherSubaccount, inbound.umid.as_deref(), raw.to_owned());
        } else if reply.as_ref().is_some_and(Reply::is_from_nobody) {
            self.stray(StrayKind::Unreadable, inbound.umid.as_deref(), raw.to_owned());
        }
        let reply = reply.and_then(|reply| if is_foreign { reply.into_foreign_stop() } else { Some(reply) });
        self.portion.replies.extend(reply);
    }

    fn take_preferences(&mut self, preferences: Preferences, raw: &str) {
        self.portion.names(preferences.sub_account.as_deref());
        if self.is_foreign(preferences.sub_account.as_deref()) || self.ours.is_none() {
            self.stray(StrayKind::OtherSubaccount, None, raw.to_owned());
        } else {
            self.portion.preferences.push(preferences);
        }
    }

    /// Stores an event of which nothing is known. Returns it if it belongs to a run that is stored together.
    fn take_unknown(&mut self, kind: StrayKind, range: Range<usize>) -> Option<Range<usize>> {
        if self.apart >= APART && range != (0..self.body.len()) {
            return Some(range);
        }
        self.apart += 1;
        let raw = self.text(range);
        self.stray(kind, None, raw);
        None
    }

    /// Stores the run that ends here, if there is one.
    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            let raw = self.text(run);
            self.stray(StrayKind::Unreadable, None, raw);
        }
    }

    fn is_foreign(&self, subaccount: Option<&str>) -> bool {
        subaccount.is_some_and(|named| self.ours.is_some_and(|ours| !ours.subaccounts.contains(named)))
    }

    fn stray(&mut self, kind: StrayKind, umid: Option<&str>, raw: String) {
        self.portion.strays.push(Stray { kind, received: self.now, umid: umid.map(str::to_owned), raw });
    }

    fn text(&self, range: Range<usize>) -> String {
        String::from_utf8_lossy(self.body.get(range).unwrap_or_default()).into_owned()
    }
}

impl Iterator for Portions<'_> {
    type Item = Parsed;

    /// The next portion. It may be empty, while a run goes on.
    fn next(&mut self) -> Option<Parsed> {
        let (mut read, mut is_over) = (0, false);
        while self.portion.len() < PORTION && read < READ {
            let Some((range, event)) = self.events.next() else {
                is_over = true;
                break;
            };
            read += 1;
            if range == (0..self.body.len()) {
                // The rest of a body that is cut off: the whole body is stored.
                self.run = None;
            }
            match self.take(event, range) {
                Some(next) => self.run = Some(self.run.take().map_or(next.start, |run| run.start)..next.end),
                None => self.end_run(),
            }
        }
        if is_over {
            self.end_run();
        }
        (read > 0 || !self.portion.is_empty()).then(|| std::mem::take(&mut self.portion))
    }
}

/// Reads a body of one event, or of few.
pub(super) fn parse(bytes: &Bytes, ours: Option<&Ours>, now: Timestamp) -> Parsed {
    Portions::of(bytes, ours, now).next().unwrap_or_default()
}

/// The receipts of an unproven body that name an attempt of ours, by ids alone: a stranger may know a number. Nothing of
/// the body is stored.
pub(super) fn unproven_receipts(body: &[u8], events: usize, now: Timestamp) -> Vec<Incoming> {
    let receipts = wire::first_receipts(body, events).into_iter();
    let named =
        receipts.map(|receipt| Incoming { msisdn: None, ..Incoming::of(&receipt, now, Raw::Text(Box::default())) });
    named.filter(|receipt| receipt.attempt.is_some() || receipt.umid.is_some()).collect()
}

/// Masks numbers in a word of the provider, which is stored and shown.
fn word(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    // Few words have a digit.
    if text.contains(char::is_numeric) { without_numbers(&text) } else { text }
}

impl Incoming {
    /// A receipt that did not come from a webhook.
    pub(super) fn new(receipt: &wire::Receipt<'_>, now: Timestamp) -> Self {
        let mut raw = Vec::new();
        receipt.append_event(&mut raw);
        Self::of(receipt, now, Raw::Text(String::from_utf8_lossy(&raw).into()))
    }

    fn of(receipt: &wire::Receipt<'_>, now: Timestamp, raw: Raw) -> Self {
        let attempt = receipt.client_message_id.as_deref().and_then(|id| id.parse().ok());
        Self {
            attempt,
            named: receipt.client_message_id.as_deref().is_some_and(|id| !id.is_empty()),
            umid: receipt.umid.as_deref().filter(|umid| !umid.is_empty()).map(Umid::new),
            msisdn: receipt.msisdn(),
            channel: receipt.known_channel(),
            called: receipt.user_id().map(str::to_owned),
            channel_number: receipt.channel_number(),
            report: receipt.report(),
            stamp: receipt.at().unwrap_or(now),
            state: word(&receipt.status.state),
            detail: word(receipt.status.detail.as_deref().unwrap_or_default()),
            code: match receipt.report() {
                // The code that decides is also the one that is stored.
                ReportedStatus::Negative { code } => code,
                _ => receipt.status.error_code,
            }
            .and_then(|code| u32::try_from(code).ok())
            .unwrap_or(0),
            charge: receipt.charge().map(Box::new),
            received: now,
            counts_from: now,
            raw,
            reply_to: None,
        }
    }

    /// A recipient who answers a message has read it.
    pub(super) fn from_reply(reply_to: ReplyTo, inbound: &Inbound) -> Self {
        Self {
            attempt: None,
            named: false,
            umid: None,
            msisdn: inbound.msisdn,
            channel: inbound.channel,
            // The inbound message itself has it.
            called: None,
            channel_number: None,
            report: ReportedStatus::Read,
            stamp: inbound.written_at,
            state: "read".to_owned(),
            detail: Receipt::ANSWERED.to_owned(),
            code: 0,
            charge: None,
            received: inbound.received,
            counts_from: inbound.received,
            raw: Raw::Text(Box::default()),
            reply_to: Some(reply_to),
        }
    }

    /// Whether it is a reply that names the provider's id of the message that it answers.
    pub(super) const fn names_umid(&self) -> bool {
        matches!(self.reply_to, Some(ReplyTo::Umid(_)))
    }

    pub(super) const fn is_reply(&self) -> bool {
        self.reply_to.is_some()
    }

    /// The keys to find its attempt with, surest first.
    pub(super) fn keys(&self, adoption: &Adoption) -> impl Iterator<Item = Key> + use<> {
        let answered = self.reply_to.as_ref().map(ReplyTo::keys).into_iter().flatten();
        let named = self.attempt.map(|id| Key::Attempt { id, umid: self.umid.clone() });
        let named = named.into_iter().chain(self.umid.clone().map(Key::Umid));
        answered.chain(named).chain(self.nameless(adoption).map(Key::Number))
    }

    /// The number and channel it is about, if the number may lead to its attempt. A receipt that names another client's
    /// message is another sender's; a reply names the message that it answers.
    fn by_number(&self) -> Option<(Msisdn, Channel)> {
        let may_adopt = !self.named && !self.is_reply();
        self.msisdn.zip(self.channel).filter(|_| may_adopt)
    }

    /// The key that leads to its attempt by number alone. Excluded are attempts that were begun after it arrived or was
    /// stamped, and those of other subaccounts.
    fn nameless(&self, adoption: &Adoption) -> Option<Nameless> {
        let (msisdn, channel) = self.by_number().filter(|_| self.received <= adoption.arrived_by)?;
        let begun_before = self.received.min(self.stamp + CLOCKS_APART);
        let begun_after = self.received - SPOKEN_OF_FOR;
        let except = self.except(adoption);
        Some(Nameless { msisdn, channel, begun_after, begun_before, except })
    }

    /// What deadlines have to wait for, if it must wait before it may adopt.
    pub(super) fn waits(&self, adoption: &Adoption) -> Option<WaitingReceipt> {
        let (number, channel) = self.by_number().filter(|_| self.received > adoption.arrived_by)?;
        let about = (number.into(), channel);
        Some(WaitingReceipt { about, came: self.received, except: self.except(adoption) })
    }

    /// The lanes whose attempts it cannot be about.
    fn except(&self, adoption: &Adoption) -> Arc<BTreeSet<String>> {
        adoption.except(self.posted_by().flatten().as_deref())
    }

    /// Whether a webhook of this subaccount brought it, as far as it says. The answer to a query by our id does not show
    /// what the provider posts.
    pub(super) fn was_posted_by(&self, sub_account: &str) -> bool {
        self.posted_by().is_some_and(|named| named.is_none_or(|named| named == sub_account))
    }

    /// The subaccount that its webhook named, if any; `None` if no webhook brought it.
    pub(super) fn posted_by(&self) -> Option<Option<String>> {
        let Raw::Posted(event) = &self.raw else { return None };
        let receipts = wire::first_receipts(event, 1);
        receipts.first().map(|receipt| receipt.sub_account_id.as_deref().map(str::to_owned))
    }

    /// The code of the failure that it reports, if it reports one.
    pub(super) fn failure(&self) -> Option<&'static codes::Entry> {
        match self.report {
            ReportedStatus::Negative { code } => Some(codes::of_receipt(code)),
            _ => None,
        }
    }

    /// Whether it reports that the recipient opted out.
    pub(super) fn is_opt_out(&self) -> bool {
        self.failure().is_some_and(|failure| failure.fault == Fault::OptedOut)
    }

    pub(super) fn into_stray(self, kind: StrayKind) -> Stray {
        let raw = match self.raw {
            Raw::Posted(event) => String::from_utf8_lossy(&event).into_owned(),
            Raw::Text(text) => text.into_string(),
        };
        Stray { kind, received: self.received, umid: self.umid.map(|umid| umid.as_str().to_owned()), raw }
    }
}
