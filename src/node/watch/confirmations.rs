//! Confirms decisions: one that stops something is confirmed when no request that it stops is in flight any more.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp};
use crate::sending::dispatch::{RequestsInFlight, RunningLane};

/// How long a decision waits for requests that were begun before it. A cancel answers within a second, which includes
/// reading and confirming it.
pub(super) const BEGUN_WAITS: Span = Span::from_millis(700);

#[derive(Default)]
pub(super) struct Confirmations {
    /// The latest decision that is confirmed.
    pub(super) confirmed: u64,
    /// Decisions that are applied but not confirmed, in their order, with the requests that must end first.
    leaving: VecDeque<(u64, RequestsInFlight)>,
}

impl Confirmations {
    /// Adds a decision that was just applied, and stopped the given lanes. One that stops nothing waits only for the
    /// decisions before it.
    pub(super) fn add(&mut self, seq: u64, stopped: &[Arc<RunningLane>], now: Timestamp) {
        self.leaving.push_back((seq, RequestsInFlight::of(stopped, now + BEGUN_WAITS)));
    }

    /// Confirms every decision whose requests have ended; returns whether there was one.
    pub(super) fn confirm(&mut self, now: Timestamp) -> bool {
        let before = self.confirmed;
        while let Some((seq, _)) = self.leaving.pop_front_if(|(_, leaving)| leaving.is_over(now)) {
            self.confirmed = seq;
        }
        self.confirmed != before
    }

    /// Waits until the next decision can be confirmed.
    pub(super) async fn next(&self, clock: &dyn Clock) {
        match self.leaving.front() {
            Some((_, leaving)) => leaving.over(clock).await,
            None => std::future::pending().await,
        }
    }
}
