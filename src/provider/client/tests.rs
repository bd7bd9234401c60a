//! One request over a real socket, to a provider that answers what the test says, and counts what it was sent.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::Config;
use crate::provider::Open;

const BODY: &[u8] = br#"{"clientMessageId":"1"}"#;

/// A gate that is closed.
#[derive(Debug)]
struct Closed;

impl Gate for Closed {
    fn open(&self) -> bool {
        false
    }
}

/// Posts once to a provider that answers each request so, or cuts the line. Returns how many bodies it has read, too.
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
    let text = format!(
        "[provider]\nbase_url = \"http://{address}\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
         [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n"
    );
    let nothing = std::iter::empty::<(&str, String)>();
    let config = Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), nothing);
    Http::new("sms", &config.unwrap().config.lanes[0].provider).unwrap()
}

#[tokio::test]
async fn a_cut_after_the_body_was_sent_is_not_taken_for_never_sent() {
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
async fn a_closed_gate_lets_no_body_out() {
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
