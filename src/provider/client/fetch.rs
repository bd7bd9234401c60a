//! Looks at a web address as the provider will fetch it: whether it answers, with what type and size, and how fast.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, FutureExt};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use tokio::time::Instant;
use url::{Host, Position, Url};

use super::connect::{Connector, Resolve, Resolver, proxies};
use super::connection::{Connection, Failure};
use super::http_client::install_tls;
use super::offer::GatedBody;
use super::unconnected::{AddressOf, Unconnected};
use crate::base::config::{Network, is_private, is_private_host};
use crate::base::domain::{Reachable, Span};

/// What a web address answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    pub status: u16,
    pub content_type: Option<String>,
    /// As the answer states it.
    pub bytes: Option<u64>,
    /// From the first request to the head of the last answer.
    pub took: Span,
    /// The address of that answer, after redirects.
    pub address: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    #[error("{0} is not a web address")]
    Invalid(String),
    /// Its host is in a private network, which the provider cannot reach. Nothing was sent.
    #[error("{host} has a private address")]
    Private { host: String },
    #[error(transparent)]
    Unconnected(#[from] Unconnected),
    #[error("{0}")]
    Failed(String),
    #[error("it redirects more than {REDIRECTS_MAX} times")]
    Redirects,
}

/// Redirects that are followed, as a fetching client does.
const REDIRECTS_MAX: usize = 5;
/// How long a look may take, redirects included.
const LIMIT: Span = Span::from_secs(20);

/// Requests an address once, follows its redirects, and reads the head of the answer alone.
pub async fn look_at(address: &str, network: &Network, reachable: Reachable) -> Result<Looked, Unseen> {
    install_tls();
    let looking = tokio::time::timeout(LIMIT.std(), follow(address, network, (reachable, &Resolver::System)));
    looking.await.unwrap_or_else(|_| Err(Unseen::Failed(format!("no answer within {LIMIT}"))))
}

async fn follow(
    address: &str,
    network: &Network,
    (reachable, names): (Reachable, &Resolver),
) -> Result<Looked, Unseen> {
    let begun = now();
    let mut url = parsed(address)?;
    for _ in 0..=REDIRECTS_MAX {
        let head = head_of(&url, network, (reachable, names)).await?;
        match head.redirect(&url) {
            Some(next) => url = parsed(&next)?,
            None => {
                let took = now().duration_since(begun).into();
                let Head { status, headers } = head;
                let content_type = text(&headers, CONTENT_TYPE).map(str::to_owned);
                let bytes = text(&headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
                return Ok(Looked { status: status.as_u16(), content_type, bytes, took, address: url.into() });
            }
        }
    }
    Err(Unseen::Redirects)
}

fn parsed(address: &str) -> Result<Url, Unseen> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| Unseen::Invalid(address.to_owned()))
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    fn redirect(&self, from: &Url) -> Option<String> {
        let to = text(&self.headers, LOCATION).filter(|_| self.status.is_redirection())?;
        from.join(to).ok().map(String::from)
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Requests an address, and drops the connection after the head of the answer.
async fn head_of(url: &Url, network: &Network, (reachable, names): (Reachable, &Resolver)) -> Result<Head, Unseen> {
    let private = || Unseen::Private { host: url.host_str().unwrap_or_default().to_owned() };
    let failed = |error: String| Unseen::Failed(error);
    let to: Uri = url.as_str().parse().map_err(|_| Unseen::Invalid(url.to_string()))?;
    let proxies = proxies(network).map_err(|error| failed(error.to_string()))?;
    let is_direct = proxies.intercept(&to).is_none();
    let public_only = Arc::new(PublicOnly { names: names.clone(), refused: Arc::default() });
    if reachable == Reachable::Public && public_only.refuses(url, is_direct).await {
        return Err(private());
    }
    let resolver = match reachable {
        // The name is resolved once, so that it cannot have another address afterwards.
        Reachable::Public if is_direct => Resolver::Other(Arc::clone(&public_only) as Arc<dyn Resolve>),
        // A proxy may well be in a private network.
        Reachable::Public | Reachable::Any => names.clone(),
    };
    let (connector, forward) =
        Connector::to(&to, resolver, network, &proxies).map_err(|error| failed(error.to_string()))?;
    let stream = match connector.of(AddressOf::File).open().await {
        Ok(stream) => stream,
        Err(_) if public_only.has_refused() => return Err(private()),
        Err(error) => return Err(error.into()),
    };
    let mut request = Request::new(GatedBody::empty());
    *request.uri_mut() = if forward.is_some() { to } else { target(url)? };
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let host = HeaderValue::from_str(host).map_err(|_| Unseen::Invalid(url.to_string()))?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("volley"));
    if let Some(authorization) = forward.and_then(|forward| forward.authorization) {
        request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
    }
    let mut connection = Connection::over(stream).await.map_err(|error| failed(error.to_string()))?;
    let answer = connection.send(request).await.map_err(|failure| match failure {
        Failure::Unused(_) => failed("the connection was closed at once".to_owned()),
        Failure::Failed(error) => failed(error.to_string()),
    })?;
    let (head, _) = answer.into_parts();
    Ok(Head { status: head.status, headers: head.headers })
}

/// The path and the query of a URL.
fn target(url: &Url) -> Result<Uri, Unseen> {
    url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| Unseen::Invalid(url.to_string()))
}

/// Resolves names, and refuses those with an address in a private network.
#[derive(Debug)]
struct PublicOnly {
    names: Resolver,
    refused: Arc<AtomicBool>,
}

impl PublicOnly {
    fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// Whether the host of a URL is private. A name that a proxy will resolve is resolved here as well; one that this
    /// machine does not know is left to the proxy, because many networks resolve public names only there.
    async fn refuses(&self, url: &Url, is_direct: bool) -> bool {
        match url.host() {
            Some(Host::Domain(name)) if !is_direct && !is_private_host(&Host::Domain(name)) => {
                // Whether it has an address at all is for the proxy to find out.
                let _ = self.resolve(name.to_owned()).await;
                self.has_refused()
            }
            Some(host) => is_private_host(&host),
            None => false,
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let (names, refused) = (self.names.clone(), Arc::clone(&self.refused));
        let found = async move {
            let found = names.resolve(&name).await?;
            if found.iter().any(|address| is_private(address.ip())) {
                refused.store(true, Ordering::Release);
                return Err(io::Error::other("its address is private"));
            }
            Ok(found)
        };
        found.boxed()
    }
}

#[expect(clippy::disallowed_methods, reason = "connections run on tokio's own clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
