//! One claim: which of the due messages of its queues it takes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::hours::FirstOf;
use super::limits::Spending;
use super::tier::TierCheck;
use super::{Cap, Capped, Pass, Rest, Slots, TierStanding, Timing, Used};
use crate::domain::{BatchId, BatchState, Fields, Loaded, Money, Present, Queue, State, StepIndex, Timestamp};

/// The most that one claim may read, unless its limit is higher: each page costs its messages and [`LOOK_COST`].
/// Messages that the claim does not take must not make the transaction long.
const READ_MAX: usize = 4_000;
/// A page costs as much to read as so many messages, however few are in it.
const LOOK_COST: usize = 20;

/// The queues of one claim, and the rules for them.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// In the order in which they are served.
    pub queues: Vec<Queue>,
    /// Messages that the claim may take.
    pub limit: u32,
    pub now: Timestamp,
    /// Steps with send hours.
    pub hours: HashMap<(BatchId, StepIndex), Arc<Timing>>,
    /// Steps with limits or budgets.
    pub caps: HashMap<(BatchId, StepIndex), Arc<Cap>>,
    /// The free slots of the lane's tier, if it is limited.
    pub slots: Option<Slots>,
}

/// The state of a batch at the time of the claim.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub state: BatchState,
    /// Latest time for a first submission (the campaign's `end`).
    pub last_first_submission_at: Option<Timestamp>,
}

/// A page to read: so many due messages of a queue, after the message that was judged last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub queue: Queue,
    pub after: Option<(Timestamp, u32)>,
    pub count: usize,
}

/// A due message of a queue.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub message: Loaded,
    pub fields: Fields,
    pub opted_out: bool,
    pub tier: TierStanding,
}

/// A message that the claim takes: the store marks it `sending`. An opted-out recipient's message is taken too, without
/// slot and cost; the worker ends it without a request.
#[derive(Debug, Clone)]
pub struct Taken {
    pub candidate: Candidate,
    pub pass: Pass,
    pub cost: Money,
}

/// A due message that the claim does not take. It stays queued, and the claimer asks the engine what to do with it.
#[derive(Debug, Clone, Copy)]
pub struct Referral {
    pub message: Loaded,
    pub reason: ReferralReason,
}

/// Why a message is referred to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferralReason {
    /// Outside its send hours, which open then.
    Closed { until: Timestamp },
    /// The tier has no free slot, and the step does not wait for one.
    TierSpent,
}

/// The result of a claim.
#[derive(Debug, Default)]
pub struct Decided {
    /// Queue by queue, in the order of each queue.
    pub taken: Vec<Taken>,
    pub referred: Vec<Referral>,
    pub rests: Vec<(Queue, Rest)>,
}

/// The verdict on one candidate.
enum Verdict {
    Take {
        pass: Pass,
        cost: Money,
    },
    Refer(ReferralReason),
    /// It has expired. The timers or the housekeeper end it; it blocks no other message.
    Expired,
    /// The tier has no free slot, and the step waits for one. It blocks no other message: the next may need no slot.
    WaitsForSlot,
    /// A limit is reached. The claim takes nothing more of this queue: a limit is used in queue order.
    Capped(Capped),
}

/// One queue, walked from its front.
#[derive(Debug)]
struct Walk {
    queue: Queue,
    timing: Option<Arc<Timing>>,
    first_of: FirstOf,
    cap: Option<Arc<Cap>>,
    /// The steps of the route, if a message without a free slot in the tier falls back.
    route_steps: Option<usize>,
    last_first_submission_at: Option<Timestamp>,
    after: Option<(Timestamp, u32)>,
    taken: Vec<Taken>,
    /// Whether the claim has taken or referred any message of it.
    progresses: bool,
    /// Whether any message waits for a free slot in the tier.
    waits_for_slot: bool,
    /// Whether the last page held messages that the claim does not take. The next page is then longer.
    is_crowded: bool,
    rest: Option<Rest>,
}

/// A page that the planner asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    walk: usize,
    count: usize,
    /// How many of its messages may be taken.
    share: usize,
}

/// The rules that all queues of a claim share.
#[derive(Debug)]
struct Rules {
    now: Timestamp,
    tier: Option<TierCheck>,
    spending: Spending,
}

/// Plans one claim: [`Planner::next_looks`], [`Planner::judge`], and again until there are no more looks.
#[derive(Debug)]
pub struct Planner {
    rules: Rules,
    /// How many messages may still be taken, and what may still be read (see [`READ_MAX`]).
    left: usize,
    reads_left: usize,
    walks: Vec<Walk>,
    asked: Vec<Asked>,
    referred: Vec<Referral>,
}

impl Planner {
    pub fn new(terms: Terms) -> Self {
        let Terms { queues, limit, now, hours, caps, slots } = terms;
        let tier = slots.map(TierCheck::new);
        let walk = |queue: Queue| {
            let of_step = (queue.batch, queue.step);
            Walk {
                queue,
                timing: hours.get(&of_step).cloned(),
                first_of: FirstOf::default(),
                cap: caps.get(&of_step).cloned(),
                route_steps: tier.as_ref().and_then(|tier| tier.route_steps(&queue)),
                last_first_submission_at: None,
                after: None,
                taken: Vec::new(),
                progresses: false,
                waits_for_slot: false,
                is_crowded: false,
                rest: None,
            }
        };
        let left = usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            left,
            reads_left: left.max(READ_MAX),
            walks: queues.into_iter().map(walk).collect(),
            asked: Vec::new(),
            referred: Vec::new(),
            rules: Rules { now, tier, spending: Spending::default() },
        }
    }

    /// The batches whose state the planner needs.
    pub fn batches(&self) -> BTreeSet<BatchId> {
        self.walks.iter().map(|walk| walk.queue.batch).collect()
    }

    /// The batches whose use of limits and budgets the planner needs.
    pub fn limited(&self) -> BTreeSet<BatchId> {
        let is_limited = |cap: &Arc<Cap>| !cap.step.are_none() || !cap.batch.are_none();
        let limited = self.walks.iter().filter(|walk| walk.cap.as_ref().is_some_and(is_limited));
        limited.map(|walk| walk.queue.batch).collect()
    }

    /// Gives the planner what it needs to know. It takes only messages of running batches.
    pub fn begin(&mut self, courses: &HashMap<BatchId, Course>, used: impl IntoIterator<Item = (BatchId, Used)>) {
        for walk in &mut self.walks {
            match courses.get(&walk.queue.batch).filter(|course| course.state == BatchState::Running) {
                Some(course) => walk.last_first_submission_at = course.last_first_submission_at,
                None => walk.rest = Some(Rest::Stuck),
            }
        }
        used.into_iter().for_each(|(batch, used)| self.rules.spending.set_used(batch, used));
    }

    /// Chooses the pages to read next; none once all is decided. The queues that may hold more share the rest of the
    /// limit evenly; the first queues get the remainder.
    pub fn next_looks(&mut self) -> Vec<Look> {
        self.asked.clear();
        let (mut left, mut reads_left) = (self.left, self.reads_left);
        let mut active = self.walks.iter().filter(|walk| walk.rest.is_none()).count();
        let mut looks = Vec::new();
        for (index, walk) in self.walks.iter_mut().enumerate().filter(|(_, walk)| walk.rest.is_none()) {
            if left == 0 || reads_left < LOOK_COST {
                break;
            }
            let (mut share, further) = (left.div_ceil(active), reads_left.div_ceil(active));
            active -= 1;
            match walk.cap.as_ref().map(|cap| self.rules.spending.room(walk.queue, cap)) {
                Some(Err(capped)) => {
                    walk.rest = Some(Rest::Capped(capped));
                    continue;
                }
                Some(Ok(room)) => share = share.min(room),
                None => {}
            }
            let count = if walk.is_crowded { further.max(share) } else { share }.min(reads_left);
            share = share.min(count);
            if !walk.is_crowded {
                // A crowded queue may yield nothing again, so its share stays with the others until its page is judged.
                left -= share;
            }
            reads_left = reads_left.saturating_sub(count + LOOK_COST);
            self.asked.push(Asked { walk: index, count, share });
            looks.push(Look { queue: walk.queue, after: walk.after, count });
        }
        looks
    }

    /// Whether the planner needs to know which of so many candidates hold a slot in the tier.
    pub fn needs_holders(&self, candidates: usize) -> bool {
        self.rules.tier.as_ref().is_some_and(|tier| tier.needs_holders(candidates))
    }

    /// Judges the pages of the last looks, in their order.
    pub fn judge(&mut self, pages: Vec<Vec<Candidate>>) {
        for (asked, page) in std::mem::take(&mut self.asked).into_iter().zip(pages) {
            self.reads_left = self.reads_left.saturating_sub(page.len() + LOOK_COST);
            if let Some(walk) = self.walks.get_mut(asked.walk) {
                let asked = Asked { share: asked.share.min(self.left), ..asked };
                self.left -= walk.judge(&asked, page, &mut self.rules, &mut self.referred);
            }
        }
    }

    /// The queues without more due messages. The planner needs to know when their next message is due.
    pub fn drained(&self) -> Vec<Queue> {
        let drained = |walk: &&Walk| matches!(walk.rest, Some(Rest::Drained { .. }));
        self.walks.iter().filter(drained).map(|walk| walk.queue).collect()
    }

    /// The result. `next` says when the next message of each drained queue is due.
    pub fn end(self, next: &HashMap<Queue, Timestamp>) -> Decided {
        let is_read_out = self.reads_left < LOOK_COST;
        let mut decided = Decided { referred: self.referred, ..Decided::default() };
        for walk in self.walks {
            let rest = match walk.rest {
                Some(Rest::Drained { .. }) => Rest::Drained { next: next.get(&walk.queue).copied() },
                Some(Rest::Capped(capped)) => {
                    Rest::Capped(Capped { is_final: self.rules.spending.is_final(&capped), ..capped })
                }
                Some(rest) => rest,
                // The others have used the limit.
                None if walk.progresses || walk.after.is_none() || !is_read_out => Rest::More,
                None if walk.waits_for_slot => Rest::ForSlot,
                None => Rest::Stuck,
            };
            decided.rests.push((walk.queue, rest));
            decided.taken.extend(walk.taken);
        }
        decided
    }
}

impl Walk {
    /// Judges one page. Returns how many of its messages it takes.
    fn judge(&mut self, asked: &Asked, page: Vec<Candidate>, rules: &mut Rules, referred: &mut Vec<Referral>) -> usize {
        if asked.share == 0 && !page.is_empty() {
            // The other queues have used the limit. This queue stays ready for the next claim.
            return 0;
        }
        let is_short = page.len() < asked.count;
        let before = self.taken.len();
        self.is_crowded = false;
        for candidate in page {
            let taken = self.taken.len() - before;
            if taken == asked.share {
                // The rest of the page waits for the next round, or for the next claim.
                return taken;
            }
            self.after = position(&candidate.message);
            match rules.verdict(self, &candidate) {
                Verdict::Take { pass, cost } => {
                    let taken = Taken { candidate, pass, cost };
                    rules.charge(self, &taken);
                    self.taken.push(taken);
                    self.progresses = true;
                }
                Verdict::Refer(reason) => {
                    referred.push(Referral { message: candidate.message, reason });
                    (self.progresses, self.is_crowded) = (true, true);
                }
                Verdict::Expired => self.is_crowded = true,
                Verdict::WaitsForSlot => (self.waits_for_slot, self.is_crowded) = (true, true),
                Verdict::Capped(capped) => {
                    self.rest = Some(Rest::Capped(capped));
                    return self.taken.len() - before;
                }
            }
        }
        self.rest = self.rest_after(is_short);
        self.taken.len() - before
    }

    /// The queue's rest after a page of which each message was judged; `None` if the next round reads on. A short page
    /// is the last of its queue.
    ///
    /// | the page | messages wait for a slot | the claim took or referred one | rest | why |
    /// | --- | --- | --- | --- | --- |
    /// | full | | | `None` | later messages may be sent |
    /// | short | no | | `Drained` | it has no more due messages |
    /// | short | yes | yes | `More` | a slot may have come back meanwhile |
    /// | short | yes | no | `ForSlot` | only a free slot helps |
    const fn rest_after(&self, is_short: bool) -> Option<Rest> {
        match (is_short, self.waits_for_slot, self.progresses) {
            (false, _, _) => None,
            (true, false, _) => Some(Rest::Drained { next: None }),
            (true, true, true) => Some(Rest::More),
            (true, true, false) => Some(Rest::ForSlot),
        }
    }
}

impl Rules {
    /// Judges one candidate. The first of these decides: expiry, send hours, the tier, limits and budgets.
    fn verdict(&self, walk: &mut Walk, candidate: &Candidate) -> Verdict {
        let message = &candidate.message;
        if has_expired(&message.present, walk.last_first_submission_at, self.now) {
            return Verdict::Expired;
        }
        if let Some(timing) = &walk.timing
            && let Some(until) = timing.closed_until(message, self.now, &mut walk.first_of)
        {
            return Verdict::Refer(ReferralReason::Closed { until });
        }
        // A recipient who opted out gets no message, so the message needs no slot.
        let pass = match &self.tier {
            Some(tier) if !candidate.opted_out => tier.pass(message.msisdn, candidate.tier),
            Some(_) | None => Some(Pass::Uncounted),
        };
        let Some(pass) = pass else {
            let following = |steps| message.present.marks.following(walk.queue.step, steps);
            let can_fall_back = walk.route_steps.and_then(following).is_some();
            return if can_fall_back { Verdict::Refer(ReferralReason::TierSpent) } else { Verdict::WaitsForSlot };
        };
        match walk.cap.as_ref().map(|cap| self.spending.cost(walk.queue, cap, candidate)) {
            Some(Err(capped)) => Verdict::Capped(capped),
            Some(Ok(cost)) => Verdict::Take { pass, cost },
            None => Verdict::Take { pass, cost: Money::ZERO },
        }
    }

    /// Counts a taken message against its limits and the tier.
    fn charge(&mut self, walk: &Walk, Taken { candidate, pass, cost }: &Taken) {
        if walk.cap.is_some() {
            self.spending.pay(walk.queue, *cost);
        }
        if let Some(tier) = self.tier.as_mut().filter(|_| *pass == Pass::Slot) {
            tier.take_slot(candidate.message.msisdn, candidate.tier);
        }
    }
}

/// Whether a message has expired: its waiting time is over, or the latest time for its first submission has passed.
fn has_expired(present: &Present, last_first_submission_at: Option<Timestamp>, now: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let gives_up = if let State::Queued { gives_up, .. } = present.state { gives_up } else { None };
    is_past(gives_up) || present.first_submitted_at.is_none() && is_past(last_first_submission_at)
}

/// A message's position in its queue.
fn position(message: &Loaded) -> Option<(Timestamp, u32)> {
    message.present.not_before().map(|not_before| (not_before, message.key.n))
}
