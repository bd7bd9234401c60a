//! The state of one provider address, as this node knows it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::Notify;

use super::inquiry::Inquiry;
use super::link::Link;
use crate::base::domain::{DoubtCause, Timestamp};
use crate::rules::engine;

/// The state that every webhook and every answer reads, without a lock.
#[derive(Debug)]
pub(super) struct Signs {
    /// Whether webhooks of the address do not reach this installation.
    pub(super) are_webhooks_doubted: AtomicBool,
    /// When its last authentic webhook arrived.
    pub(super) webhook_at: AtomicI64,
    /// Whether a request has failed since the last proof of the outgoing direction.
    pub(super) is_unreachable: AtomicBool,
    /// When the provider itself answered last.
    pub(super) reached_at: AtomicI64,
    /// Notified when the provider has to be queried at once: others wait for the answer, or proof is missing.
    pub(super) wants_query: Notify,
}

/// The state of one address that a lock protects.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Its own gaps and those of this installation: a receipt missed in one may be repeated in the other.
    pub(super) ended: engine::KnownGaps,
    pub(super) out: Link,
    pub(super) webhook_doubt: Option<WebhookDoubt>,
    pub(super) missing_webhooks: MissingWebhooks,
    pub(super) inquiry: Inquiry,
    /// When the receipts of the latest doubts have been repeated, none of which are lost: deadlines that were waived
    /// meanwhile are then decided.
    pub(super) release_at: Option<Timestamp>,
}

/// The statuses that only queries have brought since the last webhook.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MissingWebhooks {
    /// When the last webhook arrived.
    pub(super) since: Timestamp,
    pub(super) count: u32,
}

/// A doubt about the incoming direction: receipts do not reach this installation.
#[derive(Debug, Clone, Copy)]
pub(super) struct WebhookDoubt {
    pub(super) cause: DoubtCause,
    pub(super) since: Timestamp,
    pub(super) last: Timestamp,
    /// When an authentic one arrived, after the last sign of the doubt.
    pub(super) arrived: Option<Timestamp>,
}

impl Signs {
    pub(super) fn new(now: Timestamp) -> Self {
        let at = || AtomicI64::new(now.millis());
        let no = || AtomicBool::new(false);
        Self {
            are_webhooks_doubted: no(),
            webhook_at: at(),
            is_unreachable: no(),
            reached_at: at(),
            wants_query: Notify::new(),
        }
    }

    pub(super) fn webhook_at(&self) -> Timestamp {
        Timestamp::from_millis(self.webhook_at.load(Ordering::Acquire))
    }

    pub(super) fn reached_at(&self) -> Timestamp {
        Timestamp::from_millis(self.reached_at.load(Ordering::Acquire))
    }
}

impl Known {
    /// Since when proof of either direction is missing, also if it is only suspected.
    pub(super) fn unproven_since(&self) -> Option<Timestamp> {
        let webhook_doubt = self.webhook_doubt.map(|doubt| doubt.since);
        webhook_doubt.into_iter().chain(self.out.failure().map(|failure| failure.since)).min()
    }

    /// Since when a direction is in doubt at `now`.
    pub(super) fn doubt_since(&self, now: Timestamp) -> Option<Timestamp> {
        let webhook_doubt = self.webhook_doubt.map(|doubt| doubt.since);
        webhook_doubt.into_iter().chain(self.out.doubt(now)).min()
    }
}
