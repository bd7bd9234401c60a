//! Token buckets on our own clock.

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use governor::clock::Reference;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use crate::base::clock::{Clock, Tick};
use crate::base::domain::{Portion, Rate, Timestamp};

/// A tick of our clock as an instant of governor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GovernorInstant(Tick);

impl GovernorInstant {
    /// The time in whole milliseconds, rounded up.
    pub(super) fn whole(self) -> Timestamp {
        self.0.whole()
    }
}

impl Add<Nanos> for GovernorInstant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0.later_by(nanos.as_u64()))
    }
}

impl Reference for GovernorInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(Tick::from_nanos(self.0.nanos().saturating_sub(duration.as_u64())))
    }
}

/// Our clock for governor.
///
/// A limiter takes the first time that it reads as its beginning. That is 1970 here, so that the state of a bucket
/// means the same at every rate and in every process.
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
    type Instant = GovernorInstant;

    fn now(&self) -> GovernorInstant {
        let has_begun = self.has_begun.load(Ordering::Relaxed) || self.has_begun.swap(true, Ordering::Relaxed);
        GovernorInstant(if has_begun { self.clock.tick() } else { Tick::default() })
    }
}

impl Clone for Ticks {
    fn clone(&self) -> Self {
        let has_begun = AtomicBool::new(self.has_begun.load(Ordering::Relaxed));
        Self { clock: Arc::clone(&self.clock), has_begun }
    }
}

/// The state of a bucket for governor: when it is full again if no more tokens are taken.
///
/// It is kept here so that tokens can be returned and owed, and so that it survives a change of the rate.
#[derive(Debug, Clone, Default)]
struct FullAt(Arc<Mutex<Nanos>>);

impl FullAt {
    fn change(&self, change: impl FnOnce(Nanos) -> Nanos) {
        let mut full_at = self.0.lock();
        *full_at = change(*full_at);
    }

    fn get(&self) -> Tick {
        Tick::from_nanos(self.0.lock().as_u64())
    }
}

impl StateStore for FullAt {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut full_at = self.0.lock();
        let (measured, next) = measure(Some(*full_at))?;
        *full_at = next;
        Ok(measured)
    }
}

/// After a wait of so many nanoseconds, a slightly late wake-up costs nothing that matters.
const EXACT_BELOW: u64 = 200_000_000;
/// The state of a bucket is worth storing if it takes so many nanoseconds to fill: starting empty would waste that much
/// of the rate.
const STORED_FROM: u64 = 1_000_000_000;

/// When to retry for tokens that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAt {
    pub at: Tick,
    /// Whether the bucket is full then, so that later tokens would be lost.
    pub exactly: bool,
}

/// A token bucket: a rate with its burst. Both may change while it is used.
#[derive(Debug)]
pub struct Bucket {
    shape: Mutex<Shape>,
    full_at: FullAt,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Shape {
    limiter: RateLimiter<NotKeyed, FullAt, Ticks, NoOpMiddleware<GovernorInstant>>,
    rate: Rate,
    burst: NonZeroU32,
    /// Nanoseconds from one token to the next.
    interval: u64,
    promised: Promised,
}

/// Tokens promised to requests that wait for a connection.
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

    /// The time in which so many tokens come in.
    const fn tokens(&self, n: u32) -> u64 {
        self.interval.saturating_mul(n as u64)
    }

    /// The time in which an empty bucket fills.
    const fn whole(&self) -> u64 {
        self.tokens(self.burst.get())
    }
}

impl Bucket {
    /// Creates an empty bucket, so that a restart does not repeat a burst that the process before has just sent.
    pub fn new(rate: Rate, burst: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let full_at = FullAt::default();
        let shape = Shape::new(rate, burst, full_at.clone(), Arc::clone(&clock));
        full_at.change(|_| clock.tick().later_by(shape.whole()).nanos().into());
        Self { shape: Mutex::new(shape), full_at, clock }
    }

    /// Restores the stored state, minus the tokens that a process which has ended took at an unknown time since.
    ///
    /// The result is never worse than an empty bucket, whatever happened to the clock.
    pub fn go_on_from(&self, noted: Tick, taken_since: u32) {
        let (shape, now) = (self.shape.lock(), self.clock.tick());
        let full_at = noted.max(now).later_by(shape.tokens(taken_since)).min(now.later_by(shape.whole()));
        let full_at = if taken_since == 0 && noted <= now { noted } else { full_at };
        self.full_at.change(|_| full_at.nanos().into());
    }

    /// When it is full again, if that is worth storing.
    pub fn to_note(&self) -> Option<Tick> {
        let shape = self.shape.lock();
        (shape.whole() >= STORED_FROM).then(|| self.full_at.get())
    }

    pub fn rate(&self) -> Rate {
        self.shape.lock().rate
    }

    pub fn burst(&self) -> NonZeroU32 {
        self.shape.lock().burst
    }

    /// Changes the rate and the burst. The tokens in the bucket stay; none is added and none is lost.
    pub fn set_rate(&self, rate: Rate, burst: NonZeroU32) {
        let mut shape = self.shape.lock();
        if (shape.rate, shape.burst) == (rate, burst) {
            return;
        }
        let now = self.clock.tick();
        let missing = self.full_at.get().since(now);
        let next = Shape::new(rate, burst, self.full_at.clone(), Arc::clone(&self.clock));
        // The missing tokens of the old burst, plus the difference of the bursts.
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

    /// Promises `n` tokens if they are there besides all promised ones, or returns when to retry.
    ///
    /// The promised tokens never exceed a burst, so neither do the tokens that are taken later at once.
    fn promise(&self, n: NonZeroU32, portion: Portion) -> Result<(), RetryAt> {
        let mut shape = self.shape.lock();
        let (now, n) = (self.clock.tick(), n.min(shape.burst));
        let missing = self.full_at.get().since(now);
        let wanted = missing.saturating_add(shape.promised.nanos).saturating_add(shape.tokens(n.get()));
        let lacking = wanted.saturating_sub(shape.whole());
        if lacking > 0 {
            return Err(RetryAt {
                at: now.later_by(lacking),
                exactly: n == shape.burst && shape.whole() < EXACT_BELOW,
            });
        }
        let owed = portion.stretched(shape.tokens(n.get()));
        shape.promised.requests += 1;
        shape.promised.nanos = shape.promised.nanos.saturating_add(owed);
        Ok(())
    }

    /// Ends a promise that is kept or no longer needed.
    fn end_promise(&self, n: NonZeroU32, portion: Portion) {
        let mut shape = self.shape.lock();
        let owed = portion.stretched(shape.tokens(n.min(shape.burst).get()));
        shape.promised.requests = shape.promised.requests.saturating_sub(1);
        let nanos = shape.promised.nanos.saturating_sub(owed);
        // A rate that has changed meanwhile leaves no remainder.
        shape.promised.nanos = if shape.promised.requests == 0 { 0 } else { nanos };
    }

    /// Takes `n` tokens if they are there, or returns when to retry.
    ///
    /// At a portion of the rate, more tokens are owed, which come in before the next request gets any. More tokens than
    /// the burst are never there.
    fn take(&self, n: NonZeroU32, portion: Portion) -> Result<(), RetryAt> {
        let shape = self.shape.lock();
        let owed = portion.stretched(shape.tokens(n.get()));
        let n = n.min(shape.burst);
        match shape.limiter.check_n(n) {
            Ok(Ok(())) | Err(_) => {
                let more = owed.saturating_sub(shape.tokens(n.get()));
                self.full_at.change(|full_at| full_at + Nanos::from(more));
                Ok(())
            }
            Ok(Err(not_until)) => {
                let GovernorInstant(at) = not_until.earliest_possible();
                Err(RetryAt { at, exactly: n == shape.burst && shape.whole() < EXACT_BELOW })
            }
        }
    }

    /// Returns tokens as if they had never been taken.
    fn give_back(&self, n: NonZeroU32, portion: Portion) {
        let back = portion.stretched(self.shape.lock().tokens(n.get()));
        self.full_at.change(|full_at| full_at.saturating_sub(back.into()));
    }
}

/// The rate limits of one lane: its own bucket, then its account's.
#[derive(Debug, Clone)]
pub struct Pace {
    lane: Arc<Bucket>,
    account: Option<Arc<Bucket>>,
}

impl Pace {
    pub fn new(lane: Arc<Bucket>, account: Option<Arc<Bucket>>) -> Self {
        Self { lane, account }
    }

    /// The lane's own rate.
    pub fn rate(&self) -> Rate {
        self.lane.rate()
    }

    /// Changes the lane's own rate and burst.
    pub fn set_rate(&self, rate: Rate, burst: NonZeroU32) {
        self.lane.set_rate(rate, burst);
    }

    /// When the lane's bucket and its account's are full again, if that is worth storing.
    pub fn to_note(&self) -> [Option<Tick>; 2] {
        [self.lane.to_note(), self.account.as_ref().and_then(|account| account.to_note())]
    }

    /// The most messages that one request can carry.
    pub fn most_at_once(&self) -> NonZeroU32 {
        let account = self.account.as_ref().map_or(NonZeroU32::MAX, |account| account.burst());
        self.lane.burst().min(account)
    }

    /// Promises `n` tokens in both buckets, or returns when to retry, with nothing promised.
    ///
    /// The tokens are taken when the request is sent, so a connection that opens slowly never causes a burst.
    pub fn reserve(&self, n: NonZeroU32, portion: Portion) -> Result<Reserved, RetryAt> {
        self.lane.promise(n, portion)?;
        if let Some(account) = &self.account {
            account.promise(n, Portion::WHOLE).inspect_err(|_| self.lane.end_promise(n, portion))?;
        }
        Ok(Reserved { pace: self.clone(), n, portion })
    }

    /// Takes `n` tokens from both buckets, or returns when to retry, with nothing taken.
    ///
    /// At half of its rate, a lane owes two tokens for each message. The tokens saved meanwhile never exceed a burst.
    pub(super) fn take(&self, n: NonZeroU32, portion: Portion) -> Result<(), RetryAt> {
        self.lane.take(n, portion)?;
        let Some(account) = &self.account else { return Ok(()) };
        account.take(n, Portion::WHOLE).inspect_err(|_| self.lane.give_back(n, portion))
    }
}

/// Tokens that are promised to one request. A drop ends the promise.
#[derive(Debug)]
pub struct Reserved {
    pace: Pace,
    n: NonZeroU32,
    portion: Portion,
}

impl Reserved {
    /// Takes the tokens when the request is sent. An error if the rate was lowered meanwhile.
    pub fn spend(self) -> Result<(), RetryAt> {
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
