//! Which queues are next: whose step comes first, and fairness among those of one rank.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Timing;
use crate::domain::{BatchId, Queue, StepIndex, Timestamp};

/// Of so many claims one is for those who come after others.
const OTHERS_EACH: usize = 10;

/// A queue that may hold something, and what is known of it before anybody in it is looked at.
#[derive(Debug, Clone)]
pub struct Ready {
    pub queue: Queue,
    /// Whether it is a campaign's, and no single message that an API call has brought.
    pub is_campaign: bool,
    /// Whether no pause, hold or other lane keeps all of it from leaving by this one.
    pub may_leave: bool,
    pub hours: Option<Arc<Timing>>,
}

/// What to claim from, and what to look at another time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// In the order of their turns.
    pub queues: Vec<Queue>,
    pub later: Vec<(Queue, Timestamp)>,
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
    fn of(ready: &Ready) -> Self {
        match (ready.is_campaign, ready.queue.step) {
            (false, _) => Self::Single,
            (true, StepIndex::FIRST) => Self::FirstStep,
            (true, _) => Self::Fallback,
        }
    }
}

/// Whose turn it is on a lane.
#[derive(Debug, Default)]
pub struct Order {
    /// The batch that was served last: others have their turn before it.
    served: Option<BatchId>,
    /// Claims for which several ranks were ready.
    turns: usize,
}

impl Order {
    /// Chooses the queues to claim from. It skips a stopped queue: releasing it wakes the claimer. A queue whose hours are
    /// closed for all recipients rests until they open.
    pub fn choose(&mut self, ready: Vec<Ready>, now: Timestamp) -> Chosen {
        let mut chosen = Chosen::default();
        let mut open = Vec::with_capacity(ready.len());
        for ready in ready.into_iter().filter(|ready| ready.may_leave) {
            match ready.hours.as_ref().and_then(|timing| timing.hours.closed_for_all(now)) {
                Some(until) => chosen.later.push((ready.queue, until)),
                None => open.push((Rank::of(&ready), ready.queue)),
            }
        }
        let ranks: Vec<Rank> = open.iter().map(|(rank, _)| *rank).collect::<BTreeSet<_>>().into_iter().collect();
        let turn = self.rank_in_turn(&ranks);
        for (rank, queue) in open {
            if Some(rank) == turn { chosen.queues.push(queue) } else { chosen.later.push((queue, now)) }
        }
        chosen.queues.sort_unstable();
        let behind = chosen.queues.partition_point(|queue| Some(queue.batch) <= self.served);
        chosen.queues.rotate_left(behind);
        chosen
    }

    pub const fn has_served(&mut self, batch: BatchId) {
        self.served = Some(batch);
    }

    /// The first of them, but for each tenth claim, which goes round all of the others.
    fn rank_in_turn(&mut self, ranks: &[Rank]) -> Option<Rank> {
        if ranks.len() < 2 {
            return ranks.first().copied();
        }
        let turn = self.turns;
        self.turns = turn.wrapping_add(1);
        let of_others = turn / OTHERS_EACH % (ranks.len() - 1) + 1;
        ranks.get(if turn % OTHERS_EACH == OTHERS_EACH - 1 { of_others } else { 0 }).copied()
    }
}
