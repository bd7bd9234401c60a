//! Tests receipts: any of their ids finds the attempt, and they are stored once, with their decisions.

use super::*;
use crate::base::domain::{AttemptId, Charge, Ending, Money, Outcome};
use crate::rules::engine::{Ignored, Made, Ruling};
use crate::store::{FoundAttempt, Key, Nameless, NamingLane, Receipt, Stray, StrayKind};

for_every_store!(
    an_attempt_is_found_by_our_own_id_with_its_tag,
    our_own_id_with_the_umid_of_another_attempt_finds_nothing,
    an_attempt_is_found_by_a_umid_of_any_form,
    a_number_finds_the_only_unknown_attempt_on_its_channel,
    a_number_finds_neither_of_two_unknown_attempts,
    a_number_finds_no_attempt_outside_the_begin_times,
    attempts_outside_the_begin_times_do_not_count_as_second,
    a_number_finds_no_attempt_of_an_excepted_lane,
    a_naming_lane_is_replaced_when_its_account_or_address_changes,
    keys_of_all_kinds_are_resolved_in_order,
    a_repeated_receipt_is_stored_and_applied_once,
    of_two_equal_receipts_the_one_about_the_later_try_counts,
    a_receipt_adds_a_missing_umid_to_its_attempt,
    a_receipt_adds_its_umid_to_the_try_that_it_names,
    a_second_unknown_try_is_listed_once,
    a_receipt_adds_its_umid_to_an_attempt_of_the_same_call,
    receipts_with_any_difference_but_arrival_are_stored_apart,
    a_receipt_is_stored_only_with_its_decision,
    a_receipt_keeps_what_the_message_cost,
    strays_are_listed_by_kind_in_order_until_they_are_deleted,
    strays_are_counted_and_deleted_when_old,
);

fn receipt(key: MessageKey, state: &str) -> Receipt {
    Receipt {
        key,
        step: StepIndex::FIRST,
        stamp: at(2),
        state: state.to_owned(),
        detail: "DELIVERED_TO_HANDSET".to_owned(),
        code: 0,
        received: at(3),
        tries: Some(0),
        umid: None,
        charge: None,
        ruling: Ruling::default(),
    }
}

/// The details of a message and its receipt may be the same report, and either may say more.
async fn a_receipt_keeps_what_the_message_cost(desk: Desk) {
    let batch = submitted(&desk, 1, true).await;
    let key = MessageKey { batch, n: 0 };
    let charge = Charge {
        price: Some(Money::from_millionths(2_400)),
        currency: Some("EUR".into()),
        parts: Some(2),
        category: Some("utility".into()),
    };
    let says = |charge: Charge| Receipt { charge: Some(Box::new(charge)), ..receipt(key, "delivered") };
    let amount = Charge { price: charge.price, ..Charge::default() };
    let dollars = Charge { price: Some(Money::from_millionths(9)), currency: Some("USD".into()), ..Charge::default() };
    let priced = Charge { currency: charge.currency.clone(), ..amount.clone() };
    for (report, kept) in [(&amount, &amount), (&dollars, &amount), (&priced, &priced), (&dollars, &priced)] {
        let report = Receipt { stamp: at(77), ..says(report.clone()) };
        desk.take_receipts(vec![report], Vec::new(), Vec::new()).await.unwrap();
        let stored = desk.receipts(key).await.unwrap();
        let stored = stored.iter().find(|receipt| receipt.stamp == at(77)).unwrap();
        assert_eq!(stored.charge.as_deref(), Some(kept));
    }
    let batch = submitted(&desk, 1, true).await;
    let key = MessageKey { batch, n: 0 };
    let says = |charge: Charge| Receipt { charge: Some(Box::new(charge)), ..receipt(key, "delivered") };
    let category = Charge { category: charge.category.clone(), ..Charge::default() };
    let price = Charge { category: None, ..charge.clone() };
    let other = Charge { price: Some(Money::from_millionths(1)), ..charge.clone() };
    let reports = [receipt(key, "delivered"), says(category.clone()), says(price), says(other)];
    for (report, kept) in reports.into_iter().zip([None, Some(&category), Some(&charge), Some(&charge)]) {
        desk.take_receipts(vec![report], Vec::new(), Vec::new()).await.unwrap();
        let stored = desk.receipts(key).await.unwrap();
        assert_eq!(stored.iter().map(|receipt| receipt.charge.as_deref()).collect::<Vec<_>>(), [kept]);
    }
}

fn delivered(message: &Loaded, now: Timestamp) -> Change {
    let index = message.present.step;
    let marks = message.present.marks.with_unknown(index, false).with_status(index, Status::Delivered);
    let state = State::Done { outcome: Outcome::Reached, skipped: None, at: now };
    change(message, Present { state, marks: marks.with_ending(index, Ending::Success), ..message.present })
}

/// A batch of submitted messages, all accepted or all unknown.
async fn submitted(desk: &Desk, messages: u32, known: bool) -> BatchId {
    let batch = desk.batch_of(messages).await;
    let all = super::messages(&desk.claimed(batch, messages).await);
    let record = if known { accepted } else { unknown };
    desk.record(all.iter().map(|message| record(message, at(1))).collect()).await.unwrap();
    batch
}

/// A key for an attempt that began at any time, by any lane.
fn by_number(msisdn: Msisdn, channel: Channel) -> Key {
    Key::Number(at_any_time(msisdn, channel))
}

fn at_any_time(msisdn: Msisdn, channel: Channel) -> Nameless {
    let begun_after = Timestamp::from_millis(i64::MIN);
    Nameless { msisdn, channel, begun_after, begun_before: Timestamp::MAX, except: Arc::default() }
}

fn named(id: AttemptId, umid: Option<Umid>) -> Key {
    Key::Attempt { id, umid }
}

fn keys(found: &[Option<FoundAttempt>]) -> Vec<Option<(BatchId, u32, u8)>> {
    let key = |found: FoundAttempt| (found.message.key.batch, found.message.key.n, found.step.get());
    found.iter().map(|found| found.map(key)).collect()
}

async fn an_attempt_is_found_by_our_own_id_with_its_tag(desk: Desk) {
    let batch = submitted(&desk, 2, true).await;
    let id = |n, tag| named(AttemptId { key: MessageKey { batch, n }, step: StepIndex::FIRST, tag }, None);
    let other = Tag::from_random(7);
    let found = desk.find(vec![id(1, tag()), id(1, other), id(9, tag()), id(0, tag())]).await.unwrap();
    assert_eq!(keys(&found), [Some((batch, 1, 0)), None, None, Some((batch, 0, 0))]);
    assert_eq!(found[0].unwrap().message.version, 2);
}

/// After a restore, two attempts may have had the same id.
async fn our_own_id_with_the_umid_of_another_attempt_finds_nothing(desk: Desk) {
    let (known, unknown) = (submitted(&desk, 2, true).await, submitted(&desk, 1, false).await);
    let id = |batch, n, step| AttemptId { key: MessageKey { batch, n }, step, tag: tag() };
    let first = |batch, n| id(batch, n, StepIndex::FIRST);
    let found = desk
        .find(vec![
            named(first(known, 0), Some(umid(0))),
            named(first(known, 0), Some(umid(77))),
            // The umid of another message of ours leads to that one, by itself.
            named(first(known, 0), Some(umid(1))),
            named(first(known, 0), None),
            // Its umid is still to be learned.
            named(first(unknown, 0), Some(umid(77))),
            // A step without a submission has no umid to compare.
            named(id(known, 0, step(1)), Some(umid(77))),
        ])
        .await
        .unwrap();
    let place = |batch, n, step| Some((batch, n, step));
    let expected = [place(known, 0, 0), None, None, place(known, 0, 0), place(unknown, 0, 0), place(known, 0, 1)];
    assert_eq!(keys(&found), expected);
    // While a further try waits or is in flight, its umid is not known yet.
    let queued = desk.batch_of(1).await;
    let claimed = messages(&desk.claimed(queued, 1).await);
    let sending = desk.find(vec![named(first(queued, 0), Some(umid(77)))]).await.unwrap();
    assert_eq!(keys(&sending), [place(queued, 0, 0)]);
    desk.record(vec![accepted(&claimed[0], at(1))]).await.unwrap();
    let awaiting = desk.find(vec![named(first(queued, 0), Some(umid(77)))]).await.unwrap();
    assert_eq!(keys(&awaiting), [None]);
}

async fn an_attempt_is_found_by_a_umid_of_any_form(desk: Desk) {
    let batch = desk.batch_of(4).await;
    let all = messages(&desk.claimed(batch, 4).await);
    let umids = ["5f1d3c2e-8b7a-4c6d-9e0f-112233445566", "5F1D3C2E-8B7A-4C6D-9E0F-112233445566", "wamid.HB\"=", "7"];
    let changes = all.iter().zip(umids).map(|(message, umid)| {
        let sent = accepted(message, at(1));
        let fact = sent.fact.clone().map(|fact| Attempt { umid: Some(Umid::new(umid)), ..fact });
        Change { fact, ..sent }
    });
    desk.record(changes.collect()).await.unwrap();
    let asked = [umids[2], "unknown", umids[1], umids[0], umids[3], umids[0]];
    let found = desk.find(asked.map(|umid| Key::Umid(Umid::new(umid))).to_vec()).await.unwrap();
    let at = |n| Some((batch, n, 0));
    assert_eq!(keys(&found), [at(2), None, at(1), at(0), at(3), at(0)]);
    assert_eq!(desk.attempts(vec![all[2].key]).await.unwrap().concat()[0].umid, Some(Umid::new(umids[2])));
}

async fn a_number_finds_the_only_unknown_attempt_on_its_channel(desk: Desk) {
    let batch = submitted(&desk, 2, false).await;
    let asked = vec![
        by_number(msisdn(1), Channel::WhatsApp),
        by_number(msisdn(1), Channel::Sms),
        by_number(msisdn(50), Channel::WhatsApp),
        by_number(msisdn(0), Channel::WhatsApp),
    ];
    let found = desk.find(asked.clone()).await.unwrap();
    assert_eq!(keys(&found), [Some((batch, 1, 0)), None, None, Some((batch, 0, 0))]);
    let now = desk.one(batch, 1).await;
    desk.record(vec![delivered(&now, at(4))]).await.unwrap();
    assert_eq!(keys(&desk.find(asked).await.unwrap()), [None, None, None, Some((batch, 0, 0))]);
}

async fn a_number_finds_neither_of_two_unknown_attempts(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let claimed = messages(&desk.claimed(batch, 1).await);
    // The same recipient has unknown attempts in many other batches, on another channel.
    for _ in 0..25 {
        let other = desk.batch_of(1).await;
        let first = messages(&desk.claimed(other, 1).await);
        let viber = Loaded { present: Present { step: step(1), ..first[0].present }, ..first[0] };
        desk.record(vec![Change { before: first[0].present, ..unknown(&viber, at(1)) }]).await.unwrap();
    }
    desk.record(vec![unknown(&claimed[0], at(1))]).await.unwrap();
    let whatsapp = vec![by_number(msisdn(0), Channel::WhatsApp)];
    assert_eq!(keys(&desk.find(whatsapp.clone()).await.unwrap()), [Some((batch, 0, 0))]);
    submitted(&desk, 1, false).await;
    assert_eq!(keys(&desk.find(whatsapp).await.unwrap()), [None]);
}

async fn a_number_finds_no_attempt_outside_the_begin_times(desk: Desk) {
    let batch = submitted(&desk, 1, false).await;
    let (begun, moment) = (at(1), Span::from_millis(1));
    let any = || at_any_time(msisdn(0), Channel::WhatsApp);
    let asked = [
        Nameless { begun_before: begun, ..any() },
        Nameless { begun_before: begun + moment, ..any() },
        Nameless { begun_after: begun, ..any() },
        Nameless { begun_after: begun - moment, ..any() },
    ];
    let only = Some((batch, 0, 0));
    let found = desk.find(asked.map(Key::Number).to_vec()).await.unwrap();
    assert_eq!(keys(&found), [None, only, None, only]);
}

async fn attempts_outside_the_begin_times_do_not_count_as_second(desk: Desk) {
    let mut batches = Vec::new();
    for begun in [1, 9] {
        let batch = desk.batch_of(1).await;
        let all = messages(&desk.claimed(batch, 1).await);
        desk.record(all.iter().map(|message| unknown(message, at(begun))).collect()).await.unwrap();
        batches.push(batch);
    }
    let any = || at_any_time(msisdn(0), Channel::WhatsApp);
    let asked = [any(), Nameless { begun_before: at(5), ..any() }, Nameless { begun_after: at(5), ..any() }];
    let found = desk.find(asked.map(Key::Number).to_vec()).await.unwrap();
    assert_eq!(keys(&found), [None, Some((batches[0], 0, 0)), Some((batches[1], 0, 0))]);
}

async fn a_number_finds_no_attempt_of_an_excepted_lane(desk: Desk) {
    let batch = submitted(&desk, 1, false).await;
    let any = || at_any_time(msisdn(0), Channel::WhatsApp);
    let except = |lane: &str| Nameless { except: Arc::new([lane.to_owned()].into()), ..any() };
    let asked = vec![Key::Number(except("wa")), Key::Number(except("vb"))];
    assert_eq!(keys(&desk.find(asked).await.unwrap()), [None, Some((batch, 0, 0))]);
}

async fn a_naming_lane_is_replaced_when_its_account_or_address_changes(desk: Desk) {
    let lane = |sub_account: &str, base_url: &str, since| NamingLane {
        lane: "wa".to_owned(),
        sub_account: sub_account.to_owned(),
        base_url: base_url.to_owned(),
        since: at(since),
    };
    assert_eq!(desk.naming_lanes().await.unwrap(), []);
    for (kept, stands) in [
        (lane("acme", "https://a.example", 1), lane("acme", "https://a.example", 1)),
        (lane("acme", "https://a.example", 2), lane("acme", "https://a.example", 1)),
        (lane("other", "https://a.example", 3), lane("other", "https://a.example", 3)),
        (lane("other", "https://b.example", 4), lane("other", "https://b.example", 4)),
    ] {
        desk.keep_naming_lanes(vec![kept]).await.unwrap();
        assert_eq!(desk.naming_lanes().await.unwrap(), [stands]);
    }
}

async fn keys_of_all_kinds_are_resolved_in_order(desk: Desk) {
    let known = submitted(&desk, 3, true).await;
    let lost = submitted(&desk, 3, false).await;
    let id = AttemptId { key: MessageKey { batch: lost, n: 2 }, step: StepIndex::FIRST, tag: tag() };
    let asked = vec![
        Key::Umid(umid(2)),
        by_number(msisdn(0), Channel::WhatsApp),
        named(id, None),
        Key::Umid(umid(77)),
        Key::Umid(umid(0)),
    ];
    let found = desk.find(asked).await.unwrap();
    assert_eq!(keys(&found), [Some((known, 2, 0)), Some((lost, 0, 0)), Some((lost, 2, 0)), None, Some((known, 0, 0))]);
    assert!(desk.find(Vec::new()).await.unwrap().is_empty());
}

async fn a_repeated_receipt_is_stored_and_applied_once(desk: Desk) {
    let batch = submitted(&desk, 2, true).await;
    let now = desk.one(batch, 0).await;
    let receipts = vec![receipt(now.key, "delivered"), receipt(now.key, "delivered")];
    let late = desk.take_receipts(receipts.clone(), Vec::new(), vec![delivered(&now, at(4))]).await.unwrap();
    assert!(late.is_empty());
    let late = desk.take_receipts(receipts, Vec::new(), vec![delivered(&now, at(4))]).await.unwrap();
    assert_eq!(late, [now.key]);
    assert_eq!(desk.receipts(now.key).await.unwrap(), [receipt(now.key, "delivered")]);
    assert_eq!(desk.one(batch, 0).await.version, now.version + 1);
    desk.counters_equal_rows(batch, 2).await;
}

/// Both copies of a message that was sent twice expire at the same time.
async fn of_two_equal_receipts_the_one_about_the_later_try_counts(desk: Desk) {
    let batch = submitted(&desk, 2, true).await;
    let about = |n: u32, tries: u16, made| {
        let key = MessageKey { batch, n };
        let received = at(3 + i64::from(tries));
        let ruling = Ruling { made, ..Ruling::default() };
        Receipt { tries: Some(tries), received, ruling, ..receipt(key, "undelivered") }
    };
    let ignored = Made::Ignored(Ignored::NothingNew);
    // The superseded one comes first, and the other way round.
    for (n, order) in [(0, [(0, Made::Superseded), (1, ignored)]), (1, [(1, ignored), (0, Made::Superseded)])] {
        for (tries, made) in order {
            desk.take_receipts(vec![about(n, tries, made)], Vec::new(), Vec::new()).await.unwrap();
        }
        assert_eq!(desk.receipts(MessageKey { batch, n }).await.unwrap(), [about(n, 1, ignored)], "{n}");
    }
}

async fn a_receipt_adds_a_missing_umid_to_its_attempt(desk: Desk) {
    let lost = submitted(&desk, 2, false).await;
    let known = submitted(&desk, 1, true).await;
    let (lost, known) = (MessageKey { batch: lost, n: 1 }, MessageKey { batch: known, n: 0 });
    let with_umid = |key, n| Receipt { umid: Some(umid(n)), ..receipt(key, "sent") };
    desk.take_receipts(vec![with_umid(lost, 40), with_umid(known, 41)], Vec::new(), Vec::new()).await.unwrap();
    assert_eq!(desk.attempts(vec![lost]).await.unwrap().concat()[0].umid, Some(umid(40)));
    assert_eq!(desk.attempts(vec![known]).await.unwrap().concat()[0].umid, Some(umid(0)), "a known umid stays");
    assert_eq!(keys(&desk.find(vec![Key::Umid(umid(40))]).await.unwrap()), [Some((lost.batch, 1, 0))]);
    assert_eq!(keys(&desk.find(vec![by_number(msisdn(1), Channel::WhatsApp)]).await.unwrap()), [None]);
    assert_eq!(desk.unknown(lost.batch, 10).await.unwrap().len(), 1);
}

/// A message whose first try is unknown, and that was tried again with this result.
async fn tried_again(desk: &Desk, then: impl Fn(&Loaded, Timestamp) -> Change) -> MessageKey {
    let batch = submitted(desk, 1, false).await;
    let now = desk.one(batch, 0).await;
    let again = Loaded { present: Present { tries: 1, ..now.present }, ..now };
    desk.record(vec![Change { before: now.present, ..then(&again, at(5)) }]).await.unwrap();
    MessageKey { batch, n: 0 }
}

async fn a_receipt_adds_its_umid_to_the_try_that_it_names(desk: Desk) {
    let key = tried_again(&desk, unknown).await;
    let with_umid = |tries, n| Receipt { tries, umid: Some(umid(n)), ..receipt(key, "sent") };
    desk.take_receipts(vec![with_umid(Some(0), 40), with_umid(None, 42)], Vec::new(), Vec::new()).await.unwrap();
    let umids = async || {
        desk.attempts(vec![key]).await.unwrap().concat().into_iter().map(|attempt| attempt.umid).collect::<Vec<_>>()
    };
    assert_eq!(umids().await, [Some(umid(40)), None]);
    assert_eq!(desk.unknown(key.batch, 9).await.unwrap().len(), 1, "the second try is still unknown");
    desk.take_receipts(vec![with_umid(Some(1), 41)], Vec::new(), Vec::new()).await.unwrap();
    assert_eq!(umids().await, [Some(umid(40)), Some(umid(41))]);
    assert_eq!(desk.unknown(key.batch, 9).await.unwrap(), []);
    for n in [40, 41] {
        assert_eq!(keys(&desk.find(vec![Key::Umid(umid(n))]).await.unwrap()), [Some((key.batch, 0, 0))]);
    }
    // The try of a receipt may become known only later; once known, it stays.
    desk.take_receipts(vec![with_umid(None, 40)], Vec::new(), Vec::new()).await.unwrap();
    assert_eq!(desk.receipts(key).await.unwrap(), [Receipt { tries: Some(1), ..receipt(key, "sent") }]);
}

async fn a_second_unknown_try_is_listed_once(desk: Desk) {
    let key = tried_again(&desk, unknown).await;
    assert_eq!(desk.attempts(vec![key]).await.unwrap().concat().len(), 2);
    assert_eq!(desk.unknown(key.batch, 9).await.unwrap(), [(key, msisdn(0).into(), StepIndex::FIRST)]);
    let number = vec![by_number(msisdn(0), Channel::WhatsApp)];
    assert_eq!(keys(&desk.find(number.clone()).await.unwrap()), [Some((key.batch, 0, 0))]);
    // If the second try was accepted, no attempt is unknown.
    let known = tried_again(&desk, |message, now| {
        let marks = message.present.marks.with_unknown(StepIndex::FIRST, false);
        let sent = accepted(message, now);
        Change { after: Present { marks, ..sent.after }, ..sent }
    });
    assert_eq!(desk.unknown(known.await.batch, 9).await.unwrap(), []);
}

async fn a_receipt_adds_its_umid_to_an_attempt_of_the_same_call(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let claimed = messages(&desk.claimed(batch, 1).await)[0];
    // The receipt overtook the answer, so the same call records the accepted attempt.
    let fact = Some(attempt(&claimed, at(1), Verdict::Accepted, None));
    let proven = Change { fact, ..delivered(&claimed, at(4)) };
    let receipt = Receipt { umid: Some(umid(8)), ..receipt(claimed.key, "delivered") };
    desk.take_receipts(vec![receipt], Vec::new(), vec![proven]).await.unwrap();
    assert_eq!(keys(&desk.find(vec![Key::Umid(umid(8))]).await.unwrap()), [Some((batch, 0, 0))]);
}

async fn receipts_with_any_difference_but_arrival_are_stored_apart(desk: Desk) {
    let batch = submitted(&desk, 1, true).await;
    let first = receipt(MessageKey { batch, n: 0 }, "delivered");
    let mut all = vec![
        first.clone(),
        Receipt { received: at(4), step: step(1), ..first.clone() },
        Receipt { received: at(5), stamp: at(9), ..first.clone() },
        Receipt { received: at(6), state: "read".to_owned(), ..first.clone() },
        Receipt { received: at(7), detail: String::new(), ..first.clone() },
        Receipt { received: at(8), code: 1_402, ..first.clone() },
    ];
    all.push(Receipt { received: at(9), ..first.clone() });
    desk.take_receipts(all.clone(), Vec::new(), Vec::new()).await.unwrap();
    all.pop();
    assert_eq!(desk.receipts(first.key).await.unwrap(), all, "a repeat is not stored again, whenever it arrives");
}

async fn a_receipt_is_stored_only_with_its_decision(desk: Desk) {
    let batch = submitted(&desk, 3, true).await;
    let [slow, quick, unchanged] = [0, 1, 2].map(|n| MessageKey { batch, n });
    let now = desk.one(batch, 0).await;
    desk.record(vec![delivered(&now, at(3))]).await.unwrap();
    let receipts = || [slow, quick, unchanged].map(|key| receipt(key, "sent")).to_vec();
    let changes = vec![delivered(&now, at(5)), delivered(&desk.one(batch, 1).await, at(5))];
    let late = desk.take_receipts(receipts(), Vec::new(), changes).await;
    assert_eq!(late.unwrap(), [slow]);
    assert_eq!(desk.receipts(slow).await.unwrap(), [], "after a crash, a stored receipt would never be applied");
    for key in [quick, unchanged] {
        assert_eq!(desk.receipts(key).await.unwrap(), [receipt(key, "sent")], "the other receipts do not wait");
    }
    desk.counters_equal_rows(batch, 3).await;
    assert_eq!(desk.take_receipts(receipts(), Vec::new(), Vec::new()).await.unwrap(), []);
    assert_eq!(desk.receipts(slow).await.unwrap(), [receipt(slow, "sent")]);
}

async fn strays_are_listed_by_kind_in_order_until_they_are_deleted(desk: Desk) {
    let stray = |kind, umid: Option<&str>| Stray {
        kind,
        received: at(1),
        umid: umid.map(str::to_owned),
        raw: "{\"what\": \"\u{1f600}\"}".to_owned(),
    };
    let all = vec![
        stray(StrayKind::NoAttempt, Some("u-1")),
        stray(StrayKind::Unreadable, None),
        stray(StrayKind::NoAttempt, None),
        stray(StrayKind::NoAttempt, Some("u-3")),
    ];
    desk.take_receipts(Vec::new(), all.clone(), Vec::new()).await.unwrap();
    let page = desk.strays(StrayKind::NoAttempt, Timestamp::default(), Cursor::START, 2).await.unwrap();
    assert_eq!(page.iter().map(|(_, stray)| stray.clone()).collect::<Vec<_>>(), [all[0].clone(), all[2].clone()]);
    let (last, _) = page[1];
    let rest = desk.strays(StrayKind::NoAttempt, Timestamp::default(), last, 10).await.unwrap();
    assert_eq!(rest.iter().map(|(_, stray)| stray.clone()).collect::<Vec<_>>(), [all[3].clone()]);
    desk.forget_strays(vec![page[0].0, rest[0].0]).await.unwrap();
    let left = desk.strays(StrayKind::NoAttempt, Timestamp::default(), Cursor::START, 10).await.unwrap();
    assert_eq!(left.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [last]);
    assert_eq!(desk.strays(StrayKind::Unreadable, Timestamp::default(), Cursor::START, 10).await.unwrap().len(), 1);
}

async fn strays_are_counted_and_deleted_when_old(desk: Desk) {
    let stray = |kind, received: i64| Stray { kind, received: at(received), umid: None, raw: "{}".to_owned() };
    let all = vec![
        stray(StrayKind::NoAttempt, 10),
        stray(StrayKind::NoAttempt, 40),
        stray(StrayKind::Unreadable, 20),
        stray(StrayKind::NoAttempt, 30),
    ];
    desk.take_receipts(Vec::new(), all, Vec::new()).await.unwrap();
    let counts = async || {
        let counts = desk.stray_counts().await.unwrap();
        counts.iter().map(|count| (count.kind, count.count, count.earliest, count.latest)).collect::<Vec<_>>()
    };
    let unreadable = (StrayKind::Unreadable, 1, at(20), at(20));
    assert_eq!(counts().await, [(StrayKind::NoAttempt, 3, at(10), at(40)), unreadable]);
    desk.forget_old_strays(at(30)).await.unwrap();
    assert_eq!(counts().await, [(StrayKind::NoAttempt, 2, at(30), at(40))]);
}
