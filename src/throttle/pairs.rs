//! Pairs: how often one sender may write to one person, whatever the lane's rate.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::bucket::{Instant, Ticks};
use crate::clock::{Clock, Tick};
use crate::domain::{Msisdn, Timestamp};

/// WhatsApp delivers one message in so long to a person from the same number,
const INTERVAL: Duration = Duration::from_secs(6);
/// and so many at once to whoever has not been written to for a while.
const BURST: NonZeroU32 = NonZeroU32::new(45).unwrap();

/// The people of one sender, be it on several lanes.
#[derive(Debug)]
pub struct Pairs {
    limiter: RateLimiter<Msisdn, Lately, Ticks, NoOpMiddleware<Instant>>,
    lately: Lately,
}

/// Those who were written to so lately that it counts.
#[derive(Debug, Clone)]
struct Lately {
    known: Arc<Mutex<Known>>,
    clock: Arc<dyn Clock>,
}

/// When the bucket of each is full again. Whoever's is, is forgotten: of a campaign of millions these are the recipients
/// of six seconds.
#[derive(Debug)]
struct Known {
    full_at: HashMap<Msisdn, Nanos, RandomState>,
    /// The same of everybody else. What the server before this one sent them is unknown, so they have one message when this
    /// one starts, and the others as time goes on.
    unknown: Nanos,
    /// So many are remembered before those are looked for who need not be.
    look_at: usize,
}

/// The fewest that are worth looking through.
const FEW: usize = 1_024;
/// So many are remembered before those with the fullest buckets are forgotten, who then count as if theirs were as empty
/// as the emptiest of them: too strict for the next minutes, never too much. Each may have one message at once at least.
const MANY: usize = 50_000;

/// When the bucket of somebody is full who has one message left.
fn with_one_left(now: Tick) -> Nanos {
    let refills = INTERVAL * (BURST.get() - 1);
    now.later_by(u64::try_from(refills.as_nanos()).unwrap_or(u64::MAX)).nanos().into()
}

impl Known {
    fn new(unknown: Nanos) -> Self {
        Self { full_at: HashMap::default(), unknown, look_at: FEW }
    }

    /// Each is looked at about once, however many there are.
    fn forget(&mut self, now: Tick) {
        if self.full_at.len() < self.look_at {
            return;
        }
        self.full_at.retain(|_, full_at| full_at.as_u64() > now.nanos());
        if self.full_at.len() >= MANY {
            let mut all: Vec<Nanos> = self.full_at.values().copied().collect();
            let middle = all.len() / 2;
            let (_, median, _) = all.select_nth_unstable(middle);
            let unknown = self.unknown.max(with_one_left(now).min(*median));
            self.unknown = unknown;
            self.full_at.retain(|_, full_at| *full_at > unknown);
        }
        self.look_at = (self.full_at.len() * 2).max(FEW);
    }
}

impl Lately {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Lately {
    type Key = Msisdn;

    fn measure_and_replace<T, F, E>(&self, person: &Msisdn, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut known = self.lock();
        known.forget(self.clock.tick());
        let unknown = known.unknown;
        match known.full_at.entry(*person) {
            Entry::Occupied(mut slot) => {
                let (measured, next) = measure(Some(*slot.get()))?;
                slot.insert(next);
                Ok(measured)
            }
            Entry::Vacant(slot) => {
                let (measured, next) = measure(Some(unknown))?;
                slot.insert(next);
                Ok(measured)
            }
        }
    }
}

impl Pairs {
    /// Of a server that follows another.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let unknown = with_one_left(clock.tick());
        Self::with(unknown, clock)
    }

    /// Of the first server on its database: nothing was sent before.
    pub fn of_first_server(clock: Arc<dyn Clock>) -> Self {
        Self::with(Nanos::default(), clock)
    }

    fn with(unknown: Nanos, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::with_period(INTERVAL).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(BURST);
        let known = Arc::new(Mutex::new(Known::new(unknown)));
        let lately = Lately { known, clock: Arc::clone(&clock) };
        Self { limiter: RateLimiter::new(quota, lately.clone(), Ticks::new(clock)), lately }
    }

    /// Counts a message to this person, or says when there may be one.
    pub fn take(&self, person: Msisdn) -> Result<(), Timestamp> {
        self.limiter.check_key(&person).map_err(|not_until| not_until.earliest_possible().whole())
    }

    /// As if it had never been counted.
    pub fn give_back(&self, person: Msisdn) {
        if let Some(full_at) = self.lately.lock().full_at.get_mut(&person) {
            *full_at = full_at.saturating_sub(Nanos::from(INTERVAL));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::Span;

    fn pairs() -> (Arc<ManualClock>, Pairs) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::new(Arc::clone(&clock) as _);
        // Whatever was sent before it began is long ago.
        clock.advance(Span::from_secs(270));
        (clock, pairs)
    }

    #[test]
    fn the_first_server_on_a_database_gives_everybody_a_burst() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::of_first_server(clock);
        assert_eq!((0..100).filter(|_| pairs.take(person(1)).is_ok()).count(), 45);
    }

    #[test]
    fn a_server_that_starts_gives_nobody_a_second_burst() {
        let (clock, pairs) = pairs();
        while pairs.take(person(1)).is_ok() {}
        let next = Pairs::new(Arc::clone(&clock) as _);
        assert_eq!((0..100).filter(|_| next.take(person(1)).is_ok()).count(), 1);
        assert_eq!(next.take(person(1)).unwrap_err(), clock.now() + Span::from_secs(6));
        clock.advance(Span::from_secs(60));
        assert_eq!((0..100).filter(|_| next.take(person(1)).is_ok()).count(), 10);
        assert_eq!((0..100).filter(|_| next.take(person(2)).is_ok()).count(), 11, "as time goes on");
        clock.advance(Span::from_secs(270));
        assert_eq!((0..100).filter(|_| next.take(person(3)).is_ok()).count(), 45);
    }

    fn person(n: u64) -> Msisdn {
        Msisdn::try_from(6_591_000_000 + n).unwrap()
    }

    #[test]
    fn a_person_gets_45_messages_at_once_and_then_one_in_six_seconds() {
        let (clock, pairs) = pairs();
        assert_eq!((0..100).filter(|_| pairs.take(person(1)).is_ok()).count(), 45);
        let again = pairs.take(person(1)).unwrap_err();
        assert_eq!(again, clock.now() + Span::from_secs(6));
        assert!(pairs.take(person(2)).is_ok(), "others do not notice");
        clock.advance(Span::from_secs(60));
        assert_eq!((0..100).filter(|_| pairs.take(person(1)).is_ok()).count(), 10);
    }

    #[test]
    fn what_is_given_back_may_leave_once_more() {
        let (_, pairs) = pairs();
        while pairs.take(person(1)).is_ok() {}
        pairs.give_back(person(1));
        assert!(pairs.take(person(1)).is_ok() && pairs.take(person(1)).is_err());
    }

    #[test]
    fn however_many_are_written_to_few_are_remembered_and_nobody_gets_too_much() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let pairs = Pairs::of_first_server(Arc::clone(&clock) as _);
        for _ in 0..26 {
            assert!(pairs.take(person(0)).is_ok());
        }
        // Far more in the first second than any sender may send.
        for n in 1..1_000_000 {
            assert!(pairs.take(person(n)).is_ok(), "{n}");
            if n % 200_000 == 0 {
                clock.advance(Span::from_secs(12));
            }
            assert!(pairs.lately.lock().full_at.len() <= 2 * MANY, "{n}");
        }
        // 48 s later they have nineteen left and eight more.
        assert!((1..=27).contains(&(0..100).filter(|_| pairs.take(person(0)).is_ok()).count()));
        clock.advance(Span::from_secs(264));
        assert_eq!((0..100).filter(|_| pairs.take(person(7)).is_ok()).count(), 45);
    }

    #[test]
    fn whoever_has_not_been_written_to_lately_is_forgotten() {
        let (clock, pairs) = pairs();
        for n in 0..100_000 {
            assert!(pairs.take(person(n)).is_ok());
            if n % 100 == 0 {
                clock.advance(Span::from_secs(1));
            }
        }
        assert!(pairs.lately.lock().full_at.len() <= FEW + 1);
    }
}
