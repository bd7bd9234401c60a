//! Campaigns that are repeated.

use std::collections::{BTreeMap, BTreeSet};

use super::small::World;
use crate::campaign::{LaunchError, Launched, Repeat};
use crate::domain::{BatchState, MessageKey, Msisdn, Outcome};
use crate::report::Report;

impl World {
    /// Returns the recipients of a campaign.
    async fn whom(&self, launched: &Launched) -> BTreeSet<Msisdn> {
        let keys = (0..100).map(|n| MessageKey { batch: launched.batch, n }).collect();
        self.store.load(keys).await.unwrap().iter().map(|message| message.msisdn).collect()
    }
}

#[tokio::test]
async fn a_repeat_goes_only_to_recipients_with_the_chosen_outcomes() {
    let mut world = World::begin().await;
    let first = world.launch(10, "name = \"promo\"").await;
    let all = world.whom(&first).await;
    world.send().await;
    for n in 0..10 {
        world.receipt(&first, n, if n < 3 { "undelivered" } else { "delivered" }).await;
    }
    world.send().await;
    let tried = Repeat { outcomes: Some([Outcome::Undelivered, Outcome::Expired].into()), ..Repeat::default() };
    assert!(
        matches!(world.repeat(&first, &tried).await, Err(LaunchError::NoRecipientsToRepeat { .. })),
        "their second step is pending"
    );
    world.receipt_of_step(&first, &[0, 2], 1, "undelivered").await;

    let second = world.repeat(&first, &tried).await.unwrap();
    assert_eq!((second.name.as_str(), second.messages), ("promo 2", 2));
    let recipients =
        |of: &[u32]| -> BTreeSet<Msisdn> { of.iter().map(|n| *all.iter().nth(*n as usize).unwrap()).collect() };
    assert_eq!(world.whom(&second).await, recipients(&[0, 2]));
    let batch = world.store.batch(second.batch).await.unwrap().unwrap();
    let report = Report::read(world.store.as_ref(), &batch).await.unwrap();
    assert_eq!((report.audience, report.left_out), (2, BTreeMap::new()), "a recipient who was not chosen is no reject");
    // A repeat can be repeated too, also for all recipients.
    let whole = world.repeat(&second, &Repeat::default()).await.unwrap();
    assert_eq!((whole.name.as_str(), world.whom(&whole).await), ("promo 2 2", recipients(&[0, 2])));
    let clone = world.repeat(&first, &Repeat { name: Some("another".to_owned()), ..Repeat::default() }).await.unwrap();
    assert_eq!((clone.name.as_str(), world.whom(&clone).await), ("another", all.clone()));
    let taken = world.repeat(&first, &Repeat { name: Some("another".to_owned()), ..Repeat::default() }).await;
    assert!(matches!(taken, Err(LaunchError::Store(_))), "{taken:?}");
}

#[tokio::test]
async fn a_repeat_finds_cancelled_recipients_before_and_after_the_sweep() {
    let mut world = World::begin().await;
    let first = world.launch(5, "name = \"promo\"").await;
    world.moves(&first, BatchState::Running, BatchState::Cancelling).await;
    let cancelled = Repeat { outcomes: Some([Outcome::Cancelled].into()), ..Repeat::default() };
    assert_eq!(world.repeat(&first, &cancelled).await.unwrap().messages, 5);
    world.node.keep_house().await.unwrap();
    assert_eq!(world.repeat(&first, &cancelled).await.unwrap().messages, 5);
}

#[tokio::test]
async fn a_repeat_with_a_later_start_drops_the_former_end() {
    let world = World::begin().await;
    let first = world.launch(3, "at = \"2027-01-15T09:00Z\"\nend = \"2027-01-15T10:00Z\"").await;
    let again = |at: &str| Repeat { at: Some(at.to_owned()), ..Repeat::default() };
    let second = world.repeat(&first, &again("2027-01-20T09:00Z")).await.unwrap();
    assert_eq!(second.starts_at.unwrap().rfc3339(), "2027-01-20T09:00:00.000Z");
    assert_eq!(world.store.plan(second.batch).await.unwrap().unwrap().end, None);
    for wrong in ["2027-01-15T07:00Z", "tomorrow"] {
        assert!(matches!(world.repeat(&first, &again(wrong)).await, Err(LaunchError::Problems(_))), "{wrong}");
    }
}
