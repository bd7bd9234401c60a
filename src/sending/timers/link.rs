//! Provider addresses, and the proof that each of them can be reached.

use std::collections::{HashMap, HashSet};

use crate::base::domain::{LaneId, Span, Timestamp};
use crate::rules::engine::Gap;

/// The provider addresses of this installation.
///
/// Lanes with one `base_url` share an address. A doubt about the way there or back concerns all of them, and no other
/// lane.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    all: Vec<Address>,
    of_lane: HashMap<LaneId, usize>,
}

#[derive(Debug, Clone)]
pub struct Address {
    pub base_url: String,
    /// The subaccounts that its webhooks name.
    subaccounts: HashSet<String>,
}

impl Addresses {
    /// Adds a lane, and its address if it is new.
    pub fn add(&mut self, lane: LaneId, base_url: &str, subaccount: &str) {
        let known = self.all.iter().position(|address| address.base_url == base_url);
        let index = known.unwrap_or_else(|| {
            self.all.push(Address { base_url: base_url.to_owned(), subaccounts: HashSet::new() });
            self.all.len() - 1
        });
        self.all[index].subaccounts.insert(subaccount.to_owned());
        self.of_lane.insert(lane, index);
    }

    pub fn of(&self, lane: LaneId) -> Option<usize> {
        self.of_lane.get(&lane).copied()
    }

    pub fn all(&self) -> &[Address] {
        &self.all
    }

    pub fn named(&self, base_url: &str) -> Option<usize> {
        self.all.iter().position(|address| address.base_url == base_url)
    }

    /// The addresses from which a webhook with these subaccounts may come; all addresses if it names none.
    pub(super) fn of_webhook<'a>(&'a self, subaccounts: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        let is_of = |address: &Address| subaccounts.iter().any(|named| address.subaccounts.contains(named));
        let from = move |(index, address)| (subaccounts.is_empty() || is_of(address)).then_some(index);
        self.all.iter().enumerate().filter_map(from)
    }
}

/// A failure that is followed by proof within this time from the begin of its request is none: one request in ten may
/// fail while all others are answered.
const DISPROVEN_WITHIN: Span = Span::from_secs(1);

/// The outgoing direction of one address.
///
/// A failed request raises a suspicion, which holds deadlines and which a proof dispels. A suspicion without a proof in
/// time becomes a doubt. A doubt lasts from the last proof before the failure to the first proof after it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    /// Until then no message waited for a report from there, so no doubt has to reach further back.
    idle_until: Timestamp,
    failure: Option<Failure>,
}

/// The first failed request since the last proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// Since when proof is missing.
    pub(super) since: Timestamp,
    /// When the request began.
    pub(super) begun: Timestamp,
}

impl Failure {
    /// From when on this is a doubt.
    pub(super) fn doubt_from(&self) -> Timestamp {
        self.begun + DISPROVEN_WITHIN
    }
}

impl Link {
    pub(super) fn in_doubt_since(doubt: Option<Timestamp>) -> Self {
        Self { idle_until: Timestamp::default(), failure: doubt.map(|since| Failure { since, begun: since }) }
    }

    pub(super) const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Since when proof is missing, if the suspicion has become a doubt by `now`.
    pub(super) fn doubt(&self, now: Timestamp) -> Option<Timestamp> {
        self.failure.filter(|failure| now >= failure.doubt_from()).map(|failure| failure.since)
    }

    pub(super) fn note_idle(&mut self, now: Timestamp) {
        self.idle_until = self.idle_until.max(now);
    }

    /// Records that a request failed that began at `begun`; the last proof was at `proven`. Returns whether a suspicion
    /// begins.
    ///
    /// A request that began before the last proof proves nothing: others have succeeded since.
    pub(super) fn fails(&mut self, begun: Timestamp, proven: Timestamp) -> bool {
        let begins = self.failure.is_none() && begun >= proven;
        if begins {
            self.failure = Some(Failure { since: proven.max(self.idle_until).min(begun), begun });
        }
        begins
    }

    /// Records a proof. Returns the doubt that it ends; a suspicion leaves none.
    pub(super) fn proves(&mut self, at: Timestamp) -> Option<Gap> {
        let doubt = self.doubt(at);
        self.failure = None;
        doubt.map(|from| Gap { from, until: at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Signal {
        /// The provider answered.
        Proof(i64),
        /// A request failed that began then.
        Failure(i64),
        /// No message waited for a report.
        Idle(i64),
    }
    use Signal::{Failure, Idle, Proof};

    /// The reports, the doubts that they ended, and since when a doubt lasts a second after the last report.
    type Case<'a> = (&'a [Signal], &'a [(i64, i64)], Option<i64>);

    /// Times are in tenths of a second.
    fn judge(cases: &[Case<'_>]) {
        let at = |tenths: i64| Timestamp::from_millis(tenths * 100);
        for (index, (signals, gaps, doubt)) in cases.iter().enumerate() {
            let (mut link, mut proven, mut found, mut last) = (Link::default(), at(0), Vec::new(), 0);
            for signal in *signals {
                match *signal {
                    Proof(time) => {
                        (proven, last) = (at(time), time);
                        found.extend(link.proves(proven));
                    }
                    Failure(begun) => {
                        last = begun.max(last);
                        link.fails(at(begun), proven);
                    }
                    Idle(now) => link.note_idle(at(now)),
                }
            }
            let gaps: Vec<Gap> = gaps.iter().map(|(from, until)| Gap { from: at(*from), until: at(*until) }).collect();
            assert_eq!((found, link.doubt(at(last + 10))), (gaps, doubt.map(at)), "case {index}");
        }
    }

    #[test]
    fn a_doubt_lasts_from_the_last_proof_to_the_first_one_after_failures() {
        judge(&[
            (&[Proof(100), Proof(200)], &[], None),
            (&[Proof(100), Failure(150)], &[], Some(100)),
            (&[Proof(100), Failure(150), Failure(300), Proof(400)], &[(100, 400)], None),
            (&[Proof(100), Failure(150), Proof(200), Proof(300), Failure(310)], &[(100, 200)], Some(300)),
            // It began before others succeeded.
            (&[Proof(100), Proof(300), Failure(150)], &[], None),
            (&[Failure(50)], &[], Some(0)),
            (&[Proof(100), Idle(36_000), Failure(36_050)], &[], Some(36_000)),
            (&[Proof(100), Failure(150), Idle(600), Proof(700)], &[(100, 700)], None),
        ]);
    }

    #[test]
    fn a_failure_followed_by_proof_within_a_second_is_none() {
        judge(&[
            (&[Proof(100), Failure(150), Proof(159)], &[], None),
            (&[Proof(100), Failure(150), Proof(160)], &[(100, 160)], None),
            // The second counts from the first failure.
            (&[Proof(100), Failure(150), Failure(158), Proof(162)], &[(100, 162)], None),
            (&[Proof(100), Failure(150), Proof(155), Failure(156), Proof(160), Failure(161)], &[], Some(160)),
        ]);
    }

    #[test]
    fn lanes_share_an_address_by_base_url_and_webhooks_by_subaccount() {
        let mut addresses = Addresses::default();
        for (lane, base_url, subaccount) in [(1, "a", "one"), (2, "a", "two"), (3, "b", "three")] {
            addresses.add(LaneId(lane), base_url, subaccount);
        }
        let of = |lane| addresses.of(LaneId(lane));
        assert_eq!([of(1), of(2), of(3), of(9)], [Some(0), Some(0), Some(1), None]);
        let from = |named: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            addresses.of_webhook(&named).collect::<Vec<_>>()
        };
        assert_eq!(
            [from(&["two"]), from(&["three"]), from(&["nobody's"]), from(&[])],
            [vec![0], vec![1], vec![], vec![0, 1]]
        );
    }
}
