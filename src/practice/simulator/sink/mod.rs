//! A provider that accepts everything and keeps only counts. Benchmarks send to it.
//!
//! It uses plain HTTP/1.1 on plain sockets, because a framework would cost as much as the sender that is measured. It
//! supports keep-alive, pipelining and `Content-Length`, and writes once for everything that one read brought. It
//! answers the requests of Volley's own client and promises nothing beyond that. The [`Model`](super::Model) is the
//! provider that checks requests.

mod answer;
mod http;
mod receipts;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::{Buf, BytesMut};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::answer::Writer;
use self::http::Next;
use self::receipts::Receipts;
use super::post::{Post, WebhookTarget};
use super::umid::Umids;
use crate::base::clock::{Clock, Tick};

/// How the sink behaves.
#[derive(Debug, Clone, Default)]
pub struct SinkOptions {
    /// Where receipts are posted, as fast as they are acknowledged; without it there are none. Its `retries` have no
    /// effect: a post is repeated until it is acknowledged.
    pub webhook: Option<WebhookTarget>,
    /// How many receipts a message gets: 1 is sent, 2 also delivered, 3 also read.
    pub receipts: usize,
    /// The receiver of each request's arrival, if there is one.
    pub arrivals: Option<mpsc::Sender<Arrival>>,
}

/// When a request was read, and its number of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub at: Tick,
    pub messages: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("the sink cannot post receipts: its HTTP client failed to start")]
    Client(#[source] reqwest::Error),
}

/// What the sink has counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SinkCount {
    pub requests: u64,
    pub messages: u64,
    /// Receipts that were acknowledged.
    pub receipts: u64,
    /// Messages whose receipts have not been acknowledged yet.
    pub waiting: u64,
    /// Messages whose receipts were given up because too many waited.
    pub forgone: u64,
}

/// A running sink.
#[derive(Debug)]
pub struct RunningSink {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    umids: Umids,
    /// Ids of batches, made from the number of their first message.
    batches: Umids,
    /// The number of the next message, which is also the number of messages so far.
    next: AtomicU32,
    requests: AtomicU64,
    receipts: Option<Receipts>,
    arrivals: Option<mpsc::Sender<Arrival>>,
    shutdown: CancellationToken,
}

impl RunningSink {
    /// Serves on the listener until `shutdown`. The seed determines this run's umids.
    pub fn start(
        listener: TcpListener,
        options: SinkOptions,
        seed: u64,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) -> Result<Self, SinkError> {
        let per_message = options.receipts.min(receipts::STATES.len());
        let post = options
            .webhook
            .filter(|_| per_message > 0)
            .map(|target| Post::new(Some(target)))
            .transpose()
            .map_err(SinkError::Client)?;
        let shared = Arc::new(Shared {
            clock,
            umids: Umids::new(seed),
            batches: Umids::new(!seed),
            next: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            receipts: post.map(|post| Receipts::new(post, per_message)),
            arrivals: options.arrivals,
            shutdown,
        });
        let task = tokio::spawn(run(listener, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    pub fn count(&self) -> SinkCount {
        self.shared.count()
    }

    /// Completes once the sink has ended, which is after its `shutdown`.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the sink failed");
        }
    }
}

impl Shared {
    /// Counts this many messages. Returns the number of the first.
    fn take(&self, messages: u32) -> u32 {
        if let Some(arrivals) = &self.arrivals {
            // A receiver that is too slow or has stopped gets fewer arrivals than there were.
            let _ = arrivals.try_send(Arrival { at: self.clock.tick(), messages });
        }
        self.next.fetch_add(messages, Ordering::Relaxed)
    }

    // The counters are independent: no reader concludes from one on another.
    fn count(&self) -> SinkCount {
        let receipts = self.receipts.as_ref().map(Receipts::count).unwrap_or_default();
        SinkCount {
            requests: self.requests.load(Ordering::Relaxed),
            messages: u64::from(self.next.load(Ordering::Relaxed)),
            receipts: receipts.taken,
            waiting: receipts.waiting,
            forgone: receipts.forgone,
        }
    }
}

async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    if let Some(receipts) = &shared.receipts {
        for _ in 0..receipts.connections() {
            tasks.spawn(receipts::run(Arc::clone(&shared)));
        }
    }
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Ended connections are removed while new ones arrive.
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            () = shared.shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    let shutdown = shared.shutdown.clone();
                    let served = shutdown.run_until_cancelled(connection(stream, &shared)).await;
                    if let Some(Err(error)) = served {
                        tracing::debug!(%error, "a connection to the sink broke");
                    }
                });
            }
            // Most likely no file handles are left: a short pause lets some connection end.
            Err(error) => {
                tracing::warn!(%error, "the sink could not accept a connection");
                shared.clock.sleep(crate::base::domain::Span::from_millis(50)).await;
            }
        }
    }
    tasks.shutdown().await;
}

/// Enough for a few pipelined requests; a batch reserves what it needs.
const READ_AT_ONCE: usize = 64 * 1024;

async fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BytesMut::with_capacity(READ_AT_ONCE);
    let mut writer = Writer::new(shared);
    loop {
        if input.capacity() - input.len() < READ_AT_ONCE / 4 {
            input.reserve(READ_AT_ONCE);
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        loop {
            match http::next(&input) {
                Next::Request { request, len } => {
                    writer.answer(&request);
                    let closes = request.closes;
                    input.advance(len);
                    if closes {
                        stream.write_all(writer.output()).await?;
                        return stream.shutdown().await;
                    }
                }
                Next::NeedsMore { total } => {
                    input.reserve(total.unwrap_or_default().saturating_sub(input.len()));
                    break;
                }
                Next::Invalid(why) => {
                    writer.refuse(why);
                    stream.write_all(writer.output()).await?;
                    return stream.shutdown().await;
                }
            }
        }
        if !writer.output().is_empty() {
            stream.write_all(writer.output()).await?;
            writer.clear();
        }
    }
}

#[cfg(test)]
mod tests;
