//! The commands of lanes, and the cancel of a campaign.

use serde_json::{Value, json};
use volley::base::domain::Span;

use crate::cli::{installation, run};
use crate::support::{ALONE, Installation, Shape, until};

#[test]
fn a_lane_is_shown_with_its_queued_messages_and_obstacles() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    let shown = || run(at, &["lane", "show", "promo-sg", "--json"]).ended(0).json();
    let because = || shown()["queues"][0]["waiting_for"].as_str().unwrap().to_owned();
    let queue = shown()["queues"][0].clone();
    assert_eq!((&queue["campaign"], &queue["step"]), (&json!("November promo"), &json!(1)), "{queue}");
    assert_eq!((shown()["queued"].clone(), because()), (queue["queued"].clone(), "a server".to_owned()));

    let pause = ["campaign", "pause", "November promo", "--reason", "the text is wrong"];
    run(at, &[&pause[..], &["--step", "1"]].concat()).ended(0);
    assert_eq!(because(), "the step: paused by ann (the text is wrong)");
    let again = run(at, &[&pause[..], &["--step", "1"]].concat()).ended(0).stdout;
    assert!(again.contains("was already paused (by ann); the reason is unchanged"), "{again}");
    run(at, &["lane", "pause", "promo-sg"]).ended(0);
    assert_eq!(because(), "paused by ann");
    run(at, &pause).ended(0);
    assert_eq!(because(), "paused by ann: the text is wrong");
    let doctor = run(at, &["doctor"]).stdout;
    for found in [
        "\"November promo\" is paused by ann: the text is wrong",
        "\"November promo\": step 1, WhatsApp, is paused by ann: the text is wrong",
        "to resume: volley campaign resume 'November promo' --step 1",
    ] {
        assert!(doctor.contains(found), "{found}: {doctor}");
    }
    let text = run(at, &["lane", "show", "promo-sg"]).ended(0).stdout;
    assert!(text.contains("November promo") && text.contains("volley lane resume promo-sg"), "{text}");
    run(at, &["lane", "show", "promo-gs"]).ended(1).says(&["promo-gs", "did you mean \"promo-sg\"?"]);
}

#[test]
fn rates_bursts_and_tiers_are_set_by_command_and_reset_to_the_file() {
    let folder = installation();
    let at = folder.path();
    let shown = || run(at, &["lane", "show", "promo-sg", "--json"]).ended(0).json();
    let set = |flags: &[&str]| run(at, &[&["lane", "set", "promo-sg"][..], flags].concat());
    let before = shown();
    set(&["--rate", "5/min", "--burst", "2", "--tier", "50", "--reason", "new number"]).ended(0);
    let now = shown();
    assert_eq!((&now["rate"], &now["burst"], &now["tier"]["tier"]), (&json!("5/min"), &json!(2), &json!("50")));
    let turned: Vec<_> =
        now["overrides"].as_array().unwrap().iter().map(|overridden| overridden["reason"].as_str().unwrap()).collect();
    assert_eq!(turned.len(), 3);
    assert!(turned.iter().all(|why| why.contains("ann") && why.contains("new number")), "{turned:?}");
    assert!(run(at, &["lane", "list"]).ended(0).stdout.contains("5/min"));
    // The same value without a reason keeps the recorded reason.
    set(&["--rate", "5/min"]).ended(0);
    assert_eq!(shown()["overrides"], now["overrides"]);
    set(&["--rate", "file", "--burst", "file", "--tier", "file"]).ended(0);
    let after = shown();
    for key in ["rate", "burst", "tier", "overrides"] {
        assert_eq!(after[key], before[key], "{key}");
    }

    set(&["--account-rate", "7/s"]).ended(1).says(&["account promo-sg has no rate to override"]);
    let config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    let account = "\n[[account]]\nname = \"promo-sg\"\nrate = \"100/s\"\n";
    std::fs::write(at.join("volley.toml"), config + account).unwrap();
    let account = || shown()["account_rate"].clone();
    assert_eq!(account(), "100/s");
    let said = set(&["--account-rate", "7/s", "--reason", "another sender shares it"]).ended(0).stdout;
    assert!(said.contains("rate of account promo-sg 7/s"), "{said}");
    let said = set(&["--rate", "8/s"]).ended(0).stderr;
    assert!(said.contains("Its account promo-sg has 7/s for all of its lanes, so the lane sends no faster"), "{said}");
    assert_eq!(set(&["--rate", "7/s"]).ended(0).stderr, "");
    set(&["--rate", "file"]).ended(0);
    assert_eq!((account(), shown()["overrides"][0]["setting"].clone()), (json!("7/s"), json!("account-rate")));
    assert!(run(at, &["events"]).ended(0).stdout.contains("rate set to 7/s"));
    set(&["--account-rate", "file"]).ended(0);
    assert_eq!(account(), "100/s");

    set(&[]).ended(2).says(&["specify what to change: --rate, --burst, --account-rate, --tier or --tier-used"]);
    set(&["--rate", "0/s"]).ended(2).says(&["--rate: \"0/s\" is not a rate"]);
    set(&["--burst", "0"]).ended(2).says(&["--burst: invalid value \"0\"; write a whole number of at least 1"]);
    set(&["--tier", "300"]).ended(2).says(&["unknown messaging tier \"300\"; use one of 50, 250"]);
    run(at, &["lane", "set", "sms", "--tier", "1K"]).ended(1).says(&["only WhatsApp has messaging tiers"]);
}

const PEOPLE: u64 = 400;
const PATIENCE: Span = Span::from_secs(60);

const ROUTE: &str = r#"
name = "promo"
audience = "people.csv"
[[step]]
channel = "SMS"
text = "Hi {{FirstName}}"
"#;

/// An event of the account, as the provider posts it.
fn event(id: &str, said: &str, kind: &str, details: &Value) -> String {
    json!({ "eventId": id, "timestamp": said, "provider": "WhatsApp", "businessAccountId": "950", "accountId": "acme",
        "eventType": kind, "eventDetails": details })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_by_the_provider_apply_and_are_shown_and_recorded() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 8, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let promo = "\n[[lane]]\nname = \"promo\"\nchannel = \"WhatsApp\"\nrate = \"80/s\"\nnumber = \"+15550783881\"\n\
                 portfolio = \"acme\"\ntier = \"1K\"\n";
    std::fs::write(site.path("volley.toml"), config + promo).unwrap();
    site.serve().await;
    let number = |word: &str, tier: &str| json!({ "displayPhoneNumber": "15550783881", "meta": { "event": word, "maxDailyConversationsPerBusiness": tier } });
    let template =
        |status: &str| json!({ "templateName": "promo", "templateLanguage": "en", "meta": { "status": status } });
    let quality = "phone_number_quality_update";
    let client = reqwest::Client::new();
    for (id, said, kind, details) in [
        ("e-1", "2026-01-01T00:00:01Z", quality, number("UPGRADE", "TIER_10K")),
        ("e-2", "2026-01-01T00:00:02Z", quality, number("THROUGHPUT_UPGRADE", "TIER_UNLIMITED")),
        ("e-3", "2026-01-01T00:00:03Z", quality, number("FLAGGED", "TIER_NOT_SET")),
        ("e-4", "2026-01-01T00:00:05Z", "template_status_update", template("PAUSED")),
        // Reported before that, and repeated after it.
        ("e-5", "2026-01-01T00:00:04Z", "template_status_update", template("APPROVED")),
        ("e-6", "2026-01-01T00:00:06Z", "account_update", json!({ "event": "ACCOUNT_RESTRICTION" })),
    ] {
        let post =
            client.post(format!("http://{}/webhooks/8x8", site.webhooks())).header("Authorization", "Bearer practice");
        let posted = post.body(event(id, said, kind, &details)).send().await.unwrap();
        assert!(posted.status().is_success(), "{id}: {}", posted.status());
    }
    let lanes = site.volley(&["lane", "list", "--json"]).await.json();
    let lane = lanes.as_array().unwrap().iter().find(|lane| lane["name"] == "promo").unwrap().clone();
    assert_eq!((&lane["rate"], &lane["tier"]["tier"]), (&json!("1000/s"), &json!("10K")), "{lane}");
    assert_eq!(lane["holds"][0]["template"], "promo", "{lane}");
    let says: Vec<_> = lane["reports"].as_array().unwrap().iter().map(|said| said["value"].clone()).collect();
    assert!(says.contains(&json!("FLAGGED")) && says.contains(&json!("ACCOUNT_RESTRICTION")), "{lane}");
    let shown = site.volley(&["lane", "list"]).await.stdout;
    for said in ["1000/s", "10K", "FLAGGED", "ACCOUNT_RESTRICTION", "the provider has paused it"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let events = site.volley(&["events"]).await.stdout;
    for said in ["tier set to 10K", "rate set to 1000/s", "FLAGGED for 15550783881", "PAUSED", "ACCOUNT_RESTRICTION"] {
        assert!(events.contains(said), "{said}: {events}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_prints_a_certificate_and_a_retry_sends_to_the_unsent() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 7, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..PEOPLE);
    std::fs::write(site.path("promo.toml"), ROUTE).unwrap();
    site.serve().await;
    assert!(site.volley(&["lane", "pause", "sms"]).await.status.success());
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    let cancelled = site.volley(&["campaign", "cancel", "promo", "--reason", "wrong text", "--json"]).await.json();
    let certificate = &cancelled["certificate"];
    let counts = ["never_sent", "in_flight", "accepted", "reached", "over_before"].map(|count| &certificate[count]);
    assert_eq!(counts, [PEOPLE, 0, 0, 0, 0].map(Value::from).each_ref(), "{cancelled}");
    assert!(certificate["stopped_after_ms"].is_i64(), "{cancelled}");

    until("every message to be cancelled", PATIENCE, || async {
        let show = site.show("promo").await;
        if show["state"] == "cancelled" { Ok(()) } else { Err(show) }
    })
    .await;
    let events = site.volley(&["events", "--json"]).await;
    assert!(events.stdout.contains("cancelled by") && events.stdout.contains("wrong text"), "{}", events.stdout);
    assert!(events.stdout.contains("not sent"), "{}", events.stdout);

    let retried = site.volley(&["campaign", "retry", "promo", "--outcome", "cancelled", "--json"]).await.json();
    assert_eq!((&retried["messages"], &retried["name"]), (&json!(PEOPLE), &json!("promo 2")), "{retried}");
    let nobody = site.volley(&["campaign", "retry", "promo", "--outcome", "undelivered"]).await;
    assert!(
        !nobody.status.success() && nobody.stderr.contains("has no recipient with the outcome "),
        "{}",
        nobody.stderr
    );
    let cloned = site.volley(&["campaign", "clone", "promo", "--name", "again", "--json"]).await.json();
    assert_eq!((&cloned["messages"], &cloned["name"]), (&json!(PEOPLE), &json!("again")), "{cloned}");
    site.volley(&["lane", "resume", "sms"]).await;
    until("both to be sent", PATIENCE, || async {
        let shows = [site.show("promo 2").await, site.show("again").await];
        let sent = |show: &Value| matches!(show["state"].as_str(), Some("finished" | "settled"));
        if shows.iter().all(sent) { Ok(()) } else { Err(json!(shows)) }
    })
    .await;

    let again = ["campaign", "retry", "promo", "--outcome", "cancelled", "--draft", "--json"];
    let rest = site.volley(&again).await.json();
    let [sent, reached] = ["messages", "reached_before"].map(|count| rest[count].as_u64().unwrap());
    assert!(sent + reached == PEOPLE && reached > 0, "{rest}");
    let everybody = site.volley(&[&again[..], &["--include-reached"]].concat()).await.json();
    assert_eq!((&everybody["messages"], &everybody["reached_before"]), (&json!(PEOPLE), &json!(0)), "{everybody}");
}

/// The practice provider reports falling quality and its recovery, as the real one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quality_guard_slows_and_holds_until_the_quality_is_good() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 10, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let more = "\n[quality]\nyellow = \"slow\"\nflagged = \"hold\"\n\n[[lane]]\nname = \"promo\"\n\
                channel = \"WhatsApp\"\nrate = \"80/s\"\nnumber = \"+15550783881\"\n";
    std::fs::write(site.path("volley.toml"), config + more).unwrap();
    site.serve().await;
    let number = |word: &str| json!({ "number": "+15550783881", "event": word, "reason": "QUALITY_DECREASE" });
    let score = |new: &str| json!({ "template": "promo", "language": "en", "previous": "GREEN", "new": new });
    let (of_number, of_template) = ("phone_number_quality_update", "template_quality_update");
    for (kind, details, rate, holds) in [
        (of_number, number("FLAGGED"), "80/s", 1),
        (of_template, score("YELLOW"), "40/s", 1),
        (of_number, number("UNFLAGGED"), "40/s", 0),
        (of_template, score("GREEN"), "80/s", 0),
    ] {
        site.provider.post_event(kind, &details).await;
        until("the guard to act", PATIENCE, || async {
            let lanes = site.volley(&["lane", "list", "--json"]).await.json();
            let lane = lanes.as_array().unwrap().iter().find(|lane| lane["name"] == "promo").unwrap().clone();
            let is_so = lane["rate"] == rate && lane["holds"].as_array().unwrap().len() == holds;
            if is_so { Ok(()) } else { Err(lane) }
        })
        .await;
        if rate == "40/s" && holds == 1 {
            let listed = site.volley(&["lane", "list"]).await.stdout;
            for said in ["MARKETING is on hold", "MARKETING on lane promo: held", "the rate of lane promo is 40/s"] {
                assert!(listed.contains(said), "{said}: {listed}");
            }
            let doctor = site.volley(&["doctor"]).await.stdout;
            for said in ["MARKETING on lane promo", "the rate of lane promo is 40/s"] {
                assert!(doctor.contains(said), "{said}: {doctor}");
            }
        }
    }
    let events = site.volley(&["events"]).await.stdout;
    for said in [
        "FLAGGED (QUALITY_DECREASE) for 15550783881",
        "MARKETING messages wait, as [quality] flagged = \"hold\" says",
        "half of the rate, as [quality] yellow = \"slow\" says",
        "the quality is good again",
    ] {
        assert!(events.contains(said), "{said}: {events}");
    }
}

/// Only names of one form can be compared: here both are words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_with_another_account_name_are_shown_and_restrict() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 9, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let file = site.path("volley.toml");
    let with = |account: &str| {
        let promo = format!(
            "\n[[lane]]\nname = \"promo\"\nchannel = \"WhatsApp\"\nnumber = \"+15550783881\"\naccount_id = \"{account}\"\n"
        );
        std::fs::write(&file, format!("{config}{promo}")).unwrap();
    };
    with("another");
    site.serve().await;
    let template =
        |status: &str| json!({ "templateName": "promo", "templateLanguage": "en", "meta": { "status": status } });
    let client = reqwest::Client::new();
    for (id, said, kind, details) in [
        ("e-1", "2026-01-01T00:00:01Z", "template_status_update", template("PAUSED")),
        ("e-2", "2026-01-01T00:00:02Z", "template_status_update", template("APPROVED")),
        ("e-3", "2026-01-01T00:00:03Z", "account_update", json!({ "event": "ACCOUNT_VIOLATION" })),
        ("e-4", "2026-01-01T00:00:04Z", "flow_update", json!({})),
    ] {
        let post =
            client.post(format!("http://{}/webhooks/8x8", site.webhooks())).header("Authorization", "Bearer practice");
        let posted = post.body(event(id, said, kind, &details)).send().await.unwrap();
        assert!(posted.status().is_success(), "{id}: {}", posted.status());
    }
    let lanes = site.volley(&["lane", "list", "--json"]).await.json();
    let lane = lanes.as_array().unwrap().iter().find(|lane| lane["name"] == "promo").unwrap().clone();
    assert_eq!(lane["holds"][0]["template"], "promo", "{lane}");
    let events = site.volley(&["events"]).await.stdout;
    for said in ["PAUSED", "APPROVED", "ACCOUNT_VIOLATION", "account \"acme\""] {
        assert!(events.contains(said), "{said}: {events}");
    }
    let doctor = site.volley(&["doctor"]).await.stdout;
    for said in ["no lane has account_id \"acme\"", "1 webhook has an unknown type"] {
        assert!(doctor.contains(said), "{said}: {doctor}");
    }
    let strays = site.volley(&["message", "strays"]).await;
    assert!(strays.stdout.contains("another type") && strays.stdout.contains("flow_update"), "{}", strays.stdout);
    assert_eq!(strays.stderr, "1 webhook has an unknown type.\n");
    // The documents show an account by a UUID in the API's addresses, and by a name in its events.
    for account in ["acme", "91b106f0-c0da-4aba-a43a-7af9c5893a80"] {
        with(account);
        let doctor = site.volley(&["doctor"]).await.stdout;
        assert!(!doctor.contains("no lane has"), "{account}: {doctor}");
    }
}
