//! Every page of a campaign opens, however the campaign was made, and in every state.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::crawl::links;
use super::{Browser, OF_CAMPAIGN, place};
use crate::base::clock::Clock as _;
use crate::base::domain::{BatchState, Scope, Span};
use crate::base::events::Origin;
use crate::http::api::native::tests::{Bench, caller};
use crate::http::api::web::writing::tests::{Author, version};

/// The states in the order in which a campaign can come to them.
const STATES: [BatchState; 8] = [
    BatchState::Draft,
    BatchState::Scheduled,
    BatchState::Running,
    BatchState::Paused,
    BatchState::Finished,
    BatchState::Settled,
    BatchState::Cancelling,
    BatchState::Cancelled,
];

/// A campaign as a file or a command gives it: with a start by no zone, and one at once with everything that a page shows.
async fn by_file(bench: &Bench, name: &str, more: &str) -> String {
    let lane = "\"channel\": \"SMS\", \"text\": \"Hi {{Mobile}}\", \"source\": \"ACME\"";
    let body = format!("{{\"name\": \"{name}\", \"numbers\": [\"+6591234567\"]{more}, \"step\": [{{{lane}}}]}}");
    let launched = bench.post("/v1/campaigns", &name.replace(' ', "-"), &body).await;
    assert_eq!(launched.status, StatusCode::CREATED, "{}", launched.text);
    format!("/campaigns/{}", launched.body["id"].as_str().unwrap())
}

async fn by_pages(bench: &Bench) -> String {
    let author = Author::written(bench).await;
    let version = version(&author.get("review").await);
    let launch = [("version", version.as_str()), ("name", "By pages"), ("do", "launch")];
    let launched = author.browser.post(&format!("{}/launch", author.at), &launch).await;
    let campaign = place(&launched).split('?').next().unwrap();
    assert!(campaign.starts_with("/campaigns/"), "{campaign}: {}", launched.text);
    campaign.to_owned()
}

async fn by_api(bench: &Bench) -> String {
    let body = json!({"user": {"msisdn": "+6591234568"}, "clientMessageId": "1", "type": "Text", "content": {"text": "Hi"}, "channels": [{"channel": "SMS"}]});
    let request = Request::post("/api/v1/subaccounts/acme/messages").header("content-type", "application/json");
    let sent = bench.send(Some(caller("a", &[Scope::Send])), request.body(Body::from(body.to_string())).unwrap()).await;
    assert!(sent.status.is_success(), "{}", sent.text);
    let batches = bench.store.batches(None).await.unwrap();
    let of_calls = batches.iter().find(|batch| batch.name.is_none()).unwrap();
    format!("/campaigns/{}", of_calls.public_id())
}

#[tokio::test]
async fn every_page_of_a_campaign_opens_however_it_was_made_and_in_every_state() {
    let bench = Bench::new().await;
    let at = (bench.clock.now() + Span::from_secs(86_400)).rfc3339();
    let campaigns = [
        by_file(&bench, "At a time", &format!(", \"at\": \"{at}\"")).await,
        by_file(
            &bench,
            "By their clocks",
            ", \"at\": \"2099-01-02T09:00\", \"time_zone\": \"recipient\", \"quiet_hours\": \"21:00-08:00\"",
        )
        .await,
        by_file(&bench, "Now", ", \"max_messages\": 5, \"ttl\": \"3d\"").await,
        by_pages(&bench).await,
        by_api(&bench).await,
    ];
    let browser = Browser::of(&bench, "root", Scope::ALL).await;
    let mut opened = 0;
    for state in STATES {
        for batch in bench.store.batches(None).await.unwrap() {
            let states = STATES.to_vec();
            bench.store.move_batch(batch.id, states, state, Some(Origin::SERVER), bench.clock.now()).await.unwrap();
        }
        for campaign in &campaigns {
            let mut waiting: Vec<String> = OF_CAMPAIGN.iter().map(|page| format!("{campaign}{page}")).collect();
            let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
            while let Some(path) = waiting.pop() {
                // No rate ends this.
                bench.clock.advance(Span::from_millis(200));
                let shown = browser.get(&path).await;
                assert!(!shown.status.is_server_error(), "{path}, {state:?}: {} {}", shown.status, shown.text);
                opened += u32::from(shown.status == StatusCode::OK);
                let is_own = |link: &String| link.starts_with(campaign.as_str()) && !link.contains("watch");
                waiting.extend(links(&shown.text).into_iter().filter(is_own).filter(|link| seen.insert(link.clone())));
            }
        }
    }
    assert!(opened > 400, "only {opened} pages opened");
}
