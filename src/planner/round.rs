//! One claim: which of the due messages of its queues leave.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::hours::FirstOf;
use super::limits::Spending;
use super::tier::TierCheck;
use super::{Cap, Capped, Pass, Rest, Slots, TierStanding, Timing, Used};
use crate::domain::{BatchId, BatchState, Fields, Loaded, Money, Present, Queue, State, StepIndex, Timestamp};

/// Messages that one claim reads at most, unless its limit is higher. A full tier makes it read messages that cannot leave,
/// and no transaction may last long because of them.
const READ_MAX: usize = 4_000;
/// A queue costs as much to read as so many messages, however few are in it.
const LOOK_COST: usize = 20;

/// The queues of one claim, and the rules for them.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// In the order in which they are served.
    pub queues: Vec<Queue>,
    /// Messages that may leave at most.
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
    pub ends_at: Option<Timestamp>,
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

/// A message that leaves.
#[derive(Debug, Clone)]
pub struct Leaving {
    pub candidate: Candidate,
    pub pass: Pass,
    pub cost: Money,
}

/// A message that does not leave and is still in its queue. The engine decides what becomes of it.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    pub message: Loaded,
    pub reason: MoveReason,
}

/// Why a message moves without leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveReason {
    /// Outside its send hours, which begin then.
    Closed { until: Timestamp },
    /// The tier has no free slot, and the step does not wait for one.
    TierSpent,
}

/// The result of a claim.
#[derive(Debug, Default)]
pub struct Decided {
    /// Queue by queue, in the order of each queue.
    pub leaves: Vec<Leaving>,
    pub moves: Vec<Move>,
    pub rests: Vec<(Queue, Rest)>,
}

/// The verdict on one candidate.
enum Verdict {
    Leaves {
        pass: Pass,
        cost: Money,
    },
    Moves(MoveReason),
    /// It has expired. The timers end it; it blocks no other message.
    Expired,
    /// The tier has no free slot, and the step waits for one.
    WaitsForSlot,
    /// A limit is reached, for the rest of the queue too: a limit is used in the queue's order.
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
    ends_at: Option<Timestamp>,
    after: Option<(Timestamp, u32)>,
    leaves: Vec<Leaving>,
    /// Whether any message leaves or moves.
    progresses: bool,
    /// Whether any message waits for a free slot in the tier.
    waits_for_slot: bool,
    /// Whether the last page held messages that cannot leave. The next page is then longer.
    is_crowded: bool,
    rest: Option<Rest>,
}

/// A page that the planner asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    walk: usize,
    count: usize,
    /// How many of its messages may leave.
    share: usize,
}

/// The rules that all queues of a claim share.
#[derive(Debug)]
struct Rules {
    now: Timestamp,
    tier: Option<TierCheck>,
    spending: Spending,
}

/// Plans one claim: [`Planner::looks`], [`Planner::judge`], and again until there are no more looks.
#[derive(Debug)]
pub struct Planner {
    rules: Rules,
    /// How many messages may still leave, and how many may still be read.
    left: usize,
    reads_left: usize,
    walks: Vec<Walk>,
    asked: Vec<Asked>,
    moves: Vec<Move>,
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
                ends_at: None,
                after: None,
                leaves: Vec::new(),
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
            moves: Vec::new(),
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

    /// Takes what the planner needs. Only messages of a running batch leave.
    pub fn begin(&mut self, courses: &HashMap<BatchId, Course>, used: impl IntoIterator<Item = (BatchId, Used)>) {
        for walk in &mut self.walks {
            match courses.get(&walk.queue.batch).filter(|course| course.state == BatchState::Running) {
                Some(course) => walk.ends_at = course.ends_at,
                None => walk.rest = Some(Rest::Stuck),
            }
        }
        used.into_iter().for_each(|(batch, used)| self.rules.spending.knows(batch, used));
    }

    /// The pages to read next; none once all is decided. The queues that may hold more share the rest of the limit evenly;
    /// the first queues get the remainder.
    pub fn looks(&mut self) -> Vec<Look> {
        self.asked.clear();
        let (mut left, mut reads_left) = (self.left, self.reads_left);
        let mut active = self.walks.iter().filter(|walk| walk.rest.is_none()).count();
        let mut looks = Vec::new();
        for (place, walk) in self.walks.iter_mut().enumerate().filter(|(_, walk)| walk.rest.is_none()) {
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
                // All messages of this page may turn out to be unable to leave; the others keep their share meanwhile.
                left -= share;
            }
            reads_left = reads_left.saturating_sub(count + LOOK_COST);
            self.asked.push(Asked { walk: place, count, share });
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
                self.left -= walk.judge(&asked, page, &mut self.rules, &mut self.moves);
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
        let mut decided = Decided { moves: self.moves, ..Decided::default() };
        for walk in self.walks {
            let rest = match walk.rest {
                Some(Rest::Drained { .. }) => Rest::Drained { next: next.get(&walk.queue).copied() },
                Some(Rest::Capped(capped)) => {
                    Rest::Capped(Capped { is_final: self.rules.spending.is_final(&capped), ..capped })
                }
                Some(rest) => rest,
                // All that were read have expired or wait for a slot; later ones may leave.
                None if walk.after.is_some() && !walk.progresses => Rest::Stuck,
                None => Rest::More,
            };
            decided.rests.push((walk.queue, rest));
            decided.leaves.extend(walk.leaves);
        }
        decided
    }
}

impl Walk {
    /// Judges one page. Returns how many of its messages leave.
    fn judge(&mut self, asked: &Asked, page: Vec<Candidate>, rules: &mut Rules, moves: &mut Vec<Move>) -> usize {
        if asked.share == 0 && !page.is_empty() {
            // The other queues have used the limit: the next claim begins here.
            return 0;
        }
        let is_short = page.len() < asked.count;
        let before = self.leaves.len();
        self.is_crowded = false;
        for candidate in page {
            let taken = self.leaves.len() - before;
            if taken == asked.share {
                // The rest of the page waits for the next round, or for the next claim.
                return taken;
            }
            self.after = position(&candidate.message);
            match rules.verdict(self, &candidate) {
                Verdict::Leaves { pass, cost } => {
                    let leaving = Leaving { candidate, pass, cost };
                    rules.charge(self, &leaving);
                    self.leaves.push(leaving);
                    self.progresses = true;
                }
                Verdict::Moves(reason) => {
                    moves.push(Move { message: candidate.message, reason });
                    (self.progresses, self.is_crowded) = (true, true);
                }
                Verdict::Expired => self.is_crowded = true,
                Verdict::WaitsForSlot => self.waits_for_slot = true,
                Verdict::Capped(capped) => {
                    self.rest = Some(Rest::Capped(capped));
                    return self.leaves.len() - before;
                }
            }
        }
        self.rest = self.rest_after(is_short);
        self.leaves.len() - before
    }

    /// Whether the queue's turn is over after a page of which each message was judged, and how it ended. A short page is the
    /// last of its queue.
    ///
    /// | messages wait for a slot | the page | the queue |
    /// | --- | --- | --- |
    /// | no | was short | has no more due messages |
    /// | no | was full | is read on |
    /// | yes | was full, and some of it expired or moved | is read on: messages after those may need no slot |
    /// | yes | any other, and some message left or moved | is looked at again at once |
    /// | yes | any other | rests until a slot is free: another look would be in vain |
    const fn rest_after(&self, is_short: bool) -> Option<Rest> {
        match (self.waits_for_slot, is_short) {
            (false, true) => Some(Rest::Drained { next: None }),
            (false, false) => None,
            (true, false) if self.is_crowded => None,
            (true, _) if self.progresses => Some(Rest::More),
            (true, _) => Some(Rest::ForSlot),
        }
    }
}

impl Rules {
    fn verdict(&self, walk: &mut Walk, candidate: &Candidate) -> Verdict {
        let message = &candidate.message;
        if has_expired(&message.present, walk.ends_at, self.now) {
            return Verdict::Expired;
        }
        if let Some(timing) = &walk.timing
            && let Some(until) = timing.put_off(message, self.now, &mut walk.first_of)
        {
            return Verdict::Moves(MoveReason::Closed { until });
        }
        // A recipient who opted out is sent nothing and needs no slot.
        let pass = match &self.tier {
            Some(tier) if !candidate.opted_out => tier.pass(message.msisdn, candidate.tier),
            Some(_) | None => Some(Pass::Uncounted),
        };
        let Some(pass) = pass else {
            let following = |steps| message.present.marks.following(walk.queue.step, steps);
            let can_fall_back = walk.route_steps.and_then(following).is_some();
            return if can_fall_back { Verdict::Moves(MoveReason::TierSpent) } else { Verdict::WaitsForSlot };
        };
        match walk.cap.as_ref().map(|cap| self.spending.cost(walk.queue, cap, candidate)) {
            Some(Err(capped)) => Verdict::Capped(capped),
            Some(Ok(cost)) => Verdict::Leaves { pass, cost },
            None => Verdict::Leaves { pass, cost: Money::ZERO },
        }
    }

    /// Counts a leaving message against its limits and the tier.
    fn charge(&mut self, walk: &Walk, Leaving { candidate, pass, cost }: &Leaving) {
        if walk.cap.is_some() {
            self.spending.pay(walk.queue, *cost);
        }
        if let Some(tier) = self.tier.as_mut().filter(|_| *pass == Pass::Slot) {
            tier.take_slot(candidate.message.msisdn, candidate.tier);
        }
    }
}

/// Whether a message has expired: its waiting time is over, or its batch ended before its first step left.
fn has_expired(present: &Present, ends_at: Option<Timestamp>, now: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let gives_up = if let State::Queued { gives_up, .. } = present.state { gives_up } else { None };
    is_past(gives_up) || present.first_left.is_none() && is_past(ends_at)
}

/// A message's position in its queue.
fn position(message: &Loaded) -> Option<(Timestamp, u32)> {
    message.present.turn().map(|turn| (turn, message.key.n))
}
