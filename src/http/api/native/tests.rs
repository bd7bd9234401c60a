//! Tests of what all operations have in common, over the whole router.

mod audiences;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tower_service::Service as _;

use super::*;
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::Config;
use crate::base::domain::Timestamp;
use crate::http::access::{Access, Caller, Scopes};
use crate::http::api::CommandLines;
use crate::store::{Store, open};

mod access;
mod limits;
mod problems;
mod restored;
mod retries;
mod webhooks;

/// The API over a database in memory, and the clock that moves it.
pub(in crate::http::api) struct Bench {
    router: Router,
    pub(in crate::http::api) shared: Shared,
    pub(in crate::http::api) store: Arc<dyn Store>,
    pub(in crate::http::api) clock: Arc<ManualClock>,
    uploads: Arc<UploadFolder>,
    pub(in crate::http::api) imports: Imports,
    /// Where its uploads are.
    folder: Arc<tempfile::TempDir>,
}

/// The configuration of the samples.
fn config() -> Arc<Config> {
    let text = include_str!("../../../../samples/volley.toml");
    Arc::new(Config::read(Some((Path::new("volley.toml"), text)), std::iter::empty(), []).unwrap().config)
}

pub(in crate::http::api) fn caller(id: &str, scopes: &[Scope]) -> Arc<Caller> {
    let scopes = scopes.iter().fold(Scopes::default(), |all, scope| all.with(*scope));
    Arc::new(Caller {
        id: id.to_owned(),
        name: "ann".to_owned(),
        scopes,
        sub_accounts: None,
        lanes: None,
        requests_per_s: None,
        purpose: None,
        session: None,
    })
}

pub(in crate::http::api) struct Answered {
    pub(in crate::http::api) status: StatusCode,
    pub(in crate::http::api) headers: HeaderMap,
    pub(in crate::http::api) body: Value,
    pub(in crate::http::api) text: String,
}

impl Bench {
    pub(in crate::http::api) async fn new() -> Self {
        Self::with(config()).await
    }

    /// A server with a changed configuration of the samples.
    pub(in crate::http::api) async fn changed(change: impl FnOnce(&str) -> String) -> Self {
        Self::configured(&change(include_str!("../../../../samples/volley.toml"))).await
    }

    async fn with(config: Arc<Config>) -> Self {
        Self::begun(config, |parts| parts).await
    }

    /// A server with the configuration of this text.
    pub(in crate::http::api) async fn configured(text: &str) -> Self {
        let loaded = Config::read(Some((Path::new("volley.toml"), text)), std::iter::empty(), []).unwrap();
        let config = Arc::new(loaded.config.clone());
        Self::begun(config, |parts| ApiParts { loaded: Arc::new(loaded), ..parts }).await
    }

    /// A server that runs these commands for its callers.
    pub(super) async fn running(commands: Arc<dyn CommandLines>) -> Self {
        Self::begun(config(), |parts| ApiParts { commands: Some(commands), ..parts }).await
    }

    async fn begun(config: Arc<Config>, change: impl FnOnce(ApiParts) -> ApiParts) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let parts = crate::http::api::tests::parts(config, &store, &clock, Arc::new(Chance::seeded(1)));
        Self::of(change(parts), clock, Arc::new(tempfile::tempdir().unwrap()))
    }

    /// The next start of the server.
    fn next_start(&self) -> Self {
        let parts = crate::http::api::tests::parts(config(), &self.store, &self.clock, Arc::new(Chance::seeded(2)));
        Self::of(parts, Arc::clone(&self.clock), Arc::clone(&self.folder))
    }

    fn of(parts: ApiParts, clock: Arc<ManualClock>, folder: Arc<tempfile::TempDir>) -> Self {
        let store = Arc::clone(&parts.store);
        let access = Access::new(Arc::clone(&store));
        let (path, most) = (folder.path().join("uploads"), parts.config.server.uploads_max);
        let uploads = UploadFolder::open(path, most, Arc::clone(&parts.clock), Arc::clone(&parts.chance)).unwrap();
        let shared = Shared::new(parts, access, Arc::clone(&uploads));
        let imports = shared.0.native.imports().clone();
        Self { router: crate::http::api::routes(shared.clone()), shared, store, clock, uploads, imports, folder }
    }

    pub(in crate::http::api) async fn send(&self, by: Option<Arc<Caller>>, request: Request<Body>) -> Answered {
        let mut request = request;
        if let Some(by) = by {
            request.extensions_mut().insert(by);
        }
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answered { status: parts.status, headers: parts.headers, body, text }
    }

    async fn get(&self, path: &str) -> Answered {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(Some(caller("a", &[Scope::Read])), request).await
    }

    /// A POST of the operator with an idempotency key.
    pub(in crate::http::api) async fn post(&self, path: &str, key: &str, body: &str) -> Answered {
        let request = Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        // A scope does not include another: a plan is read, and a launch is managed.
        self.send(Some(caller("a", &[Scope::Read, Scope::Manage])), request).await
    }
}

pub(super) fn code(answered: &Answered) -> (u16, &str) {
    (answered.status.as_u16(), answered.body["code"].as_str().unwrap_or(&answered.text))
}

async fn document(bench: &Bench) -> Value {
    bench.send(None, Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body
}

/// Every operation of the document: method, path with values for its parameters, and scope if it needs a key.
fn all_operations(document: &Value) -> Vec<(Method, String, Option<Scope>, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let mut path = format!("/v1{path}");
            while let (Some(from), Some(until)) = (path.find('{'), path.find('}')) {
                path.replace_range(from..=until, "unknown");
            }
            let scope = operation["security"][0]["key"][0].as_str().map(|scope| scope.parse().unwrap());
            all.push((method.to_uppercase().parse().unwrap(), path, scope, operation.clone()));
        }
    }
    all
}

#[tokio::test]
async fn every_operation_wants_a_key_with_its_scope_and_answers_as_documented() {
    let bench = Bench::new().await;
    let document = document(&bench).await;
    let all = all_operations(&document);
    assert!(!all.is_empty());
    for (method, path, scope, operation) in all {
        // No rate ends the walk.
        bench.clock.advance(crate::base::domain::Span::from_secs(1));
        let request = || {
            let request = Request::builder().method(method.clone()).uri(&path);
            let body = if operation.get("requestBody").is_some() { Body::from("{}") } else { Body::empty() };
            request.header("content-type", "application/json").body(body).unwrap()
        };
        let Some(scope) = scope else {
            let answered = bench.send(None, request()).await;
            assert!(operation["responses"].get(answered.status.as_str()).is_some(), "{path}: {}", answered.text);
            continue;
        };
        let without = bench.send(None, request()).await;
        assert_eq!(
            (without.status, without.headers["www-authenticate"].to_str().unwrap()),
            (StatusCode::UNAUTHORIZED, "Bearer"),
            "{path}"
        );
        let others: Vec<Scope> =
            Scope::ALL.iter().copied().filter(|other| ![scope, Scope::Admin].contains(other)).collect();
        let denied = bench.send(Some(caller("other", &others)), request()).await;
        assert_eq!(code(&denied), (403, "forbidden"), "{method} {path}");
        let answered = bench.send(Some(caller("a", &[scope])), request()).await;
        let declared = &operation["responses"][answered.status.as_str()];
        assert!(declared.is_object(), "{method} {path} answers {}: {}", answered.status, answered.text);
        let media_type = answered.headers["content-type"].to_str().unwrap().split(';').next().unwrap();
        assert!(declared["content"].get(media_type).is_some(), "{method} {path}: {media_type} is not declared");
        assert_eq!(bench.send(Some(caller("b", &[Scope::Admin])), request()).await.status, answered.status, "{path}");
        for status in ["401", "403", "429", "500", "503"] {
            assert!(operation["responses"].get(status).is_some(), "{method} {path} does not declare {status}");
        }
        // Every status has a description, and a body that is declared.
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(response["content"].is_object() || status == "204", "{method} {path}: {status} has no body");
        }
    }
}

/// Every `$ref` of the document, and the names of its schemas.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_complete_and_its_names_are_unique() {
    let bench = Bench::new().await;
    let document = document(&bench).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} is not in the document");
    }
    // Two types with one name would overwrite each other silently.
    assert_eq!(operations(Some(OpenApi::default())).overwritten, Vec::<String>::new());
    let mut ids = BTreeMap::new();
    for (method, path, _, operation) in all_operations(&document) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert_eq!(ids.insert(id, (method.clone(), path.clone())), None, "{method} {path} has the id of another");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(document["tags"].as_array().unwrap().iter().any(|known| known["name"] == tag), "{tag}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_problems() {
    let bench = Bench::new().await;
    let unknown = bench.get("/v1/unknown").await;
    assert_eq!(code(&unknown), (404, "no_such_path"));
    assert_eq!(unknown.headers["content-type"], "application/problem+json");
    let wrong = bench.send(None, Request::delete("/v1/events").body(Body::empty()).unwrap()).await;
    assert_eq!((code(&wrong), wrong.headers["allow"].to_str().unwrap()), ((405, "method_not_allowed"), "GET,HEAD"));
}

#[tokio::test]
async fn every_answer_has_its_request_id_and_is_not_stored_by_caches() {
    let bench = Bench::new().await;
    let request = Request::get("/v1/nothing").header("x-request-id", "job-7").body(Body::empty()).unwrap();
    let answered = bench.send(None, request).await;
    assert_eq!(
        (&answered.headers["x-request-id"], &answered.body["instance"]),
        (&"job-7".parse().unwrap(), &json!("job-7"))
    );
    let answered = bench.get("/v1/events").await;
    assert_eq!((answered.status, &answered.headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    assert!(answered.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(answered.headers["ratelimit-policy"], "\"key\";q=100;w=1");
}

#[tokio::test]
async fn the_requests_of_a_key_are_limited_and_another_key_is_not_slowed() {
    let bench = Bench::new().await;
    let mut last = None;
    for _ in 0..=100 {
        last = Some(bench.get("/v1/events").await);
    }
    let refused = last.unwrap();
    assert_eq!((code(&refused), refused.headers["retry-after"].to_str().unwrap()), ((429, "too_many_requests"), "1"));
    let other = Request::get("/v1/events").body(Body::empty()).unwrap();
    assert_eq!(bench.send(Some(caller("b", &[Scope::Read])), other).await.status, StatusCode::OK);
    bench.clock.advance(crate::base::domain::Span::from_secs(1));
    assert_eq!(bench.get("/v1/events").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_with_a_rate_of_its_own_is_held_to_it() {
    let bench = Bench::new().await;
    let slow = Arc::new(Caller { requests_per_s: Some(NonZeroU32::MIN), ..(*caller("slow", &[Scope::Read])).clone() });
    let get = async || {
        let request = Request::get("/v1/events").body(Body::empty()).unwrap();
        bench.send(Some(Arc::clone(&slow)), request).await
    };
    let first = get().await;
    assert_eq!(
        (first.status, &first.headers["ratelimit-policy"]),
        (StatusCode::OK, &"\"key\";q=1;w=1".parse().unwrap())
    );
    assert_eq!(code(&get().await), (429, "too_many_requests"));
}

#[tokio::test]
async fn parameters_and_bodies_are_checked() {
    let bench = Bench::new().await;
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("state=%00", "state"),
    ] {
        let path = if query.starts_with("state") { "campaigns" } else { "events" };
        let wrong = bench.get(&format!("/v1/{path}?{query}")).await;
        assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["parameter"]), (400, &json!(parameter)), "{query}");
    }
    let unknown = bench.get("/v1/events?colour=red").await;
    assert!(
        unknown.body["detail"].as_str().unwrap().contains("there is no \"colour\" here; use one of limit, cursor"),
        "{}",
        unknown.text
    );
    assert_eq!(code(&bench.get("/v1/campaigns/a%00b").await), (400, "invalid_parameter"));
    let pause = "/v1/campaigns/unknown/pause";
    let bodies = [
        ("{", (400, "invalid_json")),
        (r#"{"reason": 1}"#, (422, "invalid")),
        (r#"{"why": "x"}"#, (422, "invalid")),
        (r#"{"reason": "a\u0000"}"#, (422, "invalid")),
        (r#"{"reason": "x"}"#, (404, "not_found")),
        ("", (404, "not_found")),
    ];
    for (n, (body, wanted)) in bodies.into_iter().enumerate() {
        assert_eq!(code(&bench.post(pause, &format!("k{n}"), body).await), wanted, "{body}");
    }
    let large = bench.post(pause, "large", &format!("{{\"reason\": \"{}\"}}", "x".repeat(rules::BODY_MAX))).await;
    assert_eq!(code(&large), (413, "too_large"));
    let form = Request::post(pause).header("content-type", "text/plain").body(Body::from("reason")).unwrap();
    assert_eq!(code(&bench.send(Some(caller("a", &[Scope::Manage])), form).await), (415, "unsupported_media_type"));
}

#[tokio::test]
async fn a_request_with_a_key_is_answered_once_and_repeated() {
    let bench = Bench::new().await;
    let path = "/v1/campaigns/unknown/pause";
    let first = bench.post(path, "k1", "{}").await;
    assert_eq!((code(&first), first.headers.get("idempotency-replayed")), ((404, "not_found"), None));
    // Another start of the server on the same database.
    let next = bench.next_start();
    let again = next.post(path, "k1", "{}").await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.headers["content-type"], "application/problem+json");
    for (path, body) in [(path, r#"{"reason":"x"}"#), ("/v1/campaigns/unknown/resume", "{}")] {
        assert_eq!(code(&next.post(path, "k1", body).await), (422, "idempotency_key_reused"));
    }
    assert_eq!(code(&next.post(path, &"k".repeat(256), "{}").await), (400, "invalid_parameter"));
}

#[tokio::test]
async fn a_request_in_progress_is_a_conflict_until_its_server_is_gone() {
    use crate::store::{NewRequest, RequestKey};
    let bench = Bench::new().await;
    let path = "/v1/campaigns/unknown/pause";
    bench.post(path, "k1", "{}").await;
    // The same request, begun by this start and by another, which never finished it.
    let run = Chance::seeded(1).bits();
    let digest = {
        use sha2::{Digest, Sha256};
        Sha256::digest("POST\n/v1/campaigns/unknown/pause\n{}").into()
    };
    for (key, run, wanted) in [("k2", run, "request_in_progress"), ("k3", run ^ 1, "request_interrupted")] {
        let of = RequestKey { caller: "a".to_owned(), key: key.to_owned() };
        let new = NewRequest { of, digest, run, now: bench.clock.now() };
        bench.store.begin_request(new).await.unwrap();
        let conflict = bench.post(path, key, "{}").await;
        assert_eq!(code(&conflict), (409, wanted), "{}", conflict.text);
        assert_eq!(conflict.headers.contains_key("retry-after"), wanted == "request_in_progress");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_server_goes_on() {
    let bench = Bench::new().await;
    async fn broken() {
        panic!("broken");
    }
    let chance = Arc::new(Chance::seeded(1));
    let router = Router::new().route("/", post(broken)).layer(from_fn_with_state(chance, frame::frame));
    let broken = Bench { router, ..bench };
    let answered = broken.send(None, Request::post("/").body(Body::empty()).unwrap()).await;
    assert_eq!(code(&answered), (500, "failed"));
    assert!(!answered.text.contains("broken"), "{}", answered.text);
}

#[tokio::test]
async fn long_answers_are_compressed_and_short_ones_are_not() {
    let bench = Bench::new().await;
    for (path, wanted) in [("/openapi.json", Some("gzip")), ("/v1/events", None)] {
        let request = Request::get(path).header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let answered = bench.send(Some(caller("a", &[Scope::Read])), request).await;
        assert_eq!(answered.headers.get("content-encoding").map(|coding| coding.to_str().unwrap()), wanted, "{path}");
    }
}

#[tokio::test]
async fn the_reference_page_shows_every_operation_and_loads_only_its_style() {
    let bench = Bench::new().await;
    let page = bench.send(None, Request::get("/docs").body(Body::empty()).unwrap()).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    for (_, _, _, operation) in all_operations(&document(&bench).await) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.text.contains(&format!("id=\"{id}\"")), "{id} is not on the page");
    }
    assert!(!page.text.contains("<script") && !page.text.contains("style="));
    let style = bench.send(None, Request::get("/docs/reference.css").body(Body::empty()).unwrap()).await;
    assert_eq!((style.status, &style.headers["content-type"]), (StatusCode::OK, &"text/css".parse().unwrap()));
}

#[tokio::test]
async fn the_page_of_the_api_lists_every_operation_with_its_scope() {
    let bench = Bench::new().await;
    let mut wanted = BTreeSet::new();
    for (path, item) in document(&bench).await["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let (method, scope) =
                (method.to_uppercase(), operation["security"][0]["key"][0].as_str().unwrap_or("none"));
            wanted.insert(format!("| `{method} /v1{path}` | {scope} | {} |", operation["summary"].as_str().unwrap()));
        }
    }
    let page = include_str!("../../../../docs/api.md");
    let is_row =
        |line: &&str| ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().any(|of| line.starts_with(&format!("| `{of} ")));
    let listed: BTreeSet<String> = page.lines().filter(is_row).map(str::to_owned).collect();
    assert_eq!(listed, wanted);
}

/// The types that a key has in a schema. A key that may be missing may be null too.
fn types_of(property: &Value) -> BTreeSet<&str> {
    let all = property["type"].as_array().map_or_else(|| vec![&property["type"]], |types| types.iter().collect());
    all.into_iter().filter_map(Value::as_str).filter(|of| *of != "null").collect()
}

#[tokio::test]
async fn a_key_has_one_type_wherever_a_campaign_is_written_or_changed() {
    let document = document(&Bench::new().await).await;
    let of = |name: &str| document["components"]["schemas"][name]["properties"].as_object().unwrap();
    let (written, changed) = (of("Campaign"), of("CampaignChange"));
    let mut shared = Vec::new();
    // `step` is a list of steps in one, and the number of a step in the other.
    for (key, changed) in changed.iter().filter(|(key, _)| *key != "step") {
        if let Some(written) = written.get(key) {
            assert_eq!(types_of(changed), types_of(written), "{key}: {changed} {written}");
            shared.push(key.as_str());
        }
    }
    assert!(["budget", "max_messages", "quiet_hours", "at"].iter().all(|key| shared.contains(key)), "{shared:?}");
}

/// A rename of a type may hit the sentences about it.
#[tokio::test]
async fn no_description_names_a_type_of_the_code() {
    fn descriptions(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(keys) => {
                for (key, value) in keys {
                    found.extend(
                        value
                            .as_str()
                            .filter(|_| ["description", "summary"].contains(&key.as_str()))
                            .map(str::to_owned),
                    );
                    descriptions(value, found);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| descriptions(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    descriptions(&document(&Bench::new().await).await, &mut found);
    assert!(found.len() > 500, "{}", found.len());
    // Names of others, and columns of files.
    let known = ["WhatsApp", "ZaloNotification", "LineNotification", "OpenAPI", "ClientMessageId", "FirstName"];
    let is_type = |word: &&str| {
        let humps =
            word.chars().zip(word.chars().skip(1)).filter(|(a, b)| a.is_lowercase() && b.is_uppercase()).count();
        word.starts_with(char::is_uppercase) && humps > 0 && !known.contains(word)
    };
    let named: BTreeSet<&str> =
        found.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).filter(is_type).collect();
    assert!(named.is_empty(), "{named:?}");
}

/// A campaign of two SMS.
const CAMPAIGN: &str = r#"{"name": "Promo", "numbers": ["+6591234567", "+6598765432"],
    "step": [{"channel": "SMS", "lane": "LANE", "text": "Your code is 1."}]}"#;

impl Bench {
    pub(super) fn turns(&self) -> &Turns {
        &self.shared.0.native.commands
    }

    /// Launches the campaign under a name.
    pub(in crate::http::api) async fn launch(&self, name: &str) -> Answered {
        let lane =
            config().lanes.iter().find(|lane| lane.channel == crate::base::domain::Channel::Sms).unwrap().name.clone();
        self.post("/v1/campaigns", name, &CAMPAIGN.replace("LANE", &lane).replace("Promo", name)).await
    }

    async fn patch(&self, path: &str, tag: Option<&str>, body: &str) -> Answered {
        let request = Request::patch(path).header("content-type", "application/json");
        let request = tag.into_iter().fold(request, |request, tag| request.header("if-match", tag));
        self.send(Some(caller("a", &[Scope::Manage])), request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

#[tokio::test]
async fn a_campaign_is_launched_once_changed_and_cancelled() {
    let bench = Bench::new().await;
    let launched = bench.launch("Promo").await;
    assert_eq!((launched.status, &launched.body["messages"]), (StatusCode::CREATED, &json!(2)), "{}", launched.text);
    let place = launched.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(bench.launch("Promo").await.headers["idempotency-replayed"], "true");
    let taken =
        bench.post("/v1/campaigns", "other", r#"{"name": "Promo", "numbers": ["+6591234567"], "step": []}"#).await;
    assert!([409, 422].contains(&taken.status.as_u16()), "{}", taken.text);

    let shown = bench.get(&place).await;
    assert_eq!((&shown.body["name"], &shown.body["counts"]["queued"]), (&json!("Promo"), &json!(2)), "{}", shown.text);
    let tag = shown.headers["etag"].to_str().unwrap();
    let end = r#"{"max_messages": 1}"#;
    assert_eq!(code(&bench.patch(&place, None, end).await), (428, "if_match_required"));
    let changed = bench.patch(&place, Some(tag), end).await;
    assert_eq!(
        (changed.status, &changed.body["changes"][0]["key"]),
        (StatusCode::OK, &json!("max_messages")),
        "{}",
        changed.text
    );
    assert_eq!(code(&bench.patch(&place, Some(tag), end).await), (412, "changed_meanwhile"));

    let paused = bench.post(&format!("{place}/pause"), "p", r#"{"reason": "wrong text"}"#).await;
    assert_eq!(paused.body["state"], "paused", "{}", paused.text);
    let events = bench.get(&format!("{place}/events?limit=1")).await;
    let latest = &events.body["items"][0];
    assert_eq!((&latest["operator"], &latest["reason"]), (&json!("ann"), &json!("wrong text")), "{}", events.text);
    let cancelled = bench.post("/v1/campaigns/Promo/cancel", "c", "").await;
    assert!(cancelled.body["certificate"]["never_sent"] == 2, "{}", cancelled.text);
    assert_eq!(bench.get(&format!("{place}/report")).await.body["audience"], 2);
}

#[tokio::test]
async fn of_two_changes_decided_on_the_same_state_one_is_refused() {
    let bench = Bench::new().await;
    let campaign = bench.launch("Promo").await.headers["location"].to_str().unwrap().to_owned();
    let lane = format!("/v1/lanes/{}", config().lanes[0].name);
    for (place, changes) in [
        (&campaign, [r#"{"max_messages": 1}"#, r#"{"max_messages": 2}"#]),
        (&lane, [r#"{"rate": "1/s"}"#, r#"{"rate": "2/s"}"#]),
    ] {
        let tag = bench.get(place).await.headers["etag"].to_str().unwrap().to_owned();
        let [first, second] = changes.map(|change| bench.patch(place, Some(&tag), change));
        let (first, second) = tokio::join!(first, second);
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{place}: {} {}", first.text, second.text);
    }
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end_and_keep_their_filters() {
    let bench = Bench::new().await;
    for name in ["a1", "a2", "a3", "b1"] {
        assert_eq!(bench.launch(name).await.status, StatusCode::CREATED);
    }
    let (mut path, mut names) = ("/v1/campaigns?limit=2&name=A".to_owned(), Vec::new());
    loop {
        let page = bench.get(&path).await;
        names.extend(page.body["items"].as_array().unwrap().iter().map(|item| item["name"].clone()));
        let Some(next) = page.body["next"].as_str() else { break };
        let link = page.headers["link"].to_str().unwrap();
        path = link.strip_prefix('<').unwrap().split('>').next().unwrap().to_owned();
        assert!(path.contains(next) && path.contains("name=A"), "{link}");
        // A cursor belongs to its filters.
        let other = bench.get(&format!("/v1/campaigns?limit=2&cursor={next}")).await;
        assert_eq!(code(&other), (400, "invalid_cursor"));
    }
    assert_eq!(names, ["a3", "a2", "a1"]);
    let batches = bench.get("/v1/batches?campaign=true&limit=500").await;
    assert_eq!(batches.body["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_message_is_found_by_its_number_and_explained_by_its_id() {
    let bench = Bench::new().await;
    bench.launch("Promo").await;
    let all = bench.get("/v1/messages?campaign=Promo&limit=1").await;
    assert_eq!(all.body["items"].as_array().unwrap().len(), 1, "{}", all.text);
    let next = all.body["next"].as_str().unwrap();
    let rest = bench.get(&format!("/v1/messages?campaign=Promo&limit=1&cursor={next}")).await;
    assert_ne!(rest.body["items"][0]["id"], all.body["items"][0]["id"]);
    let found = bench.get("/v1/messages?campaign=Promo&number=%2B6598765432").await;
    let id = found.body["items"][0]["id"].as_str().unwrap();
    let story = bench.get(&format!("/v1/messages/{id}")).await;
    assert_eq!(
        (&story.body["msisdn"], &story.body["state"]),
        (&json!("+6598765432"), &json!("queued")),
        "{}",
        story.text
    );
    assert_eq!(code(&bench.get("/v1/messages/msg_00000000000000000000000000000000").await), (404, "not_found"));
    assert_eq!(bench.get("/v1/messages").await.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(bench.get("/v1/messages?umid=unknown").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_message_is_cancelled_once_and_released_only_if_set_aside() {
    let bench = Bench::new().await;
    bench.launch("Promo").await;
    let found = bench.get("/v1/messages?campaign=Promo&number=%2B6598765432").await;
    let path = format!("/v1/messages/{}", found.body["items"][0]["id"].as_str().unwrap());
    let refused = bench.post(&format!("{path}/release"), "1", "").await;
    assert_eq!(code(&refused), (409, "conflict"), "{}", refused.text);
    let cancelled = bench.post(&format!("{path}/cancel"), "2", r#"{"reason":"wrong number"}"#).await;
    assert_eq!((&cancelled.body["state"], &cancelled.body["outcome"]), (&json!("done"), &json!("cancelled")));
    let again = bench.post(&format!("{path}/cancel"), "3", "").await;
    assert_eq!(code(&again), (409, "conflict"), "{}", again.text);
    let events = bench.get("/v1/campaigns/Promo/events").await;
    assert!(events.text.contains("cancelled by ann: wrong number"), "{}", events.text);
    assert_eq!(bench.get("/v1/messages?campaign=Promo&state=set_aside").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_lane_is_changed_on_its_present_settings_only() {
    let bench = Bench::new().await;
    let name = config().lanes[0].name.clone();
    let path = format!("/v1/lanes/{name}");
    let lane = bench.get(&path).await;
    let tag = lane.headers["etag"].to_str().unwrap();
    let wrong = bench.patch(&path, Some(tag), r#"{"rate": "fast"}"#).await;
    assert_eq!((code(&wrong), &wrong.body["errors"][0]["pointer"]), ((422, "invalid"), &json!("/rate")));
    let changed = bench.patch(&path, Some(tag), r#"{"rate": "7/s", "reason": "gently"}"#).await;
    assert_eq!(changed.body["rate"], "7/s", "{}", changed.text);
    assert_eq!(code(&bench.patch(&path, Some(tag), r#"{"rate": "8/s"}"#).await), (412, "changed_meanwhile"));
    assert_ne!(bench.get(&path).await.headers["etag"].to_str().unwrap(), tag);
    // A key for another lane sees and changes nothing of this one.
    let other =
        Arc::new(Caller { lanes: Some(vec!["other".to_owned()]), ..caller("b", &[Scope::Read]).as_ref().clone() });
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(code(&bench.send(Some(Arc::clone(&other)), request(&path)).await), (403, "forbidden"));
    assert_eq!(bench.send(Some(other), request("/v1/lanes")).await.body["items"], json!([]));
}

#[tokio::test]
async fn slots_that_were_used_are_told_of_a_lane_that_has_a_tier_now() {
    let bench = Bench::new().await;
    let tiered = config().lanes.iter().find(|lane| lane.tiered().is_some()).unwrap().name.clone();
    let path = format!("/v1/lanes/{tiered}");
    let change = async |body: &str| {
        let tag = bench.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
        bench.patch(&path, Some(&tag), body).await
    };
    for (tier, status) in
        [("250", StatusCode::OK), ("unlimited", StatusCode::UNPROCESSABLE_ENTITY), ("1K", StatusCode::OK)]
    {
        let set = change(&json!({ "tier": tier }).to_string()).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.text);
        let told = change(r#"{"tier_used": 180}"#).await;
        assert_eq!(told.status, status, "{tier}: {}", told.text);
    }
}

#[tokio::test]
async fn opt_outs_are_added_listed_and_removed() {
    let bench = Bench::new().await;
    let body = r#"{"numbers": ["+6591234567", "+6598765432", "nonsense"], "reason": "asked"}"#;
    let added = bench.post("/v1/opt-outs", "add", body).await;
    assert_eq!((&added.body["changed"], &added.body["invalid"]), (&json!(2), &json!(1)), "{}", added.text);
    let first = bench.get("/v1/opt-outs?limit=1").await;
    assert_eq!(
        (&first.body["items"][0]["msisdn"], &first.body["items"][0]["how"]),
        (&json!("+6591234567"), &json!("by ann: asked"))
    );
    let removed = bench.post("/v1/opt-outs/remove", "remove", r#"{"numbers": ["+6591234567"]}"#).await;
    assert_eq!(removed.body["changed"], 1, "{}", removed.text);
    assert_eq!(bench.get("/v1/opt-outs/%2B6591234567").await.body["is_opted_out"], false);
    let nobody = bench.post("/v1/opt-outs", "none", r#"{"numbers": ["nonsense"]}"#).await;
    assert_eq!((code(&nobody), &nobody.body["errors"][0]["pointer"]), ((422, "invalid"), &json!("/numbers")));
}

#[tokio::test]
async fn a_request_names_no_file_of_the_server() {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.csv");
    std::fs::write(&file, "number\n+6591234567\n").unwrap();
    let body = json!({"audience": [file], "step": [{"channel": "SMS", "text": "Hi"}]});
    let refused = bench.post("/v1/campaigns/plan", "plan", &body.to_string()).await;
    assert_eq!(
        (code(&refused), &refused.body["errors"][0]["pointer"]),
        ((422, "invalid"), &json!("/audience")),
        "{}",
        refused.text
    );
    assert!(!refused.text.contains("6591234567"));
}

#[tokio::test]
async fn a_watch_sends_the_campaign_at_once_and_ends_with_it() {
    let bench = Bench::new().await;
    let place = bench.launch("Promo").await.headers["location"].to_str().unwrap().to_owned();
    bench.post(&format!("{place}/cancel"), "c", "").await;
    // A cancelled campaign of which nothing is open: the stream has its state, and ends.
    let watched = bench.get(&format!("{place}/watch")).await;
    assert_eq!(watched.headers["content-type"], "text/event-stream");
    assert_eq!(watched.text.matches("event: campaign").count(), 1, "{}", watched.text);
    let id = watched.text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let request = Request::get(format!("{place}/watch")).header("last-event-id", id).body(Body::empty()).unwrap();
    let again = bench.send(Some(caller("a", &[Scope::Read])), request).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::OK, ""));
}

/// A body that has nothing but a wrong default country, for each place of a schema that takes one.
fn with_wrong_country(document: &Value, schema: &Value, depth: usize) -> Vec<(Value, String)> {
    let mut found = Vec::new();
    let of_kind = ["oneOf", "allOf", "anyOf"].into_iter().filter_map(|kind| schema[kind].as_array()).flatten();
    let referred = schema["$ref"].as_str().and_then(|of| document.pointer(of.strip_prefix('#').unwrap()));
    for schema in of_kind.chain(referred).filter(|_| depth < 8) {
        found.extend(with_wrong_country(document, schema, depth + 1));
    }
    for (key, of) in schema["properties"].as_object().into_iter().flatten().filter(|_| depth < 8) {
        if key == "country" {
            found.push((json!({"country": "XX"}), "/country".to_owned()));
            continue;
        }
        let within = with_wrong_country(document, of, depth + 1);
        found.extend(within.into_iter().map(|(body, pointer)| (json!({key: body}), format!("/{key}{pointer}"))));
    }
    found
}

#[tokio::test]
async fn a_wrong_country_is_refused_with_its_place_by_every_operation() {
    let bench = Bench::new().await;
    let document = document(&bench).await;
    let mut asked = BTreeSet::new();
    // A command reads the same campaign as a plan, after its words.
    for (method, path, scope, operation) in all_operations(&document).into_iter().filter(|it| it.1 != "/v1/commands") {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        for (body, pointer) in with_wrong_country(&document, schema, 0) {
            bench.clock.advance(crate::base::domain::Span::from_secs(1));
            let request =
                Request::builder().method(method.clone()).uri(&path).header("content-type", "application/json");
            let request = request.body(Body::from(body.to_string())).unwrap();
            let refused = bench.send(scope.map(|scope| caller("a", &[scope])), request).await;
            assert_eq!(code(&refused), (422, "invalid"), "{method} {path} {body}");
            let errors = refused.body["errors"].as_array().unwrap();
            let has_place = |error: &Value| error["pointer"] == pointer.as_str() && error.to_string().contains("XX");
            assert!(errors.iter().any(has_place), "{method} {path}: {}", refused.text);
            asked.insert(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let expected =
        ["add_opt_outs", "check_audience", "import_audience", "launch_campaign", "plan_campaign", "remove_opt_outs"];
    assert!(expected.iter().all(|id| asked.contains(*id)), "{asked:?}");
}
