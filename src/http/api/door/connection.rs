//! One connection, and until when it may keep its slot.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::places::Place;
use super::{Door, IDLE_MAX, REQUEST_MAX};
use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp};

/// What a connection and its requests know of each other.
#[derive(Debug)]
pub(super) struct Occupancy {
    /// Requests whose answers are not sent yet.
    requests: AtomicU32,
    has_answered: AtomicBool,
    /// Since when no request is in progress, in milliseconds.
    idle_since: AtomicI64,
    /// Since when the body of the present request arrives, in milliseconds; 0 if it has arrived, or may take its time.
    body_since: AtomicI64,
    /// Since when the client reads nothing of an answer, in milliseconds; 0 if it reads.
    stalled_since: AtomicI64,
}

/// What a connection waits for from its client, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Head(Timestamp),
    Body(Timestamp),
    /// That it reads more of an answer.
    Reader(Timestamp),
}

impl Occupancy {
    pub(super) fn since(now: Timestamp) -> Self {
        Self {
            requests: AtomicU32::new(0),
            has_answered: AtomicBool::new(false),
            idle_since: AtomicI64::new(now.millis()),
            body_since: AtomicI64::new(0),
            stalled_since: AtomicI64::new(0),
        }
    }

    /// Begins a request. Its body arrives since `body_since`; `None` if it has arrived.
    pub(super) fn begin(&self, body_since: Option<Timestamp>) {
        self.body_since.store(body_since.map_or(0, Timestamp::millis), Ordering::Release);
        self.requests.fetch_add(1, Ordering::AcqRel);
    }

    /// Lets the connection keep its place: the request has arrived, or may take its time.
    pub(super) fn keep_place(&self) {
        self.body_since.store(0, Ordering::Release);
    }

    pub(super) fn end(&self, now: Timestamp) {
        self.has_answered.store(true, Ordering::Release);
        self.idle_since.store(now.millis(), Ordering::Release);
        self.requests.fetch_sub(1, Ordering::AcqRel);
    }

    /// What it waits for from its client; `None` while the client waits for us.
    pub(super) fn waits(&self) -> Option<Waits> {
        if self.is_idle() {
            return Some(Waits::Head(self.idle_since()));
        }
        let since = |of: &AtomicI64| Some(of.load(Ordering::Acquire)).filter(|at| *at != 0).map(Timestamp::from_millis);
        since(&self.body_since).map(Waits::Body).or_else(|| since(&self.stalled_since).map(Waits::Reader))
    }

    /// Notes since when the client reads nothing of an answer.
    pub(super) fn note_stalled(&self, since: Option<Timestamp>) {
        self.stalled_since.store(since.map_or(0, Timestamp::millis), Ordering::Release);
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0
    }

    fn idle_since(&self) -> Timestamp {
        Timestamp::from_millis(self.idle_since.load(Ordering::Acquire))
    }
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! of_stream {
    ($this:expr, $stream:ident => $done:expr) => {
        match $this {
            Stream::Plain($stream) => $done,
            Stream::Tls($stream) => $done,
        }
    };
}

type Sleeping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A timer that wakes its task. It can be set again, also to an earlier time.
#[derive(Default)]
pub(super) struct Alarm(Option<(Timestamp, Sleeping)>);

impl Alarm {
    /// Whether `at` has come. If not, the task is woken then.
    pub(super) fn poll_at(&mut self, clock: &Arc<dyn Clock>, at: Timestamp, cx: &mut Context<'_>) -> bool {
        loop {
            if clock.now() >= at {
                return true;
            }
            // An earlier alarm is kept: most are set later by every request, and never ring.
            let (set, sleeping) = self.0.take().filter(|(set, _)| *set <= at).unwrap_or_else(|| {
                let clock = Arc::clone(clock);
                (at, Box::pin(async move { clock.sleep_until(at).await }))
            });
            let (_, sleeping) = self.0.insert((set, sleeping));
            if sleeping.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.0 = None;
        }
    }
}

/// A connection with its place.
pub(in crate::http::api) struct Connection {
    stream: Stream,
    place: Place,
    door: Arc<Door>,
    /// When the first part of a request arrived, if that was after the last answer.
    arriving_since: Timestamp,
    /// Since when the client reads nothing of an answer.
    stalled_since: Option<Timestamp>,
    alarm: Alarm,
    cut: Sleeping,
}

impl Connection {
    /// The time without a request begins: a TLS handshake has taken some.
    pub(super) fn new(stream: Stream, place: Place, door: Arc<Door>) -> Self {
        place.occupancy.idle_since.store(door.clock.now().millis(), Ordering::Release);
        let cut = Box::pin(place.closing.clone().cancelled_owned());
        let arriving_since = Timestamp::default();
        Self { stream, place, door, arriving_since, stalled_since: None, alarm: Alarm::default(), cut }
    }

    pub(super) fn occupancy(&self) -> &Arc<Occupancy> {
        &self.place.occupancy
    }

    /// Until when it may do nothing; `None` while a request is in progress, whose own limits then apply.
    fn until(&self) -> Option<Timestamp> {
        let occupancy = self.occupancy();
        let idle = occupancy.is_idle().then(|| {
            let since = occupancy.idle_since();
            if self.arriving_since > since {
                return self.arriving_since + REQUEST_MAX;
            }
            let most = if occupancy.has_answered.load(Ordering::Acquire) { IDLE_MAX } else { REQUEST_MAX };
            since + self.door.idle_limit(most)
        });
        let stalled = self.stalled_since.map(|since| since + REQUEST_MAX);
        idle.into_iter().chain(stalled).min()
    }

    /// Whether it is to be closed: its time is up, it makes room for a new one, or the server has stopped. If not, the task is
    /// woken when it is.
    fn poll_expired(&mut self, cx: &mut Context<'_>) -> bool {
        if self.cut.as_mut().poll(cx).is_ready() {
            return true;
        }
        loop {
            // A request in progress may end without a further look, so it is looked at again.
            let until = self.until();
            let look = until.unwrap_or_else(|| self.door.clock.now() + REQUEST_MAX);
            if !self.alarm.poll_at(&self.door.clock, look, cx) {
                return false;
            }
            if until.is_some() {
                return true;
            }
        }
    }

    /// Notes that bytes arrived. A request that arrives byte by byte has the time of any other.
    fn arrived(&mut self) -> io::Result<()> {
        if !self.occupancy().is_idle() {
            return Ok(());
        }
        let (now, idle_since) = (self.door.clock.now(), self.occupancy().idle_since());
        if self.arriving_since <= idle_since {
            self.arriving_since = now.max(idle_since + Span::from_millis(1));
        }
        if now >= self.arriving_since + REQUEST_MAX { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    fn wrote<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.place.closing.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if written.is_ready() {
            if self.stalled_since.take().is_some() {
                self.occupancy().note_stalled(None);
                if self.occupancy().is_idle() {
                    // The rest of an answer that the client reads slowly.
                    self.occupancy().idle_since.store(self.door.clock.now().millis(), Ordering::Release);
                }
            }
            return written;
        }
        if self.stalled_since.is_none() {
            self.stalled_since = Some(self.door.clock.now());
            self.occupancy().note_stalled(self.stalled_since);
        }
        if self.poll_expired(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = of_stream!(&mut self.stream, stream => Pin::new(stream).poll_read(cx, buf));
        match read {
            Poll::Ready(Ok(())) if buf.filled().len() > before => Poll::Ready(self.arrived()),
            Poll::Ready(read) => Poll::Ready(read),
            Poll::Pending if self.poll_expired(cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = of_stream!(&mut self.stream, stream => Pin::new(stream).poll_write(cx, buf));
        self.wrote(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = of_stream!(&mut self.stream, stream => Pin::new(stream).poll_write_vectored(cx, bufs));
        self.wrote(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        of_stream!(&self.stream, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only what TLS still holds back can be left.
        let flushed = of_stream!(&mut self.stream, stream => Pin::new(stream).poll_flush(cx));
        self.wrote(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = of_stream!(&mut self.stream, stream => Pin::new(stream).poll_shutdown(cx));
        self.wrote(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::listener::LimitedListener;
    use super::super::{CROWDED, CROWDED_IDLE_MAX};
    use super::*;
    use crate::base::clock::ManualClock;

    async fn connect(limited: &mut LimitedListener) -> (Connection, TcpStream) {
        let address = limited.local_addr().unwrap();
        let ((connection, _), client) = tokio::join!(limited.accept(), TcpStream::connect(address));
        (connection, client.unwrap())
    }

    async fn limited() -> (LimitedListener, Arc<Door>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = Door::new(Arc::clone(&clock) as Arc<dyn Clock>, None, Vec::new());
        (LimitedListener::new(listener, Arc::clone(&door)), door, clock)
    }

    async fn read(connection: &mut Connection) -> io::Result<usize> {
        connection.read(&mut [0; 64]).await
    }

    async fn is_closed_after(connection: &mut Connection, clock: &ManualClock, span: Span) -> bool {
        let (over, ()) = tokio::join!(read(connection), async { clock.advance(span) });
        over.unwrap_err().kind() == io::ErrorKind::TimedOut
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let (mut limited, _, clock) = limited().await;
        let (mut silent, _client) = connect(&mut limited).await;
        assert!(is_closed_after(&mut silent, &clock, REQUEST_MAX).await);
    }

    #[tokio::test]
    async fn a_slow_request_is_closed_and_an_answer_restarts_the_time() {
        let (mut limited, _, clock) = limited().await;
        let (mut connection, mut client) = connect(&mut limited).await;
        for _ in 0..3 {
            client.write_all(b"POST").await.unwrap();
            assert_eq!(read(&mut connection).await.unwrap(), 4);
            clock.advance(Span::from_secs(20));
            connection.occupancy().begin(None);
            connection.write_all(b"200").await.unwrap();
            connection.occupancy().end(clock.now());
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
    async fn a_connection_stays_while_a_request_is_in_progress() {
        let (mut limited, _, clock) = limited().await;
        let (mut connection, mut client) = connect(&mut limited).await;
        connection.occupancy().begin(None);
        clock.advance(Span::from_secs(3_600));
        let (arrived, ()) = tokio::join!(read(&mut connection), async { client.write_all(b"x").await.unwrap() });
        assert_eq!(arrived.unwrap(), 1);
        connection.occupancy().end(clock.now());
        assert!(is_closed_after(&mut connection, &clock, IDLE_MAX).await);
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed_early_when_crowded() {
        let (mut limited, door, clock) = limited().await;
        let mut crowd = Vec::new();
        for _ in 0..=CROWDED {
            crowd.push(connect(&mut limited).await);
        }
        let (last, _client) = crowd.last_mut().unwrap();
        assert!(is_closed_after(last, &clock, CROWDED_IDLE_MAX).await);
        crowd.pop();
        assert_eq!(door.places.taken(), CROWDED, "its place is free");
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_of_its_answer_is_closed() {
        let (mut limited, _, clock) = limited().await;
        let (mut connection, _client) = connect(&mut limited).await;
        connection.occupancy().begin(None);
        let endless = async { while connection.write_all(&[0; 1 << 16]).await.is_ok() {} };
        let time_passes = async {
            loop {
                tokio::task::yield_now().await;
                clock.advance(Span::from_secs(1));
            }
        };
        tokio::select! {
            () = endless => {}
            () = time_passes => {}
        }
        assert!(connection.stalled_since.is_some_and(|since| clock.now().since(since) >= REQUEST_MAX));
    }

    #[tokio::test]
    async fn a_stopped_server_cuts_what_is_still_open() {
        let (mut limited, door, clock) = limited().await;
        let (mut connection, _client) = connect(&mut limited).await;
        connection.occupancy().begin(None);
        door.close();
        let (over, (), ()) = tokio::join!(read(&mut connection), door.cut_rest(), async {
            while clock.next_sleeper().is_none() {
                tokio::task::yield_now().await;
            }
            clock.advance(super::super::LAST_REQUESTS_MAX);
        });
        assert_eq!(over.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
