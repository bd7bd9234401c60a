//! The claimer: keeps a small number of claimed messages ready for the turnstile.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::lane::RunningLane;
use super::turnstile::Turnstile;
use crate::base::domain::{BatchId, BatchState, Causes, FaultReport, OnTierSpent, Queue, Span, Timestamp, grouped};
use crate::base::events::Origin;
use crate::rules::engine::Event;
use crate::rules::planner::{
    Capped, ChosenQueues, ImpatientQueue, Order, Pass, Reached, Ready, Referral, ReferralReason, Rest, Slots,
};
use crate::sending::book::{Entry, Suppression};
use crate::sending::throttle::TestPhase;
use crate::store::{Claim, Claimed, ClaimedSet, Error, Result, StepHeldBy, StepHold, Store, TierUse, Verdict};

/// Interval at which every queue is checked, in case a signal was lost.
const RECHECK: Span = Span::from_secs(60);
/// The same interval for a lane that shares queues: no signal reports that another lane has become unavailable.
const RECHECK_SHARED: Span = Span::from_secs(5);
/// Wait after a failed claim, for example on a full disk.
const AFTER_FAILURE: Span = Span::from_millis(500);

#[derive(Debug)]
pub(super) struct Claimer {
    pub(super) lane: Arc<RunningLane>,
    pub(super) store: Arc<dyn Store>,
    turnstile: Arc<Turnstile>,
    order: Mutex<Order>,
    failing: FaultReport,
}

pub(super) type InPlay = HashMap<BatchId, Arc<Entry>>;

/// The queues of steps that fall back while the tier is exhausted.
fn impatient_queues(queues: &[Queue], in_play: &InPlay) -> Vec<ImpatientQueue> {
    let falls_back = |queue: &Queue| {
        let plan = &in_play.get(&queue.batch)?.plan;
        let falls_back = plan.step(queue.step)?.on_tier_spent == OnTierSpent::FallBack;
        falls_back.then_some(ImpatientQueue { queue: *queue, steps: plan.steps.len() })
    };
    queues.iter().filter_map(falls_back).collect()
}

/// What to do after a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Claim again at once.
    Now,
    /// Claim when something changes, or at this time.
    At(Timestamp),
}

impl Claimer {
    pub(super) fn new(lane: Arc<RunningLane>, store: Arc<dyn Store>, turnstile: Arc<Turnstile>) -> Self {
        Self { lane, store, turnstile, order: Mutex::default(), failing: FaultReport::default() }
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let clock = Arc::clone(&self.lane.clock);
        let mut recheck_at = clock.now();
        while !stop.is_cancelled() {
            if clock.now() >= recheck_at {
                self.lane.schedule_all();
                let rest = if self.lane.shares_queues() { RECHECK_SHARED } else { RECHECK };
                recheck_at = clock.now() + rest;
            }
            let next = match self.run_once().await {
                Ok(next) => next,
                // The node ends and logs the reason.
                Err(_) if self.lane.tenure.has_ended() => return,
                Err(error) => {
                    let lane = self.lane.config.name.as_str();
                    if self.failing.begins() {
                        tracing::warn!(lane, error = %Causes(&error), "cannot claim messages; sending waits, retrying");
                    }
                    Next::At(clock.now() + AFTER_FAILURE)
                }
            };
            if let Next::At(at) = next {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.lane.queues.changed() => {}
                    () = clock.sleep_until(at.min(recheck_at)) => {}
                }
            }
        }
    }

    /// Claims once, if the lane may send and has room.
    pub(super) async fn run_once(&self) -> Result<Next> {
        let lane = &self.lane;
        let now = lane.clock.now();
        self.record_alone(now).await?;
        if let Some(until) = lane.blocked(now) {
            return Ok(Next::At(until.unwrap_or(Timestamp::MAX)));
        }
        let test = lane.test.phase();
        let wanted = match test {
            TestPhase::UnderWay => return Ok(Next::At(Timestamp::MAX)),
            TestPhase::Wants(_) => 1,
            TestPhase::Closed => lane.claim_size(),
        };
        // One claim is already waiting at the turnstile. Claiming earlier than needed would only leave more messages
        // unknown after a crash. The turnstile and the recorder wake the claimer.
        if lane.room() < wanted || self.turnstile.waiting() > wanted {
            return Ok(Next::At(Timestamp::MAX));
        }
        // The queues are read first: a batch comes into play before its queue is marked, so its entry is then known.
        let ready = lane.queues.take_due(now);
        let in_play: InPlay = lane.book.in_play().into_iter().map(|entry| (entry.id, entry)).collect();
        let queues = self.choose(ready, &in_play, &test, now);
        if queues.is_empty() {
            let next = lane.queues.next_due().unwrap_or(Timestamp::MAX);
            // Messages that return to their queues may be due once they are recorded.
            if matches!(test, TestPhase::Wants(_)) && next > now && lane.unrecorded() == 0 {
                self.end_test_without_another(now).await?;
            }
            return Ok(if next > now { Next::At(next) } else { Next::Now });
        }
        let suppression = lane.book.latest_suppression();
        // Read before the claim too: another claim that holds slots meanwhile may return them.
        let free = self.next_free_slot(now);
        let set = match self.claim(&queues, &in_play, wanted, now).await {
            Ok(set) => {
                self.failing.ends();
                set
            }
            Err(error) => {
                lane.tenure.end_for(&error);
                for queue in queues {
                    lane.queues.schedule(queue, now);
                }
                return Err(error);
            }
        };
        self.rest(&set, now, free);
        lane.claimed(u32::try_from(set.messages.len()).unwrap_or(u32::MAX));
        if let (TestPhase::Wants(_), Some(claimed)) = (test, set.messages.first()) {
            lane.test.begin(claimed.message.key);
        }
        self.turnstile.fill(jobs_of(set.messages, &in_play, suppression)?);
        let decided = self.decide(&set.referred, &set.rests, &in_play, now).await;
        if decided.is_err() {
            // The referred messages are still due and the limits are still reached, so the next claim finds them.
            for queue in queues {
                lane.queues.schedule(queue, now);
            }
        }
        decided.map(|()| Next::Now)
    }

    /// Stops steps and campaigns that have reached a final limit, and lets the engine decide the referred messages.
    async fn decide(
        &self,
        referred: &[Referral],
        rests: &[(Queue, Rest)],
        in_play: &InPlay,
        now: Timestamp,
    ) -> Result<()> {
        for (_, rest) in rests {
            if let Rest::Capped(capped @ Capped { is_final: true, .. }) = rest {
                self.stop(capped, in_play, now).await?;
            }
        }
        self.refer(referred, in_play, now).await
    }

    /// When the next slot of a limited tier may become free.
    fn next_free_slot(&self, now: Timestamp) -> Option<Timestamp> {
        self.lane.tier.as_ref().and_then(|(_, window)| window.next_free(now))
    }

    /// Claims up to `limit` messages from these queues under the rules of their steps.
    async fn claim(&self, queues: &[Queue], in_play: &InPlay, limit: u32, now: Timestamp) -> Result<ClaimedSet> {
        let lane = &self.lane;
        let reserved = lane.tier.as_ref().map(|(portfolio, window)| (portfolio, window.reserve(limit, now)));
        let counted = reserved.as_ref().filter(|(_, reservation)| reservation.is_counted());
        let tier = counted.map(|(portfolio, reservation)| TierUse {
            portfolio: String::clone(portfolio),
            slots: Slots {
                free: reservation.slots(),
                impatient: if reservation.is_last() { impatient_queues(queues, in_play) } else { Vec::new() },
            },
            since: reservation.since(),
            sender: lane.sender(),
        });
        let timing = |queue: &Queue| Some(((queue.batch, queue.step), in_play.get(&queue.batch)?.timing(queue.step)?));
        let hours = queues.iter().filter_map(timing).collect();
        let cap = |queue: &Queue| {
            Some(((queue.batch, queue.step), lane.compiled.cap(in_play.get(&queue.batch)?, queue.step)?))
        };
        let caps = queues.iter().filter_map(cap).collect();
        let heeded = |queue: &Queue| {
            let heeds = in_play.get(&queue.batch)?.plan.heeds_at(queue.step);
            Some(((queue.batch, queue.step), heeds))
        };
        let (sender, heeds) = (lane.wish_sender(), queues.iter().filter_map(heeded).collect());
        let edition = |queue: &Queue| Some((queue.batch, in_play.get(&queue.batch)?.edition));
        let editions = queues.iter().filter_map(edition).collect();
        let (queues, epoch) = (queues.to_vec(), lane.tenure.epoch());
        let claim = Claim { lane: lane.id, queues, limit, now, epoch, tier, editions, hours, caps, sender, heeds };
        let set = self.store.claim(claim).await?;
        if let Some((_, reservation)) = reserved {
            let recipients = set.messages.iter().filter(|claimed| claimed.pass == Pass::Slot);
            reservation.fill(recipients.map(|claimed| claimed.message.address));
        }
        Ok(set)
    }

    /// Schedules the next check of each queue. `free` is when a slot could become free, read before the claim.
    fn rest(&self, set: &ClaimedSet, now: Timestamp, free: Option<Timestamp>) {
        let lane = &self.lane;
        for Referral { message, reason } in &set.referred {
            if let ReferralReason::Closed { until } = reason {
                let queue = Queue { batch: message.key.batch, step: message.present.step, lane: message.lane };
                lane.queues.schedule(queue, *until);
            }
        }
        let free = free.into_iter().chain(self.next_free_slot(now)).min();
        // The claim may have waited for the store's writer.
        let over = lane.clock.now();
        for (queue, rest) in &set.rests {
            if let Some(at) = rest.until(over, free) {
                lane.queues.schedule(*queue, at);
            }
        }
    }

    /// Lets the engine decide due messages that the claim did not take.
    ///
    /// They are still queued, so a crash loses none. The version of each row resolves races.
    async fn refer(&self, referred: &[Referral], in_play: &InPlay, now: Timestamp) -> Result<()> {
        let decide = |Referral { message, reason }: &Referral| {
            let entry = in_play.get(&message.key.batch)?;
            let (event, fact) = match *reason {
                ReferralReason::Closed { until } => (Event::Postponed { until }, None),
                ReferralReason::TierSpent => {
                    let fact = entry.not_submitted(message, Verdict::TierSpent, now);
                    (Event::TierSpent { step: message.present.step }, fact)
                }
            };
            Some(entry.decide(message, event, now)?.told_by(fact))
        };
        let changes: Vec<_> = referred.iter().filter_map(decide).collect();
        if !changes.is_empty() {
            self.store.record(changes).await?;
        }
        Ok(())
    }

    /// Stops a campaign or a step that has reached its limit, until an operator resumes it.
    ///
    /// A limit of the whole campaign pauses it. A limit of a step holds the step.
    async fn stop(&self, capped: &Capped, in_play: &InPlay, now: Timestamp) -> Result<()> {
        let Queue { batch, step, .. } = capped.queue;
        let Some(entry) = in_play.get(&batch) else { return Ok(()) };
        let whose = if capped.is_of_batch { "the campaign" } else { "the step" };
        let why = match capped.by {
            Reached::Messages { handed_over, of } => {
                let messages = if handed_over == 1 { "message" } else { "messages" };
                let (handed_over, of) = (grouped(handed_over), grouped(of));
                format!("{whose} has sent {handed_over} {messages}, and its max_messages is {of}")
            }
            Reached::Budget { spent, of } => {
                let currency = entry.plan.currency.as_deref();
                let (is_spent, of) = (spent.all() >= of, of.in_currency(currency));
                let spent = spent.all().rounded(currency);
                if is_spent {
                    format!("{whose} has spent {spent}; its budget is {of}")
                } else {
                    format!("{whose} has spent {spent}, and the next message would exceed its budget of {of}")
                }
            }
        };
        if capped.is_of_batch {
            self.store
                .move_batch(batch, vec![BatchState::Running], BatchState::Paused, Some(Origin::rule(why)), now)
                .await?;
        } else {
            self.store
                .hold_step(
                    StepHold {
                        batch,
                        step,
                        by: StepHeldBy::Limit,
                        origin: Origin::rule(why),
                        since: now,
                        recall: None,
                    },
                    now,
                )
                .await?;
        }
        Ok(())
    }

    /// Chooses the queues to claim from, and schedules the others for later.
    ///
    /// A message that tests the lane is of another batch than the refused ones, if any other has due messages.
    fn choose(&self, ready: Vec<Queue>, in_play: &InPlay, test: &TestPhase, now: Timestamp) -> Vec<Queue> {
        let known = |queue: Queue| {
            let entry = in_play.get(&queue.batch)?;
            let may_send = self.lane.serves(entry, &queue, now);
            Some(Ready {
                queue,
                is_campaign: !entry.takes_single_messages(),
                may_send,
                hours: entry.timing(queue.step),
            })
        };
        let mut ready: Vec<Ready> = ready.into_iter().filter_map(known).collect();
        if let TestPhase::Wants(refused) = test {
            let is_other = |ready: &Ready| !refused.contains(&ready.queue.batch);
            if ready.iter().any(|ready| ready.may_send && is_other(ready)) {
                ready.extract_if(.., |ready| !is_other(ready)).for_each(|of| self.lane.queues.schedule(of.queue, now));
            }
        }
        let ChosenQueues { queues, later } = self.order().choose(ready, now);
        for (queue, at) in later {
            self.lane.queues.schedule(queue, at);
        }
        queues
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock()
    }
}

/// Joins each claimed message with its batch.
///
/// A message of a batch that was not requested is an error, because it breaks the store's contract. If it were dropped,
/// it would stay in flight until the next start.
pub(super) fn jobs_of(messages: Vec<Claimed>, in_play: &InPlay, suppression: Suppression) -> Result<Vec<Job>> {
    let job = |claimed: Claimed| {
        let batch = claimed.message.key.batch;
        let entry = in_play.get(&batch).map(Arc::clone);
        let nonsense =
            || Error::InvalidRow { what: format!("a message of batch {}", batch.0), place: "the claim".to_owned() };
        Ok(Job { entry: entry.ok_or_else(nonsense)?, claimed, suppression })
    };
    messages.into_iter().map(job).collect()
}

impl Drop for Claimer {
    /// Closes the turnstile however the claimer ends: otherwise workers would wait there for ever.
    fn drop(&mut self) {
        self.turnstile.close();
    }
}
