//! Tests counters: they always equal a count of the rows.

use std::collections::BTreeMap;

use super::*;
use crate::base::clock::Chance;
use crate::base::domain::{Count, Ending, Outcome};

for_every_store!(
    counters_equal_rows_after_any_sequence_of_claims_and_changes,
    counters_of_an_unknown_batch_are_zero,
    concurrent_writers_lose_no_count,
);

const MESSAGES: u32 = 60;

async fn counters_equal_rows_after_any_sequence_of_claims_and_changes(desk: Desk) {
    for seed in 0..6 {
        let chance = Chance::seeded(seed);
        let batch = desk.batch_of(MESSAGES).await;
        for _ in 0..12 {
            desk.clock.advance(Span::from_secs(1));
            let mut taken = messages(&desk.claimed(batch, pick(&chance, 20)).await);
            // Some decisions are based on earlier versions.
            taken.extend(desk.all(batch, MESSAGES).await.into_iter().filter(|_| pick(&chance, 4) == 0));
            let changes: Vec<_> = taken.iter().map(|message| any_change(&chance, message, desk.now())).collect();
            let keys: Vec<_> = changes.iter().map(|change| change.key).collect();
            let late = desk.record(changes).await.unwrap();
            assert!(late.iter().all(|key| keys.contains(key)));
        }
        desk.counters_equal_rows(batch, MESSAGES).await;
        let kept = desk.tallies(batch).await.unwrap();
        let open = [Count::Queued, Count::SetAside, Count::Sending, Count::AwaitingOpen, Count::AwaitingLast];
        let open: i64 = open.into_iter().map(|count| kept.total(count)).sum();
        assert_eq!(open + kept.done(), i64::from(MESSAGES), "seed {seed}");
    }
}

fn pick(chance: &Chance, below: u32) -> u32 {
    u32::try_from(chance.bits() % u64::from(below)).unwrap()
}

fn any_change(chance: &Chance, message: &Loaded, now: Timestamp) -> Change {
    let index = message.present.step;
    let stale = u32::from(pick(chance, 10) == 0);
    let mut decided = match pick(chance, 5) {
        0 => accepted(message, now),
        1 => unknown(message, now),
        2 => {
            let state = State::Queued { not_before: now, gives_up: Some(now + Span::from_secs(5)) };
            let next = index.next().filter(|next| next.get() < STEPS).unwrap_or(index);
            let marks = message.present.marks.with_ending(index, Ending::Deadline);
            change(message, Present { state, step: next, marks, ..message.present })
        }
        3 => {
            let state = State::Done { outcome: Outcome::Reached, skipped: None, at: now };
            let marks = message.present.marks.with_status(index, Status::Read).with_ending(index, Ending::Success);
            change(message, Present { state, marks: marks.with_late(), ..message.present })
        }
        _ => {
            let state = State::Done { outcome: Outcome::Undelivered, skipped: None, at: now };
            let marks = message.present.marks.with_ending(index, Ending::Rejected);
            change(message, Present { state, marks, ..message.present })
        }
    };
    decided.version -= stale.min(decided.version);
    decided
}

async fn counters_of_an_unknown_batch_are_zero(desk: Desk) {
    let known = desk.batch_of(3).await;
    let of_all = desk.tallies_of(vec![BatchId(999), known]).await.unwrap();
    assert_eq!(of_all, BTreeMap::from([(known, desk.tallies(known).await.unwrap())]));
    let plans = desk.plans(vec![BatchId(999), known]).await.unwrap();
    assert_eq!(plans, BTreeMap::from([(known, desk.plan(known).await.unwrap().unwrap())]));
    assert_eq!(desk.tallies(BatchId(999)).await.unwrap(), Tallies::default());
}

async fn concurrent_writers_lose_no_count(desk: Desk) {
    let batch = desk.batch_of(40).await;
    let all = messages(&desk.claimed(batch, 20).await);
    let records = all.chunks(4).map(|some| {
        let changes = some.iter().map(|message| accepted(message, at(1))).collect();
        desk.record(changes)
    });
    let claims = (0..4).map(|_| desk.claimed(batch, 5));
    let (recorded, _) = tokio::join!(futures_util::future::join_all(records), futures_util::future::join_all(claims));
    assert!(recorded.into_iter().all(|late| late.unwrap().is_empty()));
    desk.counters_equal_rows(batch, 40).await;
}
