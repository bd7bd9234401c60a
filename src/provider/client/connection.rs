//! Connections of one lane, each for one request at a time.
//!
//! The task that waits for an answer drives the connection. Nothing passes from task to task, and a request that is
//! given up closes its connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connect::{BoxError, Stream};
use super::offer::GatedBody;

/// How long an unused connection is kept.
///
/// A gateway that closes a connection just when a request is written leaves an attempt unknown. So ours are closed
/// before the shortest keep-alive that gateways commonly have.
const IDLE: Duration = Duration::from_secs(4);
/// The longest answer that is read. The answer to a batch of ten thousand is about 3 MB.
const ANSWER_MAX: usize = 32 << 20;

type Driver = http1::Connection<Stream, GatedBody>;

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<GatedBody>,
    /// `None` after it has ended. Its end returns a request that it had not taken.
    driver: Option<Pin<Box<Driver>>>,
}

/// Why an exchange has failed.
pub(super) enum Failure {
    /// The connection had ended before anything was written; the request is unchanged.
    Unused(Box<Request<GatedBody>>),
    Failed(BoxError),
}

impl Connection {
    pub(super) async fn over(stream: Stream) -> Result<Self, BoxError> {
        let (sender, driver) = http1::handshake(stream).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) async fn send(&mut self, request: Request<GatedBody>) -> Result<Response<Incoming>, Failure> {
        let mut answer = Box::pin(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let answered = poll_fn(|context| {
            drive(driver, context);
            answer.poll_unpin(context)
        });
        answered.await.map_err(|mut error| match error.take_message() {
            Some(request) => Failure::Unused(Box::new(request)),
            None => Failure::Failed(error.into_error().into()),
        })
    }

    /// Reads the body of an answer: the bytes that came, and why they are not all.
    pub(super) async fn body(&mut self, mut body: Incoming) -> (Bytes, Result<(), BoxError>) {
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        let end = loop {
            let mut frame = body.frame();
            let driver = &mut self.driver;
            let next = poll_fn(|context| {
                drive(driver, context);
                frame.poll_unpin(context)
            });
            let chunk = match next.await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            };
            if whole.len() + first.len() + chunk.len() > ANSWER_MAX {
                break Err("the answer is too long".into());
            }
            // Nearly every answer is one chunk, which then needs no copy.
            if first.is_empty() && whole.is_empty() {
                first = chunk;
            } else {
                whole.extend_from_slice(&std::mem::take(&mut first));
                whole.extend_from_slice(&chunk);
            }
        };
        (if whole.is_empty() { first } else { whole.freeze() }, end)
    }

    /// Whether another request may be sent on it, as far as the other side has signalled.
    fn is_open(&mut self) -> bool {
        drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }
}

fn drive(driver: &mut Option<Pin<Box<Driver>>>, context: &mut Context<'_>) {
    // The task that waits for an answer learns how the connection ended: from the answer, or because there is none.
    if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
        *driver = None;
    }
}

/// Unused connections, the latest one last.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Notified for each connection that is returned.
    back: Notify,
}

#[derive(Default)]
struct Waiting {
    connections: VecDeque<(Connection, Instant)>,
    /// Whether a task is closing the connections that stay unused.
    has_closer: bool,
}

impl Idle {
    /// Takes the open connection that was used last.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.0.waiting.lock().connections.pop_back()?;
            if since.elapsed() < IDLE && connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Waits for the first connection that is returned.
    pub(super) async fn next(&self) -> Connection {
        loop {
            self.0.back.notified().await;
            if let Some(connection) = self.take() {
                return connection;
            }
        }
    }

    /// Keeps a connection for the next request, but not for long.
    pub(super) fn put(&self, mut connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut waiting = self.0.waiting.lock();
        waiting.connections.push_back((connection, now()));
        if !std::mem::replace(&mut waiting.has_closer, true) {
            tokio::spawn(self.clone().close_unused());
        }
        drop(waiting);
        self.0.back.notify_one();
    }

    /// Closes each connection that stays unused, until none is left.
    async fn close_unused(self) {
        while let Some(oldest) = self.oldest() {
            tokio::time::sleep_until(oldest + IDLE).await;
            while self.0.waiting.lock().connections.pop_front_if(|(_, since)| since.elapsed() >= IDLE).is_some() {}
        }
    }

    /// When the connection that has been unused longest was returned; `None` also ends this task.
    fn oldest(&self) -> Option<Instant> {
        let mut waiting = self.0.waiting.lock();
        let oldest = waiting.connections.front().map(|(_, since)| *since);
        waiting.has_closer = oldest.is_some();
        oldest
    }
}

#[expect(clippy::disallowed_methods, reason = "connections run on tokio's own clock")]
fn now() -> Instant {
    Instant::now()
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Idle({})", self.0.waiting.lock().connections.len())
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_ends_before_a_request_returns_it_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut connection = Connection::over(Box::new(TokioIo::new(stream))).await.unwrap();
        let request = || Request::new(GatedBody::empty());
        let answering = async {
            let mut head = [0; 1_024];
            let _ = socket.read(&mut head).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = futures_util::join!(connection.send(request()), answering);
        let Ok(answer) = answer else { panic!("answered") };
        assert!(connection.body(answer.into_body()).await.1.is_ok() && connection.is_open());
        drop(socket);
        for _ in 0..1_000 {
            // Until the runtime has polled its sockets.
            tokio::task::yield_now().await;
        }
        // It is not polled in between, as if the other side closed it just now.
        let given_back = connection.send(request()).await;
        match given_back {
            Err(Failure::Unused(_)) => {}
            Err(Failure::Failed(cause)) => panic!("{cause:?}"),
            Ok(answer) => panic!("{answer:?}"),
        }
        assert!(!connection.is_open());
    }
}
