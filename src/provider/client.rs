//! One lane's way to the provider.

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, Url};

use super::answer::{Answer, BatchAnswers, batch_answers, single_answer};
use super::details::{Told, told};
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
#[derive(Debug, Clone)]
pub struct Broken {
    /// Whether any byte of the request may have been read by the provider.
    pub may_have_left: bool,
    pub why: String,
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
    /// Posts once. Never follows, never repeats.
    async fn post(&self, to: Endpoint, body: Vec<u8>) -> Result<RawAnswer, Broken>;

    /// Asks once what became of a message.
    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken>;
}

/// Answers are read up to here. A batch of ten thousand is some 3 MB; more is not an answer.
const ANSWER_MAX: usize = 32 << 20;
/// How long a connection may take to come about. Nothing has left by then.
const CONNECT: std::time::Duration = std::time::Duration::from_secs(10);

/// How long an unused connection is kept. A gateway that closes one in the moment in which we write to it leaves an
/// attempt unknown, so ours go before the shortest keep-alive that gateways commonly have.
const IDLE: std::time::Duration = std::time::Duration::from_secs(4);

/// The provider over HTTP, with one lane's key.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    /// Parsed once: it costs as much as rendering a message.
    messages: Url,
    batch: Url,
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
    pub fn new(lane: &str, provider: &LaneProvider) -> Result<Self, Unusable> {
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
        let client = reqwest::Client::builder()
            .default_headers(headers)
            // Many connections of HTTP/1.1 carry more single posts than the one connection of HTTP/2.
            .http1_only()
            .pool_max_idle_per_host(usize::try_from(provider.connections.get()).unwrap_or(usize::MAX))
            .pool_idle_timeout(IDLE)
            .connect_timeout(CONNECT.min(provider.timeout.std()))
            .timeout(provider.timeout.std())
            // A redirect is somebody's mistake; following one could hand a message over twice.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|source| Unusable::Client { lane: lane.to_owned(), source })?;
        Ok(Self { client, messages, batch })
    }
}

#[async_trait::async_trait]
impl Transport for Http {
    async fn post(&self, to: Endpoint, body: Vec<u8>) -> Result<RawAnswer, Broken> {
        let url = match to {
            Endpoint::Messages => &self.messages,
            Endpoint::Batch => &self.batch,
        };
        let mut request = Request::new(Method::POST, url.clone());
        *request.body_mut() = Some(body.into());
        self.execute(request).await
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        let mut url = self.messages.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            // Whatever a umid holds, it is one part of the path.
            path.push(umid.as_str());
        }
        self.execute(Request::new(Method::GET, url)).await
    }
}

impl Http {
    async fn execute(&self, request: Request) -> Result<RawAnswer, Broken> {
        let mut response = self.client.execute(request).await.map_err(|error| broken(&error))?;
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
                Ok(Some(_)) => return Err(Broken { may_have_left: true, why: "the answer is too long".to_owned() }),
                Ok(None) => break,
                // The status is known, but a success without its body is no answer yet.
                Err(error) if (200..300).contains(&status) => return Err(broken(&error)),
                Err(_) => break,
            }
        }
        Ok(RawAnswer { status, retry_after: retry_after.map(Span::from_secs), body: whole.freeze() })
    }
}

/// Refused, unresolved, no TLS: nothing has left. Everything later may have.
fn broken(error: &reqwest::Error) -> Broken {
    let mut why = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        // The outermost text repeats the address, which the log line has already; the innermost says what happened.
        why = error.to_string();
        cause = error.source();
    }
    if error.is_timeout() && !error.is_connect() {
        "timed out".clone_into(&mut why);
    }
    Broken { may_have_left: !(error.is_connect() || error.is_builder()), why }
}

/// Hands over for one lane.
#[derive(Debug)]
pub struct Client(pub(super) Box<dyn Transport>);

impl Client {
    pub fn new(transport: Box<dyn Transport>) -> Self {
        Self(transport)
    }

    /// Hands one message over.
    pub async fn send(&self, body: Vec<u8>) -> Answer {
        single_answer(&self.0.post(Endpoint::Messages, body).await)
    }

    /// Asks what became of a message.
    pub async fn details(&self, umid: &Umid) -> Told {
        told(self.0.details(umid).await)
    }

    /// Hands many over; one answer for each attempt, in their order.
    pub async fn send_batch(&self, body: Vec<u8>, attempts: &[AttemptId]) -> BatchAnswers {
        batch_answers(&self.0.post(Endpoint::Batch, body).await, attempts)
    }
}
