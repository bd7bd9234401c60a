//! A network that a test can break. It passes bytes on, holds them in either direction, answers no connect,
//! finishes no handshake or forgets its connections, and records what it sees at its near side.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use volley::base::domain::Timestamp;
use volley::provider::client::install_tls;

use super::http1::Incoming;
use super::wait::clock;

/// The authority of the key with which [`Proxy::with_tls`] answers. The key is for tests, and public.
pub(crate) const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("tls/provider.pem");
const KEY: &[u8] = include_bytes!("tls/provider.key");

/// Reads of one connection that may wait while nothing passes. A test holds a few.
const HELD_MOST: usize = 1_024;

#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    holds_handshakes: bool,
    holds_requests: bool,
    holds_answers: bool,
    /// Bytes of all connections are read and dropped.
    swallows: bool,
    /// Connections before this one lead nowhere any more.
    forgotten: usize,
}

impl Faults {
    const fn leads_nowhere(&self, connection: usize) -> bool {
        self.swallows || connection < self.forgotten
    }
}

/// The bytes that do not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partition {
    Requests,
    Answers,
    Both,
}

/// A request whose body has begun to arrive at the near side.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) at: Timestamp,
    pub(crate) connection: usize,
    /// Our ids in it, once it was whole.
    pub(crate) ids: Vec<String>,
    /// Whether it arrived over a forgotten connection.
    pub(crate) is_lost: bool,
}

#[derive(Debug, Default)]
struct Seen {
    accepted: usize,
    bodies: Vec<Body>,
}

struct Shared {
    upstream: SocketAddr,
    tls: Option<TlsAcceptor>,
    weather: watch::Sender<Faults>,
    seen: Mutex<Seen>,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
    /// If it answers no connect: the listener, and the connection that fills its queue.
    unanswering: Option<(TcpListener, TcpStream)>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

impl Proxy {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        Self::accepting(upstream, None).await
    }

    /// One with TLS on its near side and plain HTTP on its far side.
    pub(crate) async fn with_tls(upstream: SocketAddr) -> Self {
        install_tls();
        let certificates = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
        Self::accepting(upstream, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    /// One whose system drops every SYN until it comes up, as a firewall does: the queue of its listener is full.
    #[cfg(target_os = "linux")]
    pub(crate) async fn without_answer(upstream: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let filler = TcpStream::connect(address).await.unwrap();
        let shared = Shared::of(upstream, None);
        Self { address, shared, accepting: None, unanswering: Some((listener, filler)) }
    }

    async fn accepting(upstream: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::of(upstream, tls);
        let accepting = Some(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Self { address, shared, accepting, unanswering: None }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers connects from now on. Operating systems repeat the unanswered ones.
    pub(crate) async fn answer_connects(&mut self) {
        let (listener, filler) = self.unanswering.take().unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        drop((accepted, filler));
        self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
    }

    pub(crate) fn hold_handshakes(&self) {
        self.shared.weather.send_modify(|weather| weather.holds_handshakes = true);
    }

    pub(crate) fn part(&self, which: Partition) {
        self.shared.weather.send_modify(|weather| {
            weather.holds_requests |= which != Partition::Answers;
            weather.holds_answers |= which != Partition::Requests;
        });
    }

    /// Held bytes get through, in order, even if their sender has hung up since. Swallowed bytes are lost, and so is every
    /// connection on which that happened.
    pub(crate) fn heal(&self) {
        let accepted = self.accepted();
        self.shared.weather.send_modify(|weather| {
            let forgotten = if weather.swallows { accepted } else { weather.forgotten };
            *weather = Faults { forgotten, ..Faults::default() };
        });
    }

    /// Neither present nor new connections learn that nothing gets through.
    pub(crate) fn swallow(&self) {
        self.shared.weather.send_modify(|weather| weather.swallows = true);
    }

    /// Present connections do not learn that nothing gets through; new ones work.
    pub(crate) fn forget(&self) {
        let accepted = self.accepted();
        self.shared.weather.send_modify(|weather| weather.forgotten = accepted);
    }

    /// Connections that were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.seen.lock().accepted
    }

    pub(crate) fn bodies(&self) -> Vec<Body> {
        self.shared.seen.lock().bodies.clone()
    }
}

impl Shared {
    fn of(upstream: SocketAddr, tls: Option<TlsAcceptor>) -> Arc<Self> {
        Arc::new(Self { upstream, tls, weather: watch::Sender::default(), seen: Mutex::default() })
    }

    async fn until(&self, is: impl FnMut(&Faults) -> bool) {
        let _ = self.weather.subscribe().wait_for(is).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (near, _) = listener.accept().await.unwrap();
        near.set_nodelay(true).unwrap();
        let number = {
            let mut seen = shared.seen.lock();
            seen.accepted += 1;
            seen.accepted - 1
        };
        tokio::spawn(connection(near, number, Arc::clone(&shared)));
    }
}

async fn connection(near: TcpStream, number: usize, shared: Arc<Shared>) {
    shared.until(|weather| !weather.holds_handshakes).await;
    let Ok(far) = TcpStream::connect(shared.upstream).await else { return };
    far.set_nodelay(true).unwrap();
    match &shared.tls {
        // A client that has hung up meanwhile does not finish.
        Some(tls) => {
            if let Ok(near) = tls.accept(near).await {
                pass(near, far, number, &shared).await;
            }
        }
        None => pass(near, far, number, &shared).await,
    }
}

/// Passes bytes between the two until both have ended, or one has been forgotten and the other ends.
async fn pass(near: impl AsyncRead + AsyncWrite, far: TcpStream, number: usize, shared: &Shared) {
    let (mut near_read, mut near_write) = split(near);
    let (mut far_read, mut far_write) = far.into_split();
    let (chunks, mut held) = mpsc::channel::<Vec<u8>>(HELD_MOST);
    let passing = async {
        let up = async {
            while let Some(chunk) = held.recv().await {
                shared.until(|weather| !weather.holds_requests).await;
                if far_write.write_all(&chunk).await.is_err() {
                    break;
                }
            }
            let _ = far_write.shutdown().await;
        };
        let down = async {
            let mut some = vec![0; 16_384];
            while let Ok(length @ 1..) = far_read.read(&mut some).await {
                shared.until(|weather| !weather.holds_answers).await;
                if near_write.write_all(&some[..length]).await.is_err() {
                    break;
                }
            }
            shared.until(|weather| !weather.holds_answers).await;
            let _ = near_write.shutdown().await;
        };
        tokio::join!(up, down);
    };
    let passing = async {
        tokio::select! {
            () = passing => {}
            () = shared.until(|weather| weather.leads_nowhere(number)) => {}
        }
    };
    tokio::join!(watch_near(&mut near_read, chunks, number, shared), passing);
}

/// Reads bytes, records the requests in them, and passes them on while the other side takes them.
async fn watch_near(
    near: &mut (impl AsyncRead + Unpin),
    chunks: mpsc::Sender<Vec<u8>>,
    number: usize,
    shared: &Shared,
) {
    let (mut incoming, mut noted) = (Incoming::default(), None);
    let mut some = vec![0; 16_384];
    while let Ok(length @ 1..) = near.read(&mut some).await {
        incoming.push(&some[..length]);
        if noted.is_none() && incoming.of_body() > 0 {
            let is_lost = shared.weather.borrow().leads_nowhere(number);
            let body = Body { at: clock().now(), connection: number, ids: Vec::new(), is_lost };
            let mut seen = shared.seen.lock();
            noted = Some(seen.bodies.len());
            seen.bodies.push(body);
        }
        if let Some(request) = incoming.take()
            && let Some(body) = noted.take()
        {
            shared.seen.lock().bodies[body].ids = request.ids();
        }
        // A forgotten connection takes nothing more.
        let _ = chunks.send(some[..length].to_vec()).await;
    }
}
