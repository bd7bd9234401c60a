//! Connections of one lane, each for one request at a time.
//!
//! Whoever waits for an answer drives the connection: nothing is handed from task to task, and a request that is given up
//! takes its connection with it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
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
    driver: Pin<Box<Driver>>,
    has_ended: bool,
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
        Ok(Self { sender, driver: Box::pin(driver), has_ended: false })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) async fn send(&mut self, request: Request<GatedBody>) -> Result<Response<Incoming>, Broken> {
        let mut answer = Box::pin(self.sender.try_send_request(request));
        let (driver, has_ended) = (&mut self.driver, &mut self.has_ended);
        let answered = poll_fn(|context| {
            drive(driver, has_ended, context);
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
            let (driver, has_ended) = (&mut self.driver, &mut self.has_ended);
            let next = poll_fn(|context| {
                drive(driver, has_ended, context);
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
        drive(&mut self.driver, &mut self.has_ended, &mut Context::from_waker(Waker::noop()));
        !self.has_ended && self.sender.is_ready()
    }
}

fn drive(driver: &mut Pin<Box<Driver>>, has_ended: &mut bool, context: &mut Context<'_>) {
    // How it has ended, whoever waits for an answer is told.
    *has_ended = *has_ended || matches!(driver.as_mut().poll(context), Poll::Ready(_));
}

/// Connections that wait for their next request, the one that was used last behind the others.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<VecDeque<(Connection, Instant)>>>);

impl Idle {
    /// An open connection, the one that was used last.
    pub(super) fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.lock().pop_back()?;
            if since.elapsed() < IDLE && connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for whoever comes next, but not for long.
    pub(super) fn put(&self, mut connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut idle = self.lock();
        idle.push_back((connection, now()));
        if idle.len() == 1 {
            drop(idle);
            tokio::spawn(self.clone().close_unused());
        }
    }

    /// Closes each connection that nobody has taken for long, until there is none.
    async fn close_unused(self) {
        while let Some(since) = self.oldest() {
            tokio::time::sleep_until(since + IDLE).await;
            let mut idle = self.lock();
            while idle.pop_front_if(|(_, since)| since.elapsed() >= IDLE).is_some() {}
        }
    }

    fn oldest(&self) -> Option<Instant> {
        self.lock().front().map(|(_, since)| *since)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Connection, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "what waits for a connection runs on tokio's own clock")]
fn now() -> Instant {
    Instant::now()
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Idle({})", self.lock().len())
    }
}
