//! Tests of the operations about outgoing webhooks.

use super::*;

#[tokio::test]
async fn a_subscription_is_created_disabled_rotated_and_removed() {
    let bench = Bench::new().await;
    let body =
        json!({"name": "crm", "url": "https://crm.example/hooks", "types": ["message.*"], "authorization": "Basic x"});
    let post = async |path: &str, body: &Value| bench.admin(Method::POST, path, body).await;
    let create = async || {
        let mut request = Bench::json(Method::POST, "/v1/webhooks", &body);
        request.headers_mut().insert("idempotency-key", "w1".parse().unwrap());
        bench.send(Some(caller("root", &[Scope::Admin])), request).await
    };
    let created = create().await;
    assert_eq!(created.headers["location"], "/v1/webhooks/crm", "{}", created.text);
    let secret = created.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    assert_eq!((&created.body["types"], &created.body["has_authorization"]), (&json!(["message.*"]), &json!(true)));
    let again = create().await;
    assert_eq!(
        (&again.headers["idempotency-replayed"], &again.body["id"]),
        (&"true".parse().unwrap(), &created.body["id"])
    );
    let shown = bench.admin(Method::GET, "/v1/webhooks/crm", &Value::Null).await;
    for text in [&again.text, &shown.text] {
        assert!(!text.contains(secret) && !text.contains("Basic x"), "{text}");
    }
    assert_eq!(code(&post("/v1/webhooks", &body).await), (409, "name_taken"));

    let disabled = post("/v1/webhooks/crm/disable", &json!({"reason": "moves"})).await;
    assert_eq!(disabled.body["enabled"], false, "{}", disabled.text);
    let because = disabled.body["disabled_because"].as_str().unwrap();
    assert!(because.contains("ann") && because.contains("moves"), "{because}");
    assert_eq!(code(&post("/v1/webhooks/crm/disable", &json!({})).await), (409, "conflict"));
    assert_eq!(post("/v1/webhooks/crm/enable", &json!({})).await.body["enabled"], true);
    let rotated = post("/v1/webhooks/crm/rotate", &json!({"overlap": "1h"})).await;
    assert_ne!(rotated.body["secret"].as_str().unwrap(), secret);
    let long = post("/v1/webhooks/crm/rotate", &json!({"overlap": "8d"})).await;
    assert_eq!((code(&long), &long.body["errors"][0]["pointer"]), ((422, "invalid"), &json!("/overlap")));

    assert_eq!(bench.admin(Method::DELETE, "/v1/webhooks/crm", &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(code(&bench.admin(Method::GET, "/v1/webhooks/crm", &Value::Null).await), (404, "not_found"));
}

#[tokio::test]
async fn deliveries_are_listed_and_sent_once_more() {
    let bench = Bench::new().await;
    let body = json!({"name": "crm", "url": "https://crm.example/hooks"});
    bench.admin(Method::POST, "/v1/webhooks", &body).await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        bench.clock.advance(crate::base::domain::Span::from_secs(1));
        let test = bench.admin(Method::POST, "/v1/webhooks/crm/test", &json!({})).await;
        assert_eq!((test.status, &test.body["type"]), (StatusCode::ACCEPTED, &json!("webhook.test")), "{}", test.text);
        sent.push(test.body["delivery"].clone());
    }
    let first = bench.admin(Method::GET, "/v1/webhooks/crm/deliveries?limit=2", &Value::Null).await;
    let numbers = |page: &Answered| {
        page.body["items"].as_array().unwrap().iter().map(|item| item["delivery"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&first), [sent[2].clone(), sent[1].clone()]);
    let next = format!("/v1/webhooks/crm/deliveries?limit=2&cursor={}", first.body["next"].as_str().unwrap());
    assert_eq!(numbers(&bench.admin(Method::GET, &next, &Value::Null).await), [sent[0].clone()]);
    let one = bench.admin(Method::GET, &format!("/v1/webhooks/crm/deliveries/{}", sent[0]), &Value::Null).await;
    assert_eq!(one.body["delivery"], sent[0]);

    let replay = async |body: &Value| bench.admin(Method::POST, "/v1/webhooks/crm/replay", body).await;
    assert_eq!(code(&replay(&json!({"delivery": 999})).await), (404, "not_found"));
    for wrong in [json!({}), json!({"delivery": sent[0], "since": "2026-12-01T00:00:00Z"})] {
        assert_eq!(code(&replay(&wrong).await), (422, "invalid"), "{wrong}");
    }
    assert_eq!(replay(&json!({"since": "2020-01-01T00:00:00Z"})).await.status, StatusCode::OK);
}
