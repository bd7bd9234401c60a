//! What recipients answer: shown, exported and counted with its data, and attributed; opt-outs under a channel's id.

use serde_json::{Value, json};
use volley::base::clock::Clock;
use volley::base::domain::{
    AttemptId, Channel, ChannelUser, Content, Keyword, MessageKey, Outcome, Present, SkipReason, Span, State, StepIndex,
};
use volley::campaigns::campaign::Launched;
use volley::recipients::optout;
use volley::store::Cursor;

use crate::cli::{installation, run};
use crate::documents::json::check;
use crate::support::by_hand::{ByHand, is_awaiting};
use crate::support::{Installation, Shape};

/// Sent inside the window that the recipient's own message has opened.
const FORM: &str = "name = \"form\"\nnumbers = [\"+6591000001\"]\n\
    [[step]]\nchannel = \"WhatsApp\"\nsuccess_status = \"Read\"\ntext = \"Please fill in\"\n";
const LINE_LANE: &str = "[[lane]]\nname = \"line\"\nchannel = \"LINE\"\n";
/// The sample id of the provider's pages, which has a `g`.
const LINE_ID: &str = "Ua12b345678c1de0fg1a1234567891011";
const OTHER_ID: &str = "U4af4980629a1b2c3d4e5f60718293a4b";

fn attempt(launched: &Launched, n: u32) -> AttemptId {
    let key = MessageKey { batch: launched.batch, n };
    AttemptId { key, step: StepIndex::FIRST, tag: launched.id.tag }
}

fn is_done(present: &Present) -> bool {
    present.outcome().is_some()
}

fn has_opted_out(present: &Present) -> bool {
    matches!(present.state, State::Done { skipped: Some(SkipReason::OptedOut), .. })
}

/// A completed form with this token.
fn form(event: &mut Value, token: &str) {
    let answer = json!({ "name": "Ann", "seats": 2, "flow_token": token });
    event["type"] = "Interactive".into();
    event["content"] =
        json!({ "interactive": { "type": "nfmReply", "nfmReply": { "responseJson": answer.to_string() } } });
}

fn tapped(event: &mut Value, id: &str, title: &str, on: &AttemptId) {
    event["type"] = "Interactive".into();
    event["content"] =
        json!({ "interactive": { "type": "button_reply", "button_reply": { "id": id, "title": title } } });
    event["replyToUmid"] = on.to_string().into();
}

/// A campaign whose only message was submitted on WhatsApp.
async fn sent_form() -> (ByHand, Launched) {
    let world = ByHand::start("").await;
    world.write("in-0", Channel::WhatsApp, "Hello?", |_| {}).await;
    let launched = world.launch(FORM).await;
    world.until(MessageKey { batch: launched.batch, n: 0 }, "handed over", is_awaiting).await;
    (world, launched)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_form_counts_for_the_attempt_that_its_token_names() {
    let (world, launched) = sent_form().await;
    let token = attempt(&launched, 0).to_string();
    // Tokens of others, of another recipient's message and without our prefix count for nothing.
    let bare = token.trim_start_matches("att_").to_owned();
    let absent = attempt(&launched, 7).to_string();
    for (n, foreign) in ["unused", "att_nonsense", &bare, &absent].into_iter().enumerate() {
        world.write(&format!("foreign-{n}"), Channel::WhatsApp, "", |event| form(event, foreign)).await;
    }
    world
        .write("other", Channel::WhatsApp, "", |event| {
            form(event, &token);
            event["user"] = json!({ "msisdn": "+6598765432" });
        })
        .await;
    assert!(is_awaiting(&world.message(MessageKey { batch: launched.batch, n: 0 }).await.present));
    assert!(world.report(&launched).await.reply_counts.is_empty());
    world.write("in-1", Channel::WhatsApp, "", |event| form(event, &token)).await;
    let present = world.until(MessageKey { batch: launched.batch, n: 0 }, "done", is_done).await;
    assert_eq!(present.outcome(), Some(Outcome::Reached));
    let report = world.report(&launched).await;
    assert_eq!((report.steps[0].read, report.steps[0].replied), (1, 1));
    let counted: Vec<_> = report.reply_counts.iter().map(|it| (it.step, it.kind.as_str(), it.count)).collect();
    assert_eq!(counted, [(1, "nfmreply", 1)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_counts_replies_by_kind_and_by_button() {
    let (world, launched) = sent_form().await;
    let on = attempt(&launched, 0);
    for (n, title) in ["Yes", "No", "Yes"].into_iter().enumerate() {
        world.write(&format!("tap-{n}"), Channel::WhatsApp, "", |event| tapped(event, "b-1", title, &on)).await;
    }
    // A row of a list counts with its description, because its title may come twice.
    world
        .write("row", Channel::WhatsApp, "", |event| {
            let row = json!({ "id": "slot-1", "title": "Monday, Oct 9", "description": "9:00 AM" });
            event["content"] = json!({ "interactive": { "type": "list_reply", "list_reply": row } });
            event["replyToUmid"] = on.to_string().into();
        })
        .await;
    world.write("text", Channel::WhatsApp, "Thanks", |event| event["replyToUmid"] = on.to_string().into()).await;
    let report = world.report(&launched).await;
    let counted: Vec<_> =
        report.reply_counts.iter().map(|it| (it.kind.as_str(), it.choice.as_deref(), it.count)).collect();
    let wanted = [
        ("button_reply", Some("Yes"), 2),
        ("button_reply", Some("No"), 1),
        ("list_reply", Some("Monday, Oct 9: 9:00 AM"), 1),
        ("text", None, 1),
    ];
    assert_eq!(counted, wanted);
    let folder = installation();
    world.copy_to(&folder.path().join("volley.db")).await;
    let shown = run(folder.path(), &["campaign", "report", "form"]).ended(0).stdout;
    let lines = ["  chose: 2 \"Yes\" · 1 \"Monday, Oct 9: 9:00 AM\" · 1 \"No\"\n", "  other replies: 1 text\n"];
    assert!(lines.iter().all(|line| shown.contains(line)), "{shown}");
    check(&run(folder.path(), &["campaign", "report", "form", "--json"]).ended(0).stdout);
    world.stop().await;
}

/// Writes a message of every kind, each with a value that a spreadsheet would take for a formula where it may.
async fn write_each_kind(world: &ByHand) {
    let contents = [
        json!({ "text": "=1+1" }),
        json!({ "url": "https://media.example/1.jpg", "text": "Look" }),
        json!({ "location": { "latitude": 1.2857, "longitude": 103.8479, "name": "8x8 Singapore Office" } }),
        json!({ "text": "Yes", "payload": "yes-1" }),
        json!({ "interactive": { "type": "list_reply",
            "list_reply": { "id": "slot-1", "title": "Monday, Oct 9", "description": "9:00 AM" } } }),
        json!({ "interactive": { "type": "nfmReply", "nfmReply": {
            "responseJson": "{\"name\":\"@Ann\",\"seats\":2,\"flow_token\":\"t-1\"}" } } }),
        json!({ "interactive": { "type": "callPermissionReply", "callPermissionReply": { "response": "accept",
            "isPermanent": false, "expirationTimestamp": "2026-01-23T06:51:55.00Z", "responseSource": "user_action" } } }),
        json!({ "order": { "catalog_id": "c-1", "product_items": [
            { "product_retailer_id": "PRODUCT_SKU_123", "quantity": 2, "item_price": 12.5, "currency": "SGD" }] } }),
        json!({ "contacts": [{ "name": "Bob" }] }),
    ];
    for (n, content) in contents.into_iter().enumerate() {
        world.write(&format!("in-{n}"), Channel::WhatsApp, "", |event| event["content"] = content).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_reply_is_listed_and_exported_with_its_data() {
    let world = ByHand::start("").await;
    write_each_kind(&world).await;
    let folder = installation();
    let at = folder.path();
    world.copy_to(&at.join("volley.db")).await;
    let listed = run(at, &["reply", "list", "--unmasked"]).ended(0).stdout;
    for line in [
        "=1+1",
        "Look · https://media.example/1.jpg",
        "1.2857, 103.8479 8x8 Singapore Office",
        "Yes",
        "Monday, Oct 9: 9:00 AM",
        "name: @Ann · seats: 2",
        "may be called until 2026-01-23 06:51:55.000 UTC",
        "2 of PRODUCT_SKU_123",
        "{\"contacts\":[{\"name\":\"Bob\"}]}",
    ] {
        assert!(listed.contains(&format!("\n    {line}\n")), "{line}: {listed}");
    }
    let json = run(at, &["reply", "list", "--unmasked", "--json"]).ended(0).stdout;
    check(&json);
    let answers: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[2]["location"]["latitude_deg"], json!(1.2857));
    assert_eq!(answers[5]["flow"]["answer"], json!({ "name": "@Ann", "seats": 2 }));
    assert_eq!(answers[7]["order"]["items"][0]["item_price"], json!("12.5"));
    let masked = run(at, &["reply", "list", "--json"]).ended(0).stdout;
    assert!(!masked.contains("Ann") && !masked.contains("PRODUCT") && !masked.contains("6591000001"), "{masked}");

    let csv = run(at, &["reply", "export", "-", "--unmasked"]).ended(0).stdout;
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let header = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| {
        let column = header.iter().position(|column| column == name);
        rows[row][column.unwrap_or_else(|| panic!("{name}: {header:?}"))].to_owned()
    };
    assert_eq!(rows.len(), 9);
    for (row, name, wanted) in [
        (0, "text", "'=1+1"),
        (0, "number", "+6591000001"),
        (1, "url", "https://media.example/1.jpg"),
        (1, "caption", "Look"),
        (2, "latitude", "1.2857"),
        (2, "place", "8x8 Singapore Office"),
        (3, "button", "Yes"),
        (3, "payload", "yes-1"),
        (4, "list row description", "9:00 AM"),
        (5, "answer.name", "'@Ann"),
        (5, "answer.seats", "2"),
        (5, "flow token", "t-1"),
        (6, "call permission", "accept"),
        (6, "call permission until", "2026-01-23T06:51:55.000Z"),
        (7, "order", "2 of PRODUCT_SKU_123"),
        (7, "order catalog", "c-1"),
        (8, "other", "{\"contacts\":[{\"name\":\"Bob\"}]}"),
        (8, "answer.seats", ""),
    ] {
        assert_eq!(cell(row, name), wanted, "{name}");
    }
    let written = run(at, &["reply", "export", "out.xlsx"]).ended(0);
    assert_eq!(written.stderr, "Wrote 9 replies to out.xlsx.\n");
    use calamine::Reader;
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(at.join("out.xlsx")).unwrap();
    let sheet = book.worksheet_range("Sheet1").unwrap();
    assert_eq!(sheet.height(), 10);
    let shown: Vec<String> = sheet.rows().flatten().map(ToString::to_string).collect();
    assert!(!shown.iter().any(|cell| cell.contains("Ann") || cell.contains("6591000001")), "masked: {shown:?}");
    world.stop().await;
}

/// A file with the numbers and LINE ids of two recipients, and a campaign that addresses them by id, then by SMS.
fn by_line_id(folder: &std::path::Path, name: &str, head: &str) -> String {
    let file = folder.join(format!("{name}.csv"));
    std::fs::write(&file, format!("Phone,LineId\n+6591000001,{LINE_ID}\n+6591000002,{OTHER_ID}\n")).unwrap();
    format!(
        "name = \"{name}\"\naudience = \"{}\"\n{head}\n[[step]]\nchannel = \"LINE\"\nfallback_after = \"15m\"\n\
         line_user_id = \"{{{{LineId}}}}\"\ntext = \"Hi\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n",
        file.display()
    )
}

/// A message on LINE, which names its writer by id alone.
async fn write_on_line(world: &ByHand, umid: &str, id: &str, text: &str) {
    let by_id = |event: &mut Value| event["user"] = json!({ "channelUserId": id });
    world.write(umid, Channel::Line, text, by_id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_on_line_stops_every_channel_of_its_recipient() {
    let (world, folder) = (ByHand::start(LINE_LANE).await, tempfile::tempdir().unwrap());
    let launched = world.launch(&by_line_id(folder.path(), "news", "")).await;
    let later = world.launch(&by_line_id(folder.path(), "later", "at = \"2099-01-01T09:00Z\"")).await;
    let key = |n| MessageKey { batch: launched.batch, n };
    world.until(key(0), "handed over", is_awaiting).await;
    world.until(key(1), "handed over", is_awaiting).await;
    write_on_line(&world, "in-1", LINE_ID, "STOP").await;
    let skipped = world.until(MessageKey { batch: later.batch, n: 0 }, "skipped", is_done).await;
    assert!(has_opted_out(&skipped), "{skipped:?}");
    world.until(key(0), "cut", |present| present.marks.opted_out()).await;
    world.advance_to(world.clock.now() + Span::from_secs(15 * 60)).await;
    world.until(key(1), "on SMS", |present| present.step != StepIndex::FIRST && is_awaiting(present)).await;
    assert_eq!(world.report(&launched).await.steps[1].handed_over, 1, "only the other recipient");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_the_number_is_known_applies_at_the_next_launch() {
    let (world, folder) = (ByHand::start(LINE_LANE).await, tempfile::tempdir().unwrap());
    write_on_line(&world, "in-1", LINE_ID, "STOP").await;
    assert!(
        world.store.opted_out_numbers(None, 10, volley::base::domain::OptOutOf::Everything).await.unwrap().is_empty(),
        "no number is known"
    );
    let out = world.store.opt_outs(Cursor::START, 10).await.unwrap();
    assert_eq!(out.iter().map(|(_, entry)| entry.address.to_string()).collect::<Vec<_>>(), [LINE_ID]);
    let launched = world.launch(&by_line_id(folder.path(), "news", "")).await;
    let skipped = world.until(MessageKey { batch: launched.batch, n: 0 }, "skipped", is_done).await;
    assert!(has_opted_out(&skipped), "{skipped:?}");
    world.until(MessageKey { batch: launched.batch, n: 1 }, "handed over", is_awaiting).await;
    assert_eq!(world.report(&launched).await.steps[0].handed_over, 1);
    // START under the same id ends both.
    world.advance_to(world.clock.now() + Span::from_secs(60)).await;
    write_on_line(&world, "in-2", LINE_ID, "START").await;
    assert!(world.store.opt_outs(Cursor::START, 10).await.unwrap().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_opts_an_id_out_with_every_number_of_it() {
    let (world, folder) = (ByHand::start(LINE_LANE).await, tempfile::tempdir().unwrap());
    let user: ChannelUser = LINE_ID.parse().unwrap();
    let (store, now) = (world.store.as_ref(), world.clock.now());
    optout::change(
        store,
        &[user.into()],
        (Keyword::Stop, &volley::base::domain::WishSubject::EVERYTHING),
        now,
        "by ann",
    )
    .await
    .unwrap();
    let launched = world.launch(&by_line_id(folder.path(), "news", "")).await;
    let skipped = world.until(MessageKey { batch: launched.batch, n: 0 }, "skipped", is_done).await;
    assert!(has_opted_out(&skipped), "{skipped:?}");
    // A recipient cannot end it.
    write_on_line(&world, "in-1", LINE_ID, "START").await;
    assert_eq!(store.opted_out_numbers(None, 10, volley::base::domain::OptOutOf::Everything).await.unwrap().len(), 1);
    let installed = installation();
    let at = installed.path();
    world.copy_to(&at.join("volley.db")).await;
    let listed = run(at, &["opt-out", "list"]).ended(0).stdout;
    assert!(listed.contains("+6591000001") && listed.contains(LINE_ID), "{listed}");
    let json = run(at, &["opt-out", "list", "--json"]).ended(0).stdout;
    check(&json);
    assert!(json.contains(&format!("\"channel\":\"LINE\",\"channel_user\":\"{LINE_ID}\"")), "{json}");
    let shown = run(at, &["opt-out", "show", LINE_ID, "--json"]).ended(0);
    check(&shown.stdout);
    let shown = shown.json();
    assert_eq!(
        (&shown["is_opted_out"], &shown["other_addresses"]),
        (&json!(true), &json!([{"msisdn": "+6591000001"}]))
    );
    let removed = run(at, &["opt-out", "remove", LINE_ID, "--json"]).ended(0);
    check(&removed.stdout);
    assert_eq!((&removed.json()["channel_users"], &removed.json()["changed"]), (&json!(1), &json!(1)));
    assert_eq!(run(at, &["opt-out", "list"]).ended(0).stdout, "", "the number is opted in with its id");
    let added = run(at, &["opt-out", "add", LINE_ID, "+6591000002", "--json"]).ended(0).json();
    assert_eq!((&added["numbers"], &added["channel_users"], &added["changed"]), (&json!(1), &json!(1), &json!(2)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_by_reply_is_confirmed_once_on_its_channel() {
    let world = ByHand::start("[opt_out]\nconfirm = { de = \"Tschüss\", others = \"Bye\" }\n").await;
    world.write("in-1", Channel::Viber, "Abmelden", |_| {}).await;
    let confirmed = async || {
        let batches = world.store.batches(None).await.unwrap();
        batches.into_iter().map(|batch| batch.id).collect::<Vec<_>>()
    };
    let batch = world
        .when("a confirmation is queued", async || match confirmed().await[..] {
            [batch] => Ok(batch),
            ref other => Err(format!("{other:?}")),
        })
        .await;
    let key = MessageKey { batch, n: 0 };
    world.until(key, "the confirmation is handed over", is_awaiting).await;
    let plan = world.store.plan(batch).await.unwrap().unwrap();
    assert_eq!((plan.steps.len(), plan.steps[0].channel), (1, Channel::Viber));
    let text = |content: &Content| matches!(content, Content::Text { text, .. } if text == "Tschüss");
    assert!(text(&plan.steps[0].content), "{plan:?}");
    // It is confirmed, and so is nothing else: neither a repeat nor the same word again.
    world.write("in-1", Channel::Viber, "Abmelden", |_| {}).await;
    world.write("in-2", Channel::Sms, "STOP", |_| {}).await;
    let launched = world
        .launch("name = \"next\"\nnumbers = [\"+6591000001\", \"+6591000002\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n")
        .await;
    world.until(MessageKey { batch: launched.batch, n: 0 }, "handed over", is_awaiting).await;
    world.advance_to(world.clock.now() + Span::from_secs(60)).await;
    assert_eq!(confirmed().await.len(), 2, "the confirmation and the campaign");
    assert_eq!(world.store.batch(batch).await.unwrap().unwrap().messages, 1);
    assert_eq!((launched.messages, launched.opted_out), (1, 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opt_outs_are_pushed_to_the_providers_blacklisted_group() {
    let shape = Shape { seed: 5, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut world = Installation::new(&shape).await;
    world.serve().await;
    let config = std::fs::read_to_string(world.path("volley.toml")).unwrap();
    let provider: String = config.lines().find_map(|line| line.strip_prefix("base_url = ")).unwrap().to_owned();
    // The contacts are at the address of the practice provider, although nothing says so.
    let account = config.replacen("[provider]\n", "[provider]\naccount_name = \"Acme\"\n", 1);
    std::fs::write(world.path("volley.toml"), account).unwrap();
    world.volley(&["opt-out", "add", "+6591000002", "+6591000001", LINE_ID]).await;
    let refused = world.volley(&["opt-out", "push"]).await;
    assert!(refused.stderr.contains("give --group NAME"), "{}", refused.stderr);
    for (group, said) in [("Friends", "no group \"Friends\"; create it"), ("Opt", "no group \"Opt\"; found: Opt-outs")]
    {
        let refused = world.volley(&["opt-out", "push", "--group", group]).await;
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    let pushed = world.volley(&["opt-out", "push", "--group", "Opt-outs", "--json"]).await;
    check(&pushed.stdout);
    assert_eq!(pushed.json()["numbers"], json!(2), "{}", pushed.stderr);
    let provider = provider.trim_matches('"');
    volley::provider::client::install_tls();
    let listed = reqwest::get(format!("{provider}/simulator/blacklisted")).await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), json!(["+6591000001", "+6591000002"]));
    let rest = world.volley(&["opt-out", "push", "--group", "Opt-outs", "--after", "+6591000001", "--json"]).await;
    assert_eq!(rest.json()["numbers"], json!(1));
}

/// The token of the answer is the one that was sent, whatever it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_returns_the_token_that_its_message_was_sent_with() {
    let world = ByHand::start("").await;
    world.write("in-0", Channel::WhatsApp, "Hello?", |_| {}).await;
    let text = "name = \"form\"\nnumbers = [\"+6591000001\"]\n\
        [[step]]\nchannel = \"WhatsApp\"\nsuccess_status = \"Read\"\n\
        [step.interactive]\nbody = \"Please fill in\"\nflow = { id = \"1\", text = \"Fill in\" }\n";
    let launched = world.launch(text).await;
    let key = MessageKey { batch: launched.batch, n: 0 };
    world.until(key, "handed over", is_awaiting).await;
    let sent = world.requests().pop().unwrap();
    let token = sent["content"]["interactive"]["action"]["parameters"]["flowToken"].as_str().unwrap();
    world.write("in-1", Channel::WhatsApp, "", |event| form(event, token)).await;
    let present = world.until(key, "done", is_done).await;
    assert_eq!(present.outcome(), Some(Outcome::Reached));
    let report = world.report(&launched).await;
    assert_eq!((report.steps[0].read, report.steps[0].replied), (1, 1));
    world.stop().await;
}
