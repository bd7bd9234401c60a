//! Keeps in memory which receipts without our id wait before they may adopt an attempt.
//!
//! Until such a receipt is tried, it is unknown whether it is about the attempt.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::base::domain::{AddressKey, Channel, Timestamp};

/// Up to this number of recipients, recipients whose receipts have been tried are not removed.
const FEW: usize = 1_024;

/// A receipt that waits.
#[derive(Debug, Clone)]
pub struct WaitingReceipt {
    pub about: (AddressKey, Channel),
    pub came: Timestamp,
    /// Lanes whose attempts it cannot be about.
    pub except: Arc<BTreeSet<String>>,
}

/// The waiting receipts that arrived since the last one that was tried. Each is also a row among the strays.
#[derive(Debug, Default)]
pub(super) struct Expected(RwLock<Inner>);

/// When each receipt arrived, and the lanes whose attempts it cannot be about.
type Arrivals = Vec<(Timestamp, Arc<BTreeSet<String>>)>;

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<(AddressKey, Channel), Arrivals>,
    /// All receipts that arrived until then have been tried. `None` until the first round is over, because an earlier
    /// server may have stored some.
    tried_until: Option<Timestamp>,
    /// Above this number of recipients, recipients without waiting receipts are removed.
    most: usize,
}

impl Expected {
    pub(super) fn add(&self, all: impl Iterator<Item = WaitingReceipt>) {
        let mut all = all.peekable();
        if all.peek().is_none() {
            return;
        }
        let mut inner = self.0.write();
        let tried_until = inner.tried_until;
        for WaitingReceipt { about: (recipient, channel), came, except } in all {
            let waiting = inner.waiting.entry((recipient.canonical(), channel)).or_default();
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
        let mut inner = self.0.write();
        inner.tried_until = inner.tried_until.max(Some(came));
    }

    /// Whether a receipt that arrived in time may be about an attempt of this lane, and has not been tried.
    ///
    /// Until the first round is over, there may be one for each recipient.
    pub(super) fn is_about(
        &self,
        (recipient, channel): (AddressKey, Channel),
        lane: &str,
        in_time: impl Fn(Timestamp) -> bool,
    ) -> bool {
        let inner = self.0.read();
        let Some(tried_until) = inner.tried_until else { return true };
        inner.waiting.get(&(recipient.canonical(), channel)).is_some_and(|waiting| {
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

    fn waiting(n: i64, came: i64, except: &str) -> WaitingReceipt {
        let about = (AddressKey::try_from(6_590_000_000 + n).unwrap(), Channel::Viber);
        WaitingReceipt { about, came: at(came), except: Arc::new([except.to_owned()].into()) }
    }

    #[test]
    fn a_waiting_receipt_is_expected_until_it_is_tried() {
        let expected = Expected::default();
        expected.add([waiting(1, 50, "named"), waiting(1, 60, "other"), waiting(1, 60, "other")].into_iter());
        let about = waiting(1, 0, "").about;
        assert!(expected.is_about(about, "vb", |_| true), "before the first round");
        expected.tried_until(at(0));
        let is_about = |lane, came_by| expected.is_about(about, lane, |came| came <= at(came_by));
        assert!(is_about("vb", 50) && !is_about("vb", 49), "a later receipt is not in time");
        assert!(!is_about("named", 59) && is_about("named", 60));
        assert!(!expected.is_about(waiting(2, 0, "").about, "vb", |_| true));
        expected.tried_until(at(50));
        assert!(is_about("vb", 60) && !is_about("other", 60));
        expected.tried_until(at(60));
        assert!(!is_about("vb", 90));
    }

    #[test]
    fn recipients_with_tried_receipts_are_removed() {
        let expected = Expected::default();
        let many = 2 * FEW as i64;
        expected.add((0..many).map(|n| waiting(n, 50, "")));
        expected.tried_until(at(50));
        expected.add((0..=2 * many).map(|n| waiting(many + n, 60, "")));
        assert_eq!(expected.0.read().waiting.len() as i64, 2 * many + 1);
    }
}
