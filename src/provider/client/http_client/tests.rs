//! Requests over a real socket, to a provider with a fixed answer that counts what it receives.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::base::config::Config;
use crate::provider::client::Open;

const BODY: &[u8] = br#"{"clientMessageId":"1"}"#;

/// A gate that is closed.
#[derive(Debug)]
struct Closed;

impl Gate for Closed {
    fn open(&self) -> bool {
        false
    }
}

/// Posts once to a provider that gives this answer to each request, or cuts the connection. Also returns the number of
/// bodies that it has read.
async fn post(answer: &'static str, gate: Arc<dyn Gate>) -> (Result<RawAnswer, Broken>, u32) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&read);
    let serving = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(BODY) {
                if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            if request.ends_with(BODY) {
                count.fetch_add(1, Ordering::Relaxed);
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    let answered = http(&address.to_string()).post(Endpoint::Messages, BODY.to_vec(), gate).await;
    serving.abort();
    (answered, read.load(Ordering::Relaxed))
}

fn http(address: &str) -> Http {
    Http::new("sms", &provider(&format!("http://{address}"))).unwrap()
}

fn provider(base_url: &str) -> LaneProvider {
    let text = format!(
        "[provider]\nbase_url = \"{base_url}\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
         [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n"
    );
    let nothing = std::iter::empty::<(&str, String)>();
    let config = Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), nothing);
    config.unwrap().config.lanes[0].provider.clone()
}

#[tokio::test]
async fn a_replaced_key_is_sent_from_the_next_request_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "old").unwrap();
    let path = folder.path().join("volley.toml");
    let text = format!(
        "[provider]\nbase_url = \"http://{}\"\nsub_account = \"acme\"\napi_key_file = \"key\"\n\
         [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n",
        listener.local_addr().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    let provider = Config::load(Some(&path), std::iter::empty()).unwrap().config.lanes[0].provider.clone();
    let key = provider.api_key.clone().unwrap();
    let http = Http::new("sms", &provider).unwrap();
    // Answers each request on one connection, and returns the keys that it saw.
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut keys = Vec::new();
        while keys.len() < 4 {
            let mut head = Vec::new();
            let is_whole = |head: &[u8]| match head.starts_with(b"GET") {
                true => head.ends_with(b"\r\n\r\n"),
                false => head.ends_with(BODY),
            };
            while !is_whole(&head) {
                assert_ne!(socket.read_buf(&mut head).await.unwrap(), 0);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let line = head.lines().find_map(|line| line.strip_prefix("authorization: ").map(str::to_owned));
            keys.push(line.unwrap());
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        }
        keys
    });
    let post = |to| http.post(to, BODY.to_vec(), Arc::new(Open));
    post(Endpoint::Messages).await.unwrap();
    std::fs::write(folder.path().join("key"), "new").unwrap();
    key.replace(key.file().unwrap().read().unwrap());
    post(Endpoint::Messages).await.unwrap();
    post(Endpoint::Batch).await.unwrap();
    http.details(&Umid::new("u-1")).await.unwrap();
    assert_eq!(serving.await.unwrap(), ["bearer old", "bearer new", "bearer new", "bearer new"]);
}

#[tokio::test]
async fn notifications_are_sent_to_their_own_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut lines = Vec::new();
        while lines.len() < 4 {
            let mut request = Vec::new();
            while !request.ends_with(BODY) {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            lines.push(String::from_utf8(request).unwrap().lines().next().unwrap().to_owned());
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        }
        lines
    });
    let http = http(&address);
    for channel in [Channel::LineNotification, Channel::Line] {
        let client = Client::new(Box::new(http.clone())).on(channel);
        client.send(BODY.to_vec(), Arc::new(Open)).await;
        client.send_batch(BODY.to_vec(), &[], Arc::new(Open)).await;
    }
    let posted = |path: &str| format!("POST /api/v1/subaccounts/acme/{path} HTTP/1.1");
    assert_eq!(serving.await.unwrap(), ["lon", "lon/batch", "messages", "messages/batch"].map(posted));
}

#[tokio::test]
async fn a_cut_after_the_body_was_sent_counts_as_sent() {
    let (answer, read) = post("", Arc::new(Open)).await;
    assert!(matches!(answer, Err(Broken::Sent { .. })), "{answer:?}");
    assert_eq!(read, 1, "posted once");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\
                    connection: close\r\n\r\n";
    let (answer, read) = post(redirect, Arc::new(Open)).await;
    assert_eq!((answer.unwrap().status, read), (302, 1));
}

#[tokio::test]
async fn a_closed_gate_sends_no_body() {
    let (answer, read) = post("", Arc::new(Closed)).await;
    assert_eq!((answer.unwrap_err(), read), (Broken::Withdrawn, 0));
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let answer = http(&address.to_string()).post(Endpoint::Messages, BODY.to_vec(), Arc::new(Open)).await;
    assert!(matches!(answer, Err(Broken::NotOffered { .. })), "{answer:?}");
}

fn is_whole(request: &[u8]) -> bool {
    if request.starts_with(b"POST") { request.ends_with(BODY) } else { request.ends_with(b"\r\n\r\n") }
}

/// A server that answers so many requests on each connection, and then closes it.
async fn answering(each: usize) -> (String, Arc<AtomicU32>, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (connections, heads) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (count, seen) = (Arc::clone(&connections), Arc::clone(&heads));
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                for _ in 0..each {
                    let mut request = Vec::new();
                    while !is_whole(&request) {
                        if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    seen.lock().push(String::from_utf8_lossy(&request).into_owned());
                    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                    if request.starts_with(b"CONNECT") {
                        return;
                    }
                }
            });
        }
    });
    (address, connections, heads)
}

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let (address, connections, heads) = answering(9).await;
    let http = http(&address);
    for _ in 0..5 {
        let answer = http.post(Endpoint::Messages, BODY.to_vec(), Arc::new(Open)).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    }
    http.details(&Umid::new("a/b")).await.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let heads = heads.lock();
    assert!(heads[0].starts_with("POST /api/v1/subaccounts/acme/messages HTTP/1.1\r\n"), "{}", heads[0]);
    for header in [format!("host: {address}\r\n"), "authorization: Bearer k\r\n".to_owned()] {
        assert!(heads[0].contains(&header), "{}", heads[0]);
    }
    assert!(heads[5].starts_with("GET /api/v1/subaccounts/acme/messages/a%2Fb HTTP/1.1\r\n"), "{}", heads[5]);
}

#[tokio::test]
async fn a_request_that_a_closed_connection_did_not_take_uses_another() {
    let (address, connections, heads) = answering(1).await;
    let http = http(&address);
    for turn in 1..=50 {
        let answer = http.post(Endpoint::Messages, BODY.to_vec(), Arc::new(Open)).await;
        assert!(answer.is_ok(), "{turn}: {answer:?}");
        assert_eq!(connections.load(Ordering::Relaxed), turn);
    }
    assert_eq!(heads.lock().len(), 50, "each was posted once");
}

/// A connection that the other side has closed, which is noticed after so many polls.
#[derive(Debug)]
struct ClosedUnseen(u32);

impl hyper::rt::Read for ClosedUnseen {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Poll::Pending
            }
            None => Poll::Ready(Ok(())),
        }
    }
}

impl hyper::rt::Write for ClosedUnseen {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_connection_found_closed_costs_no_request() {
    // Noticed when it is returned, when it is taken, and when it is to carry the request.
    for looks in 0..3 {
        let (address, connections, heads) = answering(1).await;
        let http = http(&address);
        http.idle.put(Connection::over(Box::new(ClosedUnseen(looks))).await.unwrap());
        let answer = http.post(Endpoint::Messages, BODY.to_vec(), Arc::new(Open)).await;
        assert!(answer.is_ok(), "{looks}: {answer:?}");
        assert_eq!((connections.load(Ordering::Relaxed), heads.lock().len()), (1, 1), "{looks}");
    }
}

#[tokio::test]
async fn a_forwarding_proxy_gets_the_whole_url() {
    let (address, _, heads) = answering(9).await;
    let proxies = Matcher::builder().all(format!("http://ann:secret@{address}")).build();
    let to = |base_url| Http::over("sms", &provider(base_url), Resolver::System, &proxies).unwrap();
    let plain = to("http://provider.test").post(Endpoint::Batch, BODY.to_vec(), Arc::new(Open)).await;
    assert_eq!(plain.unwrap().status, 200);
    // The proxy accepts the tunnel and then does not speak TLS.
    let secret = to("https://provider.test").post(Endpoint::Batch, BODY.to_vec(), Arc::new(Open)).await;
    assert!(matches!(secret, Err(Broken::NotOffered { .. })), "{secret:?}");
    let heads = heads.lock();
    let first = [
        "POST http://provider.test/api/v1/subaccounts/acme/messages/batch HTTP/1.1",
        "CONNECT provider.test:443 HTTP/1.1",
    ];
    for (head, first) in heads.iter().zip(first) {
        assert_eq!(head.lines().next(), Some(first));
        assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");
    }
}
