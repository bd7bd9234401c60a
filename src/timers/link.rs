//! Provider addresses, and the proof that each of them can be reached.

use std::collections::{HashMap, HashSet};

use crate::domain::{LaneId, Timestamp};
use crate::engine::Gap;

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

/// The outgoing direction of one address.
///
/// A doubt lasts from the last proof before the first failure to the first proof after it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    /// Until then no message waited for a report from there, so no doubt has to reach further back.
    idle_until: Timestamp,
    doubt: Option<Timestamp>,
}

impl Link {
    pub(super) const fn in_doubt_since(doubt: Option<Timestamp>) -> Self {
        Self { idle_until: Timestamp::from_millis(0), doubt }
    }

    pub(super) const fn doubt(&self) -> Option<Timestamp> {
        self.doubt
    }

    pub(super) fn note_idle(&mut self, now: Timestamp) {
        self.idle_until = self.idle_until.max(now);
    }

    /// Since when proof is missing, if the last one was at `proven`.
    pub(super) fn unproven_since(&self, proven: Timestamp) -> Timestamp {
        proven.max(self.idle_until)
    }

    /// Records that a request failed that began at `begun`; the last proof was at `proven`. Returns whether a doubt
    /// begins.
    ///
    /// A request that began before the last proof proves nothing: others have succeeded since.
    pub(super) fn fails(&mut self, begun: Timestamp, proven: Timestamp) -> bool {
        let begins = self.doubt.is_none() && begun >= proven;
        if begins {
            self.doubt = Some(self.unproven_since(proven).min(begun));
        }
        begins
    }

    /// Records a proof. Returns the doubt that it ends.
    pub(super) fn proves(&mut self, at: Timestamp) -> Option<Gap> {
        self.doubt.take().map(|from| Gap { from, until: at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    enum Signal {
        /// The provider answered.
        Proof(i64),
        /// A request failed that began then.
        Failure(i64),
        /// No message waited for a report.
        Idle(i64),
    }
    use Signal::{Failure, Idle, Proof};

    /// The reports, the doubts that they ended, and since when a doubt lasts.
    type Case<'a> = (&'a [Signal], &'a [(i64, i64)], Option<i64>);

    #[test]
    fn a_doubt_lasts_from_the_last_proof_to_the_first_one_after_failures() {
        let cases: [Case<'_>; 8] = [
            (&[Proof(10), Proof(20)], &[], None),
            (&[Proof(10), Failure(15)], &[], Some(10)),
            (&[Proof(10), Failure(15), Failure(30), Proof(40)], &[(10, 40)], None),
            (&[Proof(10), Failure(15), Proof(20), Proof(30), Failure(31)], &[(10, 20)], Some(30)),
            // It began before others succeeded.
            (&[Proof(10), Proof(30), Failure(15)], &[], None),
            (&[Failure(5)], &[], Some(0)),
            (&[Proof(10), Idle(3_600), Failure(3_605)], &[], Some(3_600)),
            (&[Proof(10), Failure(15), Idle(60), Proof(70)], &[(10, 70)], None),
        ];
        for (index, (signals, gaps, doubt)) in cases.into_iter().enumerate() {
            let (mut link, mut proven, mut found) = (Link::default(), second(0), Vec::new());
            for signal in signals {
                match signal {
                    Proof(at) => {
                        proven = second(*at);
                        found.extend(link.proves(proven));
                    }
                    Failure(begun) => {
                        link.fails(second(*begun), proven);
                    }
                    Idle(now) => link.note_idle(second(*now)),
                }
            }
            let gaps: Vec<Gap> =
                gaps.iter().map(|(from, until)| Gap { from: second(*from), until: second(*until) }).collect();
            assert_eq!((found, link.doubt()), (gaps, doubt.map(second)), "case {index}");
        }
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
