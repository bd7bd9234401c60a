//! Requests that may take longer than others: large uploads while they make progress, long operations, and answers without an
//! end. Each kind has its limit, and so has each caller ([`LongRequests`]).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};

use super::connection::Alarm;
use super::long_requests::{Crowded, LongRequests, Permit};
use super::visit::Visit;
use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp};
use crate::http::access::Caller;

/// An upload must send this much in each [`UPLOAD_WAIT_MAX`] of waiting for its sender.
const UPLOAD_PROGRESS: usize = 32 << 10;
const UPLOAD_WAIT_MAX: Span = Span::from_secs(30);

type Stopping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Lets a handler ask for more time than other requests have. It is an extension of each request.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct Patience(Arc<Visit>);

/// Why an upload ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::http::api) enum UploadEnded {
    #[error("the upload was too slow: less than {} KiB in {UPLOAD_WAIT_MAX}; send it again over a faster network", UPLOAD_PROGRESS >> 10)]
    TooSlow,
    #[error("the server stops; send the rest once it runs again")]
    Stopping,
}

impl Patience {
    pub(super) const fn new(visit: Arc<Visit>) -> Self {
        Self(visit)
    }

    /// Lets a body take as long as it makes progress. It ends with [`UploadEnded`] if it makes none, or if the server
    /// stops. The time that the handler takes does not count.
    pub(in crate::http::api) fn upload(&self, caller: &Caller, body: Body) -> Result<Body, Crowded> {
        let permit = self.ask(&self.0.door.long_operations, caller)?;
        self.0.peer.occupancy.keep_place();
        let (clock, stopping) = (Arc::clone(&self.0.door.clock), self.stopping());
        let progress = Progress { clock, waiting_since: None, waited: Span::ZERO, bytes: 0, alarm: Alarm::default() };
        Ok(Body::new(Upload { body, progress, stopping, _permit: permit }))
    }

    /// Lets a stream of events take as long as its client reads it. It ends when the server stops.
    pub(in crate::http::api) fn events(&self, caller: &Caller, answer: impl IntoResponse) -> Result<Response, Crowded> {
        Ok(self.endless(self.ask(&self.0.door.streams, caller)?, answer))
    }

    /// The same for another long answer, such as a file or the output of a command.
    pub(in crate::http::api) fn download(
        &self,
        caller: &Caller,
        answer: impl IntoResponse,
    ) -> Result<Response, Crowded> {
        Ok(self.endless(self.ask(&self.0.door.long_operations, caller)?, answer))
    }

    /// Lets the handler take longer than [`super::REQUEST_MAX`] for its answer, while it holds the permit.
    pub(in crate::http::api) fn work(&self, caller: &Caller) -> Result<Permit, Crowded> {
        self.ask(&self.0.door.long_operations, caller)
    }

    fn ask(&self, requests: &Arc<LongRequests>, caller: &Caller) -> Result<Permit, Crowded> {
        let permit = requests.take(caller)?;
        self.0.is_long.store(true, Ordering::Release);
        Ok(permit)
    }

    fn endless(&self, permit: Permit, answer: impl IntoResponse) -> Response {
        let stopping = self.stopping();
        answer.into_response().map(|body| Body::new(Endless { body, stopping, _permit: permit }))
    }

    fn stopping(&self) -> Stopping {
        Box::pin(self.0.door.stopping.clone().cancelled_owned())
    }
}

/// How long an upload has kept its handler waiting.
struct Progress {
    clock: Arc<dyn Clock>,
    waiting_since: Option<Timestamp>,
    /// Since the last progress.
    waited: Span,
    bytes: usize,
    alarm: Alarm,
}

impl Progress {
    fn arrived(&mut self, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.waited = Span::from_millis(self.waited.millis() + self.clock.now().since(since).millis());
        }
        self.bytes += bytes;
        if self.bytes >= UPLOAD_PROGRESS {
            (self.bytes, self.waited) = (0, Span::ZERO);
        }
    }

    /// Whether its sender has kept the handler waiting for too long.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let since = *self.waiting_since.get_or_insert(self.clock.now());
        let rest = Span::from_millis(UPLOAD_WAIT_MAX.millis() - self.waited.millis());
        self.alarm.poll_at(&self.clock, since + rest, cx)
    }
}

struct Upload {
    body: Body,
    progress: Progress,
    stopping: Stopping,
    _permit: Permit,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let ended = |why: UploadEnded| Poll::Ready(Some(Err(axum::Error::new(why))));
        if self.stopping.as_mut().poll(cx).is_ready() {
            return ended(UploadEnded::Stopping);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending if self.progress.poll_too_slow(cx) => ended(UploadEnded::TooSlow),
            Poll::Ready(Some(Ok(frame))) => {
                self.progress.arrived(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Endless {
    body: Body,
    stopping: Stopping,
    _permit: Permit,
}

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.stopping.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::Router;
    use axum::extract::{Extension, Request};
    use axum::routing::{get, post};
    use futures_util::{StreamExt, stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::{Client, Door, LimitedListener, Peer, REQUEST_MAX, visit};
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::http::api::native::tests::caller;

    /// Answers with the length of the body, or why it ended.
    async fn upload(Extension(patience): Extension<Patience>, request: Request) -> Result<String, Response> {
        let body = patience.upload(&caller("a", &[]), request.into_body()).map_err(IntoResponse::into_response)?;
        let mut chunks = body.into_data_stream();
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => bytes += chunk.len(),
                Err(why) => return Ok(format!("ended: {why}")),
            }
        }
        Ok(format!("{bytes} bytes"))
    }

    async fn events(Extension(patience): Extension<Patience>) -> Result<Response, Crowded> {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"first"))]);
        patience.events(&caller("a", &[]), Body::from_stream(first.chain(stream::pending())))
    }

    async fn address(Extension(client): Extension<Client>) -> String {
        client.address.to_string()
    }

    async fn served() -> (SocketAddr, Arc<Door>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let door = Door::new(Arc::clone(&clock) as Arc<dyn Clock>, None, vec!["127.0.0.1".parse().unwrap()]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let routes = Router::new()
            .route("/upload", post(upload))
            .route("/plain", post(|body: Bytes| async move { body.len().to_string() }))
            .route("/events", get(events))
            .route("/address", get(address))
            .route("/hangs", get(std::future::pending::<()>))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&door), visit));
        let limited = LimitedListener::new(listener, Arc::clone(&door));
        let serving = axum::serve(limited, routes.into_make_service_with_connect_info::<Peer>())
            .with_graceful_shutdown(door.stopping().cancelled_owned());
        tokio::spawn(async move { serving.await });
        let cutting = Arc::clone(&door);
        tokio::spawn(async move { cutting.cut_rest().await });
        (at, door, clock)
    }

    async fn send(at: SocketAddr, text: &str) -> TcpStream {
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
        client
    }

    fn head(path: &str, length: usize) -> String {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    }

    async fn rest(client: &mut TcpStream) -> String {
        let mut text = String::new();
        let _ = client.read_to_string(&mut text).await;
        text
    }

    /// Waits until the server sleeps: it has done all it can until more arrives or time passes.
    async fn until_requests(door: &Door, requests: u32) {
        while door.requests() != requests {
            tokio::task::yield_now().await;
        }
    }

    /// Lets the server work on what has arrived, as no clock moves by itself.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_upload_may_take_longer_than_others_while_it_makes_progress() {
        let (at, door, clock) = served().await;
        let part = vec![b'x'; UPLOAD_PROGRESS];
        let mut client = send(at, &head("/upload", 5 * UPLOAD_PROGRESS)).await;
        until_requests(&door, 1).await;
        for _ in 0..5 {
            settle().await;
            clock.advance(Span::from_secs(25));
            client.write_all(&part).await.unwrap();
            settle().await;
        }
        assert!(rest(&mut client).await.ends_with(&format!("{} bytes", 5 * UPLOAD_PROGRESS)));
    }

    #[tokio::test]
    async fn an_upload_without_progress_ends_although_bytes_arrive() {
        let (at, door, clock) = served().await;
        let mut client = send(at, &head("/upload", 1 << 20)).await;
        until_requests(&door, 1).await;
        let answered = async {
            let mut text = [0; 4_096];
            let read = client.read(&mut text).await.unwrap();
            String::from_utf8_lossy(&text[..read]).into_owned()
        };
        let slowly = async {
            loop {
                settle().await;
                clock.advance(Span::from_secs(1));
            }
        };
        let answer = tokio::select! {
            answer = answered => answer,
            () = slowly => unreachable!(),
        };
        assert!(answer.contains("ended: the upload was too slow"), "{answer}");
        assert_eq!(clock.now().since(Timestamp::from_millis(1_800_000_000_000)), UPLOAD_WAIT_MAX);
    }

    #[tokio::test]
    async fn other_requests_are_answered_that_they_took_too_long() {
        for (request, expected) in [
            (head("/plain", 10), "408 Request Timeout"),
            ("GET /hangs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "503 Service Unavailable"),
        ] {
            let (at, door, clock) = served().await;
            let mut client = send(at, &request).await;
            until_requests(&door, 1).await;
            settle().await;
            clock.advance(REQUEST_MAX);
            let answer = rest(&mut client).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
            until_requests(&door, 0).await;
        }
    }

    #[tokio::test]
    async fn a_stop_ends_streams_and_uploads_at_once() {
        let (at, door, clock) = served().await;
        let mut stream = send(at, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut upload = send(at, &head("/upload", 10)).await;
        until_requests(&door, 2).await;
        clock.advance(Span::from_secs(3_600));
        settle().await;
        assert_eq!(door.requests(), 1, "the upload made no progress, and the stream goes on");
        assert!(rest(&mut upload).await.contains("too slow"));
        let mut upload = send(at, &head("/upload", 10)).await;
        until_requests(&door, 2).await;
        door.close();
        let text = rest(&mut stream).await;
        assert!(text.contains("first") && text.ends_with("0\r\n\r\n"), "a stream ends in good order: {text:?}");
        assert!(rest(&mut upload).await.contains("the server stops"));
    }

    #[tokio::test]
    async fn a_handler_finds_the_address_of_its_client() {
        let (at, door, _) = served().await;
        for (forwarded, expected) in [("", "\r\n127.0.0.1"), ("X-Forwarded-For: 198.51.100.1\r\n", "\r\n198.51.100.1")]
        {
            let head = format!("GET /address HTTP/1.1\r\nHost: x\r\n{forwarded}Connection: close\r\n\r\n");
            let answer = rest(&mut send(at, &head).await).await;
            assert!(answer.ends_with(expected), "{answer}");
        }
        let figures = door.figures();
        assert_eq!((figures.accepted, figures.answers), (2, vec![("/address".to_owned(), 200, 2)]));
    }
}
