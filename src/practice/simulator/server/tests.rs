//! Tests over real sockets, with a clock that only the test moves.

use super::*;
use crate::base::clock::ManualClock;
use crate::base::domain::Channel;
use crate::practice::simulator::{Faults, Profile};
use crate::rules::wire::{SIGNATURE_HEADER, parse_events, signature_holds};
use axum::extract::State as AppState;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::sync::mpsc;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct World {
    address: SocketAddr,
    clock: Arc<ManualClock>,
    client: reqwest::Client,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl World {
    async fn new(model: Model, options: SimulatorOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(serve(listener, model, options, Arc::<ManualClock>::clone(&clock), shutdown.clone()));
        Self { address, clock, client: reqwest::Client::new(), shutdown, server }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.client.post(self.url(path)).body(body.to_string()).send().await
    }

    async fn send(&self, number: u64, id: &str) -> reqwest::Result<reqwest::Response> {
        let body = json!({"user": {"msisdn": format!("+{number}")}, "clientMessageId": id, "type": "template",
            "content": {"template": {"name": "promo", "language": "en"}}, "channels": [{"channel": "WhatsApp"}]});
        self.post("/api/v1/subaccounts/acme/messages", &body).await
    }

    /// Waits for a sleeper and moves time to its end.
    async fn advance_to_next_sleeper(&self) {
        loop {
            if let Some(at) = self.clock.next_sleeper() {
                return self.clock.advance(at.since(self.clock.now()));
            }
            tokio::task::yield_now().await;
        }
    }

    /// Moves time on until something is done. Sleepers whose future was dropped are skipped on the way.
    async fn while_time_moves<T>(&self, until: impl Future<Output = T>) -> T {
        let mut until = std::pin::pin!(until);
        loop {
            tokio::select! {
                done = &mut until => return done,
                () = self.advance_to_next_sleeper() => tokio::task::yield_now().await,
            }
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        drop(self.client);
        self.server.await.unwrap().unwrap();
    }
}

struct Hook {
    headers: HeaderMap,
    body: Bytes,
    answer: tokio::sync::oneshot::Sender<StatusCode>,
}

/// A receiver of webhooks that gives each post the answer of the test.
async fn receiver() -> (String, mpsc::Receiver<Hook>) {
    let (hooks, received) = mpsc::channel(100);
    let take = |AppState(hooks): AppState<mpsc::Sender<Hook>>, headers: HeaderMap, body: Bytes| async move {
        let (answer, answered) = tokio::sync::oneshot::channel();
        hooks.send(Hook { headers, body, answer }).await.unwrap();
        answered.await.unwrap_or(StatusCode::OK)
    };
    let router = Router::new().route("/hooks", axum::routing::post(take)).with_state(hooks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

fn perfect() -> Model {
    Model::new(Profile::perfect(), 1, START)
}

#[tokio::test]
async fn webhooks_carry_both_proofs_and_are_repeated_then_dropped() {
    let (url, mut hooks) = receiver().await;
    let target = WebhookTarget {
        authorization: Some("Bearer hook".to_owned().into()),
        secret: Some("secret".to_owned().into()),
        connections: 1,
        ..WebhookTarget::new(url)
    };
    let world = World::new(perfect(), SimulatorOptions { webhook: Some(target), ..SimulatorOptions::default() }).await;
    assert_eq!(world.send(6_591_234_567, "a").await.unwrap().status(), 200);

    // Sent is never acknowledged: it is tried once and repeated four times. Delivered and read are acknowledged
    // meanwhile.
    let mut bodies = Vec::new();
    let mut failed_at = Vec::new();
    while failed_at.len() < 5 || bodies.len() < 2 {
        let hook = tokio::select! {
            hook = hooks.recv() => hook.unwrap(),
            () = world.advance_to_next_sleeper(), if bodies.len() == 2 => continue,
        };
        let signature = hook.headers[SIGNATURE_HEADER].to_str().unwrap();
        assert!(signature_holds(b"secret", &hook.body, signature));
        assert_eq!(hook.headers[header::AUTHORIZATION], "Bearer hook");
        let event: Value = serde_json::from_slice(&hook.body).unwrap();
        if event["payload"]["status"]["state"] == "sent" {
            failed_at.push(world.clock.now().since(START));
            hook.answer.send(StatusCode::INTERNAL_SERVER_ERROR).unwrap();
        } else {
            bodies.push(event);
            hook.answer.send(StatusCode::OK).unwrap();
        }
    }
    assert_eq!(failed_at, [0, 1, 11, 41, 131].map(Span::from_secs));
    let (status, seen) = world.get("/simulator/wait?posted=2&messages=1").await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    loop {
        let seen: Value = serde_json::from_str(&world.get("/simulator/seen").await.1).unwrap();
        if seen["webhooks"]["dropped"] == 1 {
            break assert_eq!(seen["webhooks"]["repeated"], 4);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn webhooks_come_as_arrays_when_asked() {
    let (url, mut hooks) = receiver().await;
    let target = WebhookTarget { group: 10, connections: 1, ..WebhookTarget::new(url) };
    let world = World::new(perfect(), SimulatorOptions { webhook: Some(target), ..SimulatorOptions::default() }).await;
    let messages: Vec<_> = (0..4)
        .map(|n| {
            json!({"user": {"msisdn": format!("+659123456{n}")}, "type": "text", "content": {"text": "hello"},
                   "channels": [{"channel": "SMS"}]})
        })
        .collect();
    world.post("/api/v1/subaccounts/acme/messages/batch", &json!({"messages": messages})).await.unwrap();
    let mut events = 0;
    while events < 8 {
        let hook = hooks.recv().await.unwrap();
        assert_eq!(hook.body[0], b'[');
        events += parse_events(&hook.body).len();
        hook.answer.send(StatusCode::OK).unwrap();
    }
    assert_eq!(events, 8);
    world.stop().await;
}

#[tokio::test]
async fn a_cut_connection_gives_no_answer_and_the_message_counts() {
    let mut model = perfect();
    model.set_faults(Faults { cut_after: 1.0, ..Faults::default() });
    let world = World::new(model, SimulatorOptions::default()).await;
    assert!(world.send(6_591_234_567, "a").await.is_err());
    let cleared = world.client.delete(world.url("/simulator/faults")).send().await.unwrap();
    assert_eq!(cleared.status(), 200);
    assert_eq!(world.send(6_591_234_567, "a").await.unwrap().status(), 200);
    let seen: Value = serde_json::from_str(&world.get("/simulator/seen").await.1).unwrap();
    assert_eq!((&seen["messages"], &seen["duplicates"], &seen["cut"]), (&json!(2), &json!(1), &json!(1)));
    world.stop().await;
}

#[tokio::test]
async fn faults_are_switched_over_http() {
    let world = World::new(perfect(), SimulatorOptions::default()).await;
    let set = world.post("/simulator/faults", &json!({"throttle": 1.0, "retry_after": 3})).await.unwrap();
    assert_eq!(set.status(), 200);
    let throttled = world.send(6_591_234_567, "a").await.unwrap();
    assert_eq!(throttled.status(), 429);
    assert_eq!(throttled.headers()["retry-after"], "3");
    let wrong = world.post("/simulator/faults", &json!({"throtle": 1.0})).await.unwrap();
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().await.unwrap().contains("throtle"));
    let now: Value = serde_json::from_str(&world.get("/simulator/faults").await.1).unwrap();
    assert_eq!(now["throttle"], 1.0);
    world.stop().await;
}

#[tokio::test]
async fn a_slow_answer_is_sent_after_its_delay() {
    let mut model = perfect();
    model.set_faults(Faults { slow_ms: 60_000, ..Faults::default() });
    let world = World::new(model, SimulatorOptions::default()).await;
    let sent = world.while_time_moves(world.send(6_591_234_567, "a")).await;
    assert_eq!(sent.unwrap().status(), 200);
    assert!(world.clock.now() >= START + Span::from_secs(60));
    world.stop().await;
}

#[tokio::test]
async fn waiting_ends_when_enough_was_seen_or_time_is_up() {
    let world = World::new(perfect(), SimulatorOptions::default()).await;
    let sends = async {
        for n in 0..3 {
            world.send(6_591_234_567 + n, &format!("m-{n}")).await.unwrap();
        }
    };
    let (waited, ()) = tokio::join!(world.get("/simulator/wait?messages=3"), sends);
    assert_eq!(waited.0, StatusCode::OK);
    let waited = world.while_time_moves(world.get("/simulator/wait?messages=4&timeout=5s")).await;
    assert_eq!(waited.0, StatusCode::REQUEST_TIMEOUT);
    world.stop().await;
}

#[tokio::test]
async fn messages_are_listed_by_recipient_and_as_a_stream() {
    let world = World::new(perfect(), SimulatorOptions::default()).await;
    for n in 0..1_200_u64 {
        world.send(6_591_000_000 + n % 600, &format!("m-{n}")).await.unwrap();
    }
    let messages: Value = serde_json::from_str(&world.get("/simulator/seen/+6591000007").await.1).unwrap();
    assert_eq!(messages[0]["client_message_id"], "m-607");
    assert_eq!(messages[1]["client_message_id"], "m-7");
    assert_eq!(messages[0]["steps"][0]["channel"], Channel::WhatsApp.as_str());
    let (_, lines) = world.get("/simulator/messages").await;
    assert_eq!(lines.lines().count(), 1_200);
    for line in lines.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert_eq!(world.get("/simulator/seen/nonsense").await.0, StatusCode::BAD_REQUEST);
    world.stop().await;
}

#[tokio::test]
async fn an_inbound_message_is_posted_on_demand() {
    let (url, mut hooks) = receiver().await;
    let world = World::new(
        perfect(),
        SimulatorOptions { webhook: Some(WebhookTarget::new(url)), ..SimulatorOptions::default() },
    )
    .await;
    world.post("/simulator/inbound", &json!({"msisdn": "+6591234567", "text": "STOP"})).await.unwrap();
    let hook = hooks.recv().await.unwrap();
    let events = parse_events(&hook.body);
    let crate::rules::wire::WebhookEvent::Inbound { inbound, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(inbound.words().collect::<Vec<_>>(), ["STOP"]);
    hook.answer.send(StatusCode::OK).unwrap();
    let event = json!({"eventId": "e-1", "eventType": "template_status_update", "eventDetails": {}});
    world.post("/simulator/webhook", &event).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&hooks.recv().await.unwrap().body).unwrap(), event);
    world.stop().await;
}

/// The sample bodies of the guide, one a line.
fn samples_of_the_guide() -> Vec<Value> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/practice-provider.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, block) = page.split_once("```json\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_documented_kind_of_reply_is_posted_as_it_was_written() {
    let (url, mut hooks) = receiver().await;
    let options = SimulatorOptions { webhook: Some(WebhookTarget::new(url)), ..SimulatorOptions::default() };
    let world = World::new(perfect(), options).await;
    let mut kinds = std::collections::BTreeSet::new();
    for sample in samples_of_the_guide() {
        world.post("/simulator/inbound", &sample).await.unwrap();
        let hook = hooks.recv().await.unwrap();
        let event: Value = serde_json::from_slice(&hook.body).unwrap();
        let payload = if event["payload"].is_object() { &event["payload"] } else { &event };
        assert_eq!((&payload["type"], &payload["content"]), (&sample["type"], &sample["content"]), "{event}");
        assert_eq!(payload["replyToUmid"], sample["reply_to"], "{event}");
        let events = parse_events(&hook.body);
        let crate::rules::wire::WebhookEvent::Inbound { inbound, .. } = &events[0] else { panic!("{events:?}") };
        kinds.insert(format!("{:?}", inbound.reply_content()));
        drop(events);
        hook.answer.send(StatusCode::OK).unwrap();
    }
    let known = ["Button", "CallPermission", "Flow", "ListRow", "Location", "Media", "Order"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), known);
    for body in [
        json!({"msisdn": "+6591234567"}),
        json!({"msisdn": "+6591234567", "type": "Text"}),
        json!({"msisdn": "+6591234567", "text": "Hi", "type": "Text", "content": {"text": "Hi"}}),
        json!({"msisdn": "+6591234567", "type": "Text", "content": "Hi"}),
    ] {
        let refused = world.post("/simulator/inbound", &body).await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{body}");
        let said = refused.text().await.unwrap();
        assert!(said.contains("write either a text, or a type with its content"), "{body}: {said}");
    }
    world.stop().await;
}

#[tokio::test]
async fn an_event_of_the_account_is_posted_in_its_documented_shape() {
    let (url, mut hooks) = receiver().await;
    let options = SimulatorOptions { webhook: Some(WebhookTarget::new(url)), ..SimulatorOptions::default() };
    let profile = Profile { account_id: Some("acme-1".to_owned()), ..Profile::perfect() };
    let world = World::new(Model::new(profile, 1, START), options).await;
    let promo = |meta: Value| json!({"templateName": "promo", "templateLanguage": "en", "meta": meta});
    for (kind, asked, details) in [
        (
            "template_status_update",
            json!({"template": "promo", "language": "en", "status": "PAUSED", "title": "FIRST_PAUSE"}),
            promo(json!({"status": "PAUSED", "reason": "NONE", "otherInfo": {"title": "FIRST_PAUSE"}})),
        ),
        (
            "template_quality_update",
            json!({"template": "promo", "language": "en", "new": "YELLOW"}),
            promo(json!({"previousQualityScore": "UNKNOWN", "newQualityScore": "YELLOW"})),
        ),
        (
            "template_category_update",
            json!({"template": "promo", "language": "en", "previous": "UTILITY", "new": "MARKETING"}),
            promo(json!({"previousCategory": "UTILITY", "newCategory": "MARKETING"})),
        ),
        (
            "phone_number_quality_update",
            json!({"number": "+15550783881", "event": "UPGRADE", "limit": "TIER_10K"}),
            json!({"displayPhoneNumber": "15550783881",
                "meta": {"event": "UPGRADE", "maxDailyConversationsPerBusiness": "TIER_10K"}}),
        ),
        (
            "account_update",
            json!({"event": "ACCOUNT_VIOLATION", "number": "16505552771", "violation": {"violationType": "SPAM"}}),
            json!({"event": "ACCOUNT_VIOLATION", "phoneNumber": "16505552771",
                "violationInfo": {"violationType": "SPAM"}}),
        ),
    ] {
        let path = format!("/simulator/events/{kind}");
        assert_eq!(world.post(&path, &asked).await.unwrap().status(), StatusCode::OK, "{kind}");
        let hook = hooks.recv().await.unwrap();
        let mut event: Value = serde_json::from_slice(&hook.body).unwrap();
        hook.answer.send(StatusCode::OK).unwrap();
        for key in ["eventId", "timestamp", "provider", "businessAccountId"] {
            assert!(event[key].is_string(), "{key} is missing: {event}");
        }
        assert_eq!(event["accountId"], "acme-1");
        assert_eq!(event["eventType"], kind);
        let had_id = event["eventDetails"].as_object_mut().unwrap().remove("templateId");
        assert_eq!(had_id.is_some_and(|id| id.is_u64()), kind.starts_with("template"), "{event}");
        assert_eq!(event["eventDetails"], details);
    }
    let unknown = json!({"template": "promo", "language": "en", "status": "ASLEEP"});
    let refused = world.post("/simulator/events/template_status_update", &unknown).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("PENDING_DELETION"), "the known words are listed");
    let refused = world.post("/simulator/events/flow_update", &json!({})).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("account_update"), "the known types are listed");
    world.stop().await;
}

#[tokio::test]
async fn a_file_is_uploaded_as_a_form_and_fetched_by_its_token() {
    let world = World::new(perfect(), SimulatorOptions::default()).await;
    let upload = async |name: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: image/png\r\n\r\npixels\r\n--b--\r\n"
        );
        let post = world.client.post(world.url("/api/v1/subaccounts/acme/files"));
        let post = post.header(header::CONTENT_TYPE, "multipart/form-data; boundary=b").body(body);
        post.send().await.unwrap()
    };
    assert_eq!(upload("a.exe").await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = upload("a.png").await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let (name, token) = (body["fileName"].as_str().unwrap(), body["token"].as_str().unwrap());
    assert_eq!(location, format!("/files/{name}?token={token}"));
    assert_eq!(world.get(&location).await, (StatusCode::OK, "pixels".to_owned()));
    assert_eq!(world.get(&format!("/files/{name}?token=x")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&format!("/files/{name}")).await.0, StatusCode::BAD_REQUEST);
    world.stop().await;
}
