//! The claimer: keeps a little work ready, and no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::lane::Lane;
use super::turnstile::Turnstile;
use crate::domain::{BatchId, BatchState, Causes, OnTierSpent, Queue, Span, Timestamp, Told, grouped};
use crate::engine::Event;
use crate::planner::{
    Capped, Chosen, ImpatientQueue, Order, Pass, Reached, Ready, Referral, ReferralReason, Rest, Slots,
};
use crate::store::{
    Claim, Claimed, ClaimedSet, Entry, Error, Hush, Result, StepHeldBy, StepHold, Store, TierUse, Verdict,
};

/// How often every queue is looked at although nobody said so, in case a hint was lost.
const LOOK_ANYWAY: Span = Span::from_secs(60);
/// The same where some are another lane's: that it is away for long is said by nobody.
const LOOK_FOR_OTHERS: Span = Span::from_secs(5);
/// Rest after a claim that failed, a full disk for example.
const AFTER_FAILURE: Span = Span::from_millis(500);

#[derive(Debug)]
pub(super) struct Claimer {
    lane: Arc<Lane>,
    store: Arc<dyn Store>,
    turnstile: Arc<Turnstile>,
    order: Mutex<Order>,
    told: Told,
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
    /// Look again at once.
    Now,
    /// Look when something changes, or at this time.
    At(Timestamp),
}

impl Claimer {
    pub(super) fn new(lane: Arc<Lane>, store: Arc<dyn Store>, turnstile: Arc<Turnstile>) -> Self {
        Self { lane, store, turnstile, order: Mutex::default(), told: Told::default() }
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let clock = Arc::clone(&self.lane.clock);
        let mut look_anyway = clock.now();
        while !stop.is_cancelled() {
            if clock.now() >= look_anyway {
                self.lane.look_everywhere();
                let rest = if self.lane.shares_queues() { LOOK_FOR_OTHERS } else { LOOK_ANYWAY };
                look_anyway = clock.now() + rest;
            }
            let next = match self.run_once().await {
                Ok(next) => next,
                // The node ends, and says why.
                Err(Error::Superseded) => return,
                Err(error) => {
                    let lane = self.lane.config.name.as_str();
                    if self.told.begins() {
                        tracing::warn!(lane, error = %Causes(&error), "cannot claim, so nothing is sent; trying again");
                    }
                    Next::At(clock.now() + AFTER_FAILURE)
                }
            };
            if let Next::At(at) = next {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.lane.queues.changed() => {}
                    () = clock.sleep_until(at.min(look_anyway)) => {}
                }
            }
        }
    }

    /// Claims once, if anything may leave and there is room.
    pub(super) async fn run_once(&self) -> Result<Next> {
        let lane = &self.lane;
        let now = lane.clock.now();
        if let Some(until) = lane.blocked(now) {
            return Ok(Next::At(until.unwrap_or(Timestamp::MAX)));
        }
        let wanted = lane.claim_size();
        // One claim's worth is waiting to leave already: what is claimed earlier than needed is what a crash leaves
        // unknown. Whoever takes from it, or records, says so.
        if lane.room() < wanted || self.turnstile.waiting() > wanted {
            return Ok(Next::At(Timestamp::MAX));
        }
        // In this order: a batch that comes into play before its queue is marked ready is then known.
        let ready = lane.queues.take_ready(now);
        let in_play: InPlay = lane.book.in_play().into_iter().map(|entry| (entry.id, entry)).collect();
        let queues = self.choose(ready, &in_play, now);
        if queues.is_empty() {
            return Ok(Next::At(lane.queues.next_look().unwrap_or(Timestamp::MAX)));
        }
        let hush = lane.book.latest_hush();
        // Asked before the claim too: another claim that held slots meanwhile may give them back.
        let free = self.next_free_slot(now);
        let set = match self.claim(&queues, &in_play, wanted, now).await {
            Ok(set) => {
                self.told.ends();
                set
            }
            Err(error) => {
                if matches!(error, Error::Superseded) {
                    lane.tenure.end();
                }
                for queue in queues {
                    lane.queues.put_back(queue, now);
                }
                return Err(error);
            }
        };
        self.rest(&set, now, free);
        lane.claimed(u32::try_from(set.messages.len()).unwrap_or(u32::MAX));
        self.turnstile.fill(jobs_of(set.messages, &in_play, hush)?);
        let decided = self.decide(&set.referred, &set.rests, &in_play, now).await;
        if decided.is_err() {
            // Messages that were to be referred are still due, and a limit is still reached: the next claim finds them.
            for queue in queues {
                lane.queues.put_back(queue, now);
            }
        }
        decided.map(|()| Next::Now)
    }

    /// Stops what has reached its limit for good, and asks the engine about the messages that were referred to it.
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

    /// When the next slot of the tier may come free, if it is limited.
    fn next_free_slot(&self, now: Timestamp) -> Option<Timestamp> {
        self.lane.tier.as_ref().and_then(|(_, window)| window.next_free(now))
    }

    /// Claims up to `limit` messages from these queues, by the rules of their steps.
    async fn claim(&self, queues: &[Queue], in_play: &InPlay, limit: u32, now: Timestamp) -> Result<ClaimedSet> {
        let lane = &self.lane;
        let reserved = lane.tier.as_ref().map(|(portfolio, window)| (portfolio, window.reserve(limit, now)));
        let counted = reserved.as_ref().filter(|(_, reservation)| reservation.is_counted());
        let tier = counted.map(|(portfolio, reservation)| TierUse {
            portfolio: String::clone(portfolio),
            slots: Slots {
                free: reservation.places(),
                impatient: if reservation.is_last() { impatient_queues(queues, in_play) } else { Vec::new() },
            },
            since: reservation.since(),
            sender: lane.sender(),
        });
        let timing = |queue: &Queue| Some(((queue.batch, queue.step), in_play.get(&queue.batch)?.timing(queue.step)?));
        let hours = queues.iter().filter_map(timing).collect();
        let cap = |queue: &Queue| Some(((queue.batch, queue.step), lane.cap(in_play.get(&queue.batch)?, queue.step)?));
        let caps = queues.iter().filter_map(cap).collect();
        let (queues, epoch) = (queues.to_vec(), lane.tenure.epoch());
        let set = self.store.claim(Claim { lane: lane.id, queues, limit, now, epoch, tier, hours, caps }).await?;
        if let Some((_, reservation)) = reserved {
            let people = set.messages.iter().filter(|claimed| claimed.pass == Pass::Slot);
            reservation.fill(people.map(|claimed| claimed.message.msisdn));
        }
        Ok(set)
    }

    /// Puts each queue back until it is worth a look again. `free` is when a slot could come free before the claim.
    fn rest(&self, set: &ClaimedSet, now: Timestamp, free: Option<Timestamp>) {
        let lane = &self.lane;
        for Referral { message, reason } in &set.referred {
            if let ReferralReason::Closed { until } = reason {
                let queue = Queue { batch: message.key.batch, step: message.present.step, lane: message.lane };
                lane.queues.put_back(queue, *until);
            }
        }
        let free = free.into_iter().chain(self.next_free_slot(now)).min();
        // The claim may have waited for its turn.
        let over = lane.clock.now();
        for (queue, rest) in &set.rests {
            if let Some(at) = rest.until(over, free) {
                lane.queues.put_back(*queue, at);
            }
        }
    }

    /// Asks the engine about due messages that the claim did not take. They are still queued: a crash loses none, and the
    /// version of each row settles a race.
    async fn refer(&self, referred: &[Referral], in_play: &InPlay, now: Timestamp) -> Result<()> {
        let decide = |Referral { message, reason }: &Referral| {
            let entry = in_play.get(&message.key.batch)?;
            let (event, fact) = match *reason {
                ReferralReason::Closed { until } => (Event::PutOff { until }, None),
                ReferralReason::TierSpent => {
                    let fact = entry.could_not_leave(message, Verdict::TierSpent, now);
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

    /// As much has left as may. What a limit of the whole campaign stops is paused, else the step is held: both until a
    /// person says otherwise.
    async fn stop(&self, capped: &Capped, in_play: &InPlay, now: Timestamp) -> Result<()> {
        let Queue { batch, step, .. } = capped.queue;
        let Some(entry) = in_play.get(&batch) else { return Ok(()) };
        let whose = if capped.is_whole { "the campaign" } else { "the step" };
        let why = match capped.by {
            Reached::Messages { handed_over, of } => {
                let messages = if handed_over == 1 { "message" } else { "messages" };
                let (handed_over, of) = (grouped(handed_over), grouped(of));
                format!("{whose} has handed over {handed_over} {messages}, and max_messages allows {of}")
            }
            Reached::Budget { spent, of } => {
                let of = of.in_currency(entry.plan.currency.as_deref());
                let spent = spent.in_currency(None);
                format!("{whose} has spent {spent} of its budget of {of}, and the next message costs more")
            }
        };
        if capped.is_whole {
            self.store.move_batch(batch, vec![BatchState::Running], BatchState::Paused, Some(why), now).await?;
        } else {
            self.store
                .hold_step(StepHold { batch, step, by: StepHeldBy::Limit, why, since: now, recall: None }, now)
                .await?;
        }
        Ok(())
    }

    /// The queues to claim from, of those that are worth a look; the others are put back.
    fn choose(&self, ready: Vec<Queue>, in_play: &InPlay, now: Timestamp) -> Vec<Queue> {
        let known = |queue: Queue| {
            let entry = in_play.get(&queue.batch)?;
            let may_send = self.lane.serves(entry, &queue, now);
            Some(Ready { queue, is_campaign: entry.name.is_some(), may_send, hours: entry.timing(queue.step) })
        };
        let ready = ready.into_iter().filter_map(known).collect();
        let Chosen { queues, later } = self.order().choose(ready, now);
        for (queue, at) in later {
            self.lane.queues.put_back(queue, at);
        }
        queues
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each claimed message with its batch. A claim that returns one of a batch that it was not asked for breaks the store's
/// contract; dropped, the message would stay in flight and be forgotten until the next start.
pub(super) fn jobs_of(messages: Vec<Claimed>, in_play: &InPlay, hush: Hush) -> Result<Vec<Job>> {
    let job = |claimed: Claimed| {
        let batch = claimed.message.key.batch;
        let entry = in_play.get(&batch).map(Arc::clone);
        let nonsense =
            || Error::Nonsense { what: format!("a claim of batch {}", batch.0), place: "the claim".to_owned() };
        Ok(Job { entry: entry.ok_or_else(nonsense)?, claimed, hush })
    };
    messages.into_iter().map(job).collect()
}

impl Drop for Claimer {
    /// However it ends: whoever waits at the turnstile would wait for ever.
    fn drop(&mut self) {
        self.turnstile.close();
    }
}
