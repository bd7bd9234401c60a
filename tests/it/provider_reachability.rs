//! Lost webhooks and an unreachable provider, over real sockets: neither causes a fallback.

use serde_json::json;
use volley::base::domain::DoubtCause;
use volley::base::domain::{Count, StepIndex};
use volley::campaigns::campaign::Launched;
use volley::store::LinkState;

use crate::support::world::{DELIVERED, Setup, World, fates};

fn steps(fallback_after: &str) -> String {
    format!(
        "[[step]]\nchannel = \"Viber\"\nfallback_after = \"{fallback_after}\"\ntext = \"Hello\"\n\
         [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n"
    )
}

async fn in_doubt(world: &World, cause: DoubtCause) -> LinkState {
    world
        .when("the doubt on disk", || async {
            let links = world.store.links().await.unwrap();
            let found = links.iter().find(|link| link.doubt.is_some_and(|(_, known)| known == cause)).cloned();
            found.ok_or_else(|| format!("{links:?}"))
        })
        .await
}

async fn all_messages_await(world: &World, launched: &Launched, people: i64) {
    world
        .when("all messages awaiting on Viber", || async {
            let tallies = world.tallies(launched).await;
            let of = |count| tallies.get(StepIndex::FIRST, count);
            let stand = [of(Count::AwaitingOpen), of(Count::FellDeadline), tallies.total(Count::Queued)];
            if stand == [people, 0, 0] { Ok(()) } else { Err(format!("{stand:?}")) }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_wait_for_three_answers_while_only_webhooks_are_lost() {
    let world = Setup { profile: fates(&[("viber", DELIVERED)]), ..Setup::default() }.start().await;
    world.faults(json!({ "silent_receipts": true })).await;
    let launched = world.launch(60, &steps("5s")).await;
    world.until(&launched, Count::HandedOver, 60).await;
    let link = in_doubt(&world, DoubtCause::NoWebhooks).await;
    assert_eq!(Some(&link.address), world.config.lanes.first().map(|lane| &lane.provider.base_url));
    let tallies = world.tallies(&launched).await;
    let fell = tallies.get(StepIndex::FIRST, Count::FellDeadline);
    // Twenty may fall back: on a slow machine some are accepted, and due, before the others.
    assert!(fell <= 20, "{fell} have fallen back unasked");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fallbacks_that_meet_an_unreachable_provider_return_to_awaiting() {
    let world = Setup::default().start().await;
    world.faults(json!({ "silent_receipts": true })).await;
    let launched = world.launch(1, &steps("4s")).await;
    world.until(&launched, Count::HandedOver, 1).await;
    world.cut_provider();
    // The deadline fires, and the SMS gets no answer.
    in_doubt(&world, DoubtCause::Unreachable).await;
    all_messages_await(&world, &launched, 1).await;
    world.stop().await;
}
