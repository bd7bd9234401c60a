//! Receipts without our id that wait before they may adopt an attempt: until they are tried, whether they speak of it is
//! unknown.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Channel, Msisdn, Timestamp};

/// With no more recipients than these, those whose receipts have been tried are not removed.
const FEW: usize = 1_024;

/// One that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub about: (Msisdn, Channel),
    pub came: Timestamp,
    /// Lanes of whose attempts it cannot speak.
    pub except: Arc<BTreeSet<String>>,
}

/// As many as have come since the last that was tried: each is a row among the strays too.
#[derive(Debug, Default)]
pub(super) struct Expected(RwLock<Inner>);

/// When each came, and of whose attempts it cannot speak.
type Those = Vec<(Timestamp, Arc<BTreeSet<String>>)>;

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<(Msisdn, Channel), Those>,
    /// All that came until then have been tried; nothing until the first round is over, since an earlier server may have
    /// kept some.
    tried_until: Option<Timestamp>,
    /// With so many recipients, those of whom nothing waits any more are forgotten.
    most: usize,
}

impl Expected {
    pub(super) fn put(&self, all: impl Iterator<Item = Waiting>) {
        let mut all = all.peekable();
        if all.peek().is_none() {
            return;
        }
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let tried_until = inner.tried_until;
        for Waiting { about, came, except } in all {
            let waiting = inner.waiting.entry(about).or_default();
            waiting.retain(|(known, _)| Some(*known) > tried_until);
            if !waiting.iter().any(|(known, of)| *known == came && *of == except) {
                waiting.push((came, except));
            }
        }
        if inner.waiting.len() > inner.most.max(FEW) {
            inner.waiting.retain(|_, waiting| waiting.iter().any(|(came, _)| Some(*came) > tried_until));
            inner.most = inner.waiting.len() * 2;
        }
    }

    pub(super) fn tried_until(&self, came: Timestamp) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        inner.tried_until = inner.tried_until.max(Some(came));
    }

    /// Whether one that came in time may speak of an attempt of this lane, and has not been tried. Until the first
    /// round is over there may be one for each.
    pub(super) fn is_about(&self, about: (Msisdn, Channel), lane: &str, in_time: impl Fn(Timestamp) -> bool) -> bool {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tried_until) = inner.tried_until else { return true };
        inner.waiting.get(&about).is_some_and(|waiting| {
            let waits = |came: Timestamp| came > tried_until && in_time(came);
            waiting.iter().any(|(came, except)| !except.contains(lane) && waits(*came))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn waiting(n: u64, came: i64, except: &str) -> Waiting {
        let about = (Msisdn::try_from(6_590_000_000 + n).unwrap(), Channel::Viber);
        Waiting { about, came: at(came), except: Arc::new([except.to_owned()].into()) }
    }

    #[test]
    fn what_waits_is_expected_until_it_is_tried() {
        let expected = Expected::default();
        expected.put([waiting(1, 50, "named"), waiting(1, 60, "other"), waiting(1, 60, "other")].into_iter());
        let about = waiting(1, 0, "").about;
        assert!(expected.is_about(about, "vb", |_| true), "before the first round");
        expected.tried_until(at(0));
        let is_about = |lane, came_by| expected.is_about(about, lane, |came| came <= at(came_by));
        assert!(is_about("vb", 50) && !is_about("vb", 49), "what comes later is no news of the time before");
        assert!(!is_about("named", 59) && is_about("named", 60));
        assert!(!expected.is_about(waiting(2, 0, "").about, "vb", |_| true));
        expected.tried_until(at(50));
        assert!(is_about("vb", 60) && !is_about("other", 60));
        expected.tried_until(at(60));
        assert!(!is_about("vb", 90));
    }

    #[test]
    fn what_was_tried_is_forgotten() {
        let expected = Expected::default();
        let many = 2 * FEW as u64;
        expected.put((0..many).map(|n| waiting(n, 50, "")));
        expected.tried_until(at(50));
        expected.put((0..=2 * many).map(|n| waiting(many + n, 60, "")));
        assert_eq!(expected.0.read().unwrap().waiting.len() as u64, 2 * many + 1);
    }
}
