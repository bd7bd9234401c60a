//! Pages of batches and of events, latest first.

use super::{Desk, at, for_every_store};
use crate::base::domain::{BatchId, BatchState, Channel, Plan, Span, Step, Tag};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{BatchFilter, NewBatch};

for_every_store!(
    batches_come_in_pages_latest_first,
    a_page_of_batches_has_what_its_filter_wants,
    events_come_in_pages_latest_first,
    campaigns_are_found_by_the_time_in_which_they_are_sent,
);

impl Desk {
    async fn batch_in(&self, name: Option<&str>, state: BatchState, is_test: bool) -> BatchId {
        let audience = self.audience(None, 1).await;
        let steps = Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]);
        let new = NewBatch {
            tag: Tag::from_random(7),
            plan: Plan { is_test, ..steps },
            name: name.map(str::to_owned),
            audience: "recipients".to_owned(),
            audience_ids: vec![audience],
            starts_at: None,
            open_until: None,
            now: self.now(),
        };
        let batch = self.begin_batch(new).await.unwrap();
        self.publish_batch(batch, state, Origin::SERVER, self.now()).await.unwrap();
        batch
    }

    async fn page(&self, filter: BatchFilter, before: Option<BatchId>, limit: u32) -> (Vec<BatchId>, Option<BatchId>) {
        let page = self.batch_page(filter, before, limit).await.unwrap();
        (page.batches.into_iter().map(|(batch, _)| batch.id).collect(), page.next)
    }
}

async fn batches_come_in_pages_latest_first(desk: Desk) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(desk.batch_in(None, BatchState::Running, false).await);
    }
    // A hidden batch is on no page.
    desk.begin_batch_of(None, desk.audience(None, 1).await).await;
    let everything = BatchFilter { tests: true, ..BatchFilter::default() };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let (page, next) = desk.page(everything.clone(), before, 2).await;
        seen.extend(page);
        if next.is_none() {
            break;
        }
        before = next;
    }
    ids.reverse();
    assert_eq!(seen, ids);
}

async fn a_page_of_batches_has_what_its_filter_wants(desk: Desk) {
    let promo = desk.batch_in(Some("November Promo"), BatchState::Running, false).await;
    let trial = desk.batch_in(Some("Promo, test"), BatchState::Running, true).await;
    let draft = desk.batch_in(Some("News"), BatchState::Draft, false).await;
    let single = desk.batch_in(None, BatchState::Running, false).await;
    let all = BatchFilter { tests: true, ..BatchFilter::default() };
    for (filter, wanted) in [
        (all.clone(), vec![single, draft, trial, promo]),
        (BatchFilter { tests: false, ..all.clone() }, vec![single, draft, promo]),
        (BatchFilter { is_campaign: Some(true), ..all.clone() }, vec![draft, trial, promo]),
        (BatchFilter { is_campaign: Some(false), ..all.clone() }, vec![single]),
        (BatchFilter { name: Some("pROMO".to_owned()), ..all.clone() }, vec![trial, promo]),
        (BatchFilter { states: Some(vec![BatchState::Draft]), ..all.clone() }, vec![draft]),
        (
            BatchFilter { states: Some(vec![BatchState::Running, BatchState::Draft]), ..all.clone() },
            vec![single, draft, trial, promo],
        ),
        (BatchFilter { states: Some(vec![BatchState::Settled]), ..all.clone() }, vec![]),
    ] {
        assert_eq!(desk.page(filter.clone(), None, 9).await, (wanted, None), "{filter:?}");
    }
    desk.begin_batch_of(None, desk.audience(None, 1).await).await;
    let hidden = BatchFilter { states: Some(vec![BatchState::Launching]), ..all.clone() };
    assert_eq!(desk.page(hidden, None, 9).await, (vec![], None));
    let running = BatchFilter { states: Some(vec![BatchState::Running]), ..all.clone() };
    assert_eq!(desk.page(running.clone(), None, 2).await, (vec![single, trial], Some(trial)));
    assert_eq!(desk.page(running, Some(trial), 2).await, (vec![promo], None));
    let page = desk.batch_page(all, None, 9).await.unwrap();
    let tests: Vec<BatchId> = page.batches.iter().filter(|(_, is_test)| *is_test).map(|(batch, _)| batch.id).collect();
    assert_eq!(tests, [trial]);
}

async fn campaigns_are_found_by_the_time_in_which_they_are_sent(desk: Desk) {
    let begun = desk.now();
    let running = desk.batch_in(Some("Running"), BatchState::Running, false).await;
    desk.batch_in(Some("A test"), BatchState::Running, true).await;
    desk.batch_in(None, BatchState::Running, false).await;
    desk.batch_in(Some("Without a date"), BatchState::Draft, false).await;
    let audience = desk.audience(None, 1).await;
    let new = NewBatch {
        tag: Tag::from_random(7),
        plan: Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]),
        name: Some("Scheduled".to_owned()),
        audience: "recipients".to_owned(),
        audience_ids: vec![audience],
        starts_at: Some(begun + Span::from_secs(1_000)),
        open_until: None,
        now: desk.now(),
    };
    let scheduled = desk.begin_batch(new).await.unwrap();
    desk.publish_batch(scheduled, BatchState::Scheduled, Origin::SERVER, desk.now()).await.unwrap();
    let between = async |from: i64, until: i64, limit: u32| {
        let (from, until) = (begun + Span::from_secs(from), begun + Span::from_secs(until));
        let found = desk.campaigns_between(from, until, limit).await.unwrap();
        found.into_iter().map(|batch| batch.id).collect::<Vec<_>>()
    };
    let earlier = begun - Span::from_secs(50);
    assert!(desk.campaigns_between(earlier, begun, 9).await.unwrap().is_empty());
    assert_eq!(between(0, 1_001, 9).await, [running, scheduled]);
    assert_eq!(between(500, 1_000, 9).await, [running], "it has not finished");
    assert_eq!(between(1_000, 2_000, 9).await, [running, scheduled]);
    assert_eq!(between(1_001, 2_000, 0).await, []);
    let at = begun + Span::from_secs(60);
    let from = vec![BatchState::Running];
    desk.move_batch(running, from, BatchState::Cancelling, Some(Origin::SERVER), at).await.unwrap();
    assert_eq!(between(0, 61, 9).await, [running]);
    assert_eq!(between(61, 1_001, 9).await, [scheduled]);
    let day = 86_400;
    let mut long = Vec::new();
    for days in [20, 60] {
        let batch = desk.batch_in(Some(&format!("{days} days")), BatchState::Running, false).await;
        let (from, end) = (vec![BatchState::Running], begun + Span::from_secs(days * day));
        desk.move_batch(batch, from, BatchState::Cancelling, Some(Origin::SERVER), end).await.unwrap();
        long.push(batch);
    }
    assert_eq!(between(20 * day, 21 * day, 9).await, long);
    assert_eq!(between(59 * day, 61 * day, 9).await, long[1..]);
    assert_eq!(between(61 * day, 62 * day, 9).await, []);
}

async fn events_come_in_pages_latest_first(desk: Desk) {
    let batch = desk.batch_in(Some("Promo"), BatchState::Running, false).await;
    let event = |n: i64, subject| Event {
        at: at(n),
        subject,
        origin: Origin::SERVER,
        kind: EventKind::Renamed { before: format!("{n}") },
    };
    for n in 100..104 {
        let subject = if n % 2 == 0 { Subject::campaign(batch, Some("Promo")) } else { Subject::lane("sms") };
        desk.record_event(event(n, subject)).await.unwrap();
    }
    let page = async |of, before, limit| {
        let events = desk.events_before(of, before, limit).await.unwrap();
        let times: Vec<_> = events.iter().map(|(_, event)| event.at).collect();
        (times, events.last().map(|(position, _)| *position))
    };
    let (first, last) = page(None, None, 2).await;
    let (second, _) = page(None, last, 2).await;
    assert_eq!((first, second), (vec![at(103), at(102)], vec![at(101), at(100)]));
    let (of_batch, last) = page(Some(batch), None, 1).await;
    assert_eq!(of_batch, [at(102)]);
    assert_eq!(page(Some(batch), last, 1).await.0, [at(100)]);
}
