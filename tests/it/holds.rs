//! Holds and slowdowns of a lane: the server reports them, every other command shows them, and no other lane waits.

use serde_json::{Value, json};
use volley::base::clock::Clock;
use volley::base::domain::{MessageKey, Outcome, Span, State, StepIndex, Timestamp};
use volley::base::events::Origin;
use volley::store::{HeldBy, Hold};

use crate::support::by_hand::{ByHand, is_awaiting};
use crate::support::{ALONE, Installation, Shape, until};

const PEOPLE: u64 = 3_000;
const PATIENCE: Span = Span::from_secs(60);

const ROUTE: &str = r#"
name = "promo"
audience = "people.csv"
[[step]]
channel = "SMS"
fallback_after = "24h"
text = "Hi {{FirstName}}"
[[step]]
channel = "Viber"
text = "Hi {{FirstName}}"
"#;

async fn started() -> Installation {
    let shape = Shape { seed: 43, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..PEOPLE);
    std::fs::write(site.path("promo.toml"), ROUTE).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    assert!(site.provider.wait_until_seen("messages=20", 60).await.is_some());
    site
}

/// What another command shows of the SMS lane.
async fn lane(site: &Installation) -> Value {
    let lanes = site.volley(&["lane", "list", "--json"]).await.json();
    lanes.as_array().unwrap().iter().find(|lane| lane["name"] == "sms").unwrap().clone()
}

/// Waits until a campaign has an obstacle of a kind, or none.
async fn obstacle(site: &Installation, kind: Option<&str>) -> Value {
    until(&format!("obstacle {kind:?}"), PATIENCE, || async {
        let show = site.show("promo").await;
        let obstacles = show["obstacles"].as_array().unwrap();
        match kind {
            Some(kind) => obstacles.iter().find(|obstacle| obstacle["kind"] == kind).cloned().ok_or(show),
            None if obstacles.is_empty() => Ok(Value::Null),
            None => Err(show),
        }
    })
    .await
}

/// Everything that has happened to the SMS lane, in order.
async fn events(site: &Installation) -> Vec<String> {
    let listed = site.volley(&["events", "--json"]).await;
    assert!(listed.status.success(), "{}", listed.stderr);
    let events = listed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events
        .filter(|event| event["subject"] == "lane sms")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect()
}

async fn doctor(site: &Installation, what: &str) -> Value {
    let found = site.volley(&["doctor", "--json"]).await;
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["what"] == what).cloned().unwrap_or_else(|| panic!("{what}: {found}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_reported_once_and_shown_with_its_reason_and_remedy() {
    let _alone = ALONE.lock().await;
    let site = started().await;
    site.provider.faults(&json!({ "key_refused": true })).await;
    site.server().wait_for_output("lane sms: held: ").await;

    let held = obstacle(&site, Some("held")).await;
    let waiting = held["waiting"].as_i64().unwrap();
    assert!(waiting > 0 && held["what"].as_str().unwrap().contains("messages waiting"), "{held}");
    let advice = held["what_to_do"].as_str().unwrap();
    assert!(advice.contains("api_key_file") && advice.ends_with("volley lane resume sms"), "{held}");
    let shown = lane(&site).await;
    assert_eq!((&shown["holds"][0]["code"], shown["queued"].as_i64() > Some(0)), (&json!(1_200), true), "{shown}");
    assert_eq!(shown["holds"][0]["what_to_do"], advice);
    let found = doctor(&site, "holds").await;
    assert!(found["text"].as_str().unwrap().contains("messages waiting"), "{found}");
    assert_eq!(found["what_to_do"], advice);

    site.provider.faults(&json!({ "key_refused": false })).await;
    site.volley(&["lane", "resume", "sms", "--json"]).await.json();
    site.server().wait_for_output("lane sms: released").await;
    let seen = site.provider.seen().await.messages;
    assert!(site.provider.wait_until_seen(&format!("messages={}", seen + 50), 60).await.is_some(), "it goes on");
    let said = site.server().output();
    assert_eq!(said.matches("lane sms: held: ").count(), 1, "{said}");
    let [held, resumed] = &events(&site).await[..] else { panic!("{:?}", events(&site).await) };
    assert!(held.starts_with("held: ") && resumed.starts_with("resumed by "), "{held} {resumed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slowdown_is_reported_once_shown_by_commands_and_recorded() {
    let _alone = ALONE.lock().await;
    let mut site = started().await;
    site.provider.faults(&json!({ "throttle": 1.0 })).await;
    site.server().wait_for_output("lane sms: throttled by the provider: sends at 1/2 of its rate of 100/s").await;
    let slowed = obstacle(&site, Some("slowed")).await;
    assert!(site.show("promo").await["left_by"].is_string());
    assert!(slowed["waiting"].as_i64() > Some(0), "{slowed}");
    assert!(lane(&site).await["now"]["allowed_share"].as_f64() < Some(1.0));
    assert_eq!(doctor(&site, "rate").await["health"], "warning");

    site.provider.faults(&json!({ "throttle": 0.0, "cut_before": 1.0 })).await;
    site.server().wait_for_output("lane sms: outage at the provider: ").await;
    let out = obstacle(&site, Some("outage")).await;
    assert!(out["since"].is_string() && out["what"].as_str().unwrap().contains("lane sms is stopped"), "{out}");
    assert!(site.show("promo").await["left_by"].is_null(), "nobody knows when an outage ends");
    let now = lane(&site).await["now"].clone();
    assert_eq!((&now["standing"]["kind"], now["standing"]["reason"].is_string()), (&json!("outage"), true), "{now}");

    // The state reported by a dead server is not shown as present.
    site.kill_server().await;
    until("nothing is said of how the lane goes", PATIENCE, || async {
        let shown = lane(&site).await;
        if shown["now"].is_null() { Ok(()) } else { Err(shown) }
    })
    .await;
    site.serve().await;
    site.server().wait_for_output("lane sms: outage at the provider: ").await;

    site.provider.faults(&json!({ "cut_before": 0.0 })).await;
    site.server().wait_for_output("lane sms: the provider accepts messages again").await;
    obstacle(&site, None).await;
    let said = site.server().output();
    assert_eq!(said.matches("lane sms: outage at the provider").count(), 1, "{said}");
    // The next look records what has been reported.
    let told = until("all of it can be read", PATIENCE, || async {
        let told = events(&site).await;
        let all = ["throttled by the provider", "outage at the provider", "accepts messages again"];
        let is_told = |what: &&str| told.iter().any(|text| text.contains(*what));
        if all.iter().all(is_told) { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await;
    // An event for each change, not for each look.
    assert!(told.len() < 20, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_lane_stops_no_deadline_and_no_other_channel() {
    let world = ByHand::start("").await;
    let route = "[[step]]\nchannel = \"Viber\"\nfallback_after = \"15m\"\ntext = \"Hello\"\n\
                 [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
    let before = world.launch(&format!("numbers = [\"+6591000001\"]\n{route}")).await;
    let out = MessageKey { batch: before.batch, n: 0 };
    let State::Awaiting { due } = world.until(out, "handed over", is_awaiting).await.state else { unreachable!() };
    let hold = Hold {
        lane: "viber".to_owned(),
        template: String::new(),
        language: String::new(),
        by: HeldBy::Answer,
        code: Some(1_200),
        origin: Origin::provider("the key is not accepted"),
        since: world.clock.now(),
    };
    let decision = world.store.hold(hold, world.clock.now()).await.unwrap();
    world
        .when("the server has noted the hold", async || {
            let nodes = world.store.nodes(Timestamp::default()).await.unwrap();
            nodes.iter().any(|node| node.noted >= decision).then_some(()).ok_or_else(|| format!("{nodes:?}"))
        })
        .await;
    let after = world.launch(&format!("name = \"after\"\nnumbers = [\"+6591000002\"]\n{route}")).await;
    let waits = MessageKey { batch: after.batch, n: 0 };

    world.advance_to(due + Span::from_secs(1)).await;
    let fallen =
        world.until(out, "handed over by SMS", |present| is_awaiting(present) && present.step > StepIndex::FIRST);
    assert!(fallen.await.outcome().is_none(), "its deadline went on, and SMS is not held");
    let held = world.message(waits).await.present;
    assert!(
        matches!(held.state, State::Queued { .. }) && held.step == StepIndex::FIRST,
        "no message falls back: {held:?}"
    );
    world
        .store
        .release("viber".to_owned(), String::new(), world.clock.now(), Origin::operator("Ann", None))
        .await
        .unwrap();
    let gone = world.until(waits, "handed over by Viber", is_awaiting).await;
    assert_eq!((gone.step, gone.outcome()), (StepIndex::FIRST, None::<Outcome>));
    world.stop().await;
}
