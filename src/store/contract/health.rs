//! Tests what a store tells of itself: its schema, its writer, its flows, and whether it is a copy.

use super::*;
use crate::base::domain::{Ending, Outcome};
use crate::store::{Flow, FlowPlace};

for_every_store!(
    the_schema_of_a_new_store_is_current,
    the_writer_counts_its_commits_and_nothing_waits_at_rest,
    flows_count_what_was_committed_and_nothing_stale,
    a_copy_says_when_it_was_made_until_it_is_accepted,
);

async fn the_schema_of_a_new_store_is_current(desk: Desk) {
    let version = desk.schema_version().await.unwrap();
    assert!(version.is_current() && version.found > 0, "{version:?}");
}

async fn the_writer_counts_its_commits_and_nothing_waits_at_rest(desk: Desk) {
    let before = desk.writer_figures().group_sizes;
    desk.batch_of(1).await;
    let after = desk.writer_figures();
    assert!(after.group_sizes.count() > before.count() && after.group_sizes.sum >= after.group_sizes.count());
    assert_eq!(after.commit_ms.count(), after.group_sizes.count());
    assert_eq!((after.oldest, after.queued, after.failed), (None, 0, 0));
}

async fn flows_count_what_was_committed_and_nothing_stale(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let lane = desk.lane("wa", Channel::WhatsApp).await;
    let viber = desk.lane("vb", Channel::Viber).await;
    let all = messages(&desk.claimed(batch, 3).await);
    desk.record(all.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap();
    // The second message falls back; the third is read at once, and ends.
    let [second, third] = [desk.one(batch, 1).await, desk.one(batch, 2).await];
    let fallen = Present {
        state: State::Queued { not_before: at(5), gives_up: None },
        step: step(1),
        marks: second.present.marks.with_ending(step(0), Ending::Deadline),
        ..second.present
    };
    let fallback = Change { lane: viber, ..change(&second, fallen) };
    let read = Present {
        state: State::Done { outcome: Outcome::Reached, skipped: None, at: at(6) },
        marks: third.present.marks.with_status(step(0), Status::Read).with_ending(step(0), Ending::Success),
        ..third.present
    };
    let changes = vec![fallback.clone(), change(&third, read)];
    assert!(desk.take_receipts(Vec::new(), Vec::new(), changes).await.unwrap().is_empty());
    // Decided on a version that is no longer current.
    assert_eq!(desk.record(vec![fallback]).await.unwrap(), [second.key]);

    let place = |lane, step| FlowPlace { lane: Some(lane), step };
    let mut counted: Vec<_> =
        desk.flow_counts().into_iter().map(|count| (count.place, count.flow, count.count)).collect();
    let mut expected = vec![
        (place(lane, step(0)), Flow::Tried(Verdict::Accepted), 3),
        (place(lane, step(0)), Flow::FellBack(Ending::Deadline), 1),
        (place(lane, step(0)), Flow::Reported(Status::Sent), 1),
        (place(lane, step(0)), Flow::Reported(Status::Delivered), 1),
        (place(lane, step(0)), Flow::Reported(Status::Read), 1),
        (place(lane, step(0)), Flow::Ended(Outcome::Reached), 1),
    ];
    let in_order = |flow: &(FlowPlace, Flow, u64)| format!("{flow:?}");
    counted.sort_by_key(in_order);
    expected.sort_by_key(in_order);
    assert_eq!(counted, expected);
}

async fn a_copy_says_when_it_was_made_until_it_is_accepted(desk: Desk) {
    assert_eq!(desk.copied_at().await.unwrap(), None, "a database is no copy of itself");
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.db"), folder.path().join("second.db"));
    desk.back_up(&first).await.unwrap();
    assert_eq!(desk.copied_at().await.unwrap(), None, "and is none afterwards");
    let url = |path: &std::path::Path| format!("sqlite://{}", path.display());
    let copy = Desk::at(&url(&first), None).await;
    let made = copy.copied_at().await.unwrap().unwrap();
    assert!(made <= desk.now() && desk.now().since(made) < Span::from_secs(60), "{made:?}");
    copy.clock.advance(Span::from_secs(3_600));
    copy.back_up(&second).await.unwrap();
    let of_copy = Desk::at(&url(&second), None).await;
    assert_eq!(
        of_copy.copied_at().await.unwrap(),
        Some(made),
        "what was sent since the first copy is not in it either"
    );
    copy.accept_copy().await.unwrap();
    assert_eq!(copy.copied_at().await.unwrap(), None);
}
