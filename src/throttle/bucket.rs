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
mod tests;
