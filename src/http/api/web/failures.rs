//! The failed attempts to prove something, by address.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use crate::base::domain::{IpNetwork, Span, Timestamp};

/// Failed attempts from one address, after which it has to wait.
const ATTEMPTS: u32 = 10;
/// How long it has to wait, and after which its failures are forgotten.
const WAIT: Span = Span::from_secs(60);
/// Addresses whose failures are remembered at most. Failures of more addresses are not counted.
const ADDRESSES: usize = 10_000;

/// The failed attempts of one kind, by address.
#[derive(Debug, Default)]
pub(in crate::http::api) struct Failures(Mutex<HashMap<IpNetwork, (u32, Timestamp)>>);

impl Failures {
    /// How long an address has to wait because it has failed too often lately.
    pub(super) fn must_wait(&self, peer: IpAddr, now: Timestamp) -> Option<Span> {
        let failures = self.0.lock();
        let (count, last) = failures.get(&IpNetwork::of_client(peer))?;
        (*count >= ATTEMPTS && now.since(*last) < WAIT).then(|| (*last + WAIT).since(now))
    }

    /// Counts an attempt as failed. A successful one takes it back.
    pub(super) fn failed(&self, peer: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock();
        if failures.len() >= ADDRESSES {
            failures.retain(|_, (_, last)| now.since(*last) < WAIT);
        }
        if failures.len() < ADDRESSES || failures.contains_key(&IpNetwork::of_client(peer)) {
            let (count, last) = failures.entry(IpNetwork::of_client(peer)).or_insert((0, now));
            *count = if now.since(*last) < WAIT { *count + 1 } else { 1 };
            *last = now;
        }
    }

    pub(super) fn succeeded(&self, peer: IpAddr) {
        self.0.lock().remove(&IpNetwork::of_client(peer));
    }
}

/// What an address is told that has to wait.
pub(super) fn too_many_attempts() -> String {
    format!("too many attempts from this address; wait {WAIT} and try again")
}

/// The answer to an address that has to wait this long, with the page that says so.
pub(super) fn wait_and_retry(wait: Span, page: impl IntoResponse) -> Response {
    let seconds = u64::try_from(wait.std().as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, HeaderValue::from(seconds))], page).into_response()
}

/// Failed attempts of all addresses that the audit log records in a minute. The entries of a day then fit into some
/// megabytes, however many addresses guess.
const RECORDED: u32 = 60;

/// The failed attempts that the audit log has recorded in the present minute.
#[derive(Debug, Default)]
pub(in crate::http::api) struct RecordedFailures(Mutex<(i64, u32)>);

impl RecordedFailures {
    /// Whether the audit log records one more.
    pub(super) fn admits_another(&self, now: Timestamp) -> bool {
        let minute = now.millis().div_euclid(60_000);
        let mut recorded = self.0.lock();
        if recorded.0 != minute {
            *recorded = (minute, 0);
        }
        recorded.1 += 1;
        recorded.1 <= RECORDED
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
            assert_eq!(failures.must_wait(peer(1), at(1)), None, "{attempt}");
            failures.failed(peer(u16::try_from(attempt).unwrap()), at(1));
        }
        assert_eq!(failures.must_wait(peer(99), at(2)), Some(Span::from_secs(59)), "one network is one place");
        assert_eq!(failures.must_wait("2001:db8:0:1::1".parse().unwrap(), at(2)), None);
        assert_eq!(failures.must_wait(peer(1), at(62)), None, "it waits a minute");
        failures.failed(peer(1), at(62));
        assert_eq!(failures.must_wait(peer(1), at(62)), None, "older failures are forgotten");
        failures.succeeded(peer(1));
        assert!(failures.0.lock().is_empty());
    }

    #[test]
    fn a_minute_has_60_recorded_failures_at_most() {
        let recorded = RecordedFailures::default();
        let admitted =
            |from: i64| (0..100).filter(|_| recorded.admits_another(Timestamp::from_millis(from * 60_000))).count();
        assert_eq!((admitted(1), admitted(1), admitted(2)), (60, 0, 60));
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
