//! Tests of the page of the times.

use super::{Author, place};
use crate::http::api::native::tests::Bench;

#[tokio::test]
async fn a_wrong_length_of_time_is_refused_on_its_own_page() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let wrong = author.fill("time", &[("ttl", "soon"), ("do", "next")]).await;
    assert_eq!(place(&wrong), format!("{}/time#ttl", author.at));
    let page = author.get("time").await;
    assert!(page.contains("value=\"soon\"") && page.contains("is not a length of time"), "{page}");
    let right = author.fill("time", &[("ttl", "2 hours"), ("over", "1 minute"), ("do", "next")]).await;
    assert_eq!(place(&right), format!("{}/review", author.at));
    let steps = |after| [("1-channel", "Viber"), ("1-fallback_after", after), ("2-channel", "SMS"), ("do", "next")];
    let wrong = author.fill("route", &steps("a while")).await;
    assert_eq!(place(&wrong), format!("{}/route#1-fallback_after", author.at));
    assert!(author.get("route").await.contains("value=\"a while\""));
    assert_eq!(place(&author.fill("route", &steps("1 minute")).await), format!("{}/content", author.at));
    assert!(author.get("review").await.contains("1 min"));
}

#[tokio::test]
async fn a_time_zone_is_chosen_from_a_list_with_the_clock_of_each_recipient() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let chosen = |page: &str| {
        let (_, zones) = page.split_once("name=\"time_zone\"").unwrap();
        zones.split_once(" selected>").unwrap().1.split('<').next().unwrap().to_owned()
    };
    // Without a script, the zone of the browser is not known.
    assert_eq!(chosen(&author.get("time").await), "Not chosen");
    author.browser.post("/zone", &[("zone", "Asia/Singapore")]).await;
    assert_eq!(chosen(&author.get("time").await), "Asia/Singapore");
    let at = [("at", "2027-12-01T09:00"), ("time_zone", "recipient"), ("do", "next")];
    author.fill("time", &at).await;
    assert_eq!(chosen(&author.get("time").await), "Each recipient&#39;s local time");
    // A zone that a file has written in small letters is the one of the list.
    author.fill("time", &[("at", "2027-12-01T09:00"), ("time_zone", "europe/berlin"), ("do", "next")]).await;
    assert_eq!(chosen(&author.get("time").await), "Europe/Berlin");
}

#[tokio::test]
async fn with_the_clock_of_each_recipient_the_end_is_by_the_clock_of_the_operator() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    author.browser.post("/zone", &[("zone", "Asia/Singapore")]).await;
    let times = [("at", "2027-12-01T09:00"), ("time_zone", "recipient"), ("end", "2027-12-02T20:00"), ("do", "next")];
    assert_eq!(place(&author.fill("time", &times).await), format!("{}/review", author.at));
    let page = author.get("time").await;
    assert!(page.contains("type=\"datetime-local\" value=\"2027-12-02T20:00\""), "{page}");
    let id = author.at.rsplit('/').next().unwrap().parse().unwrap();
    let sketch = bench.store.sketch(id).await.unwrap().unwrap();
    assert!(sketch.campaign.contains("\"end\":\"2027-12-02T12:00:00.000Z\""), "{}", sketch.campaign);
}

#[tokio::test]
async fn the_examples_of_rules_are_accepted() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let texts = crate::http::pages::texts();
    for hint in [texts.pause_when_hint, texts.results.hold_paid_when_hint] {
        let example = hint.strip_prefix("Such as: ").unwrap().split('.').next().unwrap();
        let taken = author.fill("time", &[("pause_when", example), ("do", "next")]).await;
        assert_eq!(place(&taken), format!("{}/review", author.at), "{example}");
    }
}

#[tokio::test]
async fn another_step_is_opened_after_its_link_has_saved_the_page() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let left = author.fill("time", &[("ttl", "soon"), ("do", "to-content")]).await;
    assert_eq!(place(&left), format!("{}/content", author.at));
    assert!(author.get("time").await.contains("value=\"soon\""));
    // A word that is no page saves and stays.
    assert_eq!(place(&author.fill("time", &[("do", "to-nowhere")]).await), format!("{}/time", author.at));
}

#[tokio::test]
async fn hours_holidays_and_the_rule_for_paid_steps_have_fields() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let hours = [("send_window", "Mon-Fri 09:00-18:00"), ("holidays", "Christmas"), ("do", "next")];
    let wrong = author.fill("time", &hours).await;
    assert_eq!(place(&wrong), format!("{}/time#holidays", author.at));
    assert!(author.get("time").await.contains("Christmas&#34; is not a date"), "beside the field");
    let rule = [("holidays", "2027-12-24, 2027-12-25"), ("hold_paid_when", "undelivered > 50% of the last 100")];
    assert_eq!(
        place(&author.fill("time", &[&rule[..], &[("do", "next")]].concat()).await),
        format!("{}/review", author.at)
    );
    let page = author.get("time").await;
    for value in ["Mon-Fri 09:00-18:00", "2027-12-24, 2027-12-25", "undelivered &#62; 50% of the last 100"] {
        assert!(page.contains(&format!("value=\"{value}\"")), "{value}: {page}");
    }
}
