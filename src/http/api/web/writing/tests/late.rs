//! Choices that come too late or twice: another operator was faster, or a page is loaded again.

use axum::body::Bytes;
use axum::http::StatusCode;

use super::{Author, FILE, version};
use crate::base::domain::Scope;
use crate::http::api::native::tests::Bench;
use crate::http::api::web::tests::{Browser, place, with_file};
use crate::recipients::uploads::UploadId;

/// The campaign with an audience, and its version before another operator has changed it.
async fn overtaken(bench: &Bench) -> (Author<'_>, String) {
    let author = Author::begin(bench).await;
    author.upload("Members.csv", FILE).await;
    let before = version(&author.get("recipients").await);
    let other = Browser::of(bench, "max", &[Scope::Read, Scope::Manage]).await;
    let changed = other.post(&format!("{}/time", author.at), &[("version", before.as_str()), ("ttl", "2h")]).await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.text);
    (author, before)
}

#[tokio::test]
async fn a_choice_of_recipients_that_comes_too_late_is_not_saved_and_its_page_says_so() {
    let bench = Bench::new().await;
    let (author, before) = overtaken(&bench).await;
    let late = author.send("recipients", &before, &[("remove", "Members")]).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
    for says in ["max has changed this campaign in the meantime.", "Your choice is not saved.", "Remove Members"] {
        assert!(late.text.contains(says), "{says} in {}", late.text);
    }
    let again = author.send("recipients", &version(&late.text), &[("remove", "Members")]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.text);
    assert!(!author.get("recipients").await.contains("Remove Members"));
}

#[tokio::test]
async fn a_filter_that_comes_too_late_stays_in_its_field() {
    let bench = Bench::new().await;
    let (author, before) = overtaken(&bench).await;
    let late = author.send("check", &before, &[("where", "Code != \"A1\""), ("do", "next")]).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
    for says in
        ["max has changed this campaign in the meantime.", "Your entries below are not saved", "Code != &#34;A1&#34;"]
    {
        assert!(late.text.contains(says), "{says} in {}", late.text);
    }
    assert!(!author.get("check").await.contains("A1&#34;"));
    let fields = [("where", "Code != \"A1\""), ("do", "next")];
    let again = author.send("check", &version(&late.text), &fields).await;
    assert_eq!(place(&again), format!("{}/route", author.at), "{}", again.text);
}

#[tokio::test]
async fn an_upload_that_comes_too_late_keeps_its_country_and_its_file() {
    let bench = Bench::new().await;
    let (author, before) = overtaken(&bench).await;
    let fields = [("form_token", author.browser.form_token.as_str()), ("version", &before), ("country", "DE")];
    let late = author.browser.send(with_file(&format!("{}/upload", author.at), &fields, "Late.csv", FILE)).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
    assert!(late.text.contains("max has changed") && late.text.contains("value=\"DE\""), "{}", late.text);
    // A script has sent the file before the form.
    let uploads = bench.shared.0.native.uploads();
    let upload: UploadId = uploads.begin("Late.csv", None).await.unwrap().id.parse().unwrap();
    let content = futures_util::stream::iter([Ok::<_, axum::Error>(Bytes::from(FILE))]);
    uploads.receive(upload, 0, None, content).await.unwrap();
    let upload = upload.to_string();
    let fields = [("upload", upload.as_str()), ("country", "DE")];
    let late = author.send("import", &before, &fields).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{}", late.text);
    for says in ["Import Late.csv", &format!("value=\"{upload}\""), "value=\"DE\""] {
        assert!(late.text.contains(says), "{says} in {}", late.text);
    }
    let begun = author.send("import", &version(&late.text), &fields).await;
    assert!(place(&begun).contains("/importing?upload="), "{}", begun.text);
    bench.imports.ended().await;
    assert!(bench.store.audience_named("Late").await.unwrap().is_some());
}

#[tokio::test]
async fn a_progress_page_that_is_loaded_again_adds_no_audience() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let progress = place(&author.upload("Members.csv", FILE).await).to_owned();
    author.fill("recipients", &[("remove", "Members")]).await;
    let before = version(&author.get("recipients").await);
    let again = author.browser.get(&progress).await;
    assert_eq!(place(&again), format!("{}/check", author.at));
    let page = author.get("recipients").await;
    assert!(!page.contains("Remove Members") && version(&page) == before, "{page}");
}
