//! The HTTP client of webhooks: it reaches public addresses, and the networks that the configuration allows.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderName, HeaderValue};
use tokio::sync::Semaphore;
use url::Url;

use crate::base::config::{Network, Unsendable, check_receiver, is_private};
use crate::base::domain::IpNetwork;

/// How long a request may take, from the name to the last byte of the answer.
const LIMIT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are kept.
const ANSWER_MAX: usize = 1_024;
/// Names that one client looks up at once.
const LOOK_UPS: usize = 32;
/// Connections that stay open to one receiver.
const IDLE: usize = 4;
/// How long they stay open. Clients may name any number of receivers, each of which would keep one.
const IDLE_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
#[error("the client for webhooks cannot be started: {0}; check the system's certificates and ca_file")]
pub struct UnusableClient(#[source] reqwest::Error);

/// Finds the addresses of a name.
pub(super) trait Names: Send + Sync + fmt::Debug {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The names that the system knows.
#[derive(Debug)]
struct SystemNames {
    look_ups: Arc<Semaphore>,
}

impl Names for SystemNames {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let look_up = move || Ok((name.as_str(), 0).to_socket_addrs()?.collect());
        Box::pin(in_thread(Arc::clone(&self.look_ups), look_up))
    }
}

/// Looks up a name in a thread, for which it waits for a permit.
///
/// The thread goes on after its request has given up, and keeps its permit until it ends: slow names must not use up the
/// threads of the server.
async fn in_thread<T: Send + 'static>(
    permits: Arc<Semaphore>,
    look_up: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
    let in_thread = move || {
        let found = look_up();
        drop(permit);
        found
    };
    tokio::task::spawn_blocking(in_thread).await.map_err(io::Error::other)?
}

/// The addresses that webhooks may go to.
#[derive(Debug, Clone)]
struct Reach {
    allowed: Arc<[IpNetwork]>,
    /// Whether public addresses are reached as well.
    public: bool,
}

impl Reach {
    fn includes(&self, ip: IpAddr) -> bool {
        (self.public && !is_private(ip)) || self.allowed.iter().any(|network| network.contains(ip))
    }
}

/// Resolves names, and drops addresses that webhooks may not go to. It is asked for each connection, which then uses exactly
/// what was checked: a name cannot have another address afterwards.
#[derive(Debug)]
struct Checked {
    names: Arc<dyn Names>,
    reach: Reach,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, reach, host) = (Arc::clone(&self.names), self.reach.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let found = names.addresses(host.clone()).await?;
            let first = found.first().map(SocketAddr::ip);
            let reached: Vec<SocketAddr> = found.into_iter().filter(|address| reach.includes(address.ip())).collect();
            match first {
                Some(refused) if reached.is_empty() => Err(Box::from(NotReached { host, refused })),
                _ => Ok(Box::new(reached.into_iter()) as Addrs),
            }
        })
    }
}

/// The name of a receiver has no address that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("{host} is at {refused}, which outgoing.allow does not name")]
struct NotReached {
    host: String,
    refused: IpAddr,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The beginning of its body.
    pub(super) body: String,
}

/// Posts webhooks.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// For addresses with TLS, and for those without, which only allowed networks have.
    secure: reqwest::Client,
    plain: reqwest::Client,
    allowed: Arc<[IpNetwork]>,
    limit: Duration,
}

impl Client {
    pub(super) fn new(allow: &[IpNetwork], network: &Network) -> Result<Self, UnusableClient> {
        let names: Arc<dyn Names> = Arc::new(SystemNames { look_ups: Arc::new(Semaphore::new(LOOK_UPS)) });
        Self::over(&names, allow, network, LIMIT)
    }

    pub(super) fn over(
        names: &Arc<dyn Names>,
        allow: &[IpNetwork],
        network: &Network,
        limit: Duration,
    ) -> Result<Self, UnusableClient> {
        // Another caller may have installed it first, which has the same effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed: Arc<[IpNetwork]> = allow.into();
        let roots = network.roots.iter().flat_map(|roots| roots.certificates());
        let roots: Result<Vec<_>, _> = roots.map(|root| reqwest::Certificate::from_der(&root)).collect();
        let roots = roots.map_err(UnusableClient)?;
        let build = |public| {
            let resolver = Checked { names: Arc::clone(names), reach: Reach { allowed: Arc::clone(&allowed), public } };
            reqwest::Client::builder()
                .dns_resolver(resolver)
                .tls_certs_merge(roots.clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(limit)
                .pool_max_idle_per_host(IDLE)
                .pool_idle_timeout(IDLE_FOR)
                .user_agent(concat!("Volley/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(UnusableClient)
        };
        Ok(Self { secure: build(true)?, plain: build(false)?, allowed, limit })
    }

    /// Checks an address as far as its text tells. A name is checked when it is resolved.
    pub(super) fn check(&self, text: &str) -> Result<Url, Unsendable> {
        check_receiver(text, &self.allowed)
    }

    /// Posts a body. The error is a sentence.
    pub(super) async fn post(
        &self,
        url: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: String,
    ) -> Result<Answer, String> {
        let url = self.check(url).map_err(|refused| refused.to_string())?;
        let client = if url.scheme() == "https" { &self.secure } else { &self.plain };
        let mut request = client.post(url).header(reqwest::header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.map_err(|error| self.describe(&error))?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: beginning(response).await })
    }

    fn describe(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no answer within {} s", self.limit.as_secs_f32());
        }
        // The innermost cause says what happened; the address is in the log already.
        let mut cause = error.source();
        while let Some(next) = cause.and_then(std::error::Error::source) {
            cause = Some(next);
        }
        cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
    }
}

/// The beginning of an answer. A receiver that does not end its answer has answered all the same.
async fn beginning(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while body.len() < ANSWER_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX - body.len())]);
    }
    String::from_utf8_lossy(&body).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_look_up_keeps_its_permit_after_its_request_gave_up() {
        let permits = Arc::new(Semaphore::new(1));
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let slow = in_thread(Arc::clone(&permits), move || ended.recv().map_err(io::Error::other));
        let pause = Duration::from_millis(50);
        assert!(tokio::time::timeout(pause, slow).await.is_err());
        let next = in_thread(Arc::clone(&permits), || Ok(7));
        let mut next = Box::pin(next);
        assert!(tokio::time::timeout(pause, &mut next).await.is_err(), "it waits for a permit");
        end.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 7);
        assert_eq!(permits.available_permits(), 1);
    }
}
