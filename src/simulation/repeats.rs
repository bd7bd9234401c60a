//! Campaigns that are repeated.

use std::collections::{BTreeMap, BTreeSet};

use super::small::World;
use crate::base::domain::{BatchState, MessageKey, Msisdn, Outcome};
use crate::campaigns::campaign::{LaunchError, Launched, Repeat};
use crate::campaigns::report::Report;

impl World {
    /// Returns the recipients of a campaign.
    async fn whom(&self, launched: &Launched) -> BTreeSet<Msisdn> {
        let keys = (0..100).map(|n| MessageKey { batch: launched.batch, n }).collect();
        self.store.load(keys).await.unwrap().iter().filter_map(|message| message.address.number()).collect()
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
        matches!(world.repeat(&first, &tried).await, Err(LaunchError::NoRecipientsToRepeat(_))),
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

#[tokio::test]
async fn a_retry_leaves_out_recipients_whom_another_retry_has_reached() {
    let mut world = World::begin().await;
    let first = world.launch(6, "name = \"promo\"").await;
    world.send().await;
    for n in 0..6 {
        world.receipt(&first, n, "undelivered").await;
    }
    world.send().await;
    world.receipt_of_step(&first, &[0, 1, 2, 3, 4, 5], 1, "undelivered").await;
    let undelivered = Repeat { outcomes: Some([Outcome::Undelivered].into()), ..Repeat::default() };

    // The first retry reaches three, and its own retry one more.
    let second = world.repeat(&first, &undelivered).await.unwrap();
    assert_eq!((second.messages, second.reached_before), (6, 0));
    world.send().await;
    for n in 0..6 {
        world.receipt(&second, n, if n < 3 { "delivered" } else { "undelivered" }).await;
    }
    world.send().await;
    world.receipt_of_step(&second, &[3, 4, 5], 1, "undelivered").await;
    let third = world.repeat(&second, &undelivered).await.unwrap();
    assert_eq!((third.messages, third.reached_before), (3, 0));
    world.send().await;
    world.receipt(&third, 3, "delivered").await;

    // Each later retry of the family leaves them out, and counts them.
    let fourth = world.repeat(&first, &undelivered).await.unwrap();
    assert_eq!((fourth.messages, fourth.reached_before), (2, 4));
    let all: Vec<Msisdn> = world.whom(&first).await.into_iter().collect();
    assert_eq!(world.whom(&fourth).await, all[4..].iter().copied().collect());
    let fifth = world.repeat(&second, &undelivered).await.unwrap();
    assert_eq!((fifth.messages, fifth.reached_before), (2, 1));
    let whole = Repeat { include_reached: true, ..undelivered.clone() };
    let sixth = world.repeat(&first, &whole).await.unwrap();
    assert_eq!((sixth.messages, sixth.reached_before), (6, 0));

    // A clone is a first campaign of its own: what others have reached does not matter to its retries.
    let clone = world.repeat(&first, &Repeat::default()).await.unwrap();
    world.send().await;
    for n in 0..6 {
        world.receipt(&clone, n, "undelivered").await;
    }
    world.send().await;
    world.receipt_of_step(&clone, &[0, 1, 2, 3, 4, 5], 1, "undelivered").await;
    let of_clone = world.repeat(&clone, &undelivered).await.unwrap();
    assert_eq!((of_clone.messages, of_clone.reached_before), (6, 0));
}

#[tokio::test]
async fn a_retry_of_only_reached_recipients_says_so_and_launches_nothing() {
    let mut world = World::begin().await;
    let first = world.launch(2, "name = \"promo\"").await;
    world.send().await;
    for n in 0..2 {
        world.receipt(&first, n, "undelivered").await;
    }
    world.send().await;
    world.receipt_of_step(&first, &[0, 1], 1, "undelivered").await;
    let undelivered = Repeat { outcomes: Some([Outcome::Undelivered].into()), ..Repeat::default() };
    let second = world.repeat(&first, &undelivered).await.unwrap();
    world.send().await;
    for n in 0..2 {
        world.receipt(&second, n, "delivered").await;
    }
    let error = world.repeat(&first, &undelivered).await.unwrap_err().to_string();
    assert!(error.contains("2 recipients were reached by an earlier retry"), "{error}");
    assert!(error.contains("include_reached"), "{error}");
}
