//! The door: accepts connections, limits how long each may take, and closes in good order.
//!
//! - At most [`CONNECTIONS_MAX`] connections at a time. An idle one is closed, early while many are open.
//! - A request has [`REQUEST_MAX`] to arrive and to be answered, unless its handler asks for more ([`Patience`]).
//! - A stop ends event streams and uploads at once, gives the other requests [`LAST_REQUESTS_MAX`], and cuts the rest.
//!
//! Not by `hyper`, whose only such limit (`header_read_timeout`) ends with the header and is fixed once a connection
//! begins, so it bounds neither a slow body nor the idle time in a crowd; and `axum::serve` does not set it.

mod certificate;
mod client;
mod connection;
mod listener;
mod patience;
mod traceparent;
mod visit;

pub(super) use certificate::Renewal;
pub use certificate::{Certificate, NoCertificate};
pub(super) use client::Client;
pub use listener::{ServeError, listen};
pub(super) use patience::{Crowded, Patience, UploadEnded};
pub(super) use visit::visit;

pub(super) use listener::{LimitedListener, Peer};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use client::TrustedProxies;

use crate::clock::Clock;
use crate::domain::{IpNetwork, Span};
use crate::metrics::HttpFigures;

/// Connections at a time. With the usual limit of 1,024 file descriptors, enough are left for the database and the
/// provider.
const CONNECTIONS_MAX: usize = 512;
/// Requests with a patience of their own at a time. The rest of the connections is for webhooks and short requests.
const LONG_MAX: usize = CONNECTIONS_MAX / 2;
/// From this number of connections on, an idle one is closed early.
const CROWDED: usize = CONNECTIONS_MAX / 2;
/// How long a request may take to arrive and to be answered: the provider's own have five seconds. Also how long a
/// client may read nothing of an answer.
const REQUEST_MAX: Span = Span::from_secs(30);
/// How long a connection may wait for its next request.
const IDLE_MAX: Span = Span::from_secs(60);
/// The same for a connection that has sent nothing, while the server is crowded.
const CROWDED_IDLE_MAX: Span = Span::from_secs(1);
/// How long a TLS handshake may take, and how long while the server is crowded.
const HANDSHAKE_MAX: Span = Span::from_secs(10);
const CROWDED_HANDSHAKE_MAX: Span = Span::from_secs(3);
/// How long requests may take to end once the server stops.
const LAST_REQUESTS_MAX: Span = Span::from_secs(10);

/// The door of one server: its connections, their limits, and what they have done so far.
#[derive(Debug)]
pub struct Door {
    clock: Arc<dyn Clock>,
    certificate: Option<Arc<Certificate>>,
    proxies: TrustedProxies,
    slots: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Cancelled when the server begins to stop.
    stopping: CancellationToken,
    /// Cancelled when what is still open is cut.
    cut: CancellationToken,
    requests: AtomicU32,
    accepted: AtomicU64,
    failed_handshakes: AtomicU64,
    /// Answers by route and status.
    answers: Mutex<HashMap<String, BTreeMap<u16, u64>>>,
}

impl Door {
    /// Creates a door that speaks TLS if it has a certificate, behind proxies in these networks.
    pub fn new(
        clock: Arc<dyn Clock>,
        certificate: Option<Arc<Certificate>>,
        trusted_proxies: Vec<IpNetwork>,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            certificate,
            proxies: TrustedProxies::new(trusted_proxies),
            slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            long: Arc::new(Semaphore::new(LONG_MAX)),
            stopping: CancellationToken::new(),
            cut: CancellationToken::new(),
            requests: AtomicU32::new(0),
            accepted: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
            answers: Mutex::default(),
        })
    }

    /// The certificate by which it speaks TLS.
    pub const fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// Accepts no more connections, and ends event streams and uploads. Other requests may end.
    pub fn close(&self) {
        self.stopping.cancel();
    }

    /// Cancelled when the server begins to stop.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Waits until the last requests have had their time, and cuts what is left.
    pub(super) async fn cut_rest(&self) {
        self.stopping.cancelled().await;
        self.clock.sleep(LAST_REQUESTS_MAX).await;
        let left = self.requests();
        if left > 0 {
            tracing::warn!(
                requests = left,
                "requests did not end within {LAST_REQUESTS_MAX}; their connections are cut"
            );
        }
        self.cut.cancel();
    }

    /// The number of requests that are not answered yet.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn figures(&self) -> HttpFigures {
        let open = CONNECTIONS_MAX - self.slots.available_permits();
        let by_route = self.answers.lock();
        let answers = by_route
            .iter()
            .flat_map(|(route, answers)| answers.iter().map(|(status, count)| (route.clone(), *status, *count)));
        let mut answers: Vec<_> = answers.collect();
        answers.sort_unstable();
        HttpFigures {
            connections: open as u64,
            connections_max: CONNECTIONS_MAX as u64,
            accepted: self.accepted.load(Ordering::Relaxed),
            failed_handshakes: self.failed_handshakes.load(Ordering::Relaxed),
            requests: u64::from(self.requests()),
            answers,
        }
    }

    fn is_crowded(&self) -> bool {
        self.slots.available_permits() < CONNECTIONS_MAX - CROWDED
    }

    /// The time that an idle connection has, `most` without a crowd.
    fn idle_limit(&self, most: Span) -> Span {
        if self.is_crowded() { CROWDED_IDLE_MAX } else { most }
    }

    fn handshake_limit(&self) -> Span {
        if self.is_crowded() { CROWDED_HANDSHAKE_MAX } else { HANDSHAKE_MAX }
    }

    /// A permit for a request with a patience of its own, if one is left.
    fn long_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.long).try_acquire_owned().ok()
    }

    fn count_answer(&self, route: &str, status: u16) {
        let mut answers = self.answers.lock();
        match answers.get_mut(route) {
            Some(by_status) => *by_status.entry(status).or_default() += 1,
            None => _ = answers.insert(route.to_owned(), BTreeMap::from([(status, 1)])),
        }
    }
}
