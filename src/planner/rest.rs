//! When to look at a queue again.

use super::Capped;
use crate::domain::{Span, Timestamp};

/// Messages that come due one by one leave in small groups.
const GATHERING: Span = Span::from_millis(100);
/// Time for the timers and the housekeeper to do their part.
const STUCK: Span = Span::from_secs(1);

/// Why a claim took no more messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// It may hold more due messages, for the next claim.
    More,
    /// It has no more due messages. The next one is due then, if there is any.
    Drained { next: Option<Timestamp> },
    /// All due messages that were read and did not leave wait for a free slot in the tier.
    ForSlot,
    /// The batch does not run, or all messages at its front have expired and the timers have to end them first.
    Stuck,
    /// A limit is reached.
    Capped(Capped),
}

impl Rest {
    /// When to look at the queue again; nothing if an event wakes it. `free` is when the next slot of the tier may come free.
    pub fn until(&self, now: Timestamp, free: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::More => Some(now),
            Self::Drained { next } => next.map(|next| next.max(now + GATHERING)),
            Self::ForSlot => Some(free.unwrap_or(now)),
            Self::Stuck => Some(now + STUCK),
            // The step is held now, until an operator releases it.
            Self::Capped(Capped { is_final: true, .. }) => None,
            // A message in flight may fail and leave room.
            Self::Capped(_) => Some(now + GATHERING),
        }
    }
}
