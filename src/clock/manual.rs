//! A clock that stands still until it is moved.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Clock, Sleep, Tick};
use crate::domain::{Span, Timestamp};

/// Time for tests and simulations. Sleepers wake in the order of their times, those of one time in the order in which
/// they lay down.
#[derive(Debug)]
pub struct ManualClock(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    drift: i64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    laid_down: u64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(Inner { now, drift: 0, sleepers: BTreeMap::new(), laid_down: 0 }))
    }

    /// Moves time on and wakes whoever's time has come.
    pub fn advance(&self, by: Span) {
        let mut inner = self.lock();
        inner.now = inner.now + by;
        let now = inner.now;
        while let Some(first) = inner.sleepers.first_entry().filter(|first| first.key().0 <= now) {
            // Whoever no longer waits has dropped its end; there is nobody to tell.
            let _ = first.remove().send(());
        }
    }

    /// Lets the wall clock jump by so many milliseconds, while this clock goes on evenly.
    pub fn jump(&self, millis: i64) {
        self.lock().drift += millis;
    }

    /// The time of whoever wakes next.
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        self.lock().sleepers.first_key_value().map(|((at, _), _)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            let woken = {
                let mut inner = self.lock();
                if inner.now >= at {
                    return;
                }
                let (wake, woken) = oneshot::channel();
                inner.laid_down += 1;
                let place = (at, inner.laid_down);
                inner.sleepers.insert(place, wake);
                woken
            };
            // The sender lives in the clock, which outlives its sleepers; an error would mean that it is gone.
            let _ = woken.await;
        })
    }

    fn tick(&self) -> Tick {
        self.now().into()
    }

    fn sleep_exactly(&self, at: Tick) -> Sleep<'_> {
        self.sleep_until(at.whole())
    }

    fn drift(&self) -> i64 {
        self.lock().drift
    }

    fn stood_still(&self) -> i64 {
        0
    }
}
