//! The client of one lane: sends requests to the provider over HTTP.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION, RETRY_AFTER};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::time::Instant;
use url::{Position, Url};

pub(super) use call::Call;

use super::answer::{BatchAnswers, SendAnswer, batch_answers, single_answer};
use super::connect::{BoxError, Connector, Resolve, Resolver, proxies};
use super::connection::{self, Connection, Idle};
use super::details::{DetailsAnswer, details_answer};
use super::offer::{Gate, GatedBody, Offer, Progress};
use super::unconnected::{AddressOf, Unconnected};
use crate::base::config::{Credential, LaneProvider, Valid};
use crate::base::domain::{AttemptId, Channel, Span, Umid};

/// The text before and after the messages of a batch request, which commas separate. It asks for an answer that names
/// each message.
pub const BATCH_OPEN: &[u8] = br#"{"includeMessagesInResponse":true,"messages":["#;
pub const BATCH_CLOSE: &[u8] = b"]}";

/// An unread answer.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    pub status: u16,
    pub retry_after: Option<Span>,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// No connection took the request: the provider cannot have received it.
    NotOffered { why: String },
    /// Its gate was closed when a connection was ready: nothing was sent.
    Withdrawn,
    /// A connection took it. Whether the provider has read it is unknown.
    Sent { why: String },
}

/// The endpoint of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Messages,
    Batch,
    /// LINE Official Notifications, one in a request or many.
    Notifications,
    NotificationBatch,
}

impl Endpoint {
    /// The endpoints of a channel, for one message and for many.
    const fn of(channel: Channel) -> [Self; 2] {
        match channel {
            Channel::LineNotification => [Self::Notifications, Self::NotificationBatch],
            _ => [Self::Messages, Self::Batch],
        }
    }

    /// Whether a request has many messages.
    pub const fn is_batch(self) -> bool {
        matches!(self, Self::Batch | Self::NotificationBatch)
    }

    /// Its path below the address of a subaccount.
    pub const fn path(self) -> &'static [&'static str] {
        match self {
            Self::Messages => &["messages"],
            Self::Batch => &["messages", "batch"],
            Self::Notifications => &["lon"],
            Self::NotificationBatch => &["lon", "batch"],
        }
    }
}

/// The transport to the provider: HTTP in a server, the simulator's model in a simulation.
#[async_trait::async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Posts once: never follows a redirect, never repeats. The gate is asked when a live connection takes the body.
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken>;

    /// Queries the details of a message once.
    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken>;
}

/// How much longer than the opening of a connection a request may wait for one.
const OFFER: Span = Span::from_secs(2);

/// The longest wait for the answer to a query, whatever `timeout` is.
///
/// A failed read shows an outage, and no deadline may fire before that. Repeating a read costs nothing.
const READ: Span = Span::from_secs(10);

/// The provider over HTTP, with one lane's key.
#[derive(Debug, Clone)]
pub struct Http {
    connector: Connector,
    idle: Idle,
    address: Arc<Address>,
    /// None of the headers changes but the key.
    prepared: Arc<ArcSwap<Prepared>>,
    /// For an answer, from the time when the request was sent.
    timeout: Span,
    /// For a connection that takes the request.
    offer: Span,
}

/// The URLs of a lane, and what each request carries.
#[derive(Debug)]
struct Address {
    lane: String,
    /// Ends in `/api/v1`.
    api: Url,
    sub_account: String,
    /// Whether a proxy forwards the requests, so that they carry the whole URL.
    is_forwarded: bool,
    /// Without the key.
    headers: HeaderMap,
    key: Option<Credential>,
}

/// The requests under the key that is valid. Parsed once: it costs as much as rendering a message.
#[derive(Debug)]
struct Prepared {
    key: Option<Arc<Valid>>,
    headers: HeaderMap,
    messages: Target,
    batch: Target,
    notifications: Target,
    notification_batch: Target,
}

#[derive(Debug, Clone)]
struct Target {
    uri: Uri,
    headers: HeaderMap,
}

impl Address {
    /// Prepares the requests with the key that is valid now.
    fn prepare(&self) -> Result<Prepared, Unusable> {
        let key = self.key.as_ref().map(Credential::valid);
        let mut headers = self.headers.clone();
        if let Some(secret) = key.as_ref().and_then(|key| key.iter().next()) {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.expose()))
                .map_err(|_| Unusable::Key { lane: self.lane.clone() })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let no_address = |_| Unusable::Address { lane: self.lane.clone(), url: self.api.to_string() };
        let of = |endpoint: Endpoint| {
            self.target(&self.of_subaccount(endpoint.path()), None, headers.clone()).map_err(no_address)
        };
        let (messages, batch) = (of(Endpoint::Messages)?, of(Endpoint::Batch)?);
        let (notifications, notification_batch) = (of(Endpoint::Notifications)?, of(Endpoint::NotificationBatch)?);
        Ok(Prepared { key, headers, messages, batch, notifications, notification_batch })
    }

    /// A path below the subaccount.
    fn of_subaccount<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        [&["subaccounts", &self.sub_account], below].concat()
    }

    /// The target of a path below `/api/v1`. Whatever its characters, each part is one segment.
    fn target(&self, path: &[&str], query: Option<(&str, &str)>, headers: HeaderMap) -> Result<Target, InvalidUri> {
        let mut url = self.api.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        if let Some((name, value)) = query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let uri = if self.is_forwarded { url.as_str().parse()? } else { url[Position::BeforePath..].parse()? };
        Ok(Target { uri, headers })
    }
}

impl Target {
    fn request(&self, method: Method, body: GatedBody) -> Request<GatedBody> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Chooses the TLS library, once for the process; every later call finds it chosen.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the API key of lane {lane} has characters that are invalid in a header; check api_key or api_key_file")]
    Key { lane: String },
    #[error("lane {lane}: invalid provider address {url:?}; check base_url and sub_account")]
    Address { lane: String, url: String },
    #[error("lane {lane}: cannot set up connections to the provider")]
    Client {
        lane: String,
        #[source]
        source: BoxError,
    },
}

fn no_client(lane: &str, source: BoxError) -> Unusable {
    Unusable::Client { lane: lane.to_owned(), source }
}

impl Http {
    /// Creates a client that resolves the provider's name with the system.
    pub fn new(lane: &str, provider: &LaneProvider) -> Result<Self, Unusable> {
        Self::resolved(lane, provider, Resolver::System)
    }

    /// Creates a client that resolves the provider's name with `resolver`.
    ///
    /// Resolving is part of opening a connection: nothing is sent before it ends.
    pub fn resolving_by(lane: &str, provider: &LaneProvider, resolver: Arc<dyn Resolve>) -> Result<Self, Unusable> {
        Self::resolved(lane, provider, Resolver::Other(resolver))
    }

    fn resolved(lane: &str, provider: &LaneProvider, resolver: Resolver) -> Result<Self, Unusable> {
        let proxies = proxies(&provider.network).map_err(|source| no_client(lane, source))?;
        Self::over(lane, provider, resolver, &proxies)
    }

    fn over(lane: &str, provider: &LaneProvider, resolver: Resolver, proxies: &Matcher) -> Result<Self, Unusable> {
        install_tls();
        let url = format!("{}/api/v1", provider.base_url);
        let no_address = || Unusable::Address { lane: lane.to_owned(), url: url.clone() };
        let api = Url::parse(&url).map_err(|_| no_address())?;
        let to: Uri = api.as_str().parse().map_err(|_| no_address())?;
        let (connector, forward) =
            Connector::to(&to, resolver, &provider.network, proxies).map_err(|source| no_client(lane, source))?;
        let mut headers = HeaderMap::new();
        let host = &api[Position::BeforeHost..Position::AfterPort];
        headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| no_address())?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let is_forwarded = forward.is_some();
        if let Some(authorization) = forward.and_then(|forward| forward.authorization) {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        let (sub_account, key) = (provider.sub_account.clone(), provider.api_key.clone());
        let address = Address { lane: lane.to_owned(), api, sub_account, is_forwarded, headers, key };
        let prepared = Arc::new(ArcSwap::from_pointee(address.prepare()?));
        let offer = Span::from_millis(provider.network.connect_timeout.millis() + OFFER.millis());
        let address = Arc::new(address);
        Ok(Self { connector, idle: Idle::default(), address, prepared, timeout: provider.timeout, offer })
    }

    /// The same client, whose address is that of something else than the provider's messages.
    #[must_use]
    pub(super) fn of(self, address: AddressOf) -> Self {
        Self { connector: self.connector.of(address), ..self }
    }

    /// Opens a connection, which the next request uses. Nothing is sent.
    pub async fn connect(&self) -> Result<(), Unconnected> {
        let stream = self.connector.open().await?;
        if let Ok(connection) = Connection::over(stream).await {
            self.idle.put(connection);
        }
        Ok(())
    }

    /// The requests with the key that is valid now.
    fn prepared(&self) -> arc_swap::Guard<Arc<Prepared>> {
        let prepared = self.prepared.load();
        let is_valid = match (&self.address.key, &prepared.key) {
            (Some(key), Some(seen)) => key.is_still(seen),
            (None, _) | (_, None) => true,
        };
        // The configuration accepts no key that a header does not, so the failure cannot occur.
        if !is_valid && let Ok(renewed) = self.address.prepare() {
            self.prepared.store(Arc::new(renewed));
            return self.prepared.load();
        }
        prepared
    }
}

#[async_trait::async_trait]
impl Transport for Http {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        let offer = Offer::new(gate);
        let body = GatedBody::new(body.into(), Arc::clone(&offer));
        let request = match to {
            Endpoint::Messages => self.prepared().messages.request(Method::POST, body),
            Endpoint::Batch => self.prepared().batch.request(Method::POST, body),
            Endpoint::Notifications => self.prepared().notifications.request(Method::POST, body),
            Endpoint::NotificationBatch => self.prepared().notification_batch.request(Method::POST, body),
        };
        tokio::select! {
            answer = self.exchange(request) => answer.map_err(|failed| failed.of(&offer)),
            () = self.answer_deadline(&offer) => Err(self.timed_out(&offer)),
        }
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        let path = self.address.of_subaccount(&["messages", umid.as_str()]);
        self.call(Call { method: Method::GET, path: &path, query: None, body: None }, self.timeout.min(READ)).await
    }
}

/// Why an exchange ended without an answer. If it has an offer, that knows how far it came.
enum Failed {
    /// No connection was there for it, so nothing was sent.
    Unconnected {
        why: String,
    },
    Broken {
        why: String,
    },
}

const CLOSED_AT_ONCE: &str = "the connection was closed at once; check the network and firewalls";

fn no_answer(limit: Span) -> String {
    format!("no answer within {limit}")
}

impl Failed {
    fn of(self, offer: &Offer) -> Broken {
        let (Self::Unconnected { why } | Self::Broken { why }) = self;
        match offer.revoke() {
            Progress::NotOffered => Broken::NotOffered { why },
            Progress::Withdrawn => Broken::Withdrawn,
            Progress::Sent(_) => Broken::Sent { why },
        }
    }
}

impl From<Unconnected> for Failed {
    fn from(why: Unconnected) -> Self {
        Self::Unconnected { why: why.to_string() }
    }
}

impl From<BoxError> for Failed {
    /// Keeps the innermost cause, which says what happened; the outer ones only say that something failed.
    fn from(error: BoxError) -> Self {
        let mut cause: &dyn std::error::Error = error.as_ref();
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::Broken { why: cause.to_string() }
    }
}

impl Http {
    /// Waits until the time for an answer is over: `timeout` after the request was sent, or earlier if no connection
    /// took it.
    async fn answer_deadline(&self, offer: &Offer) {
        #[expect(clippy::disallowed_methods, reason = "sleeps on tokio's own clock")]
        let begun = Instant::now();
        let mut until = begun + self.timeout.min(self.offer).std();
        loop {
            tokio::time::sleep_until(until).await;
            let end = offer.sent_at().map_or(begun + self.offer.std(), |sent_at| sent_at + self.timeout.std());
            if end <= until {
                return;
            }
            until = end;
        }
    }

    fn timed_out(&self, offer: &Offer) -> Broken {
        match offer.revoke() {
            Progress::NotOffered => Broken::NotOffered { why: format!("no connection within {}", self.offer) },
            Progress::Withdrawn => Broken::Withdrawn,
            Progress::Sent(_) => Broken::Sent { why: no_answer(self.timeout) },
        }
    }

    async fn exchange(&self, mut request: Request<GatedBody>) -> Result<RawAnswer, Failed> {
        loop {
            let (mut connection, is_new) = match self.idle.take() {
                Some(connection) => (connection, false),
                // Uses whichever comes first: a new connection, or one that another request returns.
                None => tokio::select! {
                    connection = self.connected() => (connection?, true),
                    connection = self.idle.next() => (connection, false),
                },
            };
            request = match connection.send(request).await {
                Ok(answer) => return self.read(connection, answer).await,
                // The other side had closed it meanwhile. Nothing of the request was written.
                Err(connection::Failure::Unused(request)) if !is_new => *request,
                Err(connection::Failure::Unused(_)) => {
                    return Err(Failed::Unconnected { why: CLOSED_AT_ONCE.to_owned() });
                }
                Err(connection::Failure::Failed(cause)) => return Err(cause.into()),
            };
        }
    }

    async fn connected(&self) -> Result<Connection, Failed> {
        Ok(Connection::over(self.connector.open().await?).await?)
    }

    async fn read(&self, mut connection: Connection, answer: Response<Incoming>) -> Result<RawAnswer, Failed> {
        let (head, body) = answer.into_parts();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let (body, end) = connection.body(body).await;
        match end {
            Ok(()) => self.idle.put(connection),
            // The status is known, but a success without its body is not an answer.
            Err(cause) if head.status.is_success() => return Err(cause.into()),
            Err(_) => {}
        }
        Ok(RawAnswer { status: head.status.as_u16(), retry_after: retry_after.map(Span::from_secs), body })
    }
}

/// Sends the requests of one lane.
#[derive(Debug)]
pub struct Client {
    pub(super) transport: Box<dyn Transport>,
    /// For one message, and for many.
    endpoints: [Endpoint; 2],
}

impl Client {
    pub fn new(transport: Box<dyn Transport>) -> Self {
        Self { transport, endpoints: [Endpoint::Messages, Endpoint::Batch] }
    }

    /// The same client, which sends to the endpoints of this channel.
    #[must_use]
    pub fn on(self, channel: Channel) -> Self {
        Self { endpoints: Endpoint::of(channel), ..self }
    }

    /// Sends one message, if its gate is open when a connection is ready.
    pub async fn send(&self, body: Vec<u8>, gate: Arc<dyn Gate>) -> SendAnswer {
        let [one, _] = self.endpoints;
        single_answer(&self.transport.post(one, body, gate).await)
    }

    /// Queries the details of a message.
    pub async fn details(&self, umid: &Umid) -> DetailsAnswer {
        details_answer(self.transport.details(umid).await)
    }

    /// Sends many messages, if their gate is open when a connection is ready. Returns one answer for each attempt, in
    /// their order.
    pub async fn send_batch(&self, body: Vec<u8>, attempts: &[AttemptId], gate: Arc<dyn Gate>) -> BatchAnswers {
        let [_, many] = self.endpoints;
        batch_answers(&self.transport.post(many, body, gate).await, attempts)
    }
}

mod call;
mod templates;
pub use templates::{TemplatesClient, TemplatesError};

#[cfg(test)]
mod tests;
