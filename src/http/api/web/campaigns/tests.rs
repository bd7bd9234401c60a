//! Tests of a campaign over time, and of the recipients behind the numbers of its steps.

use axum::http::{StatusCode, header};

use crate::base::clock::Clock as _;
use crate::base::domain::{BatchId, DoubtCause, Span, Timestamp};
use crate::http::api::native::tests::Bench;
use crate::http::api::web::tests::Browser;
use crate::store::{BatchFigures, Beat, Direction, LinkState, started};

/// A campaign with two recipients, and its page.
async fn launched(bench: &Bench) -> (String, BatchId) {
    let launched = bench.launch("Promo").await;
    assert_eq!(launched.status, StatusCode::CREATED, "{}", launched.text);
    let batch = bench.store.batch_named("Promo").await.unwrap().unwrap().id;
    (format!("/campaigns/{}", launched.body["id"].as_str().unwrap()), batch)
}

fn figures(batch: BatchId, begins: Timestamp, second: i64) -> BatchFigures {
    let (at, open) = (begins + Span::from_secs(second), 1_000 - second * 10);
    BatchFigures {
        batch,
        at,
        submitted: second * 20,
        reached: second * 10,
        ended: 0,
        open,
        fell_back: 7,
        allowed: 80_000,
    }
}

#[tokio::test]
async fn a_page_has_charts_once_there_are_two_notes() {
    let bench = Bench::new().await;
    let (campaign, batch) = launched(&bench).await;
    let browser = Browser::manager(&bench).await;
    let page = browser.get(&campaign).await.text;
    assert!(page.contains("<div id=\"course\">") && !page.contains("<polyline"), "{page}");
    let begins = bench.store.batch(batch).await.unwrap().unwrap().created_at;
    let noted = (0..60).map(|second| figures(batch, begins, second)).collect();
    bench.store.note_figures(noted, Vec::new()).await.unwrap();
    bench.clock.advance(Span::from_secs(60));
    let page = browser.get(&campaign).await.text;
    assert_eq!(page.matches("<polyline").count(), 4, "{page}");
    assert!(page.contains("Allowed: up to 4,800, above this scale"), "{page}");
    // The line ends with what the campaign has now, not with its last note.
    assert!(page.contains("0 reached, 0 not reached, 2 open"), "{page}");
    assert!(page.contains("at most 1,200, 0 on average; 4,800 allowed"), "{page}");
    assert!(page.contains("Nothing was submitted yet.") && !page.contains("class=\"bars funnel\""), "{page}");
    assert!(!page.contains(" style=") && page.len() < 60_000, "{}", page.len());
    let file = browser.get(&format!("{campaign}/course.csv")).await;
    assert!(file.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    assert_eq!(file.text.lines().count(), 61, "{}", file.text);
    assert!(file.text.starts_with("\u{feff}Time,Submitted,Reached,Not reached,Open,Fell back"), "{}", file.text);
}

#[tokio::test]
async fn recipients_are_found_by_what_became_of_them_at_a_step() {
    let bench = Bench::new().await;
    let (campaign, _) = launched(&bench).await;
    let browser = Browser::manager(&bench).await;
    let count = async |query: &str| {
        let shown = browser.get(&format!("{campaign}/recipients?{query}")).await;
        assert_eq!(shown.status, StatusCode::OK, "{query}: {}", shown.text);
        shown.text.matches("href=\"/messages/").count()
    };
    assert_eq!((count("step=1").await, count("step=1&fact=to_submit").await), (2, 2));
    assert_eq!((count("step=7").await, count("step=1&fact=submitted").await), (0, 0));
    assert_eq!(count("step=1&fact=fell_back").await, 0);
    // Words and steps that do not exist are no filter, and neither is a fact without a step.
    assert_eq!((count("step=0&fact=read").await, count("step=x&fact=y").await, count("fact=read").await), (2, 2, 2));
    let page = browser.get(&campaign).await.text;
    assert!(page.contains("/recipients?step=1&#38;fact=to_submit\""), "{page}");
    let listed = browser.get(&format!("{campaign}/recipients?step=1&fact=to_submit")).await.text;
    assert!(listed.contains("<option value=\"to_submit\" selected>") && listed.contains("<details open>"), "{listed}");
    assert!(listed.contains(">Clear</a>"), "{listed}");
}

/// When an outage ends is unknown, so the page gives no time for the rest.
#[tokio::test]
async fn during_an_outage_a_campaign_says_what_it_waits_for() {
    let bench = Bench::new().await;
    let (campaign, _) = launched(&bench).await;
    let browser = Browser::manager(&bench).await;
    let now = bench.clock.now();
    let node = started(bench.store.as_ref(), now).await.node;
    let shown = async |doubt| {
        let address = bench.shared.config.lanes[0].provider.base_url.clone();
        let link = LinkState { address, direction: Direction::Out, proven: now, doubt };
        bench.store.beat(Beat { links: vec![link], ..Beat::of(node, now, 0) }).await.unwrap();
        browser.get(&campaign).await.text
    };
    let running = shown(None).await;
    assert!(running.contains(" (in ") && !running.contains("No forecast"), "{running}");
    assert!(!running.contains("waits for the provider"), "{running}");
    let out = shown(Some((now, DoubtCause::Unreachable))).await;
    assert!(out.contains("waits for the provider, which cannot be reached") && out.contains("No forecast"), "{out}");
    assert!(!out.contains(" (in "), "{out}");
}
