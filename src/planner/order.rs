//! Which queues are next: their rank, and fairness among queues of the same rank.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Timing;
use crate::domain::{BatchId, Queue, StepIndex, Timestamp};

/// One of so many claims is for the queues of a lower rank.
const OTHERS_EACH: usize = 10;

/// A queue that may hold due messages, and what is known of it before any of them is read.
#[derive(Debug, Clone)]
pub struct Ready {
    pub queue: Queue,
    /// Whether it belongs to a campaign. Otherwise it holds single messages of API calls.
    pub is_campaign: bool,
    /// Whether its messages may leave by this lane: it is neither paused nor held, and this lane is the one chosen for it.
    pub may_leave: bool,
    pub hours: Option<Arc<Timing>>,
}

/// The queues to claim from, and those to look at later.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// In the order in which they are served.
    pub queues: Vec<Queue>,
    pub later: Vec<(Queue, Timestamp)>,
}

/// The rank of a queue, highest first. The queues of one rank share the lane evenly. Each tenth claim is for a lower rank,
/// which therefore never waits for a whole large campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Single messages of API calls: a client waits for each of them.
    Single,
    /// Fallbacks: their recipients have waited longest.
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

/// The order in which the queues of a lane are served.
#[derive(Debug, Default)]
pub struct Order {
    /// The batch that was served last. The others come before it.
    served: Option<BatchId>,
    /// Claims for which several ranks were ready.
    turns: usize,
}

impl Order {
    /// Chooses the queues to claim from. Skips a stopped queue: its release wakes the claimer. Puts a queue off whose send
    /// hours are closed for all recipients, until they open.
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
        let served = chosen.queues.partition_point(|queue| Some(queue.batch) <= self.served);
        chosen.queues.rotate_left(served);
        chosen
    }

    pub const fn has_served(&mut self, batch: BatchId) {
        self.served = Some(batch);
    }

    /// The highest rank, or with each tenth claim one of the others in turn.
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
