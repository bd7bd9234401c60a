//! Times in which nobody listened, and in which proof is missing that a provider address can be reached or can reach us,
//! as this node knows them: those that are over, and those that go on now.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::address::{Known, Signs, Turning};
use super::inquiry::Due;
use super::link::{Addresses, Link};
use crate::domain::{AfterGap, LaneId, MessageKey, Span, StepIndex, Timestamp};
use crate::engine::{self, Gap, REPEATED_FOR, Silence};
use crate::store::{Direction, DoubtCause, LinkState};

/// How long a deadline rests while nobody knows whether receipts can be kept, or while some are asked about first.
const IN_DOUBT: Span = Span::from_secs(1);
/// How long it rests while proof of an address is missing: its row is written anew each time, and there may be many.
const WHILE_UNPROVEN: Span = Span::from_secs(10);
/// For so long no receipt of ours may have been turned away before a proven one counts: what was fixed for one of two
/// senders is not fixed.
const QUIET: Span = Span::from_secs(10);
/// Without another sign of it, and without a receipt that is proven, a deafness is over some time: nobody
/// says anything any more, so nothing is missed.
const FORGOTTEN: Span = Span::from_secs(3_600);

/// How old news has to be, of which no webhook has told, to say something about the webhooks: the provider has tried four
/// times by then.
const OVERDUE: Span = Span::from_secs(45);
/// A webhook may take so long to reach us and the disk.
pub const ON_ITS_WAY: Span = Span::from_secs(3);
/// So many of them say that webhooks do not get to us; one may be lost by itself.
const PROOF: u32 = 3;
/// After so long without proof, a harmless read brings a new one.
const SILENT: Span = Span::from_secs(30);
/// How often fallbacks are taken back while a doubt lasts.
const TAKE_BACK: Span = Span::from_secs(5);
/// Doubts that were over sooner are not written down: they may be many, and a restart needs none of them.
const BRIEF: Span = Span::from_secs(1);

/// What this node knows about times in which silence proves nothing.
///
/// A gap of ours concerns every lane. A doubt concerns the lanes of one address, and has two directions: *out*, which only
/// an answer of the provider itself proves, and *in*, which only an authentic webhook proves.
#[derive(Debug)]
pub struct Gaps {
    addresses: Addresses,
    signs: Vec<Signs>,
    inner: Mutex<Inner>,
    /// A doubt has begun or ended: fallbacks that were decided in it are to be taken back.
    doubted: Notify,
    /// Somebody is to be asked about before others fall back.
    inquires: Notify,
}

#[derive(Debug)]
struct Inner {
    /// Up to when it is sure that receipts could be kept.
    sure_until: Timestamp,
    in_doubt: bool,
    /// Since when receipts have come that are not applied yet.
    behind: Option<Timestamp>,
    /// Our own gaps alone, for lanes that are not configured any more.
    ours: engine::Gaps,
    known: Vec<Known>,
    /// Doubts that have ended, and are to be told and written down.
    over: Vec<Over>,
    /// Addresses of which fallbacks since then are to be taken back.
    to_take_back: Vec<(usize, Timestamp)>,
    /// When all that are in doubt were named last.
    taken_back_at: Timestamp,
}

/// A doubt about one direction of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub address: String,
    pub cause: DoubtCause,
    pub since: Timestamp,
}

/// One that has ended, and until when the gap that it has left holds deadlines; nothing where what was missed is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
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
            ours: engine::Gaps::default(),
            known: signs.iter().map(|_| Known::default()).collect(),
            over: Vec::new(),
            to_take_back: Vec::new(),
            taken_back_at: now,
        };
        Self { addresses, signs, inner: Mutex::new(inner), doubted: Notify::new(), inquires: Notify::new() }
    }

    /// Goes on from where the node before this one was: its proofs, and the doubts that had not ended.
    pub fn go_on_from(&self, link: &LinkState, now: Timestamp) {
        let Some(place) = self.addresses.named(&link.address) else { return };
        let proven = link.proven.min(now).millis();
        let (signs, mut inner) = (&self.signs[place], self.lock());
        match link.direction {
            Direction::Out => {
                signs.reached_at.store(proven, Ordering::Release);
                let doubt = link.doubt.map(|(since, _)| since);
                signs.is_unreachable.store(doubt.is_some(), Ordering::Release);
                inner.known[place].out = Link::in_doubt_since(doubt);
            }
            Direction::In => {
                signs.heard_at.store(proven, Ordering::Release);
                signs.is_deaf.store(link.doubt.is_some(), Ordering::Release);
                let turning = |(since, how)| Turning { how, since, last: now, heard: None };
                inner.known[place].deaf = link.doubt.map(turning);
            }
        }
    }

    /// Which address a lane's requests go to, where it is configured.
    pub fn address_of(&self, lane: LaneId) -> Option<usize> {
        self.addresses.of(lane)
    }

    /// Holds from now on what a gap has made doubtful: of one address, or of all. Returns until when; nothing where it is
    /// lost for good.
    pub fn add(&self, gap: Gap, address: Option<&str>) -> Option<Timestamp> {
        let mut inner = self.lock();
        let Some(address) = address else {
            for known in &mut inner.known {
                known.ended.add(gap);
            }
            return inner.ours.add(gap);
        };
        // Nobody waits for news of an address that is not configured any more.
        let place = self.addresses.named(address)?;
        // The node before this one may have died before it took back what had fallen back in it.
        inner.to_take_back.push((place, gap.from));
        inner.known[place].ended.add(gap)
    }

    /// Something could not be written, so receipts cannot be kept either. No deadline fires until it is known again
    /// that they can.
    pub fn doubt(&self) {
        self.lock().in_doubt = true;
    }

    /// Receipts that came since then could not be kept. Whoever wrote something meanwhile was luckier than they were.
    pub fn doubt_since(&self, since: Timestamp) {
        let mut inner = self.lock();
        inner.in_doubt = true;
        inner.sure_until = inner.sure_until.min(since);
    }

    /// Something has been written at `now`. Returns the gap that has ended by it, if there was one, and until when it
    /// holds deadlines.
    pub fn sure(&self, now: Timestamp) -> Option<(Gap, Option<Timestamp>)> {
        let gap = {
            let mut inner = self.lock();
            let gap = Gap { from: std::mem::replace(&mut inner.sure_until, now), until: now };
            std::mem::take(&mut inner.in_doubt).then_some(gap)?
        };
        Some((gap, self.add(gap, None)))
    }

    /// What has come since then is still to be applied; nothing where all of it is.
    pub fn behind(&self, since: Option<Timestamp>) {
        self.lock().behind = since;
    }

    /// Up to when everything that has come is applied. What is due later waits: the receipt that decides otherwise may be
    /// here already.
    pub(super) fn applied_until(&self, now: Timestamp) -> Timestamp {
        let behind = self.lock().behind;
        behind.map_or(now, |since| now.min(since - Span::from_millis(1)))
    }

    /// The provider at an address itself has answered a request.
    pub fn reached(&self, address: usize, now: Timestamp) {
        let signs = &self.signs[address];
        signs.reached_at.fetch_max(now.millis(), Ordering::AcqRel);
        if !signs.is_unreachable.load(Ordering::Acquire) {
            return;
        }
        let mut inner = self.lock();
        signs.is_unreachable.store(false, Ordering::Release);
        if let Some(gap) = inner.known[address].out.proves(now) {
            self.end(&mut inner, address, gap, DoubtCause::Unreachable);
        }
    }

    /// A request to it that was begun at `begun` has failed: nothing answered, or not the provider itself.
    pub fn not_reached(&self, address: usize, begun: Timestamp) {
        let (signs, mut inner) = (&self.signs[address], self.lock());
        if inner.known[address].out.fails(begun, signs.reached_at()) {
            signs.is_unreachable.store(true, Ordering::Release);
            self.begin(&mut inner, address);
        }
    }

    /// Nothing waits for news of an address: a doubt that begins later need not reach back before now.
    pub fn note_idle(&self, address: usize, now: Timestamp) {
        self.lock().known[address].out.note_idle(now);
    }

    /// Whether a harmless read is due, because no request has proven the way out for long, or the last has failed.
    pub fn wants_proof(&self, address: usize, now: Timestamp) -> bool {
        self.is_unreachable(address) || now.since(self.signs[address].reached_at()) >= SILENT
    }

    /// Whether the way to an address is in doubt.
    pub fn is_unreachable(&self, address: usize) -> bool {
        self.signs[address].is_unreachable.load(Ordering::Acquire)
    }

    /// A receipt of an attempt of that lane has just been turned away: what the provider says does not get to us.
    pub fn turned_away(&self, lane: LaneId, now: Timestamp) {
        if let Some(address) = self.address_of(lane) {
            self.not_heard(&mut self.lock(), address, DoubtCause::TurnedAway, now, now);
        }
    }

    /// The provider was asked, and has news that it says it had at `said`, of which no webhook has told. Where none at all
    /// has come since, and this happens again and again, they do not get to us: a wrong address, a certificate that has
    /// expired, a proxy that answers for us.
    pub fn unheard(&self, address: usize, said: Timestamp, now: Timestamp) {
        let heard_at = self.signs[address].heard_at();
        let mut inner = self.lock();
        let known = &mut inner.known[address];
        if heard_at >= said || now.since(said) < OVERDUE {
            known.unheard = 0;
            return;
        }
        known.unheard += 1;
        if known.unheard >= PROOF {
            self.not_heard(&mut inner, address, DoubtCause::Unheard, heard_at, now);
        }
    }

    fn not_heard(&self, inner: &mut Inner, address: usize, how: DoubtCause, since: Timestamp, now: Timestamp) {
        let known = &mut inner.known[address];
        let begins = known.deaf.is_none();
        let (since, how) = known.deaf.map_or((since, how), |deaf| (deaf.since, deaf.how));
        known.deaf = Some(Turning { how, since, last: now, heard: None });
        known.inquiry.close();
        self.signs[address].is_deaf.store(true, Ordering::Release);
        if begins {
            self.begin(inner, address);
        }
    }

    /// An authentic webhook has come that names these subaccounts.
    pub fn heard(&self, subaccounts: &[String], now: Timestamp) {
        for address in self.addresses.of_webhook(subaccounts) {
            self.heard_from(address, now);
        }
    }

    /// The provider was asked and said what a webhook had told before: that one came, at `at`.
    pub fn heard_from(&self, address: usize, at: Timestamp) {
        let signs = &self.signs[address];
        signs.heard_at.fetch_max(at.millis(), Ordering::AcqRel);
        if !signs.is_deaf.load(Ordering::Acquire) {
            return;
        }
        if let Some(deaf) = self.lock().known[address].deaf.as_mut().filter(|deaf| at > deaf.since) {
            deaf.heard.get_or_insert(at);
        }
    }

    /// A doubt has begun: what fell back since then is to be taken back.
    fn begin(&self, inner: &mut Inner, address: usize) {
        if let Some(since) = inner.known[address].unproven_since() {
            inner.to_take_back.push((address, since));
            self.doubted.notify_one();
        }
    }

    /// A doubt has ended with that gap.
    fn end(&self, inner: &mut Inner, address: usize, gap: Gap, cause: DoubtCause) {
        let is_brief = gap.length().is_some_and(|length| length < BRIEF);
        let known = &mut inner.known[address];
        if is_brief {
            // A way that fails again and again for a moment must not fill the memory.
            if gap.until.since(known.brief_at) < BRIEF {
                return;
            }
            known.brief_at = gap.until;
        }
        let filled = known.ended.add(gap);
        inner.to_take_back.push((address, gap.from));
        self.doubted.notify_one();
        if !is_brief {
            let address = self.addresses.all()[address].base_url.clone();
            inner.over.push(Over { gap, address, cause, filled });
        }
    }

    /// Whether proof of an address is missing now, and why; and what has ended since the last look.
    pub fn look(&self, now: Timestamp) -> (Vec<Doubt>, Vec<Over>) {
        let mut inner = self.lock();
        for address in 0..self.signs.len() {
            self.look_at_deafness(&mut inner, address, now);
        }
        let doubts = inner.known.iter().zip(self.addresses.all()).flat_map(|(known, address)| {
            let of = |cause, since| Doubt { address: address.base_url.clone(), cause, since };
            let out = known.out.doubt().map(|since| of(DoubtCause::Unreachable, since));
            out.into_iter().chain(known.deaf.map(|deaf| of(deaf.how, deaf.since)))
        });
        let doubts = doubts.collect();
        (doubts, std::mem::take(&mut inner.over))
    }

    fn look_at_deafness(&self, inner: &mut Inner, address: usize, now: Timestamp) {
        let Some(Turning { how, since, last, heard }) = inner.known[address].deaf else { return };
        let until = match heard {
            Some(heard) if now.since(last) >= QUIET => heard,
            None if now.since(last) >= FORGOTTEN => now,
            Some(_) | None => return,
        };
        inner.known[address].deaf = None;
        self.signs[address].is_deaf.store(false, Ordering::Release);
        self.end(inner, address, Gap { from: since, until }, how);
    }

    /// What the next node has to know of each direction of each address.
    pub fn links(&self) -> Vec<LinkState> {
        let inner = self.lock();
        let both = inner.known.iter().zip(self.addresses.all()).zip(&self.signs);
        both.flat_map(|((known, address), signs)| {
            let link =
                |direction, proven, doubt| LinkState { address: address.base_url.clone(), direction, proven, doubt };
            let out = known.out.doubt().map(|since| (since, DoubtCause::Unreachable));
            let heard = known.deaf.map(|deaf| (deaf.since, deaf.how));
            [link(Direction::Out, signs.reached_at(), out), link(Direction::In, signs.heard_at(), heard)]
        })
        .collect()
    }

    /// Up to when everything that the provider said was taken, where something can be written at `now`. In doubt that is
    /// not known before something has been: whoever writes this down may not live to tell of the gap.
    pub fn listening_until(&self, now: Timestamp) -> Timestamp {
        let inner = self.lock();
        let sure = if inner.in_doubt { inner.sure_until.min(now) } else { now };
        // What has come since then is not taken yet, and whoever dies now has lost it.
        inner.behind.map_or(sure, |behind| behind.min(sure))
    }

    /// Those of ours of which the provider has given up on something.
    #[cfg(test)]
    pub(crate) fn lost_everywhere(&self) -> Vec<Gap> {
        self.lock().ours.lost().collect()
    }

    /// The gaps of one address that are over, and of which the provider has given up on something.
    pub fn lost(&self, address: usize) -> Vec<Gap> {
        self.lock().known[address].ended.lost().collect()
    }

    /// Whether the provider was asked late enough, at `asked`, about a step of a lane that was accepted at `accepted` and
    /// was due at `due`: at its due time, or since everything is heard that is said of it.
    pub(super) fn is_filled(&self, lane: LaneId, accepted: Timestamp, due: Timestamp, asked: Timestamp) -> bool {
        let inner = self.lock();
        let known = self.address_of(lane).map(|address| &inner.known[address]);
        let is_unproven = known.and_then(Known::unproven_since).is_some_and(|since| due >= since);
        let ended = known.map_or(&inner.ours, |known| &known.ended);
        let heard_since = ended.heard_since(accepted, due).filter(|_| !is_unproven);
        asked >= due || heard_since.is_some_and(|since| asked >= since)
    }

    /// What silence is worth for a step of a lane that was accepted at `accepted` and was due at `due`.
    pub(super) fn silence(
        &self,
        lane: LaneId,
        after_gap: AfterGap,
        (accepted, due): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Silence {
        let inner = self.lock();
        let known = self.address_of(lane).map(|address| &inner.known[address]);
        let ended = known.map_or(&inner.ours, |known| &known.ended);
        // What an earlier gap has swallowed may have been repeated in vain since this one began.
        let is_still_repeated = |since| matches!(ended.silence(accepted, due, since), Silence::Held { .. });
        let concerns = |since| due >= since || is_still_repeated(since);
        if inner.in_doubt && concerns(inner.sure_until) {
            return Silence::Held { until: now + IN_DOUBT };
        }
        match known.and_then(Known::unproven_since).filter(|since| concerns(*since)) {
            // A doubt that goes on, and that somebody can end, is no gap to fall back after.
            Some(since) if after_gap == AfterGap::FallBack || now.since(since) <= REPEATED_FOR => {
                Silence::Held { until: now + WHILE_UNPROVEN }
            }
            Some(_) => Silence::Lost,
            None => ended.silence(accepted, due, now),
        }
    }

    /// Holds these, whose silence is news by all that is known, until some of them were asked about; nothing where they
    /// may fall back at once.
    pub(super) fn hold_for_questions(&self, address: usize, due: &[Due], now: Timestamp) -> Option<Silence> {
        let heard_at = self.signs[address].heard_at();
        if self.lock().known[address].inquiry.may_fall_back(due, heard_at, now) {
            return None;
        }
        self.inquires.notify_one();
        Some(Silence::Held { until: now + IN_DOUBT })
    }

    /// Whom to ask about first, because others wait for it.
    pub fn inquiry(&self, address: usize) -> Option<(MessageKey, StepIndex)> {
        self.lock().known[address].inquiry.next()
    }

    /// The provider was asked about one of those; where it had news that no webhook has told, at `news`. None reaches us
    /// then, unless one came meanwhile or shortly before: in that case it depends on when the others were accepted.
    pub fn inquired(&self, address: usize, key: MessageKey, news: Option<Timestamp>, now: Timestamp) {
        let heard_at = self.signs[address].heard_at();
        let mut inner = self.lock();
        let inquiry = &mut inner.known[address].inquiry;
        match news {
            None => inquiry.answered(key, now),
            Some(asked) if asked.since(heard_at) < ON_ITS_WAY => inquiry.close(),
            Some(_) => self.not_heard(&mut inner, address, DoubtCause::Unheard, heard_at, now),
        }
    }

    /// The addresses of which fallbacks are to be taken back, and since when: each when a doubt begins and when it ends,
    /// and now and then while it lasts, since what was claimed may have come back to its queue.
    pub(super) fn to_take_back(&self, now: Timestamp) -> Vec<(usize, Timestamp)> {
        let mut inner = self.lock();
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

    /// They could not be taken back yet.
    pub(super) fn not_taken_back(&self, doubts: Vec<(usize, Timestamp)>) {
        self.lock().to_take_back.extend(doubts);
    }

    /// Waits until fallbacks are to be taken back.
    pub(super) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Waits until somebody is to be asked about at once.
    pub async fn inquires(&self) {
        self.inquires.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
