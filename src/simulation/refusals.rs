//! A provider that gives every message of a step the same refusal. The fallbacks are recalled, also after a crash, and
//! each recipient gets the message once.

use super::small::{World, numbers};
use crate::base::clock::Clock;
use crate::base::domain::{Count, Outcome, Span, State, StepIndex};
use crate::base::events::Origin;
use crate::campaigns::campaign::Launched;
use crate::campaigns::story::audit;
use crate::store::{Hold, StepHeldBy};

const RECIPIENTS: u32 = 30;

/// Launches with a text that differs between recipients, while the SMS lane is paused.
async fn launch_to(world: &World, recipients: u32) -> Launched {
    launch_text(world, "Hello {{Mobile}}", recipients).await
}

async fn launch_text(world: &World, text: &str, recipients: u32) -> Launched {
    let now = world.clock.now();
    world.store.hold(Hold::by_operator("sms", "", Origin::operator("ann", None), now), now).await.unwrap();
    let steps = format!(
        "[[step]]\nchannel = \"Viber\"\nlane = \"viber\"\ntext = \"{text}\"\n\
         [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n"
    );
    world.launch_of(&format!("{}\n{steps}", numbers(0..recipients))).await
}

/// Sends this many messages on Viber, and records their answers.
async fn send_first(world: &mut World, count: u32) {
    world.node.watch().await;
    let mut sent = 0;
    while sent < count {
        world.node.claim(0, true).await.unwrap();
        while sent < count
            && let Some(hand) = world.node.next(0).await
        {
            hand.await;
            sent += 1;
        }
        world.clock.advance(Span::from_millis(100));
    }
    world.node.record().await.unwrap();
}

async fn release(world: &mut World, launched: &Launched) {
    let now = world.clock.now();
    world.store.release("sms".to_owned(), String::new(), now, Origin::operator("ann", None)).await.unwrap();
    world
        .store
        .release_steps(launched.batch, StepIndex::all().collect(), Origin::operator("ann", None), now)
        .await
        .unwrap();
    world.node.watch().await;
}

async fn fell_back(world: &World, launched: &Launched) -> i64 {
    world.store.tallies(launched.batch).await.unwrap().total(Count::FellRejected)
}

/// Checks that each recipient gets the message on Viber once the provider accepts it, and nothing else.
async fn reached_on_viber(world: &mut World, launched: &Launched) {
    for n in 0..RECIPIENTS {
        let present = world.message(launched, n).await;
        assert!(matches!(present.state, State::Queued { .. }) && present.step == StepIndex::FIRST, "{n}: {present:?}");
    }
    *world.provider.refuses.lock() = None;
    let refused = world.provider.taken.lock().len();
    release(world, launched).await;
    world.send().await;
    assert_eq!(world.provider.taken.lock().len() - refused, RECIPIENTS as usize);
    assert_eq!(*world.provider.sms.lock(), []);
    for n in 0..RECIPIENTS {
        world.receipt_of_try(launched, n, "delivered").await;
        assert_eq!(world.message(launched, n).await.outcome(), Some(Outcome::Reached));
    }
    let audit = audit(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    assert!(audit.proven, "{audit:?}");
}

#[tokio::test]
async fn twenty_equal_refusals_recall_their_fallbacks_for_another_try() {
    let mut world = World::begin().await;
    *world.provider.refuses.lock() = Some(3_041);
    let launched = launch_to(&world, RECIPIENTS).await;
    send_first(&mut world, 19).await;
    assert_eq!(fell_back(&world, &launched).await, 19);
    world.send().await;
    let holds = world.store.step_holds().await.unwrap();
    assert_eq!(holds.iter().map(|hold| hold.by).collect::<Vec<_>>(), [StepHeldBy::Refusal], "{holds:?}");
    world.seconds(1).await;
    assert_eq!(fell_back(&world, &launched).await, 0);
    reached_on_viber(&mut world, &launched).await;
}

/// Returns the codes that the documents list as API errors, without those about the number: "Invalid MSISDN", "Invalid
/// country code".
fn refusals_not_about_numbers() -> impl Iterator<Item = u32> {
    const ABOUT_NUMBERS: [u32; 4] = [1_002, 1_009, 3_003, 3_018];
    let documented =
        (1_000..=1_014).chain([1_100, 1_200, 1_201, 1_300, 1_400]).chain(2_000..=2_003).chain(3_001..=3_060);
    documented.filter(|code| !ABOUT_NUMBERS.contains(code))
}

#[tokio::test]
async fn refusals_of_a_text_without_variables_leave_no_fallback() {
    for code in refusals_not_about_numbers() {
        let mut world = World::begin().await;
        *world.provider.refuses.lock() = Some(code);
        let launched = launch_text(&world, "Hello", RECIPIENTS).await;
        world.send().await;
        world.send().await;
        world.seconds(1).await;
        for n in 0..RECIPIENTS {
            assert_eq!(world.message(&launched, n).await.step, StepIndex::FIRST, "code {code}, recipient {n}");
        }
        assert_eq!(fell_back(&world, &launched).await, 0, "code {code}");
    }
}

#[tokio::test]
async fn twenty_receipts_without_a_known_reason_hold_the_step() {
    // No code, an unknown one, and one that gives no reason.
    for reason in [0, 1_999, 41] {
        let mut world = World::begin().await;
        let launched = launch_to(&world, RECIPIENTS).await;
        world.send().await;
        for n in 0..20 {
            world.receipt_for(&launched, n, "undelivered", reason).await;
        }
        let holds = world.store.step_holds().await.unwrap();
        assert_eq!(holds.iter().map(|hold| hold.by).collect::<Vec<_>>(), [StepHeldBy::Refusal], "{reason}: {holds:?}");
        world.seconds(1).await;
        let fell_back = world.store.tallies(launched.batch).await.unwrap().total(Count::FellUndelivered);
        assert_eq!(fell_back, 0, "{reason}");
    }
}

#[tokio::test]
async fn twenty_receipts_about_their_recipients_hold_nothing() {
    let mut world = World::begin().await;
    let launched = launch_to(&world, RECIPIENTS).await;
    world.send().await;
    for n in 0..RECIPIENTS {
        world.receipt_for(&launched, n, "undelivered", 2_008).await;
    }
    assert_eq!(world.store.step_holds().await.unwrap(), []);
    let tallies = world.store.tallies(launched.batch).await.unwrap();
    assert_eq!(tallies.total(Count::FellUndelivered), i64::from(RECIPIENTS));
}

#[tokio::test]
async fn a_fallback_that_was_submitted_is_not_recalled() {
    const FAULT_OF_THE_LANE: u32 = 42;
    let mut world = World::begin().await;
    *world.provider.refuses.lock() = Some(3_041);
    let launched = launch_to(&world, RECIPIENTS).await;
    send_first(&mut world, 19).await;
    let now = world.clock.now();
    world.store.release("sms".to_owned(), String::new(), now, Origin::operator("ann", None)).await.unwrap();
    world.node.watch().await;
    world.node.claim(1, true).await.unwrap();
    while let Some(hand) = world.node.next(1).await {
        hand.await;
    }
    world.node.record().await.unwrap();
    // Its receipts blame the lane, so it waits to be sent again.
    for n in 0..19 {
        world.receipt_for(&launched, n, "undelivered", FAULT_OF_THE_LANE).await;
    }
    let sms = world.provider.sms.lock().len();
    assert_eq!(sms, 19);
    send_first(&mut world, 1).await;
    world.seconds(1).await;
    for n in 0..19 {
        assert_eq!(world.message(&launched, n).await.step, StepIndex::new(1).unwrap(), "{n}");
    }
    assert_eq!(fell_back(&world, &launched).await, 19);
}

#[tokio::test]
async fn a_crash_between_a_hold_and_its_recall_forgets_neither() {
    let mut world = World::begin().await;
    *world.provider.refuses.lock() = Some(3_041);
    let launched = launch_to(&world, RECIPIENTS).await;
    send_first(&mut world, 19).await;
    world.send().await;
    assert_eq!(fell_back(&world, &launched).await, 19, "only the twentieth refusal shows a fault of the sender");
    world.restart().await;
    world.seconds(1).await;
    assert_eq!(fell_back(&world, &launched).await, 0);
    reached_on_viber(&mut world, &launched).await;
}

#[tokio::test]
async fn refusals_that_are_recorded_together_cause_no_fallback() {
    let mut world = World::begin().await;
    *world.provider.refuses.lock() = Some(3_041);
    let launched = launch_to(&world, RECIPIENTS).await;
    send_first(&mut world, 20).await;
    // The other claimed messages return to their queue.
    world.send().await;
    assert_eq!(fell_back(&world, &launched).await, 0);
    reached_on_viber(&mut world, &launched).await;
}

#[tokio::test]
async fn a_resume_sends_messages_that_were_never_tried_first() {
    let mut world = World::begin().await;
    *world.provider.refuses.lock() = Some(3_041);
    let launched = launch_to(&world, RECIPIENTS).await;
    send_first(&mut world, 20).await;
    // The other claimed messages return to their queue.
    world.send().await;
    // When an operator resumes the step, messages that were never tried are sent first.
    let tried = world.message(&launched, 19).await;
    let untried = world.message(&launched, 25).await;
    let sent_from = |present: &crate::base::domain::Present| match present.state {
        State::Queued { not_before, .. } => not_before,
        state => panic!("{state:?}"),
    };
    assert!(sent_from(&tried) > sent_from(&untried), "{tried:?} {untried:?}");
}

#[tokio::test]
async fn nineteen_refusals_alike_hold_nothing() {
    let mut world = World::begin().await;
    *world.provider.refuses.lock() = Some(3_041);
    let launched = launch_to(&world, 19).await;
    world.send().await;
    world.seconds(1).await;
    assert_eq!(world.store.step_holds().await.unwrap(), []);
    assert_eq!(fell_back(&world, &launched).await, 19);
}
