//! Routes of every kind, over real HTTP: conditions of steps, a step's TTL, routes of one and of seven steps.

use serde_json::json;
use volley::base::domain::{BatchState, MessageKey, Outcome};
use volley::base::events::Origin;
use volley::campaigns::campaign;
use volley::campaigns::story;
use volley::practice::simulator::Profile;
use volley::sending::book::Book;

use crate::support::world::{DELIVERED, REJECTED, SILENT, Setup, World, fates};

const WHATSAPP: &str = r#"
channel = "WhatsApp"
fallback_after = "60s"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
"#;
const VIBER: &str = "channel = \"Viber\"\nfallback_after = \"60s\"\ntext = \"Hello\"\n";
const SMS: &str = "channel = \"SMS\"\ntext = \"Hello\"\n";

/// Numbers of a country, given its code and the first digits of one of its networks.
fn numbers(prefix: &str, digits: usize, people: u32) -> Vec<String> {
    (0..people).map(|n| format!("\"+{prefix}{n:0digits$}\"")).collect()
}

fn campaign_of(people: &[String], steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("[[step]]\n{step}")).collect();
    format!("numbers = [{}]\n{}", people.join(","), steps.concat())
}

async fn lines_of(world: &World, launched: &campaign::Launched, n: u32) -> Vec<String> {
    let batch = world.batch(launched).await;
    let entry = Book::new(world.store.clone()).get(batch.id).await.unwrap().unwrap();
    let key = MessageKey { batch: batch.id, n };
    let story =
        story::explain(world.store.as_ref(), &batch, &entry, key, world.clock.now(), None).await.unwrap().unwrap();
    assert!(story.proven, "{story:#?}");
    story.lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_sent_only_to_recipients_that_meet_its_conditions() {
    // No recipient is reached on WhatsApp or Viber, and each is by SMS.
    let profile = fates(&[("WhatsApp", REJECTED), ("Viber", REJECTED), ("SMS", DELIVERED)]);
    let world = Setup { profile, ..Setup::default() }.start().await;
    // 30 of Singapore, 20 of China, 10 of Malaysia, in this order.
    let people = [numbers("6591", 6, 30), numbers("86138", 8, 20), numbers("6012", 7, 10)].concat();
    let whatsapp = format!("only = [\"SG\", \"CN\"]\n{WHATSAPP}");
    let viber = format!("skip_when = [\"CN\"]\n{VIBER}");
    let sms = format!("only = [\"SG\", \"CN\"]\n{SMS}");
    let launched = world.launch_text(&campaign_of(&people, &[&whatsapp, &viber, &sms])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;

    assert_eq!((report.outcome(Outcome::Reached), report.outcome(Outcome::Undelivered)), (50, 10), "{report:?}");
    let steps: Vec<_> = report.steps.iter().map(|step| (step.passed_over, step.rejected, step.handed_over)).collect();
    assert_eq!(steps, [(10, 50, 0), (20, 40, 0), (10, 0, 50)], "{report:?}");
    world.seen().await;

    let of_china = lines_of(&world, &launched, 30).await;
    assert!(
        of_china.contains(
            &"Step 2, Viber, is skipped: the number is from CN, and `skip_when` names that country.".to_owned()
        ),
        "{of_china:#?}"
    );
    let of_malaysia = lines_of(&world, &launched, 59).await;
    for left_out in ["Step 1, WhatsApp", "Step 3, SMS"] {
        let line = format!("{left_out}, is skipped: the number is from MY, and `only` names other countries.");
        assert!(of_malaysia.contains(&line), "{of_malaysia:#?}");
    }
    let of_singapore = lines_of(&world, &launched, 0).await;
    assert!(of_singapore.iter().all(|line| !line.contains("left out")), "{of_singapore:#?}");
    world.stop().await;
}

/// WhatsApp knows them by an id, and no other channel does.
#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_without_a_number_gets_only_the_steps_on_whatsapp() {
    let profile = fates(&[("Viber", REJECTED), ("WhatsApp", REJECTED), ("SMS", DELIVERED)]);
    let world = Setup { profile, ..Setup::default() }.start().await;
    let ids = (10..30).map(|n| format!("\"SG.134912086553027419{n}\"")).collect();
    let people = [numbers("6591", 6, 30), ids].concat();
    let launched = world.launch_text(&campaign_of(&people, &[VIBER, WHATSAPP, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.outcome(Outcome::Undelivered)), (30, 20), "{report:?}");
    let steps: Vec<_> = report.steps.iter().map(|step| (step.passed_over, step.rejected, step.handed_over)).collect();
    assert_eq!(steps, [(20, 30, 0), (0, 50, 0), (20, 0, 30)], "{report:?}");
    let seen = world.seen().await;
    assert_eq!(seen["requests"].as_u64(), Some(30 + 50 + 30), "{seen}");
    let of_user = lines_of(&world, &launched, 30).await;
    for left_out in ["Step 1, Viber", "Step 3, SMS"] {
        let line = format!("{left_out}, is skipped: the recipient has no number.");
        assert!(of_user.contains(&line), "{of_user:#?}");
    }
    let audit = story::audit(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    assert!(audit.proven, "{audit:#?}");

    // A retry finds them again, and they begin with the step that knows them.
    let launcher = campaign::Launcher {
        store: world.store.as_ref(),
        clock: world.clock.as_ref(),
        chance: &world.chance,
        config: &world.config,
        by: Origin::SERVER,
    };
    let again = campaign::Repeat { outcomes: Some([Outcome::Undelivered].into()), ..campaign::Repeat::default() };
    let retried = launcher.repeat(&world.batch(&launched).await, &again).await.unwrap();
    let report = world.until_state(&retried, BatchState::Settled).await;
    let steps: Vec<_> = report.steps.iter().map(|step| (step.passed_over, step.rejected, step.handed_over)).collect();
    assert_eq!(steps, [(20, 0, 0), (0, 20, 0), (20, 0, 0)], "{report:?}");
    let audit = story::audit(world.store.as_ref(), retried.batch, |_, _| {}).await.unwrap().unwrap();
    assert!(audit.proven, "{audit:#?}");

    let sms_alone = world.launch_text(&campaign_of(&people, &[SMS])).await;
    let report = world.until_state(&sms_alone, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.outcome(Outcome::Skipped)), (30, 20), "{report:?}");
    world.stop().await;
}

/// Meta delivers no marketing there, so nothing is submitted for it: the recipients of Canada get it.
#[tokio::test(flavor = "multi_thread")]
async fn marketing_on_whatsapp_is_not_submitted_to_the_united_states() {
    let profile = fates(&[("WhatsApp", DELIVERED), ("SMS", DELIVERED)]);
    let world = Setup { profile, ..Setup::default() }.start().await;
    let people = [numbers("1201555", 4, 20), numbers("1416555", 4, 10)].concat();
    let launched = world.launch_text(&campaign_of(&people, &[WHATSAPP, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    let steps: Vec<_> = report.steps.iter().map(|step| (step.passed_over, step.rejected, step.handed_over)).collect();
    assert_eq!(steps, [(20, 0, 10), (0, 0, 20)], "{report:?}");
    assert_eq!(world.seen().await["messages"], json!(30));
    let lines = lines_of(&world, &launched, 0).await;
    let line = "Step 1, WhatsApp, is skipped: the number is from US, and WhatsApp delivers no marketing there.";
    assert!(lines.contains(&line.to_owned()), "{lines:#?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_without_any_step_is_skipped_and_counted() {
    let world = Setup::default().start().await;
    let people = [numbers("6591", 6, 5), numbers("86138", 8, 3)].concat();
    let launched = world.launch_text(&campaign_of(&people, &[&format!("only = [\"SG\"]\n{SMS}")])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.outcome(Outcome::Skipped)), (5, 3));
    assert_eq!(report.skipped, [("no step applies".to_owned(), 3)].into());
    assert_eq!(world.seen().await["messages"], json!(5));
    let lines = lines_of(&world, &launched, 7).await;
    assert_eq!(
        lines[1..],
        [
            "Step 1, SMS, is skipped: the number is from CN, and `only` names other countries.",
            "Not sent: no step of the route is for the recipient.",
        ]
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_dropped_at_the_ttl_of_its_step_falls_back() {
    // Viber would deliver in a minute, which is longer than its step's TTL.
    let profile = r#"
[channel.Viber]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
sent_after = { median = "1ms", spread = 1.0 }
delivered_after = { median = "60s", spread = 1.0 }
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
sent_after = { median = "1ms", spread = 1.0 }
delivered_after = { median = "1ms", spread = 1.0 }
"#;
    let world = Setup { profile: Profile::from_toml(profile).unwrap(), ..Setup::default() }.start().await;
    let viber = VIBER.replace("60s", "1h") + "ttl = \"1s\"\n";
    let launched = world.launch_text(&campaign_of(&numbers("6591", 6, 20), &[&viber, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.delivered_twice), (20, 0), "{report:?}");
    let [viber, sms] = &report.steps[..] else { panic!("{report:?}") };
    assert_eq!((viber.handed_over, viber.fell_back.undelivered, sms.reached), (20, 20, 20));
    world.seen().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_seven_steps_goes_through_every_channel_once() {
    let lanes = r#"
[[lane]]
name = "rcs"
channel = "RCS"
[[lane]]
name = "line"
channel = "LINE"
[[lane]]
name = "zalo"
channel = "ZaloNotification"
[[lane]]
name = "line-notification"
channel = "LineNotification"
"#;
    const BETWEEN: [&str; 5] = ["Viber", "RCS", "LINE", "ZaloNotification", "LineNotification"];
    // Every channel but the last accepts all messages and never reports on them.
    let mut channels = vec![("WhatsApp", SILENT), ("SMS", DELIVERED)];
    channels.extend(BETWEEN.map(|channel| (channel, SILENT)));
    let world = Setup { profile: fates(&channels), lanes, ..Setup::default() }.start().await;
    let mut steps = vec![WHATSAPP.replace("60s", "1s")];
    for channel in BETWEEN {
        let content = match channel {
            "LINE" => "text = \"Hello\"\nline_user_id = \"{{LineId}}\"",
            "ZaloNotification" => "template = { name = \"7\", language = \"vi\", params = { who = \"{{LineId}}\" } }",
            "LineNotification" => "notification = { title = \"Hello\" }",
            _ => "text = \"Hello\"",
        };
        steps.push(format!("channel = \"{channel}\"\nfallback_after = \"1s\"\n{content}\n"));
    }
    steps.push(SMS.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipients.csv");
    let rows: Vec<String> = (0..10).map(|n| format!("+6591{n:06},U4af4980629a1b2c3d4e5f60718293a4{n:x}\n")).collect();
    std::fs::write(&file, format!("Mobile,LineId\n{}", rows.concat())).unwrap();
    let steps: Vec<String> = steps.iter().map(|step| format!("[[step]]\n{step}")).collect();
    let text = format!("audience = \"{}\"\n{}", file.display(), steps.concat());
    let launched = world.launch_text(&text).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.steps.len()), (10, 7), "{report:?}");
    for step in &report.steps[..6] {
        assert_eq!((step.handed_over, step.fell_back.deadline), (10, 10), "{step:?}");
    }
    assert_eq!((report.steps[6].handed_over, report.steps[6].reached), (10, 10));
    assert_eq!(world.seen().await["messages"], json!(70));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_one_step_ends_with_it_in_every_case() {
    let profile = r#"
speed = 1000.0
[channel.SMS]
reject = 0.2
undelivered = 0.2
silent = 0.2
delivered = 0.4
"#;
    let world = Setup { profile: Profile::from_toml(profile).unwrap(), ..Setup::default() }.start().await;
    let sms = format!("{SMS}receipt_window = \"1s\"\n");
    let launched = world.launch_text(&campaign_of(&numbers("6591", 6, 200), &[&sms])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    let [step] = &report.steps[..] else { panic!("{report:?}") };
    assert_eq!(step.fell_back.total(), 0, "there is nothing to fall back to: {report:?}");
    assert_eq!(report.outcome(Outcome::Undelivered), step.rejected + step.undelivered, "{report:?}");
    let ended = [Outcome::Reached, Outcome::Undelivered, Outcome::Silent].map(|outcome| report.outcome(outcome));
    assert!(ended.iter().all(|count| *count > 0) && ended.iter().sum::<i64>() == 200, "{report:?}");
    assert_eq!(world.seen().await["messages"], json!(step.handed_over));
    world.stop().await;
}
