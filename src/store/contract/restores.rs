//! Tests the restore of a backup: what is marked, until when, and the slots of tiers that nobody knows.

use super::*;
use crate::base::domain::Tier;
use crate::store::{Restore, UnknownSlots};

for_every_store!(
    a_restore_marks_what_is_not_over_until_it_is_moved_on,
    unknown_slots_count_for_their_portfolio_until_their_day_is_over,
);

async fn a_restore_marks_what_is_not_over_until_it_is_moved_on(desk: Desk) {
    assert_eq!(desk.last_restore().await.unwrap(), None);
    let mut batches = Vec::new();
    for state in
        [BatchState::Draft, BatchState::Scheduled, BatchState::Running, BatchState::Paused, BatchState::Finished]
    {
        let batch = desk.batch_of(1).await;
        desk.move_batch(batch, vec![BatchState::Running], state, None, at(1)).await.unwrap();
        batches.push((batch, state));
    }
    let over = [BatchState::Cancelling, BatchState::Settled];
    for state in over {
        let batch = desk.batch_of(1).await;
        desk.move_batch(batch, vec![BatchState::Running], state, None, at(1)).await.unwrap();
        batches.push((batch, state));
    }
    let restore = |copied, accepted| Restore { copied_at: at(copied), accepted_at: at(accepted) };
    desk.mark_restored(restore(2, 5)).await.unwrap();
    let marks = async |desk: &Desk| {
        let mut marks = Vec::new();
        for (batch, _) in &batches {
            marks.push(desk.batch(*batch).await.unwrap().unwrap().restored_from);
        }
        marks
    };
    let expected: Vec<_> = batches.iter().map(|(_, state)| (!over.contains(state)).then_some(at(2))).collect();
    assert_eq!(marks(&desk).await, expected);
    // Another restore keeps the earlier mark.
    desk.mark_restored(restore(7, 9)).await.unwrap();
    assert_eq!((marks(&desk).await, desk.last_restore().await.unwrap()), (expected, Some(restore(7, 9))));
    let (paused, _) = batches[3];
    desk.move_batch(paused, vec![BatchState::Paused], BatchState::Cancelling, None, at(10)).await.unwrap();
    assert_eq!(marks(&desk).await[3], Some(at(2)), "a cancel is no confirmation");
    for (which, to) in [(0, BatchState::Scheduled), (1, BatchState::Running)] {
        let (batch, from) = batches[which];
        desk.move_batch(batch, vec![from], to, None, at(10)).await.unwrap();
        assert_eq!(marks(&desk).await[which], None, "{from:?}");
    }
}

async fn unknown_slots_count_for_their_portfolio_until_their_day_is_over(desk: Desk) {
    let seq = desk.seq().await.unwrap();
    let slots = UnknownSlots { recipients: 250, at: at(5), is_told: false };
    let noted = desk.note_unknown_slots("acme", slots, Origin::SERVER, at(5)).await.unwrap();
    assert!(noted > seq, "servers look at it");
    desk.take_slots("acme", vec![(msisdn(1).into(), at(6))]).await.unwrap();
    let used = async |since| desk.tiers_used(since).await.unwrap().get("acme").copied();
    assert_eq!((used(at(4)).await, used(at(5)).await), (Some(250), Some(1)), "the tier counts as full, not as more");
    assert_eq!(desk.unknown_slots(at(4)).await.unwrap()["acme"], slots);
    assert!(desk.unknown_slots(at(5)).await.unwrap().is_empty());
    let told = UnknownSlots { recipients: 40, at: at(5), is_told: true };
    desk.note_unknown_slots("acme", told, Origin::operator("Ann", None), at(8)).await.unwrap();
    assert_eq!((used(at(4)).await, desk.unknown_slots(at(4)).await.unwrap()["acme"]), (Some(41), told));
    assert!(desk.unknown_slots(at(8) - Tier::HELD).await.unwrap().contains_key("acme"));
}
