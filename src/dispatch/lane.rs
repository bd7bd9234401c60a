//! A lane at work: what its claimer, its turnstile and its workers share.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::compose::{Uncomposable, compose};
use super::fleet::Fleet;
use super::job::Job;
use super::latency::Latency;
use super::queues::Queues;
use super::tariff;
use super::under_way::{Begun, UnderWay};
use crate::clock::{Chance, Clock, Tick};
use crate::config::{self, SendMode};
use crate::domain::{
    BatchId, BatchState, Content, Country, LaneId, MessageKey, Msisdn, Portion, Queue, Rate, Span, StepIndex, Tier,
    Timestamp,
};
use crate::planner::Cap;
use crate::provider::{Client, Reach};
use crate::store::{Book, BucketOf, Entry, Hold, LaneState, Marked, NotedBucket, Sender, Trouble};
use crate::template::Pattern;
use crate::throttle::{Brake, Cause, Circuit, Complaint, Holds, Pace, Pairs, Read, Standstill, Tenure, TierWindow};

/// The most that is claimed and not yet recorded, unless the requests under way need more: what a crash leaves unknown.
const UNRECORDED_MAX: u32 = 2_000;
/// The most that one claim takes: two of them fit the bound, so one can be sent while the other is fetched.
const CLAIM_MAX: u32 = 1_000;
/// A claim takes no more than leaves in this time.
const CLAIM_AHEAD: Span = Span::from_millis(100);

/// How long a lane has to be out until others of its pool take over: its people keep their sender over a hiccup.
const OTHERS_STAND_IN_AFTER: Span = Span::from_secs(10);

/// Nothing stands for the countries in which a step says what it says to most.
type PatternKey = (BatchId, StepIndex, Option<Country>);

/// Nothing where all of a step may leave.
type MaybeCap = Option<Arc<Cap>>;

/// One sender on one channel, at work in this node.
#[derive(Debug)]
pub struct Lane {
    pub id: LaneId,
    pub config: config::Lane,
    pub(super) client: Client,
    pub(super) pace: Pace,
    pub(super) brake: Brake,
    pub(super) circuit: Circuit,
    /// The portfolio's name and its people, on WhatsApp.
    pub(super) tier: Option<(String, Arc<TierWindow>)>,
    /// Where the channel counts what each person gets.
    pairs: Option<Arc<Pairs>>,
    pub(super) holds: Arc<Holds>,
    /// Whether this server may send at all.
    pub(super) tenure: Arc<Tenure>,
    fleet: Arc<Fleet>,
    pub(super) queues: Queues,
    pub(super) under_way: UnderWay,
    pub(super) book: Arc<Book>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) chance: Arc<Chance>,
    /// From claim to record.
    pub latency: Latency,
    unrecorded: AtomicU32,
    /// Whether what has left cannot be recorded now: then nothing else leaves.
    unrecordable: AtomicBool,
    let_out: AtomicU64,
    /// Compiled requests.
    patterns: RwLock<HashMap<PatternKey, Arc<Pattern>>>,
    /// What may still leave of each step, once it was asked for, by which edition of the plan.
    caps: RwLock<HashMap<(BatchId, StepIndex), (u32, MaybeCap)>>,
    /// Messages of a batch that was refused because of one of them: each goes alone, so that it takes nobody along.
    alone: Marked<MessageKey>,
}

/// What a person may want to know about a lane.
#[derive(Debug, Clone)]
pub struct LaneStatus {
    pub name: String,
    pub rate: Rate,
    pub hold: Option<Hold>,
    pub standstill: Option<Standstill>,
    /// How much of its rate it goes at, because it was throttled.
    pub portion: Portion,
    /// The people of its portfolio in the last day, where its tier is limited.
    pub tier: Option<TierUsed>,
    /// Messages that it has let out since the node's start.
    pub let_out: u64,
    /// What the provider complained of last, however long ago.
    pub complaint: Option<(Timestamp, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierUsed {
    pub portfolio: String,
    pub people: u32,
    pub of: u32,
    /// When the next place comes free.
    pub free_at: Option<Timestamp>,
}

impl TierUsed {
    /// Whether nobody new is let in.
    pub const fn is_spent(&self) -> bool {
        self.people >= self.of
    }
}

/// The parts that a lane is made of.
#[derive(Debug)]
pub struct Parts {
    pub id: LaneId,
    pub config: config::Lane,
    pub client: Client,
    pub pace: Pace,
    /// On WhatsApp, what each person gets from its number.
    pub pairs: Option<Arc<Pairs>>,
    pub tier: Option<(String, Arc<TierWindow>)>,
    pub holds: Arc<Holds>,
    pub tenure: Arc<Tenure>,
    pub fleet: Arc<Fleet>,
    pub book: Arc<Book>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<Chance>,
}

impl Lane {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { id, config, client, pace, pairs, tier, holds, tenure, fleet, book, clock, chance } = parts;
        let circuit = Circuit::new(config.provider.connections.get());
        let lane = Arc::new(Self {
            id,
            pairs,
            config,
            client,
            pace,
            brake: Brake::default(),
            circuit,
            tier,
            holds,
            tenure,
            fleet,
            queues: Queues::default(),
            under_way: UnderWay::default(),
            book,
            clock,
            chance,
            latency: Latency::default(),
            unrecorded: AtomicU32::new(0),
            unrecordable: AtomicBool::new(false),
            let_out: AtomicU64::new(0),
            patterns: RwLock::default(),
            caps: RwLock::default(),
            alone: Marked::default(),
        });
        lane.fleet.join(&lane);
        lane
    }

    /// Goes on as an earlier process has left it.
    pub fn go_on_from(&self, state: &LaneState) {
        let now = self.clock.now();
        let standstill = state.standing.clone().map(|standing| Standstill {
            cause: match standing.trouble {
                Trouble::Throttled => Cause::Throttled,
                Trouble::Outage => Cause::Outage,
            },
            reason: standing.why,
            since: standing.since,
            until: standing.until,
            in_flight: standing.in_flight,
        });
        let (outage, throttled) = match standstill {
            Some(standstill) if standstill.cause == Cause::Outage => (Some(standstill), None),
            throttled => (None, throttled),
        };
        if let Some(outage) = outage {
            self.circuit.go_on_from(outage, now);
        }
        self.brake.go_on_from(throttled, state.portion, state.complaint.clone(), now);
    }

    pub(super) const fn connections(&self) -> u32 {
        self.config.provider.connections.get()
    }

    /// Messages in one request: one, or as many as a batch holds and the buckets can ever pass at once.
    pub(super) fn request_size(&self) -> NonZeroU32 {
        match self.config.provider.send {
            SendMode::Single => NonZeroU32::MIN,
            SendMode::Batch { size } => size.min(self.pace.most_at_once()),
        }
    }

    /// How many to claim in one go: 100 ms of the rate, and at least one request.
    pub(super) fn claim_size(&self) -> u32 {
        let ahead = u32::try_from(self.pace.rate().within(CLAIM_AHEAD)).unwrap_or(u32::MAX);
        ahead.clamp(1, CLAIM_MAX).max(self.request_size().get())
    }

    /// How many more may be claimed now.
    pub(super) fn room(&self) -> u32 {
        let size = self.request_size().get();
        // Batches that all connections carry at once, and one that is being gathered.
        let carried = if size > 1 { size.saturating_mul(self.connections().saturating_add(1)) } else { 0 };
        UNRECORDED_MAX.max(carried).saturating_sub(self.unrecorded.load(Ordering::Acquire))
    }

    pub(super) fn claimed(&self, count: u32) {
        self.unrecorded.fetch_add(count, Ordering::AcqRel);
    }

    pub(super) fn recorded(&self, count: u32) {
        self.unrecorded.fetch_sub(count, Ordering::AcqRel);
        self.queues.nudge();
    }

    /// Says whether what leaves can be recorded.
    pub(super) fn set_recordable(&self, is_recordable: bool) {
        if self.unrecordable.swap(!is_recordable, Ordering::AcqRel) && is_recordable {
            self.look_everywhere();
        }
    }

    /// What left was too much for the provider, which says so afterwards, in a receipt.
    pub fn is_too_fast(&self, begun: Timestamp, reason: &str) {
        let complaint = Complaint { begun, retry_after: None, reason };
        self.brake.press(complaint, self.clock.now(), &self.chance);
    }

    /// Goes at another rate from now on.
    pub fn turn(&self, rate: Rate, burst: NonZeroU32) {
        self.pace.turn(rate, burst);
        self.queues.nudge();
    }

    /// What is left in its buckets, where whoever comes next has to know. Of a superseded server nobody goes on from there.
    pub fn to_note(&self) -> impl Iterator<Item = NotedBucket> {
        let [lane, account] = self.pace.to_note();
        let noted = |of, full_at: Option<Tick>| full_at.map(|full_at| NotedBucket { of, full_at: full_at.nanos() });
        let lane = noted(BucketOf::Lane(self.config.name.clone()), lane);
        let both = lane.into_iter().chain(noted(BucketOf::Account(self.config.account.clone()), account));
        both.filter(|_| !self.tenure.has_ended())
    }

    /// Counts a message to this person, or says when there may be one.
    pub(super) fn counts(&self, person: Msisdn) -> Result<(), Timestamp> {
        self.pairs.as_ref().map_or(Ok(()), |pairs| pairs.take(person))
    }

    /// It does not leave after all.
    pub(super) fn uncounts(&self, person: Msisdn) {
        if let Some(pairs) = &self.pairs {
            pairs.give_back(person);
        }
    }

    pub(super) fn lets_out(&self, count: u32) {
        self.let_out.fetch_add(u64::from(count), Ordering::Relaxed);
    }

    /// From now on the message goes alone, until it has been settled.
    pub(super) fn set_apart(&self, message: MessageKey) {
        self.alone.insert(message);
    }

    pub(super) fn goes_alone(&self, message: MessageKey) -> bool {
        self.alone.contains(message)
    }

    /// Who we are to those who write to us.
    pub(super) fn sender(&self) -> Sender {
        Sender { sub_account: self.config.provider.sub_account.clone(), channel_id: self.config.channel_id.clone() }
    }

    /// It went alone, and what came of it is known.
    pub(super) fn is_over_for(&self, message: MessageKey) {
        self.alone.remove(message);
    }

    /// Counts a request as sent until what this returns is dropped. To be called before looking whether it may be sent:
    /// then it either sees what stops it, or is waited for by whoever has stopped it.
    pub fn begin(&self) -> Begun {
        self.under_way.begin()
    }

    /// Until when nothing may leave, where that is so now; a hold has no end that we know.
    pub(super) fn blocked(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        if self.unrecordable.load(Ordering::Acquire)
            || !self.tenure.is_current(now)
            || self.holds.on_lane(&self.config.name).is_some()
        {
            return Some(None);
        }
        self.brake.until(now).max(self.circuit.rests_until(now)).map(Some)
    }

    /// Why the lane stands still, where it does: an outage outweighs a throttling.
    fn standstill(&self) -> Option<Standstill> {
        self.circuit.standstill().or_else(|| self.brake.standstill())
    }

    /// Tells its circuit whether the provider answers.
    pub(super) async fn read(&self, read: Read) {
        let reach = self.fleet.reach(self).await;
        let now = self.clock.now();
        match reach {
            Reach::Proven => read.answered(),
            Reach::Failed { why } => read.failed(&why, now, &self.chance),
            Reach::Unclear => read.failed("an answer that may not be the provider's", now, &self.chance),
        }
    }

    /// Whether a message that was claimed may be sent now. On a slow lane it may have waited for so long that its time is
    /// up, or that an earlier hand-over turns out to have arrived.
    pub(super) fn may_send(&self, job: &Job, now: Timestamp) -> bool {
        self.may_leave(&job.entry, job.step())
            && !job.is_too_late(now)
            && !job.has_lost_its_pass(now)
            && !job.is_out_of_hours(now)
            && !job.is_recalled()
    }

    /// Whether a batch's step may leave by this lane now.
    pub(super) fn may_leave(&self, entry: &Entry, step: StepIndex) -> bool {
        entry.state() == BatchState::Running && !entry.is_held(step) && !self.template_is_held(entry, step)
    }

    /// Whether what waits in a queue may leave by this lane now: in its own, or in that of another which may not send.
    pub(super) fn serves(&self, entry: &Entry, queue: &Queue, now: Timestamp) -> bool {
        let stands_in = || self.fleet.lane(queue.lane).is_none_or(|other| other.is_away(entry, queue.step, now));
        self.may_leave(entry, queue.step) && (queue.lane == self.id || stands_in())
    }

    /// Whether others of its pool have a step to themselves: it is held, or out for longer than a moment. Who is only
    /// slow, or waits for a place in its tier, keeps its people.
    fn is_away(&self, entry: &Entry, step: StepIndex, now: Timestamp) -> bool {
        let is_out = |outage: Standstill| now.since(outage.since) >= OTHERS_STAND_IN_AFTER;
        self.holds.on_lane(&self.config.name).is_some()
            || self.template_is_held(entry, step)
            || self.circuit.standstill().is_some_and(is_out)
    }

    /// Whether what waits in this queue of its own is for whoever stands in for it.
    pub(super) fn leaves_it_to_others(&self, queue: &Queue) -> bool {
        let entry = self.book.entry(queue.batch);
        let shared = entry.filter(|entry| entry.pool(queue.step).is_some_and(|(pool, _)| pool.is_shared()));
        shared.is_some_and(|entry| self.is_away(&entry, queue.step, self.clock.now()))
    }

    /// Another's queue has got something, which is for this lane where it stands in for that one.
    pub(super) fn look_for_another(&self, queue: Queue, at: Timestamp) {
        let entry = self.book.entry(queue.batch).filter(|_| queue.lane != self.id);
        if entry.is_some_and(|entry| entry.queues_of(self.id).any(|served| served == queue)) {
            self.queues.look(queue, at);
        }
    }

    pub(super) fn template_is_held(&self, entry: &Entry, step: StepIndex) -> bool {
        match entry.plan.step(step).map(|step| &step.content) {
            Some(Content::Template(template)) => {
                self.holds.on_template(&self.config.name, &template.name, &template.language).is_some()
            }
            Some(Content::Text { .. }) | None => false,
        }
    }

    /// The compiled request of a step to people of a country.
    pub(super) fn pattern(
        &self,
        entry: &Entry,
        step: StepIndex,
        country: Country,
    ) -> Result<Arc<Pattern>, Uncomposable> {
        let differs = entry.plan.step(step).is_some_and(|step| step.differs_in(country));
        let key = (entry.id, step, differs.then_some(country));
        if let Some(pattern) = self.patterns.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(pattern));
        }
        let rules = entry.plan.step(step).ok_or(Uncomposable::NoStep { step })?;
        let pattern = Arc::new(compose(rules, &self.config.name, country, &entry.plan.columns)?);
        self.patterns.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&pattern));
        Ok(pattern)
    }

    /// What of a step may still leave, where that is not all of it.
    pub(super) fn cap(&self, entry: &Entry, step: StepIndex) -> Option<Arc<Cap>> {
        let key = (entry.id, step);
        if let Some((edition, cap)) = self.caps.read().unwrap_or_else(PoisonError::into_inner).get(&key)
            && *edition == entry.edition
        {
            return cap.clone();
        }
        let cap = entry.plan.step(step).and_then(|rules| tariff::cap(&entry.plan, rules)).map(Arc::new);
        self.caps.write().unwrap_or_else(PoisonError::into_inner).insert(key, (entry.edition, cap.clone()));
        cap
    }

    /// A batch is new, or goes on: all of its queues here are worth a look.
    pub fn look_at(&self, entry: &Entry) {
        for queue in entry.queues_of(self.id) {
            self.queues.look(queue, Timestamp::default());
        }
    }

    /// Whether it may have to stand in for other lanes.
    pub(super) fn shares_queues(&self) -> bool {
        let of_another = |entry: &Arc<Entry>| entry.queues_of(self.id).any(|queue| queue.lane != self.id);
        self.book.in_play().iter().any(of_another)
    }

    /// Every queue is worth a look, since nobody knows what was missed.
    pub fn look_everywhere(&self) {
        let in_play = self.book.in_play();
        let goes_on = |batch: BatchId| in_play.iter().any(|entry| entry.id == batch && !entry.is_called_off());
        self.patterns.write().unwrap_or_else(PoisonError::into_inner).retain(|(batch, _, _), _| goes_on(*batch));
        self.caps.write().unwrap_or_else(PoisonError::into_inner).retain(|(batch, _), _| goes_on(*batch));
        // Who was to go alone and never went, because the campaign was called off before.
        self.alone.retain(goes_on);
        for entry in in_play {
            self.look_at(&entry);
        }
    }

    pub fn status(&self) -> LaneStatus {
        let now = self.clock.now();
        LaneStatus {
            name: self.config.name.clone(),
            rate: self.pace.rate(),
            hold: self.holds.on_lane(&self.config.name),
            standstill: self.standstill(),
            portion: self.brake.portion(now),
            tier: self.tier.as_ref().and_then(|(portfolio, window)| {
                let Tier::People(of) = window.tier() else { return None };
                let (portfolio, people) = (portfolio.clone(), window.used(now));
                Some(TierUsed { portfolio, people, of, free_at: window.next_end(now) })
            }),
            let_out: self.let_out.load(Ordering::Relaxed),
            complaint: self.brake.last_complaint().max(self.circuit.last_complaint()),
        }
    }
}
