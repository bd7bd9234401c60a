//! A clock that tests and simulations advance by hand.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Clock, Sleep, Tick};
use crate::base::domain::{Span, Timestamp};

/// Time for tests and simulations: it changes only by [`ManualClock::advance`]. Sleepers wake in the order of their
/// times; sleepers with the same time wake in the order in which they began to sleep.
#[derive(Debug)]
pub struct ManualClock(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    now: Timestamp,
    drift: i64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
    /// How many sleeps have begun.
    sleeps_begun: u64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(Inner { now, drift: 0, sleepers: BTreeMap::new(), sleeps_begun: 0 }))
    }

    /// Advances the time and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Span) {
        let mut inner = self.0.lock();
        inner.now = inner.now + by;
        let now = inner.now;
        while let Some(first) = inner.sleepers.first_entry().filter(|first| first.key().0 <= now) {
            // An error means that the sleeper was dropped.
            let _ = first.remove().send(());
        }
    }

    /// Moves the wall clock by so many milliseconds; this clock does not move.
    pub fn jump(&self, millis: i64) {
        self.0.lock().drift += millis;
    }

    /// The time at which the next sleeper wakes.
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        self.0.lock().sleepers.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.lock().now
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        Box::pin(async move {
            let woken = {
                let mut inner = self.0.lock();
                if inner.now >= at {
                    return;
                }
                let (wake, woken) = oneshot::channel();
                inner.sleeps_begun += 1;
                let key = (at, inner.sleeps_begun);
                inner.sleepers.insert(key, wake);
                woken
            };
            // The sender lives in the clock, which outlives its sleepers, so an error cannot occur.
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
        self.0.lock().drift
    }

    fn stood_still(&self) -> i64 {
        0
    }
}
