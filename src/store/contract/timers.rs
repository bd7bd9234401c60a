//! Tests timers: due messages come earliest first, in pages, and only if they wait.

use std::collections::BTreeMap;

use super::*;
use crate::base::domain::Outcome;
use crate::base::events::Origin;
use crate::store::{QueueTimes, Signal};

for_every_store!(
    due_messages_come_earliest_first_in_pages,
    the_next_due_time_is_the_earliest_of_waiting_messages,
    a_queued_message_is_due_when_it_expires,
    only_queued_messages_have_a_turn,
    a_commit_signals_its_queues_and_timers,
);

impl Desk {
    /// A batch whose messages were submitted and wait until these seconds.
    pub(super) async fn waiting(&self, dues: &[i64]) -> (BatchId, Vec<Loaded>) {
        let count = u32::try_from(dues.len()).unwrap();
        let batch = self.batch_of(count).await;
        let all = messages(&self.claimed(batch, count).await);
        let changes = all.iter().zip(dues).map(|(message, due)| {
            let sent = accepted(message, at(0));
            Change { after: Present { state: State::Awaiting { due: at(*due) }, ..sent.after }, ..sent }
        });
        self.record(changes.collect()).await.unwrap();
        (batch, all)
    }

    async fn first_due(&self, batch: BatchId) -> Option<Timestamp> {
        self.next_due(vec![batch]).await.unwrap().remove(&batch)
    }
}

async fn due_messages_come_earliest_first_in_pages(desk: Desk) {
    let (batch, _) = desk.waiting(&[50, 10, 30, 10, 40, 20]).await;
    let (other, _) = desk.waiting(&[1]).await;
    assert!(desk.due(batch, at(9), None, 10).await.unwrap().is_empty());
    assert_eq!(numbers(&desk.due(batch, at(40), None, 3).await.unwrap()), [1, 3, 5]);
    assert_eq!(numbers(&desk.due(batch, at(40), None, 10).await.unwrap()), [1, 3, 5, 2, 4]);
    assert_eq!(numbers(&desk.due(other, at(40), None, 10).await.unwrap()), [0]);
    // After the decisions about a page the next page follows.
    let page = desk.due(batch, at(40), None, 3).await.unwrap();
    let done = State::Done { outcome: Outcome::Silent, skipped: None, at: at(40) };
    let ended = page.iter().map(|message| change(message, Present { state: done, ..message.present }));
    desk.record(ended.collect()).await.unwrap();
    assert_eq!(numbers(&desk.due(batch, at(40), None, 3).await.unwrap()), [2, 4]);
}

async fn the_next_due_time_is_the_earliest_of_waiting_messages(desk: Desk) {
    let batch = desk.batch_of(2).await;
    assert_eq!(desk.first_due(batch).await, None, "a message that waits without limit has no due time");
    let (batch, _) = desk.waiting(&[50, 10, 30]).await;
    assert_eq!(desk.first_due(batch).await, Some(at(10)));
    let first = desk.one(batch, 1).await;
    let done = State::Done { outcome: Outcome::Silent, skipped: None, at: at(10) };
    desk.record(vec![change(&first, Present { state: done, ..first.present })]).await.unwrap();
    assert_eq!(desk.first_due(batch).await, Some(at(30)));
    assert_eq!(desk.first_due(BatchId(999)).await, None);
    let (other, _) = desk.waiting(&[20]).await;
    let of_all = desk.next_due(vec![other, BatchId(999), batch]).await.unwrap();
    assert_eq!(of_all, BTreeMap::from([(batch, at(30)), (other, at(20))]));
}

async fn a_queued_message_is_due_when_it_expires(desk: Desk) {
    let audience = desk.audience(None, 2).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let spread = desk.spread_of(batch, audience, 2).await;
    let start = Start { gives_up: Some(at(30)), ..spread.start };
    desk.write_messages(PieceOfMessages { start, ..spread }).await.unwrap();
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    assert_eq!(desk.first_due(batch).await, Some(at(30)));
    // A message in flight has no timer: its answer decides.
    desk.claimed(batch, 1).await;
    assert_eq!(numbers(&desk.due(batch, at(30), None, 10).await.unwrap()), [1]);
    desk.claimed(batch, 1).await;
    assert_eq!(desk.first_due(batch).await, None);
}

async fn only_queued_messages_have_a_turn(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let all = messages(&desk.claimed(batch, 3).await);
    let queue = Queue { batch, step: StepIndex::FIRST, lane: all[0].lane };
    let empty = Queue { batch: BatchId(999), ..queue };
    let times = async || desk.queue_times(vec![queue, empty]).await.unwrap();
    assert_eq!(times().await, BTreeMap::new(), "a message in flight is in no queue");
    let back = |message: &Loaded, seconds| {
        change(message, Present { state: State::Queued { not_before: at(seconds), gives_up: None }, ..message.present })
    };
    desk.record(vec![back(&all[0], 30), back(&all[1], 7), back(&all[2], 12)]).await.unwrap();
    assert_eq!(times().await, BTreeMap::from([(queue, QueueTimes { first: at(7), last: at(30) })]));
}

async fn a_commit_signals_its_queues_and_timers(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let all = messages(&desk.claimed(batch, 2).await);
    let mut signals = desk.signals().subscribe();
    let back = Present { state: State::Queued { not_before: at(7), gives_up: None }, ..all[1].present };
    desk.record(vec![accepted(&all[0], at(0)), change(&all[1], back)]).await.unwrap();
    let lane = all[1].lane;
    assert_eq!(
        signals.try_recv().unwrap(),
        Signal::Queued { queue: Queue { batch, step: StepIndex::FIRST, lane }, at: at(7) }
    );
    assert_eq!(signals.try_recv().unwrap(), Signal::Due { batch, at: at(900) });
    assert_eq!(signals.try_recv().unwrap(), Signal::Moved { batch });
    assert!(signals.try_recv().is_err());
}
