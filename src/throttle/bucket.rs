//! Token buckets on our own clock.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{Rate, Timestamp};

const NANOS_A_MILLI: i128 = 1_000_000;

/// One rate with its burst, known by one instant: when it is full again, if nobody takes anything more.
#[derive(Debug)]
pub struct Bucket {
    /// Nanoseconds from one token to the next.
    interval: i128,
    burst: NonZeroU32,
    /// In nanoseconds since 1970, and in the past where it is full.
    full_at: Mutex<i128>,
    clock: Arc<dyn Clock>,
}

impl Bucket {
    /// Begins empty: what a process that died a moment ago has let go is not let go again.
    pub fn new(rate: Rate, burst: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let interval = rate.interval().max(Duration::from_nanos(1)).as_nanos();
        let interval = i128::try_from(interval).unwrap_or(i128::from(i64::MAX));
        let full_at = nanos(clock.now()) + interval * i128::from(burst.get());
        Self { interval, burst, full_at: Mutex::new(full_at), clock }
    }

    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// Takes `owed` tokens as soon as `n` are there, or says when they will be. What is owed and not there yet comes in
    /// before anybody else gets one.
    fn take(&self, n: NonZeroU32, owed: NonZeroU32) -> Result<(), Timestamp> {
        let now = nanos(self.clock.now());
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = now.max(*full_at);
        // There are never more than the burst.
        let missing = self.burst.get() - self.burst.min(n).get();
        let ready = full - self.interval * i128::from(missing);
        if ready > now {
            // Timers fire in whole milliseconds, and one that fires early would only ask again.
            let millis = (ready + NANOS_A_MILLI - 1) / NANOS_A_MILLI;
            return Err(Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)));
        }
        *full_at = full + self.interval * i128::from(owed.get());
        Ok(())
    }

    /// As if they had never been taken.
    fn give_back(&self, owed: NonZeroU32) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at -= self.interval * i128::from(owed.get());
    }
}

fn nanos(at: Timestamp) -> i128 {
    i128::from(at.millis()) * NANOS_A_MILLI
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
