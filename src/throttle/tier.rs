//! A portfolio's tier: how many different people in any rolling day.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Msisdn, Span, Timestamp};

/// How long a person counts after the latest hand-over.
pub const DAY: Span = Span::from_secs(86_400);
/// When to ask again while another lane's claim may leave a place over at any moment.
const SOON: Span = Span::from_millis(100);

/// The people of the last day. Loaded at the start from what claims have written, then kept beside it: the store is
/// the truth, and this is its window. Where the two could differ for a moment, this one counts more people.
#[derive(Debug)]
pub struct TierWindow {
    tier: u32,
    inner: Mutex<Inner>,
}

/// A person's place: since when, and since when before that, should it be given back.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: Timestamp,
    before: Option<Timestamp>,
}

impl Place {
    /// Taken once more. The two latest times are kept: claims of two lanes may come here in another order than they were
    /// made in, and one of them may have taken the place for two messages.
    fn and(self, at: Timestamp) -> Self {
        let (earlier, latest) = (self.at.min(at), self.at.max(at));
        Self { at: latest, before: self.before.max(Some(earlier)) }
    }
}

#[derive(Debug, Default)]
struct Inner {
    people: HashMap<Msisdn, Place>,
    /// The same people, in order of time.
    order: BTreeSet<(Timestamp, Msisdn)>,
    /// Claims under way: as of when each counts, and the places held for it.
    claims: Vec<(Timestamp, u32)>,
}

impl Inner {
    /// Nobody is forgotten whom a claim under way may still find holding a place.
    fn forget(&mut self, now: Timestamp) {
        let as_of = self.claims.iter().map(|(at, _)| *at).min().map_or(now, |earliest| earliest.min(now));
        while let Some((at, person)) = self.order.first().copied().filter(|(at, _)| *at + DAY <= as_of) {
            self.order.remove(&(at, person));
            self.people.remove(&person);
        }
    }

    fn put(&mut self, person: Msisdn, place: Place) {
        if let Some(known) = self.people.insert(person, place) {
            self.order.remove(&(known.at, person));
        }
        self.order.insert((place.at, person));
    }

    fn take(&mut self, person: Msisdn, at: Timestamp) {
        let place = self.people.get(&person).map_or(Place { at, before: None }, |known| known.and(at));
        self.put(person, place);
    }

    fn used(&self) -> u32 {
        u32::try_from(self.people.len()).unwrap_or(u32::MAX)
    }
}

/// Places held for a claim that is under way. What it does not use comes back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    window: Arc<TierWindow>,
    at: Timestamp,
    places: u32,
    is_last: bool,
}

impl TierWindow {
    pub fn new(tier: u32, people: impl IntoIterator<Item = (Msisdn, Timestamp)>) -> Self {
        let mut inner = Inner::default();
        for (person, at) in people {
            inner.take(person, at);
        }
        Self { tier, inner: Mutex::new(inner) }
    }

    /// Holds up to `wanted` places for people who have none, so that two lanes of the portfolio cannot both take the
    /// last one.
    pub fn reserve(self: &Arc<Self>, wanted: u32, now: Timestamp) -> Reservation {
        let mut inner = self.lock();
        inner.forget(now);
        let held: u32 = inner.claims.iter().map(|(_, places)| *places).sum();
        let places = wanted.min(self.tier.saturating_sub(inner.used().saturating_add(held)));
        inner.claims.push((now, places));
        Reservation { window: Arc::clone(self), at: now, places, is_last: places < wanted && held == 0 }
    }

    /// Gives back places that were taken at these times for people to whom nothing was handed over after all. What a
    /// person had before counts again.
    pub fn give_back(&self, people: impl IntoIterator<Item = (Msisdn, Timestamp)>) {
        let mut inner = self.lock();
        for (person, at) in people {
            let Some(place) = inner.people.get(&person).copied().filter(|place| place.at == at) else { continue };
            match place.before {
                Some(before) => inner.put(person, Place { at: before, ..place }),
                None => {
                    inner.people.remove(&person);
                    inner.order.remove(&(at, person));
                }
            }
        }
    }

    /// How many people there may be.
    pub const fn tier(&self) -> u32 {
        self.tier
    }

    /// People counted now.
    pub fn used(&self, now: Timestamp) -> u32 {
        let mut inner = self.lock();
        inner.forget(now);
        inner.used()
    }

    /// When the next place may come free; never at once.
    pub fn next_free(&self, now: Timestamp) -> Option<Timestamp> {
        let mut inner = self.lock();
        inner.forget(now);
        let soon = (!inner.claims.is_empty()).then_some(now + SOON);
        soon.or_else(|| inner.order.first().map(|(at, _)| *at + DAY))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    pub const fn places(&self) -> u32 {
        self.places
    }

    /// Whether these are the last places there are: the tier is spent beyond them, and no other claim can leave any over.
    pub const fn is_last(&self) -> bool {
        self.is_last
    }

    /// Whoever took a place later than this holds it still.
    pub fn since(&self) -> Timestamp {
        self.at - DAY
    }

    /// Notes whom the claim has taken, with a place of their own or one of these.
    pub fn fill(self, people: impl IntoIterator<Item = Msisdn>) {
        let mut inner = self.window.lock();
        for person in people {
            inner.take(person, self.at);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut inner = self.window.lock();
        if let Some(ours) = inner.claims.iter().position(|claim| *claim == (self.at, self.places)) {
            inner.claims.swap_remove(ours);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Span = Span::from_secs(3_600);

    fn person(n: u64) -> Msisdn {
        Msisdn::try_from(6_590_000_000 + n).unwrap()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * HOUR.millis())
    }

    fn window(people: impl IntoIterator<Item = (Msisdn, Timestamp)>) -> Arc<TierWindow> {
        Arc::new(TierWindow::new(250, people))
    }

    #[test]
    fn two_claims_at_once_share_the_places_and_a_day_later_they_are_free() {
        let window = window([]);
        let first = window.reserve(200, hour(0));
        let second = window.reserve(200, hour(1));
        assert_eq!((first.places(), second.places()), (200, 50));
        first.fill((0..200).map(person));
        second.fill((200..250).map(person));
        assert_eq!(window.reserve(1, hour(2)).places(), 0);
        assert_eq!(window.next_free(hour(2)), Some(hour(24)));
        assert_eq!(window.reserve(1_000, hour(24)).places(), 200);
    }

    #[test]
    fn a_person_counts_once_from_the_latest_hand_over() {
        let window = window([(person(1), hour(0)), (person(1), hour(3))]);
        assert_eq!([hour(3), hour(24), hour(27)].map(|now| window.used(now)), [1, 1, 0]);
    }

    #[test]
    fn places_that_a_claim_does_not_use_come_back() {
        let window = window([]);
        window.reserve(250, hour(0)).fill([person(1)]);
        assert_eq!(window.reserve(250, hour(0)).places(), 249);
    }

    #[test]
    fn while_a_claim_is_under_way_nobody_is_forgotten_whom_it_may_find() {
        let window = window([(person(1), hour(0))]);
        let claim = window.reserve(1, hour(23));
        assert_eq!(window.used(hour(24)), 1);
        claim.fill([person(1)]);
        assert_eq!([hour(46), hour(47)].map(|now| window.used(now)), [1, 0]);
    }

    #[test]
    fn what_is_given_back_is_free_and_what_was_before_counts_again() {
        let window = window([]);
        window.reserve(2, hour(0)).fill([person(1)]);
        window.reserve(2, hour(1)).fill([person(1), person(2)]);
        window.give_back([(person(1), hour(1)), (person(2), hour(1))]);
        assert_eq!([hour(1), hour(24)].map(|now| window.used(now)), [1, 0]);
    }

    #[test]
    fn a_place_that_was_taken_anew_is_not_given_back() {
        let window = window([]);
        for at in [0, 1] {
            window.reserve(1, hour(at)).fill([person(1)]);
        }
        window.give_back([(person(1), hour(0))]);
        assert_eq!([hour(24), hour(25)].map(|now| window.used(now)), [1, 0]);
    }

    #[test]
    fn a_place_that_was_taken_twice_at_once_stays_when_one_of_the_two_is_given_back() {
        let window = window([]);
        window.reserve(1, hour(0)).fill([person(1)]);
        window.reserve(1, hour(0)).fill([person(1)]);
        window.give_back([(person(1), hour(0))]);
        assert_eq!(window.used(hour(0)), 1);
    }

    #[test]
    fn a_claim_that_comes_back_late_does_not_hide_who_took_a_place_twice_since() {
        let window = window([]);
        let late = window.reserve(1, hour(0));
        window.reserve(2, hour(1)).fill([person(1), person(1)]);
        late.fill([person(1)]);
        window.give_back([(person(1), hour(1))]);
        assert_eq!([hour(24), hour(25)].map(|now| window.used(now)), [1, 0]);
    }
}
