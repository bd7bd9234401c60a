//! What operators rely on beside campaigns: TLS by file, metrics, readiness, and requests that try tricks.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use volley::base::domain::Span;
use volley::http::metrics::ALL;

use crate::support::proxy::AUTHORITY;
use crate::support::{Installation, Shape, until};

const PATIENCE: Span = Span::from_secs(60);
const PEOPLE: u64 = 40;
const PROFILE: &str = "[channel.SMS]\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\ndelivered = 1.0\n\
                       sent_after = { median = \"20ms\", spread = 1.0 }\n\
                       delivered_after = { median = \"40ms\", spread = 1.0 }\n";

/// An installation with more lines under `[server]`.
async fn site(seed: u64, lines: &str) -> Installation {
    let shape = Shape { seed, profile: PROFILE.to_owned(), rate: 200, batch: None, connections: 4 };
    let site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let config = config.replace("[server]\n", &format!("[server]\n{lines}\n")).replace("\"unlimited\"", "\"10K\"");
    std::fs::write(site.path("volley.toml"), config).unwrap();
    site
}

/// Sends bytes, and reads all that comes until the server closes the connection.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    // A client whose request is refused may be cut off before its end.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: &str, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: volley\r\nConnection: close\r\n\r\n");
    let answer = ask(TcpStream::connect(address).await.unwrap(), request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Opens a TLS connection with these protocols.
async fn open_tls(address: &str, protocols: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
    volley::provider::client::install_tls();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(AUTHORITY).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_speaks_tls_and_renews_its_certificate_without_a_restart() {
    let mut site = site(121, "tls_certificate = \"server.pem\"\ntls_key = \"server.key\"").await;
    let fixtures = Path::new(AUTHORITY).parent().unwrap();
    let certificate = std::fs::read_to_string(fixtures.join("provider.pem")).unwrap();
    std::fs::write(site.path("server.pem"), &certificate).unwrap();
    std::fs::copy(fixtures.join("provider.key"), site.path("server.key")).unwrap();
    site.serve().await;
    let address = site.webhooks();
    // A client that begins no handshake delays no other.
    let silent = TcpStream::connect(&address).await.unwrap();
    let stream = open_tls(&address, &[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let stream = open_tls(&address, &[b"http/1.1"]).await.unwrap();
    let answer = ask(stream, b"GET /healthz HTTP/1.1\r\nHost: volley\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age=31536000\r\n"), "{answer}");
    let plain = ask(TcpStream::connect(&address).await.unwrap(), b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!plain.contains("200 OK"), "only TLS is spoken: {plain}");
    drop(silent);

    let chain = format!("{certificate}{}", std::fs::read_to_string(AUTHORITY).unwrap());
    std::fs::write(site.path("server.pem"), chain).unwrap();
    until("new connections use the new certificate", PATIENCE, || async {
        let stream = open_tls(&address, &[]).await.map_err(|error| error.to_string())?;
        let chain = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
        if chain == 2 { Ok(()) } else { Err(format!("{chain} certificates")) }
    })
    .await;
    std::fs::write(site.path("server.pem"), "no certificate").unwrap();
    site.server().wait_for_output("the former one stays in effect").await;
    assert!(open_tls(&address, &[]).await.is_ok());
    // A hangup reads it again at once.
    #[cfg(unix)]
    {
        std::fs::write(site.path("server.pem"), &certificate).unwrap();
        site.server().signal("HUP");
        site.server().wait_for_output("files read again: tls_certificate").await;
        let stream = open_tls(&address, &[]).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len), 1);
        std::fs::write(site.path("server.pem"), "no certificate").unwrap();
    }
    // A damaged certificate concerns the server alone: every other command works.
    let checked = site.volley(&["config", "check"]).await;
    assert!(!checked.status.success() && checked.stderr.contains("would not start: the file"), "{}", checked.stderr);
    let events = site.volley(&["events"]).await.stdout;
    assert!(events.contains("new connections use it") && events.contains("cannot be used"), "{events}");
}

/// The value of a sample.
fn sample(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_tell_what_the_campaign_did_and_need_a_key_unless_open() {
    let mut site = site(122, "metrics_open = true").await;
    site.write_people("people.csv", 0..PEOPLE);
    let campaign = "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    std::fs::write(site.path("promo.toml"), campaign).unwrap();
    site.serve().await;
    let address = site.webhooks();
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    until("every message is delivered", PATIENCE, || async {
        let report = site.report("promo").await;
        if report["open"] == 0 { Ok(()) } else { Err(report) }
    })
    .await;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let people = PEOPLE as f64;
    // A receipt may come before the answer to its submission is recorded.
    let counts = ["volley_request_seconds_count{lane=\"sms\"}", "volley_claim_to_record_seconds_count{lane=\"sms\"}"];
    let page = until("every answer is counted", PATIENCE, || async {
        let (status, page) = get(&address, "/metrics").await;
        let are_counted = status == 200 && counts.iter().all(|name| sample(&page, name) == Some(people));
        if are_counted { Ok(page) } else { Err(page) }
    })
    .await;
    for metric in ALL {
        let name = metric.full_name();
        let family = name.strip_suffix("_total").unwrap_or(&name);
        let kind = metric.kind.as_str();
        assert!(page.contains(&format!("# TYPE {family} {kind}\n")), "{name} is not on the page:\n{page}");
    }
    for (name, expected) in [
        ("volley_submissions_total{lane=\"sms\",step=\"1\",result=\"accepted\"}", people),
        ("volley_receipts_total{lane=\"sms\",step=\"1\",status=\"delivered\"}", people),
        ("volley_outcomes_total{lane=\"sms\",step=\"1\",outcome=\"reached\"}", people),
        ("volley_request_seconds_count{lane=\"sms\"}", people),
        ("volley_claim_to_record_seconds_count{lane=\"sms\"}", people),
        ("volley_queued_messages{lane=\"sms\"}", 0.0),
        ("volley_lane_rate{lane=\"sms\"}", 200.0),
        ("volley_tier_recipients_limit{portfolio=\"whatsapp\"}", 10_000.0),
        ("volley_writer_failed_commits_total", 0.0),
    ] {
        assert_eq!(sample(&page, name), Some(expected), "{name}:\n{page}");
    }
    assert!(sample(&page, "volley_disk_free_bytes").unwrap() > 0.0);
    assert!(sample(&page, "volley_writer_commit_seconds_count").unwrap() > 0.0);
    let webhooks = "volley_http_requests_total{route=\"/webhooks/8x8\",status=\"200\"}";
    assert!(sample(&page, webhooks).unwrap() > 0.0, "{page}");
    assert!(!page.contains("promo") && !page.contains("\"6591"), "no campaign and no recipient: {page}");

    let (status, text) = get(&address, "/readyz").await;
    assert_eq!((status, text.as_str()), (200, "ready\n"));
    let (_, text) = get(&address, "/readyz?verbose").await;
    let ready: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&ready["ready"], &ready["reasons"]), (&true.into(), &Value::Array(Vec::new())), "{ready}");
    assert!(ready["schema"].as_i64() > Some(0) && ready["disk_free_bytes"].as_u64() > Some(0), "{ready}");

    site.take_server().kill().await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    std::fs::write(site.path("volley.toml"), config.replace("metrics_open = true", "")).unwrap();
    site.serve().await;
    let (status, text) = get(&address, "/metrics").await;
    assert!(status == 401 && text.contains("no API key"), "{status} {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tricks_with_paths_and_lengths_reach_nothing() {
    let mut site = site(123, "").await;
    site.serve().await;
    let address = site.webhooks();
    for path in [
        "//healthz",
        "/./healthz",
        "/x/../healthz",
        "/%2e/healthz",
        "/healthz/",
        "/healthz%00",
        "/%68ealthz/..",
        "/webhooks%2f8x8",
        "/webhooks/../metrics",
        "/webhooks//8x8",
        "/\u{ff0f}healthz",
    ] {
        let (status, _) = get(&address, path).await;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert_eq!(
        get(&address, "http://elsewhere.example/healthz").await.0,
        200,
        "the absolute form names a path as well"
    );
    assert_eq!(get(&address, "http://elsewhere.example//healthz").await.0, 404);

    // A request names one host, as a proxy and the server must agree on it.
    for hosts in ["", "Host: x\r\nHost: y\r\n"] {
        let request = format!("GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = ask(TcpStream::connect(&address).await.unwrap(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts:?}: {answer}");
    }
    let old = ask(TcpStream::connect(&address).await.unwrap(), b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 ") && !old.contains("strict-transport-security"), "{old}");

    // A client that disagrees with itself about the length of its body gets no second request past the first.
    let second = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let body = format!("0\r\n\r\n{second}");
    let head = "POST /webhooks/8x8 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer practice\r\n";
    for lengths in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
    ] {
        let request = format!("{head}{lengths}\r\n{body}");
        let answer = ask(TcpStream::connect(&address).await.unwrap(), request.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{lengths:?}: {answer}");
    }
    // With both, the encoding counts (RFC 9112, 6.3), whichever comes first. The connection ends then, so the rest is no request.
    for lengths in
        ["Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n"]
    {
        let request = format!("{head}{lengths}\r\n{body}");
        let answer = ask(TcpStream::connect(&address).await.unwrap(), request.as_bytes()).await;
        let answers: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)).collect();
        assert!(matches!(answers.as_slice(), ["400"] | ["200"]), "{lengths:?}: {answer}");
    }

    // Half a body, and then no more: an answer, or an end, but no success.
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(format!("{head}Content-Length: 100\r\n\r\n{{\"half\":").as_bytes()).await.unwrap();
    half.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = half.read_to_string(&mut answer).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let (status, _) = get(&address, "/healthz").await;
    assert_eq!(status, 200, "the server goes on");
}

/// The status and the head of the answer to a request with these lines in its head.
async fn told(address: &str, request: &str, lines: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "{request} HTTP/1.1\r\nHost: volley\r\nConnection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
    );
    let answer = ask(TcpStream::connect(address).await.unwrap(), request.as_bytes()).await;
    let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    (head.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap(), head)
}

/// Signs in as a browser on an `https://` page does, with a wrong or the right password.
async fn signs_in(address: &str, lines: &str, password: &str) -> (u16, String) {
    let lines = format!("Origin: https://volley\r\nContent-Type: application/x-www-form-urlencoded\r\n{lines}");
    told(address, "POST /sign-in", &lines, &format!("name=ann&password={password}&next=/")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_trusted_proxy_names_the_client_that_counts() {
    let mut site = site(124, "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]").await;
    site.serve().await;
    let address = site.webhooks();
    let shop = ["key", "create", "--name", "shop", "--scope", "read,manage", "--address", "198.51.100.0/24", "--json"];
    let key = site.volley(&shop).await.json()["key"].as_str().unwrap().to_owned();
    std::fs::write(site.path("password"), "correct horse battery\n").unwrap();
    let ann = ["operator", "create", "ann", "--scope", "read", "--password-file", "password"];
    site.volley(&ann).await;
    let key = format!("Authorization: Bearer {key}\r\n");
    let (https, of) = ("X-Forwarded-Proto: https\r\n", |client: &str| format!("X-Forwarded-For: {client}\r\n"));

    // The limit of a key.
    for (forwarded, status) in [
        (String::new(), 403),
        (of("198.51.100.7"), 200),
        (of("203.0.113.9, 198.51.100.7"), 200),
        (of("203.0.113.9, 198.51.100.7, 10.0.0.1"), 200),
        (of("198.51.100.7, 203.0.113.9"), 403),
    ] {
        assert_eq!(told(&address, "GET /v1/lanes", &format!("{key}{forwarded}"), "").await.0, status, "{forwarded}");
    }
    // The audit log.
    let json = "Content-Type: application/json\r\n";
    let lines = format!("{key}{json}{}", of("203.0.113.9, 198.51.100.7"));
    let opted_out = told(&address, "POST /v1/opt-outs", &lines, "{\"numbers\": [\"+6591234567\"]}").await;
    assert_eq!(opted_out.0, 200, "{}", opted_out.1);
    let log = site.volley(&["audit-log", "--json"]).await.stdout;
    assert!(log.contains("\"peer\":\"198.51.100.7\"") && !log.contains("203.0.113.9"), "{log}");

    // The lock after wrong passwords, the own origin and the cookie.
    let (client, other) = (format!("{https}{}", of("203.0.113.9")), format!("{https}{}", of("203.0.113.10")));
    for _ in 0..10 {
        assert_eq!(signs_in(&address, &client, "wrong").await.0, 401);
    }
    assert_eq!(signs_in(&address, &client, "wrong").await.0, 429);
    assert_eq!(signs_in(&address, &of("203.0.113.10"), "wrong").await.0, 403, "an https page of another site");
    let (status, head) = signs_in(&address, &other, "correct+horse+battery").await;
    assert!(status == 303 && head.contains("set-cookie: __Host-volley=") && head.contains("; Secure"), "{head}");

    // Without trust, the headers count for nothing.
    site.take_server().kill().await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    std::fs::write(site.path("volley.toml"), config.replace("\"127.0.0.1\", ", "")).unwrap();
    site.serve().await;
    assert_eq!(told(&address, "GET /v1/lanes", &format!("{key}{}", of("198.51.100.7")), "").await.0, 403);
    assert_eq!(signs_in(&address, &other, "correct+horse+battery").await.0, 403);
}
