//! Token buckets on our own clock.

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::clock::{Clock, Tick};
use crate::domain::{Portion, Rate, Timestamp};

/// Our clock's moments as governor wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(Tick);

impl Instant {
    /// To the millisecond, and not too early.
    pub(super) fn whole(self) -> Timestamp {
        self.0.whole()
    }
}

impl Add<Nanos> for Instant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0.later_by(nanos.as_u64()))
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(Tick::from_nanos(self.0.nanos().saturating_sub(duration.as_u64())))
    }
}

/// A limiter takes the first time that it is told for its beginning. That is 1970, so that what a bucket knows means the
/// same whatever rate it has, and in every process.
#[derive(Debug)]
pub(super) struct Ticks {
    clock: Arc<dyn Clock>,
    has_begun: AtomicBool,
}

impl Ticks {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, has_begun: AtomicBool::new(false) }
    }
}

impl governor::clock::Clock for Ticks {
    type Instant = Instant;

    fn now(&self) -> Instant {
        let has_begun = self.has_begun.load(Ordering::Relaxed) || self.has_begun.swap(true, Ordering::Relaxed);
        Instant(if has_begun { self.clock.tick() } else { Tick::default() })
    }
}

impl Clone for Ticks {
    fn clone(&self) -> Self {
        let has_begun = AtomicBool::new(self.has_begun.load(Ordering::Relaxed));
        Self { clock: Arc::clone(&self.clock), has_begun }
    }
}

/// What governor knows of a bucket: when it is full again, if nobody takes anything more. It lies here so that tokens can
/// be given back, and owed, and so that it outlives a change of the rate.
#[derive(Debug, Clone, Default)]
struct FullAt(Arc<Mutex<Nanos>>);

impl FullAt {
    fn change(&self, change: impl FnOnce(Nanos) -> Nanos) {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = change(*full_at);
    }

    fn get(&self) -> Tick {
        Tick::from_nanos(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_u64())
    }
}

impl StateStore for FullAt {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (measured, next) = measure(Some(*full_at))?;
        *full_at = next;
        Ok(measured)
    }
}

/// A moment too late costs nothing worth counting where so many nanoseconds have been waited for.
const LONG: u64 = 200_000_000;
/// A bucket that takes so many nanoseconds to fill is worth noting for whoever comes next: an empty one in its place would
/// cost that much of the rate.
const SLOW: u64 = 1_000_000_000;

/// When to ask again for tokens that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Again {
    pub at: Tick,
    /// The bucket is full by then, and what would come in afterwards is lost.
    pub exactly: bool,
}

/// One rate with its burst; both may change while it is used.
#[derive(Debug)]
pub struct Bucket {
    shape: Mutex<Shape>,
    full_at: FullAt,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Shape {
    limiter: RateLimiter<NotKeyed, FullAt, Ticks, NoOpMiddleware<Instant>>,
    rate: Rate,
    burst: NonZeroU32,
    /// Nanoseconds from one token to the next.
    interval: u64,
    promised: Promised,
}

/// Tokens that requests will take which wait for a connection.
#[derive(Debug, Clone, Copy, Default)]
struct Promised {
    requests: u32,
    nanos: u64,
}

impl Shape {
    fn new(rate: Rate, burst: NonZeroU32, full_at: FullAt, clock: Arc<dyn Clock>) -> Self {
        let interval = rate.nanos_between();
        let quota = Quota::with_period(Duration::from_nanos(interval));
        let quota = quota.unwrap_or(Quota::per_second(rate.count())).allow_burst(burst);
        Self {
            limiter: RateLimiter::new(quota, full_at, Ticks::new(clock)),
            rate,
            burst,
            interval,
            promised: Promised::default(),
        }
    }

    /// The time that so many tokens take to come in.
    const fn tokens(&self, n: u32) -> u64 {
        self.interval.saturating_mul(n as u64)
    }

    /// The time that an empty bucket takes to fill.
    const fn whole(&self) -> u64 {
        self.tokens(self.burst.get())
    }
}

impl Bucket {
    /// Begins empty: what a process that died a moment ago has let go is not let go again.
    pub fn new(rate: Rate, burst: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let full_at = FullAt::default();
        let shape = Shape::new(rate, burst, full_at.clone(), Arc::clone(&clock));
        full_at.change(|_| clock.tick().later_by(shape.whole()).nanos().into());
        Self { shape: Mutex::new(shape), full_at, clock }
    }

    /// Goes on from what was noted of it, with so many taken since by a process that is gone, nobody knows when. It is
    /// never worse than empty, whatever became of the clock.
    pub fn go_on_from(&self, noted: Tick, taken_since: u32) {
        let (shape, now) = (self.lock(), self.clock.tick());
        let full_at = noted.max(now).later_by(shape.tokens(taken_since)).min(now.later_by(shape.whole()));
        let full_at = if taken_since == 0 && noted <= now { noted } else { full_at };
        self.full_at.change(|_| full_at.nanos().into());
    }

    /// When it is full again, where that is worth noting.
    pub fn to_note(&self) -> Option<Tick> {
        let shape = self.lock();
        (shape.whole() >= SLOW).then(|| self.full_at.get())
    }

    pub fn rate(&self) -> Rate {
        self.lock().rate
    }

    pub fn burst(&self) -> NonZeroU32 {
        self.lock().burst
    }

    /// Changes its rate. What is in it stays in it, and no more than that: neither is a token made nor one lost.
    pub fn turn(&self, rate: Rate, burst: NonZeroU32) {
        let mut shape = self.lock();
        if (shape.rate, shape.burst) == (rate, burst) {
            return;
        }
        let now = self.clock.tick();
        let missing = self.full_at.get().since(now);
        let next = Shape::new(rate, burst, self.full_at.clone(), Arc::clone(&self.clock));
        // Of the old burst so much was missing, in tokens; of the new one so much more, or less.
        let wide = |nanos: u64| i128::from(nanos);
        let missing = (wide(missing) * wide(next.interval)).div_euclid(wide(shape.interval)) + 1;
        let more = wide(next.interval) * (i128::from(burst.get()) - i128::from(shape.burst.get()));
        let missing = u64::try_from((missing + more).max(0)).unwrap_or(u64::MAX);
        self.full_at.change(|_| now.later_by(missing).nanos().into());
        let Promised { requests, nanos } = shape.promised;
        let nanos = (wide(nanos) * wide(next.interval)).div_euclid(wide(shape.interval));
        let promised = Promised { requests, nanos: u64::try_from(nanos).unwrap_or(u64::MAX) };
        *shape = Shape { promised, ..next };
    }

    /// Promises `n` tokens as soon as they are there beside all that is promised already, or says when they will be. What
    /// is promised is never more than a burst, so what is taken later is never more at once either.
    fn promise(&self, n: NonZeroU32, portion: Portion) -> Result<(), Again> {
        let mut shape = self.lock();
        let (now, n) = (self.clock.tick(), n.min(shape.burst));
        let missing = self.full_at.get().since(now);
        let wanted = missing.saturating_add(shape.promised.nanos).saturating_add(shape.tokens(n.get()));
        let lacking = wanted.saturating_sub(shape.whole());
        if lacking > 0 {
            return Err(Again { at: now.later_by(lacking), exactly: n == shape.burst && shape.whole() < LONG });
        }
        let owed = portion.stretched(shape.tokens(n.get()));
        shape.promised.requests += 1;
        shape.promised.nanos = shape.promised.nanos.saturating_add(owed);
        Ok(())
    }

    /// The promise is kept, or needed no more.
    fn end_promise(&self, n: NonZeroU32, portion: Portion) {
        let mut shape = self.lock();
        let owed = portion.stretched(shape.tokens(n.min(shape.burst).get()));
        shape.promised.requests = shape.promised.requests.saturating_sub(1);
        let nanos = shape.promised.nanos.saturating_sub(owed);
        // A rate that was turned meanwhile leaves no rest behind.
        shape.promised.nanos = if shape.promised.requests == 0 { 0 } else { nanos };
    }

    /// Takes `n` tokens as soon as they are there, or says when they will be. At a portion of the rate more are owed for
    /// them, which come in before anybody else gets one. More than the burst are never there.
    fn take(&self, n: NonZeroU32, portion: Portion) -> Result<(), Again> {
        let shape = self.lock();
        let owed = portion.stretched(shape.tokens(n.get()));
        let n = n.min(shape.burst);
        match shape.limiter.check_n(n) {
            Ok(Ok(())) | Err(_) => {
                let more = owed.saturating_sub(shape.tokens(n.get()));
                self.full_at.change(|full_at| full_at + Nanos::from(more));
                Ok(())
            }
            Ok(Err(not_until)) => {
                let Instant(at) = not_until.earliest_possible();
                Err(Again { at, exactly: n == shape.burst && shape.whole() < LONG })
            }
        }
    }

    /// As if they had never been taken.
    fn give_back(&self, n: NonZeroU32, portion: Portion) {
        let back = portion.stretched(self.lock().tokens(n.get()));
        self.full_at.change(|full_at| full_at.saturating_sub(back.into()));
    }

    fn lock(&self) -> MutexGuard<'_, Shape> {
        self.shape.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The lane's own.
    pub fn rate(&self) -> Rate {
        self.lane.rate()
    }

    /// Changes the lane's own.
    pub fn turn(&self, rate: Rate, burst: NonZeroU32) {
        self.lane.turn(rate, burst);
    }

    /// When the lane's bucket and its account's are full again, where that is worth noting.
    pub fn to_note(&self) -> [Option<Tick>; 2] {
        [self.lane.to_note(), self.account.as_ref().and_then(|account| account.to_note())]
    }

    /// The most that can leave in one request.
    pub fn most_at_once(&self) -> NonZeroU32 {
        let account = self.account.as_ref().map_or(NonZeroU32::MAX, |account| account.burst());
        self.lane.burst().min(account)
    }

    /// Promises the tokens of `n` in both buckets, or says when to ask again, with nothing promised. They are taken when the
    /// request is sent: a connection that is slow to come about never bunches what waits for it.
    pub fn reserve(&self, n: NonZeroU32, portion: Portion) -> Result<Reserved, Again> {
        self.lane.promise(n, portion)?;
        if let Some(account) = &self.account {
            account.promise(n, Portion::WHOLE).inspect_err(|_| self.lane.end_promise(n, portion))?;
        }
        Ok(Reserved { pace: self.clone(), n, portion })
    }

    /// Takes the tokens of `n` from both buckets, or says when to ask again, with nothing taken: whatever is saved up
    /// meanwhile is never more than a burst. A lane that goes at half its rate owes two tokens for each.
    pub(super) fn take(&self, n: NonZeroU32, portion: Portion) -> Result<(), Again> {
        self.lane.take(n, portion)?;
        let Some(account) = &self.account else { return Ok(()) };
        account.take(n, Portion::WHOLE).inspect_err(|_| self.lane.give_back(n, portion))
    }
}

/// Tokens that are promised to one request. Dropped, they are anybody's again.
#[derive(Debug)]
pub struct Reserved {
    pace: Pace,
    n: NonZeroU32,
    portion: Portion,
}

impl Reserved {
    /// Takes the tokens, now that the request is sent. Refused where the rate was turned down meanwhile.
    pub fn spend(self) -> Result<(), Again> {
        let (pace, n, portion) = (self.pace.clone(), self.n, self.portion);
        drop(self);
        pace.take(n, portion)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let Self { pace, n, portion } = self;
        pace.lane.end_promise(*n, *portion);
        if let Some(account) = &pace.account {
            account.end_promise(*n, Portion::WHOLE);
        }
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
        while bucket.take(ONE, Portion::WHOLE).is_ok() {
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
    fn no_more_than_a_burst_waits_for_connections_and_bunches_when_they_come() {
        for (rate, burst, per_second) in [("5/s", 1, 5), ("80/s", 4, 80), ("1000/s", 50, 1_000)] {
            let (clock, bucket) = bucket(rate, burst);
            let pace = Pace::new(Arc::new(bucket), None);
            let mut waiting = Vec::new();
            for _ in 0..10_000 {
                clock.advance(Span::from_millis(1));
                while let Ok(reserved) = pace.reserve(ONE, Portion::WHOLE) {
                    waiting.push(reserved);
                }
            }
            assert_eq!(waiting.len(), usize::try_from(burst).unwrap(), "{rate}");
            // All of them come at once, and so does everything behind them.
            let mut sent: u32 = waiting.drain(..).map(|reserved| u32::from(reserved.spend().is_ok())).sum();
            assert_eq!(sent, burst, "{rate}: what is promised is there");
            for _ in 0..1_000 {
                clock.advance(Span::from_millis(1));
                while let Ok(reserved) = pace.reserve(ONE, Portion::WHOLE) {
                    sent += u32::from(reserved.spend().is_ok());
                }
            }
            assert!(sent <= burst + per_second && sent >= per_second, "{rate}: {sent}");
        }
    }

    #[test]
    fn a_dropped_reservation_leaves_its_tokens_also_after_the_rate_was_turned() {
        let (clock, bucket) = bucket("10/s", 10);
        let bucket = Arc::new(bucket);
        let account =
            Arc::new(Bucket::new("5/s".parse().unwrap(), NonZeroU32::new(5).unwrap(), Arc::clone(&clock) as _));
        let pace = Pace::new(Arc::clone(&bucket), Some(Arc::clone(&account)));
        clock.advance(Span::from_secs(2));
        let reserved: Vec<_> = (0..5).map(|_| pace.reserve(ONE, Portion::WHOLE).unwrap()).collect();
        assert!(pace.reserve(ONE, Portion::WHOLE).is_err(), "the account has five");
        pace.turn("1000/s".parse().unwrap(), NonZeroU32::new(10).unwrap());
        drop(reserved);
        assert!([9, 10].contains(&there(&bucket)) && there(&account) == 5);
        assert_eq!((0..9).filter_map(|_| pace.reserve(ONE, Portion::WHOLE).ok()).map(Reserved::spend).count(), 5);
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
                while lanes[lane].take(ONE, Portion::WHOLE).is_ok() {
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
            let pass = |sixteenths: u8, millis: i64| {
                let portion = Portion::of_sixteenths(sixteenths).unwrap();
                let mut passed = 0;
                for _ in 0..millis {
                    clock.advance(Span::from_millis(1));
                    while pace.take(n, portion).is_ok() {
                        passed += n.get();
                    }
                }
                passed
            };
            // This clock has milliseconds alone: without a burst to save up, what does not end on one waits for the next.
            for sixteenths in [8, 1, if burst > 1 { 5 } else { 4 }] {
                let (part, expected) = (pass(sixteenths, 16_000), u32::from(sixteenths) * per_second);
                assert!(part <= expected + burst && part + burst >= expected, "{sixteenths}/16 of {rate}: {part}");
            }
            assert!(pass(16, 1) <= burst, "{rate}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let (clock, bucket) = bucket("5/min", 1);
        let again = bucket.take(ONE, Portion::WHOLE).unwrap_err();
        assert!(!again.exactly, "twelve seconds are long");
        clock.advance(again.at.whole().since(clock.now()));
        assert_eq!(bucket.take(ONE, Portion::WHOLE), Ok(()));
        assert!(bucket.take(ONE, Portion::WHOLE).is_err());
    }

    /// So many of a bucket's tokens are there now.
    fn there(bucket: &Bucket) -> u32 {
        let there = taken(bucket);
        (0..there).for_each(|_| bucket.give_back(ONE, Portion::WHOLE));
        there
    }

    #[test]
    fn a_rate_that_changes_makes_no_token_and_loses_none() {
        let n = |n: u32| NonZeroU32::new(n).unwrap();
        let (clock, bucket) = bucket("10/s", 10);
        clock.advance(Span::from_millis(600));
        assert_eq!(there(&bucket), 6);
        // Whatever it is turned to, there and back.
        for (rate, burst) in [("1000/s", 50), ("1/min", 20), ("3/s", 10)] {
            bucket.turn(rate.parse().unwrap(), n(burst));
            assert!([5, 6].contains(&there(&bucket)), "{rate} has {}", there(&bucket));
        }
        bucket.turn("10/s".parse().unwrap(), n(2));
        assert_eq!(taken(&bucket), 2, "what does not fit is lost");
        bucket.turn("10/s".parse().unwrap(), n(10));
        assert_eq!(there(&bucket), 0, "and does not come back");
        clock.advance(Span::from_secs(1));
        assert!([9, 10].contains(&there(&bucket)));
    }

    #[test]
    fn what_is_owed_is_owed_at_another_rate_too() {
        let (clock, bucket) = bucket("10/s", 1);
        clock.advance(Span::from_secs(1));
        // One left, eight times too fast.
        bucket.take(ONE, Portion::of_sixteenths(2).unwrap()).unwrap();
        bucket.turn("20/s".parse().unwrap(), ONE);
        clock.advance(Span::from_millis(390));
        assert_eq!(there(&bucket), 0);
        clock.advance(Span::from_millis(11));
        assert_eq!(there(&bucket), 1);
    }

    #[test]
    fn whoever_comes_next_goes_on_from_what_was_noted() {
        let next = |clock: &Arc<ManualClock>, noted: Option<Tick>, unknown| {
            let bucket = Bucket::new("5/d".parse().unwrap(), NonZeroU32::new(2).unwrap(), Arc::clone(clock) as _);
            if let Some(noted) = noted {
                bucket.go_on_from(noted, unknown);
            }
            there(&bucket)
        };
        let (clock, bucket) = bucket("5/d", 2);
        assert_eq!(next(&clock, None, 0), 0);
        clock.advance(Span::from_secs(86_400));
        assert_eq!(next(&clock, bucket.to_note(), 0), 2);
        bucket.take(ONE, Portion::WHOLE).unwrap();
        assert_eq!(next(&clock, bucket.to_note(), 0), 1);
        assert_eq!(next(&clock, bucket.to_note(), 1), 0, "what may have left since counts");
        assert_eq!(next(&clock, bucket.to_note(), 9), 0);
        // A clock that was set back, by years.
        let earlier = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        assert_eq!(next(&earlier, bucket.to_note(), 0), 0);
        earlier.advance(Span::from_secs(86_400));
        assert_eq!(next(&earlier, Some(Tick::from(Timestamp::from_millis(9))), 0), 2);
        assert_eq!(Bucket::new("80/s".parse().unwrap(), ONE, earlier).to_note(), None, "not worth noting");
    }

    #[test]
    fn whoever_waits_for_a_full_bucket_is_told_to_be_exact() {
        for (rate, burst, n, exactly) in
            [("30/s", 1, 1, true), ("80/s", 4, 1, false), ("1000/s", 50, 50, true), ("1/s", 1, 1, false)]
        {
            let (_, bucket) = bucket(rate, burst);
            let n = NonZeroU32::new(n).unwrap();
            assert_eq!(bucket.take(n, Portion::WHOLE).unwrap_err().exactly, exactly, "{rate} with {burst}");
        }
    }
}
