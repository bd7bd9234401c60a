//! What a node knows of one provider address.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::inquiry::Inquiry;
use super::link::Link;
use crate::domain::Timestamp;
use crate::engine;
use crate::store::DoubtCause;

/// What is looked at for every webhook and every answer, without a lock.
#[derive(Debug)]
pub(super) struct Signs {
    /// Whether webhooks of the address do not get to us.
    pub(super) is_deaf: AtomicBool,
    /// When the last authentic webhook of it came.
    pub(super) heard_at: AtomicI64,
    /// Whether the way out is in doubt.
    pub(super) is_unreachable: AtomicBool,
    /// When the provider itself answered last.
    pub(super) reached_at: AtomicI64,
}

/// What is known of one address.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Its own gaps and ours: what was missed in one may be repeated into the other.
    pub(super) ended: engine::Gaps,
    pub(super) out: Link,
    pub(super) deaf: Option<Turning>,
    /// News in a row that only asking brought.
    pub(super) unheard: u32,
    pub(super) inquiry: Inquiry,
    /// When the last brief doubt ended that is remembered.
    pub(super) brief_at: Timestamp,
}

/// Receipts of ours do not get to us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turning {
    pub(super) how: DoubtCause,
    pub(super) since: Timestamp,
    pub(super) last: Timestamp,
    /// When one with a proof came, behind the last sign that they do not.
    pub(super) heard: Option<Timestamp>,
}

impl Signs {
    pub(super) fn new(now: Timestamp) -> Self {
        let at = || AtomicI64::new(now.millis());
        let no = || AtomicBool::new(false);
        Self { is_deaf: no(), heard_at: at(), is_unreachable: no(), reached_at: at() }
    }

    pub(super) fn heard_at(&self) -> Timestamp {
        Timestamp::from_millis(self.heard_at.load(Ordering::Acquire))
    }

    pub(super) fn reached_at(&self) -> Timestamp {
        Timestamp::from_millis(self.reached_at.load(Ordering::Acquire))
    }
}

impl Known {
    /// Since when proof of either direction is missing.
    pub(super) fn unproven_since(&self) -> Option<Timestamp> {
        let deaf = self.deaf.map(|deaf| deaf.since);
        deaf.into_iter().chain(self.out.doubt()).min()
    }
}
