//! A running lane: the state that its claimer, its turnstile and its workers share.

mod permission;
mod status;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::compiled::Compiled;
use super::fleet::Fleet;
use super::latency::LatencyHistogram;
use super::queues::Queues;
use super::under_way::{Begun, UnderWay};
use crate::base::clock::{Chance, Clock, Tick};
use crate::base::config::{self, SendMode};
use crate::base::domain::{
    AddressKey, BatchId, Histogram, LaneId, MessageKey, Queue, Rate, Span, Timestamp, WishSenders,
};
use crate::provider::client::{Client, Reach};
use crate::sending::book::{Book, Entry, MarkedMessages};
use crate::sending::throttle::{
    Backoff, Circuit, Holds, LaneTest, Pace, Pairs, Read, Standstill, StandstillCause, Tenure, Throttling, TierWindow,
};
use crate::store::{BucketOf, LaneState, NotedBucket, Sender, Trouble};

pub use status::{LaneStatus, TierUsed};

/// Most messages that are claimed and not recorded yet, unless the requests in flight need more. A crash leaves that
/// many unknown.
const UNRECORDED_MAX: u32 = 2_000;
/// Most messages of one claim. Two claims fit the bound, so one can be sent while the other is claimed.
const CLAIM_MAX: u32 = 1_000;
/// A claim takes no more messages than the rate allows in this time.
const CLAIM_AHEAD: Span = Span::from_millis(100);

/// Bounds of the times of requests, in milliseconds.
const REQUEST_MS: &[u64] = &[5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// One sender on one channel, running in this node.
#[derive(Debug)]
pub struct RunningLane {
    pub id: LaneId,
    pub config: config::Lane,
    pub(super) client: Client,
    pub(super) pace: Pace,
    pub(super) backoff: Backoff,
    pub(super) circuit: Circuit,
    /// Shows after a refusal without a known code whether the lane is refused.
    pub(super) test: LaneTest,
    /// On WhatsApp, the portfolio's name and its tier.
    pub(super) tier: Option<(String, Arc<TierWindow>)>,
    /// Set if the channel limits the messages to each recipient.
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
    pub latency: LatencyHistogram,
    /// Milliseconds from the beginning of each request to its answer.
    pub request_ms: Histogram,
    unrecorded: AtomicU32,
    /// Whether results cannot be recorded now. Then nothing is sent.
    unrecordable: AtomicBool,
    submitted: AtomicU64,
    pub(super) compiled: Compiled,
    /// Messages of a batch request that was refused because of one of them. Each is sent alone, so that the others are
    /// not refused with it.
    isolated: MarkedMessages<MessageKey>,
}

/// The parts that a lane is made of.
#[derive(Debug)]
pub struct LaneParts {
    pub id: LaneId,
    pub config: config::Lane,
    pub client: Client,
    pub pace: Pace,
    /// On WhatsApp, the limit of messages to each recipient from its number.
    pub pairs: Option<Arc<Pairs>>,
    pub tier: Option<(String, Arc<TierWindow>)>,
    pub holds: Arc<Holds>,
    pub tenure: Arc<Tenure>,
    pub fleet: Arc<Fleet>,
    pub book: Arc<Book>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<Chance>,
}

impl RunningLane {
    pub fn new(parts: LaneParts) -> Arc<Self> {
        let LaneParts { id, config, client, pace, pairs, tier, holds, tenure, fleet, book, clock, chance } = parts;
        let circuit = Circuit::new(config.provider.connections.get());
        let lane = Arc::new(Self {
            id,
            pairs,
            config,
            client,
            pace,
            backoff: Backoff::default(),
            circuit,
            test: LaneTest::default(),
            tier,
            holds,
            tenure,
            fleet,
            queues: Queues::default(),
            under_way: UnderWay::default(),
            book,
            clock,
            chance,
            latency: LatencyHistogram::default(),
            request_ms: Histogram::new(REQUEST_MS),
            unrecorded: AtomicU32::new(0),
            unrecordable: AtomicBool::new(false),
            submitted: AtomicU64::new(0),
            compiled: Compiled::default(),
            isolated: MarkedMessages::default(),
        });
        lane.fleet.join(&lane);
        lane
    }

    /// Restores the standstill and the rate that an earlier process has stored.
    pub fn go_on_from(&self, state: &LaneState) {
        let now = self.clock.now();
        // The next refusal starts another test of the lane.
        let standing = state.standing.clone().filter(|standing| standing.trouble != Trouble::Refused);
        let standstill = standing.map(|standing| Standstill {
            cause: match standing.trouble {
                Trouble::Throttled => StandstillCause::Throttled,
                Trouble::Outage => StandstillCause::Outage,
                Trouble::Refused => StandstillCause::Refused,
            },
            reason: standing.why,
            since: standing.since,
            until: standing.until,
            in_flight: standing.in_flight,
        });
        let (outage, throttled) = match standstill {
            Some(standstill) if standstill.cause == StandstillCause::Outage => (Some(standstill), None),
            throttled => (None, throttled),
        };
        if let Some(outage) = outage {
            self.circuit.go_on_from(outage, now);
        }
        self.backoff.go_on_from(throttled, state.portion, state.complaint.clone(), now);
    }

    pub(super) const fn connections(&self) -> u32 {
        self.config.provider.connections.get()
    }

    /// Messages in one request: one, or the batch size, limited by what the buckets can pass at once.
    pub(super) fn request_size(&self) -> NonZeroU32 {
        match self.config.provider.send {
            SendMode::Single => NonZeroU32::MIN,
            SendMode::Batch { size } => size.min(self.pace.most_at_once()),
        }
    }

    /// Messages in one claim: 100 ms of the rate, and at least one request.
    pub(super) fn claim_size(&self) -> u32 {
        let ahead = u32::try_from(self.pace.rate().within(CLAIM_AHEAD)).unwrap_or(u32::MAX);
        ahead.clamp(1, CLAIM_MAX).max(self.request_size().get())
    }

    /// How many more messages may be claimed now.
    pub(super) fn room(&self) -> u32 {
        let size = self.request_size().get();
        // The batches that all connections carry at once, and one that is being gathered.
        let carried = if size > 1 { size.saturating_mul(self.connections().saturating_add(1)) } else { 0 };
        UNRECORDED_MAX.max(carried).saturating_sub(self.unrecorded())
    }

    /// Messages that are claimed and not recorded yet.
    pub fn unrecorded(&self) -> u32 {
        self.unrecorded.load(Ordering::Acquire)
    }

    pub(super) fn claimed(&self, count: u32) {
        self.unrecorded.fetch_add(count, Ordering::AcqRel);
    }

    pub(super) fn recorded(&self, count: u32) {
        self.unrecorded.fetch_sub(count, Ordering::AcqRel);
        self.queues.wake();
    }

    /// Sets whether results can be recorded.
    pub(super) fn set_recordable(&self, is_recordable: bool) {
        if self.unrecordable.swap(!is_recordable, Ordering::AcqRel) && is_recordable {
            self.schedule_all();
        }
    }

    /// Slows the lane after a receipt that reports throttling. `begun` is when the request began.
    pub fn throttled_by_receipt(&self, begun: Timestamp, reason: &str) {
        let throttling = Throttling { begun, retry_after: None, reason };
        self.backoff.apply_throttling(throttling, self.clock.now(), &self.chance);
    }

    /// Changes the rate and the burst.
    pub fn set_rate(&self, rate: Rate, burst: NonZeroU32) {
        self.pace.set_rate(rate, burst);
        self.queues.wake();
    }

    /// The state of its buckets that a successor needs. A superseded server returns none.
    pub fn to_note(&self) -> impl Iterator<Item = NotedBucket> {
        let [lane, account] = self.pace.to_note();
        let noted = |of, full_at: Option<Tick>| full_at.map(|full_at| NotedBucket { of, full_at: full_at.nanos() });
        let lane = noted(BucketOf::Lane(self.config.name.clone()), lane);
        let both = lane.into_iter().chain(noted(BucketOf::Account(self.config.account.clone()), account));
        both.filter(|_| !self.tenure.has_ended())
    }

    /// Counts a message to this recipient, or returns when the next one is allowed.
    pub(super) fn take_pair_token(&self, recipient: AddressKey) -> Result<(), Timestamp> {
        self.pairs.as_ref().map_or(Ok(()), |pairs| pairs.take(recipient))
    }

    /// Returns the token of a message that is not sent after all.
    pub(super) fn return_pair_token(&self, recipient: AddressKey) {
        if let Some(pairs) = &self.pairs {
            pairs.give_back(recipient);
        }
    }

    pub(super) fn count_submitted(&self, count: u32) {
        self.submitted.fetch_add(u64::from(count), Ordering::Relaxed);
    }

    /// Sends the message alone from now on, until it is settled.
    pub(super) fn isolate(&self, message: MessageKey) {
        self.isolated.insert(message);
    }

    pub(super) fn is_isolated(&self, message: MessageKey) -> bool {
        self.isolated.contains(message)
    }

    /// The sender's identity in the messages that recipients write to it.
    pub(super) fn sender(&self) -> Sender {
        Sender { sub_account: self.config.provider.sub_account.clone(), channel_id: self.config.channel_id.clone() }
    }

    /// What an opt-out from its messages alone names.
    pub(super) fn wish_sender(&self) -> WishSenders {
        let sub_account = Some(self.config.provider.sub_account.clone());
        WishSenders { channel: self.config.channel, sub_account }
    }

    /// Ends the isolation of a message whose result is known.
    pub(super) fn end_isolation(&self, message: MessageKey) {
        self.isolated.remove(message);
    }

    /// Counts a request as being sent until the result is dropped.
    ///
    /// Call it before the checks whether the request may be sent. Then either the checks see a stop, or the command
    /// that stops the lane waits for the request.
    pub fn begin(&self) -> Begun {
        self.under_way.begin()
    }

    /// Reads from the provider, and reports to the circuit whether it answers.
    pub(super) async fn read(&self, read: Read) {
        let reach = self.fleet.reach(self).await;
        let now = self.clock.now();
        match reach {
            Reach::Proven => read.answered(),
            Reach::Failed { why } => read.failed(&why, now, &self.chance),
            Reach::Unclear => read.failed("an answer that may not come from the provider", now, &self.chance),
        }
    }

    /// Schedules another lane's queue, if this lane may take over from that lane.
    pub(super) fn schedule_taken_over(&self, queue: Queue, at: Timestamp) {
        let entry = self.book.entry(queue.batch).filter(|_| queue.lane != self.id);
        if entry.is_some_and(|entry| entry.queues_of(self.id).any(|served| served == queue)) {
            self.queues.look(queue, at);
        }
    }

    /// Schedules all queues of a batch that is new or resumed.
    pub fn schedule(&self, entry: &Entry) {
        for queue in entry.queues_of(self.id) {
            self.queues.look(queue, Timestamp::default());
        }
    }

    /// Whether it may take over from other lanes.
    pub(super) fn shares_queues(&self) -> bool {
        let of_another = |entry: &Arc<Entry>| entry.queues_of(self.id).any(|queue| queue.lane != self.id);
        self.book.in_play().iter().any(of_another)
    }

    /// Schedules every queue, because signals may have been missed.
    pub fn schedule_all(&self) {
        let in_play = self.book.in_play();
        let is_current = |batch: BatchId| in_play.iter().any(|entry| entry.id == batch && !entry.is_called_off());
        self.compiled.retain(is_current);
        // Isolated messages that were never sent, because their campaign was called off before.
        self.isolated.retain(is_current);
        for entry in in_play {
            self.schedule(&entry);
        }
    }
}
