//! Tests of the way to a campaign, over the whole router.

mod approval;
mod content;
mod late;
mod lists;
mod outlook;
mod review;
mod route;
mod templates;
mod time;

use axum::http::StatusCode;

use crate::base::domain::Scope;
use crate::http::api::native::tests::{Answered, Bench};
use crate::http::api::web::tests::{Browser, form_token, place, with_file};
use crate::store::Sketch;

pub(in crate::http::api::web) const FILE: &str =
    "Mobile,FirstName,Code\n+6591234567,Ann,A1\n+6591234569,<b>Eve</b>,=1+1\n12,Nobody,C3\n+6591234568,Ben,B2\n";

/// The value of a hidden field of a page.
pub(in crate::http::api::web) fn version(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"version\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// A campaign that an operator is writing.
pub(in crate::http::api::web) struct Author<'a> {
    pub(in crate::http::api::web) browser: Browser<'a>,
    bench: &'a Bench,
    /// Its address, without a page.
    pub(in crate::http::api::web) at: String,
}

impl<'a> Author<'a> {
    pub(in crate::http::api::web) async fn begin(bench: &'a Bench) -> Self {
        let browser = Browser::manager(bench).await;
        let begun = browser.post("/new", &[]).await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let at = place(&begun).strip_suffix("/recipients").unwrap().to_owned();
        Self { browser, bench, at }
    }

    pub(in crate::http::api::web) async fn get(&self, page: &str) -> String {
        let shown = self.browser.get(&format!("{}/{page}", self.at)).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}: {} {}", place(&shown), shown.text);
        shown.text
    }

    /// Sends the form of a page with the present version.
    pub(in crate::http::api::web) async fn fill(&self, page: &str, fields: &[(&str, &str)]) -> Answered {
        let version = version(&self.get(page).await);
        self.send(page, &version, fields).await
    }

    async fn send(&self, page: &str, version: &str, fields: &[(&str, &str)]) -> Answered {
        let mut all = vec![("version", version)];
        all.extend(fields);
        self.browser.post(&format!("{}/{page}", self.at), &all).await
    }

    pub(in crate::http::api::web) async fn upload(&self, name: &str, content: &str) -> Answered {
        let page = self.get("recipients").await;
        let (token, version) = (form_token(&page), version(&page));
        let fields = [("form_token", token.as_str()), ("version", &version), ("country", "SG")];
        let sent = self.browser.send(with_file(&format!("{}/upload", self.at), &fields, name, content)).await;
        self.bench.imports.ended().await;
        // The page of the progress, as the browser loads it.
        self.browser.get(place(&sent)).await;
        sent
    }

    /// Uploads the file, and writes two steps.
    pub(in crate::http::api::web) async fn written(bench: &'a Bench) -> Self {
        let author = Self::begin(bench).await;
        author.upload("Members.csv", FILE).await;
        author.fill("route", &[("1-channel", "Viber"), ("do", "add")]).await;
        let route = [("1-channel", "Viber"), ("1-fallback_after", "15m"), ("2-channel", "SMS"), ("do", "next")];
        author.fill("route", &route).await;
        let content = [("1-text", "Hi {{FirstName}}"), ("2-text", "Hi {{FirstName}}, {{Code}}"), ("2-source", "ACME")];
        author.fill("content", &content).await;
        author
    }
}

#[tokio::test]
async fn a_campaign_is_written_page_by_page_and_launched_once() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let sent = author.upload("Members.csv", FILE).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let imported = author.browser.get(place(&sent)).await;
    assert_eq!(place(&imported), format!("{}/check", author.at));

    let check = author.get("check").await;
    for says in ["Members", "FirstName", "&#60;b&#62;Eve", "Too short", ">3<"] {
        assert!(check.contains(says), "{says} in {check}");
    }
    author.fill("check", &[("where", "Code != \"A1\""), ("do", "save")]).await;
    assert!(author.get("check").await.contains("Get a message, each number once"));
    let wrong = author.fill("check", &[("where", "Cod = \"A1\""), ("do", "save")]).await;
    assert_eq!(wrong.status, StatusCode::SEE_OTHER);
    assert!(author.get("check").await.contains("did you mean &#34;Code&#34;?"), "{}", author.get("check").await);
    author.fill("check", &[("where", ""), ("do", "next")]).await;

    author.fill("route", &[("1-channel", "Viber"), ("do", "add")]).await;
    let too_short = [("1-channel", "Viber"), ("1-fallback_after", "soon"), ("2-channel", "SMS"), ("do", "next")];
    author.fill("route", &too_short).await;
    assert!(author.get("route").await.contains("is not a length of time"));
    let route = [("1-channel", "Viber"), ("1-fallback_after", "15m"), ("2-channel", "SMS"), ("do", "next")];
    let next = author.fill("route", &route).await;
    assert_eq!(place(&next), format!("{}/content", author.at));

    let incomplete = author.get("review").await;
    for says in
        ["Correct this before the launch", "Step 1: Text: a step needs content. <a", "/content?from=review#1-text\">"]
    {
        assert!(incomplete.contains(says), "{says} in {incomplete}");
    }
    author.fill("content", &[("1-text", "Hi {{FirstNam}}"), ("2-text", "Hi"), ("2-source", "ACME")]).await;
    assert!(author.get("content").await.contains("nknown column &#34;FirstNam&#34;"));
    author.fill("content", &[("1-text", "Hi {{FirstName}}"), ("2-text", "Hi"), ("2-source", "ACME")]).await;
    let content = author.get("content").await;
    assert!(content.contains("Hi Ann") && content.contains("Hi &#60;b&#62;Eve"), "{content}");
    author.fill("time", &[("quiet_hours", "21-8"), ("do", "next")]).await;
    assert!(author.get("time").await.contains("21-8"));
    author.fill("time", &[("quiet_hours", ""), ("max_messages", "2"), ("do", "next")]).await;

    let review = author.get("review").await;
    assert!(review.contains("Launch to 3 recipients") && review.contains("15 min"), "{review}");
    let version = version(&review);
    let launch = [("name", "First"), ("do", "launch")];
    let launched = author.send("launch", &version, &launch).await;
    assert_eq!(launched.status, StatusCode::SEE_OTHER, "{}", launched.text);
    let campaign = author.browser.get(place(&launched)).await.text;
    assert!(campaign.contains("The campaign is launched.") && campaign.contains("3 recipients"), "{campaign}");
    // The second click.
    let again = author.send("launch", &version, &launch).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND, "{}", again.text);
    assert_eq!(bench.store.batches(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_operators_who_change_the_same_version_one_is_refused() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let other = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
    let version = version(&author.get("time").await);
    let first = author.send("time", &version, &[("ttl", "2h"), ("do", "next")]).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    let path = format!("{}/time", author.at);
    let second = other.post(&path, &[("version", version.as_str()), ("ttl", "3h")]).await;
    assert_eq!(second.status, StatusCode::PRECONDITION_FAILED);
    // What was entered is still there, on the present version, and can be saved again.
    assert!(second.text.contains("mia has changed this campaign in the meantime."), "{}", second.text);
    assert!(second.text.contains("value=\"3h\"") && second.text.contains("below are not saved"), "{}", second.text);
    let present = self::version(&second.text);
    assert_ne!(present, version);
    assert!(author.get("time").await.contains("value=\"2h\""));
    let third = other.post(&path, &[("version", present.as_str()), ("ttl", "3h")]).await;
    assert_eq!(third.status, StatusCode::SEE_OTHER, "{}", third.text);
    assert!(author.get("time").await.contains("value=\"3h\""));
    let listed = other.get("/campaigns").await.text;
    assert!(listed.contains("Unfinished campaigns") && listed.contains("Members"), "{listed}");
}

#[tokio::test]
async fn two_launches_of_one_version_make_one_campaign() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let version = version(&author.get("review").await);
    let launch = [("name", "Promo"), ("do", "launch")];
    let (first, second) =
        futures_util::future::join(author.send("launch", &version, &launch), author.send("launch", &version, &launch))
            .await;
    let mut statuses = [first.status, second.status];
    statuses.sort();
    assert_eq!(statuses[0], StatusCode::SEE_OTHER);
    assert_ne!(statuses[1], StatusCode::SEE_OTHER, "{} {}", first.text, second.text);
    assert_eq!(bench.store.batches(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_campaign_that_was_written_before_a_restore_is_launched_after_a_page_has_asked() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    bench.restored().await;
    let version = version(&author.get("review").await);
    let asked = author.send("launch", &version, &[("name", "Promo"), ("do", "launch")]).await;
    assert!(asked.text.contains("Send it all the same?") && asked.text.contains(&version), "{}", asked.text);
    assert!(bench.store.batches(None).await.unwrap().is_empty());
    let confirmed = [("name", "Promo"), ("do", "launch"), ("confirm_restored", "true")];
    let launched = author.send("launch", &version, &confirmed).await;
    assert_eq!(launched.status, StatusCode::SEE_OTHER, "{}", launched.text);
    assert_eq!(bench.store.batches(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn after_a_crash_the_campaign_of_the_noted_name_tells_whether_it_was_launched() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let id = author.at.rsplit('/').next().unwrap().parse().unwrap();
    // The server was killed right after the claim.
    let claimed = async || {
        let sketch = bench.store.sketch(id).await.unwrap().unwrap();
        let noted = Sketch { launch: Some("Promo".to_owned()), version: sketch.version + 1, ..sketch };
        assert!(bench.store.change_sketch(noted).await.unwrap());
    };
    claimed().await;
    let other = author.fill_review(&[("name", "Other"), ("do", "launch")]).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.text);
    assert!(bench.store.batches(None).await.unwrap().is_empty());
    // It was killed later: the campaign is there.
    bench.launch("Promo").await;
    let again = author.fill_review(&[("name", "Other"), ("do", "launch")]).await;
    assert!(place(&again).ends_with("?done=launched"), "{} {}", place(&again), again.text);
    assert_eq!(bench.store.batches(None).await.unwrap().len(), 1);
    assert_eq!(bench.store.sketch(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_launch_leaves_the_note_of_another_one() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let id = author.at.rsplit('/').next().unwrap().parse().unwrap();
    let audience = bench.store.audience_named("Members").await.unwrap().unwrap().id();
    bench.store.remove_audience(audience).await.unwrap();
    let noted = async || bench.store.sketch(id).await.unwrap().unwrap();
    let launch = async |name| {
        let version = noted().await.version.to_string();
        author.send("launch", &version, &[("name", name), ("do", "launch")]).await
    };
    let failed = launch("Promo").await;
    assert_eq!((failed.status, noted().await.launch), (StatusCode::OK, None), "{}", failed.text);
    // Another launch of it is running, and this one fails meanwhile.
    let sketch = noted().await;
    let running = Sketch { launch: Some("Promo".to_owned()), version: sketch.version + 1, ..sketch };
    assert!(bench.store.change_sketch(running).await.unwrap());
    launch("Promo").await;
    assert_eq!(noted().await.launch.as_deref(), Some("Promo"));
    let other = launch("Other").await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.text);
}

#[tokio::test]
async fn the_enter_key_saves_and_neither_launches_nor_moves_a_step() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    for page in ["route", "review"] {
        let shown = author.get(page).await;
        let (_, form) = shown.split_once("name=\"version\"").unwrap();
        let first = form.split_once("<button").unwrap().1.split_once('>').unwrap().0;
        if page == "route" {
            assert!(first.contains("value=\"save\""), "{first}");
        }
    }
    let saved = author.fill_review(&[("name", "Later"), ("do", "save")]).await;
    assert_eq!(place(&saved), format!("{}/review", author.at));
    assert!(
        author.get("review").await.contains("value=\"Later\"") && bench.store.batches(None).await.unwrap().is_empty()
    );
}

#[tokio::test]
async fn another_channel_takes_the_content_away_that_it_cannot_have() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let steps = |channel| [("1-channel", channel), ("1-fallback_after", "15m"), ("2-channel", "SMS"), ("do", "next")];
    author.fill("route", &steps("WhatsApp")).await;
    let template = [
        ("1-template_name", "promo"),
        ("1-template_language", "en"),
        ("1-template_category", "MARKETING"),
        ("1-text", ""),
    ];
    author.fill("content", &template).await;
    author.fill("route", &steps("Viber")).await;
    author.fill("content", &[("1-text", "Hi"), ("2-text", "Hi"), ("2-source", "ACME")]).await;
    assert!(author.get("review").await.contains("Launch to 3 recipients"), "{}", author.get("review").await);
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_missing_one_launch_nothing() {
    let bench = Bench::new().await;
    bench.launch("Promo").await;
    let author = Author::written(&bench).await;
    let unnamed = author.fill_review(&[("name", " "), ("do", "launch")]).await;
    assert_eq!(unnamed.status, StatusCode::UNPROCESSABLE_ENTITY);
    let taken = author.fill_review(&[("name", "Promo"), ("do", "launch")]).await;
    assert!(taken.text.contains("Promo") && taken.text.contains("role=\"alert\""), "{}", taken.text);
    let kept = author.fill_review(&[("name", "Second"), ("do", "draft")]).await;
    assert!(place(&kept).ends_with("?done=kept"), "{} {}", place(&kept), kept.text);
    assert_eq!(bench.store.batches(None).await.unwrap().len(), 2);
}

impl Author<'_> {
    pub(in crate::http::api::web) async fn fill_review(&self, fields: &[(&str, &str)]) -> Answered {
        let version = version(&self.get("review").await);
        self.send("launch", &version, fields).await
    }
}

#[tokio::test]
async fn a_test_goes_to_the_operators_numbers_alone() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let none = author.fill_test("").await;
    assert!(none.text.contains("A test needs a number"), "{}", none.text);
    let opened = author.browser.get(&format!("{}/test", author.at)).await;
    assert_eq!(place(&opened), format!("{}/review", author.at), "the address of the form leads back");
    let wrong = author.fill_test("+6598765432, 12").await;
    assert!(wrong.text.contains("role=\"alert\""), "{}", wrong.text);
    // What was entered is still there, with the problem beside it.
    assert!(wrong.text.contains("name=\"to\" value=\"+6598765432, 12\"") && wrong.text.contains("aria-invalid"));
    let sent = author.fill_test("+6598765432").await;
    let review = author.browser.get(place(&sent)).await.text;
    let (_, link) = review.split_once("The test is sent. <a href=\"").unwrap();
    let campaign = author.browser.get(link.split('"').next().unwrap()).await.text;
    assert!(campaign.contains("1 recipient<") || campaign.contains("1 recipient\n"), "{campaign}");
    assert!(campaign.contains("Viber") && campaign.contains("SMS"), "{campaign}");
    assert!(author.get("review").await.contains("Launch to 3 recipients"), "the campaign is still unfinished");
}

impl Author<'_> {
    async fn fill_test(&self, to: &str) -> Answered {
        self.fill_test_of("", to).await
    }

    async fn fill_test_of(&self, step: &str, to: &str) -> Answered {
        let version = version(&self.get("review").await);
        self.send("test", &version, &[("to", to), ("step", step)]).await
    }
}

#[tokio::test]
async fn a_test_of_one_step_sends_that_step_alone() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let review = author.get("review").await;
    assert!(review.contains("<option value=\"2\">Only step 2 · SMS</option>"), "{review}");
    author.fill_test_of("2", "+6598765432").await;
    let test = bench.store.batches(None).await.unwrap().remove(0);
    let plan = bench.store.plan(test.id).await.unwrap().unwrap();
    let channels: Vec<String> = plan.steps.iter().map(|step| step.channel.to_string()).collect();
    assert_eq!(channels, ["SMS"]);
    // The page of the test leads back.
    let back = format!("<a href=\"{}/review\">", author.at);
    let campaign = format!("/campaigns/{}", test.public_id());
    let sketch = author.at.rsplit('/').next().unwrap();
    let tested = author.get(&format!("review?tested={}", test.public_id())).await;
    assert!(tested.contains(&format!("{campaign}?sketch={sketch}")), "{tested}");
    let shown = author.browser.get(&format!("{campaign}?sketch={sketch}")).await;
    assert!(shown.text.contains(&back), "{}", shown.text);
    assert!(!author.browser.get(&campaign).await.text.contains(&back));
    let unknown = author.browser.get(&format!("{}/review?tested=unknown", author.at)).await;
    assert!(!unknown.text.contains("The test is sent."), "{}", unknown.text);
}

#[tokio::test]
async fn a_file_without_the_token_of_the_session_is_not_taken() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let path = format!("{}/upload", author.at);
    for fields in [&[][..], &[("form_token", "wrong")]] {
        let refused = author.browser.send(with_file(&path, fields, "x.csv", FILE)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
    let mut foreign = with_file(&path, &[("form_token", &author.browser.form_token)], "x.csv", FILE);
    foreign.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(author.browser.send(foreign).await.status, StatusCode::FORBIDDEN);
    assert!(bench.store.audiences().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why_and_another_can_be_chosen() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let sent = author.upload("..\\evil/names.csv", "Name\nAnn\n").await;
    let failed = author.browser.get(place(&sent)).await.text;
    assert!(
        failed.contains("names.csv") && failed.contains("role=\"alert\"") && failed.contains("Choose another file"),
        "{failed}"
    );
    let again = author.upload("Members.csv", FILE).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.text);
    author.fill("recipients", &[("audience", "Members")]).await;
    assert!(author.get("check").await.contains("Members"));
}

#[tokio::test]
async fn an_operator_who_may_only_read_writes_no_campaign() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    assert_eq!(reader.post("/new", &[]).await.status, StatusCode::FORBIDDEN);
    for page in ["recipients", "check", "route", "content", "time", "review"] {
        assert_eq!(reader.get(&format!("{}/{page}", author.at)).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    assert!(!reader.get("/campaigns").await.text.contains("Unfinished campaigns"));
}

#[tokio::test]
async fn what_was_discarded_is_gone() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    let asks = author.get("delete").await;
    assert!(asks.contains("Discard this unfinished campaign?") && asks.contains("Keep it"), "{asks}");
    let gone = author.send("delete", &version(&asks), &[]).await;
    assert_eq!(place(&gone), "/new");
    let later = author.browser.get(&format!("{}/route", author.at)).await;
    assert_eq!(later.status, StatusCode::NOT_FOUND);
    assert!(later.text.contains("it was launched or discarded"), "{}", later.text);
}

#[tokio::test]
async fn audiences_are_added_and_removed_one_by_one() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    assert!(author.get("recipients").await.contains("No audience is chosen yet."));
    author.upload("Members.csv", FILE).await;
    author.upload("Guests.csv", "Mobile,FirstName,Code\n+6598765432,Gus,G1\n+6591234567,Ann,A1\n").await;
    let check = author.get("check").await;
    for says in
        ["Recipients in all audiences", ">5<", "href=\"/audiences/Members\"", "href=\"/audiences/Guests\"", "G1"]
    {
        assert!(check.contains(says), "{says} in {check}");
    }
    let listed = author.get("recipients").await;
    assert!(
        listed.contains("aria-label=\"Remove Members\"") && listed.contains("aria-label=\"Remove Guests\""),
        "{listed}"
    );
    // The same one again changes nothing.
    author.fill("recipients", &[("audience", "Guests")]).await;
    let removed = author.fill("recipients", &[("remove", "Members")]).await;
    assert_eq!(place(&removed), format!("{}/recipients", author.at));
    let left = author.get("recipients").await;
    assert!(
        !left.contains("Remove Members") && left.contains("Remove Guests") && left.contains("Add Members"),
        "{left}"
    );
    let steps = [("1-channel", "SMS"), ("do", "next")];
    author.fill("route", &steps).await;
    author.fill("content", &[("1-text", "Hi {{FirstName}}"), ("1-source", "ACME")]).await;
    assert!(author.get("review").await.contains("Launch to 2 recipients"));
    author.fill("recipients", &[("audience", "Members")]).await;
    assert!(author.get("review").await.contains("Launch to 4 recipients"), "Ann is in both");
}

#[tokio::test]
async fn what_is_wrong_with_the_audiences_stands_on_their_page() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", FILE).await;
    author.upload("Others.csv", "Mobile,City\n+6598765432,Bonn\n").await;
    let differing = author.get("recipients").await;
    assert!(differing.contains("lacks the columns FirstName, Code of &#34;Members&#34;"), "{differing}");
    let id = bench.store.audience_named("Others").await.unwrap().unwrap().id();
    bench.store.remove_audience(id).await.unwrap();
    let check = author.browser.get(&format!("{}/check", author.at)).await;
    assert_eq!(place(&check), format!("{}/recipients", author.at));
    let missing = author.get("recipients").await;
    assert!(
        missing.contains("&#34;Others&#34; does not exist any more") && missing.contains("Remove Others"),
        "{missing}"
    );
    author.fill("recipients", &[("remove", "Others")]).await;
    assert!(!author.get("recipients").await.contains("class=\"problem\""));
    // A country that is none stands beside its field.
    let id = author.at.rsplit('/').next().unwrap().parse().unwrap();
    let sketch = bench.store.sketch(id).await.unwrap().unwrap();
    let campaign = r#"{"audience":["Members"],"country":"Singapoor"}"#.to_owned();
    assert!(bench.store.change_sketch(Sketch { campaign, version: sketch.version + 1, ..sketch }).await.unwrap());
    let wrong = author.get("recipients").await;
    let (_, field) = wrong.split_once("id=\"country\"").unwrap();
    assert!(field.split_once('>').unwrap().0.contains("aria-invalid=\"true\""), "{wrong}");
}

#[tokio::test]
async fn an_audience_is_searched_and_the_latest_come_first() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    for number in 0..14 {
        author.upload(&format!("List {number:02}.csv"), FILE).await;
    }
    let first = author.get("recipients").await;
    let (_, choice) = first.split_once("id=\"choose\"").unwrap();
    assert!(choice.contains("List 13") && choice.contains("List 02") && !choice.contains("List 01"), "{choice}");
    let (_, next) =
        choice.split_once("rel=\"next\"").map(|(before, _)| before.rsplit_once("href=\"").unwrap()).unwrap();
    let next = next.trim_end_matches(['"', ' ']).replace("&#38;", "&");
    let second = author.browser.get(&next).await.text;
    let (_, choice) = second.split_once("id=\"choose\"").unwrap();
    assert!(choice.contains("List 01") && !choice.contains("List 02"), "{choice}");
    let found = author.get("recipients?name=list+03").await;
    let (_, choice) = found.split_once("id=\"choose\"").unwrap();
    assert!(choice.contains("List 03") && !choice.contains("List 04"), "{choice}");
    assert!(author.get("recipients?name=zzz").await.contains("Nothing was found."));
}
