//! Token buckets on our own clock.

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::domain::{Rate, Span, Timestamp};

/// Our clock's instants as governor wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Instant(u64);

impl Add<Nanos> for Instant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0.saturating_add(nanos.as_u64()))
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.as_u64()))
    }
}

#[derive(Debug, Clone)]
struct Ticks(Arc<dyn Clock>);

impl Ticks {
    fn at(now: Timestamp) -> Instant {
        Instant(now.millis().unsigned_abs().saturating_mul(1_000_000))
    }
}

impl governor::clock::Clock for Ticks {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Self::at(self.0.now())
    }
}

/// What governor knows of a bucket: when it is full again, if nobody takes anything more. It lies here so that tokens can
/// be given back, and owed.
#[derive(Debug, Clone, Default)]
struct FullAt(Arc<Mutex<Option<Nanos>>>);

impl FullAt {
    fn change(&self, change: impl FnOnce(Nanos) -> Nanos) {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = full_at.map(change);
    }
}

impl StateStore for FullAt {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (measured, next) = measure(*full_at)?;
        *full_at = Some(next);
        Ok(measured)
    }
}

/// One rate with its burst.
#[derive(Debug)]
pub struct Bucket {
    limiter: RateLimiter<NotKeyed, FullAt, Ticks, NoOpMiddleware<Instant>>,
    full_at: FullAt,
    /// From one token to the next.
    interval: Duration,
    burst: NonZeroU32,
    clock: Arc<dyn Clock>,
}

impl Bucket {
    /// Begins empty: what a process that died a moment ago has let go is not let go again.
    pub fn new(rate: Rate, burst: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let interval = rate.interval().max(Duration::from_nanos(1));
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(rate.count())).allow_burst(burst);
        let full_at = FullAt::default();
        let limiter = RateLimiter::new(quota, full_at.clone(), Ticks(Arc::clone(&clock)));
        let _ = limiter.check_n(burst);
        Self { limiter, full_at, interval, burst, clock }
    }

    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// Takes `owed` tokens as soon as `n` are there, or says when they will be. What is owed and not there yet comes in
    /// before anybody else gets one. More than the burst are never there.
    fn take(&self, n: NonZeroU32, owed: NonZeroU32) -> Result<(), Timestamp> {
        let now = self.clock.now();
        let n = n.min(self.burst);
        match self.limiter.check_n(n) {
            Ok(Ok(())) | Err(_) => {
                self.full_at.change(|full_at| full_at + self.tokens(owed.get().saturating_sub(n.get())));
                Ok(())
            }
            Ok(Err(not_until)) => {
                // Timers fire in whole milliseconds, and one that fires early would only ask again.
                let wait = not_until.wait_time_from(Ticks::at(now));
                let millis = i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
                Err(now + Span::from_millis(millis.max(1)))
            }
        }
    }

    /// As if they had never been taken.
    fn give_back(&self, owed: NonZeroU32) {
        self.full_at.change(|full_at| full_at.saturating_sub(self.tokens(owed.get())));
    }

    /// The time that so many tokens take to come in.
    fn tokens(&self, n: u32) -> Nanos {
        self.interval.saturating_mul(n).into()
    }
}

/// What one lane has to pass: its own bucket, then its account's.
#[derive(Debug, Clone)]
pub struct Pace {
    lane: Arc<Bucket>,
    account: Option<Arc<Bucket>>,
}

impl Pace {
    pub fn new(lane: Arc<Bucket>, account: Option<Arc<Bucket>>) -> Self {
        Self { lane, account }
    }

    /// The most that can leave in one request.
    pub fn most_at_once(&self) -> NonZeroU32 {
        let account = self.account.as_ref().map_or(NonZeroU32::MAX, |account| account.burst());
        self.lane.burst().min(account)
    }

    /// Takes the tokens of `n` from both buckets, or says when to ask again, with nothing taken: whatever is saved up
    /// meanwhile is never more than a burst. A lane that has to go so many times slower owes that many tokens for each.
    pub fn take(&self, n: NonZeroU32, slowness: NonZeroU32) -> Result<(), Timestamp> {
        let owed = n.saturating_mul(slowness);
        self.lane.take(n, owed)?;
        let Some(account) = &self.account else { return Ok(()) };
        account.take(n, n).inspect_err(|_| self.lane.give_back(owed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::Span;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn taken(bucket: &Bucket) -> u32 {
        let mut count = 0;
        while bucket.take(ONE, ONE).is_ok() {
            count += 1;
        }
        count
    }

    fn bucket(rate: &str, burst: u32) -> (Arc<ManualClock>, Bucket) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let bucket = Bucket::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap(), Arc::clone(&clock) as _);
        (clock, bucket)
    }

    #[test]
    fn a_new_bucket_is_empty() {
        let (_, bucket) = bucket("80/s", 4);
        assert_eq!(taken(&bucket), 0);
    }

    #[test]
    fn no_window_passes_more_than_rate_and_burst() {
        for (rate, burst, per_second) in [("80/s", 4, 80), ("1000/s", 50, 1_000), ("20000/s", 1_000, 20_000)] {
            let (clock, bucket) = bucket(rate, burst);
            let mut total = 0;
            for _ in 0..1_000 {
                clock.advance(Span::from_millis(1));
                total += taken(&bucket);
            }
            assert!(total <= per_second + burst, "{rate}: {total}");
            assert!(total * 100 >= per_second * 99, "{rate}: {total}");
            clock.advance(Span::from_secs(60));
            assert_eq!(taken(&bucket), burst, "{rate}: a rest saves up a burst and no more");
        }
    }

    #[test]
    fn an_account_holds_its_lanes_together_and_no_token_is_lost() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let bucket = |rate: &str, burst| {
            Arc::new(Bucket::new(rate.parse().unwrap(), NonZeroU32::new(burst).unwrap(), Arc::clone(&clock) as _))
        };
        let account = bucket("100/s", 5);
        let lanes = [0, 1].map(|_| Pace::new(bucket("80/s", 4), Some(Arc::clone(&account))));
        let mut left = [0, 0];
        for _ in 0..2_000 {
            clock.advance(Span::from_millis(1));
            for lane in [0, 1] {
                while lanes[lane].take(ONE, ONE).is_ok() {
                    left[lane] += 1;
                }
            }
        }
        let total: u32 = left.iter().sum();
        assert!((198..=205).contains(&total), "{left:?}");
        assert!(left.iter().all(|left| *left <= 164), "{left:?}");
    }

    #[test]
    fn a_slowed_lane_passes_its_part_of_the_rate_and_no_burst_when_it_is_slowed_no_more() {
        for (rate, per_second, burst, n) in [("80/s", 80, 4, 1), ("1000/s", 1_000, 50, 50), ("2000/s", 2_000, 1, 1)] {
            let (clock, bucket) = bucket(rate, burst);
            let pace = Pace::new(Arc::new(bucket), None);
            let n = NonZeroU32::new(n).unwrap();
            let pass = |slowness: u32, millis: i64| {
                let mut passed = 0;
                for _ in 0..millis {
                    clock.advance(Span::from_millis(1));
                    while pace.take(n, NonZeroU32::new(slowness).unwrap()).is_ok() {
                        passed += n.get();
                    }
                }
                passed
            };
            for slowness in [2, 16, 4] {
                let (part, expected) = (pass(slowness, 16_000), 16 * per_second / slowness);
                assert!(part <= expected + burst && part + burst >= expected, "{rate} / {slowness}: {part}");
            }
            assert!(pass(1, 1) <= burst, "{rate}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let (clock, bucket) = bucket("5/min", 1);
        let at = bucket.take(ONE, ONE).unwrap_err();
        clock.advance(at.since(clock.now()));
        assert_eq!(bucket.take(ONE, ONE), Ok(()));
        assert!(bucket.take(ONE, ONE).is_err());
    }
}
