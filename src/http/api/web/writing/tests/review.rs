//! Tests of the review, and of the way from it to a field and back.

use super::{Author, place, version};
use crate::http::api::native::tests::Bench;

#[tokio::test]
async fn a_page_that_the_review_led_to_leads_back_to_it() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    author.fill("time", &[("max_messages", "2"), ("do", "next")]).await;
    let review = author.get("review").await;
    let link = format!("{}/time?from=review#max_messages", author.at);
    assert!(
        review.contains("&#34;Maximum number of messages&#34; allows 2 of 3") && review.contains(&link),
        "{review}"
    );
    let page = author.get("time?from=review").await;
    assert!(page.contains("name=\"from\" value=\"review\"") && page.contains("return to the review"), "{page}");
    let all = [("from", "review"), ("max_messages", ""), ("do", "next")];
    assert_eq!(place(&author.fill("time", &all).await), format!("{}/review", author.at));
    // The recipients too, which are chosen by clicks.
    let recipients = author.get("recipients?from=review").await;
    assert!(recipients.contains(&format!("href=\"{}/review\">Return to the review</a>", author.at)), "{recipients}");
    let removed = author.fill("recipients", &[("from", "review"), ("remove", "Others")]).await;
    assert_eq!(place(&removed), format!("{}/recipients?from=review", author.at));
    let filtered = author.fill("check", &[("from", "review"), ("where", ""), ("do", "next")]).await;
    assert_eq!(place(&filtered), format!("{}/review", author.at));
    // What stays on its page still knows the way back; other pages go on as usual.
    let steps = [("from", "review"), ("1-channel", "Viber"), ("1-fallback_after", "15m"), ("2-channel", "SMS")];
    let added = author.fill("route", &[&steps[..], &[("do", "add")]].concat()).await;
    assert_eq!(place(&added), format!("{}/route?from=review#step-3", author.at));
    let saved = author.fill("content", &[("from", "review"), ("1-text", "Hi"), ("do", "save")]).await;
    assert_eq!(place(&saved), format!("{}/content?from=review&saved=true", author.at));
    let usual = author.fill("content", &[("1-text", "Hi"), ("do", "next")]).await;
    assert_eq!(place(&usual), format!("{}/time", author.at));
}

#[tokio::test]
async fn a_change_that_came_too_late_still_leads_back_to_the_review() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let old = version(&author.get("time?from=review").await);
    author.fill("time", &[("ttl", "2h"), ("do", "next")]).await;
    let late = author.send("time", &old, &[("from", "review"), ("ttl", "3h"), ("do", "next")]).await;
    assert!(late.text.contains("name=\"from\" value=\"review\""), "{}", late.text);
}
