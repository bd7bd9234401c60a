//! One lane's way to the provider.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::Resolve;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Url};
use tokio::time::Instant;

use super::answer::{Answer, BatchAnswers, batch_answers, single_answer};
use super::details::{Told, told};
use super::offer::{Gate, GatedBody, Offer, Progress};
use crate::config::LaneProvider;
use crate::domain::{AttemptId, Span, Umid};

/// What stands before and after the messages of a batch request, which are separated by commas. The answer names each
/// message, which a batch does only when asked to.
pub const BATCH_OPEN: &[u8] = br#"{"includeMessagesInResponse":true,"messages":["#;
pub const BATCH_CLOSE: &[u8] = b"]}";

/// What came back, before anybody has thought about it.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    pub status: u16,
    pub retry_after: Option<Span>,
    pub body: Bytes,
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// No connection took the request: the provider cannot have seen it.
    NotOffered { why: String },
    /// Its gate was closed when a connection was there: nothing was sent.
    Withdrawn,
    /// A connection took it. Whether the provider has read it, nobody here can tell.
    Sent { why: String },
}

/// Where a lane's requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Messages,
    Batch,
}

/// The seam to the world: HTTP in a server, the simulator's model in a simulation.
#[async_trait::async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Posts once: never follows, never repeats. The gate is asked when a live connection takes the body.
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken>;

    /// Asks once what became of a message.
    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken>;
}

/// Answers are read up to here. A batch of ten thousand is some 3 MB; more is not an answer.
const ANSWER_MAX: usize = 32 << 20;
/// How long a connection may take: DNS, TCP and TLS together. Nothing is sent before it is there.
const CONNECT: Duration = Duration::from_secs(10);
/// After so long a request is given up for which there is no connection, should none of the above have ended.
const OFFER: Duration = Duration::from_secs(12);

/// How long a question waits for its answer at most, whatever `timeout` says. A read that fails is how an outage is
/// noticed, and deadlines must not fire before that; to ask again costs nothing.
const READ: Duration = Duration::from_secs(10);

/// How long an unused connection is kept. A gateway that closes one in the moment in which we write to it leaves an
/// attempt unknown, so ours go before the shortest keep-alive that gateways commonly have.
const IDLE: Duration = Duration::from_secs(4);

/// The provider over HTTP, with one lane's key.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    /// Parsed once: it costs as much as rendering a message.
    messages: Url,
    batch: Url,
    /// For an answer, counted from when the request was sent.
    timeout: Duration,
}

/// Chooses the TLS library, once for the process; every later call finds it chosen.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the API key of lane {lane} holds characters that cannot go into a header; check api_key or api_key_file")]
    Key { lane: String },
    #[error("{url:?} is no address to post messages of lane {lane} to; check base_url and sub_account")]
    Address { lane: String, url: String },
    #[error("the HTTP client for lane {lane} cannot be made")]
    Client {
        lane: String,
        #[source]
        source: reqwest::Error,
    },
}

impl Http {
    /// The system resolves the provider's name.
    pub fn new(lane: &str, provider: &LaneProvider) -> Result<Self, Unusable> {
        Self::over(lane, provider, reqwest::Client::builder())
    }

    /// Another resolver than the system's resolves the provider's name. It is part of opening a connection: until it has
    /// answered nothing is sent.
    pub fn resolving_by(lane: &str, provider: &LaneProvider, resolver: Arc<dyn Resolve>) -> Result<Self, Unusable> {
        Self::over(lane, provider, reqwest::Client::builder().dns_resolver(resolver))
    }

    fn over(lane: &str, provider: &LaneProvider, client: reqwest::ClientBuilder) -> Result<Self, Unusable> {
        install_tls();
        let address = |path: &str| {
            let url = format!("{}/api/v1/subaccounts/{}/{path}", provider.base_url, provider.sub_account);
            Url::parse(&url).map_err(|_| Unusable::Address { lane: lane.to_owned(), url })
        };
        let (messages, batch) = (address("messages")?, address("messages/batch")?);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &provider.api_key {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
                .map_err(|_| Unusable::Key { lane: lane.to_owned() })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let client = client
            .default_headers(headers)
            // Many connections of HTTP/1.1 carry more single posts than the one connection of HTTP/2.
            .http1_only()
            .pool_max_idle_per_host(usize::try_from(provider.connections.get()).unwrap_or(usize::MAX))
            .pool_idle_timeout(IDLE)
            // The answer's own time runs from the gate, so that no connection that is slow to come about becomes unknown.
            .connect_timeout(CONNECT)
            // A redirect is somebody's mistake; following one could hand a message over twice.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|source| Unusable::Client { lane: lane.to_owned(), source })?;
        Ok(Self { client, messages, batch, timeout: provider.timeout.std() })
    }
}

#[async_trait::async_trait]
impl Transport for Http {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        let url = match to {
            Endpoint::Messages => &self.messages,
            Endpoint::Batch => &self.batch,
        };
        let offer = Offer::new(gate);
        let mut request = Request::new(Method::POST, url.clone());
        *request.body_mut() = Some(reqwest::Body::wrap(GatedBody::new(body.into(), Arc::clone(&offer))));
        tokio::select! {
            answer = self.exchange(request) => answer.map_err(|failed| failed.of(&offer)),
            () = self.given_up(&offer) => Err(Failed::timed_out().of(&offer)),
        }
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        let mut url = self.messages.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            // Whatever a umid holds, it is one part of the path.
            path.push(umid.as_str());
        }
        let asked = self.exchange(Request::new(Method::GET, url));
        let answered =
            tokio::time::timeout(self.timeout.min(READ), asked).await.unwrap_or_else(|_| Err(Failed::timed_out()));
        answered.map_err(|Failed { why }| Broken::Sent { why })
    }
}

/// Why an exchange ended without an answer. How far it had come, its offer knows.
struct Failed {
    why: String,
}

impl Failed {
    fn timed_out() -> Self {
        Self { why: "timed out".to_owned() }
    }

    fn of(self, offer: &Offer) -> Broken {
        match offer.revoke() {
            Progress::NotOffered => Broken::NotOffered { why: self.why },
            Progress::Withdrawn => Broken::Withdrawn,
            Progress::Sent(_) => Broken::Sent { why: self.why },
        }
    }
}

impl From<reqwest::Error> for Failed {
    /// The outermost text repeats the address, which the log line has already; the innermost says what happened.
    fn from(error: reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self { why: cause.to_string() }
    }
}

impl Http {
    /// Ends once nobody has to wait for an answer any more: a while after the request was sent, or where no connection
    /// was there for it.
    async fn given_up(&self, offer: &Offer) {
        #[expect(clippy::disallowed_methods, reason = "sleeps on tokio's own clock")]
        let begun = Instant::now();
        let mut until = begun + self.timeout.min(OFFER);
        loop {
            tokio::time::sleep_until(until).await;
            let end = offer.sent_at().map_or(begun + OFFER, |sent_at| sent_at + self.timeout);
            if end <= until {
                return;
            }
            until = end;
        }
    }

    async fn exchange(&self, request: Request) -> Result<RawAnswer, Failed> {
        let mut response = self.client.execute(request).await?;
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = response.status().as_u16();
        let mut whole = BytesMut::new();
        loop {
            match response.chunk().await {
                // Nearly every answer is one chunk, which then needs no copy.
                Ok(Some(chunk)) if whole.is_empty() && response.content_length() == u64::try_from(chunk.len()).ok() => {
                    return Ok(RawAnswer { status, retry_after: retry_after.map(Span::from_secs), body: chunk });
                }
                Ok(Some(chunk)) if whole.len() + chunk.len() <= ANSWER_MAX => whole.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(Failed { why: "the answer is too long".to_owned() }),
                Ok(None) => break,
                // The status is known, but a success without its body is no answer yet.
                Err(error) if (200..300).contains(&status) => return Err(error.into()),
                Err(_) => break,
            }
        }
        Ok(RawAnswer { status, retry_after: retry_after.map(Span::from_secs), body: whole.freeze() })
    }
}

/// Sends for one lane.
#[derive(Debug)]
pub struct Client(pub(super) Box<dyn Transport>);

impl Client {
    pub fn new(transport: Box<dyn Transport>) -> Self {
        Self(transport)
    }

    /// Sends one message, if its gate is open once a connection is there.
    pub async fn send(&self, body: Vec<u8>, gate: Arc<dyn Gate>) -> Answer {
        single_answer(&self.0.post(Endpoint::Messages, body, gate).await)
    }

    /// Asks what became of a message.
    pub async fn details(&self, umid: &Umid) -> Told {
        told(self.0.details(umid).await)
    }

    /// Sends many, if their gate is open once a connection is there; one answer for each attempt, in their order.
    pub async fn send_batch(&self, body: Vec<u8>, attempts: &[AttemptId], gate: Arc<dyn Gate>) -> BatchAnswers {
        batch_answers(&self.0.post(Endpoint::Batch, body, gate).await, attempts)
    }
}

#[cfg(test)]
mod tests;
