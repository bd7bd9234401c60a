//! A receiver of webhooks that behaves as a test says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(super) enum Reaction {
    Answers(u16, &'static str),
    RedirectsTo(String),
    /// Reads the request, and never answers.
    Hangs,
    /// Answers with a head, and never ends the body.
    HangsInTheBody(u16),
    /// Answers with a body that has no end, until the client leaves.
    AnswersEndlessly(u16),
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Shared {
    reactions: Mutex<VecDeque<Reaction>>,
    requests: Mutex<Vec<Request>>,
    came: Notify,
    /// A client left in the middle of an answer.
    left: Notify,
}

/// Answers 200 to whatever no reaction is given for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Target {
    pub(super) async fn new(reactions: impl IntoIterator<Item = Reaction>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { reactions: Mutex::new(reactions.into_iter().collect()), ..Shared::default() });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared, accepting }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().clone()
    }

    /// Waits until a client has left an answer without an end.
    pub(super) async fn is_left_by_its_client(&self) {
        self.shared.left.notified().await;
    }

    /// Waits until so many requests have come.
    pub(super) async fn gets(&self, count: usize) {
        loop {
            let came = self.shared.came.notified();
            if self.requests().len() >= count {
                return;
            }
            came.await;
        }
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut unread = Vec::new();
    while let Some(request) = read(&mut stream, &mut unread).await {
        let reaction = shared.reactions.lock().pop_front().unwrap_or(Reaction::Answers(200, "thanks"));
        shared.requests.lock().push(request);
        shared.came.notify_waiters();
        let answer = match reaction {
            Reaction::Answers(status, body) => {
                format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            Reaction::RedirectsTo(url) => format!("HTTP/1.1 302 X\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n"),
            Reaction::HangsInTheBody(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 900\r\n\r\nbegin"),
            Reaction::Hangs => String::new(),
            Reaction::AnswersEndlessly(status) => {
                let mut piece = format!("HTTP/1.1 {status} X\r\ncontent-length: 99999999999\r\n\r\n");
                while stream.write_all(piece.as_bytes()).await.is_ok() {
                    piece = "x".repeat(10_000);
                }
                shared.left.notify_one();
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads one request; `None` if the client is gone.
async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some((request, length)) = parse(unread) {
            unread.drain(..length);
            return Some(request);
        }
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        unread.extend_from_slice(&piece[..read]);
    }
}

fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let end = head_end + 4 + length;
    let body = String::from_utf8_lossy(bytes.get(head_end + 4..end)?).into_owned();
    Some((Request { path, headers, body }, end))
}
