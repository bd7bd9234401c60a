//! Accepts connections once they have a place, each with its TLS handshake in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Door;
use super::connection::{Connection, Occupancy, Stream};
use super::places::Place;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {hint}")]
    Listen {
        address: SocketAddr,
        hint: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot read the uploads in {}; check that the folder may be read and written", folder.display())]
    Uploads {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the HTTP server on {address} has failed")]
    Failed {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// Binds an address. An error says what to do.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => "the port is in use; stop its process, or set server.listen to another port",
            io::ErrorKind::PermissionDenied => "this port needs more privileges; use one above 1023",
            _ => "check server.listen",
        };
        ServeError::Listen { address, hint, source }
    })
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) occupancy: Arc<Occupancy>,
}

impl Connected<IncomingStream<'_, LimitedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, LimitedListener>) -> Self {
        Self { address: *stream.remote_addr(), occupancy: Arc::clone(stream.io().occupancy()) }
    }
}

/// Accepts connections once they have a place.
pub(in crate::http::api) struct LimitedListener {
    listener: TcpListener,
    door: Arc<Door>,
    /// A connection that waits for its place.
    arrived: Option<(TcpStream, SocketAddr)>,
    /// TLS handshakes under way. A slow one delays no other connection.
    handshakes: JoinSet<Option<(Connection, SocketAddr)>>,
}

impl LimitedListener {
    pub(in crate::http::api) fn new(listener: TcpListener, door: Arc<Door>) -> Self {
        Self { listener, door, arrived: None, handshakes: JoinSet::new() }
    }

    /// Waits for a connection, and then for its place. One without a place is closed.
    ///
    /// - Cancel-safe: a connection that has arrived waits for the next call.
    async fn next(
        listener: &mut TcpListener,
        arrived: &mut Option<(TcpStream, SocketAddr)>,
        door: &Door,
    ) -> (TcpStream, SocketAddr, Place) {
        loop {
            let from = match arrived {
                Some((_, from)) => *from,
                None => {
                    let (stream, from) = Listener::accept(listener).await;
                    door.accepted.fetch_add(1, Ordering::Relaxed);
                    arrived.insert((stream, from)).1
                }
            };
            let place = door.place(from.ip()).await;
            if let (Some((stream, from)), Some(place)) = (arrived.take(), place) {
                return (stream, from, place);
            }
        }
    }
}

impl Listener for LimitedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, from, place) = tokio::select! {
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Some(ready)) => return ready,
                    Ok(None) | Err(_) => continue,
                },
                next = Self::next(&mut self.listener, &mut self.arrived, &self.door) => next,
            };
            let door = Arc::clone(&self.door);
            match self.door.certificate() {
                None => return (Connection::new(Stream::Plain(stream), place, door), from),
                Some(certificate) => {
                    let acceptor = certificate.acceptor();
                    self.handshakes
                        .spawn(async move { Some((shake_hands(stream, place, acceptor, door).await?, from)) });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn shake_hands(stream: TcpStream, place: Place, acceptor: TlsAcceptor, door: Arc<Door>) -> Option<Connection> {
    let shaken = tokio::select! {
        shaken = acceptor.accept(stream) => shaken.ok(),
        () = door.clock.sleep(door.handshake_limit()) => None,
        () = place.closing.cancelled() => None,
        () = door.stopping.cancelled() => None,
    };
    if shaken.is_none() {
        door.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }
    Some(Connection::new(Stream::Tls(Box::new(shaken?)), place, door))
}
