//! A refusal caused by the sender never becomes a message on another channel, whatever its code.

use std::collections::BTreeMap;

use volley::base::domain::{Count, StepIndex};
use volley::base::events::Origin;
use volley::campaigns::campaign::{self, Launched};
use volley::campaigns::story;
use volley::practice::simulator::Profile;
use volley::store::{Hold, StepHeldBy, StepHold};

use crate::support::world::{Setup, World};

const RECIPIENTS: u32 = 60;

fn steps(text: &str) -> String {
    format!("[[step]]\nchannel = \"Viber\"\ntext = \"{text}\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n")
}

/// A provider that refuses every Viber message with this code.
fn refuses(code: u32) -> Profile {
    profile(&format!("reject = 1.0\nreject_codes = [{code}]\nundelivered = 0.0"))
}

/// A provider that accepts every Viber message and reports it undelivered with this code.
fn reports(code: u32) -> Profile {
    profile(&format!("reject = 0.0\nundelivered = 1.0\nundelivered_codes = [{code}]"))
}

fn profile(viber: &str) -> Profile {
    let text = format!("speed = 1000.0\n[channel.viber]\n{viber}\nsilent = 0.0\ndelivered = 0.0\n");
    Profile::from_toml(&text).unwrap()
}

/// Launches these steps while an operator has paused the SMS lane.
async fn launch(world: &World, text: &str) -> Launched {
    let now = world.clock.now();
    world.store.hold(Hold::by_operator("sms", "", Origin::operator("ann", None), now), now).await.unwrap();
    world.launch(RECIPIENTS, &steps(text)).await
}

/// Waits until the first step is held and every message waits for it again.
async fn all_wait_for_viber(world: &World, launched: &Launched) -> StepHold {
    world
        .when("every message in the queue of a held first step", || async {
            let holds = world.store.step_holds().await.unwrap();
            let hold = holds.into_iter().find(|hold| hold.by == StepHeldBy::Refusal);
            let tallies = world.tallies(launched).await;
            let of = |count| tallies.get(StepIndex::FIRST, count);
            let stands = BTreeMap::from([
                ("queued", of(Count::Queued)),
                ("fell back", of(Count::FellRejected) + of(Count::FellUndelivered)),
                ("queued in all", tallies.total(Count::Queued)),
            ]);
            let all = i64::from(RECIPIENTS);
            let wanted = BTreeMap::from([("queued", all), ("fell back", 0), ("queued in all", all)]);
            hold.filter(|_| stands == wanted).ok_or_else(|| format!("{stands:?}"))
        })
        .await
}

/// Cancels, and proves by the audit that each row follows from the rules.
async fn audit_holds(world: &World, launched: &Launched) {
    campaign::cancel(
        world.store.as_ref(),
        world.clock.as_ref(),
        &world.batch(launched).await,
        &Origin::operator("ann", None),
    )
    .await
    .unwrap();
    world
        .when("every message cancelled", || async {
            let tallies = world.tallies(launched).await;
            if tallies.is_settled() { Ok(()) } else { Err(world.state_of(launched).await) }
        })
        .await;
    let audit = story::audit(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    assert!(audit.proven, "{audit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constant_text_that_is_refused_holds_its_step() {
    let world = Setup { profile: refuses(3_006), ..Setup::default() }.start().await;
    let launched = launch(&world, "Hello").await;
    let hold = all_wait_for_viber(&world, &launched).await;
    assert_eq!((hold.step, hold.recall), (StepIndex::FIRST, None));
    assert_eq!(
        hold.origin.hold_reason(),
        "the provider refuses its text, which is the same for every recipient: Too long text (code 3006)"
    );
    audit_holds(&world, &launched).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_equal_refusals_hold_the_step_and_recall_its_fallbacks() {
    let world = Setup { profile: refuses(3_006), ..Setup::default() }.start().await;
    let launched = launch(&world, "Hello {{Mobile}}").await;
    let hold = all_wait_for_viber(&world, &launched).await;
    assert_eq!(hold.recall.map(|recall| recall.code), Some(3_006));
    assert_eq!(hold.origin.hold_reason(), "the provider refused the last 20 messages alike: Too long text (code 3006)");
    audit_holds(&world, &launched).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constant_text_that_is_reported_invalid_holds_its_step() {
    let world = Setup { profile: reports(2_015), ..Setup::default() }.start().await;
    let launched = launch(&world, "Hello").await;
    let hold = all_wait_for_viber(&world, &launched).await;
    assert_eq!(hold.recall, None);
    audit_holds(&world, &launched).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_equal_receipts_hold_the_step_and_recall_its_fallbacks() {
    let world = Setup { profile: reports(2_015), ..Setup::default() }.start().await;
    let launched = launch(&world, "Hello {{Mobile}}").await;
    let hold = all_wait_for_viber(&world, &launched).await;
    assert_eq!(hold.recall.map(|recall| recall.code), Some(2_015));
    audit_holds(&world, &launched).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_equal_receipts_hold_a_last_step_and_the_audit_agrees() {
    let world = Setup { profile: reports(2_015), ..Setup::default() }.start().await;
    let step = "[[step]]\nchannel = \"Viber\"\ntext = \"Hello {{Mobile}}\"\n";
    let launched = world.launch(RECIPIENTS, step).await;
    world
        .when("the step held, and nothing awaited", || async {
            let holds = world.store.step_holds().await.unwrap();
            let tallies = world.tallies(&launched).await;
            let open = tallies.total(Count::AwaitingLast) + tallies.total(Count::Sending);
            let is_held = holds.iter().any(|hold| hold.recall.is_some()) && open == 0;
            if is_held { Ok(()) } else { Err(world.state_of(&launched).await) }
        })
        .await;
    audit_holds(&world, &launched).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_refused_numbers_fall_back() {
    let world = Setup { profile: refuses(3_003), ..Setup::default() }.start().await;
    let launched = launch(&world, "Hello").await;
    world.until(&launched, Count::FellRejected, RECIPIENTS.into()).await;
    assert_eq!(world.store.step_holds().await.unwrap(), []);
    world.stop().await;
}
