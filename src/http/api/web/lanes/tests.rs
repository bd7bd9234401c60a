//! Tests of the settings of a lane.

use axum::http::StatusCode;

use crate::base::domain::{Scope, Span};
use crate::http::api::native::tests::Bench;
use crate::http::api::web::tests::{Browser, EVIL, place};

const LANES: &str = "[provider]\nsub_account = \"acme\"\n[[account]]\nname = \"waba\"\nrate = \"900/s\"\n\
                     [[lane]]\nname = \"promo\"\nchannel = \"WhatsApp\"\nrate = \"80/s\"\naccount = \"waba\"\n\
                     tier = \"10K\"\n[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"50/s\"\n";

/// The tag that a form sends along.
fn tag(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"tag\" value=\"").unwrap();
    rest.split_once("\">").unwrap().0.replace("&#34;", "\"")
}

#[tokio::test]
async fn the_rate_of_a_lane_is_changed_and_restored_with_who_and_why() {
    let bench = Bench::configured(LANES).await;
    let browser = Browser::manager(&bench).await;
    let asked = browser.get("/lanes/promo/settings").await.text;
    for shown in ["value=\"80/s\"", "Rate of the account waba", "value=\"900/s\"", "value=\"10K\""] {
        assert!(asked.contains(shown), "{shown}: {asked}");
    }
    let (first, reason) = (tag(&asked), ("reason", EVIL));
    let form = |rate: &'static str| [("tag", first.as_str()), ("rate", rate), ("tier", "10K"), reason];
    let wrong = browser.post("/lanes/promo/settings", &form("fast")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("aria-invalid") && wrong.text.contains("value=\"fast\""), "{}", wrong.text);
    assert!(!wrong.text.contains("<script>alert"), "{}", wrong.text);

    let done = browser.post("/lanes/promo/settings", &form("40/s")).await;
    assert_eq!(place(&done), "/lanes", "{}", done.text);
    let shown = browser.get("/lanes").await.text;
    assert!(shown.contains("Rate 40/s (80/s in the file): set by mia"), "{shown}");
    assert!(!shown.contains("<script>alert") && !shown.contains("(10K in the file)"), "{shown}");
    let late = browser.post("/lanes/promo/settings", &form("20/s")).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    assert!(
        late.text.contains("The lane was changed meanwhile") && late.text.contains("value=\"40/s\""),
        "{}",
        late.text
    );

    let second = tag(&late.text);
    browser.post("/lanes/promo/settings", &[("tag", &second), ("rate", "")]).await;
    assert!(!browser.get("/lanes").await.text.contains("in the file"));
}

#[tokio::test]
async fn settings_of_a_lane_are_those_that_it_has_and_for_managers() {
    let bench = Bench::configured(LANES).await;
    let (browser, reader) = (Browser::manager(&bench).await, Browser::of(&bench, "rio", &[Scope::Read]).await);
    let asked = browser.get("/lanes/sms/settings").await.text;
    assert!(asked.contains("value=\"50/s\"") && !asked.contains("name=\"tier\""), "{asked}");
    assert!(!asked.contains("name=\"account_rate\""), "{asked}");
    assert!(browser.get("/lanes").await.text.contains("/lanes/sms/settings"));
    assert!(!reader.get("/lanes").await.text.contains("/lanes/sms/settings"), "a reader has no such link");
    assert_eq!(reader.get("/lanes/sms/settings").await.status, StatusCode::FORBIDDEN);
    assert_eq!(reader.post("/lanes/sms/settings", &[("rate", "1/s")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/lanes/unknown/settings").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn recipients_that_a_restored_database_does_not_know_are_told_on_a_page() {
    let bench = Bench::configured(LANES).await;
    let (browser, reader) = (Browser::manager(&bench).await, Browser::of(&bench, "rio", &[Scope::Read]).await);
    let asked = browser.get("/lanes/promo/settings").await.text;
    assert!(asked.contains("name=\"tier_used\"") && asked.contains("After a restore"), "{asked}");
    assert!(!browser.get("/lanes/sms/settings").await.text.contains("tier_used"), "it has no tier");
    let wrong = browser.post("/lanes/promo/tier-used", &[("tier_used", "many")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("value=\"many\"") && wrong.text.contains("Enter a number"), "{}", wrong.text);
    let done = browser.post("/lanes/promo/tier-used", &[("tier_used", " 180 ")]).await;
    assert_eq!(place(&done), "/lanes", "{}", done.text);
    let told = bench.store.unknown_slots(bench.shared.clock.now() - Span::from_secs(60)).await.unwrap();
    assert_eq!(told.values().map(|slots| (slots.recipients, slots.is_told)).collect::<Vec<_>>(), [(180, true)]);
    assert_eq!(reader.post("/lanes/promo/tier-used", &[("tier_used", "1")]).await.status, StatusCode::FORBIDDEN);
    assert_ne!(browser.post("/lanes/sms/tier-used", &[("tier_used", "1")]).await.status, StatusCode::SEE_OTHER);
}
