//! What the review says about the recipients.

use super::{Author, Bench};
use crate::base::clock::Clock as _;
use crate::base::domain::Span;

#[tokio::test]
async fn the_review_counts_the_rows_that_the_import_rejected() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let sketch = author.at.rsplit('/').next().unwrap();
    let review = author.get("review").await;
    let counted = format!(
        "<dt><a href=\"/audiences/Members/rejected?sketch={sketch}\">Rejected at the import</a></dt><dd>1</dd>"
    );
    assert!(review.contains(&counted) && !review.contains("No row is left out."), "{review}");
    // With several audiences, the page of the check lists them.
    author.upload("Others.csv", "Mobile,FirstName,Code\n+6591234560,Zoe,Z1\n1,Short,Z2\n").await;
    let review = author.get("review").await;
    let counted = format!("<dt><a href=\"{}/check\">Rejected at the import</a></dt><dd>2</dd>", author.at);
    assert!(review.contains(&counted), "{review}");
}

#[tokio::test]
async fn the_review_of_a_file_without_a_fault_leaves_no_row_out() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", "Mobile,FirstName\n+6591234567,Ann\n").await;
    author.fill("route", &[("1-channel", "SMS"), ("do", "next")]).await;
    author.fill("content", &[("1-text", "Hi {FirstName}"), ("do", "next")]).await;
    let review = author.get("review").await;
    assert!(review.contains("No row is left out.") && !review.contains("Rejected at the import"), "{review}");
}

#[tokio::test]
async fn the_recipients_of_a_filter_are_counted_while_it_is_typed() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let check = author.get("check").await;
    assert!(check.contains("data-count=\"filter of ") && check.contains("3 of 3 recipients selected"), "{check}");
    let sketch = author.at.rsplit('/').next().unwrap();
    let counted = async |filter: &str| {
        let of = format!("filter of {sketch}");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("of", &of[..]), ("text", filter)])
            .finish();
        author.browser.get(&format!("/new/count?{query}")).await.text
    };
    assert!(counted("Code = \"A1\"").await.contains("1 of 3 recipients selected"));
    assert!(counted("Code = ").await.contains("This is no filter yet."));
    assert!(counted("").await.contains("3 of 3 recipients selected"));
    assert!(counted("Code = \"none\"").await.contains("0 of 3 recipients selected"));
    assert!(counted("Cod = \"A1\"").await.contains("Cod"), "an unknown column is named");
    // Nothing is saved by it.
    assert!(author.get("check").await.contains("name=\"where\" value=\"\""));
}

#[tokio::test]
async fn a_number_of_several_audiences_counts_once_before_and_after_the_launch() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    // Two of the three are in the first audience too.
    author
        .upload("Others.csv", "Mobile,FirstName,Code\n+6591234567,Ann,A1\n+6591234568,Bob,B2\n+6591234599,Zoe,Z1\n")
        .await;
    let check = author.get("check").await;
    assert!(check.contains("4 of 6 recipients selected") && check.contains("each number once"), "{check}");
    author.fill("check", &[("where", "Code != \"Z1\""), ("do", "next")]).await;
    let review = author.get("review").await;
    for (reason, rows) in [("Not selected", 1), ("Also in an earlier audience", 2)] {
        assert!(review.contains(&format!("<dt>{reason}</dt><dd>{rows}</dd>")), "{reason}: {review}");
    }
    let launched = author.send("launch", &super::version(&review), &[("name", "Promo"), ("do", "launch")]).await;
    let campaign = super::place(&launched).split('?').next().unwrap().to_owned();
    let report = author.browser.get(&format!("{campaign}/report")).await.text;
    for (reason, rows) in [("Not selected", 1), ("Duplicate across sources", 2)] {
        let row = format!("<th scope=\"row\">{reason}</th><td class=\"number\" data-label=\"Rows\">{rows}</td>");
        assert!(report.contains(&row), "{reason}: {report}");
    }
    let again = author.browser.get(&format!("{campaign}/use-again")).await.text;
    assert!(again.contains("the audiences &#34;Members&#34; and &#34;Others&#34;"), "{again}");
}

#[tokio::test]
async fn corrected_rows_are_no_longer_counted_as_rejected() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let sketch = author.at.rsplit('/').next().unwrap();
    let rejected = author.browser.get(&format!("/audiences/Members/rejected?sketch={sketch}")).await.text;
    let (_, field) = rejected.split_once("<input name=\"n-").unwrap();
    let field = format!("n-{}", field.split('"').next().unwrap());
    let fields = [(field.as_str(), "+6598765432"), ("sketch", sketch), ("country", "SG")];
    let sent = author.browser.post("/audiences/Members/mend", &fields).await;
    bench.imports.ended().await;
    author.browser.get(super::place(&sent)).await;
    let check = author.get("check").await;
    assert!(check.contains("Rejected rows, without the 1 that was corrected"), "{check}");
    let review = author.get("review").await;
    assert!(review.contains("No row is left out.") && review.contains("Launch to 4 recipients"), "{review}");
    let launched = author.send("launch", &super::version(&review), &[("name", "Promo"), ("do", "launch")]).await;
    let report = format!("{}/report", super::place(&launched).split('?').next().unwrap());
    let report = author.browser.get(&report).await.text;
    assert!(report.contains("1 of them was corrected, and imported as recipients."), "{report}");
}

#[tokio::test]
async fn a_campaign_without_a_route_is_neither_planned_nor_launched() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", "Mobile,Code\n+6591234567,A1\n").await;
    // The configuration has a default route, which no page has shown.
    let review = author.get("review").await;
    assert!(review.contains("Route: choose the channels first") && !review.contains("Launch to"), "{review}");
    // A form that was opened before the refusal is sent.
    let version = super::version(&author.get("time").await);
    let launched = author.send("launch", &version, &[("name", "Promo"), ("do", "launch")]).await;
    assert!(launched.text.contains("Route: choose the channels first"), "{}", launched.text);
    assert!(bench.store.batch_named("Promo").await.unwrap().is_none());
}

/// The clock in Singapore has passed the time, and the one in London has not.
#[tokio::test]
async fn a_start_by_the_recipients_clocks_is_at_once_only_where_it_has_passed() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", "Mobile,Code\n+6591234567,A1\n+447400123456,A2\n").await;
    author.fill("route", &[("1-channel", "SMS"), ("do", "next")]).await;
    author.fill("content", &[("1-text", "Hi"), ("do", "next")]).await;
    let singapore = bench.clock.now() + Span::from_secs(7 * 3_600);
    let at = singapore.rfc3339()[..16].to_owned();
    author
        .fill("time", &[("at", &at), ("time_zone", "recipient"), ("quiet_hours", "22:00-07:00"), ("do", "next")])
        .await;
    let review = author.get("review").await;
    assert!(review.contains("at the launch where that time has passed"), "{review}");
    assert!(review.contains("elsewhere when the recipient&#39;s clock gets there."), "{review}");
    assert!(
        !review.contains("Sending starts at once.") && review.contains("as soon as their hours allow: SG 1"),
        "{review}"
    );
}
