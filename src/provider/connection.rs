//! Connections of one lane, each for one request at a time.
//!
//! Whoever waits for an answer drives the connection: nothing is handed from task to task, and a request that is given up
//! takes its connection with it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connect::{Cause, Stream};
use super::offer::GatedBody;

/// How long an unused connection is kept. A gateway that closes one in the moment in which we write to it leaves an
/// attempt unknown, so ours go before the shortest keep-alive that gateways commonly have.
const IDLE: Duration = Duration::from_secs(4);
/// Answers are read up to here. A batch of ten thousand is some 3 MB; more is not an answer.
const ANSWER_MAX: usize = 32 << 20;

type Driver = http1::Connection<Stream, GatedBody>;

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<GatedBody>,
    /// Nothing once it has ended. What it had not taken by then its end gives back.
    driver: Option<Pin<Box<Driver>>>,
}

/// Why an exchange has failed.
pub(super) enum Broken {
    /// The connection had ended before anything was written: the request as it was.
    Unused(Box<Request<GatedBody>>),
    Failed(Cause),
}

impl Connection {
    pub(super) async fn over(stream: Stream) -> Result<Self, Cause> {
        let (sender, driver) = http1::handshake(stream).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) async fn send(&mut self, request: Request<GatedBody>) -> Result<Response<Incoming>, Broken> {
        let mut answer = Box::pin(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let answered = poll_fn(|context| {
            drive(driver, context);
            answer.poll_unpin(context)
        });
        answered.await.map_err(|mut error| match error.take_message() {
            Some(request) => Broken::Unused(Box::new(request)),
            None => Broken::Failed(error.into_error().into()),
        })
    }

    /// Reads the body of an answer: what there was of it, and why that is not all.
    pub(super) async fn body(&mut self, mut body: Incoming) -> (Bytes, Result<(), Cause>) {
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

    /// Whether another request may be sent by it, as far as anything has come from the other side.
    fn is_open(&mut self) -> bool {
        drive(&mut self.driver, &mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }
}

fn drive(driver: &mut Option<Pin<Box<Driver>>>, context: &mut Context<'_>) {
    // How it has ended, whoever waits for an answer is told: by it, or because it is gone.
    if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
        *driver = None;
    }
}

/// Connections that wait for their next request, the one that was used last behind the others.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Told with each connection that comes back.
    back: Notify,
}

#[derive(Default)]
struct Waiting {
    connections: VecDeque<(Connection, Instant)>,
    /// Whether somebody closes those that nobody takes.
    are_closed: bool,
}

impl Idle {
    /// An open connection, the one that was used last.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.lock().connections.pop_back()?;
            if since.elapsed() < IDLE && connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// The first that comes back.
    pub(super) async fn next(&self) -> Connection {
        loop {
            self.0.back.notified().await;
            if let Some(connection) = self.take() {
                return connection;
            }
        }
    }

    /// Keeps a connection for whoever comes next, but not for long.
    pub(super) fn put(&self, mut connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut waiting = self.lock();
        waiting.connections.push_back((connection, now()));
        if !std::mem::replace(&mut waiting.are_closed, true) {
            tokio::spawn(self.clone().close_unused());
        }
        drop(waiting);
        self.0.back.notify_one();
    }

    /// Closes each connection that nobody has taken for long, until there is none.
    async fn close_unused(self) {
        while let Some(oldest) = self.oldest() {
            tokio::time::sleep_until(oldest + IDLE).await;
            while self.lock().connections.pop_front_if(|(_, since)| since.elapsed() >= IDLE).is_some() {}
        }
    }

    /// When the one that waits for longest was put back. Where there is none, whoever comes next is to be waited for anew.
    fn oldest(&self) -> Option<Instant> {
        let mut waiting = self.lock();
        let oldest = waiting.connections.front().map(|(_, since)| *since);
        waiting.are_closed = oldest.is_some();
        oldest
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "what waits for a connection runs on tokio's own clock")]
fn now() -> Instant {
    Instant::now()
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Idle({})", self.lock().connections.len())
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_ends_before_it_takes_a_request_gives_it_back_at_once() {
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
            // Until the runtime has looked at its sockets.
            tokio::task::yield_now().await;
        }
        // Nobody looks at it in between, as where the other side closes it just then.
        let given_back = connection.send(request()).await;
        match given_back {
            Err(Broken::Unused(_)) => {}
            Err(Broken::Failed(cause)) => panic!("{cause:?}"),
            Ok(answer) => panic!("{answer:?}"),
        }
        assert!(!connection.is_open());
    }
}
