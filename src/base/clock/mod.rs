//! Now, sleep and chance: the only real ones.
//!
//! In: nothing. Out: a [`Clock`] and a [`Chance`], passed to every component that needs one; random bytes for secrets.
//! Promises: while the process runs, time is the wall clock at its start plus the time elapsed since, including the
//! time for which the machine slept. It never runs backwards, and setting the wall clock does not change it. Tests move
//! a [`ManualClock`] by hand and never sleep.
//! May not: be bypassed. `clippy.toml` bans the real clock and thread randomness everywhere else.

mod format;
mod manual;
mod real;
mod secure;
mod tick;

use std::future::Future;
use std::pin::Pin;

use parking_lot::Mutex;

use crate::base::domain::{Span, Timestamp};

pub use format::{
    day_of, format_stored_time, format_time, format_time_exactly, format_time_of_day, format_time_short, machine_zone,
    showing_times_in, start_of_day, wanted_zone, zone_name,
};
pub use manual::ManualClock;
pub use real::{RealClock, monotonic_micros};
pub use secure::{NoRandomBytes, random_bytes};
pub use tick::Tick;

/// A future that completes at its time.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Reads the time, and waits for a time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;

    /// Completes once `now` has reached `at`; at once if it already has.
    fn sleep_until(&self, at: Timestamp) -> Sleep<'_>;

    fn sleep(&self, span: Span) -> Sleep<'_> {
        self.sleep_until(self.now() + span)
    }

    /// The same time as `now`, to the nanosecond. It measures the time between two messages.
    fn tick(&self) -> Tick;

    /// Completes once `tick` has reached `at`, late by a small fraction of a millisecond at most. It costs more than
    /// `sleep_until`; use it where each moment of lateness costs rate.
    fn sleep_exactly(&self, at: Tick) -> Sleep<'_>;

    /// How many milliseconds the wall clock is ahead of this one; it changes when an operator or NTP sets the wall
    /// clock.
    fn drift(&self) -> i64;

    /// How many milliseconds in total the process did not run while this clock went on. A signal can stop the process,
    /// and the machine can sleep.
    fn stood_still(&self) -> i64;
}

/// A larger change of the drift is a jump; a smaller one comes from two clocks that tick at slightly different rates.
const JUMP_MILLIS: i64 = 2_000;

/// Detects jumps of time since the last check.
#[derive(Debug)]
pub struct Jumps {
    drift: i64,
    stood_still: i64,
}

impl Jumps {
    pub fn of(clock: &dyn Clock) -> Self {
        Self { drift: clock.drift(), stood_still: clock.stood_still() }
    }

    /// If time has jumped since the last check: by how much the wall clock was set forward; zero if it was not.
    ///
    /// This clock did not measure that time. The wall clock may have been wrong before, or may be wrong after: both
    /// look the same here.
    pub fn jumped(&mut self, clock: &dyn Clock) -> Option<Span> {
        let (drift, stood_still) = (clock.drift(), clock.stood_still());
        let ahead = drift - self.drift;
        if ahead.abs() <= JUMP_MILLIS && stood_still - self.stood_still <= JUMP_MILLIS {
            return None;
        }
        *self = Self { drift, stood_still };
        // A smaller difference comes from two clocks that tick at slightly different rates.
        Some(if ahead > JUMP_MILLIS { Span::from_millis(ahead) } else { Span::ZERO })
    }
}

/// How often [`set`] checks the wall clock.
const CHECK_INTERVAL: Span = Span::from_secs(1);
/// How long a change of the wall clock must last before it counts. A mistake is corrected within this time.
const MIN_DURATION: Span = Span::from_secs(60);

/// How far the wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Forward(Span),
    Back(Span),
}

/// Completes once the wall clock was set after this future began, and stayed so for a minute. The clock itself ignores
/// such a change.
pub async fn set(clock: &dyn Clock) -> Set {
    let (mut last, mut since) = (0, clock.now());
    loop {
        clock.sleep(CHECK_INTERVAL).await;
        let (by, now) = (clock.drift(), clock.now());
        if (by - last).abs() > JUMP_MILLIS {
            (last, since) = (by, now);
        }
        if by.abs() > JUMP_MILLIS && now.since(since) >= MIN_DURATION {
            return if by > 0 { Set::Forward(Span::from_millis(by)) } else { Set::Back(Span::from_millis(-by)) };
        }
    }
}

/// The only source of chance. Tests and simulations seed it, and so replay exactly.
#[derive(Debug)]
pub struct Chance(Mutex<fastrand::Rng>);

impl Chance {
    /// Seeds the generator with the operating system's entropy.
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

    /// A uniform fraction: at least 0, less than 1.
    pub fn fraction(&self) -> f64 {
        self.with(fastrand::Rng::f64)
    }

    /// A random span from half of `span` to all of it. It spreads retries that would otherwise coincide.
    pub fn jitter(&self, span: Span) -> Span {
        let half = span.millis() / 2;
        Span::from_millis(half + self.with(|rng| rng.i64(0..=span.millis() - half)))
    }

    /// How long to wait after `failures` failures: `shortest` after none, doubled with each failure up to `longest`,
    /// with [`Chance::jitter`].
    pub fn back_off(&self, shortest: Span, failures: u32, longest: Span) -> Span {
        // Forty doublings exceed any `longest`.
        let doubled = shortest.millis().saturating_mul(1 << failures.min(40));
        self.jitter(Span::from_millis(doubled.min(longest.millis())))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        // A draw cannot panic halfway, so the generator behind a poisoned lock is intact.
        draw(&mut self.0.lock())
    }
}

/// Random bytes from the operating system, for secrets.
///
/// A secret that a seed can repeat is no secret, so this has no seam for tests.
pub fn secret_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(bytes)
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
    async fn a_set_wall_clock_is_noticed_and_a_drifting_one_is_not() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let watched = Arc::clone(&clock);
        let noticed = tokio::spawn(async move { set(watched.as_ref()).await });
        // A change that is corrected within a minute is ignored.
        let slip = [86_400_000, 0, -86_400_000].into_iter().chain([0; 70]);
        for by in slip.chain([JUMP_MILLIS, -JUMP_MILLIS, -3_600_000]).chain([0; 60]) {
            while clock.next_sleeper().is_none() {
                assert!(!noticed.is_finished());
                tokio::task::yield_now().await;
            }
            clock.jump(by);
            clock.advance(CHECK_INTERVAL);
        }
        assert_eq!(noticed.await.unwrap(), Set::Back(Span::from_secs(3_600)));
    }
}
