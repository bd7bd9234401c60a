//! The list of the unfinished campaigns.

use axum::http::StatusCode;

use super::{Author, Browser};
use crate::base::domain::{Scope, SketchId, Span};
use crate::http::api::native::tests::Bench;
use crate::store::Sketch;

#[tokio::test]
async fn every_unfinished_campaign_is_listed_on_pages() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    assert!(browser.get("/new").await.text.contains("There are no unfinished campaigns."));
    let now = bench.shared.clock.now();
    for number in 1..=51_u64 {
        let name = if number == 1 { "<b>Oldest</b>".to_owned() } else { format!("Number {number}") };
        let at = now + Span::from_secs(i64::try_from(number).unwrap());
        let sketch = Sketch {
            id: SketchId::new(number),
            campaign: serde_json::json!({"name": name}).to_string(),
            version: 1,
            created_at: at,
            changed_at: at,
            changed_by: "ann".to_owned(),
            launch: None,
        };
        bench.store.create_sketch(sketch).await.unwrap();
    }
    let campaigns = browser.get("/campaigns").await.text;
    assert!(campaigns.contains("Number 51") && campaigns.contains("Number 47<"), "{campaigns}");
    assert!(!campaigns.contains("Number 46<") && campaigns.contains("href=\"/new\""), "{campaigns}");
    let first = browser.get("/new").await.text;
    assert!(first.contains("Number 51") && first.contains("Number 2<") && !first.contains("Oldest"), "{first}");
    let (_, rest) = first.split_once("href=\"/new?cursor=").unwrap();
    let second = browser.get(&format!("/new?cursor={}", rest.split('"').next().unwrap())).await.text;
    assert!(second.contains("&#60;b&#62;Oldest") && !second.contains("Number 2<"), "{second}");
}

#[tokio::test]
async fn the_list_and_the_question_before_a_discard_are_for_operators_who_manage() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    for path in ["/new".to_owned(), "/new/count?of=SMS&text=a".to_owned(), format!("{}/delete", author.at)] {
        assert_eq!(reader.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}
