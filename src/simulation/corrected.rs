//! Texts that are corrected before their campaign starts.

use serde_json::json;

use super::small::World;
use crate::base::domain::{BatchState, Money, Plan, Span, StepIndex};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Amend, Amended, Decided, Launched, Launcher, NeedsApproval, start, text_of};

const LANES: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"ACME\"\n";
const STEP: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
/// It is 08:00 UTC.
const LATER: &str = "at = \"2027-01-15T10:00Z\"\n";

/// A world with a price list and a file of three recipients, one of whom has no city. Returns it with their folder and a scheduled
/// campaign.
async fn scheduled(more: &str, text: &str) -> (World, tempfile::TempDir, Launched) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prices.csv"), "channel,price\nSMS,0.10\n").unwrap();
    let members = "Phone,Name,City\n+6591000001,Ann,Rome\n+6591000002,Ben,\n+6591000003,Cay,Oslo\n";
    std::fs::write(folder.path().join("members.csv"), members).unwrap();
    let path = |file: &str| folder.path().join(file).display().to_string();
    let config = format!("{LANES}[prices]\nfile = \"{}\"\n{more}", path("prices.csv"));
    let world = World::of(&config, None).await;
    let steps = format!("[[step]]\nchannel = \"SMS\"\ntext = \"{text}\"\n");
    let launched =
        world.launch_of(&format!("name = \"promo\"\naudience = \"{}\"\n{LATER}{steps}", path("members.csv"))).await;
    (world, folder, launched)
}

impl World {
    async fn plan_of(&self, launched: &Launched) -> Plan {
        self.store.plan(launched.batch).await.unwrap().unwrap()
    }

    async fn text_of(&self, launched: &Launched) -> String {
        text_of(&self.plan_of(launched).await.steps[0].content).unwrap().to_owned()
    }
}

fn cents(cents: u64) -> Money {
    Money::from_millionths(cents * 10_000)
}

#[tokio::test]
async fn a_text_can_be_corrected_until_the_first_message_and_the_cost_follows() {
    let (mut world, _folder, launched) = scheduled("", "Hi {{Name}}, see you in {{City|town}}").await;
    let cost = async |world: &World| world.plan_of(&launched).await.cost.unwrap().at_most;
    assert_eq!(cost(&world).await, cents(30));
    // The name of each recipient makes it two parts.
    let long = format!("Hi {{{{Name}}}}, {}", "x".repeat(155));
    let corrected = world.amend(&launched, Some(0), json!({ "text": long })).await.unwrap();
    let Amended::Holds { changed, .. } = corrected else { panic!("{corrected:?}") };
    let changed: Vec<_> = changed.iter().map(|change| (change.step, change.key.as_str(), &change.after)).collect();
    assert_eq!(changed, [(Some(1), "text", &long)]);
    assert_eq!((world.state_of(launched.batch).await, cost(&world).await), (BatchState::Scheduled, cents(60)));
    let [former] = &world.store.editions(launched.batch).await.unwrap()[..] else { panic!("one former edition") };
    assert_eq!(text_of(&former.plan.steps[0].content), Some("Hi {{Name}}, see you in {{City|town}}"));
    let same = world.amend(&launched, Some(0), json!({ "text": long })).await.unwrap();
    assert!(matches!(same, Amended::AsItWas { .. }));
    world.clock.advance(Span::from_secs(2 * 3_600));
    world.node.keep_house().await.unwrap();
    world.node.watch().await;
    world.send().await;
    let spent: Money = world.store.spent(launched.batch).await.unwrap().iter().map(|(_, spent)| spent.spent).sum();
    assert_eq!(spent, cents(60));
    let error = world.amend(&launched, Some(0), json!({ "text": "Hi" })).await.unwrap_err().to_string();
    assert!(error.contains("step 1, text: the campaign has begun to send, so its text"), "{error}");
    assert_eq!(world.text_of(&launched).await, long);
}

#[tokio::test]
async fn a_text_can_be_corrected_while_a_started_campaign_has_sent_nothing() {
    let mut world = World::of(LANES, None).await;
    let zone = "time_zone = \"Asia/Singapore\"\n";
    let launched = world.launch_of(&format!("name = \"promo\"\nnumbers = [\"+6591000001\"]\n{zone}{STEP}")).await;
    // It is 16:00 there.
    world.amend(&launched, None, json!({ "quiet_hours": "15:00-17:00" })).await.unwrap();
    let texts = |world: &World| world.provider.texts.lock().clone();
    world.send().await;
    assert_eq!((world.state_of(launched.batch).await, texts(&world).len()), (BatchState::Running, 0));
    let corrected = world.amend(&launched, Some(0), json!({ "text": "Hello" })).await.unwrap();
    assert!(matches!(corrected, Amended::Holds { .. }), "{corrected:?}");
    world.clock.advance(Span::from_secs(3_600));
    world.send().await;
    assert_eq!(texts(&world), ["Hello"]);
    assert!(world.amend(&launched, Some(0), json!({ "text": "Hi" })).await.is_err());
}

#[tokio::test]
async fn a_started_campaign_whose_text_is_corrected_is_approved_again_and_sends_it() {
    let mut world = World::of(&format!("{LANES}[campaigns]\napproval_above = 1\n"), None).await;
    let numbers = "numbers = [\"+6591000001\", \"+6591000002\"]\ntime_zone = \"Asia/Singapore\"\n";
    let launched = world.launch_of(&format!("name = \"promo\"\n{numbers}{STEP}")).await;
    let begin = async |world: &World| {
        let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
        let by = Origin::operator("Eve", None);
        world.complete(start(world.store.as_ref(), world.clock.as_ref(), &batch, &by)).await.unwrap()
    };
    assert!(matches!(begin(&world).await, Decided::Saved(_)));
    // It is 16:00 there.
    world.amend(&launched, None, json!({ "quiet_hours": "15:00-17:00" })).await.unwrap();
    world.send().await;
    assert_eq!(world.state_of(launched.batch).await, BatchState::Running);
    world.amend(&launched, Some(0), json!({ "text": "Hello" })).await.unwrap();
    world.clock.advance(Span::from_secs(2 * 3_600));
    world.send().await;
    assert_eq!((world.state_of(launched.batch).await, world.provider.texts.lock().len()), (BatchState::Draft, 0));
    assert!(matches!(begin(&world).await, Decided::Saved(_)));
    world.send().await;
    assert_eq!(*world.provider.texts.lock(), ["Hello", "Hello"]);
}

#[tokio::test]
async fn a_correction_that_would_make_messages_late_is_refused() {
    let mut world = World::of(&format!("{LANES}[campaigns]\napproval_above = 1\n"), None).await;
    let head = "name = \"promo\"\nnumbers = [\"+6591000001\", \"+6591000002\"]\ntime_zone = \"Asia/Singapore\"\n";
    let launched = world.launch_of(&format!("{head}over = \"2h\"\n{LATER}{STEP}")).await;
    assert!(world.amend(&launched, Some(0), json!({ "text": "Hello" })).await.is_ok(), "it is a draft");
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    let by = Origin::operator("Eve", None);
    world.complete(start(world.store.as_ref(), world.clock.as_ref(), &batch, &by)).await.unwrap();
    world.clock.advance(Span::from_secs(2 * 3_600));
    world.node.keep_house().await.unwrap();
    assert_eq!(world.state_of(launched.batch).await, BatchState::Running);
    let error = world.amend(&launched, Some(0), json!({ "text": "Hi" })).await.unwrap_err().to_string();
    assert!(error.contains("would wait for another approval"), "{error}");
    assert_eq!(world.text_of(&launched).await, "Hello");
}

#[tokio::test]
async fn a_corrected_text_is_checked_as_at_the_launch() {
    let (world, _folder, launched) = scheduled("", "Hi {{Name}}").await;
    for (step, text, sentence) in [
        (Some(0), "Hi {{Nmae}}", "step 1, text: unknown column \"Nmae\""),
        (Some(0), "Hi {{Name", "step 1, text: "),
        (Some(0), "", "step 1, text: is empty"),
        (Some(0), "See {{City}}", "step 1, text: the launch has not looked at who lacks {{City}}"),
        (None, "Hi", "text: belongs to a step; name the step with it"),
    ] {
        let error = world.amend(&launched, step, json!({ "text": text })).await.unwrap_err().to_string();
        assert!(error.contains(sentence), "{text}: {error}");
    }
    for text in ["See {{City|town}}", "none", "Hi"] {
        assert!(matches!(
            world.amend(&launched, Some(0), json!({ "text": text })).await.unwrap(),
            Amended::Holds { .. }
        ));
        assert_eq!(world.text_of(&launched).await, text);
    }
}

#[tokio::test]
async fn a_corrected_text_is_approved_again_and_not_by_its_author() {
    let (world, _folder, launched) = scheduled("[campaigns]\napproval_above = 2\n", "Hi").await;
    let decide = async |operator: &str| {
        let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
        let by = Origin::operator(operator, None);
        world.complete(start(world.store.as_ref(), world.clock.as_ref(), &batch, &by)).await.unwrap()
    };
    assert_eq!(world.state_of(launched.batch).await, BatchState::Draft);
    assert!(matches!(decide("Eve").await, Decided::Saved(_)));
    assert_eq!(world.state_of(launched.batch).await, BatchState::Scheduled);
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    let launcher = Launcher { by: Origin::operator("Ann", None), ..world.launcher() };
    let keys = [("text".to_owned(), json!("Hello"))].into_iter().collect();
    let amend = Amend { step: Some(StepIndex::FIRST), keys, edition: None };
    assert!(matches!(world.complete(launcher.amend(&batch, &amend)).await.unwrap(), Amended::Holds { .. }));
    assert_eq!(world.state_of(launched.batch).await, BatchState::Draft);
    let again = world.store.batch(launched.batch).await.unwrap().unwrap();
    let needs = NeedsApproval::of(world.store.as_ref(), world.launcher().config, &again).await.unwrap().unwrap();
    assert!(needs.is_author("Ann") && !needs.is_author("Eve"), "{needs:?}");
    // Whoever approves what they read before the correction is told to read again.
    let by = Origin::operator("Eve", None);
    let late = start(world.store.as_ref(), world.clock.as_ref(), &batch, &by).await.unwrap();
    assert!(matches!(late, Decided::Outdated), "{late:?}");
    assert!(matches!(decide("Eve").await, Decided::Saved(_)));
    assert_eq!((world.state_of(launched.batch).await, again.starts_at), (BatchState::Scheduled, batch.starts_at));
}
