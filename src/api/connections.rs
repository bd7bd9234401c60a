//! Limits connections: a maximum at a time, and none that keeps its slot without using it.
//!
//! Not by `hyper`, whose only such limit (`header_read_timeout`) ends with the header and is fixed once a connection begins,
//! so it bounds neither a slow body nor the idle time in a crowd; and `axum::serve` does not set it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::domain::{Span, Timestamp};

/// Connections at a time. With the usual limit of 1,024 file descriptors, enough are left for the database and the
/// provider.
const CONNECTIONS_MAX: usize = 512;
/// From this number of connections on, an idle one is closed early.
const CROWDED: usize = CONNECTIONS_MAX / 2;
/// How long a request may take to arrive: the provider's own have five seconds.
const REQUEST_MAX: Span = Span::from_secs(30);
/// How long a connection may wait for its next request.
const IDLE_MAX: Span = Span::from_secs(60);
/// The same for a connection that has sent nothing, while the server is crowded.
const CROWDED_IDLE_MAX: Span = Span::from_secs(1);

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, LimitedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, LimitedListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Accepts connections while slots are free.
pub(super) struct LimitedListener {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl LimitedListener {
    pub(super) fn new(listener: TcpListener, clock: Arc<dyn Clock>) -> Self {
        Self { listener, slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)), clock }
    }
}

impl Listener for LimitedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed. Without a slot no connection is accepted.
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return std::future::pending().await };
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Connection::new(stream, slot, Arc::clone(&self.slots), Arc::clone(&self.clock)), from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

type Alarm = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection, and until when it may keep its slot.
pub(super) struct Connection {
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
    slots: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    /// Whether part of a request has arrived and no answer was sent since.
    in_request: bool,
    until: Timestamp,
    /// Wakes the task at an earlier value of `until`, which then checks the present value.
    alarm: Alarm,
}

impl Connection {
    fn new(stream: TcpStream, slot: OwnedSemaphorePermit, slots: Arc<Semaphore>, clock: Arc<dyn Clock>) -> Self {
        let until = clock.now() + idle_limit(&slots, REQUEST_MAX);
        let alarm = alarm(Arc::clone(&clock), until);
        Self { stream, _slot: slot, slots, clock, in_request: false, until, alarm }
    }

    /// Whether its time is up. If not, the task is woken when it is.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(cx).is_ready() {
            if self.clock.now() >= self.until {
                return true;
            }
            self.alarm = alarm(Arc::clone(&self.clock), self.until);
        }
        false
    }
}

fn alarm(clock: Arc<dyn Clock>, at: Timestamp) -> Alarm {
    Box::pin(async move { clock.sleep_until(at).await })
}

fn idle_limit(slots: &Semaphore, most: Span) -> Span {
    if slots.available_permits() < CONNECTIONS_MAX - CROWDED { CROWDED_IDLE_MAX } else { most }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                if buf.filled().len() > before && !self.in_request {
                    self.in_request = true;
                    self.until = self.clock.now() + REQUEST_MAX;
                } else if self.in_request && self.clock.now() >= self.until {
                    // The request arrives too slowly.
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(read)
            }
            Poll::Pending if self.poll_expired(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Connection {
    fn record_answer(&mut self, written: usize) -> usize {
        self.in_request = false;
        self.until = self.clock.now() + idle_limit(&self.slots, IDLE_MAX);
        written
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        Poll::Ready(written.map(|written| self.record_answer(written)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        Poll::Ready(written.map(|written| self.record_answer(written)))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::clock::ManualClock;

    async fn connect(limited: &mut LimitedListener) -> (Connection, TcpStream) {
        let address = limited.local_addr().unwrap();
        let ((connection, _), client) = tokio::join!(limited.accept(), TcpStream::connect(address));
        (connection, client.unwrap())
    }

    async fn limited() -> (LimitedListener, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (LimitedListener::new(listener, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    async fn read(connection: &mut Connection) -> io::Result<usize> {
        connection.read(&mut [0; 64]).await
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let (mut limited, clock) = limited().await;
        let (mut silent, _client) = connect(&mut limited).await;
        let (over, ()) = tokio::join!(read(&mut silent), async { clock.advance(REQUEST_MAX) });
        assert_eq!(over.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_slow_request_is_closed_and_an_answer_restarts_the_time() {
        let (mut limited, clock) = limited().await;
        let (mut connection, mut client) = connect(&mut limited).await;
        for _ in 0..3 {
            client.write_all(b"POST").await.unwrap();
            assert_eq!(read(&mut connection).await.unwrap(), 4);
            clock.advance(Span::from_secs(20));
            connection.write_all(b"200").await.unwrap();
            clock.advance(Span::from_secs(20));
        }
        for _ in 0..2 {
            client.write_all(b"P").await.unwrap();
            assert_eq!(read(&mut connection).await.unwrap(), 1);
            clock.advance(Span::from_secs(14));
        }
        clock.advance(Span::from_secs(2));
        client.write_all(b"P").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed_early_when_crowded() {
        let (mut limited, clock) = limited().await;
        let mut crowd = Vec::new();
        for _ in 0..=CROWDED {
            crowd.push(connect(&mut limited).await);
        }
        let (last, _client) = crowd.last_mut().unwrap();
        let (over, ()) = tokio::join!(read(last), async { clock.advance(CROWDED_IDLE_MAX) });
        assert_eq!(over.unwrap_err().kind(), io::ErrorKind::TimedOut);
        crowd.pop();
        assert_eq!(limited.slots.available_permits(), CONNECTIONS_MAX - CROWDED, "its slot is free");
    }
}
