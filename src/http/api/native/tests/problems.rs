//! Tests of problems: where they point, what they say, and the page of each kind.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{Bench, all_operations, caller, code, document};
use crate::base::domain::{Scope, Span};
use crate::http::api::native::problem::Kind;

#[tokio::test]
async fn each_problem_of_a_campaign_points_at_its_value() {
    let bench = Bench::new().await;
    bench.launch("Members").await;
    let step = json!({"channel": "SMS", "text": "Hi", "source": "ACME"});
    for (body, pointer) in [
        (json!({"numbers": ["+6591234567"], "step": [step, {"channel": "Fax", "text": "Hi"}]}), "/step/1/channel"),
        (json!({"numbers": ["+6591234567"], "step": [{"channel": "SMS", "txt": "Hi"}]}), "/step/0/txt"),
        (json!({"numbers": ["+6591234567"], "step": [{"channel": "SMS", "text": 5}]}), "/step/0/text"),
        (
            json!({"numbers": ["+6591234567"], "step": [{"channel": "Viber", "text": "Hi", "fallback_after": "soon"}, step]}),
            "/step/0/fallback_after",
        ),
        // What is missing has no place of its own.
        (json!({"numbers": ["+6591234567"], "step": [{"channel": "SMS"}]}), "/step/0"),
        (json!({"numbers": ["+6591234567"], "step": []}), "/step"),
        (json!({"audience": "nobody", "step": [step]}), "/audience"),
        (json!({"audience": ["nobody", "members"], "step": [step]}), "/audience/0"),
        (json!({"numbers": ["+6591234567"], "where": "City = 5", "step": [step]}), "/where"),
        (json!({"numbers": ["+6591234567"], "max_messages": "many", "step": [step]}), "/max_messages"),
        (json!({"numbers": ["+6591234567"], "nmae": "x", "step": [step]}), "/nmae"),
    ] {
        for path in ["/v1/campaigns/plan", "/v1/campaigns"] {
            bench.clock.advance(Span::from_secs(1));
            let request = Request::post(path).header("content-type", "application/json");
            let request = request.body(Body::from(body.to_string())).unwrap();
            let refused = bench.send(Some(caller("a", &[Scope::Read, Scope::Manage])), request).await;
            assert_eq!(code(&refused), (422, "invalid"), "{body}: {}", refused.text);
            assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}: {}", refused.text);
        }
    }
}

#[tokio::test]
async fn an_unknown_audience_is_no_hint_at_the_files_of_the_server() {
    let bench = Bench::new().await;
    let body = json!({"audience": "Cargo.tom", "step": [{"channel": "SMS", "text": "Hi", "source": "ACME"}]});
    let request = Request::post("/v1/campaigns/plan").header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let refused = bench.send(Some(caller("a", &[Scope::Read, Scope::Manage])), request).await;
    let detail = refused.body["detail"].as_str().unwrap();
    assert_eq!(
        detail,
        "audience: \"Cargo.tom\" is not an imported audience; import its file first, or use one that is listed"
    );
}

/// Words of parsers and of the language that the server is written in.
const FOREIGN: [&str; 18] = [
    "invalid type",
    "invalid value",
    "expected ",
    "missing field",
    "unknown field",
    "unknown variant",
    "at line",
    "column ",
    "struct ",
    "enum",
    "tuple ",
    "untagged",
    "invalid digit",
    "annot parse",
    "u8",
    "u16",
    "u32",
    "u64",
];

#[tokio::test]
async fn no_problem_has_a_sentence_of_a_parser() {
    let bench = Bench::new().await;
    let document = document(&bench).await;
    let (mut asked, mut found) = (0, Vec::new());
    for (method, path, scope, operation) in all_operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let schema = match schema["$ref"].as_str() {
            Some(of) => document.pointer(of.strip_prefix('#').unwrap()).unwrap(),
            None => schema,
        };
        let keys = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        let values =
            [json!(5), json!("x"), json!([{}]), json!({}), json!({"x": 1}), json!(null), json!(-1), json!(1.5)];
        let wrong = keys.flat_map(|key| values.iter().map(move |value| json!({key: value}).to_string()));
        let whole = ["{}", "[]", "5", "{", r#"{"unknown key": 1}"#, r#"{"a": "x" "b"}"#].map(str::to_owned);
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let of_query = parameters.filter(|parameter| parameter["in"] == "query");
        let queries = of_query.flat_map(|parameter| {
            ["-1", "x", "", "1.5"].map(|value| format!("?{}={value}", parameter["name"].as_str().unwrap()))
        });
        let with_body = operation.get("requestBody").is_some();
        let bodies = whole.into_iter().chain(wrong).map(|body| (String::new(), body)).filter(|_| with_body);
        let queries = queries.chain(["?unknown=1".to_owned()]).map(|query| (query, "{}".to_owned()));
        for (query, body) in bodies.chain(queries) {
            // No rate ends the walk.
            bench.clock.advance(Span::from_secs(1));
            let request = Request::builder().method(method.clone()).uri(format!("{path}{query}"));
            let request = request.header("content-type", "application/json").header("if-match", "*");
            let request = request.body(Body::from(body.clone())).unwrap();
            let answered = bench.send(scope.map(|scope| caller("a", &[scope])), request).await;
            assert!(!answered.status.is_server_error(), "{method} {path}{query} {body}: {}", answered.text);
            let details = answered.body["errors"].as_array().into_iter().flatten().chain([&answered.body]);
            for detail in details.filter_map(|one| one["detail"].as_str()) {
                if FOREIGN.iter().any(|word| detail.contains(word)) {
                    found.push(format!("{method} {path}{query} {body}: {detail}"));
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 500, "{asked}");
    assert!(found.is_empty(), "{} of {asked}:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let bench = Bench::new().await;
    for kind in Kind::ALL {
        let page = bench.send(None, Request::get(kind.address()).body(Body::empty()).unwrap()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.text.contains(kind.title()) && page.text.contains(kind.code()), "{}", page.text);
    }
    let unknown = Request::get("/docs/problems/none").body(Body::empty()).unwrap();
    assert_eq!(bench.send(None, unknown).await.status, StatusCode::NOT_FOUND);
    let refused = bench.send(None, Request::get("/v1/campaigns").body(Body::empty()).unwrap()).await;
    assert_eq!(refused.body["type"], Value::from("/docs/problems/unauthorized"));
}
