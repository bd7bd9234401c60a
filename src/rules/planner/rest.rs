//! When to look at a queue again.

use super::{Capped, Reached};
use crate::base::domain::{Span, Timestamp};

/// Messages that come due one by one are sent in small groups.
const GATHERING: Span = Span::from_millis(100);
/// Slots that come free one by one are used in groups: a claim that finds none free reads many messages in vain.
const SLOT_GATHERING: Span = Span::from_millis(500);
/// Reservations are released one by one, some of them only after days.
const RELEASING: Span = Span::from_secs(1);
/// Time for the timers and the housekeeper to end expired messages.
const STUCK: Span = Span::from_secs(1);

/// Why a claim took no more messages of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// It may hold more due messages, for the next claim.
    More,
    /// It has no more due messages. The next one is due then, if there is any.
    Drained { next: Option<Timestamp> },
    /// The claim took nothing of it: the messages that it read wait for a free slot in the tier, or have expired.
    ForSlot,
    /// The batch is not running or has another plan by now, or the claim read as much as it may and found only expired messages.
    Stuck,
    /// A limit is reached.
    Capped(Capped),
}

impl Rest {
    /// When to look at the queue again; `None` if an event wakes it. `free` is when the next slot of the tier may come
    /// free.
    pub fn until(&self, now: Timestamp, free: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::More => Some(now),
            Self::Drained { next } => next.map(|next| next.max(now + GATHERING)),
            Self::ForSlot => Some(free.unwrap_or(now).max(now + SLOT_GATHERING)),
            Self::Stuck => Some(now + STUCK),
            // The claimer holds the step or pauses the campaign, until an operator resumes it.
            Self::Capped(Capped { is_final: true, .. }) => None,
            Self::Capped(Capped { by: Reached::Budget { spent, .. }, .. }) if !spent.reserved.is_zero() => {
                Some(now + RELEASING)
            }
            // A message in flight may fail and leave room.
            Self::Capped(_) => Some(now + GATHERING),
        }
    }
}
