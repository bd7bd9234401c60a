//! Tests batches: they are written in pieces, published at once, and moved only from an expected state.

use super::*;
use crate::base::domain::{Count, Marks, OptOutSource, Outcome, SkipReason, WishSubject};
use crate::base::events::{ChangedKey, EventKind, Origin};
use crate::rules::planner::Rest;
use crate::store::{Amendment, Error, OptOut};

for_every_store!(
    a_batch_is_hidden_until_it_is_published,
    a_published_batch_returns_its_properties,
    a_taken_batch_name_is_refused_at_publish,
    publishing_twice_changes_nothing,
    skipped_recipients_get_a_message_with_the_reason,
    messages_begin_as_the_route_says_for_their_country,
    the_phone_number_decides_the_lane_of_a_pool,
    a_left_out_recipient_gets_no_message_and_shifts_no_numbers,
    a_piece_that_is_written_twice_counts_once,
    a_piece_that_overlaps_another_counts_only_new_messages,
    a_batch_moves_only_from_an_expected_state,
    times_are_set_at_the_first_entry_into_a_state_only,
    batches_are_listed_by_state_in_order_of_launch,
    test_sends_are_told_from_campaigns,
    every_decision_about_a_batch_raises_the_sequence,
    an_amendment_applies_to_its_edition_and_keeps_the_earlier_plan,
    what_is_sent_is_corrected_until_the_first_claim,
    nothing_is_claimed_under_a_former_plan,
    the_start_of_a_scheduled_batch_can_be_moved,
    after_the_end_no_first_submission_is_claimed,
    postponed_messages_brought_forward_keep_their_leave_within,
);

async fn a_batch_is_hidden_until_it_is_published(desk: Desk) {
    let audience = desk.audience(None, 2).await;
    let batch = desk.begin_batch_of(Some("promo"), audience).await;
    let spread = desk.spread_of(batch, audience, 2).await;
    desk.write_messages(spread).await.unwrap();
    assert!(desk.batch(batch).await.unwrap().is_none());
    assert!(desk.batch_named("promo").await.unwrap().is_none());
    assert!(desk.batches(None).await.unwrap().is_empty());
    assert!(desk.batches(Some(vec![BatchState::Launching])).await.unwrap().is_empty());
    assert!(desk.claimed(batch, 10).await.messages.is_empty());
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    assert_eq!(desk.batch_named("promo").await.unwrap().unwrap().id, batch);
    assert_eq!(desk.claimed(batch, 10).await.messages.len(), 2);
}

async fn a_published_batch_returns_its_properties(desk: Desk) {
    let audience = desk.audience(None, 2).await;
    let batch = desk.begin_batch_of(Some("promo"), audience).await;
    let spread = desk.spread_of(batch, audience, 2).await;
    desk.write_messages(spread).await.unwrap();
    desk.clock.advance(Span::from_secs(5));
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    let found = desk.batch(batch).await.unwrap().unwrap();
    assert_eq!((found.tag, found.state, found.messages), (tag(), BatchState::Running, 2));
    assert_eq!((found.name.as_deref(), found.audience.as_str()), (Some("promo"), "people"));
    assert_eq!(found.audience_ids, [audience]);
    assert_eq!((found.created_at, found.started_at), (at(0), Some(at(5))));
    assert_eq!((found.finished_at, found.settled_at, found.origin), (None, None, None));
    assert_eq!(desk.plan(batch).await.unwrap(), Some(plan()));
    assert_eq!(desk.plan(BatchId(999)).await.unwrap(), None);
}

async fn a_taken_batch_name_is_refused_at_publish(desk: Desk) {
    let audience = desk.audience(None, 1).await;
    let (first, second) =
        (desk.begin_batch_of(Some("promo"), audience).await, desk.begin_batch_of(Some("promo"), audience).await);
    desk.publish_batch(first, BatchState::Scheduled, Origin::SERVER, desk.now()).await.unwrap();
    let late = desk.publish_batch(second, BatchState::Running, Origin::SERVER, desk.now()).await;
    assert!(matches!(late, Err(Error::NameTaken { name }) if name == "promo"));
    assert_eq!(desk.batches(None).await.unwrap().len(), 1);
}

async fn publishing_twice_changes_nothing(desk: Desk) {
    let audience = desk.audience(None, 1).await;
    for name in [Some("promo"), None] {
        let batch = desk.begin_batch_of(name, audience).await;
        desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
        let running = vec![BatchState::Running];
        desk.move_batch(batch, running, BatchState::Cancelling, None, desk.now()).await.unwrap();
        desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
        assert_eq!(desk.batch(batch).await.unwrap().unwrap().state, BatchState::Cancelling, "{name:?}");
    }
}

async fn skipped_recipients_get_a_message_with_the_reason(desk: Desk) {
    let audience = desk.audience(None, 10).await;
    let wishes = [1, 2, 3].map(|n| OptOut {
        address: msisdn(n).into(),
        of: WishSubject::EVERYTHING,
        since: desk.now(),
        from: OptOutSource::Operator,
        source: "STOP".to_owned(),
    });
    desk.opt_out(wishes.to_vec()).await.unwrap();
    let batch = desk.begin_batch_of(None, audience).await;
    let whole = desk.spread_of(batch, audience, 10).await;
    // A list may name recipients outside of the piece; they do not matter.
    let excluded = vec![3, 7, 4_000];
    let start = Start { gives_up: Some(at(60)), ..whole.start.clone() };
    for (from, until) in [(0, 4), (4, 10)] {
        let piece = PieceOfMessages {
            from,
            until,
            base: 100,
            excluded: excluded.clone(),
            lacking: vec![9, 4_000],
            start: start.clone(),
            ..whole.clone()
        };
        assert_eq!(desk.write_messages(piece).await.unwrap(), until - from);
    }
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    let all = desk.load((100..110).map(|n| MessageKey { batch, n }).collect()).await.unwrap();
    for (n, message) in (0..).zip(&all) {
        assert_eq!((message.key.n, message.address, message.version), (100 + n, msisdn(n).into(), 0));
        let skipped = |reason| State::Done { outcome: Outcome::Skipped, skipped: Some(reason), at: at(0) };
        let state = match n {
            3 | 7 => skipped(SkipReason::Excluded),
            1 | 2 => skipped(SkipReason::OptedOut),
            9 => skipped(SkipReason::MissingVariable),
            _ => State::Queued { not_before: at(0), gives_up: Some(at(60)) },
        };
        assert_eq!(message.present, Present { state, ..Present::queued(at(0), None) });
    }
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().messages, 10);
    let kept = desk.tallies(batch).await.unwrap();
    assert_eq!((kept.total(Count::SkippedOptedOut), kept.total(Count::SkippedExcluded)), (2, 2));
    assert_eq!(kept.total(Count::SkippedMissingVariable), 1);
    assert_eq!(kept.done() + kept.total(Count::Queued), 10);
    desk.counters_equal_rows(batch, 110).await;
    assert_eq!(
        desk.message_facts(all[5].key).await.unwrap().and_then(|whole| whole.recipient).as_ref(),
        rows(5..6).first()
    );
}

async fn messages_begin_as_the_route_says_for_their_country(desk: Desk) {
    let audience = desk.begin(None).await;
    let countries = ["SG", "CN", "MY", "SG", "VN", "CN", "CN", "VN", "VN"];
    let rows = recipients(0..9).into_iter().zip(countries);
    let rows = rows.map(|(row, country)| Recipient { country: country.parse().unwrap(), ..row });
    desk.add_recipients(audience, 0, rows.collect()).await.unwrap();
    desk.publish_audience(audience, 9, "{}".to_owned()).await.unwrap();
    let opt_out = |n| OptOut {
        address: msisdn(n).into(),
        of: WishSubject::EVERYTHING,
        since: desk.now(),
        from: OptOutSource::Operator,
        source: "STOP".to_owned(),
    };
    desk.opt_out(vec![opt_out(5), opt_out(7)]).await.unwrap();

    let batch = desk.begin_batch_of(None, audience).await;
    let viber = desk.lane("vb", Channel::Viber).await;
    let spread = desk.spread_of(batch, audience, 9).await;
    let not_for =
        |steps: &[u8]| steps.iter().fold(Marks::default(), |marks, index| marks.with_passed_over(step(*index)));
    let (china, malaysia, vietnam) = (not_for(&[0]), not_for(&[1]), not_for(&[0, 1, 2]));
    let second = Start {
        step: step(1),
        marks: china,
        lanes: vec![viber],
        not_before: at(0),
        gives_up: Some(at(9)),
        skipped: None,
    };
    let elsewhere = vec![
        ("CN".parse().unwrap(), second),
        ("MY".parse().unwrap(), Start { marks: malaysia, ..spread.start.clone() }),
        ("VN".parse().unwrap(), Start { marks: vietnam, skipped: Some(SkipReason::NoStep), ..spread.start.clone() }),
    ];
    let spread = PieceOfMessages { elsewhere, excluded: vec![6, 8], ..spread };
    for (from, until) in [(0, 3), (2, 9)] {
        desk.write_messages(PieceOfMessages { from, until, ..spread.clone() }).await.unwrap();
    }
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();

    let queued = |gives_up| State::Queued { not_before: at(0), gives_up };
    let skipped = |reason| State::Done { outcome: Outcome::Skipped, skipped: Some(reason), at: at(0) };
    let expected = [
        (queued(None), 0, Marks::default()),
        (queued(Some(at(9))), 1, china),
        (queued(None), 0, malaysia),
        (queued(None), 0, Marks::default()),
        (skipped(SkipReason::NoStep), 0, vietnam),
        (skipped(SkipReason::OptedOut), 1, china),
        (skipped(SkipReason::Excluded), 1, china),
        (skipped(SkipReason::OptedOut), 0, vietnam),
        (skipped(SkipReason::Excluded), 0, vietnam),
    ];
    let all = desk.all(batch, 9).await;
    for (message, (state, index, marks)) in all.iter().zip(expected) {
        assert_eq!((message.present.state, message.present.step, message.present.marks), (state, step(index), marks));
    }
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().messages, 9);
    desk.counters_equal_rows(batch, 9).await;
    let kept = desk.tallies(batch).await.unwrap();
    assert_eq!((kept.total(Count::SkippedNoStep), kept.get(step(0), Count::PassedOver)), (1, 6));
    assert_eq!((kept.total(Count::EnteredFirst), kept.total(Count::NeverEntered)), (6, 3));
    assert_eq!((kept.beginning_at(step(0)), kept.beginning_at(step(1))), (3, 1), "those who are claimed below");
    assert_eq!(numbers(&messages(&desk.claimed(batch, 9).await)), [0, 2, 3]);
    let mut claim = Claim { lane: viber, ..desk.claim_of(batch, 9).await };
    claim.queues = vec![queue(&claim, batch, 1)];
    assert_eq!(numbers(&messages(&desk.claim(claim).await.unwrap())), [1]);
}

async fn the_phone_number_decides_the_lane_of_a_pool(desk: Desk) {
    let audience = desk.audience(None, 9).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let whole = desk.spread_of(batch, audience, 9).await;
    let mut lanes = Vec::new();
    for name in ["a", "b", "a", "a", "c"] {
        lanes.push(desk.lane(name, Channel::WhatsApp).await);
    }
    let start = Start { lanes: lanes.clone(), ..whole.start.clone() };
    desk.write_messages(PieceOfMessages { start, ..whole }).await.unwrap();
    for message in desk.all(batch, 9).await {
        let place = usize::try_from(message.address.get() % 5).unwrap();
        assert_eq!((message.lane, message.country), (lanes[place], "SG".parse().unwrap()));
    }
}

async fn a_left_out_recipient_gets_no_message_and_shifts_no_numbers(desk: Desk) {
    let audience = desk.audience(None, 6).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let whole =
        PieceOfMessages { left_out: vec![0, 4], excluded: vec![4, 5], ..desk.spread_of(batch, audience, 6).await };
    assert_eq!(desk.write_messages(whole.clone()).await.unwrap(), 4);
    assert_eq!(desk.write_messages(whole).await.unwrap(), 0);
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    let all = desk.all(batch, 6).await;
    assert_eq!(numbers(&all), [1, 2, 3, 5]);
    assert!(all.iter().all(|message| message.address == msisdn(message.key.n)));
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().messages, 4);
    desk.counters_equal_rows(batch, 6).await;
    assert_eq!(numbers(&messages(&desk.claimed(batch, 10).await)), [1, 2, 3]);
}

async fn a_piece_that_is_written_twice_counts_once(desk: Desk) {
    let audience = desk.audience(None, 6).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let spread = PieceOfMessages { excluded: vec![2], ..desk.spread_of(batch, audience, 6).await };
    assert_eq!(desk.write_messages(spread.clone()).await.unwrap(), 6);
    assert_eq!(desk.write_messages(spread).await.unwrap(), 0);
    desk.publish_batch(batch, BatchState::Draft, Origin::SERVER, desk.now()).await.unwrap();
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().messages, 6);
    desk.counters_equal_rows(batch, 6).await;
}

async fn a_piece_that_overlaps_another_counts_only_new_messages(desk: Desk) {
    let audience = desk.audience(None, 9).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let whole = PieceOfMessages { excluded: vec![2, 5], ..desk.spread_of(batch, audience, 9).await };
    assert_eq!(desk.write_messages(PieceOfMessages { from: 2, until: 4, ..whole.clone() }).await.unwrap(), 2);
    assert_eq!(desk.write_messages(whole).await.unwrap(), 7);
    desk.publish_batch(batch, BatchState::Draft, Origin::SERVER, desk.now()).await.unwrap();
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().messages, 9);
    desk.counters_equal_rows(batch, 9).await;
}

async fn a_batch_moves_only_from_an_expected_state(desk: Desk) {
    use BatchState::{Cancelled, Cancelling, Paused, Running};
    let batch = desk.batch_of(1).await;
    let ann = Some(Origin::operator("Ann", None));
    let moved = desk.move_batch(batch, vec![Cancelling, Running], Paused, ann.clone(), desk.now()).await.unwrap();
    assert_eq!(moved, Some(desk.seq().await.unwrap()));
    let found = desk.batch(batch).await.unwrap().unwrap();
    assert_eq!((found.state, found.origin.clone()), (Paused, ann));
    assert_eq!(desk.move_batch(batch, vec![Running, Cancelling], Cancelled, None, desk.now()).await.unwrap(), None);
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().state, Paused);
    assert_eq!(desk.move_batch(BatchId(999), vec![Running], Paused, None, desk.now()).await.unwrap(), None);
    // A refused move is no event.
    assert_eq!(event_kinds(&desk).await, [EventKind::Launched, EventKind::Paused]);
    let paused = desk.events(Cursor::START, 9).await.unwrap().remove(1).1;
    assert_eq!((Some(paused.origin), paused.subject.is_of_batch(batch)), (found.origin, true));
}

pub(super) async fn event_kinds(desk: &Desk) -> Vec<EventKind> {
    desk.events(Cursor::START, 100).await.unwrap().into_iter().map(|(_, event)| event.kind).collect()
}

async fn times_are_set_at_the_first_entry_into_a_state_only(desk: Desk) {
    use BatchState::{Cancelled, Cancelling, Finished, Paused, Running, Scheduled, Settled};
    let audience = desk.audience(None, 1).await;
    let batch = desk.begin_batch_of(None, audience).await;
    desk.publish_batch(batch, Scheduled, Origin::SERVER, desk.now()).await.unwrap();
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().started_at, None);
    for (second, from, to) in [(1, Scheduled, Running), (2, Running, Paused), (3, Paused, Running)] {
        desk.move_batch(batch, vec![from], to, None, at(second)).await.unwrap();
    }
    for (second, from, to) in [(4, Running, Finished), (5, Finished, Settled)] {
        desk.move_batch(batch, vec![from], to, None, at(second)).await.unwrap();
    }
    let found = desk.batch(batch).await.unwrap().unwrap();
    assert_eq!((found.started_at, found.finished_at, found.settled_at), (Some(at(1)), Some(at(4)), Some(at(5))));
    assert_eq!(found.cancelled_at, None);
    let other = desk.batch_of(1).await;
    for (second, from, to) in [(6, Running, Cancelling), (7, Cancelling, Cancelled), (8, Cancelled, Cancelled)] {
        desk.move_batch(other, vec![from], to, None, at(second)).await.unwrap();
    }
    let found = desk.batch(other).await.unwrap().unwrap();
    assert_eq!((found.cancelled_at, found.settled_at), (Some(at(6)), Some(at(8))));
    let one = [
        EventKind::Scheduled { starts_at: None },
        EventKind::Started,
        EventKind::Paused,
        EventKind::Resumed,
        EventKind::Finished,
        EventKind::Settled,
    ];
    let other = [EventKind::Launched, EventKind::Cancelled, EventKind::CancelSwept, EventKind::Settled];
    assert_eq!(event_kinds(&desk).await, [&one[..], &other].concat());
}

async fn batches_are_listed_by_state_in_order_of_launch(desk: Desk) {
    use BatchState::{Cancelled, Draft, Running, Settled};
    let audience = desk.audience(None, 1).await;
    let mut ids = Vec::new();
    for state in [Running, Draft, Settled, Running, Cancelled] {
        let batch = desk.begin_batch_of(None, audience).await;
        desk.publish_batch(batch, state, Origin::SERVER, desk.now()).await.unwrap();
        ids.push(batch);
    }
    let listed = async |states| -> Vec<BatchId> {
        desk.batches(states).await.unwrap().into_iter().map(|batch| batch.id).collect()
    };
    assert_eq!(listed(None).await, ids);
    assert_eq!(listed(Some(vec![Draft, Running])).await, [ids[0], ids[1], ids[3]]);
    assert_eq!(listed(Some(vec![Settled, Cancelled])).await, [ids[2], ids[4]]);
    assert!(listed(Some(vec![])).await.is_empty());
}

async fn test_sends_are_told_from_campaigns(desk: Desk) {
    let audience = desk.audience(None, 1).await;
    let mut made = Vec::new();
    for (name, is_test) in [("promo", false), ("a test", true), ("hidden", true)] {
        let plan = Plan { is_test, ..plan() };
        let (name, audience_ids, now) = (Some(name.to_owned()), vec![audience], desk.now());
        let (starts_at, open_until) = (None, None);
        let new = NewBatch {
            tag: tag(),
            plan,
            name,
            audience: "people".to_owned(),
            audience_ids,
            starts_at,
            open_until,
            now,
        };
        made.push(desk.begin_batch(new).await.unwrap());
    }
    for batch in &made[..2] {
        desk.publish_batch(*batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    }
    assert_eq!(desk.test_batches().await.unwrap(), [made[1]].into());
}

async fn every_decision_about_a_batch_raises_the_sequence(desk: Desk) {
    let before = desk.seq().await.unwrap();
    let batch = desk.batch_of(1).await;
    let published = desk.seq().await.unwrap();
    assert!(published > before);
    desk.move_batch(batch, vec![BatchState::Draft], BatchState::Running, None, desk.now()).await.unwrap();
    assert_eq!(desk.seq().await.unwrap(), published, "no decision was made");
    desk.move_batch(batch, vec![BatchState::Running], BatchState::Paused, None, desk.now()).await.unwrap();
    assert!(desk.seq().await.unwrap() > published);
}

async fn an_amendment_applies_to_its_edition_and_keeps_the_earlier_plan(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let seq = desk.seq().await.unwrap();
    let amendment = |edition, end: i64| Amendment {
        batch,
        edition,
        plan: Plan { end: Some(at(end)), ..plan() },
        starts_at: None,
        origin: Origin::operator("Ann", None),
        changes: vec![ChangedKey { step: None, key: "end".to_owned(), before: String::new(), after: end.to_string() }],
        now: at(1),
    };
    assert!(desk.amend(amendment(0, 50)).await.unwrap().unwrap() > seq);
    assert_eq!(desk.amend(amendment(0, 60)).await.unwrap(), None, "another amendment was faster");
    assert!(desk.amend(amendment(1, 70)).await.unwrap().is_some());
    assert_eq!(desk.plan(batch).await.unwrap().unwrap().end, Some(at(70)));
    let found = desk.batch(batch).await.unwrap().unwrap();
    assert_eq!((found.edition, found.starts_at), (2, None));
    let moved = Amendment { starts_at: Some(at(2)), ..amendment(2, 80) };
    assert_eq!(desk.amend(moved).await.unwrap(), None, "the start of a started batch cannot be moved");
    let kept = desk.editions(batch).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|edition| (edition.plan.end, edition.until)).collect();
    assert_eq!(kept, [(None, at(1)), (Some(at(50)), at(1))]);
    // After its end, or once it is finished, a batch cannot be changed.
    let late = Amendment { now: at(70), ..amendment(2, 90) };
    assert_eq!(desk.amend(late).await.unwrap(), None);
    desk.move_batch(batch, vec![BatchState::Running], BatchState::Finished, None, at(2)).await.unwrap();
    assert_eq!(desk.amend(amendment(2, 90)).await.unwrap(), None);
    let other = desk.batch_of(1).await;
    assert!(desk.editions(other).await.unwrap().is_empty());
}

/// A change of what a batch sends.
fn correction(batch: BatchId, edition: u32) -> Amendment {
    let origin = Origin::operator("Ann", None);
    Amendment { batch, edition, plan: plan(), starts_at: None, origin, changes: Vec::new(), now: at(1) }
}

async fn what_is_sent_is_corrected_until_the_first_claim(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let found = async || desk.batch(batch).await.unwrap().unwrap();
    assert!(desk.correct(correction(batch, 0), false).await.unwrap().is_some(), "it runs, and nothing is claimed");
    assert_eq!((found().await.state, found().await.started_at), (BatchState::Running, Some(at(0))));
    assert!(desk.correct(correction(batch, 1), true).await.unwrap().is_some());
    let again = found().await;
    assert_eq!((again.state, again.edition, again.started_at), (BatchState::Draft, 2, None));
    let kinds: Vec<_> =
        desk.events_before(Some(batch), None, 2).await.unwrap().into_iter().map(|(_, event)| event.kind).collect();
    assert_eq!(kinds, [EventKind::Drafted, EventKind::Changed { changes: Vec::new() }], "latest first");
    assert!(desk.claimed(batch, 1).await.messages.is_empty(), "of a draft, nothing is claimed");
    assert_eq!(found().await.texts_final_at, None);
    let by = Origin::operator("Eve", None);
    desk.start_draft(batch, 2, BatchState::Running, by, at(2)).await.unwrap().unwrap();
    desk.clock.advance(Span::from_secs(3));
    assert_eq!(desk.claimed(batch, 1).await.messages.len(), 1);
    let final_at = found().await.texts_final_at;
    assert_eq!(final_at, Some(desk.now()));
    assert_eq!(desk.correct(correction(batch, 2), false).await.unwrap(), None);
    desk.clock.advance(Span::from_secs(1));
    assert_eq!(desk.claimed(batch, 1).await.messages.len(), 1);
    assert_eq!((found().await.edition, found().await.texts_final_at), (2, final_at), "only the first claim counts");
}

async fn nothing_is_claimed_under_a_former_plan(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let claim = desk.claim_of(batch, 2).await;
    let under = |edition| Claim { editions: [(batch, edition)].into(), ..claim.clone() };
    desk.correct(correction(batch, 0), false).await.unwrap().unwrap();
    let set = desk.claim(under(0)).await.unwrap();
    assert!(set.messages.is_empty() && set.referred.is_empty());
    assert_eq!(set.rests, [(claim.queues[0], Rest::Stuck)]);
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().texts_final_at, None);
    assert_eq!(desk.claim(under(1)).await.unwrap().messages.len(), 2);
}

async fn the_start_of_a_scheduled_batch_can_be_moved(desk: Desk) {
    let audience = desk.audience(None, 1).await;
    let batch = desk.begin_batch_of(None, audience).await;
    desk.publish_batch(batch, BatchState::Scheduled, Origin::SERVER, desk.now()).await.unwrap();
    let (origin, starts_at) = (Origin::SERVER, Some(at(9)));
    let amendment = Amendment { batch, edition: 0, plan: plan(), starts_at, origin, changes: Vec::new(), now: at(1) };
    assert!(desk.amend(amendment).await.unwrap().is_some());
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().starts_at, Some(at(9)));
}

async fn after_the_end_no_first_submission_is_claimed(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let first = messages(&desk.claimed(batch, 1).await).remove(0);
    // The submitted one returns to its queue: the campaign's `end` does not apply to it.
    let state = State::Queued { not_before: at(0), gives_up: None };
    let back = Present { state, first_submitted_at: Some(at(0)), ..first.present };
    desk.record(vec![change(&first, back)]).await.unwrap();
    let plan = Plan { end: Some(at(5)), ..plan() };
    let amendment =
        Amendment { batch, edition: 0, plan, starts_at: None, origin: Origin::SERVER, changes: Vec::new(), now: at(0) };
    desk.amend(amendment).await.unwrap().unwrap();
    desk.clock.advance(Span::from_secs(5));
    assert_eq!(numbers(&messages(&desk.claimed(batch, 10).await)), [first.key.n]);
}

async fn postponed_messages_brought_forward_keep_their_leave_within(desk: Desk) {
    let batch = desk.batch_of(4).await;
    let within = Span::from_secs(10);
    let all = desk.all(batch, 4).await;
    let put_off = |to: i64, gives_up: i64| State::Queued { not_before: at(to), gives_up: Some(at(gives_up)) };
    let places = [put_off(100, 110), put_off(100, 105), put_off(3, 13)];
    let changes = all.iter().zip(places).map(|(row, state)| change(row, Present { state, ..row.present }));
    desk.record(changes.collect()).await.unwrap();
    let queue = desk.claim_of(batch, 1).await.queues[0];
    let seq = desk.seq().await.unwrap();
    assert_eq!(desk.bring_forward(queue, at(5), Some(within), 1).await.unwrap(), 1);
    assert_eq!(desk.bring_forward(queue, at(5), Some(within), 9).await.unwrap(), 1);
    assert!(desk.seq().await.unwrap() > seq, "the decision makes the lanes look");
    assert_eq!(desk.bring_forward(queue, at(5), Some(within), 9).await.unwrap(), 0);
    let rows = desk.all(batch, 4).await;
    let is: Vec<_> = rows.iter().map(|row| (row.present.state, row.version)).collect();
    // A message that begins then has ten seconds; one that has waited keeps its remaining time.
    let expected = [(put_off(5, 15), 2), (put_off(5, 105), 2), (put_off(3, 13), 1), (all[3].present.state, 0)];
    assert_eq!(is, expected);
}
