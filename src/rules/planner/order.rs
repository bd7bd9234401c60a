//! Chooses the queues of a claim: by rank, and fairly among the queues of a rank.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Timing;
use crate::base::domain::{Queue, StepIndex, Timestamp};

/// One of so many claims for which several ranks are ready is for a lower one.
const OTHERS_EACH: usize = 10;

/// A queue that may hold due messages, and what is known of it before any of them is read.
#[derive(Debug, Clone)]
pub struct Ready {
    pub queue: Queue,
    /// Whether it belongs to a campaign. Otherwise it holds single messages of API calls.
    pub is_campaign: bool,
    /// Whether this lane may send its messages: neither lane nor step is paused or held, and the queue is this lane's
    /// own or that of a lane which it replaces.
    pub may_send: bool,
    pub hours: Option<Arc<Timing>>,
}

/// The queues to claim from, and those to look at later.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ChosenQueues {
    /// In the order in which they are served.
    pub queues: Vec<Queue>,
    pub later: Vec<(Queue, Timestamp)>,
}

/// The rank of a queue, highest first. The queues of one rank share the lane evenly. Each tenth claim is for a lower
/// rank, which therefore never waits for a whole large campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Single messages of API calls: a client waits for each of them.
    Single,
    /// Fallbacks: their recipients have waited longest.
    Fallback,
    FirstStep,
}

const RANKS: usize = 3;

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
    /// The queue with which the last claim of each rank began. The next claim begins with the queue after it, because
    /// the first queue of a claim gets the remainder of its limit, or all of a limit of one message.
    began_with: [Option<Queue>; RANKS],
    /// Claims for which several ranks were ready.
    mixed_claims: usize,
}

impl Order {
    /// Chooses the queues of the next claim.
    ///
    /// - Skips a queue that may not send: its release wakes the claimer.
    /// - Postpones a queue until its send hours open, if they are closed for all recipients.
    /// - Takes the queues of one rank; the others stay ready for the next claim (`later`, with `now`).
    pub fn choose(&mut self, ready: Vec<Ready>, now: Timestamp) -> ChosenQueues {
        let mut chosen = ChosenQueues::default();
        let mut open = Vec::with_capacity(ready.len());
        for ready in ready.into_iter().filter(|ready| ready.may_send) {
            match ready.hours.as_ref().and_then(|timing| timing.hours.closed_for_all(now)) {
                Some(until) => chosen.later.push((ready.queue, until)),
                None => open.push((Rank::of(&ready), ready.queue)),
            }
        }
        let ranks: Vec<Rank> = open.iter().map(|(rank, _)| *rank).collect::<BTreeSet<_>>().into_iter().collect();
        let next = self.next_rank(&ranks);
        for (rank, queue) in open {
            if Some(rank) == next { chosen.queues.push(queue) } else { chosen.later.push((queue, now)) }
        }
        if let Some(began_with) = next.map(|rank| &mut self.began_with[rank as usize]) {
            chosen.queues.sort_unstable();
            let next = chosen.queues.partition_point(|queue| Some(*queue) <= *began_with);
            chosen.queues.rotate_left(next);
            *began_with = chosen.queues.first().copied();
        }
        chosen
    }

    /// The highest rank, or with each tenth claim one of the others, one after the other.
    fn next_rank(&mut self, ranks: &[Rank]) -> Option<Rank> {
        if ranks.len() < 2 {
            return ranks.first().copied();
        }
        let claim = self.mixed_claims;
        self.mixed_claims = claim.wrapping_add(1);
        let lower = claim / OTHERS_EACH % (ranks.len() - 1) + 1;
        ranks.get(if claim % OTHERS_EACH == OTHERS_EACH - 1 { lower } else { 0 }).copied()
    }
}
