//! Refusals without a known code, as a firewall gives them: one other message tests the lane, and a message that alone is
//! refused twice is set aside.

use super::small::{CONFIG, World, numbers, recipient};
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, Count, MessageKey, Outcome, Refused, Span, State, StepIndex};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Launched, MessageDecision, MessageDecisionError, carry_out_on_message};
use crate::campaigns::story::audit;
use crate::store::{Cursor, HeldBy, StepHeldBy};

const STEP: &str = "[[step]]\nchannel = \"Viber\"\nlane = \"viber\"\ntext = \"Hello {{Mobile}}\"\n";

/// A world that sends single messages, or batches of this many.
async fn world(batch: Option<u32>) -> World {
    let send = batch.map(|size| format!("[provider]\nsend = \"batch\"\nbatch_size = {size}\n"));
    World::of(&CONFIG.replacen("[provider]\n", send.as_deref().unwrap_or("[provider]\n"), 1), None).await
}

async fn launch(world: &World, recipients: std::ops::Range<u32>) -> Launched {
    world.launch_of(&format!("{}\n{STEP}", numbers(recipients))).await
}

/// Forbids these recipients.
fn forbid(world: &World, recipients: impl IntoIterator<Item = u32>) {
    world.provider.forbidden.lock().extend(recipients.into_iter().map(recipient));
}

/// Lets a second pass, in which everything is sent that may be.
async fn second(world: &mut World) {
    world.send().await;
    world.node.fire().await.unwrap();
    world.node.keep_house().await.unwrap();
    world.node.watch().await;
}

async fn seconds(world: &mut World, seconds: u32) {
    for _ in 0..seconds {
        second(world).await;
    }
}

async fn count(world: &World, launched: &Launched, count: Count) -> i64 {
    world.store.tallies(launched.batch).await.unwrap().total(count)
}

async fn state(world: &World, launched: &Launched) -> BatchState {
    world.store.batch(launched.batch).await.unwrap().unwrap().state
}

/// Whether the audit proves the report.
async fn is_proven(world: &World, launched: &Launched) {
    let audit = audit(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    assert!(audit.proven, "{audit:?}");
}

/// One of 421 messages is refused: the others are sent within ten seconds, and the campaign finishes without it.
async fn one_of_many_is_refused(batch: Option<u32>, bad: u32) {
    let mut world = world(batch).await;
    forbid(&world, [bad]);
    let launched = launch(&world, 0..421).await;
    seconds(&mut world, 10).await;
    assert_eq!(world.provider.taken.lock().len(), 420, "each of the others once");
    assert_eq!(world.store.holds().await.unwrap(), [], "no operator has to resume the lane");
    seconds(&mut world, 40).await;
    let (aside, state) = (count(&world, &launched, Count::SetAside).await, state(&world, &launched).await);
    assert_eq!((aside, state), (1, BatchState::Finished));
    assert!(world.message(&launched, bad).await.is_set_aside());
    is_proven(&world, &launched).await;
}

#[tokio::test]
async fn one_refused_message_among_421_is_set_aside_and_the_others_are_sent() {
    one_of_many_is_refused(None, 0).await;
    one_of_many_is_refused(None, 217).await;
    // No other message is left to test the lane.
    one_of_many_is_refused(None, 420).await;
}

#[tokio::test]
async fn one_refused_message_in_batches_is_set_aside_and_the_others_are_sent() {
    one_of_many_is_refused(Some(50), 0).await;
    one_of_many_is_refused(Some(50), 217).await;
    one_of_many_is_refused(Some(50), 420).await;
}

#[tokio::test]
async fn a_lane_that_is_refused_is_held_after_two_messages_which_the_hold_names() {
    let mut world = world(None).await;
    forbid(&world, 0..30);
    let launched = launch(&world, 0..30).await;
    seconds(&mut world, 2).await;
    let holds = world.store.holds().await.unwrap();
    let [hold] = &holds[..] else { panic!("{holds:?}") };
    assert_eq!((hold.lane.as_str(), hold.by, hold.code), ("viber", HeldBy::Answer, None), "the status names no remedy");
    let reason = hold.reason();
    assert!(reason.starts_with("HTTP status 403: Forbidden; refused alike were msg_"), "{reason}");
    assert_eq!(reason.matches("msg_").count(), 2, "{reason}");
    assert!(reason.contains(&recipient(0).masked().to_string()), "{reason}");
    assert!(!reason.contains(&recipient(0).to_string()), "{reason}");
    assert_eq!(count(&world, &launched, Count::Queued).await, 30, "no message is used up");
    // After an operator has resumed it, the refused messages are the last.
    world.provider.forbidden.lock().clear();
    let now = world.clock.now();
    world.store.release("viber".to_owned(), String::new(), now, Origin::operator("ann", None)).await.unwrap();
    seconds(&mut world, 20).await;
    let sent: Vec<u32> = world.provider.taken.lock().iter().map(|(_, key)| key.n).collect();
    assert_eq!((sent.len(), &sent[..3]), (30, &[2, 3, 4][..]));
}

#[tokio::test]
async fn a_message_of_another_batch_tests_the_lane() {
    let mut world = world(None).await;
    forbid(&world, 0..30);
    let bad = launch(&world, 0..30).await;
    world.node.watch().await;
    let first = loop {
        world.node.claim(0, true).await.unwrap();
        if let Some(first) = world.node.next(0).await {
            break first;
        }
        world.clock.advance(Span::from_millis(100));
    };
    first.await;
    let good = launch(&world, 100..2_000).await;
    seconds(&mut world, 2).await;
    assert_eq!(world.store.holds().await.unwrap(), []);
    seconds(&mut world, 58).await;
    assert_eq!(
        (count(&world, &good, Count::HandedOver).await, count(&world, &bad, Count::HandedOver).await),
        (1_900, 0)
    );
}

/// Twelve bad rows in a row: the others are sent without a resume.
#[tokio::test]
async fn neighbours_that_are_refused_hold_nothing_where_the_lane_has_worked() {
    let mut world = world(None).await;
    forbid(&world, 20..32);
    let launched = launch(&world, 0..420).await;
    seconds(&mut world, 20).await;
    assert_eq!(count(&world, &launched, Count::HandedOver).await, 408);
    assert_eq!((world.store.holds().await.unwrap(), world.store.step_holds().await.unwrap()), (vec![], vec![]));
    seconds(&mut world, 120).await;
    assert_eq!(count(&world, &launched, Count::SetAside).await, 12);
    is_proven(&world, &launched).await;
}

/// A batch of which every message is refused, alone on a lane that has worked, as of one caller of the API.
#[tokio::test]
async fn a_batch_that_is_refused_alone_on_a_lane_that_has_worked_holds_its_step_and_not_the_lane() {
    let mut world = world(None).await;
    forbid(&world, 0..60);
    let before = launch(&world, 1_000..1_010).await;
    seconds(&mut world, 2).await;
    let bad = launch(&world, 0..60).await;
    seconds(&mut world, 30).await;
    assert_eq!(world.store.holds().await.unwrap(), []);
    let [held] = &world.store.step_holds().await.unwrap()[..] else { panic!("its step is held") };
    assert_eq!((held.batch, held.step, &held.by), (bad.batch, StepIndex::FIRST, &StepHeldBy::Refusal));
    assert!(format!("{held:?}").contains("the last 20 messages alike"), "{held:?}");
    let after = launch(&world, 2_000..2_300).await;
    seconds(&mut world, 3).await;
    assert_eq!(count(&world, &after, Count::HandedOver).await, 300);
    for launched in [&before, &bad, &after] {
        is_proven(&world, launched).await;
    }
}

#[tokio::test]
async fn a_refused_message_without_another_one_holds_nothing() {
    let mut world = world(None).await;
    forbid(&world, [0]);
    let alone = launch(&world, 0..1).await;
    seconds(&mut world, 60).await;
    assert_eq!(world.store.holds().await.unwrap(), []);
    assert_eq!(world.message(&alone, 0).await.refused, Refused::Once, "nothing shows whether the lane is refused");
    let later = launch(&world, 1..300).await;
    seconds(&mut world, 3).await;
    assert_eq!(count(&world, &later, Count::HandedOver).await, 299);
    assert_eq!(world.message(&alone, 0).await.refused, Refused::Alone);
}

#[tokio::test]
async fn the_step_is_held_after_twenty_messages_set_aside_and_the_lane_is_not() {
    let mut world = world(None).await;
    // Each of them is followed by others, so the messages that test the lane are accepted.
    forbid(&world, (0..25).map(|n| n * 20));
    let bad = launch(&world, 0..600).await;
    seconds(&mut world, 60).await;
    let holds = world.store.step_holds().await.unwrap();
    let [hold] = &holds[..] else { panic!("{holds:?}") };
    assert_eq!((hold.batch, hold.step, hold.by), (bad.batch, StepIndex::FIRST, StepHeldBy::Refusal));
    let aside = count(&world, &bad, Count::SetAside).await;
    assert!((20..=25).contains(&aside), "{aside}");
    let other = launch(&world, 1_000..1_100).await;
    seconds(&mut world, 2).await;
    assert_eq!(world.store.holds().await.unwrap(), []);
    assert_eq!(count(&world, &other, Count::HandedOver).await, 100);
    is_proven(&world, &bad).await;
}

#[tokio::test]
async fn a_restart_forgets_no_refusal() {
    let mut world = world(None).await;
    forbid(&world, [0]);
    let launched = launch(&world, 0..100).await;
    seconds(&mut world, 2).await;
    assert_eq!(world.message(&launched, 0).await.refused, Refused::Alone);
    world.restart().await;
    seconds(&mut world, 20).await;
    assert!(world.message(&launched, 0).await.is_set_aside());
    world.restart().await;
    seconds(&mut world, 20).await;
    assert_eq!(state(&world, &launched).await, BatchState::Finished);
    let refused = world.store.attempts(vec![MessageKey { batch: launched.batch, n: 0 }]).await.unwrap().concat();
    assert_eq!(refused.len(), 2, "it is not sent again: {refused:?}");
}

#[tokio::test]
async fn the_end_of_a_campaign_ends_a_message_that_is_set_aside() {
    let mut world = world(None).await;
    forbid(&world, [0]);
    let end = (world.clock.now() + Span::from_secs(120)).rfc3339();
    let launched = world.launch_of(&format!("end = \"{end}\"\n{}\n{STEP}", numbers(0..50))).await;
    seconds(&mut world, 30).await;
    assert_eq!(state(&world, &launched).await, BatchState::Finished);
    world.clock.advance(Span::from_secs(100));
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    let (key, by) = (MessageKey { batch: launched.batch, n: 0 }, Origin::operator("ann", None));
    let released =
        carry_out_on_message(&world.store, world.clock.as_ref(), (&batch, key), MessageDecision::Release, &by).await;
    assert!(matches!(released, Err(MessageDecisionError::TimeOver { .. })), "{released:?}");
    seconds(&mut world, 20).await;
    let present = world.message(&launched, 0).await;
    assert!(matches!(present.state, State::Done { .. }), "{present:?}");
    assert_eq!(count(&world, &launched, Count::OutcomeExpired).await, 1);
    is_proven(&world, &launched).await;
}

#[tokio::test]
async fn a_message_that_is_set_aside_is_released_or_cancelled() {
    let mut world = world(None).await;
    // Others follow each of them, so the messages that test the lane are accepted.
    forbid(&world, [0, 50]);
    let launched = launch(&world, 0..100).await;
    seconds(&mut world, 40).await;
    assert_eq!(count(&world, &launched, Count::SetAside).await, 2);
    world.provider.forbidden.lock().clear();
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    let by = Origin::operator("ann", None);
    let decide = async |n: u32, decision: MessageDecision| {
        let key = MessageKey { batch: launched.batch, n };
        carry_out_on_message(&world.store, world.clock.as_ref(), (&batch, key), decision, &by).await
    };
    let sent = decide(1, MessageDecision::Release).await;
    assert!(matches!(sent, Err(MessageDecisionError::NotSetAside { .. })), "{sent:?}");
    let cancelled = decide(0, MessageDecision::Cancel).await.unwrap();
    assert_eq!(cancelled.present.outcome(), Some(Outcome::Cancelled));
    let again = decide(0, MessageDecision::Cancel).await;
    assert!(matches!(again, Err(MessageDecisionError::Ended { outcome: Outcome::Cancelled, .. })), "{again:?}");
    let released = decide(50, MessageDecision::Release).await.unwrap();
    assert_eq!((released.present.refused, released.present.is_set_aside()), (Refused::Never, false));
    seconds(&mut world, 3).await;
    assert_eq!(count(&world, &launched, Count::HandedOver).await, 99);
    let events = world.store.events(Cursor::START, 100).await.unwrap();
    let texts = format!("{events:?}");
    for kind in ["MessageSetAside", "MessageCancelled", "MessageReleased"] {
        assert!(texts.contains(kind), "{kind}: {texts}");
    }
    is_proven(&world, &launched).await;
}
