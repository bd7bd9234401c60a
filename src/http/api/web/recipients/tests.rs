//! Tests of the pages of a recipient, of the opt-outs and of the replies.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};

use crate::base::domain::{
    AuditAction, BatchId, Channel, ChannelUser, Keyword, MessageKey, Msisdn, OptOutOf, OptOutSource, Scope, Span,
    StepIndex, Timestamp, WishSubject,
};
use crate::http::api::native::tests::Bench;
use crate::http::api::web::tests::{Browser, EVIL, launched, place, with_file};
use crate::store::{Alias, AuditFilter, Cursor, Inbound, OptOut, WebhookGroup};

const NUMBER: &str = "+6591234567";
const USER: &str = "SG.13491208655302741918";

fn number() -> Msisdn {
    NUMBER.parse().unwrap()
}

/// A text from the number, `seconds` after the begin of the test.
fn wrote(bench: &Bench, umid: &str, text: &str, seconds: i64) -> Inbound {
    let at = bench.shared.clock.now() + Span::from_secs(seconds);
    let content = serde_json::json!({"text": text});
    let raw = serde_json::json!({"namespace": "ChatApps", "eventType": "inbound_message_received",
        "payload": {"umid": umid, "recipient": {"channel": "whatsapp"}, "type": "Text", "content": content}});
    Inbound {
        umid: umid.to_owned(),
        received: at,
        written_at: at,
        sub_account: String::new(),
        channel: Some(Channel::WhatsApp),
        channel_id: String::new(),
        msisdn: Some(number()),
        called: None,
        kind: "Text".to_owned(),
        choice: None,
        keyword: None,
        language: None,
        window: Some(at + Span::from_secs(86_400)),
        on: None,
        raw: raw.to_string(),
    }
}

/// The same as an answer to the message of a campaign to the number.
fn answered(bench: &Bench, batch: u32, umid: &str, text: &str, seconds: i64) -> Inbound {
    let key = MessageKey { batch: BatchId(batch), n: 0 };
    Inbound { on: Some((key, StepIndex::FIRST)), ..wrote(bench, umid, text, seconds) }
}

/// Stores messages from recipients.
async fn take(bench: &Bench, written: Vec<Inbound>) {
    bench.store.take(WebhookGroup { written, ..WebhookGroup::default() }).await.unwrap();
}

async fn shown(browser: &Browser<'_>, path: &str) -> String {
    let shown = browser.get(path).await;
    assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
    assert!(shown.text.len() < 100_000, "{path} has {} bytes", shown.text.len());
    shown.text
}

/// The address of the next page.
fn next(page: &str) -> String {
    let (before, _) = page.split_once("\" rel=\"next\"").unwrap();
    before.rsplit_once("href=\"").unwrap().1.replace("&#38;", "&")
}

#[tokio::test]
async fn a_recipient_has_messages_and_replies_in_the_order_of_time() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, EVIL).await;
    let replies = vec![
        answered(&bench, 1, "a", EVIL, 5),
        Inbound { keyword: Some(Keyword::Stop), ..wrote(&bench, "b", "STOP", 9) },
        wrote(&bench, "c", "too early", -60),
    ];
    take(&bench, replies).await;
    let alias = Alias { channel: Channel::WhatsApp, called: USER.to_owned(), msisdn: number() };
    bench.store.learn_users(vec![alias]).await.unwrap();
    let browser = Browser::manager(&bench).await;
    let page = shown(&browser, "/recipients/+6591234567").await;
    assert!(!page.contains("<script>alert"), "{page}");
    let parts =
        ["Opted out</span>", USER, "class=\"timeline\"", ">STOP</p>", "&#60;script&#62;", &campaign, "too early"];
    let places: Vec<usize> = parts.iter().map(|part| page.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    // The window is open until a day after the last message.
    assert!(page.contains(">Open</p>") && page.contains("opts out"), "{page}");
}

#[tokio::test]
async fn an_unknown_number_has_a_page_that_says_so() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let page = shown(&browser, "/recipients/+6598888888").await;
    assert!(page.contains("Nothing was sent to this number") && page.contains("Not opted out"), "{page}");
    assert!(page.contains(">Closed</p>"), "{page}");
    assert_eq!(browser.get("/recipients/nobody").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_long_history_has_pages_with_each_entry_once() {
    let bench = Bench::new().await;
    launched(&bench, "Promo").await;
    let all = (0..100).map(|n| wrote(&bench, &format!("u{n}"), &format!("text {n}."), n)).collect();
    take(&bench, all).await;
    let browser = Browser::manager(&bench).await;
    let (mut path, mut texts, mut messages) = (format!("/recipients/{NUMBER}"), Vec::new(), 0);
    loop {
        let page = shown(&browser, &path).await;
        texts.extend(page.split(">text ").skip(1).map(|rest| rest.split('.').next().unwrap().parse::<u32>().unwrap()));
        messages += page.matches("href=\"/messages/").count();
        if !page.contains("rel=\"next\"") {
            break;
        }
        path = next(&page);
    }
    assert_eq!((texts, messages), ((0..100).rev().collect(), 1));
}

#[tokio::test]
async fn a_number_is_found_however_it_is_written_and_a_client_id_as_before() {
    let bench = Bench::new().await;
    launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    for text in ["%2B6591234567", "6591234567", "0065+9123-4567", "%2B65+(9123)+4567"] {
        assert_eq!(place(&browser.get(&format!("/find?whom={text}")).await), "/recipients/+6591234567", "{text}");
    }
    // Without its country code, a number is one of the countries of the latest campaigns.
    for text in ["91234567", "9123+4567"] {
        assert_eq!(place(&browser.get(&format!("/find?whom={text}")).await), "/recipients/+6591234567", "{text}");
    }
    // One that nothing was sent to is looked at as well; with the code of another country, it needs no sign before it.
    for (text, number) in
        [("91234568", "+6591234568"), ("0014155550123", "+14155550123"), ("491701234567", "+491701234567")]
    {
        assert_eq!(place(&browser.get(&format!("/find?whom={text}")).await), format!("/recipients/{number}"), "{text}");
    }
    let name = shown(&browser, "/find?whom=order-7").await;
    assert!(name.contains("No message was found.") && name.contains("Names are not searched"), "{name}");
}

#[tokio::test]
async fn a_recipient_is_opted_out_and_in_with_who_and_why() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let page = format!("/recipients/{NUMBER}");
    assert!(shown(&browser, &page).await.contains(&format!("{page}/opt-out\"")));
    assert!(shown(&browser, &format!("{page}/opt-out")).await.contains("Opt this recipient out?"));
    let done = browser.post(&format!("{page}/opt-out"), &[("reason", EVIL)]).await;
    assert_eq!(place(&done), format!("{page}?done=out"), "{}", done.text);
    let out = shown(&browser, place(&done)).await;
    assert!(out.contains("Waiting messages are cancelled.") && out.contains("by mia: &#60;script"), "{out}");
    assert_eq!(bench.store.opted_out(vec![number()], OptOutOf::Everything).await.unwrap(), [number()]);
    let asked = shown(&browser, &format!("{page}/opt-in")).await;
    assert!(asked.contains("Remove this opt-out?") && asked.contains("an operator"), "{asked}");
    let done = browser.post(&format!("{page}/opt-in"), &[("reason", "a mistake")]).await;
    assert_eq!(place(&done), format!("{page}?done=in"));
    let history = shown(&browser, place(&done)).await;
    assert!(history.contains("Opt-out removed, by an operator: by mia: a mistake"), "{history}");
    assert_eq!(place(&browser.post(&format!("{page}/opt-in"), &[]).await), format!("{page}?done=unchanged"));
}

/// The paths and the objects of the requests in the audit log, oldest first.
async fn audited(bench: &Bench) -> Vec<(String, Option<String>)> {
    let entries = bench.store.audit_entries(Cursor::START, 99).await.unwrap();
    let requests = entries.into_iter().filter(|(_, entry)| entry.action == AuditAction::Request);
    requests.filter_map(|(_, entry)| Some((entry.request?.path, entry.object))).collect()
}

#[tokio::test]
async fn the_audit_log_shows_no_whole_number_and_no_whole_id() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    browser.post("/recipients/%2B6591234567/opt-out?whom=%2B6591234567", &[]).await;
    browser.post(&format!("/recipients/{USER}/opt-in"), &[]).await;
    let masked = |path: &str, object: &str| (path.to_owned(), Some(object.to_owned()));
    let expected =
        [masked("/recipients/+6591***67/opt-out", "+6591***67"), masked("/recipients/SG.1***18/opt-in", "SG.1***18")];
    assert_eq!(audited(&bench).await, expected);
}

#[tokio::test]
async fn an_opt_out_by_the_recipient_is_not_removed_without_a_caution() {
    let bench = Bench::new().await;
    let stop = Inbound { keyword: Some(Keyword::Stop), ..wrote(&bench, "a", "STOP", 0) };
    take(&bench, vec![stop]).await;
    let browser = Browser::manager(&bench).await;
    let asked = shown(&browser, &format!("/recipients/{NUMBER}/opt-in")).await;
    assert!(asked.contains("The recipient asked for this opt-out."), "{asked}");
}

#[tokio::test]
async fn an_operator_who_may_only_read_changes_no_opt_out() {
    let bench = Bench::new().await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    for page in [format!("/recipients/{NUMBER}"), "/opt-outs".to_owned()] {
        let text = shown(&browser, &page).await;
        assert!(!text.contains("/opt-out\"") && !text.contains("/opt-outs/add"), "{text}");
    }
    let remove = format!("/recipients/{USER}/opt-in");
    let changes = [format!("/recipients/{NUMBER}/opt-out"), format!("/recipients/{NUMBER}/opt-in"), remove];
    for path in changes.iter().map(String::as_str).chain(["/opt-outs/add"]) {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(browser.post(path, &[("numbers", NUMBER)]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let fields = [("form_token", browser.form_token.as_str())];
    let sent = browser.send(with_file("/opt-outs/file", &fields, "list.csv", NUMBER)).await;
    assert_eq!(sent.status, StatusCode::FORBIDDEN);
    assert!(bench.store.opted_out_numbers(None, 10, OptOutOf::Everything).await.unwrap().is_empty());
}

fn opted_out(n: u64) -> OptOut {
    let (msisdn, since) = (Msisdn::try_from(6_590_000_000 + n).unwrap(), Timestamp::from_millis(1_700_000_000_000));
    OptOut {
        address: msisdn.into(),
        of: WishSubject::EVERYTHING,
        since,
        from: OptOutSource::Provider,
        source: "a <b>list</b>".to_owned(),
    }
}

#[tokio::test]
async fn opt_outs_are_listed_page_by_page_and_found_by_number() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    assert!(shown(&browser, "/opt-outs").await.contains("Nobody has opted out."));
    bench.store.opt_out((0..70).map(opted_out).collect()).await.unwrap();
    let first = shown(&browser, "/opt-outs?changed=70").await;
    assert!(first.contains("70 numbers and ids opted out.") && first.contains("a &#60;b&#62;list"), "{first}");
    let second = shown(&browser, &next(&first)).await;
    let count = |page: &str| page.matches("href=\"/recipients/+65900000").count() / 2;
    assert_eq!((count(&first), count(&second)), (50, 20));
    assert!(!second.contains("opted out."), "{second}");
    let found = shown(&browser, "/opt-outs?number=%2B65+9000+0069").await;
    assert_eq!(count(&found), 1, "{found}");
    assert!(shown(&browser, "/opt-outs?number=%2B6590000070").await.contains("has not opted out."));
    assert!(shown(&browser, "/opt-outs?number=nobody").await.contains("Neither a number nor an id"));
}

#[tokio::test]
async fn ids_of_channels_are_listed_and_removed() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    assert!(shown(&browser, "/opt-outs").await.contains("Nobody has opted out."));
    let user: ChannelUser = USER.parse().unwrap();
    let opt_out = OptOut {
        address: user.into(),
        of: WishSubject::EVERYTHING,
        since: bench.shared.clock.now(),
        from: OptOutSource::Recipient,
        source: "stop by message".to_owned(),
    };
    bench.store.opt_out(vec![opt_out]).await.unwrap();
    let remove = format!("/recipients/{USER}/opt-in");
    assert!(shown(&browser, "/opt-outs").await.contains(&remove));
    assert!(shown(&browser, &remove).await.contains("The recipient asked for this opt-out."));
    assert!(shown(&browser, &format!("/opt-outs?number={USER}")).await.contains(&remove), "found by its id");
    let done = browser.post(&remove, &[]).await;
    assert_eq!(place(&done), format!("/recipients/{USER}?done=in"), "{}", done.text);
    assert!(shown(&browser, place(&done)).await.contains("The opt-out is removed."));
    assert_eq!(browser.get("/recipients/nobody/opt-in").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn numbers_are_opted_out_and_wrong_lines_stay_in_the_form() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    shown(&browser, "/opt-outs/add").await;
    let all = [("numbers", "+6591234567\r\n91234568\r\n"), ("country", "sg"), ("reason", "asked on the phone")];
    let done = browser.post("/opt-outs/add", &all).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let listed = shown(&browser, place(&done)).await;
    assert!(listed.contains("2 numbers and ids opted out."), "{listed}");
    assert!(listed.contains("+6591234568") && listed.contains("by mia: asked on the phone"), "{listed}");
    let some = [("numbers", "+6591234567\nnobody\n\n+6591234569\n<b>x\n")];
    let kept = browser.post("/opt-outs/add", &some).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text);
    assert!(kept.text.contains("1 number or id opted out; 1 had opted out before."), "{}", kept.text);
    assert!(kept.text.contains(">nobody\n&#60;b&#62;x</textarea>"), "{}", kept.text);
    for (fields, says) in [
        ([("numbers", "nobody"), ("country", "")], "1 line is neither a number nor an id."),
        ([("numbers", " \n"), ("country", "")], "Enter at least one number."),
        ([("numbers", "+6591234560"), ("country", "Mars")], "nknown country"),
    ] {
        let refused = browser.post("/opt-outs/add", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(refused.text.contains(says), "{says}: {}", refused.text);
    }
    assert_eq!(bench.store.opted_out_numbers(None, 10, OptOutOf::Everything).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_file_of_opt_outs_is_taken_and_not_kept() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let send = async |token: &str, content: &str| {
        let fields = [("form_token", token), ("file-country", "SG"), ("reason", "blocked")];
        browser.send(with_file("/opt-outs/file", &fields, "list.csv", content)).await
    };
    assert_eq!(send("wrong", NUMBER).await.status, StatusCode::FORBIDDEN);
    let done = send(&browser.form_token, "Phone,Name\n+6591234567,Ann\n91234568,Bob\n,Eve\n").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let listed = shown(&browser, place(&done)).await;
    assert!(listed.contains("2 numbers and ids opted out; 1 row could not be read."), "{listed}");
    assert!(listed.contains("by mia from list.csv: blocked"), "{listed}");
    let refused = send(&browser.form_token, "Name\nAnn\n").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("id=\"file-problem\""), "{}", refused.text);
    assert!(bench.shared.0.native.uploads().list().is_empty());
}

#[tokio::test]
async fn all_opt_outs_are_downloaded_as_csv() {
    let bench = Bench::new().await;
    bench.store.opt_out(vec![opted_out(1)]).await.unwrap();
    let user = OptOut {
        address: USER.parse().unwrap(),
        of: WishSubject::EVERYTHING,
        since: bench.shared.clock.now(),
        from: OptOutSource::Recipient,
        source: "=1".to_owned(),
    };
    bench.store.opt_out(vec![user]).await.unwrap();
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let table = browser.get("/opt-outs/export").await;
    assert_eq!(table.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"opt-outs.csv\"");
    let lines: Vec<&str> = table.text.lines().collect();
    assert_eq!(lines[0], "\u{feff}number or id,channel,of,since,by,how");
    assert!(lines[1].contains("6590000001,,everything,2023-11-14T22:13:20.000Z,provider,a <b>list</b>"), "{lines:?}");
    assert!(
        lines[2].starts_with(USER) && lines[2].ends_with(",WhatsApp,everything,2027-01-15T08:00:00.000Z,recipient,'=1"),
        "{lines:?}"
    );
    let stranger = bench.send(None, Request::get("/opt-outs/export").body(Body::empty()).unwrap()).await;
    assert_eq!(stranger.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn replies_are_listed_latest_first_by_campaign_and_by_text() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    for path in ["/replies", &format!("{campaign}/replies")] {
        assert!(shown(&browser, path).await.contains("No recipient has replied yet."));
    }
    let choice = Inbound {
        choice: Some("Yes".to_owned()),
        msisdn: None,
        called: Some(USER.to_owned()),
        ..answered(&bench, 1, "a", "Yes, please", 1)
    };
    let purged = Inbound { raw: String::new(), ..wrote(&bench, "c", "", 3) };
    take(&bench, vec![choice, wrote(&bench, "b", EVIL, 2), purged]).await;
    let all = shown(&browser, "/replies").await;
    let places: Vec<usize> =
        ["No text (Text)", "&#60;script&#62;", "Yes, please"].iter().map(|text| all.find(text).unwrap()).collect();
    assert!(places.is_sorted() && !all.contains("<script>alert"), "{all}");
    assert!(all.contains(&format!("href=\"{campaign}\"")) && all.contains(USER) && all.contains(">choice<"), "{all}");
    let rows = async |path: &str| shown(&browser, path).await.matches("class=\"reply\"").count();
    assert_eq!((rows("/replies?campaign=Promo").await, rows("/replies?text=SCRIPT").await), (1, 1));
    assert_eq!((rows(&format!("{campaign}/replies")).await, rows("/replies?text=nothing").await), (1, 0));
    assert!(shown(&browser, "/replies?text=nothing").await.contains("No reply was found."));
    assert!(shown(&browser, "/replies?campaign=Other").await.contains("No campaign has this name or id."));
    assert!(shown(&browser, &campaign).await.contains(&format!("href=\"{campaign}/replies\"")));
}

#[tokio::test]
async fn many_long_replies_have_pages_of_bounded_size() {
    let bench = Bench::new().await;
    let browser = Browser::manager(&bench).await;
    let long = "<".repeat(3_000);
    let all = (0..120).map(|n| wrote(&bench, &format!("u{n}"), &format!("no {n}. {long}"), n)).collect();
    take(&bench, all).await;
    let (mut path, mut rows) = ("/replies?text=no".to_owned(), Vec::new());
    loop {
        let page = shown(&browser, &path).await;
        rows.extend(page.split(">no ").skip(1).map(|rest| rest.split('.').next().unwrap().parse::<u32>().unwrap()));
        if !page.contains("rel=\"next\"") {
            break;
        }
        path = next(&page);
    }
    assert_eq!(rows, (0..120).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn replies_are_downloaded_with_the_filters_of_the_page_and_without_formulas() {
    let bench = Bench::new().await;
    let campaign = launched(&bench, "Promo").await;
    let browser = Browser::manager(&bench).await;
    take(&bench, vec![answered(&bench, 1, "a", "=cmd()", 5), wrote(&bench, "b", "Hello, you", 9)]).await;
    let page = shown(&browser, &format!("{campaign}/replies?text=cmd")).await;
    assert!(page.contains(&format!("href=\"{campaign}/replies/csv?text=cmd\"")), "{page}");
    let all = browser.get("/replies/csv").await;
    assert!(all.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
    assert!(all.text.starts_with("\u{feff}received,number,") && all.text.lines().count() == 3, "{}", all.text);
    assert!(all.text.contains(",'=cmd()\n") && all.text.contains(",\"Hello, you\"\n"), "{}", all.text);
    for (path, lines) in [
        (format!("{campaign}/replies/csv"), 2),
        ("/replies/csv?campaign=Promo".to_owned(), 2),
        ("/replies/csv?text=HELLO".to_owned(), 2),
        (format!("{campaign}/replies/csv?text=hello"), 1),
    ] {
        assert_eq!(browser.get(&path).await.text.lines().count(), lines, "{path}");
    }
    assert_eq!(browser.get("/replies/csv?campaign=Unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_operator_decides_which_replies_are_opt_outs() {
    let bench = Bench::new().await;
    let written = vec![wrote(&bench, "a", "please STOP this", 0), wrote(&bench, "b", "nothing", 1)];
    let other = Inbound { msisdn: "+6591000002".parse().ok(), ..wrote(&bench, "c", "no stop at my house?", 2) };
    let written = written.into_iter().chain([other]).collect();
    let possible_stops = ["a", "c"].map(str::to_owned).into();
    bench.store.take(WebhookGroup { written, possible_stops, ..WebhookGroup::default() }).await.unwrap();
    let browser = Browser::manager(&bench).await;
    assert!(shown(&browser, "/replies").await.contains("2 replies may be opt-outs"));
    let open = shown(&browser, "/replies?undecided=1").await;
    assert!(open.contains("please STOP this") && open.contains("at my house") && !open.contains("nothing"), "{open}");
    let decide = async |umid: &str, what: &str| browser.post("/replies/decide", &[("umid", umid), ("do", what)]).await;
    let dismissed = decide("c", "dismiss").await;
    assert_eq!(place(&dismissed), "/replies?undecided=1&done=dismiss");
    let open = shown(&browser, place(&dismissed)).await;
    assert!(open.contains("The reply is no opt-out.") && !open.contains("at my house"), "{open}");
    let opted_out = shown(&browser, place(&decide("a", "opt-out").await)).await;
    assert!(opted_out.contains("The recipient has opted out.") && opted_out.contains("No reply awaits a decision."));
    assert_eq!(bench.store.opted_out(vec![number()], OptOutOf::Everything).await.unwrap(), [number()]);
    assert_eq!(decide("a", "opt-out").await.status, StatusCode::NOT_FOUND);
    assert!(!shown(&browser, "/replies").await.contains("may be an opt-out"));
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let entries = async || bench.store.audit_entries_before(AuditFilter::default(), None, 500).await.unwrap().len();
    let before = entries().await;
    assert_eq!(reader.post("/replies/decide", &[("umid", "a"), ("do", "dismiss")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(entries().await, before, "what was refused for its scope has no entry of the audit log");
}

#[tokio::test]
async fn a_program_finds_and_decides_which_replies_are_opt_outs() {
    let bench = Bench::new().await;
    let other = Inbound { msisdn: "+6591000002".parse().ok(), ..wrote(&bench, "c", "no stop at my house?", 1) };
    let written = vec![wrote(&bench, "a", "please STOP this", 0), other, wrote(&bench, "b", "nothing", 2)];
    let possible_stops = ["a", "c"].map(str::to_owned).into();
    bench.store.take(WebhookGroup { written, possible_stops, ..WebhookGroup::default() }).await.unwrap();
    let browser = Browser::manager(&bench).await;
    let open = async || {
        let listed = browser.call(Method::GET, "/v1/replies?may_want_to_opt_out=true", &[], "").await.body;
        let items = listed["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["umid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let decide = async |umid: &str, body: &str| {
        browser.call(Method::POST, &format!("/v1/replies/{umid}/decide"), &[], body).await.status
    };
    assert_eq!(open().await, ["a", "c"]);
    assert_eq!(decide("c", r#"{"opt_out": false}"#).await, StatusCode::NO_CONTENT);
    assert_eq!(decide("a", r#"{"opt_out": true, "reason": "asked for it"}"#).await, StatusCode::NO_CONTENT);
    assert_eq!(open().await, [""; 0]);
    assert_eq!(decide("a", r#"{"opt_out": true}"#).await, StatusCode::NOT_FOUND);
    assert_eq!(decide("b", r#"{"opt_out": true}"#).await, StatusCode::NOT_FOUND, "it never was one");
    assert_eq!(bench.store.opted_out(vec![number()], OptOutOf::Everything).await.unwrap(), [number()]);
}
