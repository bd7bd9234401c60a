//! The commands of campaigns: the calendar, rules, drafts, plans with their warnings, limits, test sends.

use serde_json::{Value, json};
use volley::base::domain::Span;

use crate::cli::{installation, run};
use crate::support::{ALONE, Installation, Shape, until};

const PATIENCE: Span = Span::from_secs(60);

#[test]
fn the_calendar_lists_coming_campaigns_in_order_of_their_start() {
    let folder = installation();
    let at = folder.path();
    assert!(run(at, &["campaign", "calendar"]).ended(1).stderr.contains("volley"), "there is no database yet");
    run(at, &["campaign", "launch", "promo.toml", "--at", "2099-01-01T09:00+08:00"]).ended(0);
    let advent = "name = \"Advent\"\nnumbers = [\"+6591234567\", \"+12125550123\"]\nat = \"2098-12-01T09:00\"\n\
                  time_zone = \"recipient\"\nover = \"3h\"\nsend_window = \"09:00-18:00\"\n\
                  [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
    std::fs::write(at.join("advent.toml"), advent).unwrap();
    run(at, &["campaign", "launch", "advent.toml"]).ended(0);
    let calendar = run(at, &["campaign", "calendar", "--json"]).ended(0).json();
    let names: Vec<&str> = calendar.as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["Advent", "November promo"]);
    let advent = &calendar[0];
    // Nine in Singapore comes before nine in New York.
    assert_eq!(advent["starts_at"], "2098-12-01T01:00:00.000Z");
    assert_eq!((&advent["local_start"], &advent["over"]), (&"2098-12-01 09:00".into(), &"3h".into()));
    assert_eq!((&advent["state"], &advent["queued"]), (&"scheduled".into(), &2.into()));
    let shown = run(at, &["campaign", "calendar"]).ended(0).stdout;
    assert!(shown.contains("2098-12-01 09:00, over 3h, sent 09:00-18:00, by each recipient's own clock"), "{shown}");
}

#[test]
fn the_rules_of_a_campaign_are_shown_and_a_clone_may_be_a_draft() {
    let folder = installation();
    let at = folder.path();
    let text = std::fs::read_to_string(at.join("promo.toml")).unwrap();
    let head = "end = \"2099-12-01T18:00+08:00\"\nmax_messages = 500\nquiet_hours = \"21:00-08:00\"\n";
    std::fs::write(at.join("promo.toml"), format!("{head}{text}")).unwrap();
    run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    let name = "November promo";
    run(at, &["campaign", "set", name, "--step", "3", "--max-messages", "20"]).ended(0);
    let rules = run(at, &["campaign", "show", name, "--json"]).ended(0).json()["rules"].clone();
    assert_eq!((&rules["end"], &rules["max_messages"]), (&json!("2099-12-01T10:00:00.000Z"), &json!(500)), "{rules}");
    let step = &rules["steps"][2];
    assert_eq!((&step["channel"], &step["lanes"], &step["max_messages"]), (&json!("SMS"), &json!(["sms"]), &json!(20)));
    let shown = run(at, &["campaign", "show", name]).ended(0).stdout;
    for said in [
        "changed 1 time; see volley events",
        "ends 2099-12-01 ",
        "pauses after 500 messages",
        "step 3, SMS: lane sms; success: Delivered",
        "; not sent 21:00-08:00, by each recipient's own clock; held after 20 messages",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }

    let cloned = run(at, &["campaign", "clone", name, "--draft"]).ended(0);
    assert!(cloned.stdout.contains("\"November promo 2\" is a draft: 50 messages"), "{}", cloned.stdout);
    assert!(cloned.stderr.contains("The first campaign's end is not copied"), "{}", cloned.stderr);
    let calendar = run(at, &["campaign", "calendar", "--json"]).ended(0).json();
    assert_eq!((&calendar[1]["name"], &calendar[1]["starts_at"]), (&json!("November promo 2"), &Value::Null));
    assert!(run(at, &["campaign", "calendar"]).ended(0).stdout.contains("when it is started"));
    let past = run(at, &["campaign", "clone", name, "--at", "2020-01-01T09:00+08:00"]).ended(2).stderr;
    assert!(past.contains("--at: \"2020-01-01T09:00+08:00\" was") && past.contains("ago"), "{past}");
    run(at, &["campaign", "set", "November promo 2", "--at", "2099-11-30T09:00+08:00"]).ended(0);
    let listed = run(at, &["campaign", "list"]).ended(0).stdout;
    assert!(listed.contains("draft, to start at 2099-11-30 "), "{listed}");

    // A cancel counts before a single row has followed it.
    run(at, &["campaign", "cancel", name]).ended(0);
    let listed = run(at, &["message", "list", name, "--outcome", "cancelled", "--json"]).ended(0).stdout;
    assert_eq!(listed.lines().count(), 50);
    let retried = run(at, &["campaign", "retry", name, "--outcome", "cancelled", "--draft", "--json"]).ended(0).json();
    assert_eq!((&retried["state"], &retried["messages"]), (&json!("draft"), &json!(50)));
}

#[test]
fn a_draft_is_moved_renamed_and_deleted() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--draft"]).ended(0);
    let moved = run(at, &["campaign", "set", "November promo", "--at", "2099-01-01T09:00+08:00", "--json"]).ended(0);
    let moved = moved.json();
    assert_eq!((&moved["state"], &moved["changes"][0]["key"]), (&json!("draft"), &json!("at")), "{moved}");
    let calendar = run(at, &["campaign", "calendar", "--json"]).ended(0).json();
    assert_eq!(calendar[0]["starts_at"], "2099-01-01T01:00:00.000Z", "{calendar}");
    let renamed = run(at, &["campaign", "rename", "November promo", "Winter"]).ended(0).stdout;
    assert_eq!(renamed, "\"November promo\" is renamed to \"Winter\"\n");
    run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    let taken = ["campaign", "rename", "Winter", "November promo"];
    run(at, &taken).ended(1).says(&["\"Winter\" cannot be renamed", "campaign \"November promo\" already exists"]);
    let refused = ["only a draft can, and it is running", "volley campaign cancel 'November promo'"];
    run(at, &["campaign", "delete", "November promo"]).ended(1).says(&refused);
    let deleted = run(at, &["campaign", "delete", "Winter", "--json"]).ended(0).json();
    assert_eq!((&deleted["name"], &deleted["messages"]), (&json!("Winter"), &json!(50)));
    run(at, &["campaign", "show", "Winter"]).ended(1).says(&["unknown campaign \"Winter\""]);
    let events = run(at, &["events"]).ended(0).stdout;
    for said in
        ["campaign Winter: renamed from \"November promo\" by ann", "campaign Winter: deleted as a draft by ann"]
    {
        assert!(events.contains(said), "{said}: {events}");
    }
}

#[test]
fn a_plan_warns_once_of_a_clock_change_at_the_start() {
    let folder = installation();
    let at = folder.path();
    for zone in ["Europe/Berlin", "recipient"] {
        let text = format!(
            "name = \"Spring\"\nnumbers = [\"+4915123456789\"]\nat = \"2099-03-29T02:30\"\ntime_zone = \"{zone}\"\n\
             [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n"
        );
        std::fs::write(at.join("spring.toml"), text).unwrap();
        let shown = run(at, &["campaign", "plan", "spring.toml"]).ended(0).stdout;
        assert_eq!(shown.matches("the clock is put forward").count(), 1, "{zone}: {shown}");
    }
}

#[test]
fn a_plan_for_a_paused_lane_says_so_and_promises_no_time() {
    let folder = installation();
    let at = folder.path();
    run(at, &["lane", "pause", "promo-sg", "--reason", "moving"]).ended(0);
    let plan = run(at, &["campaign", "plan", "promo.toml", "--json"]).ended(0).json();
    assert_eq!(plan["left_by"], Value::Null, "{plan}");
    let held = |warning: &&Value| warning["code"] == "held";
    let warning = plan["warnings"].as_array().unwrap().iter().find(held).unwrap()["sentence"].clone();
    assert_eq!(warning, "lane promo-sg is paused by ann: moving; messages on it wait until it is released");
    let shown = run(at, &["campaign", "plan", "promo.toml"]).ended(0).stdout;
    assert!(shown.contains("without the hold all first messages would be sent by"), "{shown}");
    let launched = run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0).stderr;
    assert_eq!(launched.matches("lane promo-sg is paused by ann: moving").count(), 1, "{launched}");
    assert!(launched.contains("volley lane resume promo-sg"), "{launched}");
    let shown = run(at, &["campaign", "show", "November promo", "--json"]).ended(0).json();
    assert_eq!(shown["left_by"], Value::Null, "{shown}");
}

/// A campaign for these recipients on the sample's WhatsApp lane.
fn of_people(name: &str, people: std::ops::Range<u32>) -> String {
    let numbers: Vec<String> = people.map(|n| format!("\"+659{}\"", 1_000_000 + n)).collect();
    format!(
        "name = \"{name}\"\nnumbers = [{}]\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \"promo\"\n\
         language = \"en\"\ncategory = \"MARKETING\"\n",
        numbers.join(", ")
    )
}

#[test]
fn a_plan_above_the_tier_shows_its_days_and_the_use_by_others() {
    let folder = installation();
    let at = folder.path();
    run(at, &["lane", "set", "promo-sg", "--tier", "250"]).ended(0);
    std::fs::write(at.join("big.toml"), of_people("big", 0..300)).unwrap();
    let plan = run(at, &["campaign", "plan", "big.toml", "--json"]).ended(0).json();
    let days = plan["bookings"][0]["days"].as_array().unwrap();
    let recipients: i64 = days.iter().map(|day| day["recipients"].as_i64().unwrap()).sum();
    assert!(days.len() >= 2 && recipients == 300, "{plan}");
    assert_eq!(plan["bookings"][0]["until"], days[days.len() - 1]["day"], "the day on which the last one fits");
    let warnings = plan["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning["code"] == "small_tier"), "{plan}");
    let shown = run(at, &["campaign", "plan", "big.toml"]).ended(0).stdout;
    assert!(shown.contains("250 recipients a day:"), "{shown}");
    run(at, &["campaign", "launch", "big.toml", "--unchecked"]).ended(0);
    std::fs::write(at.join("other.toml"), of_people("other", 300..600)).unwrap();
    let shown = run(at, &["campaign", "plan", "other.toml"]).ended(0).stdout;
    assert!(shown.contains("in other campaigns"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_at_its_limit_is_resumed_once_the_limit_is_raised() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 9, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..20);
    let promo = "name = \"promo\"\naudience = \"people.csv\"\nmax_messages = 5\n[[step]]\nchannel = \"SMS\"\n\
                 text = \"Hi {{FirstName}}\"\n";
    std::fs::write(site.path("promo.toml"), promo).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    until("its limit to stop it", PATIENCE, || async {
        let show = site.show("promo").await;
        if show["state"] == "paused" { Ok(()) } else { Err(show) }
    })
    .await;
    let show = site.show("promo").await;
    assert_eq!(show["reason"], "the campaign has sent 5 messages, and its max_messages is 5", "{show}");
    assert_eq!(show["obstacles"][0]["kind"], "limit used up", "{show}");
    let doctor = site.volley(&["doctor"]).await.stdout;
    assert!(doctor.contains("volley campaign set promo --max-messages N"), "{doctor}");
    let report = site.volley(&["campaign", "report", "promo"]).await.stderr;
    assert!(report.contains("volley campaign set promo --max-messages N"), "{report}");
    site.volley(&["campaign", "pause", "promo", "--step", "1", "--json"]).await.json();
    let refused = site.volley(&["campaign", "resume", "promo"]).await;
    assert!(!refused.status.success(), "{}", refused.stdout);
    assert!(refused.stderr.contains("volley campaign set promo --max-messages N"), "{}", refused.stderr);
    let show = site.show("promo").await;
    assert!(show["obstacles"].to_string().contains("step held"), "what is refused changes nothing: {show}");
    site.volley(&["campaign", "set", "promo", "--max-messages", "none", "--json"]).await.json();
    let resumed = site.volley(&["campaign", "resume", "promo"]).await;
    assert!(
        resumed.stdout.contains("\"promo\" is resumed, and so is step 1: 15 messages to submit"),
        "{}",
        resumed.stdout
    );

    // A message spread over hours waits for its time, not for the lane.
    std::fs::write(
        site.path("long.toml"),
        promo.replace("\"promo\"", "\"long\"").replace("max_messages = 5", "over = \"10h\""),
    )
    .unwrap();
    site.volley(&["campaign", "launch", "long.toml", "--json"]).await.json();
    until("the first of many hours to leave", PATIENCE, || async {
        let lane = site.volley(&["lane", "show", "sms", "--json"]).await.json();
        let mut queues = lane["queues"].as_array().unwrap().iter();
        let long = queues.find(|queue| queue["campaign"] == "long").cloned().unwrap_or_default();
        let is_so = long["waiting_for"].as_str().is_some_and(|said| said.starts_with("its start: not sent before"));
        if is_so { Ok(()) } else { Err(lane) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_send_that_waits_prints_the_result_of_each_message() {
    let _alone = ALONE.lock().await;
    let delivered = "speed = 1000.0\n[channel.SMS]\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\ndelivered = 1.0\n";
    let shape = Shape { seed: 9, profile: delivered.to_owned(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..20);
    let promo = "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    std::fs::write(site.path("promo.toml"), promo).unwrap();
    site.serve().await;
    let test = ["campaign", "test", "promo.toml", "--to", "+6591234567,+6591234568", "--wait"];
    let told = site.volley(&[&test[..], &["--json"]].concat()).await.json();
    assert_eq!((&told["name"], &told["state"]), (&json!("promo (test)"), &json!("settled")), "{told}");
    let results = told["results"].as_array().unwrap();
    let outcomes: Vec<_> = results.iter().map(|result| (&result["outcome"], &result["channel"])).collect();
    assert_eq!(outcomes, vec![(&json!("reached"), &json!("SMS")); 2], "{told}");
    let shown = site.volley(&test).await;
    assert_eq!(shown.stdout.matches("reached on SMS").count(), 2, "{}", shown.stdout);
    assert!(shown.stderr.contains("\"promo (test) 2\" is launched: 2 messages"), "{}", shown.stderr);
}
