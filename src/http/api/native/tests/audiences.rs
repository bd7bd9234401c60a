//! Tests of uploads, audiences, exports, search and contacts, from the request to the answer.

use std::net::SocketAddr;

use axum::http::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::base::domain::Span;
use crate::http::api::door::{Door, LimitedListener, Peer};

const FILE: &str = "number,ClientMessageId,FirstName\n+6591234567,c-1,Ann\n+6598765432,c-2,=1+1\n+6590000001,c-3,Cem\n";
const PART: &str = "application/offset+octet-stream";

fn both() -> Arc<Caller> {
    caller("a", &[Scope::Read, Scope::Manage])
}

impl Bench {
    async fn ask(&self, method: Method, path: &str, body: Value) -> Answered {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(Some(both()), request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn send_part(&self, place: &str, offset: &str, part: &'static str) -> Answered {
        let request = Request::patch(place).header("content-type", PART).header("upload-offset", offset);
        self.send(Some(both()), request.body(Body::from(part)).unwrap()).await
    }

    /// Begins an upload, and returns its address.
    async fn begin_upload(&self, length: Option<usize>) -> String {
        let begun = self.ask(Method::POST, "/v1/uploads", json!({"name": "members.csv", "length": length})).await;
        assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
        begun.headers["location"].to_str().unwrap().to_owned()
    }

    /// Imports the file as an audience.
    async fn import_file(&self, name: &str) {
        self.import_text(name, FILE).await;
    }

    /// Imports the text of a file as an audience.
    async fn import_text(&self, name: &str, text: &str) {
        self.import_with(name, text, json!({})).await;
    }

    async fn import_with(&self, name: &str, text: &str, options: Value) {
        let place = self.begin_upload(None).await;
        let part = Request::patch(&place).header("content-type", PART).header("upload-offset", "0");
        let part = part.body(Body::from(text.to_owned())).unwrap();
        assert_eq!(self.send(Some(both()), part).await.status, StatusCode::NO_CONTENT);
        let id = place.rsplit('/').next().unwrap();
        let accepted =
            self.ask(Method::POST, "/v1/audiences", json!({"upload": id, "name": name, "options": options})).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
        self.imports.ended().await;
        let imported = self.ask(Method::GET, &place, json!({})).await;
        assert_eq!(imported.body["import"]["state"], "done", "{}", imported.text);
    }

    async fn launch_to(&self, name: &str, audience: &str) {
        let lane =
            config().lanes.iter().find(|lane| lane.channel == crate::base::domain::Channel::Sms).unwrap().name.clone();
        let step = json!([{"channel": "SMS", "lane": lane, "text": "Hi {{FirstName}}"}]);
        let body = json!({"name": name, "audience": [audience], "step": step});
        let launched = self.ask(Method::POST, "/v1/campaigns", body).await;
        assert_eq!(launched.status, StatusCode::CREATED, "{}", launched.text);
    }

    /// The values of a key of all items of a list, page by page.
    async fn all(&self, path: &str, key: &str) -> Vec<Value> {
        let (mut next, mut all) = (path.to_owned(), Vec::new());
        // The requests of each second are limited.
        self.clock.advance(Span::from_secs(1));
        loop {
            let page = self.get(&next).await;
            assert_eq!(page.status, StatusCode::OK, "{next}: {}", page.text);
            all.extend(page.body["items"].as_array().unwrap().iter().map(|item| item[key].clone()));
            let Some(cursor) = page.body["next"].as_str() else { return all };
            next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
        }
    }
}

#[tokio::test]
async fn an_upload_is_continued_where_it_broke_off() {
    let bench = Bench::new().await;
    let place = bench.begin_upload(Some(FILE.len())).await;
    let sent = bench.send_part(&place, "0", &FILE[..30]).await;
    assert_eq!((sent.status, &sent.headers["upload-offset"]), (StatusCode::NO_CONTENT, &"30".parse().unwrap()));
    // Another start of the server, as after a crash.
    let bench = bench.next_start();
    let head = Request::head(&place).body(Body::empty()).unwrap();
    let head = bench.send(Some(both()), head).await;
    let header = |name: &str| head.headers[HeaderName::try_from(name).unwrap()].to_str().unwrap().to_owned();
    assert_eq!((header("upload-offset"), header("upload-length")), ("30".to_owned(), FILE.len().to_string()));
    let wrong = bench.send_part(&place, "29", "x").await;
    assert_eq!((code(&wrong), &wrong.headers["upload-offset"]), ((409, "conflict"), &"30".parse().unwrap()));
    let sent = bench.send_part(&place, "30", &FILE[30..]).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT);
    assert_eq!(code(&bench.send_part(&place, &FILE.len().to_string(), "x").await), (413, "too_large"));
    let deleted = bench.ask(Method::DELETE, &place, json!({})).await;
    assert_eq!(
        (deleted.status, code(&bench.ask(Method::GET, &place, json!({})).await)),
        (StatusCode::NO_CONTENT, (404, "not_found"))
    );
}

#[tokio::test]
async fn wrong_uploads_are_refused_with_a_sentence() {
    let bench = Bench::new().await;
    let place = bench.begin_upload(None).await;
    let form = Request::patch(&place).header("content-type", "text/csv").header("upload-offset", "0");
    let form = form.body(Body::from(FILE)).unwrap();
    assert_eq!(code(&bench.send(Some(both()), form).await), (415, "unsupported_media_type"));
    for offset in ["", "-1", "x", "1e3"] {
        assert_eq!(code(&bench.send_part(&place, offset, "x").await), (400, "invalid_parameter"), "{offset}");
    }
    for path in ["/v1/uploads/upl_..%2f..%2fetc%2fpasswd", "/v1/uploads/..%2fvolley.db", "/v1/uploads/upl_1"] {
        assert_eq!(code(&bench.send_part(path, "0", "x").await), (404, "not_found"), "{path}");
    }
    for (body, pointer) in [
        (json!({"name": "../x.csv"}), Some("/name")),
        (json!({"name": "x.csv", "length": -1}), Some("/length")),
        (json!({"name": "x.csv", "colour": "red"}), None),
    ] {
        let refused = bench.ask(Method::POST, "/v1/uploads", body.clone()).await;
        assert_eq!(code(&refused), (422, "invalid"), "{body}");
        assert!(pointer.is_none_or(|pointer| refused.body["errors"][0]["pointer"] == pointer), "{}", refused.text);
    }
    let id = place.rsplit('/').next().unwrap();
    for (body, pointer) in [
        (json!({"upload": id}), "/name"),
        (json!({"upload": id, "name": "a", "append": "b"}), "/name"),
        (json!({"upload": id, "name": "a", "options": {"encoding": "EBCDIC"}}), "/options/encoding"),
    ] {
        let refused = bench.ask(Method::POST, "/v1/audiences", body.clone()).await;
        assert_eq!(
            (code(&refused), &refused.body["errors"][0]["pointer"]),
            ((422, "invalid"), &json!(pointer)),
            "{body}"
        );
    }
    let empty = bench.ask(Method::POST, "/v1/audiences/check", json!({"upload": id})).await;
    assert_eq!(code(&empty), (422, "invalid"), "{}", empty.text);
}

#[tokio::test]
async fn an_audience_is_checked_imported_shown_exported_and_deleted() {
    let bench = Bench::new().await;
    let place = bench.begin_upload(None).await;
    bench.send_part(&place, "0", FILE).await;
    let id = place.rsplit('/').next().unwrap();
    let checked = bench.ask(Method::POST, "/v1/audiences/check", json!({"upload": id})).await;
    assert_eq!((&checked.body["valid"], &checked.body["countries"]["SG"]), (&json!(3), &json!(3)), "{}", checked.text);
    for name in ["b members", "a members", "c members"] {
        bench.import_file(name).await;
    }
    assert_eq!(bench.all("/v1/audiences?limit=1", "name").await, ["a members", "b members", "c members"]);
    let shown = bench.get("/v1/audiences/a%20members").await;
    assert_eq!((&shown.body["recipients"], &shown.body["parts"][0]["source"]), (&json!(3), &json!("members.csv")));
    let sample = bench.get("/v1/audiences/a%20members/sample?recipients=2").await;
    assert_eq!(sample.body[0]["fields"]["FirstName"], "Ann", "{}", sample.text);
    assert_eq!(sample.body.as_array().unwrap().len(), 2);
    let csv = bench.get("/v1/audiences/a%20members/export").await;
    let rows: Vec<&str> = csv.text.lines().collect();
    assert_eq!(rows[0], "msisdn,country,number,ClientMessageId,FirstName");
    assert_eq!((rows[2], rows.len()), ("+6598765432,SG,+6598765432,c-2,'=1+1", 4));
    let lines = bench.get("/v1/audiences/a%20members/export?format=ndjson").await;
    let second: Value = serde_json::from_str(lines.text.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&second["msisdn"], &second["FirstName"]), (&json!("+6598765432"), &json!("=1+1")));
    bench.launch_to("Promo", "b members").await;
    let used = bench.ask(Method::DELETE, "/v1/audiences/b%20members", json!({})).await;
    assert_eq!(code(&used), (409, "conflict"), "{}", used.text);
    let deleted = bench.ask(Method::DELETE, "/v1/audiences/a%20members", json!({})).await;
    assert_eq!((deleted.status, &deleted.body["recipients"]), (StatusCode::OK, &json!(3)));
    assert_eq!(code(&bench.get("/v1/audiences/a%20members").await), (404, "not_found"));
}

#[tokio::test]
async fn a_campaign_is_exported_with_its_columns() {
    let bench = Bench::new().await;
    bench.import_file("members").await;
    bench.launch_to("Promo", "members").await;
    let csv = bench.get("/v1/campaigns/Promo/export?columns=number,state,FirstName").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8; header=present");
    let rows: Vec<&str> = csv.text.lines().collect();
    assert_eq!(rows[..2], ["number,state,FirstName", "+6591234567,queued,Ann"]);
    assert_eq!(rows.len(), 4);
    let lines = bench.get("/v1/campaigns/Promo/export?format=ndjson").await;
    let first: Value = serde_json::from_str(lines.text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["ClientMessageId"], &first["1 SMS status"]), (&json!("c-1"), &json!("queued")));
    let wrong = bench.get("/v1/campaigns/Promo/export?columns=nmber").await;
    assert_eq!((code(&wrong), &wrong.body["errors"][0]["parameter"]), ((400, "invalid_parameter"), &json!("columns")));
    assert_eq!(code(&bench.get("/v1/campaigns/None/export").await), (404, "not_found"));
}

#[tokio::test]
async fn messages_are_found_in_all_campaigns() {
    let bench = Bench::new().await;
    bench.import_file("members").await;
    bench.import_file("others").await;
    for (name, audience) in [("one", "members"), ("two", "others"), ("three", "members")] {
        bench.launch_to(name, audience).await;
    }
    bench.ask(Method::POST, "/v1/campaigns/three/cancel", json!({})).await;
    // The latest recipient file first, and of it the latest campaign; also page by page.
    for limit in [1, 2, 50] {
        for whom in ["number=%2B6598765432", "client_message_id=c-2", "client_message_id=c-2&number=%2B6598765432"] {
            let found = bench.all(&format!("/v1/messages?limit={limit}&{whom}"), "campaign").await;
            assert_eq!(found, ["two", "three", "one"], "{whom}");
        }
        let cancelled = format!("/v1/messages?limit={limit}&number=%2B6598765432&outcome=cancelled");
        assert_eq!(bench.all(&cancelled, "campaign").await, ["three"]);
        let queued = bench.all(&format!("/v1/messages?limit={limit}&state=queued"), "campaign").await;
        assert_eq!(queued, ["two", "two", "two", "one", "one", "one"]);
        assert_eq!(bench.all(&format!("/v1/messages?limit={limit}"), "id").await.len(), 9);
        let of_one = bench.all(&format!("/v1/messages?limit={limit}&campaign=one&state=done"), "id").await;
        assert_eq!(of_one, [] as [Value; 0]);
    }
    for none in
        ["number=%2B6591111111", "client_message_id=c-9", "umid=unknown", "client_message_id=c-1&number=%2B6598765432"]
    {
        assert_eq!(bench.all(&format!("/v1/messages?{none}"), "id").await, [] as [Value; 0], "{none}");
    }
    assert_eq!(code(&bench.get("/v1/messages?state=lost").await), (400, "invalid_parameter"));
}

#[tokio::test]
async fn a_contact_has_its_messages_and_its_opt_out() {
    let bench = Bench::new().await;
    bench.import_file("members").await;
    bench.launch_to("one", "members").await;
    bench.launch_to("two", "members").await;
    let out = json!({"numbers": ["+6598765432"], "reason": "asked on the phone"});
    bench.ask(Method::POST, "/v1/opt-outs", out).await;
    let contact = bench.get("/v1/contacts/%2B6598765432?limit=1").await;
    assert_eq!((contact.status, &contact.body["is_opted_out"]), (StatusCode::OK, &json!(true)), "{}", contact.text);
    assert_eq!(contact.body["messages"][0]["campaign"], "two", "{}", contact.text);
    let more = contact.body["more_messages"].as_str().unwrap();
    let rest = bench.get(more).await;
    assert_eq!(rest.body["items"][0]["campaign"], "one", "{}", rest.text);
    let unknown = bench.get("/v1/contacts/%2B6591111111").await;
    assert_eq!((&unknown.body["messages"], unknown.body.get("more_messages")), (&json!([]), None));
    assert_eq!(code(&bench.get("/v1/contacts/unknown").await), (400, "invalid_parameter"));
}

/// The API behind its door, for a caller who may do everything.
async fn served(bench: &Bench) -> (SocketAddr, Arc<Door>) {
    let door = Door::new(Arc::clone(&bench.clock) as Arc<dyn Clock>, None, Vec::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let by = axum::middleware::from_fn(async |mut request: axum::extract::Request, next: axum::middleware::Next| {
        request.extensions_mut().insert(both());
        next.run(request).await
    });
    let router =
        bench.router.clone().layer(by).layer(from_fn_with_state(Arc::clone(&door), crate::http::api::door::visit));
    let limited = LimitedListener::new(listener, Arc::clone(&door));
    let serving = axum::serve(limited, router.into_make_service_with_connect_info::<Peer>());
    tokio::spawn(async move { serving.await });
    (at, door)
}

async fn send_slowly(at: SocketAddr, place: &str, offset: usize, length: usize, bytes: &str) -> TcpStream {
    let mut client = TcpStream::connect(at).await.unwrap();
    let head = format!(
        "PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Type: {PART}\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{bytes}"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

async fn answer(mut client: TcpStream) -> String {
    let mut text = String::new();
    let _ = client.read_to_string(&mut text).await;
    text
}

/// Waits until so much of an upload has arrived.
async fn arrived(bench: &Bench, place: &str, bytes: u64) {
    let id = place.rsplit('/').next().unwrap().parse().unwrap();
    while bench.uploads.get(id).unwrap().offset != bytes {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_half_closed_upload_keeps_what_has_arrived() {
    let bench = Bench::new().await;
    let place = bench.begin_upload(None).await;
    let (at, _) = served(&bench).await;
    let mut client = send_slowly(at, &place, 0, 100, &FILE[..40]).await;
    arrived(&bench, &place, 40).await;
    client.shutdown().await.unwrap();
    // The server may answer, or close the connection: its client has ended it.
    let text = answer(client).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{text}");
    let client = send_slowly(at, &place, 40, FILE.len() - 40, &FILE[40..]).await;
    assert!(answer(client).await.starts_with("HTTP/1.1 204"));
    arrived(&bench, &place, FILE.len() as u64).await;
}

#[tokio::test]
async fn a_slow_sender_is_ended_and_keeps_what_has_arrived() {
    let bench = Bench::new().await;
    let place = bench.begin_upload(None).await;
    let (at, _) = served(&bench).await;
    let client = send_slowly(at, &place, 0, 100, &FILE[..40]).await;
    arrived(&bench, &place, 40).await;
    let time_passes = async {
        loop {
            tokio::task::yield_now().await;
            bench.clock.advance(Span::from_secs(1));
        }
    };
    let text = tokio::select! {
        text = answer(client) => text,
        () = time_passes => unreachable!(),
    };
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("too_slow"), "{text}");
    arrived(&bench, &place, 40).await;
}

#[tokio::test]
async fn a_watched_campaign_ends_with_the_server() {
    let bench = Bench::new().await;
    bench.launch("Promo").await;
    let (at, door) = served(&bench).await;
    let mut client = TcpStream::connect(at).await.unwrap();
    client.write_all(b"GET /v1/campaigns/Promo/watch HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    while !text.contains("event: campaign") {
        let mut bytes = [0; 4_096];
        let read = client.read(&mut bytes).await.unwrap();
        assert!(read > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    door.close();
    let mut rest = String::new();
    let _ = client.read_to_string(&mut rest).await;
    assert!((text + &rest).ends_with("0\r\n\r\n"), "the stream ends in good order");
}

/// Tables of recipients with hostile cells, each with a default country: the columns have names of Volley's own, the numbers are
/// national, and one column holds area codes.
fn hostile_tables() -> [(&'static str, String); 4] {
    const CELLS: [&str; 12] =
        ["=1+1", "'=1+1", "''@x", "-20 %", "'-20 %", "+1", "-1,5", "@you", "\t+x", "'", "'Ann'", ""];
    let rows = |row: &dyn Fn(usize, &str) -> String| -> String {
        CELLS.iter().enumerate().map(|(index, cell)| row(index, cell)).collect()
    };
    let of = |header: &str, row: &dyn Fn(usize, &str) -> String| format!("{header}\n{}", rows(row));
    [
        ("SG", of("Mobile,Code,=Name", &|n, cell| format!("\"9123 45{n:02}\",\"{cell}\",x\n"))),
        ("SG", of("msisdn,country,Code", &|n, cell| format!("+65912345{n:02},SG,\"{cell}\"\n"))),
        ("DE", of("Vorwahl,Telefon,Code", &|n, cell| format!("0151,234560{n:02},\"{cell}\"\n"))),
        ("DE", of("Code,Telefon", &|n, cell| format!("\"{cell}\",\"0049 (0)151 234560{n:02} / 030 901820\"\n"))),
    ]
}

#[tokio::test]
async fn an_exported_audience_imports_again_as_it_was() {
    let bench = Bench::new().await;
    for (number, (country, table)) in hostile_tables().into_iter().enumerate() {
        let mut exports = Vec::new();
        let mut text = table;
        for round in 0..3 {
            bench.clock.advance(Span::from_secs(1));
            let name = format!("{number}-{round}");
            // Only the first file needs the country: the export has it.
            let country = if round == 0 { json!({"country": country}) } else { json!({}) };
            bench.import_with(&name, &text, country).await;
            text = bench.get(&format!("/v1/audiences/{name}/export")).await.text;
            let facts = bench.get(&format!("/v1/audiences/{name}")).await.body;
            let rows = bench.get(&format!("/v1/audiences/{name}/export?format=ndjson")).await.text;
            exports.push((facts["columns"].clone(), facts["recipients"].clone(), rows, text.clone()));
        }
        assert_eq!(exports[0].1, 12, "{}", exports[0].3);
        assert_eq!(exports[0], exports[1]);
        assert_eq!(exports[1], exports[2]);
    }
}

#[tokio::test]
async fn two_columns_called_like_those_of_an_export_are_columns_of_the_file() {
    let bench = Bench::new().await;
    bench.import_text("own", "msisdn,country,Code\n+6591234567,SG,'=1\n+6598765432,SG,x\n").await;
    let facts = bench.get("/v1/audiences/own").await.body;
    assert_eq!(facts["columns"], json!(["msisdn", "country", "Code"]));
    let rows = bench.get("/v1/audiences/own/export?format=ndjson").await.text;
    assert!(rows.contains(r#""Code":"'=1""#), "{rows}");
}
