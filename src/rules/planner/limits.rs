//! Limits and budgets: what a claim may still take.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use super::Candidate;
use crate::base::domain::{BatchId, Count, Fee, Limits, Money, Queue, Spent, StepIndex, Tallies};

/// The price of a message. The claim asks for it and counts the cost before the message is sent.
pub trait Price: Debug + Send + Sync {
    fn of(&self, candidate: &Candidate) -> Fee;
}

/// The limits of a queue: of its step, and of its batch.
#[derive(Debug, Clone)]
pub struct Cap {
    pub step: Limits,
    /// Over all steps of its batch.
    pub batch: Limits,
    /// `None` without a price list.
    pub price: Option<Arc<dyn Price>>,
}

/// A limit that is reached: the claim takes no more messages of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capped {
    pub queue: Queue,
    pub by: Reached,
    /// Whether it is a limit of the batch, and not only of the step.
    pub is_of_batch: bool,
    /// Whether that is final: no message is in flight whose failure would make room, and none may still be delivered whose
    /// cost is reserved.
    pub is_final: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Messages { handed_over: u64, of: u64 },
    Budget { spent: Spent, of: Money },
}

/// A batch's use of its limits.
#[derive(Debug, Clone, Default)]
pub struct Used {
    pub tallies: Tallies,
    pub spent: BTreeMap<StepIndex, Spent>,
}

/// A step of a batch; `None` means the whole batch.
type LimitScope = (BatchId, Option<StepIndex>);

/// How far limits are used at the time of a claim, and what the claim adds.
#[derive(Debug, Default)]
pub(super) struct Spending {
    /// The stored counts, and the cost of the messages that this claim takes.
    used: HashMap<BatchId, Used>,
    /// Messages that this claim takes.
    taken: HashMap<LimitScope, u64>,
}

impl Spending {
    pub(super) fn set_used(&mut self, batch: BatchId, used: Used) {
        self.used.insert(batch, used);
    }

    /// How many messages of a queue the claim may still take, or the limit that is reached. A budget that is not used up
    /// does not reduce the number; [`Spending::cost`] checks it message by message.
    pub(super) fn room(&self, queue: Queue, cap: &Cap) -> Result<usize, Capped> {
        let mut room = u64::MAX;
        for (limits, scope) in bounds(queue, cap) {
            if let Some(of) = limits.messages {
                let handed_over = self.counted(scope, Count::HandedOver);
                let left = of.saturating_sub(handed_over + self.in_flight(scope));
                if left == 0 {
                    return Err(self.capped(queue, scope, Reached::Messages { handed_over, of }));
                }
                room = room.min(left);
            }
            if let Some(of) = limits.budget {
                let spent = self.spent(scope);
                if spent.all() >= of {
                    return Err(self.capped(queue, scope, Reached::Budget { spent, of }));
                }
            }
        }
        Ok(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// What is counted for a candidate, or the limit that is reached.
    ///
    /// Checks the limits again, because the claim may have taken messages of the same batch after [`Spending::room`].
    pub(super) fn cost(&self, queue: Queue, cap: &Cap, candidate: &Candidate) -> Result<Fee, Capped> {
        self.room(queue, cap)?;
        let price = cap.price.as_ref().filter(|_| !candidate.is_never_sent());
        let fee = price.map_or(Fee::NOTHING, |price| price.of(candidate));
        for (limits, scope) in bounds(queue, cap) {
            let Some(of) = limits.budget else { continue };
            let spent = self.spent(scope);
            if spent.all().plus(fee.amount) > of {
                return Err(self.capped(queue, scope, Reached::Budget { spent, of }));
            }
        }
        Ok(fee)
    }

    /// Counts a message that the claim takes.
    pub(super) fn count_taken(&mut self, queue: Queue, fee: Fee) {
        for scope in [Some(queue.step), None] {
            *self.taken.entry((queue.batch, scope)).or_default() += 1;
        }
        if !fee.amount.is_zero() {
            let spent = self.used.entry(queue.batch).or_default().spent.entry(queue.step).or_default();
            spent.spent = spent.spent.plus(fee.spent());
            spent.reserved = spent.reserved.plus(fee.reserved());
        }
    }

    /// Whether a reached limit is still final at the end of the claim. It is not if the claim took messages that count
    /// against it after the limit was found: one that fails makes room.
    pub(super) fn is_final_after_claim(&self, capped: &Capped) -> bool {
        let Queue { batch, step, .. } = capped.queue;
        let scope = (batch, Some(step).filter(|_| !capped.is_of_batch));
        capped.is_final && !self.taken.contains_key(&scope)
    }

    fn capped(&self, queue: Queue, scope: LimitScope, by: Reached) -> Capped {
        let is_reserved = match by {
            Reached::Messages { .. } => false,
            Reached::Budget { spent, .. } => !spent.reserved.is_zero(),
        };
        Capped { queue, by, is_of_batch: scope.1.is_none(), is_final: !is_reserved && self.in_flight(scope) == 0 }
    }

    /// Messages in flight, with those that this claim takes.
    fn in_flight(&self, scope: LimitScope) -> u64 {
        self.counted(scope, Count::Sending) + self.taken.get(&scope).copied().unwrap_or_default()
    }

    fn counted(&self, (batch, step): LimitScope, count: Count) -> u64 {
        let Some(Used { tallies, .. }) = self.used.get(&batch) else { return 0 };
        let counted = step.map_or_else(|| tallies.total(count), |step| tallies.get(step, count));
        u64::try_from(counted).unwrap_or(0)
    }

    fn spent(&self, (batch, step): LimitScope) -> Spent {
        let Some(Used { spent, .. }) = self.used.get(&batch) else { return Spent::default() };
        match step {
            Some(step) => spent.get(&step).copied().unwrap_or_default(),
            None => spent.values().copied().sum(),
        }
    }
}

/// The limits of a queue's step and of its batch.
fn bounds(queue: Queue, cap: &Cap) -> [(Limits, LimitScope); 2] {
    [(cap.step, (queue.batch, Some(queue.step))), (cap.batch, (queue.batch, None))]
}
