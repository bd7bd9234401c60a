//! Tests of reports as pages, files and links, of sending again, and of changes.

use std::io::Cursor;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use calamine::{Reader, Xlsx};
use tower_service::Service as _;

use crate::base::clock::Clock as _;
use crate::base::domain::{BatchId, MessageKey, Queue, Scope, Span, StepIndex};
use crate::http::access::By;
use crate::http::api::door::Client;
use crate::http::api::native::tests::{Answered, Bench};
use crate::http::api::web::tests::{Browser, first_message, launched, place};
use crate::http::api::web::writing::tests::Author;
use crate::store::{AuditFilter, Claim, Receipt, WebhookGroup};

const DAY: i64 = 86_400;

async fn reader(bench: &Bench) -> Browser<'_> {
    Browser::of(bench, "rio", &[Scope::Read]).await
}

/// The page that a redirect leads to.
async fn followed(browser: &Browser<'_>, answered: &Answered) -> String {
    assert_eq!(answered.status, StatusCode::SEE_OTHER, "{}", answered.text);
    browser.get(place(answered)).await.text
}

/// The page of tables, once they are counted.
async fn counted(browser: &Browser<'_>, path: &str) -> String {
    for _ in 0..100_000 {
        let shown = browser.get(path).await.text;
        if !shown.contains("http-equiv=\"refresh\"") {
            return shown;
        }
        tokio::task::yield_now().await;
    }
    panic!("the count does not end");
}

#[tokio::test]
async fn tables_of_few_messages_are_counted_unasked_and_downloaded() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = reader(&bench).await;
    let path = format!("{campaign}/report/tables");
    let early = browser.get(&format!("{campaign}/report/csv?table=countries")).await;
    assert_eq!(place(&early), path, "there is nothing to download yet");
    let before = browser.get(&path).await.text;
    assert!(before.contains("Counting") && !before.contains("Count now"), "{before}");
    let shown = counted(&browser, &path).await;
    assert!(
        shown.contains(">SG</th><td class=\"number\" data-label=\"Recipients\"><a href=\"")
            && shown.contains("country=SG\">2</a>"),
        "{shown}"
    );
    assert!(shown.contains("The provider reported no errors") && shown.contains("the figures still change"), "{shown}");
    let csv = browser.get(&format!("{campaign}/report/csv?table=countries")).await;
    assert_eq!(csv.text, "\u{feff}Country,Recipients,Reached,Open,Cost,Currency\nSG,2,0,2,,\n");
    assert_eq!(csv.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"promo-countries.csv\"");
    let messages = browser.get(&format!("{campaign}/report/messages.csv")).await;
    assert_eq!(messages.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"promo-messages.csv\"");
    assert!(messages.text.starts_with("\u{feff}message,ClientMessageId,number,"), "{}", messages.text);
    let of_api = browser.get(&format!("/v1{campaign}/export?format=csv")).await.text;
    assert_eq!(messages.text.trim_start_matches('\u{feff}'), of_api, "scripts get no mark");
    let codes = browser.get(&format!("{campaign}/report/csv?table=codes")).await.text;
    assert!(codes.contains("Step,Channel,Reported,Code,Meaning,Cause,What to do,"), "{codes}");
    let outcomes = browser.get(&format!("{campaign}/report/csv?table=outcomes")).await.text;
    assert!(outcomes.contains("No receipt,0\n") && outcomes.ends_with("Open,2\n"), "{outcomes}");
    assert!(browser.get(&format!("{campaign}/report/csv?table=steps")).await.text.lines().count() >= 2);
    assert_eq!(browser.get(&format!("{campaign}/report/csv?table=x")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_of_recipients_is_downloaded_as_it_is_filtered() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = reader(&bench).await;
    let page = browser.get(&format!("{campaign}/recipients?outcome=open")).await.text;
    let (_, link) = page.split_once("/recipients.csv?").unwrap();
    let query = link.split('"').next().unwrap().replace("&#38;", "&");
    assert!(query.contains("outcome=open"), "{query}");
    let open = browser.get(&format!("{campaign}/recipients.csv?{query}")).await;
    assert_eq!(open.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"promo-recipients.csv\"");
    let mut lines = open.text.lines();
    assert_eq!(lines.next(), Some("\u{feff}Number,Id from the file,Outcome,What happened"));
    assert!(lines.all(|line| line.contains(",To submit,1 SMS: to submit")), "{}", open.text);
    assert_eq!(open.text.lines().count(), 3);
    let none = browser.get(&format!("{campaign}/recipients.csv?outcome=reached")).await.text;
    assert_eq!(none.lines().count(), 1);
}

#[tokio::test]
async fn the_workbook_opens_and_has_every_recipient() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = reader(&bench).await;
    let path = format!("{campaign}/report/recipients.xlsx");
    let mut router = crate::http::api::routes(bench.shared.clone());
    let request = Request::get(&path).header(header::COOKIE, &browser.cookie).body(Body::empty()).unwrap();
    let response = router.call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let length: usize = response.headers()[header::CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(bytes.len(), length);
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let rows = book.worksheet_range("Sheet1").unwrap();
    assert_eq!((rows.height(), rows.get_value((0, 0)).unwrap().to_string()), (3, "message".to_owned()));
    let report = browser.get(&format!("{campaign}/report")).await.text;
    assert!(report.contains(&format!("href=\"{path}\"")), "{report}");
}

/// The secret of the link that a page shows.
fn secret_of(page: &str) -> String {
    let (_, rest) = page.split_once("/shared/").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Opens a link from an address, and returns the status of the answer.
async fn opened_from(bench: &Bench, last: u8, secret: &str) -> StatusCode {
    let client = Client { address: [192, 0, 2, last].into(), is_over_tls: false };
    let request = Request::get(format!("/shared/{secret}")).extension(client).body(Body::empty()).unwrap();
    bench.send(None, request).await.status
}

#[tokio::test]
async fn a_link_shows_one_report_without_recipients_until_it_ends() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let share = format!("{campaign}/report/share");
    assert!(browser.get(&share).await.text.contains("There is no link."));
    let made = browser.post(&share, &[("days", "7")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let again = browser.post(&share, &[("days", "7")]).await;
    assert_eq!(place(&again), place(&made), "two clicks make one link");
    let secret = secret_of(&followed(&browser, &made).await);
    assert!(!followed(&browser, &made).await.contains("/shared/"), "a reload neither shows it again nor makes another");
    let open = async |secret: &str| {
        let request = Request::get(format!("/shared/{secret}")).body(Body::empty()).unwrap();
        bench.send(None, request).await
    };
    let shown = open(&secret).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert!(shown.text.contains("Promo") && shown.text.contains("Outcomes") && !shown.text.contains("+65"));
    assert!(!shown.text.contains("<nav") && !shown.text.contains("/campaigns"), "{}", shown.text);
    assert!(shown.text.contains("noindex") && shown.headers["x-robots-tag"] == "noindex, nofollow");
    assert_eq!(shown.headers[header::REFERRER_POLICY], "no-referrer");
    assert!(shown.headers.get(header::SET_COOKIE).is_none());

    let listed = browser.get(&share).await.text;
    assert!(!listed.contains(&secret) && listed.contains(">mia</td>"), "{listed}");
    let (_, rest) = listed.split_once("name=\"link\" value=\"").unwrap();
    let link = rest.split('"').next().unwrap().to_owned();
    let ended = browser.post(&format!("{share}/end"), &[("link", &link)]).await;
    assert!(followed(&browser, &ended).await.contains("The link has ended."));
    assert_eq!(browser.post(&format!("{share}/end"), &[("link", &link)]).await.status, StatusCode::NOT_FOUND);

    let later = browser.post(&share, &[("days", "1")]).await;
    let expired = secret_of(&followed(&browser, &later).await);
    assert_eq!(open(&expired).await.status, StatusCode::OK);
    bench.clock.advance(Span::from_secs(DAY));
    let mut answers = Vec::new();
    for wrong in [&secret, &expired, &"0".repeat(64), &"x".repeat(64), &"short".to_owned()] {
        let refused = open(wrong).await;
        assert_eq!(
            (refused.status, &refused.headers[header::REFERRER_POLICY]),
            (StatusCode::NOT_FOUND, &"no-referrer".parse().unwrap())
        );
        answers.push(refused.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "each wrong link gives the same page");
    let log = bench.store.audit_entries_before(AuditFilter::default(), None, 50).await.unwrap();
    assert!(!log.is_empty() && !format!("{log:?}").contains(&secret), "{log:?}");
}

#[tokio::test]
async fn only_a_manager_makes_and_ends_links_and_a_draft_has_none() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let reader = reader(&bench).await;
    let share = format!("{campaign}/report/share");
    assert_eq!(reader.get(&share).await.status, StatusCode::FORBIDDEN);
    for path in [share.clone(), format!("{share}/end")] {
        assert_eq!(reader.post(&path, &[("days", "7")]).await.status, StatusCode::FORBIDDEN);
    }
    assert!(!reader.get(&format!("{campaign}/report")).await.text.contains(&share));
    let browser = Browser::manager(&bench).await;
    assert_eq!(browser.post(&share, &[("days", "9000")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let draft = drafted(&bench, &browser, &campaign).await;
    let refused = browser.post(&format!("{draft}/report/share"), &[("days", "7")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
}

#[tokio::test]
async fn wrong_links_stop_only_their_address_and_no_link_that_was_opened() {
    let bench = Bench::new().await;
    let share = format!("{}/report/share", launched(&bench, "Promo").await);
    let browser = Browser::manager(&bench).await;
    let right = secret_of(&followed(&browser, &browser.post(&share, &[("days", "7")]).await).await);
    let unopened = secret_of(&followed(&browser, &browser.post(&share, &[("days", "1")]).await).await);
    assert_eq!(opened_from(&bench, 1, &right).await, StatusCode::OK);
    let wrong = "0".repeat(64);
    let mut answers = Vec::new();
    for _ in 0..11 {
        answers.push(opened_from(&bench, 1, &wrong).await);
    }
    assert_eq!(answers.pop(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert!(answers.iter().all(|answer| *answer == StatusCode::NOT_FOUND), "{answers:?}");
    assert_eq!(opened_from(&bench, 1, &unopened).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(opened_from(&bench, 2, &unopened).await, StatusCode::OK, "another address does not wait");
    assert_eq!(opened_from(&bench, 1, &right).await, StatusCode::OK, "it was opened before");
}

#[tokio::test]
async fn each_link_has_its_own_rate() {
    let bench = Bench::new().await;
    let share = format!("{}/report/share", launched(&bench, "Promo").await);
    let browser = Browser::manager(&bench).await;
    let busy = secret_of(&followed(&browser, &browser.post(&share, &[("days", "7")]).await).await);
    let quiet = secret_of(&followed(&browser, &browser.post(&share, &[("days", "1")]).await).await);
    for _ in 0..10 {
        assert_eq!(opened_from(&bench, 1, &busy).await, StatusCode::OK);
    }
    assert_eq!(opened_from(&bench, 1, &busy).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(opened_from(&bench, 1, &quiet).await, StatusCode::OK);
}

#[tokio::test]
async fn a_link_ends_when_its_operator_is_disabled() {
    let bench = Bench::new().await;
    let share = format!("{}/report/share", launched(&bench, "Promo").await);
    let browser = Browser::manager(&bench).await;
    assert!(browser.get(&share).await.text.contains("the operator who made it is disabled"));
    let secret = secret_of(&followed(&browser, &browser.post(&share, &[("days", "7")]).await).await);
    let (access, by, now) = (&bench.shared.0.access, By::command("ann"), bench.shared.clock.now());
    access.set_disabled("mia", true, &by, now).await.unwrap();
    assert_eq!(opened_from(&bench, 1, &secret).await, StatusCode::NOT_FOUND);
}

/// Cancels a campaign, and sends it again as a draft. Returns the address of the draft.
async fn drafted(bench: &Bench, browser: &Browser<'_>, campaign: &str) -> String {
    browser.post(&format!("{campaign}/cancel"), &[]).await;
    bench.clock.advance(Span::from_secs(1));
    let fields = [("outcome-cancelled", "on"), ("name", "Promo again"), ("do", "draft")];
    let done = browser.post(&format!("{campaign}/again"), &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    place(&done).split('?').next().unwrap().to_owned()
}

#[tokio::test]
async fn recipients_with_an_outcome_are_sent_to_again_once() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let asked = browser.get(&format!("{campaign}/again")).await.text;
    assert!(asked.contains("no recipient to send to again") && asked.contains("2 recipients have no outcome yet"));
    browser.post(&format!("{campaign}/cancel"), &[]).await;
    let listed = browser.get(&format!("{campaign}/recipients?outcome=cancelled")).await.text;
    assert!(listed.contains(&format!("href=\"{campaign}/again?outcome=cancelled\"")), "{listed}");
    assert!(listed.contains("Send again to the 2 recipients whose message was cancelled"), "{listed}");
    let listed = browser.get(&format!("{campaign}/recipients?outcome=missed")).await.text;
    assert!(listed.contains(&format!("href=\"{campaign}/again\"")), "{listed}");
    assert!(listed.contains("Send again to the 2 recipients not reached"), "{listed}");
    assert!(listed.contains("<option value=\"missed\" selected>Not reached"), "{listed}");
    for none in ["", "outcome=reached", "outcome=open", "outcome=to_submit", "outcome=missed&whom=%2B6591000001"] {
        let listed = browser.get(&format!("{campaign}/recipients?{none}")).await.text;
        assert!(!listed.contains("/again"), "{none}: {listed}");
    }
    let asked = browser.get(&format!("{campaign}/again?outcome=cancelled")).await.text;
    assert!(asked.contains("name=\"outcome-cancelled\" value=\"on\" checked"), "{asked}");
    assert!(asked.contains("value=\"Promo 2\"") && asked.contains("At most 2 recipients"), "{asked}");

    let again = format!("{campaign}/again");
    let none = browser.post(&again, &[("name", "Promo 2"), ("outcome-reached", "on"), ("do", "launch")]).await.text;
    assert!(none.contains("Choose at least one outcome"), "{none}");
    let fields = [("outcome-cancelled", "on"), ("name", "Promo 2"), ("do", "launch")];
    let first = browser.post(&again, &fields).await;
    let shown = followed(&browser, &first).await;
    assert!(shown.contains("The campaign is launched.") && shown.contains("Sends again to recipients of"), "{shown}");
    assert!(shown.contains(&format!("href=\"{campaign}\"")), "{shown}");
    let second = browser.post(&again, &fields).await;
    assert!(place(&first).starts_with(place(&second)) && !place(&second).is_empty(), "it leads to the first");
    let taken = [("outcome-cancelled", "on"), ("name", "Promo"), ("do", "launch")];
    assert!(browser.post(&again, &taken).await.text.contains("&#34;Promo&#34; is taken"));
    assert_eq!(bench.store.batches(None).await.unwrap().len(), 2);
    let origin = browser.get(&campaign).await.text;
    assert!(origin.contains("Sent again as") && origin.contains(">Promo 2</a>"), "{origin}");
}

#[tokio::test]
async fn whom_an_earlier_retry_reached_is_sent_to_again_only_if_that_is_ticked() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    browser.post(&format!("{campaign}/cancel"), &[]).await;
    let again = format!("{campaign}/again");
    let send = async |name: &str, more: &[(&str, &str)]| {
        let fields = [&[("outcome-cancelled", "on"), ("name", name), ("do", "launch")], more].concat();
        followed(&browser, &browser.post(&again, &fields).await).await
    };
    assert!(!browser.get(&again).await.text.contains("include_reached"), "no retry has reached anybody");
    assert!(send("First", &[]).await.contains("2 recipients<"));
    bench.reach_first(bench.batch_named("First").await).await;
    let asked = browser.get(&format!("{again}?outcome=cancelled")).await.text;
    assert!(asked.contains("Also send to 1 recipient whom an earlier retry has reached."), "{asked}");
    let second = send("Second", &[]).await;
    assert!(second.contains("1 recipient<"), "{second}");
    let third = send("Third", &[("include_reached", "on")]).await;
    assert!(third.contains("2 recipients<"), "{third}");
}

#[tokio::test]
async fn one_recipient_is_sent_to_again() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let message = first_message(&browser.get(&format!("{campaign}/recipients")).await.text);
    let id = message.rsplit('/').next().unwrap();
    let path = format!("{campaign}/again?message={id}");
    assert!(!browser.get(&message).await.text.contains(&path), "it may still be reached");
    assert_eq!(browser.get(&path).await.status, StatusCode::CONFLICT);
    browser.post(&format!("{campaign}/cancel"), &[]).await;
    let shown = browser.get(&message).await.text;
    assert!(shown.contains(&format!("href=\"{path}\"")) && shown.contains("Nothing was sent"), "{shown}");
    let number = shown.split("href=\"/recipients/").nth(1).unwrap().split('"').next().unwrap();
    assert!(browser.get(&format!("/recipients/{number}")).await.text.contains(&format!("href=\"{path}\"")));
    let asked = browser.get(&path).await.text;
    assert!(asked.contains("Send again only to") && asked.contains(number), "{asked}");
    assert!(!asked.contains("name=\"outcome-"), "{asked}");
    let fields = [("message", id), ("name", "Promo for one"), ("do", "launch")];
    let shown = followed(&browser, &browser.post(&format!("{campaign}/again"), &fields).await).await;
    assert!(shown.contains("The campaign is launched.") && shown.contains("1 recipient<"), "{shown}");
    let other = [("message", "msg_0"), ("name", "Promo for none"), ("do", "launch")];
    assert_eq!(browser.post(&format!("{campaign}/again"), &other).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn figures_by_country_and_code_lead_to_the_recipients_behind_them() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let key = |n| MessageKey { batch: BatchId(1), n };
    let failed = |n, code| Receipt {
        key: key(n),
        step: StepIndex::FIRST,
        stamp: bench.shared.clock.now(),
        state: "undelivered".to_owned(),
        detail: String::new(),
        code,
        received: bench.shared.clock.now(),
        tries: None,
        umid: None,
        charge: None,
        ruling: Default::default(),
    };
    let receipts = vec![failed(0, 1), failed(1, 0), failed(1, 131_049)];
    bench.store.take(WebhookGroup { receipts, ..WebhookGroup::default() }).await.unwrap();
    let browser = reader(&bench).await;
    let path = format!("{campaign}/report/tables");
    browser.post(&path, &[]).await;
    let shown = counted(&browser, &path).await;
    for (query, recipients) in [
        ("country=SG", 2),
        ("country=SG&outcome=open", 2),
        ("step=1&code=1&result=undelivered", 1),
        ("step=1&code=none&result=undelivered", 1),
    ] {
        let link = format!("{campaign}/recipients?{query}");
        assert!(shown.contains(&format!("href=\"{}\"", link.replace('&', "&#38;"))), "{link}: {shown}");
        let listed = browser.get(&link).await.text;
        assert_eq!(listed.matches("href=\"/messages/").count(), recipients, "{link}: {listed}");
    }
    for (cause, what_to_do) in [
        ("No account on this channel", "Use another channel"),
        ("Not given", "Send again later"),
        ("WhatsApp&#39;s limit on marketing", "Use another channel, or send again after a day"),
    ] {
        assert!(shown.contains(cause) && shown.contains(what_to_do), "{cause}: {shown}");
    }
    let codes = browser.get(&format!("{campaign}/report/csv?table=codes")).await.text;
    assert!(codes.contains(",WhatsApp's limit on marketing for each recipient,\"use another channel, or"), "{codes}");
    for (query, recipients) in [
        ("result=undelivered", 2),
        ("result=rejected", 0),
        ("code=1&result=rejected", 0),
        ("step=2&code=1", 0),
        ("code=1&whom=%2B6500000000", 0),
        ("code=1&country=MY", 0),
    ] {
        let listed = browser.get(&format!("{campaign}/recipients?{query}")).await.text;
        assert_eq!(listed.matches("href=\"/messages/").count(), recipients, "{query}: {listed}");
    }
}

#[tokio::test]
async fn an_operator_who_may_only_read_repeats_and_changes_nothing() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let reader = reader(&bench).await;
    assert!(!reader.get(&format!("{campaign}/recipients")).await.text.contains("/again"));
    assert!(!reader.get(&campaign).await.text.contains("class=\"more\""));
    for page in ["again", "use-again", "change", "delete"] {
        assert_eq!(reader.get(&format!("{campaign}/{page}")).await.status, StatusCode::FORBIDDEN, "{page}");
        assert_eq!(reader.post(&format!("{campaign}/{page}"), &[]).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    for decision in ["pause", "resume"] {
        let path = format!("{campaign}/steps/1/{decision}");
        assert_eq!(reader.post(&path, &[]).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_campaign_is_used_again_as_one_that_is_being_written() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let asked = browser.get(&format!("{campaign}/use-again")).await.text;
    assert!(asked.contains("with its content") && asked.contains("imported for this campaign alone"), "{asked}");
    let done = browser.post(&format!("{campaign}/use-again"), &[]).await;
    assert!(place(&done).starts_with("/new/") && place(&done).ends_with("/recipients"), "{}", place(&done));
    let content = browser.get(&place(&done).replace("/recipients", "/content")).await.text;
    let launched = bench.store.batches(None).await.unwrap();
    let plan = bench.store.plan(launched[0].id).await.unwrap().unwrap();
    let (text, _) = plan.steps.iter().find_map(|step| step.sms()).unwrap();
    assert!(content.contains(text) && content.contains("Promo 2"), "{content}");
}

#[tokio::test]
async fn before_a_campaign_is_used_again_the_page_counts_its_recipients_and_those_of_now() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    author.fill("check", &[("where", "Code != \"A1\""), ("do", "next")]).await;
    let done = author.fill_review(&[("name", "Promo"), ("do", "launch")]).await;
    let campaign = place(&done).split('?').next().unwrap().to_owned();
    let asked = author.browser.get(&format!("{campaign}/use-again")).await.text;
    assert!(asked.contains("It has 3 recipients; this campaign had 2 recipients."), "{asked}");
    assert!(asked.contains("The filter of the recipients: Code != &#34;A1&#34;"), "{asked}");
    let copied = author.browser.post(&format!("{campaign}/use-again"), &[]).await;
    let check = author.browser.get(&place(&copied).replace("/recipients", "/check")).await.text;
    assert!(check.contains("value=\"Code != &#34;A1&#34;\""), "it goes to those whom the campaign went to: {check}");
}

#[tokio::test]
async fn a_launched_campaign_is_changed_and_renamed() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let path = format!("{campaign}/change");
    let asked = browser.get(&path).await.text;
    assert!(asked.contains("name=\"edition\" value=\"0\"") && asked.contains("name=\"max_messages\""), "{asked}");
    let wrong = [("edition", "0"), ("name", "Promo"), ("max_messages", "0"), ("quiet_hours", "21:00-08:00")];
    let refused = browser.post(&path, &wrong).await.text;
    assert!(
        refused.contains("Invalid number of messages &#34;0&#34;") && refused.contains("aria-invalid"),
        "{refused}"
    );
    assert!(refused.contains("value=\"21:00-08:00\""), "what was entered stays: {refused}");
    let right = [("edition", "0"), ("name", "Winter"), ("max_messages", "500"), ("quiet_hours", "21:00-08:00")];
    let done = browser.post(&path, &right).await;
    assert!(followed(&browser, &done).await.contains("The campaign is changed."));
    let shown = browser.get(&path).await.text;
    assert!(shown.contains("value=\"500\"") && shown.contains("value=\"Winter\"") && shown.contains("value=\"1\""));
    let late = browser.post(&path, &[("edition", "0"), ("name", "Summer"), ("max_messages", "7")]).await;
    assert!(late.text.contains("The campaign was changed meanwhile") && late.text.contains("value=\"500\""));
    let emptied = browser.post(&path, &[("edition", "1"), ("name", "Winter"), ("quiet_hours", "")]).await;
    assert!(place(&emptied).ends_with("done=changed"), "{}", emptied.text);
    let same = browser.post(&path, &[("edition", "2"), ("name", "Winter"), ("max_messages", "500")]).await;
    assert!(place(&same).ends_with("done=unchanged"), "{}", same.text);
    launched_as(&bench, "Other").await;
    let taken = browser.post(&path, &[("edition", "2"), ("name", "Other")]).await.text;
    assert!(taken.contains("already exists"), "{taken}");
}

#[tokio::test]
async fn a_limit_below_the_first_messages_is_saved_and_the_plan_warns() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let done = browser.post(&format!("{campaign}/change"), &[("edition", "0"), ("max_messages", "1")]).await;
    assert_eq!(place(&done), format!("{campaign}/plan?done=changed"));
    let plan = followed(&browser, &done).await;
    assert!(plan.contains("The campaign is changed.") && plan.contains("allows 1 of 2 first messages"), "{plan}");
    assert!(plan.contains("First message of 2 recipients"), "{plan}");
    let enough = browser.post(&format!("{campaign}/change"), &[("edition", "1"), ("max_messages", "2")]).await;
    assert_eq!(place(&enough), format!("{campaign}?done=changed"));
    let plan = browser.get(&format!("{campaign}/plan")).await.text;
    assert!(!plan.contains("first messages;"), "{plan}");
}

#[tokio::test]
async fn a_text_is_corrected_on_the_page_and_by_patch_until_the_first_claim() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let path = format!("{campaign}/change");
    let text = async || {
        let batch = bench.store.batch_named("Promo").await.unwrap().unwrap();
        let plan = bench.store.plan(batch.id).await.unwrap().unwrap();
        crate::campaigns::campaign::text_of(&plan.steps[0].content).unwrap().to_owned()
    };
    let done = browser.post(&path, &[("edition", "0"), ("step", "1"), ("1-text", "Hello")]).await;
    assert_eq!((place(&done), text().await), (format!("{campaign}?done=changed").as_str(), "Hello".to_owned()));
    let patch = r#"{"step": 1, "text": "Good day"}"#;
    let patched = browser.call(Method::PATCH, &format!("/v1{campaign}"), &[("if-match", "*")], patch).await;
    assert_eq!((patched.status, text().await), (StatusCode::OK, "Good day".to_owned()), "{}", patched.text);
    let batch = bench.store.batch_named("Promo").await.unwrap().unwrap();
    let message = bench.store.load(vec![MessageKey { batch: batch.id, n: 0 }]).await.unwrap()[0];
    let queue = Queue { batch: batch.id, step: StepIndex::FIRST, lane: message.lane };
    let claim = Claim::of(message.lane, vec![queue], 1, bench.clock.now());
    assert_eq!(bench.store.claim(claim).await.unwrap().messages.len(), 1);
    assert!(!browser.get(&path).await.text.contains("name=\"1-text\""));
    // A form that was open meanwhile still has the text. As long as that is not changed, the rest is saved.
    let form = |text| [("edition", "2"), ("step", "1"), ("1-text", text), ("1-max_messages", "9")];
    let late = browser.post(&path, &form("Good evening")).await.text;
    assert!(late.contains("The campaign has begun to send, so its text") && late.contains("value=\"9\""), "{late}");
    let saved = browser.post(&path, &form("Good day")).await;
    assert_eq!((place(&saved), text().await), (format!("{campaign}?done=changed").as_str(), "Good day".to_owned()));
    let patched = browser.call(Method::PATCH, &format!("/v1{campaign}"), &[("if-match", "*")], patch).await;
    assert_eq!(patched.status, StatusCode::OK, "it has the text already: {}", patched.text);
    let other = r#"{"step": 1, "text": "Bye"}"#;
    let patched = browser.call(Method::PATCH, &format!("/v1{campaign}"), &[("if-match", "*")], other).await;
    assert!(patched.status == StatusCode::UNPROCESSABLE_ENTITY && patched.text.contains("has begun to send"));
}

#[tokio::test]
async fn a_time_of_a_campaign_with_a_zone_is_changed_by_the_clock_that_its_hint_names() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    author.fill("time", &[("time_zone", "Asia/Singapore"), ("at", "2027-03-01T10:00"), ("do", "next")]).await;
    let done = author.fill_review(&[("name", "Promo"), ("do", "launch")]).await;
    let campaign = place(&done).split('?').next().unwrap().to_owned();
    author.browser.post("/zone", &[("zone", "UTC")]).await;
    let asked = author.browser.get(&format!("{campaign}/change")).await.text;
    assert!(asked.contains("value=\"2027-03-01T10:00\""), "{asked}");
    assert!(asked.contains("By the clock of Asia/Singapore. Leave empty to start at once."), "{asked}");
}

/// A time of a campaign without a time zone is shown with its offset in the zone of the operator.
#[tokio::test]
async fn a_time_without_a_zone_is_changed_in_the_zone_of_the_operator() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let path = format!("{campaign}/change");
    let done = browser.post(&path, &[("edition", "0"), ("name", "Promo"), ("end", "2027-03-01T10:00:00Z")]).await;
    assert!(place(&done).ends_with("done=changed"), "{}", done.text);
    for (zone, shown) in [("Asia/Singapore", "2027-03-01T18:00:00+08:00"), ("UTC", "2027-03-01T10:00:00+00:00")] {
        browser.post("/zone", &[("zone", zone)]).await;
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{zone}");
        assert!(page.text.contains(shown), "{zone}: {}", page.text);
    }
}

async fn launched_as(bench: &Bench, name: &str) {
    launched(bench, name).await;
}

#[tokio::test]
async fn a_step_is_changed_paused_and_resumed_alone() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    let path = format!("{campaign}/change");
    let done = browser.post(&path, &[("edition", "0"), ("step", "1"), ("1-max_messages", "9")]).await;
    assert!(place(&done).ends_with("done=changed"), "{}", done.text);
    let wrong = browser.post(&path, &[("edition", "1"), ("step", "1"), ("1-quiet_hours", "never")]).await.text;
    assert!(wrong.contains("is not a time range"), "{wrong}");
    let paused = browser.post(&format!("{campaign}/steps/1/pause"), &[("reason", "<b>odd</b>")]).await;
    let shown = followed(&browser, &paused).await;
    assert!(shown.contains("The step is paused.") && shown.contains("/steps/1/resume"), "{shown}");
    assert!(shown.contains("&#60;b&#62;odd") && shown.contains("2 messages wait for it."), "{shown}");
    let resumed = browser.post(&format!("{campaign}/steps/1/resume"), &[]).await;
    assert!(followed(&browser, &resumed).await.contains("/steps/1/pause"));
    assert_eq!(browser.post(&format!("{campaign}/steps/9/pause"), &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_draft_is_deleted_after_a_question_and_nothing_else_is() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    for answered in
        [browser.get(&format!("{campaign}/delete")).await, browser.post(&format!("{campaign}/delete"), &[]).await]
    {
        assert_eq!(answered.status, StatusCode::CONFLICT, "{}", answered.text);
    }
    let draft = drafted(&bench, &browser, &campaign).await;
    let asked = browser.get(&format!("{draft}/delete")).await.text;
    assert!(asked.contains("Delete this draft?") && asked.contains("2 messages"), "{asked}");
    let done = browser.post(&format!("{draft}/delete"), &[]).await;
    assert!(followed(&browser, &done).await.contains("The draft is deleted."));
    assert_eq!(browser.get(&draft).await.status, StatusCode::NOT_FOUND);
    assert!(!browser.get(&campaign).await.text.contains("Sent again as"));
}
