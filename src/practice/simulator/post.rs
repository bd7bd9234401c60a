//! Posts a webhook with its proofs.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};

use crate::base::domain::Span;
use crate::rules::wire::{SIGNATURE_HEADER, WebhookSetting, sign};

/// The provider's time limit for a receiver.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The pauses before each repeat of a post that was not acknowledged.
pub const REPEATS: [Span; 4] = [Span::from_secs(1), Span::from_secs(10), Span::from_secs(30), Span::from_secs(90)];

/// Where webhooks are posted, and with which proofs.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    pub url: String,
    /// The whole `Authorization` header.
    pub authorization: Option<SecretString>,
    /// Signs the raw body into `X-8x8-Signature`.
    pub secret: Option<SecretString>,
    /// Events per post: with 1, each event is posted alone, as an object; with more, as arrays of up to this many.
    pub group: usize,
    /// Maximum number of concurrent posts.
    pub connections: usize,
    /// The pauses before each repeat; after the last one the post is dropped.
    pub retries: Vec<Span>,
}

impl WebhookTarget {
    /// Creates a target that works as the provider does: single events, repeated after 1, 10, 30 and 90 s, and then
    /// dropped.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authorization: None,
            secret: None,
            group: 1,
            connections: 256,
            retries: REPEATS.to_vec(),
        }
    }
}

/// The HTTP client that posts webhooks.
#[derive(Debug)]
pub(super) struct Post {
    client: reqwest::Client,
    target: WebhookTarget,
    /// Whether the target has an address. Without one, its other settings apply to registered addresses.
    has_target: bool,
}

impl Post {
    pub(super) fn new(target: Option<WebhookTarget>) -> Result<Self, reqwest::Error> {
        let has_target = target.is_some();
        let target = target.unwrap_or_else(|| WebhookTarget::new(String::new()));
        // Another caller may have installed it first, which has the same effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(target.connections.max(1))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, target, has_target })
    }

    pub(super) const fn target(&self) -> &WebhookTarget {
        &self.target
    }

    /// Whether an event with this address can be posted.
    pub(super) const fn reaches(&self, address: Option<&WebhookSetting>) -> bool {
        self.has_target || address.is_some()
    }

    /// Posts a body to an address, or to the target if it has none. Returns whether the receiver answered a 2xx within its
    /// time limit.
    pub(super) async fn deliver(&self, address: Option<&WebhookSetting>, body: Bytes) -> bool {
        let url = address.map_or(&self.target.url, |address| &address.url);
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        let registered = address.and_then(|address| address.http_authorization.as_deref());
        let own = || self.target.authorization.as_ref().map(ExposeSecret::expose_secret);
        if let Some(authorization) = registered.or_else(own) {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(secret) = &self.target.secret {
            request = request.header(SIGNATURE_HEADER, sign(secret.expose_secret().as_bytes(), &body));
        }
        match request.body(body).send().await {
            Ok(response) => response.status().is_success(),
            Err(error) => {
                tracing::debug!(%error, "a webhook was not delivered");
                false
            }
        }
    }
}
