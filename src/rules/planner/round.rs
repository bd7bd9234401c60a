//! One claim: which of the due messages of its queues it takes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::limits::Spending;
use super::tier::TierCheck;
use super::walk::{Asked, QueueWalk, Referral, Rules, TakenMessage};
use super::{Candidate, Cap, Capped, Rest, Slots, Timing, Used};
use crate::base::domain::{BatchId, BatchState, Queue, StepIndex, Timestamp};

/// The most that one claim may read, unless its limit is higher: each page costs its messages and [`PAGE_COST`].
/// Messages that the claim does not take must not make the transaction long.
const READ_MAX: usize = 4_000;
/// A page costs as much to read as so many messages, however few are in it.
const PAGE_COST: usize = 20;

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
pub struct BatchAtClaim {
    pub state: BatchState,
    /// Latest time for a first submission (the campaign's `end`).
    pub last_first_submission_at: Option<Timestamp>,
}

/// A page to read: so many due messages of a queue, after the message that was judged last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    pub queue: Queue,
    pub after: Option<(Timestamp, u32)>,
    pub count: usize,
}

/// The result of a claim.
#[derive(Debug, Default)]
pub struct PlannedClaim {
    /// Queue by queue, in the order of each queue.
    pub taken: Vec<TakenMessage>,
    pub referred: Vec<Referral>,
    pub rests: Vec<(Queue, Rest)>,
}

/// Plans one claim: [`Planner::next_pages`], [`Planner::judge`], and again until there are no more pages to read.
#[derive(Debug)]
pub struct Planner {
    rules: Rules,
    /// How many messages may still be taken, and what may still be read (see [`READ_MAX`]).
    left: usize,
    reads_left: usize,
    walks: Vec<QueueWalk>,
    asked: Vec<Asked>,
    referred: Vec<Referral>,
}

impl Planner {
    pub fn new(terms: Terms) -> Self {
        let Terms { queues, limit, now, hours, caps, slots } = terms;
        let tier = slots.map(TierCheck::new);
        let walk = |queue: Queue| {
            let of_step = (queue.batch, queue.step);
            let route_steps = tier.as_ref().and_then(|tier| tier.route_steps(&queue));
            let (timing, cap) = (hours.get(&of_step).cloned(), caps.get(&of_step).cloned());
            QueueWalk::of(queue, timing, cap, route_steps)
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

    /// Gives the planner what it needs to know. It takes only messages of running batches, and none of a batch that is missing.
    pub fn begin(&mut self, batches: &HashMap<BatchId, BatchAtClaim>, used: impl IntoIterator<Item = (BatchId, Used)>) {
        for walk in &mut self.walks {
            match batches.get(&walk.queue.batch).filter(|batch| batch.state == BatchState::Running) {
                Some(batch) => walk.last_first_submission_at = batch.last_first_submission_at,
                None => walk.rest = Some(Rest::Stuck),
            }
        }
        used.into_iter().for_each(|(batch, used)| self.rules.spending.set_used(batch, used));
    }

    /// Chooses the pages to read next; none once all is decided. The queues that may hold more share the rest of the
    /// limit evenly; the first queues get the remainder.
    pub fn next_pages(&mut self) -> Vec<PageRequest> {
        self.asked.clear();
        let (mut left, mut reads_left) = (self.left, self.reads_left);
        let mut active = self.walks.iter().filter(|walk| walk.rest.is_none()).count();
        let mut requests = Vec::new();
        for (index, walk) in self.walks.iter_mut().enumerate().filter(|(_, walk)| walk.rest.is_none()) {
            if left == 0 || reads_left < PAGE_COST {
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
            reads_left = reads_left.saturating_sub(count + PAGE_COST);
            self.asked.push(Asked { walk: index, count, share });
            let QueueWalk { queue, after, .. } = *walk;
            requests.push(PageRequest { queue, after, count });
        }
        requests
    }

    /// Whether the planner needs to know which of so many candidates hold a slot in the tier.
    pub fn needs_holders(&self, candidates: usize) -> bool {
        self.rules.tier.as_ref().is_some_and(|tier| tier.needs_holders(candidates))
    }

    /// Judges the pages requested last, in their order.
    pub fn judge(&mut self, pages: Vec<Vec<Candidate>>) {
        for (asked, page) in std::mem::take(&mut self.asked).into_iter().zip(pages) {
            self.reads_left = self.reads_left.saturating_sub(page.len() + PAGE_COST);
            if let Some(walk) = self.walks.get_mut(asked.walk) {
                let asked = Asked { share: asked.share.min(self.left), ..asked };
                self.left -= walk.judge(&asked, page, &mut self.rules, &mut self.referred);
            }
        }
    }

    /// The queues without more due messages. The planner needs to know when their next message is due.
    pub fn drained(&self) -> Vec<Queue> {
        let drained = |walk: &&QueueWalk| matches!(walk.rest, Some(Rest::Drained { .. }));
        self.walks.iter().filter(drained).map(|walk| walk.queue).collect()
    }

    /// The result. `next` says when the next message of each drained queue is due.
    pub fn end(self, next: &HashMap<Queue, Timestamp>) -> PlannedClaim {
        let is_read_out = self.reads_left < PAGE_COST;
        let mut decided = PlannedClaim { referred: self.referred, ..PlannedClaim::default() };
        for walk in self.walks {
            let rest = match walk.rest {
                Some(Rest::Drained { .. }) => Rest::Drained { next: next.get(&walk.queue).copied() },
                Some(Rest::Capped(capped)) => {
                    Rest::Capped(Capped { is_final: self.rules.spending.is_final_after_claim(&capped), ..capped })
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
