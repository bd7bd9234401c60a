//! Opens connections to a provider's address: name, TCP, TLS, and a proxy if the environment names one (`HTTPS_PROXY`,
//! `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderValue, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{HttpConnector, dns};
use hyper_util::client::proxy::matcher::Matcher;
use rustls_platform_verifier::BuilderVerifierExt;
use tower_service::Service;

use super::client::CONNECT;

/// An open connection, before any bytes are exchanged.
pub(super) type Stream = Box<dyn Io>;

/// What HTTP needs of a connection, whatever its layers.
pub(super) trait Io: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}

impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> Io for T {}

/// The error of a failed connection.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// After this time without traffic, the system checks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Finds the addresses of a name.
pub trait Resolve: Send + Sync + std::fmt::Debug {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver, or a given one.
#[derive(Debug, Clone)]
pub(super) enum Resolver {
    System(GaiResolver),
    Other(Arc<dyn Resolve>),
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<vec::IntoIter<SocketAddr>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self {
            Self::System(system) => {
                let found: dns::GaiFuture = system.call(name);
                found.map(|found| Ok(found?.collect::<Vec<_>>().into_iter())).boxed()
            }
            Self::Other(other) => other.resolve(name.as_str().to_owned()).map(|found| Ok(found?.into_iter())).boxed(),
        }
    }
}

/// Connects to one address.
#[derive(Clone)]
pub(super) enum Connector {
    /// To the address itself, or to the proxy that forwards unencrypted requests.
    Direct { to: Uri, by: HttpsConnector<HttpConnector<Resolver>> },
    /// Encrypted, through a proxy.
    Tunnel { to: Uri, by: Box<HttpsConnector<Tunnel<HttpsConnector<HttpConnector<Resolver>>>>> },
}

/// A proxy that reads requests, which carry their whole URL and the proxy's credentials.
#[derive(Debug, Clone)]
pub(super) struct Forward {
    pub(super) authorization: Option<HeaderValue>,
}

impl Connector {
    /// Creates the connector of an address, and the proxy that forwards its requests, if there is one.
    pub(super) fn to(
        address: &Uri,
        resolver: Resolver,
        proxies: &Matcher,
    ) -> Result<(Self, Option<Forward>), BoxError> {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        // Divided among the addresses of a name, so that a dead one does not keep the others from being tried.
        tcp.set_connect_timeout(Some(CONNECT));
        let tls = rustls::ClientConfig::builder().with_platform_verifier()?.with_no_client_auth();
        let stream = HttpsConnector::from((tcp, tls.clone()));
        let proxy = proxies.intercept(address);
        if let Some(proxy) = &proxy
            && !matches!(proxy.uri().scheme_str(), Some("http" | "https"))
        {
            let host = proxy.uri().host().unwrap_or_default();
            let why = "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY support http:// and https://";
            return Err(format!("the scheme of proxy {host} is not supported; {why}").into());
        }
        Ok(match proxy {
            None => (Self::Direct { to: address.clone(), by: stream }, None),
            Some(proxy) if address.scheme_str() == Some("https") => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), stream);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                (Self::Tunnel { to: address.clone(), by: Box::new(HttpsConnector::from((tunnel, tls))) }, None)
            }
            Some(proxy) => {
                let forward = Forward { authorization: proxy.basic_auth().cloned() };
                (Self::Direct { to: proxy.uri().clone(), by: stream }, Some(forward))
            }
        })
    }

    pub(super) async fn open(&self) -> Result<Stream, BoxError> {
        match self.clone() {
            Self::Direct { to, mut by } => Ok(Box::new(by.call(to).await?)),
            Self::Tunnel { to, mut by } => Ok(Box::new(by.call(to).await?)),
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Direct { to, .. } | Self::Tunnel { to, .. }) = self;
        write!(f, "Connector({to})")
    }
}
