//! Removes old strays and tier slots: when a node starts, and once a day while it runs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::{Causes, Span, Tier, Timestamp, Told};
use crate::store::{Result, Store};

/// How long strays are kept: as long as the longest usual receipt window.
pub(super) const STRAYS_KEPT: Span = Span::from_secs(30 * 86_400);
const EVERY: Span = Span::from_secs(86_400);
/// Rest after a failure of the store.
const AFTER_FAILURE: Span = Span::from_secs(60);

/// Removes what is too old, in pieces, so that each write transaction stays short.
#[derive(Debug)]
pub(super) struct Pruner {
    store: Arc<dyn Store>,
    next: Timestamp,
}

impl Pruner {
    /// Due at once.
    pub(super) const fn new(store: Arc<dyn Store>, now: Timestamp) -> Self {
        Self { store, next: now }
    }

    /// Prunes where a day has passed since the last time. Returns when to do so again.
    pub(super) async fn run_once(&mut self, now: Timestamp) -> Result<Timestamp> {
        if now >= self.next {
            self.store.forget_places(now - Tier::HELD).await?;
            self.store.forget_old_strays(now - STRAYS_KEPT).await?;
            self.next = now + EVERY;
        }
        Ok(self.next)
    }

    pub(super) async fn run(mut self, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let told = Told::default();
        while !stop.is_cancelled() {
            let next = match self.run_once(clock.now()).await {
                Ok(next) => {
                    told.ends();
                    next
                }
                Err(error) => {
                    if told.begins() {
                        tracing::warn!(error = %Causes(&error), "cannot remove old strays and tier slots; trying again");
                    }
                    clock.now() + AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep_until(next) => {}
            }
        }
    }
}
