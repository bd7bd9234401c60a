//! The door: accepts connections, limits how long each may take, and closes in good order.
//!
//! - At most [`CONNECTIONS_MAX`] connections at a time. An idle one is closed, early while many are open. If all are taken,
//!   one that waits for its client is closed for a new one ([`places`]).
//! - A request has [`REQUEST_MAX`] to arrive and to be answered, unless its handler asks for more ([`Patience`]).
//! - A stop ends event streams and uploads at once, gives the other requests [`LAST_REQUESTS_MAX`], and cuts the rest.
//!
//! Not by `hyper`, whose only such limit (`header_read_timeout`) ends with the header and is fixed once a connection
//! begins, so it bounds neither a slow body nor the idle time in a crowd; and `axum::serve` does not set it.

mod certificate;
mod client;
mod connection;
mod limit_tally;
mod listener;
mod long_requests;
mod patience;
mod places;
mod traceparent;
mod visit;

pub(super) use certificate::Renewal;
pub use certificate::{Certificate, NoCertificate};
pub(super) use client::Client;
pub(super) use limit_tally::LimitReports;
pub use listener::{ServeError, listen};
pub(super) use long_requests::Crowded;
pub(super) use patience::{Patience, UploadEnded};
pub(super) use visit::visit;

pub(super) use listener::{LimitedListener, Peer};

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use client::TrustedProxies;
use limit_tally::LimitTally;
use long_requests::LongRequests;
use places::{Place, Places, Source};

use crate::base::clock::Clock;
use crate::base::domain::{IpNetwork, ServerLimit, Span};
use crate::http::metrics::HttpFigures;

/// Connections at a time. With the usual limit of 1,024 file descriptors, enough are left for the database and the
/// provider.
const CONNECTIONS_MAX: u32 = 512;
/// Connections of one address at a time: three quarters. The rest is for others.
const ADDRESS_SHARE: u32 = CONNECTIONS_MAX / 4 * 3;
/// Event streams at a time, and uploads, downloads and long operations at a time. The rest of the connections is for webhooks
/// and short requests.
const STREAMS_MAX: u32 = 128;
const LONG_OPERATIONS_MAX: u32 = 128;
/// How many of each one caller may have.
const CALLER_SHARE: u32 = 32;
/// From this number of connections on, an idle one is closed early.
const CROWDED: u32 = CONNECTIONS_MAX / 2;
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
    places: Arc<Places>,
    streams: Arc<LongRequests>,
    long_operations: Arc<LongRequests>,
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
        let long = |limit, most| LongRequests::new(limit, most, CALLER_SHARE);
        Arc::new(Self {
            places: Places::new(CONNECTIONS_MAX, ADDRESS_SHARE, Arc::clone(&clock)),
            streams: long(ServerLimit::EventStreams, STREAMS_MAX),
            long_operations: long(ServerLimit::LongOperations, LONG_OPERATIONS_MAX),
            clock,
            certificate,
            proxies: TrustedProxies::new(trusted_proxies),
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
        let by_route = self.answers.lock();
        let answers = by_route
            .iter()
            .flat_map(|(route, answers)| answers.iter().map(|(status, count)| (route.clone(), *status, *count)));
        let mut answers: Vec<_> = answers.collect();
        answers.sort_unstable();
        HttpFigures {
            connections: self.places.taken().into(),
            connections_max: CONNECTIONS_MAX.into(),
            accepted: self.accepted.load(Ordering::Relaxed),
            failed_handshakes: self.failed_handshakes.load(Ordering::Relaxed),
            requests: u64::from(self.requests()),
            long: [&self.streams, &self.long_operations].map(|long| (long.limit(), long.taken(), long.most())).to_vec(),
            turned_away: ServerLimit::ALL.iter().map(|limit| (*limit, self.tally(*limit).0.count)).collect(),
            answers,
        }
    }

    /// What was closed or refused because of a limit, and what the limit is.
    fn tally(&self, limit: ServerLimit) -> (LimitTally, u32) {
        match limit {
            ServerLimit::Connections => (self.places.tally(), CONNECTIONS_MAX),
            ServerLimit::EventStreams => (self.streams.tally(), self.streams.most()),
            ServerLimit::LongOperations => (self.long_operations.tally(), self.long_operations.most()),
        }
    }

    /// Waits for a place for a connection from an address; `None` if the address has its share.
    async fn place(&self, address: IpAddr) -> Option<Place> {
        self.places.take(Source::new(address, self.proxies.contain(address)), &self.cut).await
    }

    fn is_crowded(&self) -> bool {
        self.places.taken() > CROWDED
    }

    /// The time that an idle connection has, `most` without a crowd.
    fn idle_limit(&self, most: Span) -> Span {
        if self.is_crowded() { CROWDED_IDLE_MAX } else { most }
    }

    fn handshake_limit(&self) -> Span {
        if self.is_crowded() { CROWDED_HANDSHAKE_MAX } else { HANDSHAKE_MAX }
    }

    fn count_answer(&self, route: &str, status: u16) {
        let mut answers = self.answers.lock();
        match answers.get_mut(route) {
            Some(by_status) => *by_status.entry(status).or_default() += 1,
            None => _ = answers.insert(route.to_owned(), BTreeMap::from([(status, 1)])),
        }
    }
}
