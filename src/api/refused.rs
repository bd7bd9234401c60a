//! Webhooks that are turned away: told once, then counted, however many somebody sends.

use std::sync::{Mutex, PoisonError};

use crate::domain::{Span, Timestamp};
use crate::receipts::Unproven;

/// How often at most it is told how many there were.
const TELL: Span = Span::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    told: Option<Timestamp>,
    since: u64,
}

impl Refused {
    pub(super) fn note(&self, why: &Unproven, now: Timestamp) {
        if let Some(count) = self.count(now) {
            tracing::warn!(reason = %why, count, "webhooks without proof are turned away; said once a minute at most");
        }
    }

    /// How many there were, where it is time to tell.
    fn count(&self, now: Timestamp) -> Option<u64> {
        // Whoever panicked here left a count that is right or one short.
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.since += 1;
        if counted.told.is_some_and(|told| now.since(told) < TELL) {
            return None;
        }
        counted.told = Some(now);
        Some(std::mem::take(&mut counted.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_are_counted() {
        let refused = Refused::default();
        let at = |seconds| Timestamp::from_millis(1_000_000) + Span::from_secs(seconds);
        let told = [0, 1, 59, 60, 61, 119, 600].map(|seconds| refused.count(at(seconds)));
        assert_eq!(told, [Some(1), None, None, Some(3), None, None, Some(3)]);
    }
}
