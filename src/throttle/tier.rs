//! A portfolio's tier: how many different people in any rolling day.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Msisdn, Span, Tier, Timestamp};

/// How long a claimed message may take to leave: whoever has waited longer goes back, place and all.
pub const LEAVES_WITHIN: Span = Span::from_secs(45);

/// When to ask again while another lane's claim may leave a place over at any moment.
const SOON: Span = Span::from_millis(100);

/// The people of the last day. Loaded at the start from what claims have written, then kept beside it: the store is
/// the truth, and this is its window. Where the two could differ for a moment, this one counts more people.
///
/// An unlimited tier counts nobody. Where it becomes limited nobody new is let in before it is known who was written to
/// meanwhile.
#[derive(Debug)]
pub struct TierWindow {
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

#[derive(Debug)]
struct Inner {
    tier: Tier,
    /// Whether it is known whom the portfolio has written to in the last day.
    is_counted: bool,
    people: HashMap<Msisdn, Place>,
    /// The same people, in order of time.
    order: BTreeSet<(Timestamp, Msisdn)>,
    /// Claims under way: as of when each counts, and the places held for it.
    claims: Vec<(Timestamp, u32)>,
    /// Claims under way that nobody counts.
    uncounted: u32,
}

impl Inner {
    fn of(tier: Tier) -> Self {
        let (people, order, claims) = (HashMap::new(), BTreeSet::new(), Vec::new());
        Self { tier, is_counted: true, people, order, claims, uncounted: 0 }
    }

    /// How many there may be now.
    const fn most(&self) -> u32 {
        match self.tier {
            Tier::People(people) if self.is_counted => people,
            Tier::People(_) => 0,
            Tier::Unlimited => u32::MAX,
        }
    }

    /// Nobody is forgotten whom a claim under way may still find holding a place.
    fn forget(&mut self, now: Timestamp) {
        let as_of = self.claims.iter().map(|(at, _)| *at).min().map_or(now, |earliest| earliest.min(now));
        while let Some((at, person)) = self.order.first().copied().filter(|(at, _)| *at + Tier::HELD <= as_of) {
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

    fn next_end(&self) -> Option<Timestamp> {
        let too_many = usize::try_from(self.used().saturating_sub(self.most())).unwrap_or(usize::MAX);
        self.order.iter().nth(too_many).map(|(at, _)| *at + Tier::HELD)
    }
}

/// Places held for a claim that is under way. What it does not use comes back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    window: Arc<TierWindow>,
    at: Timestamp,
    places: u32,
    is_last: bool,
    is_counted: bool,
}

impl TierWindow {
    pub fn new(tier: Tier, people: impl IntoIterator<Item = (Msisdn, Timestamp)>) -> Self {
        let mut inner = Inner::of(tier);
        for (person, at) in people {
            inner.take(person, at);
        }
        Self { inner: Mutex::new(inner) }
    }

    /// The tier is another from now on. Returns whether somebody has to count whom the portfolio has written to, since
    /// nobody has.
    pub fn turn(&self, tier: Tier) -> bool {
        let mut inner = self.lock();
        match (inner.tier, tier) {
            (Tier::Unlimited, Tier::People(_)) => inner.is_counted = false,
            (Tier::People(_), Tier::Unlimited) => {
                inner.people.clear();
                inner.order.clear();
            }
            (Tier::People(_), Tier::People(_)) | (Tier::Unlimited, Tier::Unlimited) => {}
        }
        inner.tier = tier;
        tier != Tier::Unlimited && !inner.is_counted
    }

    pub fn is_limited(&self) -> bool {
        self.tier() != Tier::Unlimited
    }

    /// Whether claims are under way of which nobody will know whom they have taken: those are to be counted afterwards.
    pub fn is_waited_for(&self) -> bool {
        self.lock().uncounted > 0
    }

    /// These are the people whom the portfolio has written to in the last day.
    pub fn count(&self, people: impl IntoIterator<Item = (Msisdn, Timestamp)>) {
        let mut inner = self.lock();
        for (person, at) in people {
            inner.take(person, at);
        }
        inner.is_counted = true;
    }

    /// Somebody has a place after all.
    pub fn take(&self, people: impl IntoIterator<Item = (Msisdn, Timestamp)>) {
        let mut inner = self.lock();
        if inner.tier != Tier::Unlimited {
            people.into_iter().for_each(|(person, at)| inner.take(person, at));
        }
    }

    /// Holds up to `wanted` places for people who have none, so that two lanes of the portfolio cannot both take the
    /// last one.
    pub fn reserve(self: &Arc<Self>, wanted: u32, now: Timestamp) -> Reservation {
        let mut inner = self.lock();
        if inner.tier == Tier::Unlimited {
            inner.uncounted += 1;
            return Reservation {
                window: Arc::clone(self),
                at: now,
                places: wanted,
                is_last: false,
                is_counted: false,
            };
        }
        inner.forget(now);
        let held: u32 = inner.claims.iter().map(|(_, places)| *places).sum();
        let places = wanted.min(inner.most().saturating_sub(inner.used().saturating_add(held)));
        inner.claims.push((now, places));
        // Before it is known who has a place nobody goes on to another step for want of one.
        let is_last = places < wanted && held == 0 && inner.is_counted;
        Reservation { window: Arc::clone(self), at: now, places, is_last, is_counted: true }
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
    pub fn tier(&self) -> Tier {
        self.lock().tier
    }

    /// People counted now.
    pub fn used(&self, now: Timestamp) -> u32 {
        let mut inner = self.lock();
        inner.forget(now);
        inner.used()
    }

    /// When the next place may come free; never at once. A tier that was lowered below what is used has none to give before
    /// as many more are free.
    pub fn next_free(&self, now: Timestamp) -> Option<Timestamp> {
        let mut inner = self.lock();
        inner.forget(now);
        let may_change = !inner.claims.is_empty() || !inner.is_counted || inner.used() < inner.most();
        if may_change { Some(now + SOON) } else { inner.next_end() }
    }

    /// When the next slot frees up by itself, whatever the claims that are under way give back.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let mut inner = self.lock();
        inner.forget(now);
        inner.next_end()
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

    /// Whether people need places at all.
    pub const fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Whoever took a place later than this holds it still.
    pub fn since(&self) -> Timestamp {
        self.at - Tier::HELD
    }

    /// Notes whom the claim has taken, with a place of their own or one of these.
    pub fn fill(self, people: impl IntoIterator<Item = Msisdn>) {
        let mut inner = self.window.lock();
        if !self.is_counted {
            return;
        }
        for person in people {
            inner.take(person, self.at);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut inner = self.window.lock();
        if !self.is_counted {
            inner.uncounted = inner.uncounted.saturating_sub(1);
            return;
        }
        if let Some(ours) = inner.claims.iter().position(|claim| *claim == (self.at, self.places)) {
            inner.claims.swap_remove(ours);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what a place is held for.
    const HOUR: Span = Span::from_millis(Tier::HELD.millis() / 24);

    fn person(n: u64) -> Msisdn {
        Msisdn::try_from(6_590_000_000 + n).unwrap()
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * HOUR.millis())
    }

    fn window(people: impl IntoIterator<Item = (Msisdn, Timestamp)>) -> Arc<TierWindow> {
        Arc::new(TierWindow::new(Tier::People(250), people))
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
        let third = window.reserve(1_000, hour(24));
        assert_eq!(third.places(), 200);
        // A claim may give slots back at any moment; by itself the next one ends when its day is over.
        assert_eq!((window.next_free(hour(24)), window.next_end(hour(24))), (Some(hour(24) + SOON), Some(hour(25))));
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
    fn a_tier_that_is_lowered_below_what_is_used_lets_nobody_new_in_before_enough_places_are_free() {
        let window = window((0..10).map(|n| (person(n), hour(i64::try_from(n).unwrap()))));
        assert!(!window.turn(Tier::People(4)));
        assert_eq!((window.reserve(1, hour(10)).places(), window.used(hour(10))), (0, 10));
        // Ten are counted and four may be, so the seventh has to go before there is a place.
        assert_eq!(window.next_free(hour(10)), Some(hour(24 + 6)));
        assert_eq!([29, 30].map(|at| window.reserve(1, hour(at)).places()), [0, 1]);
        assert!(!window.turn(Tier::People(1_000)));
        assert_eq!(window.reserve(2_000, hour(30)).places(), 997);
    }

    #[test]
    fn a_tier_that_becomes_limited_lets_nobody_in_before_those_of_the_last_day_are_counted() {
        let window = Arc::new(TierWindow::new(Tier::Unlimited, []));
        let under_way = window.reserve(50, hour(0));
        assert_eq!((under_way.places(), under_way.is_counted()), (50, false));
        assert!(window.turn(Tier::People(250)));
        let first = window.reserve(1, hour(1));
        assert_eq!((first.places(), first.is_counted(), first.is_last()), (0, true, false));
        drop(first);
        assert!(window.is_waited_for(), "nobody knows yet whom the claim before has taken");
        drop(under_way);
        assert!(!window.is_waited_for());
        assert_eq!(window.next_free(hour(1)), Some(hour(1) + SOON));
        window.count((0..248).map(|n| (person(n), hour(0))));
        assert_eq!((window.reserve(9, hour(1)).places(), window.tier()), (2, Tier::People(250)));
        assert!(!window.turn(Tier::Unlimited));
        assert_eq!((window.reserve(9, hour(1)).places(), window.used(hour(1))), (9, 0));
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
