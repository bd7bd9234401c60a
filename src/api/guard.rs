//! Who is let in at the door: so many connections at a time, and none that keeps its place without using it. A body that
//! says that it is too large is turned away before it comes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::domain::{Span, Timestamp};

/// Connections at a time: few enough that there are file descriptors left for the database and for the provider where a
/// process may have a thousand, which is the usual.
const CONNECTIONS_MAX: usize = 512;
/// Where so many are there, whoever says nothing gives way soon.
const CROWDED: usize = CONNECTIONS_MAX / 2;
/// How long a request may take to come: the provider's own have five seconds.
const REQUEST_MAX: Span = Span::from_secs(30);
/// How long a connection may wait for its next request.
const IDLE_MAX: Span = Span::from_secs(60);
const IN_A_CROWD: Span = Span::from_secs(1);

/// Lets connections in, as long as there is room.
pub(super) struct Guarded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Guarded {
    pub(super) fn new(listener: TcpListener, clock: Arc<dyn Clock>) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)), clock }
    }
}

impl Listener for Guarded {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        // Nobody closes it; without a place nobody is let in.
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return std::future::pending().await };
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Guest::new(stream, place, Arc::clone(&self.places), Arc::clone(&self.clock)), from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

type Alarm = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection, and until when it may keep its place.
pub(super) struct Guest {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    /// Whether part of a request has come, and no answer has gone since.
    in_request: bool,
    until: Timestamp,
    /// Rings at a time at which `until` lay once; whoever hears it looks whether it does still.
    alarm: Alarm,
}

impl Guest {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, places: Arc<Semaphore>, clock: Arc<dyn Clock>) -> Self {
        let until = clock.now() + patience(&places, REQUEST_MAX);
        let alarm = alarm(Arc::clone(&clock), until);
        Self { stream, _place: place, places, clock, in_request: false, until, alarm }
    }

    /// Whether its time is up. If not, it is woken once it is.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
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

fn patience(places: &Semaphore, most: Span) -> Span {
    if places.available_permits() < CONNECTIONS_MAX - CROWDED { IN_A_CROWD } else { most }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(read) => {
                if buf.filled().len() > before && !self.in_request {
                    self.in_request = true;
                    self.until = self.clock.now() + REQUEST_MAX;
                } else if self.in_request && self.clock.now() >= self.until {
                    // It comes, a byte at a time.
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(read)
            }
            Poll::Pending if self.is_over(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Guest {
    fn answered(&mut self, written: usize) -> usize {
        self.in_request = false;
        self.until = self.clock.now() + patience(&self.places, IDLE_MAX);
        written
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        Poll::Ready(written.map(|written| self.answered(written)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
        Poll::Ready(written.map(|written| self.answered(written)))
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

    async fn met(guarded: &mut Guarded) -> (Guest, TcpStream) {
        let address = guarded.local_addr().unwrap();
        let ((guest, _), client) = tokio::join!(guarded.accept(), TcpStream::connect(address));
        (guest, client.unwrap())
    }

    async fn guarded() -> (Guarded, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        (Guarded::new(listener, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    async fn read(guest: &mut Guest) -> io::Result<usize> {
        guest.read(&mut [0; 64]).await
    }

    #[tokio::test]
    async fn whoever_says_nothing_loses_his_place() {
        let (mut guarded, clock) = guarded().await;
        let (mut silent, _client) = met(&mut guarded).await;
        let (over, ()) = tokio::join!(read(&mut silent), async { clock.advance(REQUEST_MAX) });
        assert_eq!(over.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn whoever_sends_a_byte_at_a_time_loses_his_place_and_whoever_is_answered_gets_new_time() {
        let (mut guarded, clock) = guarded().await;
        let (mut guest, mut client) = met(&mut guarded).await;
        for _ in 0..3 {
            client.write_all(b"POST").await.unwrap();
            assert_eq!(read(&mut guest).await.unwrap(), 4);
            clock.advance(Span::from_secs(20));
            guest.write_all(b"200").await.unwrap();
            clock.advance(Span::from_secs(20));
        }
        for _ in 0..2 {
            client.write_all(b"P").await.unwrap();
            assert_eq!(read(&mut guest).await.unwrap(), 1);
            clock.advance(Span::from_secs(14));
        }
        clock.advance(Span::from_secs(2));
        client.write_all(b"P").await.unwrap();
        assert_eq!(read(&mut guest).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn in_a_crowd_whoever_says_nothing_gives_way_soon() {
        let (mut guarded, clock) = guarded().await;
        let mut crowd = Vec::new();
        for _ in 0..=CROWDED {
            crowd.push(met(&mut guarded).await);
        }
        let (last, _client) = crowd.last_mut().unwrap();
        let (over, ()) = tokio::join!(read(last), async { clock.advance(IN_A_CROWD) });
        assert_eq!(over.unwrap_err().kind(), io::ErrorKind::TimedOut);
        crowd.pop();
        assert_eq!(guarded.places.available_permits(), CONNECTIONS_MAX - CROWDED, "and its place is free");
    }
}
