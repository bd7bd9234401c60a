//! Routes of every kind, over real HTTP: who begins where, what follows for whom, one step and seven.

use serde_json::json;
use volley::campaign;
use volley::domain::{BatchState, MessageKey, Outcome};
use volley::simulator::Profile;
use volley::store::Book;

use crate::support::world::{Setup, World};

/// Everybody is out of reach on WhatsApp and Viber, and in reach by SMS.
const SMS_ALONE: &str = r#"
speed = 1000.0
[channel.WhatsApp]
reject = 1.0
undelivered = 0.0
silent = 0.0
delivered = 0.0
[channel.Viber]
reject = 1.0
undelivered = 0.0
silent = 0.0
delivered = 0.0
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

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
    let story = campaign::explain(world.store.as_ref(), &batch, &entry, key).await.unwrap().unwrap();
    assert!(story.proven, "{story:#?}");
    story.lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_for_those_whom_its_conditions_name_and_nobody_else_gets_it() {
    let world = Setup { profile: Profile::from_toml(SMS_ALONE).unwrap(), ..Setup::default() }.start().await;
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
            &"Step 2, Viber, is left out: the number is of CN, and `skip_when` names that country.".to_owned()
        ),
        "{of_china:#?}"
    );
    let of_malaysia = lines_of(&world, &launched, 59).await;
    for left_out in ["Step 1, WhatsApp", "Step 3, SMS"] {
        let line = format!("{left_out}, is left out: the number is of MY, and `only` names others.");
        assert!(of_malaysia.contains(&line), "{of_malaysia:#?}");
    }
    let of_singapore = lines_of(&world, &launched, 0).await;
    assert!(of_singapore.iter().all(|line| !line.contains("left out")), "{of_singapore:#?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_no_step_is_for_is_skipped_with_that_reason_and_counted() {
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
            "Step 1, SMS, is left out: the number is of CN, and `only` names others.",
            "Not sent: no step of the route is for the number's country.",
        ]
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_is_for_nobody_settles_at_once_and_sends_nothing() {
    let world = Setup::default().start().await;
    let launched =
        world.launch_text(&campaign_of(&numbers("86138", 8, 4), &[&format!("skip_when = [\"CN\"]\n{SMS}")])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Skipped), report.open), (4, 0));
    assert_eq!(world.seen().await["messages"], json!(0));
    world.stop().await;
}
