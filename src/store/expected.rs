//! Receipts without our id that wait before they may adopt an attempt: until then nobody knows whether they speak of it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::domain::{Channel, Msisdn, Timestamp};

/// Of so many at least the outdated ones are not looked for.
const FEW: usize = 1_024;

/// Whom such receipts are about, on which channel, and until when they wait. Nearly always nobody.
#[derive(Debug, Default)]
pub(super) struct Expected(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    until: HashMap<(Msisdn, Channel), Timestamp>,
    /// With so many, those that have had their chance are forgotten.
    most: usize,
}

impl Expected {
    pub(super) fn put(&self, all: impl Iterator<Item = ((Msisdn, Channel), Timestamp)>, now: Timestamp) {
        let mut all = all.peekable();
        if all.peek().is_none() {
            return;
        }
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (about, until) in all {
            let known = inner.until.entry(about).or_insert(until);
            *known = until.max(*known);
        }
        if inner.until.len() > inner.most.max(FEW) {
            inner.until.retain(|_, until| *until > now);
            inner.most = inner.until.len() * 2;
        }
    }

    pub(super) fn until(&self, about: (Msisdn, Channel), now: Timestamp) -> Option<Timestamp> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.until.get(&about).copied().filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_waited_is_expected_no_more_and_forgotten() {
        let at = Timestamp::from_millis;
        let about = |n: u64| (Msisdn::try_from(6_590_000_000 + n).unwrap(), Channel::Viber);
        let expected = Expected::default();
        expected.put([(about(1), at(50)), (about(1), at(40))].into_iter(), at(10));
        assert_eq!(expected.until(about(1), at(49)), Some(at(50)));
        assert_eq!((expected.until(about(1), at(50)), expected.until(about(2), at(10))), (None, None));
        expected.put((0..2 * FEW as u64).map(|n| (about(n), at(60))), at(50));
        expected.put((0..=2 * FEW as u64).map(|n| (about(10_000 + n), at(90))), at(70));
        assert_eq!(expected.0.read().unwrap().until.len(), 2 * FEW + 1);
    }
}
