//! A portfolio's tier: how many different people in any rolling day.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Msisdn, Span, Tier, Timestamp};

/// How long a person counts after the latest hand-over.
pub const DAY: Span = Span::from_secs(86_400);

/// The people of the last day. Loaded at the start from what claims have written, then kept beside it: the store is
/// the truth, and this is its window.
#[derive(Debug)]
pub struct TierWindow {
    tier: Tier,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    latest: HashMap<Msisdn, Timestamp>,
    /// In order of time; an entry counts only while it is the person's latest.
    order: VecDeque<(Timestamp, Msisdn)>,
    reserved: u32,
}

impl Inner {
    fn forget(&mut self, now: Timestamp) {
        while let Some((at, person)) = self.order.front().copied().filter(|(at, _)| *at + DAY <= now) {
            self.order.pop_front();
            if self.latest.get(&person) == Some(&at) {
                self.latest.remove(&person);
            }
        }
    }

    fn take(&mut self, person: Msisdn, at: Timestamp) {
        self.latest.insert(person, at);
        self.order.push_back((at, person));
    }
}

/// Places held for a claim that is under way. What it does not use comes back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    window: Arc<TierWindow>,
    places: u32,
}

impl TierWindow {
    pub fn new(tier: Tier, people: impl IntoIterator<Item = (Msisdn, Timestamp)>) -> Self {
        let mut inner = Inner::default();
        for (person, at) in people {
            inner.take(person, at);
        }
        Self { tier, inner: Mutex::new(inner) }
    }

    /// Holds up to `wanted` places, so that two lanes of the portfolio cannot both take the last one.
    pub fn reserve(self: &Arc<Self>, wanted: u32, now: Timestamp) -> Reservation {
        let mut inner = self.lock();
        inner.forget(now);
        let used = u32::try_from(inner.latest.len()).unwrap_or(u32::MAX).saturating_add(inner.reserved);
        let places = match self.tier {
            Tier::Unlimited => wanted,
            Tier::People(people) => wanted.min(people.saturating_sub(used)),
        };
        inner.reserved += places;
        Reservation { window: Arc::clone(self), places }
    }

    pub const fn is_limited(&self) -> bool {
        matches!(self.tier, Tier::People(_))
    }

    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// People counted now.
    pub fn used(&self, now: Timestamp) -> u32 {
        let mut inner = self.lock();
        inner.forget(now);
        u32::try_from(inner.latest.len()).unwrap_or(u32::MAX)
    }

    /// When the next place comes free.
    pub fn next_free(&self, now: Timestamp) -> Option<Timestamp> {
        let mut inner = self.lock();
        inner.forget(now);
        inner.order.front().map(|(at, _)| *at + DAY)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    pub const fn places(&self) -> u32 {
        self.places
    }

    /// Gives the places to people. Nobody keeps a window of the unlimited.
    pub fn fill(self, people: impl IntoIterator<Item = Msisdn>, at: Timestamp) {
        if self.window.is_limited() {
            let mut inner = self.window.lock();
            for person in people {
                inner.take(person, at);
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut inner = self.window.lock();
        inner.reserved = inner.reserved.saturating_sub(self.places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u64) -> Msisdn {
        Msisdn::try_from(6_590_000_000 + n).unwrap()
    }

    #[test]
    fn a_day_never_sees_more_people_than_the_tier() {
        let window = Arc::new(TierWindow::new(Tier::People(250), []));
        let start = Timestamp::from_millis(0);
        let first = window.reserve(200, start);
        let second = window.reserve(200, start);
        assert_eq!((first.places(), second.places()), (200, 50));
        first.fill((0..200).map(person), start);
        second.fill((200..250).map(person), start + Span::from_secs(3_600));
        let later = start + Span::from_secs(7_200);
        assert_eq!(window.reserve(1, later).places(), 0);
        assert_eq!(window.next_free(later), Some(start + DAY));
        assert_eq!(window.reserve(1_000, start + DAY).places(), 200);
    }

    #[test]
    fn a_person_counts_once_from_the_latest_hand_over() {
        let start = Timestamp::from_millis(0);
        let later = start + Span::from_secs(10);
        let window = Arc::new(TierWindow::new(Tier::People(250), [(person(1), start), (person(1), later)]));
        assert_eq!(window.used(later), 1);
        assert_eq!(window.used(start + DAY), 1);
        assert_eq!(window.used(later + DAY), 0);
    }

    #[test]
    fn places_that_a_claim_does_not_use_come_back() {
        let window = Arc::new(TierWindow::new(Tier::People(250), []));
        let now = Timestamp::from_millis(0);
        window.reserve(250, now).fill([person(1)], now);
        assert_eq!(window.reserve(250, now).places(), 249);
    }
}
