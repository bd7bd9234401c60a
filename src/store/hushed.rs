//! Who has opted out after something for them may have been claimed.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::domain::Msisdn;

/// How many are known by name. Whoever opts out ten million by a list must not need the memory for them.
pub(super) const BY_NAME: u32 = 10_000;

/// A moment among the hushes. A claim that begins behind a hush sees for itself who had opted out by then, so a hush
/// concerns only what was claimed before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hush(u64);

/// Nearly always nobody, and then looking costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct Hushed(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    latest: Hush,
    /// The latest hush of each.
    people: HashMap<Msisdn, Hush>,
    /// Who is too many to be known by name: then it is everybody, and the next claim tells who is meant.
    everybody: Option<Hush>,
}

impl Hushed {
    /// To be said once the wish is on disk.
    pub(super) fn hush(&self, people: impl IntoIterator<Item = Msisdn>) {
        self.change(|inner| {
            inner.latest.0 += 1;
            let latest = inner.latest;
            for person in people {
                inner.people.insert(person, latest);
                if inner.people.len() > BY_NAME as usize {
                    inner.people = HashMap::new();
                    inner.everybody = Some(latest);
                }
            }
        });
    }

    pub(super) fn hush_everybody(&self) {
        self.change(|inner| {
            inner.latest.0 += 1;
            inner.people = HashMap::new();
            inner.everybody = Some(inner.latest);
        });
    }

    pub(super) fn latest(&self) -> Hush {
        self.read().latest
    }

    /// Whether what was claimed behind `since` must not leave.
    pub(super) fn is_hushed(&self, person: Msisdn, since: Hush) -> bool {
        let inner = self.read();
        inner.everybody > Some(since) || inner.people.get(&person) > Some(&since)
    }

    pub(super) fn is_empty(&self) -> bool {
        let inner = self.read();
        inner.people.is_empty() && inner.everybody.is_none()
    }

    /// Lifts the hushes up to this one. Who was hushed again since then stays so.
    pub(super) fn lift(&self, until: Hush) {
        self.change(|inner| {
            inner.people.retain(|_, hush| *hush > until);
            inner.everybody = inner.everybody.filter(|hush| *hush > until);
            if inner.people.is_empty() {
                // Many may have been in it, once.
                inner.people.shrink_to_fit();
            }
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut Inner)) {
        how(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u32) -> Msisdn {
        Msisdn::try_from(6_590_000_000 + u64::from(n)).unwrap()
    }

    #[test]
    fn a_hush_concerns_what_was_claimed_before_it_and_is_lifted_alone() {
        let hushed = Hushed::default();
        let before = hushed.latest();
        hushed.hush([person(1), person(2)]);
        let between = hushed.latest();
        assert!(hushed.is_hushed(person(1), before) && !hushed.is_hushed(person(1), between));
        hushed.hush([person(1)]);
        hushed.lift(between);
        assert!(hushed.is_hushed(person(1), between) && !hushed.is_hushed(person(2), before));
        hushed.lift(hushed.latest());
        assert!(hushed.is_empty());
    }

    #[test]
    fn however_many_are_hushed_few_are_remembered_and_all_of_them_stay() {
        let hushed = Hushed::default();
        let before = hushed.latest();
        hushed.hush((0..=BY_NAME).map(person));
        hushed.hush([person(7)]);
        assert!(hushed.read().people.capacity() < 100);
        assert!(hushed.is_hushed(person(1), before) && hushed.is_hushed(person(BY_NAME), before));
        // What is claimed from now on is not held up by it.
        assert!(!hushed.is_hushed(person(1), hushed.latest()));
        hushed.lift(hushed.latest());
        assert!(hushed.is_empty() && !hushed.is_hushed(person(1), before));
    }
}
