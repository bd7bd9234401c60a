//! The right to send: one server has it, in its epoch, while it renews its lease in time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio_util::sync::CancellationToken;

use crate::base::domain::{Span, Timestamp};
use crate::store::{Epoch, Error};

/// After this long without a renewal, another server may take over the lease.
pub const LEASE: Span = Span::from_secs(5);
/// After this long without a renewal, the holder sends nothing. It stops before another server may begin.
const HELD: Span = Span::from_secs(4);

/// Why a server may never send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenureEnd {
    /// Another epoch has begun.
    Superseded,
    /// The path of the database leads to another file, or to none. Commands cannot reach this server there.
    Replaced,
}

impl TenureEnd {
    const fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Superseded => Some(Self::Superseded),
            Error::Replaced { .. } => Some(Self::Replaced),
            _ => None,
        }
    }
}

/// The epoch of this server, and how long it lasts.
#[derive(Debug)]
pub struct Tenure {
    epoch: Epoch,
    /// When the latest successful renewal began.
    renewed: AtomicI64,
    /// When the latest check of the present epoch began.
    looked: AtomicI64,
    why: OnceLock<TenureEnd>,
    ended: CancellationToken,
}

impl Tenure {
    /// Creates the tenure of a lease that was taken at `since` or later.
    pub fn new(epoch: Epoch, since: Timestamp) -> Self {
        Self {
            epoch,
            renewed: AtomicI64::new(since.millis()),
            looked: AtomicI64::new(since.millis()),
            why: OnceLock::new(),
            ended: CancellationToken::new(),
        }
    }

    /// A tenure without an end, for a server that is alone.
    #[cfg(test)]
    pub(crate) fn unending() -> Self {
        Self::new(Epoch::default(), Timestamp::MAX)
    }

    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether this server may send now.
    ///
    /// A process that was suspended, or cannot write, has not renewed its lease. It may not send, whether or not it
    /// knows of a successor.
    pub fn is_current(&self, now: Timestamp) -> bool {
        !self.has_ended() && now.since(self.renewed()) < HELD
    }

    pub fn renewed(&self) -> Timestamp {
        Timestamp::from_millis(self.renewed.load(Ordering::Acquire))
    }

    /// Records a successful renewal that began at `begun`. Returns whether the lease had lapsed by then.
    ///
    /// `now` is read after the record, so a lapse that another task saw before is always reported.
    pub fn renew(&self, begun: Timestamp, now: impl FnOnce() -> Timestamp) -> bool {
        let before = Timestamp::from_millis(self.renewed.fetch_max(begun.millis(), Ordering::AcqRel));
        now().since(before) >= HELD
    }

    /// Records the present epoch, from a check that began at `begun`.
    pub fn look(&self, present: Epoch, begun: Timestamp) {
        if present != self.epoch {
            self.end(TenureEnd::Superseded);
        }
        self.looked.fetch_max(begun.millis(), Ordering::AcqRel);
    }

    pub fn looked(&self) -> Timestamp {
        Timestamp::from_millis(self.looked.load(Ordering::Acquire))
    }

    /// Whether this server may never send again.
    pub fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ends the tenure: this server never sends again. The first reason counts.
    pub fn end(&self, why: TenureEnd) {
        self.why.get_or_init(|| why);
        self.ended.cancel();
    }

    /// Ends the tenure if the error of a verb says so. Returns whether it does.
    pub fn end_for(&self, error: &Error) -> bool {
        let why = TenureEnd::of(error);
        why.into_iter().for_each(|why| self.end(why));
        why.is_some()
    }

    /// Waits until this server may never send again, and returns why.
    pub async fn ended(&self) -> TenureEnd {
        self.ended.cancelled().await;
        self.why.get().copied().unwrap_or(TenureEnd::Superseded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unrenewed_lease_lapses_before_another_server_may_take_it() {
        let at = |seconds: i64| Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000);
        let tenure = Tenure::new(Epoch(3), at(0));
        assert!(tenure.is_current(at(3)) && !tenure.is_current(at(4)) && !tenure.is_current(at(9_999)));
        assert!(tenure.renew(at(5), || at(5)), "it had lapsed");
        assert!(tenure.is_current(at(8)) && !tenure.is_current(at(9)));
        // A slow renewal proves nothing about a later time.
        assert!(!tenure.renew(at(2), || at(6)));
        assert!(tenure.is_current(at(8)));
        tenure.end(TenureEnd::Replaced);
        tenure.renew(at(9), || at(9));
        assert!(!tenure.is_current(at(9)) && tenure.has_ended());
        assert!(HELD < LEASE);
    }
}
