//! Tests of the pages over the whole router: sessions, forms, and what each page says.

mod crawl;
mod states;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use futures_util::StreamExt as _;
use tower_service::Service as _;

use crate::base::config::Secret;
use crate::base::domain::{AuditAction, BatchState, Scope, Span};
use crate::http::access::{By, NewOperator, Scopes};
use crate::http::api::native::tests::{Answered, Bench};
use crate::store::{AuditActor, AuditFilter, Cursor};

pub(super) const PASSWORD: &str = "correct horse battery";
/// A name and an id that would be HTML if they were not escaped.
pub(super) const EVIL: &str = "<script>alert(1)</script>'&";

/// Every page of one campaign, after its address.
const OF_CAMPAIGN: [&str; 11] = [
    "",
    "/recipients",
    "/replies",
    "/report",
    "/events",
    "/cancel",
    "/report/tables",
    "/report/share",
    "/again",
    "/use-again",
    "/change",
];

/// The pages about recipients.
const OF_RECIPIENTS: [&str; 5] =
    ["/recipients/+6591234567", "/recipients/+6591234567/opt-out", "/opt-outs", "/opt-outs/add", "/replies"];

/// A browser of an operator.
pub(super) struct Browser<'a> {
    bench: &'a Bench,
    pub(super) cookie: String,
    pub(super) form_token: String,
}

async fn create(bench: &Bench, name: &str, scopes: &[Scope]) {
    let scopes = scopes.iter().fold(Scopes::default(), |all, scope| all.with(*scope));
    let new = NewOperator { name: name.to_owned(), scopes, password: Secret::new(PASSWORD) };
    bench.shared.0.access.create_operator(new, &By::command("Ann"), bench.shared.clock.now()).await.unwrap();
}

fn posted(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(path).header("sec-fetch-site", "same-origin");
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(Body::from(body)).unwrap()
}

/// A form with a file, as a browser sends it.
pub(super) fn with_file(path: &str, fields: &[(&str, &str)], name: &str, content: &str) -> Request<Body> {
    let mut body = String::new();
    for (field, value) in fields {
        body += &format!("--x\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
    }
    body += &format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--x--\r\n"
    );
    let request = Request::post(path).header("sec-fetch-site", "same-origin");
    request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x").body(Body::from(body)).unwrap()
}

pub(super) async fn sign_in(bench: &Bench, name: &str, password: &str) -> Answered {
    bench.send(None, posted("/sign-in", &[("name", name), ("password", password), ("next", "/campaigns")])).await
}

pub(super) fn place(answered: &Answered) -> &str {
    answered.headers.get(header::LOCATION).map_or("", |place| place.to_str().unwrap())
}

/// The value of the hidden field in a page.
pub(super) fn form_token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

impl<'a> Browser<'a> {
    pub(super) async fn of(bench: &'a Bench, name: &str, scopes: &[Scope]) -> Self {
        create(bench, name, scopes).await;
        let signed_in = sign_in(bench, name, PASSWORD).await;
        assert_eq!((signed_in.status, place(&signed_in)), (StatusCode::SEE_OTHER, "/campaigns"), "{}", signed_in.text);
        Self::with(bench, &signed_in).await
    }

    /// The browser with the cookie of an answer.
    pub(super) async fn with(bench: &'a Bench, signed_in: &Answered) -> Self {
        let set = signed_in.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
        let cookie = set.split(';').next().unwrap().to_owned();
        let mut browser = Self { bench, cookie, form_token: String::new() };
        browser.form_token = form_token(&browser.get("/").await.text);
        browser
    }

    pub(super) async fn manager(bench: &'a Bench) -> Self {
        Self::of(bench, "mia", &[Scope::Read, Scope::Manage]).await
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        let request = Request::get(path).header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap();
        self.bench.send(None, request).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let mut all = vec![("form_token", self.form_token.as_str())];
        all.extend(fields);
        self.send(posted(path, &all)).await
    }

    /// Calls the API as a script of a page does.
    pub(super) async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
        let request = request.header("content-type", "application/json").header("x-form-token", &self.form_token);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(super) async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().insert(header::COOKIE, self.cookie.parse().unwrap());
        self.bench.send(None, request).await
    }
}

/// The address of a campaign's page.
pub(super) async fn launched(bench: &Bench, name: &str) -> String {
    let launched = bench.launch(name).await;
    assert_eq!(launched.status, StatusCode::CREATED, "{}", launched.text);
    format!("/campaigns/{}", launched.body["id"].as_str().unwrap())
}

/// The address of the first message that a page lists.
pub(super) fn first_message(page: &str) -> String {
    let (_, rest) = page.split_once("href=\"/messages/").unwrap();
    format!("/messages/{}", rest.split('"').next().unwrap())
}

#[tokio::test]
async fn every_page_wants_a_session_and_answers() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let message = first_message(&browser.get(&format!("{campaign}/recipients")).await.text);
    let mut pages: Vec<String> =
        ["/", "/campaigns", "/lanes", "/events", "/find?whom=nothing"].map(str::to_owned).into();
    pages.extend(OF_RECIPIENTS.map(str::to_owned));
    pages.extend(OF_CAMPAIGN.map(|page| format!("{campaign}{page}")));
    pages.push(message);
    for path in pages {
        let stranger = bench.send(None, Request::get(&path).body(Body::empty()).unwrap()).await;
        assert_eq!(stranger.status, StatusCode::SEE_OTHER, "{path}");
        assert!(place(&stranger).starts_with("/sign-in"), "{path}: {}", place(&stranger));
        let shown = browser.get(&path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
        assert!(shown.text.contains("<h1") && shown.text.ends_with("</html>"), "{path}: {}", shown.text);
        assert!(shown.text.len() < 100_000, "{path} has {} bytes", shown.text.len());
    }
}

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    for path in ["/", "/sign-in", "/no-such-page"] {
        let shown = browser.get(path).await;
        let policy = shown.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
        for forbidden in [" style=", " onclick", "<style", "javascript:", "http://", "https://"] {
            assert!(!shown.text.contains(forbidden), "{path} has {forbidden}");
        }
    }
}

#[tokio::test]
async fn a_file_of_the_pages_is_kept_and_another_is_not_found() {
    let bench = Bench::new().await;
    let page = bench.send(None, Request::get("/sign-in").body(Body::empty()).unwrap()).await.text;
    let paths: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(paths.len(), 3, "{page}");
    for path in paths {
        let file = bench.send(None, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert_eq!(file.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    }
    let other = bench.send(None, Request::get("/assets/volley.css").body(Body::empty()).unwrap()).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_password_is_refused_in_the_words_of_an_unknown_name() {
    let bench = Bench::new().await;
    create(&bench, "mia", &[Scope::Read]).await;
    for (name, password) in [("mia", "wrong password"), ("nobody", PASSWORD), (EVIL, ""), ("", "")] {
        let refused = sign_in(&bench, name, password).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(refused.text.contains("Unknown name, or wrong password."), "{}", refused.text);
        assert!(!refused.text.contains("<script>alert") && refused.headers.get(header::SET_COOKIE).is_none());
    }
}

#[tokio::test]
async fn a_failed_sign_in_is_recorded_with_its_name_only_if_an_operator_has_it() {
    let bench = Bench::new().await;
    create(&bench, "mia", &[Scope::Read]).await;
    for (name, password) in [("mia", "wrong password"), (PASSWORD, "mia"), ("", "")] {
        sign_in(&bench, name, password).await;
    }
    let entries = bench.store.audit_entries(Cursor::START, 100).await.unwrap();
    let failed = entries.into_iter().map(|(_, entry)| entry).filter(|entry| entry.action == AuditAction::SignInFailed);
    let failed: Vec<_> = failed.collect();
    let unproven = |operator: Option<&str>| AuditActor::Unproven { operator: operator.map(str::to_owned) };
    let actors: Vec<_> = failed.iter().map(|entry| entry.actor.clone()).collect();
    assert_eq!(actors, [unproven(Some("mia")), unproven(None), unproven(None)]);
    assert!(!format!("{failed:?}").contains(PASSWORD), "a password that was typed as a name is in no entry");
    let requests = failed.iter().filter_map(|entry| entry.request.as_ref());
    assert!(requests.clone().count() == 3 && requests.clone().all(|request| request.path == "/sign-in"));
}

#[tokio::test]
async fn an_address_that_fails_too_often_waits_a_minute() {
    let bench = Bench::new().await;
    create(&bench, "mia", &[Scope::Read]).await;
    for _ in 0..10 {
        assert_eq!(sign_in(&bench, "mia", "wrong password").await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = sign_in(&bench, "mia", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    assert_eq!(refused.headers[header::RETRY_AFTER], "60");
    bench.clock.advance(Span::from_secs(60));
    assert_eq!(sign_in(&bench, "mia", PASSWORD).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let other = Browser::of(&bench, "max", &[Scope::Read, Scope::Manage]).await;
    let path = format!("{campaign}/pause");
    let with_token = |token: &str| posted(&path, &[("form_token", token)]);
    let mut foreign = with_token(&browser.form_token);
    foreign.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    let mut unnamed = with_token(&browser.form_token);
    unnamed.headers_mut().remove("sec-fetch-site");
    for wrong in [with_token(&other.form_token), with_token(""), posted(&path, &[]), foreign, unnamed] {
        let refused = browser.send(wrong).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
    assert!(!browser.get(&campaign).await.text.contains("Resume"));
    let mut cross = posted("/sign-in", &[("name", "mia"), ("password", PASSWORD)]);
    cross.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(bench.send(None, cross).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_campaign_is_paused_resumed_and_cancelled_with_who_and_why() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    for (action, says, offers) in
        [("pause", "The campaign is paused.", "Resume"), ("resume", "The campaign is resumed.", "Pause")]
    {
        let done = browser.post(&format!("{campaign}/{action}"), &[]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        let shown = browser.get(place(&done)).await.text;
        assert!(shown.contains(says) && shown.contains(&format!(">{offers}</button>")), "{shown}");
    }
    let asked = browser.get(&format!("{campaign}/cancel")).await.text;
    assert!(asked.contains("2 recipients get no message"), "{asked}");
    let done = browser.post(&format!("{campaign}/cancel"), &[("reason", EVIL)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let shown = browser.get(place(&done)).await.text;
    assert!(shown.contains("Cancelled") && shown.contains("by mia") && !shown.contains("<script>alert"), "{shown}");
    let again = browser.post(&format!("{campaign}/resume"), &[]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text.contains("cannot be resumed: it has been cancelled"), "{}", again.text);
    let log = bench.store.audit_entries_before(AuditFilter::default(), None, 2).await.unwrap();
    let paths: Vec<_> =
        log.iter().map(|(_, entry)| (entry.request.as_ref().unwrap().path.clone(), entry.http_status)).collect();
    assert_eq!(paths, [(format!("{campaign}/resume"), Some(409)), (format!("{campaign}/cancel"), Some(303))]);
}

#[tokio::test]
async fn a_restored_campaign_is_resumed_after_a_page_has_asked() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    bench.restored().await;
    let browser = Browser::manager(&bench).await;
    let resume = format!("{campaign}/resume");
    let asked = browser.post(&resume, &[("reason", "legal agreed")]).await;
    let says = ["Send it all the same?", "The database is a backup of", "name=\"confirm_restored\" value=\"true\""];
    assert!(asked.status == StatusCode::OK && says.iter().all(|says| asked.text.contains(says)), "{}", asked.text);
    assert!(asked.text.contains("name=\"reason\" value=\"legal agreed\""), "{}", asked.text);
    assert!(browser.get(&campaign).await.text.contains(">Resume</button>"), "it is still paused");
    let done = browser.post(&resume, &[("reason", "legal agreed"), ("confirm_restored", "true")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert!(browser.get(place(&done)).await.text.contains("The campaign is resumed."));
}

#[tokio::test]
async fn a_restored_draft_is_started_after_a_page_has_asked() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let batch = bench.store.batches(None).await.unwrap().remove(0).id;
    let (from, now) = (vec![BatchState::Running], bench.shared.clock.now());
    bench.store.move_batch(batch, from, BatchState::Draft, None, now).await.unwrap();
    bench.restored().await;
    let browser = Browser::manager(&bench).await;
    let start = format!("{campaign}/start");
    let edition = ("edition", "0");
    let asked = browser.post(&start, &[edition]).await;
    let says = ["The database is a backup of", "name=\"confirm_restored\" value=\"true\""];
    assert!(asked.status == StatusCode::OK && says.iter().all(|says| asked.text.contains(says)), "{}", asked.text);
    assert_eq!(bench.store.batch(batch).await.unwrap().unwrap().state, BatchState::Draft);
    let done = browser.post(&start, &[edition, ("confirm_restored", "true")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(bench.store.batch(batch).await.unwrap().unwrap().state, BatchState::Running);
}

#[tokio::test]
async fn an_operator_who_may_only_read_gets_no_buttons_and_no_effect() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let shown = browser.get(&campaign).await.text;
    assert!(!shown.contains(">Pause</button>") && !shown.contains("/cancel\""), "{shown}");
    assert_eq!(browser.get(&format!("{campaign}/cancel")).await.status, StatusCode::FORBIDDEN);
    for action in ["start", "pause", "resume", "cancel"] {
        let refused = browser.post(&format!("{campaign}/{action}"), &[]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{action}");
    }
}

#[tokio::test]
async fn what_recipients_and_operators_write_stays_text() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, EVIL).await;
    let browser = Browser::manager(&bench).await;
    let mut pages = vec!["/".to_owned(), "/campaigns".to_owned(), "/events".to_owned()];
    pages.push(format!(
        "/find?{}",
        url::form_urlencoded::Serializer::new(String::new()).append_pair("whom", "<b>x").finish()
    ));
    pages.extend(OF_CAMPAIGN.map(|page| format!("{campaign}{page}")));
    for path in pages {
        let shown = browser.get(&path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
        assert!(!shown.text.contains("<script>alert") && !shown.text.contains("<b>x"), "{path}: {}", shown.text);
    }
}

#[tokio::test]
async fn recipients_are_found_by_number_id_and_outcome() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let count = async |query: &str| {
        let shown = browser.get(&format!("{campaign}/recipients?{query}")).await;
        assert_eq!(shown.status, StatusCode::OK, "{query}: {}", shown.text);
        shown.text.matches("href=\"/messages/").count()
    };
    assert_eq!((count("").await, count("outcome=&whom=+").await, count("outcome=to_submit").await), (2, 2, 2));
    assert_eq!((count("outcome=reached").await, count("outcome=missed").await), (0, 0));
    assert_eq!((count("outcome=open").await, count("outcome=awaiting").await), (2, 0));
    assert_eq!((count("country=sg").await, count("country=MY").await, count("country=Mars").await), (2, 0, 2));
    assert_eq!((count("code=1").await, count("code=none&result=rejected").await, count("code=x").await), (0, 0, 2));
    // A word that does not exist is no filter.
    assert_eq!(count("outcome=nonsense").await, 2);
    let page = browser.get(&format!("{campaign}/recipients")).await.text;
    let number = page.split("href=\"/recipients/").nth(1).unwrap().split('"').next().unwrap();
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("whom", number).finish();
    assert_eq!(count(&query).await, 1);
    assert_eq!(place(&browser.get(&format!("/find?{query}")).await), format!("/recipients/{number}"));
    assert_eq!(place(&browser.get("/find?whom=Promo").await), campaign);
    let story = browser.get(&first_message(&page)).await.text;
    assert!(story.contains("launched") && story.contains("Each decision was checked"), "{story}");
    assert!(story.contains(">To submit</span> <strong>The next step waits to be submitted."), "{story}");
    assert!(story.contains("What was sent") && story.contains(">Your code is 1.</p>"), "{story}");
    // The forms of its decisions have its address.
    let shown = story.split("Rules, ids and recorded facts").next().unwrap();
    let shown: Vec<&str> = shown.lines().filter(|line| !line.starts_with("<form ")).collect();
    assert!(!shown.concat().contains("msg_"), "ids are among the details: {story}");
}

#[tokio::test]
async fn a_session_ends_by_sign_out_and_its_forms_lead_to_the_sign_in() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!((out.status, place(&out)), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    // The cookie is known to the browser's thief, and worth nothing.
    let later = browser.get(&campaign).await;
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &campaign).finish();
    assert_eq!(place(&later), format!("/sign-in?{query}"));
    let form = browser.post(&format!("{campaign}/pause"), &[]).await;
    assert_eq!((form.status, place(&form)), (StatusCode::SEE_OTHER, "/sign-in"));
}

#[tokio::test]
async fn what_was_typed_is_there_after_the_sign_in() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let lost = Browser { bench: &bench, cookie: String::from("volley=none"), form_token: browser.form_token.clone() };
    let path = format!("{campaign}/pause");
    let asked = lost.post(&path, &[("reason", "<wrong> price\n\"now\"")]).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    assert!(asked.text.contains("Your session has ended. Sign in again: what you typed is kept."), "{}", asked.text);
    // The hidden fields of the form come along with each attempt.
    let kept = [("kept", path.as_str()), ("kept.reason", "<wrong> price\n\"now\"")];
    for (name, value) in kept {
        let value = value.replace('"', "&#34;").replace('<', "&#60;").replace('>', "&#62;");
        let field = format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        assert!(asked.text.contains(&field), "{field} in {}", asked.text);
    }
    assert!(!asked.text.contains("kept.form_token"));
    let attempt = async |password: &str| {
        let fields = [("name", "mia"), ("password", password)];
        bench.send(None, posted("/sign-in", &[&fields[..], &kept].concat())).await
    };
    let wrong = attempt("wrong").await;
    assert!(wrong.status == StatusCode::UNAUTHORIZED && wrong.text.contains("kept.reason"), "{}", wrong.text);
    let signed_in = attempt(PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK);
    assert!(signed_in.text.contains("What you typed was not sent") && signed_in.text.contains("&#60;wrong&#62; price"));
    let again = Browser::with(&bench, &signed_in).await;
    assert_eq!(again.form_token, form_token(&signed_in.text), "the form has the token of the new session");
    assert!(!again.get(&campaign).await.text.contains("Resume"), "it is sent when its operator says so");
    again.post(&path, &[("reason", kept[1].1)]).await;
    assert!(again.get(&campaign).await.text.contains("Resume"));
    // A form with a password is not kept, and neither is one of another site.
    let password = lost.post("/password", &[("password", PASSWORD), ("new_password", "something else")]).await;
    assert_eq!((password.status, place(&password)), (StatusCode::SEE_OTHER, "/sign-in"));
    let webhook = lost.post("/webhooks/new", &[("url", "https://shop.example"), ("authorization", "Bearer x")]).await;
    assert_eq!(place(&webhook), "/sign-in");
    let mut foreign = posted(&path, &[("reason", "x")]);
    foreign.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(place(&bench.send(None, foreign).await), "/sign-in");
}

#[tokio::test]
async fn an_operator_with_the_scope_manage_alone_sees_the_pages_and_can_sign_out() {
    let bench = Bench::new().await;
    create(&bench, "max", &[Scope::Manage]).await;
    let signed_in = sign_in(&bench, "max", PASSWORD).await;
    let cookie = signed_in.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let secret = cookie.split_once('=').unwrap().1;
    let session = bench.shared.0.access.session(secret, bench.shared.clock.now()).await.unwrap();
    let browser = Browser { bench: &bench, cookie, form_token: session.form_token.as_str().to_owned() };
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    assert_eq!(place(&browser.post("/sign-out", &[]).await), "/sign-in");
}

#[tokio::test]
async fn times_are_shown_in_the_zone_of_the_session() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let set = browser.post("/zone", &[("zone", "asia/kolkata")]).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text);
    let shown = browser.get(&campaign).await.text;
    assert!(shown.contains(" +05:30</time>") && shown.contains("value=\"Asia/Kolkata\""), "{shown}");
    let unknown = browser.post("/zone", &[("zone", "Mars/Base")]).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unknown.text.contains("Unknown time zone &#34;Mars/Base&#34;"), "{}", unknown.text);
}

#[tokio::test]
async fn the_first_operator_is_created_with_the_setup_token_once() {
    let bench = Bench::new().await;
    let access = &bench.shared.0.access;
    assert_eq!(place(&bench.send(None, Request::get("/setup").body(Body::empty()).unwrap()).await), "/sign-in");
    let token = access.offer_setup(bench.shared.clock.now()).await.unwrap().unwrap();
    let set_up = async |token: &str, password: &str| {
        bench.send(None, posted("/setup", &[("token", token), ("name", "mia"), ("password", password)])).await
    };
    for (given, password, says) in
        [("vs_0", PASSWORD, "setup token is invalid"), (token.expose(), "short", "at least 12 characters")]
    {
        let refused = set_up(given, password).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains(says) && refused.text.contains("value=\"mia\""), "{}", refused.text);
    }
    let created = set_up(token.expose(), PASSWORD).await;
    assert_eq!((created.status, place(&created)), (StatusCode::SEE_OTHER, "/"));
    assert!(created.headers.contains_key(header::SET_COOKIE));
    assert_eq!(set_up(token.expose(), PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_script_of_a_page_calls_the_api_by_its_session() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let read = browser.get(&format!("/v1{campaign}")).await;
    assert_eq!((read.status, &read.body["name"]), (StatusCode::OK, &"Promo".into()));
    let pause = |token: &str| {
        let request = Request::post(format!("/v1{campaign}/pause")).header("sec-fetch-site", "same-origin");
        request.header("x-form-token", token).body(Body::empty()).unwrap()
    };
    assert_eq!(browser.send(pause("wrong")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.send(pause(&browser.form_token)).await.status, StatusCode::OK);
    // A manager has no keys to read.
    assert_eq!(browser.get("/v1/keys").await.status, StatusCode::FORBIDDEN);
    // A wrong key is not replaced by a session.
    let mut both = Request::get(format!("/v1{campaign}")).header(header::AUTHORIZATION, "Bearer vk_wrong");
    both = both.header(header::COOKIE, &browser.cookie);
    assert_eq!(bench.send(None, both.body(Body::empty()).unwrap()).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_path_or_a_method_that_does_not_exist_is_a_page_that_says_so() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    for (method, path, status) in [
        (Method::GET, "/no-such-page", StatusCode::NOT_FOUND),
        (Method::GET, "/campaigns/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/messages/msg_0", StatusCode::NOT_FOUND),
        (Method::DELETE, "/campaigns", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/campaigns?cursor=nonsense", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::builder().method(method).uri(path).header(header::ACCEPT, "text/html,*/*;q=0.8");
        let shown = browser.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(shown.status, status, "{path}: {}", shown.text);
        assert!(
            shown.text.contains("<h1") && shown.headers[header::CONTENT_TYPE] == "text/html; charset=utf-8",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_message_is_cancelled_on_its_page() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let path = first_message(&browser.get(&format!("{campaign}/recipients")).await.text);
    let button = format!("{path}/cancel\"");
    let page = browser.get(&path).await.text;
    assert!(page.contains(&button) && !page.contains("/release\""), "{page}");
    assert!(!reader.get(&path).await.text.contains(&button));
    assert_eq!(reader.post(&format!("{path}/cancel"), &[]).await.status, StatusCode::FORBIDDEN);
    let cancelled = browser.post(&format!("{path}/cancel"), &[]).await;
    assert_eq!(place(&cancelled), path, "{}", cancelled.text);
    assert!(!browser.get(&path).await.text.contains(&button), "it has ended");
    assert_eq!(browser.post(&format!("{path}/release"), &[]).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_lane_is_paused_and_resumed_with_who() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let lane = &bench.shared.config.lanes[0].name;
    let button = format!("{lane}/pause\"");
    assert!(browser.get("/lanes").await.text.contains(&button) && !reader.get("/lanes").await.text.contains(&button));
    assert_eq!(reader.post(&format!("/lanes/{lane}/pause"), &[]).await.status, StatusCode::FORBIDDEN);
    let paused = browser.post(&format!("/lanes/{lane}/pause"), &[("reason", "a <b>wrong</b> sender")]).await;
    assert_eq!(place(&paused), "/lanes", "{}", paused.text);
    let shown = browser.get("/lanes").await.text;
    assert!(shown.contains("by mia") && shown.contains("a &#60;b&#62;wrong&#60;/b&#62; sender"), "{shown}");
    browser.post(&format!("/lanes/{lane}/resume"), &[]).await;
    assert!(!browser.get("/lanes").await.text.contains("by mia"));
    assert_eq!(browser.post("/lanes/unknown/pause", &[]).await.status, StatusCode::NOT_FOUND);
}

/// Opens the live part of a campaign's page, and reads its events one by one.
async fn opened(
    browser: &Browser<'_>,
    campaign: &str,
    state: &str,
) -> impl futures_util::Stream<Item = String> + Unpin + use<> {
    let request = Request::get(format!("{campaign}/live?state={state}")).header(header::COOKIE, &browser.cookie);
    let mut router = crate::http::api::routes(browser.bench.shared.clone());
    let response = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let chunks = response.into_body().into_data_stream();
    Box::pin(chunks.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()))
}

#[tokio::test]
async fn a_live_page_shows_changes_and_is_loaded_again_for_other_controls() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let mut first = opened(&browser, &campaign, "running").await;
    let mut second = opened(&browser, &campaign, "running").await;
    for stream in [&mut first, &mut second] {
        let shown = stream.next().await.unwrap();
        assert!(shown.starts_with("event: live") && shown.contains("To submit"), "{shown}");
    }
    assert_eq!(bench.shared.0.hub.watched(), 1, "they share one look");
    browser.post(&format!("{campaign}/pause"), &[]).await;
    for stream in [&mut first, &mut second] {
        let shown = loop {
            bench.clock.advance(Span::from_secs(1));
            tokio::select! {
                biased;
                shown = stream.next() => break shown.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        };
        assert!(shown.contains("event: reload"), "{shown}");
        assert_eq!(stream.next().await, None);
    }
}
