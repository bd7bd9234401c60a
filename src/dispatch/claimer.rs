//! The claimer: keeps a little work ready, and no more.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::lane::{CLAIM_AHEAD, Lane};
use super::turnstile::Turnstile;
use crate::domain::{BatchId, BatchState, Causes, OnTierSpent, Span, StepIndex, Timestamp, Told, grouped};
use crate::engine::{Event, Standing, advance};
use crate::store::{
    Capped, Claim, Claimed, Entry, Error, Hush, Impatient, Loaded, Pass, Queue, Reached, Result, StepHeldBy, StepHold,
    Store, TierUse, Verdict,
};

/// How often every queue is looked at although nobody said so, in case a hint was lost.
const LOOK_ANYWAY: Span = Span::from_secs(60);
/// The same where some are another lane's: that it is away for long is said by nobody.
const LOOK_FOR_OTHERS: Span = Span::from_secs(5);
/// Rest of a queue of which nothing may leave before others have done their part.
const STUCK: Span = Span::from_secs(1);
/// Rest after a claim that failed, a full disk for example.
const AFTER_FAILURE: Span = Span::from_millis(500);

#[derive(Debug)]
pub(super) struct Claimer {
    lane: Arc<Lane>,
    store: Arc<dyn Store>,
    turnstile: Arc<Turnstile>,
    told: Told,
}

/// Queues to claim from, and the batches that they belong to.
struct Ready {
    queues: Vec<Queue>,
    in_play: InPlay,
}

pub(super) type InPlay = HashMap<BatchId, Arc<Entry>>;

/// The queues of steps that do not wait where the tier is spent.
fn impatient(queues: &[Queue], in_play: &InPlay) -> Vec<Impatient> {
    let falls_back = |queue: &Queue| {
        let plan = &in_play.get(&queue.batch)?.plan;
        let falls_back = plan.step(queue.step)?.on_tier_spent == OnTierSpent::FallBack;
        falls_back.then_some(Impatient { queue: *queue, steps: plan.steps.len() })
    };
    queues.iter().filter_map(falls_back).collect()
}

/// Who goes first on a lane that several share. Those of one rank share it evenly, and each tenth claim is for another
/// rank than the first, so that nobody waits for all that one big campaign has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Single messages that an API call has brought: somebody waits for each of them.
    Single,
    /// Whoever an earlier step has not reached has waited longest.
    Fallback,
    FirstStep,
}

impl Rank {
    fn of(is_campaign: bool, step: StepIndex) -> Self {
        match (is_campaign, step) {
            (false, _) => Self::Single,
            (true, StepIndex::FIRST) => Self::FirstStep,
            (true, _) => Self::Fallback,
        }
    }
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
        Self { lane, store, turnstile, told: Told::default() }
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
        let Ready { queues, in_play } = self.ready(now);
        if queues.is_empty() {
            return Ok(Next::At(lane.queues.next_look().unwrap_or(Timestamp::MAX)));
        }
        let reserved = lane.tier.as_ref().map(|(portfolio, window)| (portfolio, window.reserve(wanted, now)));
        let counted = reserved.as_ref().filter(|(_, reservation)| reservation.is_counted());
        let tier = counted.map(|(portfolio, reservation)| TierUse {
            portfolio: String::clone(portfolio),
            places: reservation.places(),
            since: reservation.since(),
            sender: lane.sender(),
            impatient: if reservation.is_last() { impatient(&queues, &in_play) } else { Vec::new() },
        });
        let timing = |queue: &Queue| Some(((queue.batch, queue.step), in_play.get(&queue.batch)?.timing(queue.step)?));
        let hours = queues.iter().filter_map(timing).collect();
        let cap = |queue: &Queue| Some(((queue.batch, queue.step), lane.cap(in_play.get(&queue.batch)?, queue.step)?));
        let caps = queues.iter().filter_map(cap).collect();
        let epoch = lane.tenure.epoch();
        let claim = Claim { lane: lane.id, queues: queues.clone(), limit: wanted, now, epoch, tier, hours, caps };
        let hush = lane.book.latest_hush();
        let set = match self.store.claim(claim).await {
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
        if let Some((_, reservation)) = reserved {
            let people = set.messages.iter().filter(|claimed| claimed.pass == Pass::Place);
            reservation.fill(people.map(|claimed| claimed.message.msisdn));
        }
        // All who could leave are new to a tier that is full. They must not be looked at again and again meanwhile.
        let free = lane.tier.as_ref().and_then(|(_, window)| window.next_free(now)).unwrap_or(now);
        for (message, until) in &set.out_of_hours {
            let queue = Queue { batch: message.key.batch, step: message.present.step, lane: message.lane };
            lane.queues.put_back(queue, *until);
        }
        for queue in queues {
            let next = match set.drained.iter().find(|drained| drained.queue == queue) {
                // What is spread over a time comes one by one, and goes in small groups.
                Some(drained) => drained.next.map(|next| next.max(now + CLAIM_AHEAD)),
                None if set.kept_back.contains(&queue) => Some(free),
                // Once the claim is over, which may have waited for its turn.
                None if set.stuck.contains(&queue) => Some(lane.clock.now() + STUCK),
                None => match set.capped.iter().find(|capped| capped.queue == queue) {
                    // It is held now, until somebody says otherwise.
                    Some(capped) if capped.is_final => None,
                    // What is on its way may come back, and leave room.
                    Some(_) => Some(now + CLAIM_AHEAD),
                    None => Some(now),
                },
            };
            if let Some(at) = next {
                lane.queues.put_back(queue, at);
            }
        }
        if let Some(last) = set.messages.last() {
            lane.has_served(last.message.key.batch);
        }
        lane.claimed(u32::try_from(set.messages.len()).unwrap_or(u32::MAX));
        self.turnstile.fill(jobs_of(set.messages, &in_play, hush)?);
        let spent = set.without_place.iter().map(|message| (message, Event::TierSpent { step: message.present.step }));
        let closed = set.out_of_hours.iter().map(|(message, until)| (message, Event::PutOff { until: *until }));
        self.leave(spent.chain(closed), &in_play, now).await?;
        for capped in set.capped.iter().filter(|capped| capped.is_final) {
            self.stop(capped, &in_play, now).await?;
        }
        Ok(Next::Now)
    }

    /// Says what happens to those who are not claimed although their turn has come: they go on to their next step because
    /// the tier is spent, or wait for their hours. They are in their queues still, so a crash forgets nobody, and whoever
    /// is faster with one of them is right.
    async fn leave(
        &self,
        people: impl Iterator<Item = (&Loaded, Event)>,
        in_play: &InPlay,
        now: Timestamp,
    ) -> Result<()> {
        let decide = |(message, event): (&Loaded, Event)| {
            let entry = in_play.get(&message.key.batch)?;
            let standing = Standing::of(entry.state());
            let after = *advance(&entry.plan, standing, &message.present, event, now).next()?;
            let spent = matches!(event, Event::TierSpent { .. });
            let fact = if spent { entry.could_not_leave(message, Verdict::TierSpent, now) } else { None };
            Some(entry.change(message, after, fact))
        };
        let changes: Vec<_> = people.filter_map(decide).collect();
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

    /// The queues that are worth a look and may leave, of those that come first. Who was stopped waits for whoever stopped
    /// them to say so; who comes later has the next claim, where this one leaves room for it.
    fn ready(&self, now: Timestamp) -> Ready {
        let in_play: InPlay = self.lane.book.in_play().into_iter().map(|entry| (entry.id, entry)).collect();
        let serves = |queue: &Queue| in_play.get(&queue.batch).is_some_and(|entry| self.lane.serves(entry, queue, now));
        let mut ready: Vec<_> = self.lane.queues.take_ready(now).into_iter().filter(serves).collect();
        ready.retain(|queue| {
            let timing = in_play.get(&queue.batch).and_then(|entry| entry.timing(queue.step));
            let closed = timing.and_then(|timing| timing.hours.closed_for_all(now));
            if let Some(until) = closed {
                // Nobody in it may leave before, so nobody is looked at.
                self.lane.queues.put_back(*queue, until);
            }
            closed.is_none()
        });
        let rank = |queue: &Queue| {
            let is_campaign = in_play.get(&queue.batch).is_none_or(|entry| entry.name.is_some());
            Rank::of(is_campaign, queue.step)
        };
        let ranks: Vec<Rank> = ready.iter().map(rank).collect::<BTreeSet<_>>().into_iter().collect();
        let turn = self.lane.rank_in_turn(&ranks);
        let (mut queues, others): (Vec<_>, Vec<_>) = ready.into_iter().partition(|queue| Some(&rank(queue)) == turn);
        for queue in others {
            self.lane.queues.put_back(queue, now);
        }
        self.lane.in_turn(&mut queues);
        Ready { queues, in_play }
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
