//! When a queue is worth a look again.

use super::Capped;
use crate::domain::{Span, Timestamp};

/// What comes one by one goes in small groups.
const GATHERING: Span = Span::from_millis(100);
/// How long others have to do their part.
const STUCK: Span = Span::from_secs(1);

/// How a queue's turn has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// There may be more for the next claim.
    More,
    /// Nobody is left whose turn has come; the next one's comes then, where there is any.
    Drained { next: Option<Timestamp> },
    /// All who were looked at and have not left wait for a place in the tier.
    ForPlace,
    /// Nobody may leave before others have done their part: the batch does not run, or all who stand in front have to be
    /// ended, because their time is over.
    Stuck,
    /// A limit is reached.
    Capped(Capped),
}

impl Rest {
    /// When the queue is worth a look again; nothing where somebody will say so. `free` is when the next place in the
    /// tier may come free.
    pub fn until(&self, now: Timestamp, free: Option<Timestamp>) -> Option<Timestamp> {
        match self {
            Self::More => Some(now),
            Self::Drained { next } => next.map(|next| next.max(now + GATHERING)),
            Self::ForPlace => Some(free.unwrap_or(now)),
            Self::Stuck => Some(now + STUCK),
            // It is held now, until an operator says otherwise.
            Self::Capped(Capped { is_final: true, .. }) => None,
            // What is on its way may come back, and leave room.
            Self::Capped(_) => Some(now + GATHERING),
        }
    }
}
