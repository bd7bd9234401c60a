//! Gaps, in which receipts were not stored, and doubts, in which proof is missing that a provider address can be
//! reached or can reach us. Both as this node knows them, ended and present ones.

use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::address::{Known, MissingWebhooks, Signs, WebhookDoubt};
use super::inquiry::Due;
use super::link::{Addresses, Link};
use crate::base::domain::{AfterGap, DoubtCause, LaneId, MessageKey, Span, StepIndex, Timestamp};
use crate::rules::engine::{self, Gap, REPEATED_FOR, Silence};
use crate::store::{Direction, LinkState};

/// How long a deadline rests while it is unknown whether receipts can be stored, or while some messages are queried
/// first.
const IN_DOUBT: Span = Span::from_secs(1);
/// How long it rests while proof of an address is missing. Each rest rewrites its row, and there may be many.
const WHILE_UNPROVEN: Span = Span::from_secs(10);
/// How long no receipt may have been rejected until an authentic one counts: of two senders, only one may be fixed.
const AFTER_REJECTION: Span = Span::from_secs(10);
/// After this time without another sign and without an authentic receipt, a doubt about webhooks ends: the provider
/// reports nothing, so nothing is missed.
const FORGOTTEN: Span = Span::from_secs(3_600);

/// How old a status without a webhook has to be to count against the webhooks: the provider has tried four times by
/// then.
const OVERDUE: Span = Span::from_secs(45);
/// How long a webhook may take to reach us and the disk.
pub const ON_ITS_WAY: Span = Span::from_secs(3);
/// How many such statuses show that webhooks do not arrive; a single webhook may be lost.
const PROOF: u32 = 3;
/// After this time without proof, a harmless read brings a new one.
const SILENT: Span = Span::from_secs(30);
/// After this time without proof since a failed request, a harmless read shows whether it was an exception. Other
/// requests usually show it earlier.
const SUSPECTED: Span = Span::from_millis(400);
/// How often fallbacks are taken back while a doubt lasts.
const TAKE_BACK: Span = Span::from_secs(5);

/// The gaps and doubts in which silence proves nothing, as this node knows them.
///
/// A gap of this installation concerns every lane. A doubt concerns the lanes of one address, and has two directions:
/// *out*, which only an answer of the provider itself proves, and *in*, which only an authentic webhook proves.
#[derive(Debug)]
pub struct Gaps {
    addresses: Addresses,
    signs: Vec<Signs>,
    inner: Mutex<Inner>,
    /// Notified when a doubt begins or ends, so that fallbacks decided in it are taken back.
    doubted: Notify,
}

#[derive(Debug)]
struct Inner {
    /// The time until which receipts could be stored for certain.
    sure_until: Timestamp,
    in_doubt: bool,
    /// Since when receipts have arrived that are not applied yet.
    behind: Option<Timestamp>,
    /// The gaps of this installation alone, for lanes that are no longer configured.
    ours: engine::KnownGaps,
    known: Vec<Known>,
    /// Ended doubts to be logged and stored.
    over: Vec<EndedDoubt>,
    /// Addresses whose fallbacks since a time are to be taken back.
    to_take_back: Vec<(usize, Timestamp)>,
    /// When all addresses in doubt were returned last.
    taken_back_at: Timestamp,
}

/// A doubt about one direction of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub address: String,
    pub cause: DoubtCause,
    pub since: Timestamp,
}

/// An ended doubt, and until when its gap holds deadlines; `None` if receipts are lost for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedDoubt {
    pub gap: Gap,
    pub address: String,
    pub cause: DoubtCause,
    pub filled: Option<Timestamp>,
}

impl Gaps {
    pub fn new(now: Timestamp, addresses: Addresses) -> Self {
        let signs: Vec<Signs> = addresses.all().iter().map(|_| Signs::new(now)).collect();
        let inner = Inner {
            sure_until: now,
            in_doubt: false,
            behind: None,
            ours: engine::KnownGaps::default(),
            known: signs.iter().map(|_| Known::default()).collect(),
            over: Vec::new(),
            to_take_back: Vec::new(),
            taken_back_at: now,
        };
        Self { addresses, signs, inner: Mutex::new(inner), doubted: Notify::new() }
    }

    /// Restores the proofs and the present doubts of the node before.
    pub fn go_on_from(&self, link: &LinkState, now: Timestamp) {
        let Some(index) = self.addresses.named(&link.address) else { return };
        let proven = link.proven.min(now).millis();
        let (signs, mut inner) = (&self.signs[index], self.inner.lock());
        match link.direction {
            Direction::Out => {
                signs.reached_at.store(proven, Ordering::Release);
                let doubt = link.doubt.map(|(since, _)| since);
                signs.is_unreachable.store(doubt.is_some(), Ordering::Release);
                inner.known[index].out = Link::in_doubt_since(doubt);
            }
            Direction::In => {
                signs.webhook_at.store(proven, Ordering::Release);
                signs.are_webhooks_doubted.store(link.doubt.is_some(), Ordering::Release);
                let webhook_doubt = |(since, cause)| WebhookDoubt { cause, since, last: now, arrived: None };
                inner.known[index].webhook_doubt = link.doubt.map(webhook_doubt);
            }
        }
    }

    /// The address of a lane's requests, if it is configured.
    pub fn address_of(&self, lane: LaneId) -> Option<usize> {
        self.addresses.of(lane)
    }

    /// Adds a gap of one address, or of all. Returns until when it holds deadlines; `None` if receipts are lost for
    /// good.
    pub fn add(&self, gap: Gap, address: Option<&str>) -> Option<Timestamp> {
        let mut inner = self.inner.lock();
        let Some(address) = address else {
            for known in &mut inner.known {
                known.ended.add(gap);
            }
            return inner.ours.add(gap);
        };
        // An address that is no longer configured has no waiting messages.
        let index = self.addresses.named(address)?;
        // The node before may have stopped before it took back the fallbacks of the gap.
        inner.to_take_back.push((index, gap.from));
        let known = &mut inner.known[index];
        let filled = known.ended.add(gap);
        known.release_at = known.release_at.max(filled);
        filled
    }

    /// Records a failed write: receipts may not be stored either. No deadline fires until a write succeeds.
    pub fn doubt(&self) {
        self.inner.lock().in_doubt = true;
    }

    /// Records that receipts since `since` could not be stored, even if other writes succeeded meanwhile.
    pub fn doubt_since(&self, since: Timestamp) {
        let mut inner = self.inner.lock();
        inner.in_doubt = true;
        inner.sure_until = inner.sure_until.min(since);
    }

    /// Records a successful write at `now`. Returns the gap that it ends, if there was one, and until when the gap
    /// holds deadlines.
    pub fn sure(&self, now: Timestamp) -> Option<(Gap, Option<Timestamp>)> {
        let gap = {
            let mut inner = self.inner.lock();
            let gap = Gap { from: std::mem::replace(&mut inner.sure_until, now), until: now };
            std::mem::take(&mut inner.in_doubt).then_some(gap)?
        };
        Some((gap, self.add(gap, None)))
    }

    /// Sets since when arrived receipts are not applied yet; `None` if all are.
    pub fn behind(&self, since: Option<Timestamp>) {
        self.inner.lock().behind = since;
    }

    /// The time until which all arrived receipts are applied. Later deadlines wait, because a stored receipt may decide
    /// otherwise.
    pub(super) fn applied_until(&self, now: Timestamp) -> Timestamp {
        let behind = self.inner.lock().behind;
        behind.map_or(now, |since| now.min(since - Span::from_millis(1)))
    }

    /// Records that the provider itself has answered a request to an address.
    pub fn reached(&self, address: usize, now: Timestamp) {
        let signs = &self.signs[address];
        signs.reached_at.fetch_max(now.millis(), Ordering::AcqRel);
        if !signs.is_unreachable.load(Ordering::Acquire) {
            return;
        }
        let mut inner = self.inner.lock();
        signs.is_unreachable.store(false, Ordering::Release);
        if let Some(gap) = inner.known[address].out.proves(now) {
            self.end(&mut inner, address, gap, DoubtCause::Unreachable);
        }
    }

    /// Records that a request that began at `begun` has failed: no answer, or not from the provider itself.
    ///
    /// Until the next proof no deadline since the last one fires, because the failure may be the first of many.
    pub fn not_reached(&self, address: usize, begun: Timestamp) {
        let (signs, mut inner) = (&self.signs[address], self.inner.lock());
        if inner.known[address].out.fails(begun, signs.reached_at()) {
            signs.is_unreachable.store(true, Ordering::Release);
            self.begin(&mut inner, address);
            signs.wants_query.notify_one();
        }
    }

    /// Records that no message waits for a report of an address: a later doubt need not reach back before now.
    pub fn note_idle(&self, address: usize, now: Timestamp) {
        self.inner.lock().known[address].out.note_idle(now);
    }

    /// When a harmless read is due, unless a request proves the outgoing direction before.
    pub fn proof_wanted_at(&self, address: usize) -> Timestamp {
        let failure = self.inner.lock().known[address].out.failure();
        failure.map_or(self.signs[address].reached_at() + SILENT, |failure| failure.begun + SUSPECTED)
    }

    /// Whether a request to an address has failed since the last proof.
    pub fn is_unreachable(&self, address: usize) -> bool {
        self.signs[address].is_unreachable.load(Ordering::Acquire)
    }

    /// Records that a receipt of an attempt of that lane was rejected: the provider's reports do not reach us.
    pub fn turned_away(&self, lane: LaneId, now: Timestamp) {
        if let Some(address) = self.address_of(lane) {
            self.doubt_webhooks(&mut self.inner.lock(), address, DoubtCause::SecretMismatch, now, now);
        }
    }

    /// Records a status that the provider had at `reported_at`, that a query brought and no webhook.
    ///
    /// If this repeats and no webhook has arrived since, webhooks do not reach us: a wrong address, an expired
    /// certificate, or a proxy that answers for us. A young status proves nothing: its webhook may be on its way.
    pub fn webhook_missing(&self, address: usize, reported_at: Timestamp, now: Timestamp) {
        let webhook_at = self.signs[address].webhook_at();
        let mut inner = self.inner.lock();
        if webhook_at >= reported_at || now.since(reported_at) < OVERDUE {
            return;
        }
        let missing = &mut inner.known[address].missing_webhooks;
        *missing = MissingWebhooks {
            since: webhook_at,
            count: if missing.since == webhook_at { missing.count + 1 } else { 1 },
        };
        if missing.count >= PROOF {
            self.doubt_webhooks(&mut inner, address, DoubtCause::NoWebhooks, webhook_at, now);
        }
    }

    fn doubt_webhooks(&self, inner: &mut Inner, address: usize, cause: DoubtCause, since: Timestamp, now: Timestamp) {
        let known = &mut inner.known[address];
        let begins = known.webhook_doubt.is_none();
        let (since, cause) = known.webhook_doubt.map_or((since, cause), |doubt| (doubt.since, doubt.cause));
        known.webhook_doubt = Some(WebhookDoubt { cause, since, last: now, arrived: None });
        known.inquiry.close();
        self.signs[address].are_webhooks_doubted.store(true, Ordering::Release);
        if begins {
            self.begin(inner, address);
        }
    }

    /// Records an authentic webhook that names these subaccounts.
    pub fn webhook_arrived(&self, subaccounts: &[String], now: Timestamp) {
        for address in self.addresses.of_webhook(subaccounts) {
            self.webhook_confirmed(address, now);
        }
    }

    /// Records that a query confirmed what a webhook had reported: one arrived at `at`.
    pub fn webhook_confirmed(&self, address: usize, at: Timestamp) {
        let signs = &self.signs[address];
        signs.webhook_at.fetch_max(at.millis(), Ordering::AcqRel);
        if !signs.are_webhooks_doubted.load(Ordering::Acquire) {
            return;
        }
        if let Some(doubt) = self.inner.lock().known[address].webhook_doubt.as_mut().filter(|doubt| at > doubt.since) {
            doubt.arrived.get_or_insert(at);
        }
    }

    /// Begins a doubt: the fallbacks since then are to be taken back.
    fn begin(&self, inner: &mut Inner, address: usize) {
        if let Some(since) = inner.known[address].unproven_since() {
            inner.to_take_back.push((address, since));
            self.doubted.notify_one();
        }
    }

    /// Ends a doubt with this gap. Returns until when it holds deadlines; `None` if receipts are lost for good.
    fn end(&self, inner: &mut Inner, address: usize, gap: Gap, cause: DoubtCause) -> Option<Timestamp> {
        let filled = inner.known[address].ended.add(gap);
        inner.to_take_back.push((address, gap.from));
        self.doubted.notify_one();
        let address = self.addresses.all()[address].base_url.clone();
        inner.over.push(EndedDoubt { gap, address, cause, filled });
        filled
    }

    /// The present doubts, and the doubts that have ended since the last call.
    pub fn look(&self, now: Timestamp) -> (Vec<Doubt>, Vec<EndedDoubt>) {
        let mut inner = self.inner.lock();
        for address in 0..self.signs.len() {
            self.check_webhook_doubt(&mut inner, address, now);
        }
        let doubts = inner.known.iter().zip(self.addresses.all()).flat_map(|(known, address)| {
            let of = |cause, since| Doubt { address: address.base_url.clone(), cause, since };
            let out = known.out.doubt(now).map(|since| of(DoubtCause::Unreachable, since));
            out.into_iter().chain(known.webhook_doubt.map(|doubt| of(doubt.cause, doubt.since)))
        });
        let doubts = doubts.collect();
        (doubts, std::mem::take(&mut inner.over))
    }

    fn check_webhook_doubt(&self, inner: &mut Inner, address: usize, now: Timestamp) {
        let Some(WebhookDoubt { cause, since, last, arrived }) = inner.known[address].webhook_doubt else { return };
        let until = match arrived {
            Some(arrived) if now.since(last) >= AFTER_REJECTION => arrived,
            None if now.since(last) >= FORGOTTEN => now,
            Some(_) | None => return,
        };
        inner.known[address].webhook_doubt = None;
        self.signs[address].are_webhooks_doubted.store(false, Ordering::Release);
        let filled = self.end(inner, address, Gap { from: since, until }, cause);
        // The doubt lasted longer than its gap, and has waived deadlines.
        if now.since(since) > REPEATED_FOR {
            let known = &mut inner.known[address];
            known.release_at = known.release_at.max(filled);
        }
    }

    /// The state of each direction of each address that the next node needs.
    pub fn links(&self, now: Timestamp) -> Vec<LinkState> {
        let inner = self.inner.lock();
        let both = inner.known.iter().zip(self.addresses.all()).zip(&self.signs);
        both.flat_map(|((known, address), signs)| {
            let link =
                |direction, proven, doubt| LinkState { address: address.base_url.clone(), direction, proven, doubt };
            let out = known.out.doubt(now).map(|since| (since, DoubtCause::Unreachable));
            let doubt = known.webhook_doubt.map(|doubt| (doubt.since, doubt.cause));
            [link(Direction::Out, signs.reached_at(), out), link(Direction::In, signs.webhook_at(), doubt)]
        })
        .collect()
    }

    /// The time until which all receipts were stored, if a write succeeds at `now`.
    ///
    /// In doubt this is the time before the doubt: the process may stop before it can record the gap.
    pub fn listening_until(&self, now: Timestamp) -> Timestamp {
        let inner = self.inner.lock();
        let sure = if inner.in_doubt { inner.sure_until.min(now) } else { now };
        // Receipts since then are not stored yet, and would be lost if the process stopped now.
        inner.behind.map_or(sure, |behind| behind.min(sure))
    }

    /// The gaps of this installation with receipts that are lost for good.
    #[cfg(test)]
    pub(crate) fn lost_everywhere(&self) -> Vec<Gap> {
        self.inner.lock().ours.lost().collect()
    }

    /// The ended gaps of one address with receipts that are lost for good.
    pub fn lost(&self, address: usize) -> Vec<Gap> {
        self.inner.lock().known[address].ended.lost().collect()
    }

    /// Whether a query at `asked` was late enough for a step of a lane that was accepted at `accepted` and due at
    /// `due`.
    ///
    /// It is late enough at the due time, or when all later receipts are stored.
    pub(super) fn is_filled(&self, lane: LaneId, accepted: Timestamp, due: Timestamp, asked: Timestamp) -> bool {
        let inner = self.inner.lock();
        let known = self.address_of(lane).map(|address| &inner.known[address]);
        let is_unproven = known.and_then(Known::unproven_since).is_some_and(|since| due >= since);
        let ended = known.map_or(&inner.ours, |known| &known.ended);
        let received_since = ended.received_since(accepted, due).filter(|_| !is_unproven);
        asked >= due || received_since.is_some_and(|since| asked >= since)
    }

    /// The value of silence for a step of a lane that was accepted at `accepted` and due at `due`.
    pub(super) fn silence(
        &self,
        lane: LaneId,
        after_gap: AfterGap,
        (accepted, due): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Silence {
        let inner = self.inner.lock();
        let known = self.address_of(lane).map(|address| &inner.known[address]);
        let ended = known.map_or(&inner.ours, |known| &known.ended);
        // Receipts lost in an earlier gap may have been repeated in vain since this one began.
        let is_still_repeated = |since| matches!(ended.silence(accepted, due, since), Silence::Held { .. });
        let concerns = |since| due >= since || is_still_repeated(since);
        if inner.in_doubt && concerns(inner.sure_until) {
            return Silence::Held { until: now + IN_DOUBT };
        }
        match known.and_then(|known| known.doubt_since(now)).filter(|since| concerns(*since)) {
            // A present doubt, which an operator can end, is not a gap after which messages fall back.
            Some(since) if after_gap == AfterGap::FallBack || now.since(since) <= REPEATED_FOR => {
                return Silence::Held { until: now + WHILE_UNPROVEN };
            }
            Some(_) => return Silence::Lost,
            None => {}
        }
        match known.and_then(|known| known.out.failure()).filter(|failure| concerns(failure.since)) {
            Some(suspicion) => Silence::Held { until: suspicion.doubt_from() },
            None => ended.silence(accepted, due, now),
        }
    }

    /// Holds messages whose silence is trusted until some of them are queried; `None` if they may fall back at once.
    pub(super) fn hold_for_inquiry(&self, address: usize, due: &[Due], now: Timestamp) -> Option<Silence> {
        let webhook_at = self.signs[address].webhook_at();
        if self.inner.lock().known[address].inquiry.may_fall_back(due, webhook_at, now) {
            return None;
        }
        self.signs[address].wants_query.notify_one();
        Some(Silence::Held { until: now + IN_DOUBT })
    }

    /// The message to query first, because others wait for its answer.
    pub fn inquiry(&self, address: usize) -> Option<(MessageKey, StepIndex)> {
        self.inner.lock().known[address].inquiry.next()
    }

    /// Records the query of one of those. `news` is the time of the query if it brought a status that no webhook had
    /// reported.
    ///
    /// Then no webhook reaches us, unless one arrived meanwhile or shortly before. In that case the acceptance times of
    /// the others decide.
    pub fn record_inquiry(&self, address: usize, key: MessageKey, news: Option<Timestamp>, now: Timestamp) {
        let webhook_at = self.signs[address].webhook_at();
        let mut inner = self.inner.lock();
        let inquiry = &mut inner.known[address].inquiry;
        match news {
            None => inquiry.answered(key, now),
            Some(asked) if asked.since(webhook_at) < ON_ITS_WAY => inquiry.close(),
            Some(_) => self.doubt_webhooks(&mut inner, address, DoubtCause::NoWebhooks, webhook_at, now),
        }
    }

    /// The addresses whose fallbacks are to be taken back, and since when.
    ///
    /// An address is returned when a doubt begins, when it ends, and from time to time meanwhile, because claimed
    /// messages may have been requeued.
    pub(super) fn to_take_back(&self, now: Timestamp) -> Vec<(usize, Timestamp)> {
        let mut inner = self.inner.lock();
        let mut all = std::mem::take(&mut inner.to_take_back);
        if now.since(inner.taken_back_at) >= TAKE_BACK {
            inner.taken_back_at = now;
            let doubts = inner.known.iter().enumerate();
            all.extend(doubts.filter_map(|(address, known)| Some((address, known.unproven_since()?))));
        }
        all.sort_unstable();
        all.dedup_by_key(|(address, _)| *address);
        all
    }

    /// Returns addresses whose fallbacks could not be taken back yet.
    pub(super) fn not_taken_back(&self, doubts: Vec<(usize, Timestamp)>) {
        self.inner.lock().to_take_back.extend(doubts);
    }

    /// The addresses whose waived deadlines are to be decided now, and when the next ones are.
    pub(super) fn to_release(&self, now: Timestamp) -> (Vec<usize>, Option<Timestamp>) {
        let mut inner = self.inner.lock();
        let is_due = |(address, known): (usize, &mut Known)| known.release_at.take_if(|at| *at <= now).map(|_| address);
        let due = inner.known.iter_mut().enumerate().filter_map(is_due).collect();
        (due, inner.known.iter().filter_map(|known| known.release_at).min())
    }

    /// Returns addresses whose waived deadlines could not be decided yet.
    pub(super) fn not_released(&self, addresses: &[usize], now: Timestamp) {
        let mut inner = self.inner.lock();
        for address in addresses {
            let known = &mut inner.known[*address];
            known.release_at = known.release_at.max(Some(now));
        }
    }

    /// Waits until fallbacks are to be taken back.
    pub(super) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Waits until the provider at an address has to be queried at once.
    pub async fn wants_query(&self, address: usize) {
        self.signs[address].wants_query.notified().await;
    }
}

#[cfg(test)]
mod tests;
