//! Single messages join a batch for an hour, which then comes to its end like any other.

use super::small::{World, recipient};
use crate::campaign::Report;
use crate::clock::Clock;
use crate::domain::{BatchId, BatchState, Channel, Country, Fields, Plan, Recipient, Span, Step};

fn plan() -> Plan {
    Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hello")])
}

impl World {
    async fn joins(&self, people: std::ops::Range<u32>) -> (BatchId, u32) {
        let recipients = people.map(|n| Recipient {
            msisdn: recipient(n),
            country: "SG".parse::<Country>().unwrap(),
            client_message_id: None,
            fields: Fields::pack([""; 0]),
        });
        let joined = self.launcher().join(plan(), recipients.collect()).await.unwrap();
        (joined.batch, joined.first)
    }

    async fn state_of(&self, batch: BatchId) -> BatchState {
        self.store.batch(batch).await.unwrap().unwrap().state
    }

    fn sent(&self) -> Vec<(BatchId, u32)> {
        self.provider.sms.lock().unwrap().iter().map(|key| (key.batch, key.n)).collect()
    }
}

#[tokio::test]
async fn a_batch_stays_open_for_an_hour_and_is_finished_once_it_is_closed_and_all_of_it_has_left() {
    let mut world = World::begin().await;
    let (batch, first) = world.joins(0..2).await;
    world.send().await;
    world.node.keep_house().await.unwrap();
    assert_eq!(
        (first, world.sent(), world.state_of(batch).await),
        (0, vec![(batch, 0), (batch, 1)], BatchState::Running)
    );
    world.idles(3_000).await;
    assert_eq!(world.joins(2..3).await, (batch, 2));
    // The hint alone is enough for it to leave.
    world.node.claim(1, false).await.unwrap();
    world.send().await;
    assert_eq!(world.sent().last(), Some(&(batch, 2)));
    world.idles(599).await;
    world.node.keep_house().await.unwrap();
    assert_eq!(world.state_of(batch).await, BatchState::Running);
    // Nothing has moved since: the close alone makes it worth a look.
    world.clock.advance(Span::from_secs(7));
    world.node.keep_house().await.unwrap();
    world.node.watch().await;
    assert_eq!(world.state_of(batch).await, BatchState::Finished);
    let (next, first) = world.joins(3..4).await;
    assert!(next != batch && first == 0);
    world.send().await;
    assert_eq!(world.sent().last(), Some(&(next, 0)));
    let report = Report::read(world.store.as_ref(), &world.store.batch(batch).await.unwrap().unwrap()).await.unwrap();
    assert_eq!((report.audience, report.open, report.left_out.len()), (3, 3, 0));
}

#[tokio::test]
async fn what_joined_just_before_the_close_keeps_the_batch_running_until_it_has_left() {
    let mut world = World::begin().await;
    let (batch, _) = world.joins(0..1).await;
    world.send().await;
    world.idles(3_598).await;
    assert_eq!(world.joins(1..2).await, (batch, 1));
    world.clock.advance(Span::from_secs(7));
    world.node.keep_house().await.unwrap();
    assert_eq!(world.state_of(batch).await, BatchState::Running);
    world.send().await;
    world.node.keep_house().await.unwrap();
    assert_eq!((world.state_of(batch).await, world.sent().len()), (BatchState::Finished, 2));
}

#[tokio::test]
async fn what_is_cancelled_takes_no_more_and_the_next_goes_on_beside_it() {
    let mut world = World::begin().await;
    let (batch, _) = world.joins(0..3).await;
    let now = world.clock.now();
    world.store.move_batch(batch, vec![BatchState::Running], BatchState::Cancelling, None, now).await.unwrap();
    let (next, first) = world.joins(3..5).await;
    assert!(next != batch && first == 0);
    world.send().await;
    world.node.keep_house().await.unwrap();
    assert_eq!(world.sent(), [(next, 0), (next, 1)]);
    assert_eq!(world.state_of(batch).await, BatchState::Cancelled);
}
