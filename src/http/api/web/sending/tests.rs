//! Tests of the pages about templates, prices and the calendar, over the whole router.

use axum::http::StatusCode;

use crate::base::domain::{BatchState, Channel, Hours, Plan, Scope, Span, Step, Tag, Timestamp};
use crate::base::events::Origin;
use crate::http::api::native::tests::Bench;
use crate::http::api::web::tests::{Browser, place};
use crate::store::{FetchedTemplates, NewBatch, StoredTemplate, TemplatePlace};

/// A name that would be HTML if it were not escaped.
const EVIL: &str = "<script>alert(1)</script>'&";
const LANE: &str = "[provider]\nsub_account = \"acme\"\n\
                    [[lane]]\nname = \"promo\"\nchannel = \"WhatsApp\"\naccount_id = \"acme-1\"\nchannel_id = \"wa-1\"\n";

fn template(name: &str, status: &str) -> StoredTemplate {
    let components = serde_json::json!([
        {"type": "HEADER", "format": "IMAGE", "example": {"headerHandle": ["picture.png"]}},
        {"type": "BODY", "text": "Hi {{1}} <b>there</b>", "example": {"bodyText": ["Ann"]}},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Yes"}]},
    ]);
    StoredTemplate {
        name: name.to_owned(),
        language: "en_US".to_owned(),
        category: "MARKETING".to_owned(),
        status: status.to_owned(),
        components: components.to_string(),
        updated_at: None,
    }
}

async fn with_templates(templates: Vec<StoredTemplate>) -> Bench {
    let bench = Bench::configured(LANE).await;
    let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() };
    let fetched = FetchedTemplates { place, fetched_at: bench.shared.clock.now(), templates };
    bench.store.replace_templates(fetched, Vec::new()).await.unwrap();
    bench
}

async fn reader(bench: &Bench) -> Browser<'_> {
    Browser::of(bench, "rio", &[Scope::Read]).await
}

#[tokio::test]
async fn templates_are_found_by_name_and_status() {
    let bench = with_templates(vec![template("Promo", "APPROVED"), template("news", "PENDING_DELETION")]).await;
    let browser = reader(&bench).await;
    let names = async |query: &str| {
        let text = browser.get(&format!("/templates?{query}")).await.text;
        ["Promo", "news"].map(|name| text.contains(&format!("href=\"/templates/{name}\"")))
    };
    assert_eq!(names("").await, [true, true]);
    assert_eq!(names("name=pro").await, [true, false]);
    assert_eq!(names("status=PENDING_DELETION").await, [false, true]);
    assert_eq!(names("held=true").await, [false, false]);
    let text = browser.get("/templates").await.text;
    for shown in [">Approved</span>", ">Pending deletion</span>", "en_US", ">Marketing<", ">promo<", "Fetched:"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!text.contains("Fetch from the provider"), "a reader has no button: {text}");
}

#[tokio::test]
async fn many_templates_come_in_pages_with_their_filter() {
    let bench = with_templates((0..120).map(|n| template(&format!("promo_{n:03}"), "APPROVED")).collect()).await;
    let browser = reader(&bench).await;
    let (mut path, mut seen, mut pages) = ("/templates?name=promo".to_owned(), 0, 0);
    loop {
        let text = browser.get(&path).await.text;
        assert!(text.len() < 100_000, "{path}: {}", text.len());
        (seen, pages) = (seen + text.matches("href=\"/templates/promo_").count(), pages + 1);
        let Some((_, rest)) = text.split_once("rel=\"next\"").and_then(|(before, _)| before.rsplit_once("href=\""))
        else {
            break;
        };
        path = rest.split('"').next().unwrap().replace("&#38;", "&");
    }
    assert_eq!((seen, pages), (120, 3));
}

#[tokio::test]
async fn a_template_shows_its_message_and_is_held_and_resumed_with_who_and_why() {
    let bench = with_templates(vec![template("promo", "APPROVED")]).await;
    let (browser, reader) = (Browser::manager(&bench).await, reader(&bench).await);
    let text = reader.get("/templates/promo").await.text;
    for shown in ["Hi {{1}} &#60;b&#62;there&#60;/b&#62;", "picture.png", ">Yes<", "<td>body</td>", ">Ann<", "acme-1"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!text.contains("<form method=\"post\" action=\"/templates/promo"), "{text}");
    for action in ["hold", "resume"] {
        assert_eq!(reader.post(&format!("/templates/promo/{action}"), &[]).await.status, StatusCode::FORBIDDEN);
    }
    let held = browser.post("/templates/promo/hold", &[("lane", "promo"), ("reason", EVIL)]).await;
    assert_eq!(place(&held), "/templates/promo?done=held", "{}", held.text);
    let text = browser.get(place(&held)).await.text;
    assert!(text.contains("The template is on hold.") && text.contains("by mia"), "{text}");
    assert!(!text.contains("<script>alert"), "{text}");
    assert!(browser.get("/templates?held=true").await.text.contains(">On hold</span>"));
    let resumed = browser.post("/templates/promo/resume", &[]).await;
    let text = browser.get(place(&resumed)).await.text;
    assert!(text.contains("The template is resumed.") && text.contains("by mia"), "{text}");
    assert!(bench.store.holds().await.unwrap().is_empty());
    assert!(browser.post("/templates/promo/hold", &[("lane", "unknown")]).await.status.is_client_error());
    assert_eq!(browser.get("/templates/unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_campaign_is_begun_with_an_approved_template() {
    let bench = with_templates(vec![template("promo", "APPROVED"), template("news", "PENDING")]).await;
    let (browser, reader) = (Browser::manager(&bench).await, reader(&bench).await);
    let chosen = [("language", "en_US"), ("account", "acme-1"), ("channel", "wa-1")];
    assert!(!reader.get("/templates/promo").await.text.contains("New campaign with it"));
    assert_eq!(reader.post("/templates/promo/campaign", &chosen).await.status, StatusCode::FORBIDDEN);
    assert!(browser.get("/templates/promo").await.text.contains("New campaign with it"));
    let begun = browser.post("/templates/promo/campaign", &chosen).await;
    let path = place(&begun).strip_suffix("/recipients").unwrap().to_owned();
    let content = browser.get(&format!("{path}/content")).await.text;
    assert!(content.contains("value=\"promo|en_US|MARKETING\" selected"), "{content}");

    assert!(!browser.get("/templates/news").await.text.contains("New campaign with it"));
    let refused = browser.post("/templates/news/campaign", &chosen).await;
    assert!(refused.status == StatusCode::NOT_FOUND && refused.text.contains("is not approved"), "{}", refused.text);
    let elsewhere = browser.post("/templates/promo/campaign", &[("language", "de"), chosen[1], chosen[2]]).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_template_with_a_hostile_name_has_its_page() {
    let bench = with_templates(vec![template(EVIL, EVIL)]).await;
    let browser = Browser::manager(&bench).await;
    let text = browser.get("/templates").await.text;
    assert!(!text.contains("<script>alert"), "{text}");
    let (_, rest) = text.split_once("<th scope=\"row\"><a href=\"").unwrap();
    let path = rest.split('"').next().unwrap().replace("&#38;", "&").replace("&#39;", "'");
    let shown = browser.get(&path).await;
    assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
    assert!(!shown.text.contains("<script>alert") && shown.text.contains("&#60;script&#62;"), "{}", shown.text);
}

#[tokio::test]
async fn the_list_of_templates_says_what_to_do_and_fetches_for_managers() {
    let bench = Bench::configured("").await;
    let (browser, reader) = (Browser::manager(&bench).await, reader(&bench).await);
    let text = browser.get("/templates").await.text;
    assert!(text.contains("No template is known.") && text.contains("were never fetched"), "{text}");
    assert_eq!(reader.post("/templates", &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(place(&browser.post("/templates", &[]).await), "/templates");
    let text = reader.get("/templates").await.text;
    assert!(text.contains("No lane is on WhatsApp") && text.contains("· mia"), "{text}");
}

#[tokio::test]
async fn a_failed_fetch_says_why_and_keeps_the_templates() {
    // Nothing listens on this port.
    let text = LANE.replace("[provider]\n", "[provider]\nbase_url = \"http://127.0.0.1:9\"\napi_key = \"k\"\n");
    let bench = Bench::configured(&text).await;
    let browser = Browser::manager(&bench).await;
    assert_eq!(place(&browser.post("/templates", &[]).await), "/templates");
    let text = browser.get("/templates").await.text;
    assert!(text.contains("Not fetched</span> <strong>promo</strong>"), "{text}");
}

#[tokio::test]
async fn prices_are_shown_by_channel_and_country() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.csv");
    let list = "channel,country,category,currency,price\nSMS,SG,,EUR,0.04\nSMS,,,,0.09\nWhatsApp,SG,MARKETING,,0.05\n";
    std::fs::write(&file, list).unwrap();
    let viber = "[[lane]]\nname = \"vib\"\nchannel = \"Viber\"\n";
    let bench = Bench::configured(&format!("{LANE}{viber}[prices]\nfile = \"{}\"\n", file.display())).await;
    let browser = reader(&bench).await;
    let prices = async |query: &str| {
        let text = browser.get(&format!("/prices?{query}")).await.text;
        ["0.04", "0.09", "0.05"].map(|price| text.contains(&format!("<td class=\"number\">{price}</td>")))
    };
    assert_eq!(prices("").await, [true; 3]);
    assert_eq!(prices("channel=SMS").await, [true, true, false]);
    assert_eq!(prices("country=sg").await, [true, false, true]);
    assert_eq!(prices("channel=WhatsApp&country=MY").await, [false; 3]);
    let text = browser.get("/prices").await.text;
    for shown in ["Price of a message, EUR", "All other countries", "prices.csv", ">vib</span>", ">Marketing<"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    // The list is read again, and a broken one says where it is broken.
    std::fs::write(&file, "channel,price\n<b>,1\n").unwrap();
    let text = browser.get("/prices").await.text;
    assert!(text.contains("line 2: unknown channel") && !text.contains("<b>,"), "{text}");
    let lines: String = (0..120).map(|n| format!("SMS,{},0.01\n", country(n))).collect();
    std::fs::write(&file, format!("channel,country,price\n{lines}")).unwrap();
    let text = browser.get("/prices?channel=SMS").await.text;
    assert_eq!((text.matches("<th scope=\"row\">").count(), text.contains("rel=\"next\"")), (50, true));
}

/// A country for each number up to 120.
fn country(n: usize) -> &'static str {
    const CODES: &str = "AD AE AF AG AI AL AM AO AR AS AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ \
                         CA CD CF CG CH CI CK CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FM \
                         FO FR GA GB GD GE GF GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IN IQ IR IS IT \
                         JM JO JP KE KG KH KI KM KN KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML";
    CODES.split_whitespace().nth(n).unwrap()
}

#[tokio::test]
async fn without_a_price_list_the_page_says_how_to_set_one() {
    let bench = Bench::configured("").await;
    let text = reader(&bench).await.get("/prices").await.text;
    assert!(text.contains("No price list is set") && text.contains("[prices]"), "{text}");
}

/// The day of the bench's clock: 2027-01-15 in UTC.
async fn stored(bench: &Bench, name: &str, starts_at: Option<Timestamp>, state: BatchState) {
    stored_with(bench, (name, Hours::default()), starts_at, state).await;
}

async fn stored_with(bench: &Bench, (name, hours): (&str, Hours), starts_at: Option<Timestamp>, state: BatchState) {
    let new = NewBatch {
        tag: Tag::from_random(7),
        plan: Plan::of_steps(vec![Step { hours, ..Step::of_text(Channel::Sms, "sms", "Hi") }]),
        name: Some(name.to_owned()),
        audience: "members".to_owned(),
        audience_ids: Vec::new(),
        starts_at,
        open_until: None,
        now: bench.shared.clock.now(),
    };
    let batch = bench.store.begin_batch(new).await.unwrap();
    bench.store.publish_batch(batch, state, Origin::SERVER, bench.shared.clock.now()).await.unwrap();
}

#[tokio::test]
async fn the_calendar_has_campaigns_on_their_days_in_the_zone_of_the_operator() {
    let bench = Bench::configured(LANE).await;
    let browser = reader(&bench).await;
    assert_eq!(browser.post("/zone", &[("zone", "Asia/Singapore")]).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get("/calendar").await.text.contains("No campaign is sent or scheduled in this month."));
    stored(&bench, EVIL, None, BatchState::Running).await;
    stored(&bench, "Waits", None, BatchState::Draft).await;
    let next_month = Timestamp::parse_rfc3339("2027-01-31T17:00:00Z").unwrap();
    stored(&bench, "Later", Some(next_month), BatchState::Scheduled).await;
    // No session is that long.
    bench.clock.advance(Span::from_secs(2 * 86_400));
    let browser = Browser::of(&bench, "sam", &[Scope::Read]).await;
    browser.post("/zone", &[("zone", "Asia/Singapore")]).await;
    let text = browser.get("/calendar").await.text;
    assert!(text.contains("<h1>January 2027</h1>") && text.contains("Asia/Singapore"), "{text}");
    assert!(text.contains("started 16:00 · 0 recipients") && !text.contains("<script>alert"), "{text}");
    assert_eq!(text.matches("continues · 0 recipients").count(), 2);
    assert!(text.contains(">17</time> <strong>Today</strong>") && text.contains("Without a date"), "{text}");
    assert!(text.contains(">Waits</a>") && !text.contains(">Later</a>"), "{text}");
    let text = browser.get("/calendar?month=2027-02").await.text;
    assert!(text.contains("starts 01:00") && text.contains(">Later</a>"), "{text}");
    let text = browser.get("/calendar?day=2027-02-01").await.text;
    assert!(text.contains("<h1>Monday, February 1, 2027</h1>") && text.contains(">Later</a>"), "{text}");
    for wrong in ["month=nonsense", "month=99999-01", "day=2027-02-30", "month=0000-00"] {
        assert!(browser.get(&format!("/calendar?{wrong}")).await.text.contains("January 2027"), "{wrong}");
    }
}

#[tokio::test]
async fn a_day_with_many_campaigns_has_a_page_of_its_own() {
    let bench = Bench::configured(LANE).await;
    let browser = reader(&bench).await;
    browser.post("/zone", &[("zone", "UTC")]).await;
    for n in 0..9 {
        stored(&bench, &format!("Promo {n}"), None, BatchState::Running).await;
    }
    let text = browser.get("/calendar?month=2027-01").await.text;
    assert!(text.contains("4 more on January 15") && text.matches(">Promo ").count() == 5, "{text}");
    assert_eq!(browser.get("/calendar?day=2027-01-15").await.text.matches(">Promo ").count(), 9);
}

#[tokio::test]
async fn the_calendar_marks_days_on_which_a_campaign_sends_nothing() {
    let bench = Bench::configured(LANE).await;
    let browser = reader(&bench).await;
    browser.post("/zone", &[("zone", "Asia/Singapore")]).await;
    let starts_at = Timestamp::parse_rfc3339("2027-01-27T01:00:00Z").unwrap();
    let holidays = [chrono::NaiveDate::from_ymd_opt(2027, 1, 28).unwrap()].into();
    let office = Hours { windows: vec!["Mon-Fri 09:00-18:00".parse().unwrap()], holidays, ..Hours::default() };
    stored_with(&bench, (EVIL, office), Some(starts_at), BatchState::Scheduled).await;
    for name in ["Night", "Night 2", "Night 3"] {
        let night = Hours { quiet: vec!["Sat 00:00-24:00".parse().unwrap()], ..Hours::default() };
        stored_with(&bench, (name, night), Some(starts_at), BatchState::Scheduled).await;
    }
    let text = browser.get("/calendar?month=2027-01").await.text;
    assert!(!text.contains("<script>alert"), "{text}");
    // Thursday the 28th is a holiday, the weekend is outside the window, and the one before is before the start.
    assert_eq!((text.matches(" closed\">").count(), text.matches("(holiday)").count()), (3, 1), "{text}");
    assert_eq!(text.matches("(outside its send window)").count(), 2, "{text}");
    assert!(text.contains("Nothing is sent:") && text.contains("Days on which a campaign sends nothing"), "{text}");
    assert!(text.contains(">and 2 more</a>") && text.matches("(quiet hours)").count() == 1, "{text}");
    assert_eq!(text.matches("Sent Mon-Fri 09:00-18:00").count(), 1, "{text}");
    let text = browser.get("/calendar?day=2027-01-30").await.text;
    assert_eq!((text.matches("(quiet hours)").count(), text.matches("(outside its").count()), (3, 1), "{text}");
}

#[tokio::test]
async fn a_lane_without_account_id_lacks_a_setting_and_is_no_answer_of_the_provider() {
    let bench = Bench::configured(&LANE.replace("account_id = \"acme-1\"\n", "")).await;
    let browser = Browser::manager(&bench).await;
    let says = "Lane promo has no account_id, which names the account of the templates; add account_id";
    let text = browser.get("/templates").await.text;
    assert!(text.contains("Missing settings") && text.contains(says) && text.contains("href=\"/settings\""), "{text}");
    browser.post("/templates", &[]).await;
    let text = browser.get("/templates").await.text;
    assert!(text.matches(says).count() == 1 && !text.contains("Latest answer of the provider"), "{text}");
}
