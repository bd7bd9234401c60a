//! A campaign with many recipients is started by another operator than those who have written it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use super::{Author, version};
use crate::base::domain::{BatchState, Scope};
use crate::http::access::Caller;
use crate::http::api::native::tests::{Answered, Bench, caller};
use crate::http::api::web::tests::{Browser, place};

async fn bench_above(most: u32) -> Bench {
    Bench::changed(|text| format!("{text}\n[campaigns]\napproval_above = {most}\n")).await
}

/// The campaign after its launch from the pages: its address, and the answer.
async fn launched(author: &Author<'_>, name: &str) -> (String, Answered) {
    let version = version(&author.get("review").await);
    let launched = author.send("launch", &version, &[("name", name), ("do", "launch")]).await;
    (place(&launched).split('?').next().unwrap().to_owned(), launched)
}

/// Presses the button of the campaign's page.
async fn start(browser: &Browser<'_>, campaign: &str) -> Answered {
    let shown = browser.get(campaign).await.text;
    let edition = shown.split_once("name=\"edition\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let edition = edition.map_or("0", |(edition, _)| edition);
    browser.post(&format!("{campaign}/start"), &[("edition", edition)]).await
}

async fn state(bench: &Bench, name: &str) -> BatchState {
    bench.store.batch_named(name).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_large_campaign_waits_until_another_operator_starts_it() {
    let bench = bench_above(2).await;
    let author = Author::written(&bench).await;
    let review = author.get("review").await;
    assert!(review.contains("Ask for approval to send to 3 recipients"), "{review}");
    let (campaign, asked) = launched(&author, "Promo").await;
    assert!(place(&asked).ends_with("?done=asked"), "{} {}", place(&asked), asked.text);
    assert_eq!(state(&bench, "Promo").await, BatchState::Draft);

    let own = author.browser.get(&campaign).await.text;
    assert!(own.contains("Written by mia. Another operator has to approve and start it."), "{own}");
    assert!(!own.contains(&format!("{campaign}/start")), "{own}");
    let refused = start(&author.browser, &campaign).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("annot be started by mia"), "{}", refused.text);
    let refused = author.browser.call(Method::POST, &format!("/v1{campaign}/start"), &[], "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert_eq!(state(&bench, "Promo").await, BatchState::Draft);

    let other = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
    let home = other.get("/").await.text;
    assert!(home.contains("Its start waits for another operator: it has 3 recipients, more than 2"), "{home}");
    let page = other.get(&campaign).await.text;
    assert!(page.contains("Approve and start") && page.contains("written by mia"), "{page}");
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    assert!(!reader.get(&campaign).await.text.contains("Approve and start"));
    assert_eq!(start(&reader, &campaign).await.status, StatusCode::FORBIDDEN);
    let started = start(&other, &campaign).await;
    assert!(place(&started).ends_with("?done=started"), "{}", started.text);
    assert_eq!(state(&bench, "Promo").await, BatchState::Running);
    let events = other.get(&format!("{campaign}/events")).await.text;
    assert!(events.contains("mia") && events.contains("max"), "{events}");
}

#[tokio::test]
async fn a_refused_draft_says_why_and_asks_again_once_it_is_changed() {
    let bench = bench_above(2).await;
    let author = Author::written(&bench).await;
    let (campaign, _) = launched(&author, "Promo").await;
    let max = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
    assert!(max.get(&campaign).await.text.contains(&format!("{campaign}/refuse")));
    assert!(!author.browser.get(&campaign).await.text.contains("/refuse"));
    let asked = max.get(&format!("{campaign}/refuse")).await.text;
    assert!(asked.contains("What has to change") && asked.contains("name=\"edition\" value=\"0\""), "{asked}");
    let refuse = async |browser: &Browser<'_>, edition, reason| {
        browser.post(&format!("{campaign}/refuse"), &[("edition", edition), ("reason", reason)]).await
    };
    let unsaid = refuse(&max, "0", " ").await;
    assert!(unsaid.status == StatusCode::OK && unsaid.text.contains("Say what has to change"), "{}", unsaid.text);
    let done = refuse(&max, "0", "the price is wrong").await;
    assert!(place(&done).ends_with("?done=refused"), "{} {}", place(&done), done.text);
    assert_eq!(state(&bench, "Promo").await, BatchState::Draft);
    let own = author.browser.get(&campaign).await.text;
    assert!(own.contains("efused by max: &#34;the price is wrong&#34;; it has 3 recipients"), "{own}");
    // Twice is once; another reason is another refusal.
    refuse(&max, "0", "the price is wrong").await;
    let events = max.get(&format!("{campaign}/events")).await.text;
    assert_eq!(events.matches("efused by max: the price is wrong").count(), 1, "{events}");
    refuse(&max, "0", "so is the text").await;
    let own = author.browser.get(&campaign).await.text;
    assert!(own.contains("efused by max: &#34;so is the text&#34;; it has 3 recipients"), "{own}");

    let change = r#"{"max_messages": "9"}"#;
    let changed = author.browser.call(Method::PATCH, &format!("/v1{campaign}"), &[("if-match", "*")], change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let own = author.browser.get(&campaign).await.text;
    assert!(own.contains("ts start waits for another operator") && !own.contains("efused by max: &#34;so is the text"));
    // Whoever has read the former edition reads this one first, also before they say why.
    for late in [refuse(&max, "0", "wrong").await, refuse(&max, "0", " ").await] {
        assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
    }
    let late = max.get(&format!("{campaign}/refuse?edition=0")).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
    // Over the API, with a reason too. Whoever has refused may still approve.
    for (body, status) in [("{}", 422), (r#"{"reason": " "}"#, 422), (r#"{"reason": "still wrong"}"#, 200)] {
        let answer = max.call(Method::POST, &format!("/v1{campaign}/refuse"), &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
    }
    assert!(place(&start(&max, &campaign).await).ends_with("?done=started"));
    let over = max.call(Method::POST, &format!("/v1{campaign}/refuse"), &[], r#"{"reason": "late"}"#).await;
    assert!(over.status == StatusCode::CONFLICT && over.text.contains("cannot be refused"), "{}", over.text);
}

#[tokio::test]
async fn a_draft_that_needs_no_approval_cannot_be_refused() {
    let bench = bench_above(9).await;
    let author = Author::written(&bench).await;
    let version = version(&author.get("review").await);
    author.send("launch", &version, &[("name", "Promo"), ("do", "draft")]).await;
    let answer = author.browser.call(Method::POST, "/v1/campaigns/Promo/refuse", &[], r#"{"reason": "no"}"#).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.text.contains("waits for no approval, so there is nothing to refuse"), "{}", answer.text);
}

#[tokio::test]
async fn whoever_approves_reads_the_whole_plan() {
    let bench = bench_above(1).await;
    let author = Author::written(&bench).await;
    let at =
        [("at", "2027-02-01T09:00"), ("time_zone", "Europe/Berlin"), ("quiet_hours", "22:00-07:00"), ("do", "next")];
    author.fill("time", &at).await;
    author.fill("check", &[("where", "Code in [\"A1\", \"B2\"]"), ("do", "next")]).await;
    let review = author.get("review").await;
    // The start in the sender's zone, and what the clocks of the recipients show then.
    assert!(review.contains("SG 2027-02-01 16:00"), "{review}");
    assert!(review.contains("Only recipients who meet the filter: Code in"), "{review}");
    assert!(review.contains("22:00-07:00"), "{review}");
    let (campaign, _) = launched(&author, "Promo").await;
    let plan = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await.get(&format!("{campaign}/plan")).await;
    assert_eq!(plan.status, StatusCode::OK, "{}", plan.text);
    // The filter leaves some of the audience out, and with them perhaps a country.
    for part in [
        "On the clocks of the audience&#39;s countries",
        "SG 2027-02-01 16:00",
        "Only recipients who meet the filter: Code in",
        "22:00-07:00",
        "Ann",
        "+6591234567",
    ] {
        assert!(plan.text.contains(part), "{part}: {}", plan.text);
    }
    assert!(
        plan.text.contains("Approve and start") && plan.text.contains(&format!("{campaign}/refuse")),
        "{}",
        plan.text
    );
}

#[tokio::test]
async fn a_campaign_of_exactly_as_many_recipients_needs_no_approval() {
    let bench = bench_above(3).await;
    let author = Author::written(&bench).await;
    assert!(author.get("review").await.contains("Launch to 3 recipients"));
    let (_, done) = launched(&author, "Promo").await;
    assert!(place(&done).ends_with("?done=launched"), "{}", done.text);
    assert_eq!(state(&bench, "Promo").await, BatchState::Running);
}

#[tokio::test]
async fn an_approved_campaign_starts_at_its_time() {
    let bench = bench_above(2).await;
    let author = Author::written(&bench).await;
    let at = [("at", "2027-02-01T09:00"), ("time_zone", "Asia/Singapore"), ("do", "next")];
    author.fill("time", &at).await;
    let (campaign, done) = launched(&author, "Promo").await;
    assert!(place(&done).ends_with("?done=asked"), "{}", done.text);
    let other = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
    start(&other, &campaign).await;
    assert_eq!(state(&bench, "Promo").await, BatchState::Scheduled);
}

#[tokio::test]
async fn a_draft_that_an_operator_has_changed_is_started_by_a_third_one() {
    let bench = bench_above(1).await;
    let launched = bench.launch("Promo").await;
    assert_eq!(launched.body["state"], "draft", "{}", launched.text);
    let campaign = format!("/v1/campaigns/{}", launched.body["id"].as_str().unwrap());
    let max = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
    let changed = max.call(Method::PATCH, &campaign, &[("if-match", "*")], r#"{"max_messages": "9"}"#).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let refused = max.call(Method::POST, &format!("{campaign}/start"), &[], "").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let eva = Browser::of(&bench, "eva", &[Scope::Read, Scope::Manage]).await;
    let started = eva.call(Method::POST, &format!("{campaign}/start"), &[], "").await;
    assert_eq!(started.body["state"], "running", "{}", started.text);
    // A clone is another campaign, which needs an approval of its own.
    let cloned = eva.call(Method::POST, &format!("{campaign}/clone"), &[("idempotency-key", "c")], "").await;
    assert_eq!((cloned.status, &cloned.body["state"]), (StatusCode::CREATED, &"draft".into()), "{}", cloned.text);
}

#[tokio::test]
async fn a_key_approves_nothing_whatever_its_name() {
    let bench = bench_above(1).await;
    let launched = bench.launch("Promo").await;
    assert_eq!(launched.body["state"], "draft", "{}", launched.text);
    let request = Request::post("/v1/campaigns/Promo/start").body(Body::empty()).unwrap();
    let second = Caller { name: "second".to_owned(), ..(*caller("b", &[Scope::Manage])).clone() };
    let refused = bench.send(Some(Arc::new(second)), request).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(refused.text.contains("an operator who has signed in approves it on its page"), "{}", refused.text);
    assert_eq!(state(&bench, "Promo").await, BatchState::Draft);
}

#[tokio::test]
async fn a_draft_that_was_changed_since_its_page_was_loaded_is_shown_again() {
    for above in [2, 9] {
        let bench = bench_above(above).await;
        let author = Author::written(&bench).await;
        let version = version(&author.get("review").await);
        let kept = author.send("launch", &version, &[("name", "Promo"), ("do", "draft")]).await;
        let campaign = place(&kept).split('?').next().unwrap().to_owned();
        let other = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
        let seen = other.get(&campaign).await.text;
        assert!(seen.contains("name=\"edition\" value=\"0\""), "{seen}");
        let native = format!("/v1{campaign}");
        let change = r#"{"max_messages": "2"}"#;
        let changed = author.browser.call(Method::PATCH, &native, &[("if-match", "*")], change).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        for fields in [&[("edition", "0")][..], &[]] {
            let late = other.post(&format!("{campaign}/start"), fields).await;
            assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
            assert!(late.text.contains("was changed meanwhile, so nothing was decided"), "{}", late.text);
            assert!(late.text.contains("name=\"edition\" value=\"1\""), "{}", late.text);
        }
        let tag = other.get(&native).await.headers["etag"].to_str().unwrap().to_owned();
        let old = tag.replace("-1\"", "-0\"");
        let late = other.call(Method::POST, &format!("{native}/start"), &[("if-match", &old)], "").await;
        assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
        assert_eq!(state(&bench, "Promo").await, BatchState::Draft);
        let started = other.call(Method::POST, &format!("{native}/start"), &[("if-match", &tag)], "").await;
        assert_eq!(started.body["state"], "running", "{}", started.text);
    }
}
