//! Times in which receipts cannot be stored: no deadline fires then, nor before the provider has repeated them.

use volley::base::clock::Clock;
use volley::base::domain::{Channel, MessageKey, Outcome, Present, Span, State, StepIndex};

use crate::support::by_hand::{ByHand, VIBER_THEN_SMS, is_awaiting};

const PEOPLE: &str = "numbers = [\"+6591000001\"]";

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_cannot_be_stored_holds_its_deadline_until_a_repeat() {
    let world = ByHand::start("").await;
    let launched = world.launch(&format!("{PEOPLE}{VIBER_THEN_SMS}")).await;
    let key = MessageKey { batch: launched.batch, n: 0 };
    let State::Awaiting { due } = world.until(key, "handed over", is_awaiting).await.state else { unreachable!() };
    world.advance_to(due - Span::from_secs(1)).await;

    // Everything else can be written, as when the disk has no room for anything new.
    world.execute_sql("CREATE TRIGGER full BEFORE INSERT ON receipt BEGIN SELECT RAISE(ABORT, 'no room'); END").await;
    let failed_at = world.clock.now();
    assert!(world.post_receipt(&launched, (key, 0), Channel::Viber, "delivered", None).await.is_err());
    world.clock.advance(Span::from_secs(1));
    let is_decided = |present: &Present| present.state != State::Awaiting { due };
    let held = world.until(key, "the deadline decided", is_decided).await;
    assert!(is_awaiting(&held) && held.step == StepIndex::FIRST, "{held:?}");

    world.execute_sql("DROP TRIGGER full").await;
    world.post_receipt(&launched, (key, 0), Channel::Viber, "delivered", None).await.unwrap();
    assert_eq!(world.message(key).await.present.outcome(), Some(Outcome::Reached));
    world
        .when("the gap is on disk", async || {
            let gaps = world.store.gaps().await.unwrap();
            let is_whole = gaps.iter().any(|gap| gap.from <= failed_at && gap.until > failed_at);
            if is_whole { Ok(()) } else { Err(format!("{gaps:?}")) }
        })
        .await;
    world.stop().await;
}
