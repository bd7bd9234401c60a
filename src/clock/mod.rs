//! Now, sleep and chance: the only real ones.
//!
//! In: nothing. Out: a [`Clock`] and a [`Chance`], passed to whoever needs them.
//! Promises: while the process runs, time is the wall clock at its start plus what has passed since, also while the machine
//! slept, so it never runs backwards and nobody can set it; tests move a [`ManualClock`] by hand and nothing in them sleeps.
//! May not: be reached around. `clippy.toml` bans the real clock and thread randomness everywhere else.

mod manual;
mod real;
mod tick;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::domain::{Span, Timestamp};

pub use manual::ManualClock;
pub use real::RealClock;
pub use tick::Tick;

/// A future that ends when its time has come.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What time it is, and waiting for a time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;

    /// Ends once `now` has reached `at`; at once when it already has.
    fn sleep_until(&self, at: Timestamp) -> Sleep<'_>;

    fn sleep(&self, span: Span) -> Sleep<'_> {
        self.sleep_until(self.now() + span)
    }

    /// The same time as `now`, finely: for whoever counts how long it is from one message to the next.
    fn tick(&self) -> Tick;

    /// Ends once `tick` has reached `at`, and a small part of a millisecond later at most: for whoever loses by each moment
    /// that he is late. It costs more than the other sleep.
    fn sleep_exactly(&self, at: Tick) -> Sleep<'_>;

    /// How many milliseconds the wall clock is ahead of this one: it changes where somebody sets that clock.
    fn drift(&self) -> i64;

    /// For how many milliseconds in all nothing ran here while this clock went on, as after a signal that stops the process
    /// and while the machine sleeps.
    fn stood_still(&self) -> i64;
}

/// A change of the drift by more is a jump, and no clocks that tick apart.
const JUMP_MILLIS: i64 = 2_000;

/// Tells whether time has jumped since the last look.
#[derive(Debug)]
pub struct Jumps {
    drift: i64,
    stood_still: i64,
}

impl Jumps {
    pub fn of(clock: &dyn Clock) -> Self {
        Self { drift: clock.drift(), stood_still: clock.stood_still() }
    }

    /// Where it has: how much of it did not pass here, because the wall clock was set forward. It may have been wrong
    /// before, or is now: nobody can tell the two apart.
    pub fn jumped(&mut self, clock: &dyn Clock) -> Option<Span> {
        let (drift, stood_still) = (clock.drift(), clock.stood_still());
        let ahead = drift - self.drift;
        if ahead.abs() <= JUMP_MILLIS && stood_still - self.stood_still <= JUMP_MILLIS {
            return None;
        }
        *self = Self { drift, stood_still };
        // Less is two clocks that tick apart.
        Some(if ahead > JUMP_MILLIS { Span::from_millis(ahead) } else { Span::ZERO })
    }
}

/// How often it is looked whether somebody has set the wall clock.
const LOOK: Span = Span::from_secs(1);
/// For how long it has to have stayed so: what was a slip of the hand is put right by then.
const STAYS: Span = Span::from_secs(60);

/// How far somebody has set the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Forward(Span),
    Back(Span),
}

/// Ends once somebody has set the wall clock since this one began, and left it so: this clock goes on as if nobody had.
pub async fn set(clock: &dyn Clock) -> Set {
    let (mut last, mut since) = (0, clock.now());
    loop {
        clock.sleep(LOOK).await;
        let (by, now) = (clock.drift(), clock.now());
        if (by - last).abs() > JUMP_MILLIS {
            (last, since) = (by, now);
        }
        if by.abs() > JUMP_MILLIS && now.since(since) >= STAYS {
            return if by > 0 { Set::Forward(Span::from_millis(by)) } else { Set::Back(Span::from_millis(-by)) };
        }
    }
}

/// The one source of chance. Seeded in tests and simulations, so that they replay.
#[derive(Debug)]
pub struct Chance(Mutex<fastrand::Rng>);

impl Chance {
    /// From the operating system's entropy.
    pub fn from_entropy() -> Self {
        let seed = entropy();
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    pub fn bits(&self) -> u64 {
        self.with(|rng| rng.u64(..))
    }

    /// Evenly from 0 up to, but not including, 1.
    pub fn fraction(&self) -> f64 {
        self.with(fastrand::Rng::f64)
    }

    /// Half of `span` to all of it: enough to pull apart what would otherwise come back together.
    pub fn jitter(&self, span: Span) -> Span {
        let half = span.millis() / 2;
        Span::from_millis(half + self.with(|rng| rng.i64(0..=span.millis() - half)))
    }

    /// How long to rest after as many failures: `shortest` after none, then twice as long each time.
    pub fn back_off(&self, shortest: Span, failures: u32, longest: Span) -> Span {
        // Far beyond what anybody calls the longest.
        let doubled = shortest.millis().saturating_mul(1 << failures.min(40));
        self.jitter(Span::from_millis(doubled.min(longest.millis())))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        // A draw cannot panic half-way, so a poisoned lock still guards a sound generator.
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sixty-four bits from the operating system.
fn entropy() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn whoever_sets_the_wall_clock_is_noticed_and_clocks_that_tick_apart_are_not() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let watched = Arc::clone(&clock);
        let noticed = tokio::spawn(async move { set(watched.as_ref()).await });
        // What is put right again within a minute is nobody's concern.
        let slip = [86_400_000, 0, -86_400_000].into_iter().chain([0; 70]);
        for by in slip.chain([JUMP_MILLIS, -JUMP_MILLIS, -3_600_000]).chain([0; 60]) {
            while clock.next_sleeper().is_none() {
                assert!(!noticed.is_finished());
                tokio::task::yield_now().await;
            }
            clock.jump(by);
            clock.advance(LOOK);
        }
        assert_eq!(noticed.await.unwrap(), Set::Back(Span::from_secs(3_600)));
    }
}
