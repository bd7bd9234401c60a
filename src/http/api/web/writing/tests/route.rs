//! Tests of the page of the route.

use super::Author;
use crate::http::api::native::tests::Bench;

#[tokio::test]
async fn a_new_step_falls_back_after_15m_once_another_follows() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let deadline = |step: u8, value: &str| format!("name=\"{step}-fallback_after\" value=\"{value}\"");
    assert!(!author.get("route").await.contains("1-fallback_after"), "the only step is the last");
    author.fill("route", &[("1-channel", "Viber"), ("do", "add")]).await;
    let page = author.get("route").await;
    assert!(page.contains(&deadline(1, "15m")) && !page.contains("2-fallback_after"), "{page}");
    assert!(page.contains("aria-label=\"Move step 1 after step 2\"><span class=\"beside\">→</span>"), "{page}");
    // What its operator has removed stays away.
    let steps = [("1-channel", "Viber"), ("1-fallback_after", ""), ("2-channel", "SMS"), ("do", "add")];
    author.fill("route", &steps).await;
    let page = author.get("route").await;
    assert!(page.contains(&deadline(1, "")) && page.contains(&deadline(2, "15m")), "{page}");
}
