//! The failed attempts to prove something, by address.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::domain::{Span, Timestamp};

/// Failed attempts from one address, after which it has to wait.
const ATTEMPTS: u32 = 10;
/// How long it has to wait, and after which its failures are forgotten.
pub(super) const WAIT: Span = Span::from_secs(60);
/// Addresses whose failures are remembered at most. Failures of more addresses are not counted.
const ADDRESSES: usize = 10_000;

/// The failed attempts of one kind, by address.
#[derive(Debug, Default)]
pub(in crate::api) struct Failures(Mutex<HashMap<IpAddr, (u32, Timestamp)>>);

impl Failures {
    /// Whether an address has failed too often lately.
    pub(super) fn must_wait(&self, peer: IpAddr, now: Timestamp) -> bool {
        let failures = self.0.lock();
        failures.get(&place(peer)).is_some_and(|(count, last)| *count >= ATTEMPTS && now.since(*last) < WAIT)
    }

    /// Counts an attempt as failed. A successful one takes it back.
    pub(super) fn failed(&self, peer: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock();
        if failures.len() >= ADDRESSES {
            failures.retain(|_, (_, last)| now.since(*last) < WAIT);
        }
        if failures.len() < ADDRESSES || failures.contains_key(&place(peer)) {
            let (count, last) = failures.entry(place(peer)).or_insert((0, now));
            *count = if now.since(*last) < WAIT { *count + 1 } else { 1 };
            *last = now;
        }
    }

    pub(super) fn succeeded(&self, peer: IpAddr) {
        self.0.lock().remove(&place(peer));
    }
}

/// What an address is told that has to wait.
pub(super) fn too_many_attempts() -> String {
    format!("too many attempts from this address; wait {WAIT} and try again")
}

/// The network that counts as one place: a host of IPv6 has as many addresses as it likes.
fn place(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_fails_too_often_waits() {
        let failures = Failures::default();
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let peer = |last: u16| IpAddr::V6(format!("2001:db8::{last:x}").parse().unwrap());
        for attempt in 0..ATTEMPTS {
            assert!(!failures.must_wait(peer(1), at(1)), "{attempt}");
            failures.failed(peer(u16::try_from(attempt).unwrap()), at(1));
        }
        assert!(failures.must_wait(peer(99), at(2)), "one network is one place");
        assert!(!failures.must_wait("2001:db8:0:1::1".parse().unwrap(), at(2)));
        assert!(!failures.must_wait(peer(1), at(62)), "it waits a minute");
        failures.failed(peer(1), at(62));
        assert!(!failures.must_wait(peer(1), at(62)), "older failures are forgotten");
        failures.succeeded(peer(1));
        assert!(failures.0.lock().is_empty());
    }

    #[test]
    fn the_memory_of_failures_is_bounded() {
        let failures = Failures::default();
        for number in 0..u32::try_from(ADDRESSES).unwrap() + 10 {
            failures.failed(IpAddr::V4(number.into()), Timestamp::from_millis(1));
        }
        assert_eq!(failures.0.lock().len(), ADDRESSES);
    }
}
