//! Single messages join a batch for an hour. Then it closes and ends like any other batch.

use std::sync::Arc;

use super::small::{World, recipient};
use crate::base::clock::Clock;
use crate::base::domain::{BatchId, BatchState, Channel, Country, Fields, Plan, Recipient, Span, Step, Timestamp};
use crate::campaigns::report::Report;
use crate::sending::book::Book;

fn plan() -> Plan {
    Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hello")])
}

impl World {
    async fn joins(&self, recipients: std::ops::Range<u32>) -> (BatchId, u32) {
        let recipients = recipients.map(|n| Recipient {
            address: Some(recipient(n).into()),
            country: "SG".parse::<Country>().unwrap(),
            client_message_id: None,
            fields: Fields::pack([""; 0]),
        });
        let joined = self.launcher().join(plan(), recipients.collect()).await.unwrap();
        (joined.batch, joined.first)
    }

    pub(super) async fn state_of(&self, batch: BatchId) -> BatchState {
        self.store.batch(batch).await.unwrap().unwrap().state
    }

    fn sent(&self) -> Vec<(BatchId, u32)> {
        self.provider.sms.lock().iter().map(|key| (key.batch, key.n)).collect()
    }
}

#[tokio::test]
async fn a_batch_takes_messages_for_an_hour_and_finishes_once_all_are_sent() {
    let mut world = World::begin().await;
    let (batch, first) = world.joins(0..2).await;
    world.send().await;
    world.node.keep_house().await.unwrap();
    assert_eq!(
        (first, world.sent(), world.state_of(batch).await),
        (0, vec![(batch, 0), (batch, 1)], BatchState::Running)
    );
    world.idle(3_000).await;
    assert_eq!(world.joins(2..3).await, (batch, 2));
    // The hint alone is enough to claim it.
    world.node.claim(1, false).await.unwrap();
    world.send().await;
    assert_eq!(world.sent().last(), Some(&(batch, 2)));
    world.idle(599).await;
    world.node.keep_house().await.unwrap();
    assert_eq!(world.state_of(batch).await, BatchState::Running);
    // No message has moved since; only the close causes the check.
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
async fn messages_that_join_before_the_close_keep_the_batch_running() {
    let mut world = World::begin().await;
    let (batch, _) = world.joins(0..1).await;
    world.send().await;
    world.idle(3_598).await;
    assert_eq!(world.joins(1..2).await, (batch, 1));
    world.clock.advance(Span::from_secs(7));
    world.node.keep_house().await.unwrap();
    assert_eq!(world.state_of(batch).await, BatchState::Running);
    world.send().await;
    world.node.keep_house().await.unwrap();
    assert_eq!((world.state_of(batch).await, world.sent().len()), (BatchState::Finished, 2));
}

#[tokio::test]
async fn a_cancelled_batch_takes_no_messages_and_the_next_batch_does() {
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

#[tokio::test]
async fn an_open_batch_stays_in_play_for_a_late_join() {
    let world = World::begin().await;
    let (open, _) = world.joins(0..1).await;
    let launched = world.launch(2, "").await.batch;
    let closes = world.store.batch(open).await.unwrap().unwrap().open_until.unwrap();
    let book = Book::new(Arc::clone(&world.store));
    let open = book.get(open).await.unwrap().unwrap();
    assert!(open.is_open(closes) && open.is_open(closes + Span::from_millis(4_999)));
    assert!(!open.is_open(closes + Span::from_secs(5)));
    assert!(!book.get(launched).await.unwrap().unwrap().is_open(Timestamp::default()));
}
