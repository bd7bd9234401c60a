//! Clients that take all they can get: whatever one of them holds, the others are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use volley::base::domain::Span;

use crate::support::{ALONE, Installation, Shape, until};

/// More than the server has connections for.
const CLIENTS: usize = 700;
const PROBES: usize = 14;
/// Streams that one key asks for.
const STREAMS: usize = 256;
/// What one key gets.
const SHARE: usize = 32;
/// Less than a slow request has, so what is answered within it did not wait for the end of one.
const PATIENCE: Span = Span::from_secs(20);

const SLOW_HEAD: &str = "GET /healthz HTTP/1.1\r\nX: ";
const SLOW_BODY: &str = "POST /webhooks/8x8 HTTP/1.1\r\nHost: volley\r\nContent-Length: 100\r\n\r\n{";

async fn site(seed: u64) -> Installation {
    let shape = Shape { seed, profile: String::new(), rate: 200, batch: None, connections: 4 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    std::fs::write(site.path("volley.toml"), config.replace("[server]\n", "[server]\nmetrics_open = true\n")).unwrap();
    site.serve().await;
    site
}

/// Begins a request, never ends it, and comes again when it is closed.
async fn begin_forever(address: String, begin: &'static str, begun: Arc<AtomicUsize>) {
    loop {
        let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
        if stream.write_all(begin.as_bytes()).await.is_err() {
            continue;
        }
        begun.fetch_add(1, Ordering::Relaxed);
        let mut some = [0; 1_024];
        while matches!(stream.read(&mut some).await, Ok(1..)) {}
    }
}

/// Sends a request, and returns the status of its answer with what else arrives; `None` if the connection was closed unheard.
async fn try_to_ask(address: &str, head: &str, body: &str) -> Option<(u16, String)> {
    let length = body.len();
    let request = format!("{head}Host: volley\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

async fn ask(address: &str, head: &str, body: &str) -> (u16, String) {
    try_to_ask(address, head, body).await.unwrap_or_else(|| panic!("no answer: {head}"))
}

/// The same among clients that hold all connections of this address. On a busy machine the server may close a connection
/// before it has read its request; every probe comes again then.
async fn ask_in_time(address: &str, head: &str, body: &str) -> (u16, String) {
    until(head, PATIENCE, || async { try_to_ask(address, head, body).await.ok_or("no answer") }).await
}

async fn findings(site: &Installation, what: &str) -> String {
    let found = site.volley(&["doctor", "--json"]).await;
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let found = found["findings"].as_array().unwrap().iter().filter(|finding| finding["what"] == what);
    found.map(|finding| finding["text"].as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

/// Probes and webhooks are answered while more clients than the server has connections for begin requests.
async fn shut_nobody_out(seed: u64, begin: &'static str) {
    let _alone = ALONE.lock().await;
    let site = site(seed).await;
    let address = site.webhooks();
    let begun = Arc::new(AtomicUsize::new(0));
    let mut slow = JoinSet::new();
    for _ in 0..CLIENTS {
        slow.spawn(begin_forever(address.clone(), begin, Arc::clone(&begun)));
    }
    until("all clients have begun", PATIENCE, || async {
        let begun = begun.load(Ordering::Relaxed);
        if begun >= CLIENTS { Ok(()) } else { Err(begun) }
    })
    .await;
    for probe in 0..PROBES {
        let (status, answer) = ask_in_time(&address, "GET /readyz HTTP/1.1\r\n", "").await;
        assert_eq!(status, 200, "probe {probe}: {answer}");
        let webhook = "POST /webhooks/8x8 HTTP/1.1\r\nAuthorization: Bearer practice\r\n";
        let (status, answer) = ask_in_time(&address, webhook, "{}").await;
        assert_eq!(status, 200, "webhook {probe}: {answer}");
    }
    until("the server counts what it closed", PATIENCE, || async {
        let (_, metrics) = ask_in_time(&address, "GET /metrics HTTP/1.1\r\n", "").await;
        let none = "volley_http_turned_away_total{limit=\"connections\"} 0";
        if metrics.contains(none) { Err(none) } else { Ok(()) }
    })
    .await;
    drop(slow);
    until("the server says what it closed", PATIENCE, || async {
        let (events, doctor) = (site.volley(&["events"]).await.stdout, findings(&site, "connections").await);
        let is_said = events.contains("127.0.0.1 has ") && doctor.contains("connections were closed or refused");
        if is_said { Ok(()) } else { Err(format!("{events}\n{doctor}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_shut_out_no_probe_and_no_webhook() {
    shut_nobody_out(141, SLOW_HEAD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_shut_out_no_probe_and_no_webhook() {
    shut_nobody_out(142, SLOW_BODY).await;
}

/// Opens a stream, and reads the begin of its answer.
async fn open_stream(address: &str, key: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/campaigns/promo/watch HTTP/1.1\r\nHost: volley\r\nAuthorization: Bearer {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begin = String::new();
    // An event, or the end of a problem.
    while !begin.contains("event: ") && !begin.contains("\"code\"") {
        let mut some = [0; 4_096];
        let read = stream.read(&mut some).await.unwrap();
        assert!(read > 0, "{begin}");
        begin.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    (begin, stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_of_one_key_leave_room_for_the_work_of_others() {
    let site = site(143).await;
    let address = site.webhooks();
    let key = async |name: &str, scope: &str| {
        let create = ["key", "create", "--name", name, "--scope", scope, "--requests-per-s", "1000", "--json"];
        site.volley(&create).await.json()["key"].as_str().unwrap().to_owned()
    };
    let (reader, shop) = (key("prometheus", "read").await, key("shop", "read,manage").await);
    site.write_people("people.csv", 0..10);
    site.volley(&["audience", "import", "people.csv", "--name", "people"]).await;
    let promo = "name = \"promo\"\naudience = \"people\"\nat = \"2099-01-01T09:00\"\ntime_zone = \"UTC\"\n[[step]]\n\
                 channel = \"SMS\"\ntext = \"Hi {{FirstName}}\"\n";
    std::fs::write(site.path("promo.toml"), promo).unwrap();
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();

    let (mut open, mut refused) = (Vec::new(), 0);
    for _ in 0..STREAMS {
        let (begin, stream) = open_stream(&address, &reader).await;
        if begin.starts_with("HTTP/1.1 200 ") {
            open.push(stream);
        } else {
            assert!(begin.starts_with("HTTP/1.1 429 ") && begin.contains("32 event streams at once"), "{begin}");
            refused += 1;
        }
    }
    assert_eq!((open.len(), refused), (SHARE, STREAMS - SHARE));
    let (begin, _stream) = open_stream(&address, &shop).await;
    assert!(begin.starts_with("HTTP/1.1 200 "), "{begin}");
    let json = format!("Authorization: Bearer {shop}\r\nContent-Type: application/json\r\n");
    let sale = r#"{"name": "sale", "audience": ["people"], "step": [{"channel": "SMS", "text": "Hi {{FirstName}}"}]}"#;
    for (path, status) in [("/v1/campaigns/plan", 200), ("/v1/campaigns", 201)] {
        let (got, answer) = ask(&address, &format!("POST {path} HTTP/1.1\r\n{json}"), sale).await;
        assert_eq!(got, status, "{path}: {answer}");
    }
    until("the server says whose streams it refused", PATIENCE, || async {
        let (events, doctor) = (site.volley(&["events"]).await.stdout, findings(&site, "connections").await);
        let is_said = events.contains("prometheus has 32 of its 128 event streams")
            && doctor.contains("event streams were refused");
        if is_said { Ok(()) } else { Err(format!("{events}\n{doctor}")) }
    })
    .await;
}
