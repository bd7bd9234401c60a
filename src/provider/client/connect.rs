//! Opens connections to a provider's address: name, TCP, TLS, and a proxy if the configuration or the environment names
//! one (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`).

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::unconnected::{AddressOf, Stage, Unconnected, Why};
use crate::base::config::{Network, TrustedRoots};
use crate::base::domain::Span;

/// An open connection, before any bytes are exchanged.
pub(super) type Stream = Box<dyn Io>;

/// What HTTP needs of a connection, whatever its layers.
pub(super) trait Io: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}

impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> Io for T {}

/// The error of a failed connection.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connection to the provider or to its proxy, encrypted if its URL says so.
type Near = MaybeHttpsStream<TokioIo<TcpStream>>;

type TunnelError = <Tunnel<Given<Near>> as Service<Uri>>::Error;

/// After this time without traffic, the system checks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync + std::fmt::Debug {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver, or a given one.
#[derive(Debug, Clone)]
pub(super) enum Resolver {
    System,
    Other(Arc<dyn Resolve>),
}

impl Resolver {
    pub(super) async fn resolve(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((name, 0)).await?.collect()),
            Self::Other(other) => other.resolve(name.to_owned()).await,
        }
    }
}

/// The addresses that a name was resolved to.
#[derive(Debug, Clone)]
struct Found(Vec<SocketAddr>);

impl Service<Name> for Found {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}

/// A connector that has its connection already: a layer above adds to it.
struct Given<S>(Option<S>);

impl<S> Service<Uri> for Given<S> {
    type Response = S;
    type Error = io::Error;
    type Future = Ready<io::Result<S>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::Error::other("its connection is in use")))
    }
}

/// Connects to one address.
#[derive(Clone)]
pub(super) struct Connector {
    address: AddressOf,
    /// What is connected to: the provider, or a proxy.
    near: Uri,
    is_proxy: bool,
    /// The provider behind a proxy that does not read the requests, because they are encrypted.
    beyond: Option<Beyond>,
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    limit: Span,
}

#[derive(Clone)]
struct Beyond {
    to: Uri,
    authorization: Option<HeaderValue>,
}

/// A proxy that reads requests, which carry their whole URL and the proxy's credentials.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    pub(super) authorization: Option<HeaderValue>,
}

/// The proxies of the configuration, else those of the environment.
///
/// Fails for a proxy that cannot be read: the matcher would take it for none, and the API key would be sent directly.
pub(super) fn proxies(network: &Network) -> Result<Matcher, BoxError> {
    proxies_beside(network, |name| std::env::var(name).ok())
}

/// The variables of the environment that name proxies, in both spellings; the first that is set counts.
const PROXIES: [[&str; 2]; 3] =
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];

fn proxies_beside(network: &Network, variable: impl Fn(&str) -> Option<String>) -> Result<Matcher, BoxError> {
    if let Some(proxy) = &network.proxy {
        let excepted = ["NO_PROXY", "no_proxy"].into_iter().find_map(&variable).unwrap_or_default();
        let matcher = Matcher::builder().all(proxy.expose()).no(excepted).build();
        return if is_readable(proxy.expose()) { Ok(matcher) } else { Err(unreadable("`proxy`")) };
    }
    for [upper, lower] in PROXIES {
        let set = [upper, lower].into_iter().find_map(|name| Some((name, variable(name)?)));
        if let Some((name, value)) = set
            && !value.is_empty()
            && !is_readable(&value)
        {
            return Err(unreadable(name));
        }
    }
    Ok(Matcher::from_env())
}

/// Whether the matcher reads a proxy as it is meant: a raw `@` or `#` of a password would end it too early.
fn is_readable(proxy: &str) -> bool {
    let anywhere = Uri::from_static("http://provider.example");
    let read = Matcher::builder().all(proxy).build().intercept(&anywhere);
    let is_near = |uri: &Uri| match (uri.authority(), uri.port()) {
        (Some(authority), None) => authority.as_str() == authority.host(),
        (Some(authority), Some(port)) => authority.as_str() == format!("{}:{port}", authority.host()),
        (None, _) => false,
    };
    !proxy.contains('#') && read.is_some_and(|proxy| is_near(proxy.uri()))
}

fn unreadable(name: &str) -> BoxError {
    // The value is not repeated: it may hold a password.
    format!(
        "{name} is not the URL of a proxy; use http://host:port, and percent-encode special characters of a password"
    )
    .into()
}

impl Connector {
    /// Creates the connector of an address of the provider, and the proxy that forwards its requests, if there is one.
    pub(super) fn to(
        address: &Uri,
        resolver: Resolver,
        network: &Network,
        proxies: &Matcher,
    ) -> Result<(Self, Option<Forward>), BoxError> {
        let tls = Arc::new(client_config(network.roots.as_ref())?);
        let proxy = proxies.intercept(address);
        if let Some(proxy) = &proxy
            && !matches!(proxy.uri().scheme_str(), Some("http" | "https"))
        {
            let host = proxy.uri().host().unwrap_or_default();
            let why = "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY support http:// and https://";
            return Err(format!("the scheme of proxy {host} is not supported; {why}").into());
        }
        let is_proxy = proxy.is_some();
        let (near, beyond, forward) = match proxy {
            None => (address.clone(), None, None),
            Some(proxy) => {
                let authorization = proxy.basic_auth().cloned();
                if address.scheme_str() == Some("https") {
                    (proxy.uri().clone(), Some(Beyond { to: address.clone(), authorization }), None)
                } else {
                    (proxy.uri().clone(), None, Some(Forward { authorization }))
                }
            }
        };
        let (address, limit) = (AddressOf::Provider, network.connect_timeout);
        Ok((Self { address, near, is_proxy, beyond, resolver, tls, limit }, forward))
    }

    /// The same connector, to an address of something else.
    pub(super) fn of(self, address: AddressOf) -> Self {
        Self { address, ..self }
    }

    /// Opens a connection within the time limit.
    pub(super) async fn open(&self) -> Result<Stream, Unconnected> {
        #[expect(clippy::disallowed_methods, reason = "connections run on tokio's own clock")]
        let until = Instant::now() + self.limit.std();
        let tcp = self.tcp(until).await?;
        let near: Near = self.secured(tcp, (&self.near, self.is_proxy), until).await?;
        let Some(Beyond { to, authorization }) = &self.beyond else { return Ok(Box::new(near)) };
        let mut tunnel = Tunnel::new(self.near.clone(), Given(Some(near)));
        if let Some(authorization) = authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let stage = Stage::Proxy { proxy: host_of(&self.near), host: host_of(to) };
        let far = self.stage(stage, until, tunnel.call(to.clone()), |error| self.refusal(error)).await?;
        Ok(Box::new(self.secured(far, (to, false), until).await?))
    }

    /// Resolves the name of the near host, and connects to it.
    async fn tcp(&self, until: Instant) -> Result<TokioIo<TcpStream>, Unconnected> {
        let name = self.near.host().unwrap_or_default();
        let is_proxy = self.is_proxy;
        let found = if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            Vec::new()
        } else {
            let stage = Stage::Name { host: name.to_owned(), is_proxy };
            self.stage(stage, until, self.resolver.resolve(name), |error| self.cause(error)).await?
        };
        let mut tcp = HttpConnector::new_with_resolver(Found(found));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        // Divided among the addresses of a name, so that a dead one does not keep the others from being tried.
        tcp.set_connect_timeout(Some(self.limit.std()));
        let stage = Stage::Tcp { host: host_of(&self.near), is_proxy };
        self.stage(stage, until, tcp.call(self.near.clone()), |error| self.cause(error)).await
    }

    /// Adds TLS to a connection, if the URL says so.
    async fn secured<S>(
        &self,
        stream: S,
        (to, is_proxy): (&Uri, bool),
        until: Instant,
    ) -> Result<MaybeHttpsStream<S>, Unconnected>
    where
        S: hyper_util::client::legacy::connect::Connection + Io + 'static,
    {
        let mut tls = HttpsConnector::from((Given(Some(stream)), Arc::clone(&self.tls)));
        let stage = Stage::Tls { host: host_of(to), is_proxy };
        self.stage(stage, until, tls.call(to.clone()), |error| self.cause(error)).await
    }

    async fn stage<T, E>(
        &self,
        stage: Stage,
        until: Instant,
        doing: impl Future<Output = Result<T, E>>,
        why: impl FnOnce(E) -> Why,
    ) -> Result<T, Unconnected> {
        match timeout_at(until, doing).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Unconnected { address: self.address, stage, why: why(error) }),
            Err(_) => Err(Unconnected { address: self.address, stage, why: Why::TimedOut(self.limit) }),
        }
    }

    fn cause(&self, error: impl Into<BoxError>) -> Why {
        Why::of(&error.into(), self.limit)
    }

    fn refusal(&self, error: TunnelError) -> Why {
        match error {
            TunnelError::ProxyAuthRequired => Why::ProxyAuthentication,
            TunnelError::TunnelUnsuccessful => Why::ProxyRefuses,
            other => self.cause(other),
        }
    }
}

/// Trusts the certificates of the system, and the given ones.
fn client_config(roots: Option<&TrustedRoots>) -> Result<ClientConfig, BoxError> {
    let crypto = CryptoProvider::get_default().cloned().ok_or("the TLS library is not chosen")?;
    let more = roots.into_iter().flat_map(TrustedRoots::certificates);
    let verifier = Verifier::new_with_extra_roots(more, crypto)?;
    let builder = ClientConfig::builder().dangerous();
    Ok(builder.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// The host of a URL with its port, if that is not the scheme's own.
fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = self.beyond.as_ref().map_or(&self.near, |beyond| &beyond.to);
        write!(f, "Connector({to})")
    }
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
