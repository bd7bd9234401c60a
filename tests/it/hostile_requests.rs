//! Hostile requests to the webhooks of a server under load: each gets the right answer, and no message is harmed.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use volley::base::domain::Span;
use volley::rules::wire::sign;

use crate::support::{ALONE, Installation, Shape, clock, until};

const PEOPLE: u64 = 1_500;
const PATIENCE: Span = Span::from_secs(120);
const PROOF: &str = "Authorization: Bearer practice\r\n";
/// As many connections as the machine has file descriptors for.
const CONNECTIONS: usize = 10_000;
const LARGEST: usize = 8 << 20;

const PROFILE: &str = r#"
keep_requests = 0
[channel.SMS]
reject = 0.0
undelivered = 0.1
silent = 0.0
delivered = 0.9
undelivered_codes = [46]
sent_after = { median = "40ms", spread = 2.0 }
delivered_after = { median = "100ms", spread = 3.0 }
undelivered_after = { median = "100ms", spread = 3.0 }
"#;

async fn under_load() -> (Installation, String) {
    let shape = Shape { seed: 47, profile: PROFILE.to_owned(), rate: 200, batch: None, connections: 16 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..PEOPLE);
    let campaign =
        "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{FirstName}}\"\n";
    std::fs::write(site.path("promo.toml"), campaign).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    assert!(site.provider.wait_until_seen("messages=50", 60).await.is_some());
    let address = site.webhooks();
    (site, address)
}

/// Sends something and reads the status of the answer; none if the connection ended without one.
async fn send(address: &str, parts: &[&[u8]]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for part in parts {
        // A client that got its answer before the end of its request may be cut off.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let mut some = [0; 1_024];
    while let Ok(length @ 1..) = stream.read(&mut some).await {
        answer.extend_from_slice(&some[..length]);
        if answer.windows(2).any(|end| end == b"\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

fn request(method: &str, headers: &str, length: usize) -> Vec<u8> {
    format!("{method} /webhooks/8x8 HTTP/1.1\r\nHost: volley\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes()
}

async fn post(address: &str, headers: &str, body: &[u8]) -> Option<u16> {
    send(address, &[&request("POST", headers, body.len()), body]).await
}

/// The memory that a process has in use, as any user can read it.
fn memory_kib(site: &Installation) -> u64 {
    status_kib(site, "VmRSS:")
}

fn status_kib(site: &Installation, of: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.server().id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn unreadable(site: &Installation) -> String {
    let found = site.volley(&["doctor", "--json"]).await;
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let of_webhooks = found["findings"].as_array().unwrap().iter().filter(|finding| finding["what"] == "webhooks");
    of_webhooks.map(|finding| finding["text"].as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
async fn every_hostile_request_is_answered_and_harms_no_message() {
    let _alone = ALONE.lock().await;
    let (site, address) = under_load().await;
    let at = address.as_str();

    // Without proof, or with a wrong one.
    assert_eq!(post(at, "", b"{}").await, Some(401));
    assert_eq!(post(at, "Authorization: Bearer guess\r\n", b"{}").await, Some(401));
    assert_eq!(post(at, "", b"").await, Some(401));
    // Every authentic webhook is stored, readable or not.
    let deep = "[".repeat(1_000_000);
    let deeper = "{\"a\":".repeat(200_000);
    let wide = format!("[{}]", vec!["{}"; 100_000].join(","));
    let (large, zeros) = (format!("\"{}\"", "x".repeat(LARGEST - 2)), vec![0; 100_000]);
    // A compressed body is not unpacked.
    let bomb = [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3].repeat(100);
    for body in [
        b"".as_slice(),
        b"not JSON",
        b"\xff\xfe",
        deep.as_bytes(),
        deeper.as_bytes(),
        wide.as_bytes(),
        large.as_bytes(),
        &zeros,
    ] {
        assert_eq!(
            post(at, PROOF, body).await,
            Some(200),
            "{:?}…",
            String::from_utf8_lossy(&body[..body.len().min(20)])
        );
    }
    assert_eq!(post(at, &format!("{PROOF}Content-Encoding: gzip\r\n"), &bomb).await, Some(200));
    // Too large: by its stated length, by its bytes, or in chunks without an end.
    assert_eq!(send(at, &[&request("POST", PROOF, 1 << 30)]).await, Some(413), "before it has come");
    assert_eq!(post(at, PROOF, &vec![b'x'; LARGEST + 1]).await, Some(413));
    let endless = format!("POST /webhooks/8x8 HTTP/1.1\r\nHost: volley\r\n{PROOF}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let mut pieces = vec![endless.as_bytes()];
    pieces.resize(40, chunk.as_slice());
    assert!(matches!(send(at, &pieces).await, Some(413) | None));
    // Other methods, other paths, and no HTTP.
    for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD"] {
        assert_eq!(send(at, &[&request(method, PROOF, 0)]).await, Some(405), "{method}");
    }
    assert_eq!(send(at, &[b"POST /elsewhere HTTP/1.1\r\nHost: volley\r\nContent-Length: 0\r\n\r\n"]).await, Some(404));
    assert!(matches!(send(at, &[b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"]).await, Some(400) | None));
    let mut headers = String::from(PROOF);
    for n in 0..2_000 {
        write!(headers, "X-{n}: {n}\r\n").unwrap();
    }
    assert!(matches!(post(at, &headers, b"{}").await, Some(400 | 431) | None));

    // Half a body, and more silent connections than the door accepts.
    let mut half = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(&request("POST", PROOF, 1_000)).await.unwrap();
        stream.write_all(b"{\"half\":").await.unwrap();
        half.push(stream);
    }
    let mut crowd = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let address = address.clone();
        crowd.spawn(async move {
            let clock = clock();
            tokio::select! {
                stream = TcpStream::connect(address) => stream.ok(),
                // Connections beyond the door's limit.
                () = clock.sleep(Span::from_secs(3)) => None,
            }
        });
    }
    let crowd = crowd.join_all().await;
    let there = crowd.iter().flatten().count();
    assert!(there > 600, "more than there are places: {there}");
    assert_eq!(post(at, PROOF, b"not JSON either").await, Some(200), "an active client is answered");
    drop((crowd, half));

    // No message was harmed.
    let report = until("every message is submitted and reported", PATIENCE, || async {
        let report = site.report("promo").await;
        if report["open"] == 0 { Ok(report) } else { Err(report) }
    })
    .await;
    assert_eq!((&report["unknown_count"], &report["outcomes"]["silent"]), (&0.into(), &0.into()), "{report}");
    let seen = site.provider.seen().await;
    assert_eq!((seen.messages, seen.duplicates), (PEOPLE, 0));
    let found = unreadable(&site).await;
    assert!(found.contains("could not be read"), "{found}");
    assert!(memory_kib(&site) < 400 << 10, "{} KiB", memory_kib(&site));
    let said = site.server().output();
    assert!(said.lines().count() < 40, "no flood: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// A client that signs a body of the largest accepted size, and sends nearly all of it.
/// JSON whose objects have the key by which `serde_json` passes JSON through its own types, each with the next level as a text.
/// Escapes of four signs keep the quotes from doubling at each level.
fn json_within_json() -> String {
    let (open, close) = ("[".repeat(120), "]".repeat(120));
    let mut whole = format!("{open}{close}");
    while whole.len() < 1_000_000 {
        let text = whole.replace('\\', "\\u005c").replace('"', "\\u0022");
        whole = format!("{open}{{\"$serde_json::private::RawValue\":\"{text}\"}}{close}");
    }
    format!("{{\"a\":{whole}}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_within_json_does_not_end_the_server() {
    let (_site, address) = under_load().await;
    let body = json_within_json();
    let head = |path: &str, headers: &str| {
        let length = body.len();
        let lines =
            format!("Host: volley\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n");
        format!("POST {path} HTTP/1.1\r\n{lines}").into_bytes()
    };
    // No key is needed for the first; the second is taken, and stored as it came.
    let setup = send(&address, &[&head("/v1/setup", ""), body.as_bytes()]).await;
    assert_eq!(setup, Some(422));
    let webhook = send(&address, &[&head("/webhooks/8x8", PROOF), body.as_bytes()]).await;
    assert_eq!(webhook, Some(200));
    let alive = send(&address, &[b"GET /healthz HTTP/1.1\r\nHost: volley\r\n\r\n"]).await;
    assert_eq!(alive, Some(200));
}

async fn nearly_whole(address: String, body: Arc<Vec<u8>>) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = request("POST", "X-8x8-Signature: sha256=00\r\n", LARGEST);
    stream.write_all(&head).await.unwrap();
    // A client that is told to come again is cut off.
    let _ = stream.write_all(&body).await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
async fn large_unproven_bodies_cost_little_memory_and_delay_no_proven_one() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 48, profile: PROFILE.to_owned(), rate: 200, batch: None, connections: 16 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let signed = "webhook_secret_file = \"hook.key\"\nwebhook_authorization";
    std::fs::write(site.path("volley.toml"), config.replace("webhook_authorization", signed)).unwrap();
    std::fs::write(site.path("hook.key"), "secret").unwrap();
    site.serve().await;
    let address = site.webhooks();
    let before = status_kib(&site, "VmHWM:");

    let body = Arc::new(vec![b'x'; LARGEST - 1]);
    let mut strangers = JoinSet::new();
    for _ in 0..40 {
        strangers.spawn(nearly_whole(address.clone(), Arc::clone(&body)));
    }
    let mut streams = vec![strangers.join_next().await.unwrap().unwrap()];
    let proven = tokio::time::timeout(std::time::Duration::from_secs(5), post(&address, PROOF, b"{}"));
    assert_eq!(proven.await.unwrap(), Some(200));
    // Each has sent its whole body, or was told to come again.
    streams.extend(strangers.join_all().await);
    let grown = (status_kib(&site, "VmHWM:") - before) >> 10;
    assert!(grown < 160, "{grown} MiB for {} bodies", streams.len());
    let signed = sign(b"secret", b"{}");
    assert_eq!(
        post(&address, &format!("X-8x8-Signature: {signed}\r\n"), b"{}").await,
        Some(200),
        "small ones do not wait"
    );
}
