//! Tests changes: a decision applies to the version that it was made on, or not at all.

use super::*;
use crate::base::domain::{Ending, Outcome};

for_every_store!(
    a_change_applies_to_its_version_only_and_late_ones_are_returned,
    changes_in_one_call_may_build_on_each_other,
    of_two_changes_of_one_version_the_first_wins,
    a_change_to_a_missing_message_is_returned_and_creates_nothing,
    a_thousand_changes_in_one_call_all_apply,
    facts_are_written_with_their_change,
    a_try_is_one_row_however_often_it_is_recorded,
    an_unknown_attempt_is_listed_until_it_is_known,
    messages_are_loaded_in_the_order_asked,
    messages_in_flight_are_found_after_a_crash,
    open_messages_come_in_pages_without_those_in_flight_or_done,
);

async fn a_change_applies_to_its_version_only_and_late_ones_are_returned(desk: Desk) {
    let batch = desk.batch_of(4).await;
    let all = messages(&desk.claimed(batch, 4).await);
    assert!(desk.record(vec![accepted(&all[1], at(1)), accepted(&all[3], at(1))]).await.unwrap().is_empty());
    let late = desk.record(all.iter().map(|message| accepted(message, at(9))).collect()).await.unwrap();
    assert_eq!(late, [all[1].key, all[3].key]);
    for (message, second) in desk.all(batch, 4).await.iter().zip([9, 1, 9, 1]) {
        assert_eq!((message.version, message.present.accepted), (2, Some(at(second))));
        let attempts = desk.attempts(vec![message.key]).await.unwrap().concat();
        assert_eq!(attempts.iter().map(|attempt| attempt.answered).collect::<Vec<_>>(), [at(second)]);
    }
    desk.counters_equal_rows(batch, 4).await;
}

async fn changes_in_one_call_may_build_on_each_other(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let all = messages(&desk.claimed(batch, 2).await);
    let follow = |change: &Change| {
        let done = State::Done { outcome: Outcome::Reached, skipped: None, at: at(5) };
        let after = Present { state: done, ..change.after };
        Change { version: change.version + 1, before: change.after, after, fact: None, ..change.clone() }
    };
    let (first, second) = (accepted(&all[0], at(1)), accepted(&all[1], at(1)));
    let (then, last) = (follow(&first), follow(&second));
    assert!(desk.record(vec![first, then]).await.unwrap().is_empty());
    assert_eq!(desk.one(batch, 0).await.present.outcome(), Some(Outcome::Reached));
    // Even if another change of the call comes too late.
    let late = accepted(&all[0], at(7));
    assert_eq!(desk.record(vec![second, late, last]).await.unwrap(), [all[0].key]);
    assert_eq!(desk.one(batch, 1).await.present.outcome(), Some(Outcome::Reached));
    desk.counters_equal_rows(batch, 2).await;
}

async fn of_two_changes_of_one_version_the_first_wins(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let all = messages(&desk.claimed(batch, 1).await);
    let late = desk.record(vec![accepted(&all[0], at(1)), accepted(&all[0], at(2))]).await.unwrap();
    assert_eq!(late, [all[0].key]);
    assert_eq!(desk.one(batch, 0).await.present.accepted, Some(at(1)));
    assert_eq!(desk.attempts(vec![all[0].key]).await.unwrap().concat()[0].answered, at(1));
    desk.counters_equal_rows(batch, 1).await;
}

async fn a_change_to_a_missing_message_is_returned_and_creates_nothing(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let all = messages(&desk.claimed(batch, 1).await);
    let missing = Loaded { key: MessageKey { batch, n: 77 }, ..all[0] };
    let late = desk.record(vec![accepted(&missing, at(1)), accepted(&all[0], at(1))]).await.unwrap();
    assert_eq!(late, [missing.key]);
    assert!(desk.load(vec![missing.key]).await.unwrap().is_empty());
    assert!(desk.attempts(vec![missing.key]).await.unwrap().concat().is_empty());
    desk.counters_equal_rows(batch, 100).await;
}

async fn a_thousand_changes_in_one_call_all_apply(desk: Desk) {
    let batch = desk.batch_of(1_500).await;
    let all = messages(&desk.claimed(batch, 1_367).await);
    assert!(desk.record(all.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap().is_empty());
    let waiting = desk.all(batch, 1_500).await;
    assert!(waiting[..1_367].iter().all(|message| message.present.accepted == Some(at(1))));
    assert!(waiting[1_367..].iter().all(|message| message.version == 0));
    desk.counters_equal_rows(batch, 1_500).await;
    let other = messages(&desk.claimed(desk.batch_of(2).await, 2).await);
    desk.record(other.iter().map(|message| accepted(message, at(2))).collect()).await.unwrap();
    let asked = [all[9].key, other[0].key, waiting[1_400].key, all[3].key, all[9].key];
    let answered = desk.attempts(asked.to_vec()).await.unwrap();
    let answered: Vec<_> = answered.iter().map(|facts| facts.first().map(|fact| fact.answered)).collect();
    assert_eq!(answered, [Some(at(1)), Some(at(2)), None, Some(at(1)), Some(at(1))], "in the order of the request");
    assert!(desk.record(Vec::new()).await.unwrap().is_empty());
}

async fn facts_are_written_with_their_change(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let all = messages(&desk.claimed(batch, 1).await);
    let sent = accepted(&all[0], at(1));
    let next = Present {
        state: State::Queued { not_before: at(5), gives_up: Some(at(90)) },
        step: step(1),
        marks: sent.after.marks.with_ending(step(0), Ending::Deadline),
        ..sent.after
    };
    let viber = desk.lane("vb", Channel::Viber).await;
    let first = sent.fact.clone().unwrap();
    let skipped = Attempt { step: step(1), intent: None, code: None, detail: None, umid: None, ..first.clone() };
    let skipped = Attempt { verdict: Verdict::CouldNotLeave, lane: viber, tries: 0, ..skipped };
    let fallback = Change { version: sent.version + 1, before: sent.after, after: next, lane: viber, ..sent.clone() };
    desk.record(vec![sent, Change { fact: Some(skipped.clone()), ..fallback }]).await.unwrap();
    assert_eq!(desk.attempts(vec![all[0].key]).await.unwrap().concat(), [first, skipped]);
    let queued = desk.one(batch, 0).await;
    assert_eq!((queued.lane, queued.present), (viber, next));
}

async fn a_try_is_one_row_however_often_it_is_recorded(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let all = messages(&desk.claimed(batch, 1).await);
    let first = accepted(&all[0], at(1));
    desk.record(vec![first.clone()]).await.unwrap();
    let now = desk.one(batch, 0).await;
    let rejected = Attempt { umid: None, verdict: Verdict::Rejected, ..first.fact.clone().unwrap() };
    desk.record(vec![Change { fact: Some(rejected.clone()), ..change(&now, now.present) }]).await.unwrap();
    // A known umid is never removed.
    let kept = Attempt { umid: first.fact.unwrap().umid, ..rejected.clone() };
    assert_eq!(desk.attempts(vec![now.key]).await.unwrap().concat(), std::slice::from_ref(&kept));
    // A caller that does not know whether it was written records it again, later. The first time counts.
    let now = desk.one(batch, 0).await;
    let again = Attempt { answered: rejected.answered + Span::from_secs(3), ..rejected.clone() };
    desk.record(vec![Change { fact: Some(again), ..change(&now, now.present) }]).await.unwrap();
    assert_eq!(desk.attempts(vec![now.key]).await.unwrap().concat(), std::slice::from_ref(&kept));
    // Another try is another row.
    let now = desk.one(batch, 0).await;
    let next = Attempt { tries: 3, umid: Some(umid(9)), answered: at(99), ..rejected };
    desk.record(vec![Change { fact: Some(next.clone()), ..change(&now, now.present) }]).await.unwrap();
    assert_eq!(desk.attempts(vec![now.key]).await.unwrap().concat(), [kept, next]);
}

async fn an_unknown_attempt_is_listed_until_it_is_known(desk: Desk) {
    let (batch, other) = (desk.batch_of(3).await, desk.batch_of(3).await);
    for batch in [batch, other] {
        let all = messages(&desk.claimed(batch, 3).await);
        desk.record(all.iter().map(|message| unknown(message, at(1))).collect()).await.unwrap();
    }
    let listed = desk.unknown(batch, 2).await.unwrap();
    let entry = |n| (MessageKey { batch, n }, msisdn(n).into(), StepIndex::FIRST);
    assert_eq!(listed, [entry(0), entry(1)]);
    // A change adopts the attempt and records no fact about it.
    let now = desk.one(batch, 1).await;
    let marks = now.present.marks.with_unknown(StepIndex::FIRST, false).with_status(StepIndex::FIRST, Status::Sent);
    desk.record(vec![change(&now, Present { marks, ..now.present })]).await.unwrap();
    assert_eq!(desk.unknown(batch, 10).await.unwrap(), [entry(0), entry(2)]);
    desk.counters_equal_rows(batch, 3).await;
}

async fn messages_are_loaded_in_the_order_asked(desk: Desk) {
    let (first, second) = (desk.batch_of(5).await, desk.batch_of(5).await);
    let key = |batch, n| MessageKey { batch, n };
    let keys = vec![key(second, 3), key(first, 4), key(first, 99), key(second, 0), key(BatchId(99), 0), key(first, 1)];
    let loaded = desk.load(keys).await.unwrap();
    let order: Vec<_> = loaded.iter().map(|message| message.key).collect();
    assert_eq!(order, [key(second, 3), key(first, 4), key(second, 0), key(first, 1)]);
}

async fn messages_in_flight_are_found_after_a_crash(desk: Desk) {
    let (first, second) = (desk.batch_of(3).await, desk.batch_of(3).await);
    let all = messages(&desk.claimed(first, 3).await);
    desk.claimed(second, 1).await;
    desk.record(vec![accepted(&all[1], at(1))]).await.unwrap();
    let keys = |found: Vec<Loaded>| found.iter().map(|found| (found.key.batch, found.key.n)).collect::<Vec<_>>();
    assert_eq!(keys(desk.in_flight(Epoch(1), None, 100).await.unwrap()), [(first, 0), (first, 2), (second, 0)]);
    let page = desk.in_flight(Epoch(1), None, 2).await.unwrap();
    let behind = desk.in_flight(Epoch(1), page.last().map(|last| last.key), 2).await.unwrap();
    assert_eq!((keys(page), keys(behind)), (vec![(first, 0), (first, 2)], vec![(second, 0)]));
}

async fn open_messages_come_in_pages_without_those_in_flight_or_done(desk: Desk) {
    let batch = desk.batch_of(7).await;
    let all = messages(&desk.claimed(batch, 4).await);
    let done = State::Done { outcome: Outcome::Cancelled, skipped: None, at: at(1) };
    let ended = change(&all[2], Present { state: done, ..all[2].present });
    desk.record(vec![accepted(&all[0], at(1)), ended]).await.unwrap();
    let first = desk.open_messages(batch, None, 2).await.unwrap();
    assert_eq!(numbers(&first), [0, 4]);
    assert_eq!(numbers(&desk.open_messages(batch, Some(4), 10).await.unwrap()), [5, 6]);
    assert!(desk.open_messages(batch, Some(6), 10).await.unwrap().is_empty());
}
