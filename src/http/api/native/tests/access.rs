//! Tests of keys, operators, the first admin, and the audit log.

use super::*;
use crate::base::domain::Span;
use crate::http::api::native::extract::Asked;
use crate::http::api::native::problem::Kind;
use crate::http::api::native::recorded::{self, Entry};

impl Bench {
    pub(super) fn json(method: Method, path: &str, body: &Value) -> Request<Body> {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        request.body(Body::from(body.to_string())).unwrap()
    }

    /// A request of an admin with an idempotency key.
    async fn admin_post(&self, path: &str, key: &str, body: &Value) -> Answered {
        let mut request = Self::json(Method::POST, path, body);
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(Some(caller("root", &[Scope::Admin])), request).await
    }

    pub(super) async fn admin(&self, method: Method, path: &str, body: &Value) -> Answered {
        self.send(Some(caller("root", &[Scope::Admin])), Self::json(method, path, body)).await
    }

    /// The status of a request with a key, as a client sends it.
    async fn status_with(&self, key: &str, path: &str) -> u16 {
        let request = Request::get(path).header("authorization", format!("Bearer {key}")).body(Body::empty()).unwrap();
        self.send(None, request).await.status.as_u16()
    }

    /// The entries of the audit log, latest first.
    async fn audited(&self) -> Vec<Value> {
        self.admin(Method::GET, "/v1/audit-log", &Value::Null).await.body["items"].as_array().unwrap().clone()
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_key_is_shown_once_rotated_and_revoked() {
    let bench = Bench::new().await;
    let body = json!({"name": "shop", "scopes": ["read"], "requests_per_s": 7, "addresses": ["0.0.0.0/0"],
        "expires_at": "2099-01-01T00:00:00Z"});
    let created = bench.admin_post("/v1/keys", "k1", &body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let (first, id) = (text(&created.body, "key"), text(&created.body, "id"));
    assert_eq!(created.headers["location"].to_str().unwrap(), format!("/v1/keys/{id}"));
    assert_eq!(bench.status_with(first, "/v1/events").await, 200);
    assert_eq!(bench.status_with(first, "/v1/keys").await, 403);

    let again = bench.admin_post("/v1/keys", "k1", &body).await;
    assert_eq!((again.status, text(&again.body, "id")), (StatusCode::CREATED, id));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let secret = first.rsplit('_').next().unwrap();
    for shown in [&again.text, &bench.admin(Method::GET, "/v1/keys", &Value::Null).await.text] {
        assert!(!shown.contains(secret) && shown.contains(id), "{shown}");
    }
    let taken = bench.admin_post("/v1/keys", "k2", &body).await;
    assert_eq!(code(&taken), (409, "name_taken"));

    let rotated = bench.admin_post("/v1/keys/shop/rotate", "r1", &json!({"overlap": "1h"})).await;
    let second = text(&rotated.body, "key");
    assert!(second.starts_with(&format!("{id}_")) && second != first, "{}", rotated.text);
    assert_eq!(
        (bench.status_with(first, "/v1/events").await, bench.status_with(second, "/v1/events").await),
        (200, 200)
    );
    let repeated = bench.admin_post("/v1/keys/shop/rotate", "r1", &json!({"overlap": "1h"})).await;
    assert!(repeated.body.get("key").is_none(), "{}", repeated.text);
    let revoked = bench.admin_post(&format!("/v1/keys/{id}/revoke"), "v1", &json!({})).await;
    assert_eq!((revoked.status, text(&revoked.body, "state")), (StatusCode::OK, "revoked"));
    assert_eq!(
        (bench.status_with(first, "/v1/events").await, bench.status_with(second, "/v1/events").await),
        (401, 401)
    );
}

#[tokio::test]
async fn an_invalid_key_is_refused_with_the_place_of_the_error() {
    let bench = Bench::new().await;
    for (body, pointer) in [
        (json!({"name": " ", "scopes": ["read"]}), "/name"),
        (json!({"name": "x", "scopes": ["write"]}), "/scopes"),
        (json!({"name": "x", "scopes": ["read"], "lanes": ["sms", "unknown"]}), "/lanes/1"),
        (json!({"name": "x", "scopes": ["read"], "addresses": ["10.1.0.0/8"]}), "/addresses/0"),
        (json!({"name": "x", "scopes": ["read"], "requests_per_s": 0}), "/requests_per_s"),
        (json!({"name": "x", "scopes": ["read"], "expires_at": "soon"}), "/expires_at"),
    ] {
        let wrong = bench.admin(Method::POST, "/v1/keys", &body).await;
        let at = text(&wrong.body["errors"][0], "pointer");
        assert!(wrong.status == 422 && at.starts_with(pointer.trim_end_matches("/0")), "{body}: {}", wrong.text);
    }
    let nothing = bench.admin(Method::POST, "/v1/keys", &json!({"name": "x", "scopes": []})).await;
    assert_eq!(code(&nothing), (422, "invalid"), "{}", nothing.text);
}

#[tokio::test]
async fn the_setup_token_creates_the_first_admin_key_and_is_limited_in_rate() {
    let bench = Bench::new().await;
    let token = Access::new(Arc::clone(&bench.store)).offer_setup(bench.clock.now()).await.unwrap().unwrap();
    let set_up = async |token: &str| {
        let body = json!({"token": token, "name": "admin"});
        bench.send(None, Bench::json(Method::POST, "/v1/setup", &body)).await
    };
    assert_eq!(code(&set_up("vs_wrong").await), (403, "forbidden"));
    let created = set_up(token.expose()).await;
    assert_eq!((created.status, &created.body["scopes"]), (StatusCode::CREATED, &json!(["admin"])), "{}", created.text);
    assert_eq!(bench.status_with(text(&created.body, "key"), "/v1/keys").await, 200);
    assert_eq!(code(&set_up(token.expose()).await), (403, "forbidden"), "it is used up");
    let entry = &bench.audited().await[0];
    let wanted = ("setup token", "key created", "/v1/setup");
    assert_eq!((text(entry, "actor"), text(entry, "action"), text(entry, "path")), wanted);
    set_up("vs_wrong").await;
    set_up("vs_wrong").await;
    let refused = set_up("vs_wrong").await;
    assert_eq!((code(&refused), refused.headers["retry-after"].to_str().unwrap()), ((429, "too_many_requests"), "1"));
    bench.clock.advance(Span::from_secs(1));
    assert_eq!(code(&set_up("vs_wrong").await), (403, "forbidden"));
}

#[tokio::test]
async fn an_operator_is_created_changed_and_disabled() {
    let bench = Bench::new().await;
    let new = json!({"name": "ann", "scopes": ["manage"], "password": "correct horse battery"});
    let created = bench.admin_post("/v1/operators", "o1", &new).await;
    assert_eq!((created.status, text(&created.body, "state")), (StatusCode::CREATED, "active"), "{}", created.text);
    assert!(!created.text.contains("horse") && !created.text.contains("argon2"), "{}", created.text);
    assert_eq!(bench.admin_post("/v1/operators", "o1", &new).await.headers["idempotency-replayed"], "true");
    // What is stored of the request cannot be compared by another start, nor with a guessed password.
    let next = bench.next_start();
    assert_eq!(code(&next.admin_post("/v1/operators", "o1", &new).await), (422, "idempotency_key_reused"));

    let sign_in = async |password: &str| {
        let access = Access::new(Arc::clone(&bench.store));
        access.sign_in("ann", crate::base::config::Secret::new(password)).await.is_ok()
    };
    let set = async |password: &str| {
        bench.admin(Method::PUT, "/v1/operators/ann/password", &json!({"password": password})).await
    };
    let short = set("short").await;
    assert_eq!((code(&short), text(&short.body["errors"][0], "pointer")), ((422, "invalid"), "/password"));
    assert_eq!(set("another battery").await.status, StatusCode::OK);
    assert_eq!((sign_in("correct horse battery").await, sign_in("another battery").await), (false, true));
    let scopes =
        async |scopes: Value| bench.admin(Method::PUT, "/v1/operators/ann/scopes", &json!({"scopes": scopes})).await;
    assert_eq!(scopes(json!(["read", "manage"])).await.body["scopes"], json!(["read", "manage"]));
    assert_eq!(code(&scopes(json!([])).await), (422, "invalid"));
    assert_eq!(scopes(json!(["admin"])).await.status, StatusCode::OK);
    assert_eq!(code(&scopes(json!(["read"])).await), (409, "conflict"));
    let disabled = bench.admin_post("/v1/operators/ann/disable", "d1", &json!({})).await;
    assert_eq!((text(&disabled.body, "state"), sign_in("another battery").await), ("disabled", false));
    let listed = bench.admin(Method::GET, "/v1/operators", &Value::Null).await;
    assert_eq!(listed.body["items"], json!([disabled.body]));
    bench.admin_post("/v1/operators/ann/enable", "e1", &json!({})).await;
    assert!(sign_in("another battery").await);
    assert_eq!(code(&bench.admin_post("/v1/operators/ben/enable", "e2", &json!({})).await), (404, "not_found"));
}

#[tokio::test]
async fn each_change_is_in_the_audit_log_with_its_caller_and_answer() {
    let bench = Bench::new().await;
    let launched = bench.launch("Promo").await;
    let place = launched.headers["location"].to_str().unwrap();
    bench.get(place).await;
    bench.post("/v1/campaigns/plan", "p", CAMPAIGN).await;
    let request = Request::post("/v1/campaigns/un%20known/steps/2/pause").header("x-request-id", "job-7");
    let request = request.body(Body::empty()).unwrap();
    bench.send(Some(caller("a", &[Scope::Manage])), request).await;
    bench.send(None, Request::post("/v1/campaigns/Promo/pause").body(Body::empty()).unwrap()).await;
    bench.admin_post("/v1/keys", "k1", &json!({"name": "shop", "scopes": ["read"]})).await;
    let log = bench.audited().await;
    let shown: Vec<Value> = log
        .iter()
        .map(|entry| {
            json!([
                entry["action"],
                entry["actor_id"],
                entry["method"],
                entry["path"],
                entry["http_status"],
                entry["object"]
            ])
        })
        .collect();
    let (key, campaign) = (text(&log[0], "object"), place.rsplit('/').next().unwrap());
    assert!(key.ends_with(" shop"), "{key}");
    assert_eq!(
        shown,
        [
            json!(["key created", "root", "POST", "/v1/keys", null, key]),
            json!(["request", "a", "POST", "/v1/campaigns/un%20known/steps/2/pause", 404, "un known step 2"]),
            json!(["request", "a", "POST", "/v1/campaigns", 201, campaign]),
        ],
        "a read, a plan and a request without a caller are not recorded"
    );
    assert_eq!((text(&log[1], "request_id"), text(&log[1], "actor_name")), ("job-7", "ann"));
    let first = bench.admin(Method::GET, "/v1/audit-log?limit=2", &Value::Null).await;
    let next = first.body["next"].as_str().unwrap();
    let rest = bench.admin(Method::GET, &format!("/v1/audit-log?limit=2&cursor={next}"), &Value::Null).await;
    assert_eq!((rest.body["items"].as_array().unwrap().len(), rest.body.get("next")), (1, None));
}

#[tokio::test]
async fn a_change_whose_audit_entry_cannot_be_written_is_not_answered_as_done() {
    let bench = Bench::new().await;
    let entry = async || {
        let (mut parts, _) = Request::post("/lanes/sms/pause").body(Body::empty()).unwrap().into_parts();
        let asked = Asked(recorded::asked(&parts, [127, 0, 0, 1].into()));
        parts.extensions.insert(asked);
        Entry::of(caller("a", &[Scope::Manage]), &mut parts).await.unwrap()
    };
    let answer = |status: StatusCode| axum::response::IntoResponse::into_response(status);
    assert_eq!(entry().await.record(&bench.shared, answer(StatusCode::OK)).await.unwrap().status(), StatusCode::OK);
    bench.store.close().await;
    let problem = entry().await.record(&bench.shared, answer(StatusCode::OK)).await.unwrap_err();
    assert_eq!(problem.kind, Kind::Failed);
    let refused = entry().await.record(&bench.shared, answer(StatusCode::CONFLICT)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::CONFLICT, "nothing was changed");
}
