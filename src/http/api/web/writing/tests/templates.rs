//! Tests of the templates that a step may use.

use super::Author;
use super::content::bench;
use crate::http::api::native::tests::Bench;

#[tokio::test]
async fn a_template_that_was_never_fetched_is_a_warning_of_the_review() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let steps = [("1-channel", "WhatsApp"), ("1-fallback_after", "15m"), ("2-channel", "SMS"), ("do", "next")];
    author.fill("route", &steps).await;
    let content = author.get("content").await;
    let notice = "The templates of lane promo-sg were never fetched.";
    assert_eq!(content.matches(notice).count(), 1, "{content}");
    let template = [
        ("1-template_name", "nope"),
        ("1-template_language", "en"),
        ("1-template_category", "MARKETING"),
        ("1-text", ""),
    ];
    author.fill("content", &template).await;
    // One notice beside the field, and none for each message.
    let content = author.get("content").await;
    assert!(content.matches(notice).count() == 1 && !content.contains("shows the values alone"), "{content}");
    let review = author.get("review").await;
    let warning =
        "Step 1: template nope (en) was not checked, because the templates of lane promo-sg were never fetched";
    assert_eq!(review.matches(warning).count(), 1, "{review}");
    assert!(review.contains("/content?from=review#1-template_name\">"), "{review}");
    assert_eq!(review.matches("shows the values alone").count(), 1, "{review}");
}

#[tokio::test]
async fn a_template_that_is_not_in_the_list_is_named() {
    let bench = bench().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", super::FILE).await;
    author.fill("route", &[("1-channel", "WhatsApp"), ("do", "next")]).await;
    let listed = author.get("content").await;
    assert!(listed.contains(">order (en, marketing)</option>") && !listed.contains("1-template_name"), "{listed}");
    author.fill("content", &[("1-template", "|"), ("do", "chosen-1")]).await;
    let content = author.get("content").await;
    assert!(
        content.contains("<option value=\"|\" selected>") && content.contains("name=\"1-template_name\" value=\"\"")
    );
    let new = [("1-template", "|"), ("1-template_name", "new"), ("1-template_language", "en")];
    author.fill("content", &new).await;
    let content = author.get("content").await;
    assert!(
        content.contains("value=\"new\"") && content.contains("he provider has no template &#34;new&#34;"),
        "{content}"
    );
    // One that is in the list after all gets its own fields.
    author.fill("content", &[("1-template", "|"), ("1-template_name", "hello"), ("1-template_language", "en")]).await;
    let content = author.get("content").await;
    assert!(content.contains("selected>hello (en, marketing)") && content.contains("News for"), "{content}");
    // From there, another one can be named again.
    author.fill("content", &[("1-template", "|"), ("do", "chosen-1")]).await;
    let content = author.get("content").await;
    assert!(
        content.contains("<option value=\"|\" selected>") && content.contains("name=\"1-template_name\" value=\"\""),
        "{content}"
    );
}
