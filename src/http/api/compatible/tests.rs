//! The 8x8 API, over the whole router and a real store: its answers are those of the provider's documents.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request};
use serde_json::{Value, json};
use tower_service::Service as _;

use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::Config;
use crate::base::domain::{
    BatchId, CampaignId, Channel, Content, Loaded, MessageId, MessageKey, OptOutOf, OptOutSource, Outcome, Plan,
    Purpose, Scope, Scopes, Span, State, Step, Timestamp, WishSubject,
};
use crate::campaigns::report::MessageViews;
use crate::http::access::{Access, Caller};
use crate::http::api::Shared;
use crate::recipients::uploads::UploadFolder;
use crate::rules::wire::samples::{Sample, filled, sample, samples};
use crate::store::{Batch, Cursor, FetchedTemplates, OptOut, Store, StoredTemplate, TemplatePlace, open};

const MESSAGES: &str = "/api/v1/subaccounts/acme/messages";
const CHANNELS: [Channel; 7] = [
    Channel::WhatsApp,
    Channel::Viber,
    Channel::Sms,
    Channel::Rcs,
    Channel::Line,
    Channel::ZaloNotification,
    Channel::LineNotification,
];
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The server's API over a database in memory, with a lane on every channel.
struct Bench {
    router: Router,
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

/// A configuration with more lines under `[server]`.
fn config(server: &str) -> Arc<Config> {
    config_with(server, "")
}

/// The same with more sections.
fn config_with(server: &str, more: &str) -> Arc<Config> {
    let mut text = format!("[server]\n{server}\n");
    text += "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                    webhook_authorization = \"Bearer h\"\n";
    for channel in CHANNELS {
        let channel = channel.as_str();
        write!(text, "[[lane]]\nname = \"{channel}\"\nchannel = \"{channel}\"\nrate = \"10/s\"\n").unwrap();
    }
    text += "[[lane]]\nname = \"other\"\nchannel = \"SMS\"\nrate = \"10/s\"\nsub_account = \"other\"\n";
    text += more;
    Arc::new(Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), []).unwrap().config)
}

fn caller(id: &str, scopes: &[Scope], sub_accounts: Option<&[&str]>) -> Arc<Caller> {
    let scopes = scopes.iter().fold(Scopes::default(), |all, scope| all.with(*scope));
    let sub_accounts = sub_accounts.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Arc::new(Caller {
        id: id.to_owned(),
        name: id.to_owned(),
        scopes,
        sub_accounts,
        lanes: None,
        requests_per_s: None,
        purpose: None,
        session: None,
    })
}

/// The program that most tests are.
fn shop() -> Arc<Caller> {
    caller("shop", &[Scope::Read, Scope::Send], None)
}

fn text(text: &str) -> Value {
    json!({ "user": { "msisdn": "+6591234567" }, "type": "text", "content": { "text": text },
        "channels": [{ "channel": "SMS" }] })
}

#[derive(Debug)]
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answered {
    fn umid(&self) -> MessageId {
        self.body["umid"].as_str().unwrap_or_else(|| panic!("no umid: {self:?}")).parse().unwrap()
    }

    /// The status and the provider's code.
    fn error(&self) -> (u16, i64) {
        (self.status, self.body["code"].as_i64().unwrap_or_default())
    }
}

impl Bench {
    async fn new() -> Self {
        Self::of(config("")).await
    }

    async fn of(config: Arc<Config>) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let parts = crate::http::api::tests::parts(config, &store, &clock, Arc::new(Chance::seeded(1)));
        let access = Access::new(Arc::clone(&store));
        let folder = tempfile::tempdir().unwrap();
        let (path, most) = (folder.path().join("uploads"), parts.config.server.uploads_max);
        let uploads = UploadFolder::open(path, most, Arc::clone(&parts.clock), Arc::clone(&parts.chance)).unwrap();
        Self { router: crate::http::api::routes(Shared::new(parts, access, uploads)), store, clock, _folder: folder }
    }

    async fn send(&self, by: Option<Arc<Caller>>, mut request: Request<Body>) -> Answered {
        if let Some(by) = by {
            request.extensions_mut().insert(by);
        }
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answered { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Answered {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        self.send(Some(shop()), request).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answered {
        self.call(Method::POST, path, &body.to_string()).await
    }

    async fn once(&self, by: &Arc<Caller>, key: &str, body: &Value) -> Answered {
        let request = Request::post(MESSAGES).header("idempotency-key", key).body(Body::from(body.to_string()));
        self.send(Some(Arc::clone(by)), request.unwrap()).await
    }

    async fn details(&self, umid: &str) -> Answered {
        self.clock.advance(Span::from_secs(1));
        self.call(Method::GET, &format!("{MESSAGES}/{umid}"), "").await
    }

    async fn message(&self, id: MessageId) -> Loaded {
        self.store.load(vec![id.key]).await.unwrap().pop().unwrap()
    }

    async fn plan(&self, batch: BatchId) -> Plan {
        self.store.plan(batch).await.unwrap().unwrap()
    }

    async fn batches(&self) -> Vec<Batch> {
        self.store.batches(None).await.unwrap()
    }
}

#[tokio::test]
async fn every_sample_request_of_the_documents_is_accepted_and_stored() {
    let bench = Bench::new().await;
    let mut umids = BTreeSet::new();
    for Sample { at, is, body } in samples() {
        let mut body = filled(&body);
        // Suggestions are of RCS, which a subaccount with no other channel need not name.
        if is == "send" && !body["content"]["suggestions"].is_null() && body["channels"].is_null() {
            body["channels"] = json!([{ "channel": "RCS" }]);
        }
        match is.as_str() {
            "batch" => {
                let answer = bench.post(&format!("{MESSAGES}/batch"), &body).await;
                let count = body["messages"].as_array().unwrap().len();
                let counts = (&answer.body["acceptedCount"], &answer.body["rejectedCount"]);
                assert_eq!((answer.status, counts), (200, (&json!(count), &json!(0))), "{at}: {}", answer.body);
            }
            _ => {
                let path = if is == "notification" { "/api/v1/subaccounts/acme/lon" } else { MESSAGES };
                let answer = bench.post(path, &body).await;
                assert_eq!(
                    (answer.status, &answer.body["status"]["state"]),
                    (200, &json!("queued")),
                    "{at}: {}",
                    answer.body
                );
                let id = answer.umid();
                assert!(umids.insert(id.uuid()), "{at}: the same umid twice");
                assert!(matches!(bench.message(id).await.present.state, State::Queued { .. }), "{at}");
            }
        }
    }
    assert!(umids.len() > 50, "{}", umids.len());
}

#[tokio::test]
async fn an_answer_has_the_keys_of_the_documents_and_the_callers_own_id() {
    let bench = Bench::new().await;
    let mut body = text("Hello");
    body["clientMessageId"] = json!("order-42");
    let answer = bench.post(MESSAGES, &body).await;
    let umid = answer.body["umid"].clone();
    let wanted = json!({
        "umid": umid,
        "user": { "msisdn": "+6591234567" },
        "clientMessageId": "order-42",
        "status": { "state": "queued", "timestamp": "2027-01-15T08:00:00.000Z" },
    });
    assert_eq!((answer.status, &answer.body), (200, &wanted));
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    let sms = json!({ "destination": "+6591234567", "text": "Hello", "clientMessageId": "a" });
    let answer = bench.post(MESSAGES, &sms).await;
    assert_eq!(answer.body["status"]["code"], "QUEUED", "the SMS API answers in its own form: {}", answer.body);
}

#[tokio::test]
async fn an_unknown_address_answers_a_program_in_json_and_a_browser_with_a_page() {
    let bench = Bench::new().await;
    let (json, html) = ("application/problem+json", "text/html; charset=utf-8");
    for (accept, media) in
        [(None, json), (Some("application/json"), json), (Some("*/*"), json), (Some("text/html,*/*;q=0.8"), html)]
    {
        for (method, path) in
            [(Method::GET, "/config/v1/channels"), (Method::POST, "/api"), (Method::DELETE, "/sign-in")]
        {
            let mut request = Request::builder().method(&method).uri(path);
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let answer = bench.send(Some(shop()), request.body(Body::empty()).unwrap()).await;
            let expected = if path == "/sign-in" { 405 } else { 404 };
            assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (expected, media), "{path}");
            assert_eq!(answer.body["status"].as_u64().is_some(), media == json, "{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn errors_have_the_codes_words_and_statuses_of_the_documents() {
    let bench = Bench::new().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = text("Hello");
        change(&mut body);
        body
    };
    let number = with(&|body| body["user"]["msisdn"] = json!("91234567x"));
    let answer = bench.post(MESSAGES, &number).await;
    assert_eq!(answer.error(), (400, 1_002));
    assert_eq!(answer.body["message"], "Invalid MSISDN format (not E.164 international number)");
    assert_eq!(answer.body["timestamp"], "2027-01-15T08:00:00.000Z");
    assert!(answer.body["errorId"].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    for (change, code) in [
        (&(|body: &mut Value| body["type"] = json!("fax")) as &dyn Fn(&mut Value), 3_010),
        (&|body| body["content"] = Value::Null, 3_004),
        (&|body| body["user"] = json!({}), 3_002),
        (&|body| body["channels"][0]["channel"] = json!("Pigeon"), 3_022),
        (&|body| body["channels"][0]["fallbackAfter"] = json!(5), 3_023),
        (&|body| body["channels"][0]["successStatus"] = json!("Read"), 3_026),
        (&|body| body["channels"][0]["channelId"] = json!("unknown"), 3_051),
        (&|body| body["clientMessageId"] = json!("x".repeat(51)), 3_009),
        (&|body| body["dlrCallbackUrl"] = json!("ftp://a"), 3_020),
        (&|body| body["expiry"] = json!("2020-01-01T00:00:00Z"), 1_006),
        (&|body| body["scheduled"] = json!("tomorrow"), 1_011),
    ] {
        let body = with(change);
        assert_eq!(bench.post(MESSAGES, &body).await.error(), (400, code), "{body}");
    }
    for body in ["", "{", "[1]", "\u{0}", "{\"user\": 7}", &"[".repeat(100_000)] {
        let answer = bench.call(Method::POST, MESSAGES, body).await;
        assert_eq!(answer.error(), (400, 1_000), "{}", &body[..body.len().min(20)]);
        assert!(answer.body["message"].as_str().unwrap().starts_with("Invalid parameter: "));
    }
    let foreign = bench.post("/api/v1/subaccounts/unknown/messages", &text("a")).await;
    assert_eq!(foreign.error(), (400, 1_001));
    let unknown = bench.details("91b106f0-c0da-4aba-a43a-7af9c5893a80").await;
    assert_eq!((unknown.error(), &unknown.body["message"]), ((404, 4_018), &json!("Invalid jobId")));
    let again = bench.call(Method::GET, &format!("{MESSAGES}/91b106f0-c0da-4aba-a43a-7af9c5893a80"), "").await;
    assert_eq!((again.error(), again.headers["retry-after"].to_str().unwrap()), ((429, 429), "1"));
    assert_eq!(again.body["message"], "Quota exceeded. Please try again in 1 second(s).");
    for (method, path) in [(Method::GET, format!("{MESSAGES}/a/b")), (Method::PUT, MESSAGES.to_owned())] {
        assert_eq!(bench.call(method, &path, "").await.error(), (404, 1_300), "{path}");
    }
    assert!(bench.batches().await.is_empty(), "a refused request stores nothing");
}

#[tokio::test]
async fn a_key_needs_its_scope_and_sees_its_own_subaccounts_alone() {
    let bench = Bench::new().await;
    let request = || Request::post(MESSAGES).body(Body::from(text("a").to_string())).unwrap();
    assert_eq!(bench.send(None, request()).await.error(), (401, 1_200));
    let reader = caller("reader", &[Scope::Read], None);
    assert_eq!(bench.send(Some(reader), request()).await.error(), (403, 1_201));
    let of_other = caller("other", &[Scope::Read, Scope::Send], Some(&["other"]));
    assert_eq!(bench.send(Some(Arc::clone(&of_other)), request()).await.error(), (400, 1_001));

    // A message of one subaccount is not found under another, even by a key of both.
    let sent = bench.post(MESSAGES, &text("a")).await;
    let batch = bench.post(&format!("{MESSAGES}/batch"), &json!({ "messages": [text("b")] })).await;
    let umid = sent.body["umid"].as_str().unwrap().to_owned();
    let batch = batch.body["batchId"].as_str().unwrap().to_owned();
    for by in [shop(), of_other] {
        bench.clock.advance(Span::from_secs(1));
        let of_other = |path: String| format!("/api/v1/subaccounts/other/messages/{path}");
        let details = Request::get(of_other(umid.clone())).body(Body::empty()).unwrap();
        assert_eq!(bench.send(Some(Arc::clone(&by)), details).await.error(), (404, 4_018));
        let cancel = Request::delete(of_other(format!("batch/{batch}"))).body(Body::empty()).unwrap();
        assert_eq!(bench.send(Some(by), cancel).await.error(), (404, 1_300));
    }
}

#[tokio::test]
async fn a_key_with_lanes_reaches_no_batch_of_other_lanes_and_no_templates() {
    let bench = Bench::new().await;
    let scopes = [Scope::Read, Scope::Send, Scope::Manage];
    let of_whatsapp =
        Caller { lanes: Some(vec!["WhatsApp".to_owned()]), ..(*caller("limited", &scopes, None)).clone() };
    let of_whatsapp = Arc::new(of_whatsapp);
    let sent = bench.post(&format!("{MESSAGES}/batch"), &json!({ "messages": [text("b")] })).await;
    let (batch, umid) = (&sent.body["batchId"], bench.post(MESSAGES, &text("a")).await.umid().uuid());
    let request = |method, path: String| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let cancel = request(Method::DELETE, format!("{MESSAGES}/batch/{}", batch.as_str().unwrap()));
    assert_eq!(bench.send(Some(Arc::clone(&of_whatsapp)), cancel).await.error(), (404, 1_300));
    let details = request(Method::GET, format!("{MESSAGES}/{umid}"));
    assert_eq!(bench.send(Some(Arc::clone(&of_whatsapp)), details).await.error(), (404, 4_018));
    for (method, path) in [(Method::GET, ""), (Method::POST, ""), (Method::DELETE, "/promo")] {
        let path = format!("/api/v1/accounts/acme/channels/c/templates{path}");
        let of_account = bench.send(Some(Arc::clone(&of_whatsapp)), request(method, path)).await;
        assert_eq!(of_account.error(), (403, 1_201));
    }
}

#[tokio::test]
async fn a_key_is_slowed_by_its_own_limit_alone() {
    let bench = Bench::new().await;
    let slow =
        Caller { requests_per_s: std::num::NonZeroU32::new(2), ..(*caller("slow", &[Scope::Send], None)).clone() };
    let slow = Arc::new(slow);
    let request = || Request::post(MESSAGES).body(Body::from(text("a").to_string())).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bench.send(Some(Arc::clone(&slow)), request()).await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    bench.clock.advance(Span::from_secs(1));
    assert_eq!(bench.send(Some(slow), request()).await.status, 200);
    for _ in 0..200 {
        assert_eq!(bench.post(MESSAGES, &text("a")).await.status, 200);
    }
}

#[tokio::test]
async fn a_call_has_a_bounded_number_of_kinds_of_messages() {
    let bench = Bench::new().await;
    let messages = |kinds: usize| -> Vec<Value> {
        let of = |kind: usize| {
            json!({ "user": { "msisdn": "+6591234567" }, "type": "text", "content": { "text": "a" },
                "channels": [{ "channel": "WhatsApp", "fallbackAfter": 60 + kind }, { "channel": "SMS" }] })
        };
        (0..200).map(|n| of(n % kinds)).collect()
    };
    let path = format!("{MESSAGES}/batch");
    let many = bench.post(&path, &json!({ "messages": messages(100) })).await;
    assert_eq!((many.status, &many.body["acceptedCount"]), (200, &json!(200)), "{}", many.body);
    assert_eq!(bench.batches().await.len(), 100);
    let more = bench.post(&path, &json!({ "messages": messages(101) })).await;
    assert_eq!((more.status, bench.batches().await.len()), (400, 100), "{}", more.body);
    assert!(more.body["message"].as_str().unwrap().contains("100 kinds"), "{}", more.body);
}

#[tokio::test]
async fn the_defaults_of_a_batch_apply_to_messages_that_lack_them() {
    let bench = Bench::new().await;
    let sms = json!({ "template": { "text": "Hello", "source": "ACME", "scheduled": "2027-01-15T09:00:00Z" }, "messages": [
        { "destination": "+6591234567" }, { "destination": "+6598765432", "text": "Bye", "scheduled": "2027-01-15T10:00:00Z" }] });
    let chat = json!({ "template": { "type": "text", "content": { "text": "Hello" }, "scheduled": "2027-01-15T09:00:00Z",
        "channels": [{ "channel": "SMS" }] }, "messages": [{ "user": { "msisdn": "+6591234567" } }] });
    for (body, hours) in [(sms, &[1, 2][..]), (chat, &[1])] {
        let answer = bench.post(&format!("{MESSAGES}/batch"), &body).await;
        assert_eq!((answer.status, &answer.body["acceptedCount"]), (200, &json!(hours.len())), "{}", answer.body);
        let batch = bench.batches().await.into_iter().max_by_key(|batch| batch.id).unwrap().id;
        for (n, hours) in (0..).zip(hours) {
            let loaded = bench.store.load(vec![MessageKey { batch, n }]).await.unwrap().pop().unwrap();
            let State::Queued { not_before, .. } = loaded.present.state else { panic!("{loaded:?}") };
            assert_eq!(not_before.since(START).millis() / 3_600_000, *hours, "{body}");
        }
    }
}

#[tokio::test]
async fn what_changes_a_batch_has_an_entry_in_the_audit_log() {
    let bench = Bench::new().await;
    let sent = bench.post(&format!("{MESSAGES}/batch"), &json!({ "messages": [text("b")] })).await;
    let path = format!("{MESSAGES}/batch/{}", sent.body["batchId"].as_str().unwrap());
    assert_eq!(bench.call(Method::DELETE, &path, "").await.body["cancelledCount"], 1);
    let entries = bench.store.audit_entries(Cursor::START, 10).await.unwrap();
    let [(_, entry)] = &entries[..] else { panic!("{entries:?}") };
    let request = entry.request.as_ref().unwrap();
    assert_eq!((&*request.method, &*request.path, entry.http_status), ("DELETE", &*path, Some(200)));
}

#[tokio::test]
async fn a_path_that_cannot_be_read_is_an_unknown_address() {
    let bench = Bench::new().await;
    assert_eq!(bench.call(Method::GET, "/api/v1/subaccounts/%FF/messages/x", "").await.error(), (404, 1_300));
}

#[tokio::test]
async fn each_message_of_a_batch_is_accepted_by_itself() {
    let bench = Bench::new().await;
    let body = json!({
        "clientBatchId": "november",
        "includeMessagesInResponse": true,
        "template": { "type": "text", "content": { "text": "Hi" }, "channels": [{ "channel": "SMS" }] },
        "messages": [
            { "user": { "msisdn": "+6591234567" }, "clientMessageId": "a" },
            { "user": { "msisdn": "not a number" }, "clientMessageId": "b" },
            { "user": { "msisdn": "+6591234568" }, "clientMessageId": "c", "content": { "text": "Hello {{you}}" } },
        ],
    });
    let answer = bench.post(&format!("{MESSAGES}/batch"), &body).await;
    let counts = (&answer.body["acceptedCount"], &answer.body["rejectedCount"], &answer.body["clientBatchId"]);
    assert_eq!((answer.status, counts), (200, (&json!(2), &json!(1), &json!("november"))));
    let listed = answer.body["messages"].as_array().unwrap();
    let ids: Vec<_> = listed.iter().map(|message| message["clientMessageId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let states: Vec<_> = listed.iter().map(|message| message["status"]["state"].as_str().unwrap()).collect();
    assert_eq!(
        (states.as_slice(), &listed[1]["status"]["errorCode"]),
        (["queued", "rejected", "queued"].as_slice(), &json!(1_002))
    );
    let batch: CampaignId = answer.body["batchId"].as_str().unwrap().parse().unwrap();
    assert_eq!(bench.batches().await[0].public_id(), batch, "its id is that of a batch");

    // A text with braces of its own is no template.
    let third: MessageId = listed[2]["umid"].as_str().unwrap().parse().unwrap();
    let details = bench.details(&third.uuid().to_string()).await;
    let record = &details.body["data"][0];
    assert_eq!((&record["clientMessageId"], &record["clientBatchId"]), (&json!("c"), &json!("november")));
    assert_eq!(record["batchId"], answer.body["batchId"]);

    let cancel = format!("{MESSAGES}/batch/{}", answer.body["batchId"].as_str().unwrap());
    let cancelled = bench.call(Method::DELETE, &cancel, "").await;
    assert_eq!((cancelled.status, cancelled.body), (200, json!({ "cancelledCount": 2 })));
    let again = bench.call(Method::DELETE, &cancel, "").await;
    assert_eq!((again.status, again.body), (200, json!({ "cancelledCount": 0 })));
    assert_eq!(bench.call(Method::DELETE, &format!("{MESSAGES}/batch/nothing"), "").await.error(), (404, 1_300));
}

#[tokio::test]
async fn a_batch_has_the_documented_size_and_no_more() {
    let bench = Bench::new().await;
    let path = format!("{MESSAGES}/batch");
    let batch = |count: usize| json!({ "messages": vec![text("a"); count] });
    assert_eq!(bench.post(&path, &batch(0)).await.error(), (400, 3_012));
    assert_eq!(bench.post(&path, &batch(10_001)).await.error(), (400, 3_013));
    let answer = bench.post(&path, &batch(10_000)).await;
    assert_eq!((answer.status, &answer.body["acceptedCount"]), (200, &json!(10_000)), "{}", answer.body);
    assert!(answer.body.get("messages").is_none(), "they are listed on request");
    let long = vec![b' '; super::BODY_MAX + 1];
    let request = Request::post(&path).body(Body::from(long)).unwrap();
    assert_eq!(bench.send(Some(shop()), request).await.error(), (413, 1_000));
}

#[tokio::test]
async fn single_messages_that_differ_in_their_texts_share_a_batch() {
    let bench = Bench::new().await;
    let umids = futures_util::future::join_all((0..50).map(|n| {
        let bench = &bench;
        async move { bench.post(MESSAGES, &text(&format!("Your code is {n}"))).await.umid() }
    }));
    let umids: BTreeSet<MessageKey> = umids.await.into_iter().map(|id| id.key).collect();
    assert_eq!(umids.len(), 50);
    let batches: BTreeSet<BatchId> = umids.iter().map(|key| key.batch).collect();
    assert_eq!(batches.len(), 1);
    // After an hour, messages begin another batch.
    bench.clock.advance(Span::from_secs(3_601));
    let later = bench.post(MESSAGES, &text("Your code is 51")).await.umid();
    assert!(!batches.contains(&later.key.batch));
    // So do those of another key: what it sends can hold no step of others.
    let request = Request::post(MESSAGES).body(Body::from(text("Your code is 52").to_string())).unwrap();
    let of_other = bench.send(Some(caller("other", &[Scope::Send], None)), request).await.umid();
    assert_ne!(of_other.key.batch, later.key.batch);
}

#[tokio::test]
async fn channels_and_a_fallback_text_become_steps() {
    let bench = Bench::new().await;
    let body = json!({
        "user": { "msisdn": "+6591234567" },
        "type": "template",
        "content": {
            "template": { "name": "order", "language": "en_US", "components": [] },
            "fallbackText": "Your order was shipped.",
            "sms": { "encoding": "GSM7", "source": "SHOP" },
        },
        "channels": [
            { "channel": "WhatsApp", "fallbackAfter": 60, "successStatus": "Read" },
            { "channel": "SMS", "fallbackAfter": 90 },
        ],
        "scheduled": "2027-01-15T09:00:00Z",
        "expiry": "2027-01-15T10:00:00Z",
    });
    let id = bench.post(MESSAGES, &body).await.umid();
    let plan = bench.plan(id.key.batch).await;
    let steps: Vec<_> =
        plan.steps.iter().map(|step| (step.channel, step.fallback_after, step.success.as_str())).collect();
    // After the last step nothing follows.
    assert_eq!(
        steps,
        [(Channel::WhatsApp, Some(Span::from_secs(60)), "Read"), (Channel::Sms, None, "Delivered")],
        "{steps:?}"
    );
    assert!(matches!(plan.steps[0].content, Content::Raw(_)));
    let Content::Text { source, .. } = &plan.steps[1].content else { panic!("{:?}", plan.steps[1]) };
    assert!(format!("{source:?}").contains("SHOP"));
    let hour = Span::from_secs(3_600);
    let State::Queued { not_before, .. } = bench.message(id).await.present.state else { panic!("not queued") };
    assert_eq!(not_before, START + hour);
    let facts = bench.store.message_facts(id.key).await.unwrap().unwrap();
    assert_eq!(facts.message.present.expires, Some(START + hour + hour));

    // Without channels, a fallback text follows a failure of the message's own channel.
    let mut without = body;
    without.as_object_mut().unwrap().remove("channels");
    let id = bench.post(MESSAGES, &without).await.umid();
    let channels: Vec<_> = bench.plan(id.key.batch).await.steps.iter().map(|step| step.channel).collect();
    assert_eq!(channels, [Channel::WhatsApp, Channel::Sms]);
}

/// The default route of a subaccount gives channels, waits and statuses; the content is the call's.
#[tokio::test]
async fn a_call_without_channels_takes_the_default_route() {
    let route = "[[route]]\nname = \"usual\"\ndefault = true\n\
        [[route.step]]\nchannel = \"WhatsApp\"\nfallback_after = \"10m\"\nsuccess_status = \"Read\"\ntext = \"–\"\n\
        [[route.step]]\nchannel = \"Viber\"\nfallback_after = \"5m\"\ntext = \"–\"\n\
        [[route.step]]\nchannel = \"LINE\"\nfallback_after = \"1m\"\ntext = \"–\"\n\
        [[route.step]]\nchannel = \"SMS\"\ntext = \"–\"\n";
    let bench = Bench::of(config_with("", route)).await;
    let steps = async |mut body: Value| {
        body["user"] = json!({ "msisdn": "+6591234567" });
        let id = bench.post(MESSAGES, &body).await.umid();
        let plan = bench.plan(id.key.batch).await;
        let of =
            |step: &Step| (step.channel, step.fallback_after.map(|span| span.millis() / 60_000), step.success.as_str());
        plan.steps.iter().map(of).collect::<Vec<_>>()
    };
    let (whatsapp, viber) = ((Channel::WhatsApp, Some(10), "Read"), (Channel::Viber, Some(5), "Delivered"));
    let sms = (Channel::Sms, None, "Delivered");
    assert_eq!(steps(json!({ "type": "text", "content": { "text": "Hello" } })).await, [whatsapp, viber, sms]);
    // No number is known on LINE, and a template without a fallback text has no SMS.
    let template = json!({ "name": "order", "language": "en", "components": [] });
    let last = (Channel::Viber, None, "Delivered");
    assert_eq!(steps(json!({ "type": "template", "content": { "template": template } })).await, [whatsapp, last]);
    let with_text = json!({ "type": "template", "content": { "template": template, "fallbackText": "Hi" } });
    assert_eq!(steps(with_text).await, [whatsapp, viber, sms]);
    // Its own channels are the call's.
    let own = json!({ "type": "text", "content": { "text": "Hello" }, "channels": [{ "channel": "Viber" }] });
    assert_eq!(steps(own).await, [(Channel::Viber, None, "Delivered")]);
}

#[tokio::test]
async fn an_idempotency_key_is_carried_out_once() {
    let bench = Bench::new().await;
    let (by, body) = (shop(), text("Hello"));
    let first = bench.once(&by, "k1", &body).await;
    let again = bench.once(&by, "k1", &body).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = bench.once(&by, "k1", &text("Bye")).await;
    assert_eq!(other.error(), (422, 1_000));
    assert_eq!(bench.once(&by, "", &body).await.error(), (400, 1_000));
    let stranger = bench.once(&caller("stranger", &[Scope::Send], None), "k1", &body).await;
    assert_ne!(stranger.body["umid"], first.body["umid"], "keys belong to a caller");
    let elsewhere = Request::post("/api/v1/subaccounts/other/messages").header("idempotency-key", "k1");
    let elsewhere = bench.send(Some(Arc::clone(&by)), elsewhere.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(elsewhere.error(), (422, 1_000), "another subaccount is another request");

    // Of many equal requests at once, one is carried out; the others are told to repeat, or get its answer.
    let all = futures_util::future::join_all((0..20).map(|_| bench.once(&by, "k2", &body))).await;
    let umids: BTreeSet<_> =
        all.iter().filter(|answer| answer.status == 200).map(|answer| answer.umid().uuid()).collect();
    assert_eq!(umids.len(), 1);
    for answer in all.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.error(), answer.headers["retry-after"].to_str().unwrap()), ((409, 1_000), "1"));
    }
}

#[tokio::test]
async fn a_clients_own_id_is_accepted_once_if_the_configuration_says_so() {
    let with_id = |id: &str, words: &str| {
        let mut body = text(words);
        body["clientMessageId"] = json!(id);
        body
    };
    for (lines, is_once) in [("", false), ("once_per_client_id = true", true)] {
        let bench = Bench::of(config(lines)).await;
        let first = bench.post(MESSAGES, &with_id("order-1", "Hello")).await;
        bench.clock.advance(Span::from_secs(5_000));
        let again = bench.post(MESSAGES, &with_id("order-1", "Hello once more")).await;
        assert_eq!(first.body["umid"] == again.body["umid"], is_once, "{lines}");
        let batch = json!({ "includeMessagesInResponse": true,
            "messages": [with_id("order-1", "a"), with_id("order-2", "b"), with_id("order-2", "c")] });
        let answer = bench.post(&format!("{MESSAGES}/batch"), &batch).await;
        let umids: Vec<_> = answer.body["messages"].as_array().unwrap().iter().map(|one| &one["umid"]).collect();
        assert_eq!((umids[0] == &first.body["umid"], umids[1] == umids[2]), (is_once, is_once), "{lines}");
        let stored: u32 = bench.batches().await.iter().map(|batch| batch.messages).sum();
        assert_eq!(stored, if is_once { 2 } else { 5 });
        bench.clock.advance(Span::from_secs(24 * 3_600));
        let later = bench.post(MESSAGES, &with_id("order-1", "Hello")).await;
        assert_ne!(later.body["umid"], first.body["umid"], "a day later");
    }
}

#[tokio::test]
async fn a_key_of_one_lane_sends_under_the_subaccount_of_this_lane_alone() {
    let bench = Bench::new().await;
    let limited = |lane: &str, sub_accounts: Option<&[&str]>| {
        let by = caller("limited", &[Scope::Read, Scope::Send], sub_accounts);
        Arc::new(Caller { lanes: Some(vec![lane.to_owned()]), ..by.as_ref().clone() })
    };
    let send = async |by: &Arc<Caller>, sub_account: &str| {
        let path = format!("/api/v1/subaccounts/{sub_account}/messages");
        bench.send(Some(Arc::clone(by)), Request::post(path).body(Body::from(text("a").to_string())).unwrap()).await
    };
    for sub_accounts in [None, Some(&["acme", "other"][..])] {
        let of_other = limited("other", sub_accounts);
        assert_eq!(send(&of_other, "acme").await.error(), (400, 1_001), "{sub_accounts:?}");
        let sent = send(&of_other, "other").await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        // What it has sent is its own.
        bench.clock.advance(Span::from_secs(1));
        let umid = sent.body["umid"].as_str().unwrap();
        let details = Request::get(format!("/api/v1/subaccounts/other/messages/{umid}")).body(Body::empty()).unwrap();
        assert_eq!(bench.send(Some(of_other), details).await.status, 200);
    }
    // A key of both limits needs a lane of the subaccount that both permit.
    assert_eq!(send(&limited("other", Some(&["acme"])), "other").await.error(), (400, 1_001));
    assert_eq!(send(&limited("other", Some(&["acme"])), "acme").await.error(), (400, 1_001));
}

#[tokio::test]
async fn a_callback_that_can_never_be_called_is_refused() {
    let (private, allowed) = (Bench::new().await, Bench::of(config("[outgoing]\nallow = [\"10.0.0.0/8\"]")).await);
    for (url, refused_at) in [
        ("https://shop.example/dlr", [false, false]),
        ("gopher://shop.example/dlr", [true, true]),
        ("http://169.254.169.254/latest", [true, true]),
        ("https://169.254.169.254/latest", [true, true]),
        ("https://127.0.0.1/dlr", [true, true]),
        ("https://[::1]/dlr", [true, true]),
        ("https://2130706433/dlr", [true, true]),
        ("https://localhost/dlr", [true, true]),
        ("https://10.1.2.3/dlr", [true, false]),
        ("http://10.1.2.3/dlr", [true, false]),
        ("http://shop.example/dlr", [true, false]),
        ("https://ann:secret@shop.example/dlr", [true, true]),
        ("https://8.8.8.8/dlr", [false, false]),
    ] {
        let mut body = text("Hello");
        body["dlrCallbackUrl"] = json!(url);
        let sms = json!({ "destination": "+6591234567", "text": "Hello", "dlrCallbackUrl": url });
        for (bench, refused) in [&private, &allowed].into_iter().zip(refused_at) {
            for body in [&body, &sms] {
                let answer = bench.post(MESSAGES, body).await;
                match refused {
                    true => assert_eq!(answer.error(), (400, 3_020), "{url}"),
                    false => assert_eq!(answer.status, 200, "{url}: {}", answer.body),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_line_user_without_a_number_is_reached_by_the_id() {
    let bench = Bench::new().await;
    let answer = bench.post(MESSAGES, &sample("002:3421")).await;
    let row = bench.store.load(vec![answer.umid().key]).await.unwrap().remove(0);
    assert!(row.address.is_user());
    let details = bench.details(answer.body["umid"].as_str().unwrap()).await;
    let record = &details.body["data"][0];
    assert_eq!((&record["channel"], record["user"].get("msisdn")), (&json!("Line"), None), "{record}");
    let mut with_sms = sample("002:3421");
    with_sms["channels"] = json!([{ "channel": "Line" }, { "channel": "SMS" }]);
    assert_eq!(bench.post(MESSAGES, &with_sms).await.error(), (400, 3_002), "an SMS needs a number");
}

#[tokio::test]
async fn a_whatsapp_user_without_a_number_is_reached_by_the_id() {
    let bench = Bench::new().await;
    let mut message = text("Hello");
    message["user"] = json!({ "channelUserId": "SG.13491208655302741918" });
    message["channels"] = json!([{ "channel": "WhatsApp" }]);
    let answer = bench.post(MESSAGES, &message).await;
    let row = bench.store.load(vec![answer.umid().key]).await.unwrap().remove(0);
    assert_eq!(
        (row.country.to_string().as_str(), row.address.number()),
        ("SG", None),
        "prices and hours are those of the id's country"
    );
    let details = bench.details(answer.body["umid"].as_str().unwrap()).await;
    let user = &details.body["data"][0]["user"];
    assert_eq!(user.get("msisdn"), None, "{user}");
    message["channels"] = json!([{ "channel": "WhatsApp" }, { "channel": "SMS" }]);
    assert_eq!(bench.post(MESSAGES, &message).await.error(), (400, 3_002), "an SMS needs a number");
    // A number wins over an id.
    message["user"]["msisdn"] = json!("+6591234567");
    let of_number = bench.post(MESSAGES, &message).await.umid().key;
    assert!(bench.plan(of_number.batch).await.steps.iter().all(|step| step.user_id.is_none()));
    assert!(bench.store.load(vec![of_number]).await.unwrap()[0].address.number().is_some());
}

#[tokio::test]
async fn a_call_is_for_what_its_key_says_or_the_category_of_its_template() {
    let bench = Bench::new().await;
    let place = TemplatePlace { account_id: "acme".to_owned(), channel_id: "wa".to_owned() };
    let template = |name: &str, category: &str| StoredTemplate {
        name: name.to_owned(),
        language: "en".to_owned(),
        category: category.to_owned(),
        status: "APPROVED".to_owned(),
        components: "[]".to_owned(),
        updated_at: None,
    };
    let templates = vec![template("code", "AUTHENTICATION"), template("sale", "MARKETING")];
    bench.store.replace_templates(FetchedTemplates { place, fetched_at: START, templates }, Vec::new()).await.unwrap();
    let of_template = |name: &str| {
        json!({ "user": { "msisdn": "+6591234567" }, "type": "template",
            "content": { "fallbackText": "Your code", "template": { "name": name, "language": "en", "components": [] } },
            "channels": [{ "channel": "WhatsApp", "fallbackAfter": 60 }, { "channel": "SMS" }] })
    };
    for (at, (message, key, expected)) in [
        (of_template("code"), None, Purpose::Service),
        (of_template("sale"), None, Purpose::Marketing),
        (of_template("other"), None, Purpose::Marketing),
        (text("Hi"), None, Purpose::Marketing),
        (of_template("sale"), Some(Purpose::Service), Purpose::Service),
        (of_template("code"), Some(Purpose::Marketing), Purpose::Marketing),
    ]
    .into_iter()
    .enumerate()
    {
        let caller = Arc::new(Caller { purpose: key, ..Caller::clone(&shop()) });
        let umid = bench.once(&caller, &at.to_string(), &message).await.umid();
        let plan = bench.plan(umid.key.batch).await;
        let purposes: Vec<_> = plan.steps.iter().map(|step| plan.purpose(step)).collect();
        assert!(
            !purposes.is_empty() && purposes.iter().all(|purpose| *purpose == expected),
            "{message} {key:?}: {purposes:?}"
        );
    }
}

#[tokio::test]
async fn a_line_user_who_opted_out_gets_nothing_and_others_do() {
    let bench = Bench::new().await;
    let to = |id: &str| {
        let mut message = sample("002:3421");
        message["user"] = json!({ "lineUserId": id });
        message
    };
    let id = "U4af4980629a1b2c3d4e5f60718293a4b";
    let first = bench.message(bench.post(MESSAGES, &to(id)).await.umid()).await;
    let opt_out = OptOut {
        address: id.parse().unwrap(),
        of: WishSubject::EVERYTHING,
        since: START,
        from: OptOutSource::Recipient,
        source: "stop by message on LINE".to_owned(),
    };
    bench.store.opt_out(vec![opt_out]).await.unwrap();
    let (marked, _) = bench.store.opted_out_messages(first.key.batch, OptOutOf::Everything, 0, 9).await.unwrap();
    assert_eq!(marked.iter().map(|message| message.key).collect::<Vec<_>>(), [first.key]);
    let umid = bench.post(MESSAGES, &to(id)).await.umid();
    let second = bench.message(umid).await;
    assert_eq!((second.address, second.present.outcome()), (first.address, Some(Outcome::Skipped)));
    // It was never submitted: no operator has anything to do with it.
    let details = bench.details(&umid.uuid().to_string()).await;
    let status = &details.body["data"][0]["status"];
    assert_eq!((&status["state"], &status["errorCode"], status.get("detail")), (&json!("failed"), &json!(15), None));
    let other = bench.message(bench.post(MESSAGES, &to("U00000000000000000000000000000001")).await.umid()).await;
    assert!(other.address != first.address && other.present.outcome().is_none(), "{other:?}");
    let batch = bench.store.batch(first.key.batch).await.unwrap().unwrap();
    let shown = MessageViews::of(bench.store.as_ref(), &batch).await.unwrap().read(&[first]).await.unwrap();
    let shown = serde_json::to_value(&shown[0]).unwrap();
    assert_eq!((shown.get("msisdn"), &shown["channel_user"]), (None, &json!(id)), "{shown}");
}

#[tokio::test]
async fn details_of_a_waiting_message_are_those_of_its_first_channel() {
    let bench = Bench::new().await;
    let umid = bench.post(MESSAGES, &text("Hello")).await.body["umid"].clone();
    let details = bench.details(umid.as_str().unwrap()).await;
    assert_eq!(
        details.body,
        json!({ "data": [{
            "umid": umid, "subAccountId": "acme", "channel": "SMS", "channelId": "SMS", "direction": "outbound", "country": "SG",
            "status": { "state": "queued", "timestamp": "2027-01-15T08:00:00.000Z" },
            "user": { "msisdn": "+659123xxxx" }, "contentType": "Text", "content": "**MASKED**",
            "createdAt": "2027-01-15T08:00:00.000Z", "step": 1,
        }]})
    );
}
