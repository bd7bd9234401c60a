//! Tests tiers: recipients with a slot pass, and new ones while slots are free; an unsent message frees its slot.

use std::collections::BTreeMap;

use super::*;
use crate::base::domain::{AddressKey, OptOutSource, WishSubject};
use crate::base::events::Origin;
use crate::rules::planner::{ImpatientQueue, Pass, Slots};
use crate::store::{Inbound, OptOut, Sender, TierSlot, TierUse};

for_every_store!(
    a_claim_records_the_slots_it_takes,
    a_full_tier_passes_slot_holders_and_no_new_recipients,
    new_recipients_pass_in_order_while_slots_are_free,
    recipients_without_a_slot_take_nothing_from_later_queues,
    a_claim_reads_few_blocked_queues_and_the_next_reads_others,
    a_recipient_who_does_not_wait_for_a_slot_is_referred,
    all_impatient_recipients_are_referred_whatever_the_limit,
    on_the_last_step_an_impatient_queue_waits_for_slots,
    slots_up_to_a_given_time_are_deleted,
    a_slot_is_held_for_a_day,
    an_opted_out_recipient_passes_a_full_tier_without_a_slot,
    a_slot_that_is_given_back_is_free,
    giving_back_a_slot_restores_the_one_before,
    a_slot_that_was_retaken_is_not_given_back,
    an_open_window_passes_a_full_tier_without_a_slot,
    earlier_recipients_are_counted_once_counting_starts,
    recipients_are_counted_in_the_portfolio_of_their_lane,
    a_long_count_runs_in_several_calls,
    a_slot_may_be_taken_without_a_claim,
    a_slot_that_was_taken_twice_at_once_is_not_given_back,
    a_late_earlier_claim_does_not_hide_a_slot_taken_twice,
);

const DAY: Span = Span::from_secs(86_400);

/// The tier of portfolio "acme", in which every recipient waits for a slot.
fn tier(slots: u32, since: Timestamp) -> TierUse {
    let sender = Sender { sub_account: "acme".to_owned(), channel_id: None };
    TierUse { portfolio: "acme".to_owned(), slots: Slots { free: slots, impatient: Vec::new() }, since, sender }
}

impl Desk {
    /// Claims in portfolio "acme" with this number of free slots.
    async fn claim_in_tier(&self, batch: BatchId, limit: u32, slots: u32) -> ClaimedSet {
        let tier = Some(tier(slots, self.now() - DAY));
        let claim = self.claim_of(batch, limit).await;
        self.claim(Claim { tier, ..claim }).await.unwrap()
    }

    /// All slots that were ever taken, by number, with their times.
    async fn slots(&self) -> Vec<(AddressKey, Timestamp)> {
        let mut slots = self.taken_after(at(-1)).await;
        slots.sort_unstable();
        slots
    }

    async fn taken_after(&self, since: Timestamp) -> Vec<(AddressKey, Timestamp)> {
        self.slots_in("acme", since).await.into_iter().map(|slot| (slot.recipient, slot.at)).collect()
    }

    async fn slots_in(&self, portfolio: &str, since: Timestamp) -> Vec<TierSlot> {
        let mut slots = self.tier_slots(vec![portfolio.to_owned()], since).await.unwrap();
        let found = slots.remove(portfolio).unwrap_or_default();
        assert!(slots.is_empty(), "only the requested portfolio");
        found
    }

    async fn give_back(&self, slots: &[(u32, i64)]) {
        let slots = slots.iter().map(|(n, second)| (address_key(*n), at(*second))).collect();
        self.give_back_places("acme", slots).await.unwrap();
    }
}

async fn a_claim_records_the_slots_it_takes(desk: Desk) {
    let batch = desk.batch_of(3).await;
    desk.claim_in_tier(batch, 2, 2).await;
    let slots = vec![(address_key(0), at(0)), (address_key(1), at(0))];
    assert_eq!(desk.taken_after(at(-1)).await, slots);
    assert!(desk.slots_in("other", at(-1)).await.is_empty());
    assert!(desk.taken_after(at(0)).await.is_empty(), "only slots after the given time");

    // The same recipient later has one slot, with the latest time.
    desk.clock.advance(Span::from_secs(9));
    let again = desk.batch_of(1).await;
    desk.claim_in_tier(again, 3, 0).await;
    assert_eq!(desk.slots().await, [(address_key(0), at(9)), (address_key(1), at(0))]);
}

async fn a_full_tier_passes_slot_holders_and_no_new_recipients(desk: Desk) {
    let (first, second) = (desk.batch_of(2).await, desk.batch_of(4).await);
    desk.claim_in_tier(first, 2, 2).await;
    desk.clock.advance(Span::from_secs(1));
    let set = desk.claim_in_tier(second, 9, 0).await;
    assert_eq!(numbers(&messages(&set)), [0, 1]);
    assert!(drained(&set).is_empty(), "two of them still wait for a slot");
    let set = desk.claim_in_tier(second, 9, 0).await;
    assert!(set.messages.is_empty() && drained(&set).is_empty());
    let set = desk.claim_in_tier(second, 9, 2).await;
    assert_eq!(numbers(&messages(&set)), [2, 3]);
    let queue = desk.claim_of(second, 9).await.queues[0];
    assert_eq!(drained(&set), [(queue, None)]);
    desk.counters_equal_rows(second, 4).await;
}

async fn new_recipients_pass_in_order_while_slots_are_free(desk: Desk) {
    let (first, second) = (desk.batch_of(4).await, desk.batch_of(6).await);
    let claim = desk.claim_of(first, 9).await;
    let tier = Some(tier(5, at(-60)));
    let queues = vec![queue(&claim, first, 0), queue(&claim, second, 0)];
    let set = desk.claim(Claim { queues, tier, ..claim }).await.unwrap();
    // Four recipients are new in the first batch. In the second they have slots, and one more gets the last.
    let passed: Vec<_> = messages(&set).iter().map(|message| (message.key.batch, message.key.n)).collect();
    let expected = (0..4).map(|n| (first, n)).chain((0..5).map(|n| (second, n)));
    assert_eq!(passed, expected.collect::<Vec<_>>());
    assert_eq!(desk.slots().await.len(), 5);
}

async fn recipients_without_a_slot_take_nothing_from_later_queues(desk: Desk) {
    let holders = desk.batch_of(2).await;
    desk.claim_in_tier(holders, 2, 2).await;
    let newcomers = desk.batch_of(9).await;
    desk.claim_in_tier(newcomers, 2, 0).await;
    let again = desk.batch_of(2).await;
    let claim = desk.claim_of(newcomers, 2).await;
    let tier = Some(tier(0, desk.now() - DAY));
    let queues = vec![queue(&claim, newcomers, 0), queue(&claim, again, 0)];
    let set = desk.claim(Claim { queues: queues.clone(), tier, ..claim }).await.unwrap();
    let passed: Vec<_> = messages(&set).iter().map(|message| (message.key.batch, message.key.n)).collect();
    assert_eq!(passed, [(again, 0), (again, 1)]);
    assert_eq!(ended(&set, Rest::ForSlot), queues[..1]);
    assert!(drained(&set).is_empty(), "the second had as many as requested");
}

async fn a_claim_reads_few_blocked_queues_and_the_next_reads_others(desk: Desk) {
    let audience = desk.audience(None, 1).await;
    let mut queues = Vec::new();
    for _ in 0..400 {
        let batch = desk.begin_batch_of(None, audience).await;
        desk.write_messages(desk.spread_of(batch, audience, 1).await).await.unwrap();
        desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
        queues.extend(desk.claim_of(batch, 1).await.queues);
    }
    let claim = desk.claim_of(queues[0].batch, 1_000).await;
    let (mut left, mut claims) = (queues, 0);
    while !left.is_empty() {
        let tier = Some(tier(0, desk.now() - DAY));
        let set = desk.claim(Claim { queues: left.clone(), tier, ..claim.clone() }).await.unwrap();
        let blocked = ended(&set, Rest::ForSlot);
        assert!(set.messages.is_empty() && drained(&set).is_empty());
        assert!(!blocked.is_empty(), "each claim makes progress");
        left.retain(|queue| !blocked.contains(queue));
        claims += 1;
    }
    assert!((2..9).contains(&claims), "{claims} claims");
}

async fn a_recipient_who_does_not_wait_for_a_slot_is_referred(desk: Desk) {
    let holders = desk.batch_of(2).await;
    desk.claim_in_tier(holders, 2, 2).await;
    let (patient, impatient_batch) = (desk.batch_of(5).await, desk.batch_of(5).await);
    let claim = desk.claim_of(patient, 9).await;
    let queues = vec![queue(&claim, patient, 0), queue(&claim, impatient_batch, 0)];
    let impatient = vec![ImpatientQueue { queue: queues[1], steps: 2 }];
    let tier = TierUse { slots: Slots { free: 1, impatient }, ..tier(1, desk.now() - DAY) };
    let set = desk.claim(Claim { queues: queues.clone(), tier: Some(tier), ..claim }).await.unwrap();
    // Two have slots, and one gets the last, which counts in the second batch too.
    let passed: Vec<_> = messages(&set).iter().map(|message| (message.key.batch, message.key.n)).collect();
    assert_eq!(passed, [patient, impatient_batch].map(|batch| [0, 1, 2].map(|n| (batch, n))).concat());
    let without: Vec<_> = without_place(&set).iter().map(|message| (message.key.batch, message.key.n)).collect();
    assert_eq!(without, [(impatient_batch, 3), (impatient_batch, 4)]);
    let keys = without_place(&set).iter().map(|message| message.key).collect();
    for (referred, row) in without_place(&set).iter().zip(desk.load(keys).await.unwrap()) {
        assert_eq!((referred.version, referred.lane, referred.present), (row.version, row.lane, row.present));
    }
    assert_eq!(drained(&set), [(queues[1], None)], "no message waits there");
}

async fn all_impatient_recipients_are_referred_whatever_the_limit(desk: Desk) {
    let batch = desk.batch_of(50).await;
    let claim = desk.claim_of(batch, 2).await;
    let impatient = vec![ImpatientQueue { queue: claim.queues[0], steps: 2 }];
    let tier = TierUse { slots: Slots { free: 3, impatient }, ..tier(3, desk.now() - DAY) };
    let set = desk.claim(Claim { tier: Some(tier.clone()), ..claim.clone() }).await.unwrap();
    assert_eq!((numbers(&messages(&set)), set.referred.len()), (vec![0, 1], 0));
    // The third gets the last slot, and the others get none.
    let tier = TierUse { slots: Slots { free: 1, ..tier.slots }, ..tier };
    let set = desk.claim(Claim { tier: Some(tier), ..claim }).await.unwrap();
    assert_eq!(numbers(&messages(&set)), [2]);
    assert_eq!(numbers(&without_place(&set)), (3..50).collect::<Vec<_>>());
    assert_eq!(drained(&set).len(), 1);
    assert_eq!(desk.slots().await.len(), 3);
}

async fn on_the_last_step_an_impatient_queue_waits_for_slots(desk: Desk) {
    let batch = desk.batch_of(5).await;
    let claim = desk.claim_of(batch, 9).await;
    let queue = claim.queues[0];
    let impatient = vec![ImpatientQueue { queue, steps: 1 }];
    let tier = TierUse { slots: Slots { free: 0, impatient }, ..tier(0, desk.now() - DAY) };
    let set = desk.claim(Claim { tier: Some(tier), ..claim }).await.unwrap();
    assert!(set.messages.is_empty() && set.referred.is_empty());
    assert_eq!(ended(&set, Rest::ForSlot), [queue]);
}

async fn slots_up_to_a_given_time_are_deleted(desk: Desk) {
    // More than one piece.
    let first = desk.batch_of(7_000).await;
    desk.claim_in_tier(first, 7_000, 7_000).await;
    desk.clock.advance(Span::from_secs(9));
    let second = desk.batch_of(2).await;
    desk.claim_in_tier(second, 2, 0).await;
    desk.forget_slots(at(-1)).await.unwrap();
    assert_eq!(desk.slots().await.len(), 7_000);
    desk.forget_slots(at(0)).await.unwrap();
    assert_eq!(desk.slots().await, [(address_key(0), at(9)), (address_key(1), at(9))]);
}

async fn an_open_window_passes_a_full_tier_without_a_slot(desk: Desk) {
    let batch = desk.batch_of(6).await;
    let wrote = |n: u32, sub_account: &str, until: i64| Inbound {
        sub_account: sub_account.to_owned(),
        window: Some(at(until)),
        ..text(format!("{n} {sub_account}"), n, 0)
    };
    // The second window closes too soon to rely on, and the third is with another sender.
    let all = vec![wrote(1, "acme", 3_600), wrote(2, "acme", 59), wrote(3, "other", 3_600)];
    desk.take_inbound(all).await.unwrap();
    let set = desk.claim_in_tier(batch, 9, 2).await;
    let passed: Vec<_> = set.messages.iter().map(|claimed| (claimed.message.key.n, claimed.pass)).collect();
    assert_eq!(passed, [(0, Pass::Slot), (1, Pass::Window(at(3_600))), (2, Pass::Slot)]);
    assert_eq!(desk.slots().await, [(address_key(0), at(0)), (address_key(2), at(0))]);
}

async fn earlier_recipients_are_counted_once_counting_starts(desk: Desk) {
    let lane = desk.lane("wa", Channel::WhatsApp).await;
    let batch = desk.batch_of(6).await;
    let acme = || BTreeMap::from([("acme".to_owned(), vec![lane])]);
    let count = |since| desk.count_tiers(acme(), since, None);
    let early = messages(&desk.claimed(batch, 1).await);
    desk.record(vec![accepted(&early[0], at(0))]).await.unwrap();
    desk.clock.advance(Span::from_secs(100));
    let late = messages(&desk.claimed(batch, 4).await);
    let never =
        Change { fact: Some(attempt(&late[1], at(100), Verdict::Rejected, None)), ..accepted(&late[1], at(100)) };
    desk.record(vec![accepted(&late[0], at(100)), never, unknown(&late[2], at(100))]).await.unwrap();
    // The last one is in flight.
    count(at(50)).await.unwrap();
    assert_eq!(desk.slots().await, [1, 3, 4].map(|n| (address_key(n), at(100))));
    // From then on claims count, and no earlier submissions are read again.
    desk.give_back(&[(1, 100), (3, 100), (4, 100)]).await;
    count(at(50)).await.unwrap();
    assert!(desk.slots().await.is_empty());
    desk.count_no_others(BTreeMap::new()).await.unwrap();
    count(at(50)).await.unwrap();
    assert_eq!(desk.slots().await.len(), 3);
    // Nothing was counted while the lane belonged to another portfolio.
    desk.give_back(&[(1, 100), (3, 100), (4, 100)]).await;
    let others = BTreeMap::from([("other".to_owned(), vec![lane]), ("acme".to_owned(), Vec::new())]);
    desk.count_no_others(others.clone()).await.unwrap();
    desk.count_tiers(others, at(50), None).await.unwrap();
    desk.count_no_others(acme()).await.unwrap();
    count(at(50)).await.unwrap();
    assert_eq!(desk.slots().await.len(), 3);
}

async fn recipients_are_counted_in_the_portfolio_of_their_lane(desk: Desk) {
    let (lane, other) = (desk.lane("wa", Channel::WhatsApp).await, desk.lane("second", Channel::WhatsApp).await);
    let batch = desk.batch_of(4).await;
    desk.claimed(batch, 2).await;
    let claim = desk.claim_of(batch, 1).await;
    desk.claim(Claim { lane: other, ..claim }).await.unwrap();
    let lanes = [("acme", vec![lane]), ("besides", vec![other]), ("idle", vec![])];
    let lanes: BTreeMap<_, _> = lanes.into_iter().map(|(name, lanes)| (name.to_owned(), lanes)).collect();
    desk.count_tiers(lanes.clone(), at(-50), None).await.unwrap();
    let names: Vec<String> = lanes.into_keys().collect();
    let slots = desk.tier_slots(names.clone(), at(-1)).await.unwrap();
    let holders = |name: &str| slots.get(name).map(|slots| slots.iter().map(|slot| slot.recipient).collect::<Vec<_>>());
    assert_eq!(holders("acme"), Some(vec![address_key(0), address_key(1)]));
    assert_eq!((holders("besides"), holders("idle")), (Some(vec![address_key(2)]), None));
    let used = |used: &[(&str, u32)]| used.iter().map(|(name, holders)| ((*name).to_owned(), *holders)).collect();
    assert_eq!(desk.tiers_used(at(-1)).await.unwrap(), used(&[("acme", 2), ("besides", 1)]));
    assert_eq!(desk.tiers_used(at(0)).await.unwrap(), used(&[]));
    // Only portfolios that were not counted are counted again.
    for (portfolio, n) in [("acme", 0), ("acme", 1), ("besides", 2)] {
        desk.give_back_places(portfolio, vec![(address_key(n), at(0))]).await.unwrap();
    }
    desk.count_no_others(BTreeMap::from([("acme".to_owned(), vec![lane])])).await.unwrap();
    let again = BTreeMap::from([("acme".to_owned(), vec![lane]), ("besides".to_owned(), vec![other])]);
    desk.count_tiers(again, at(-50), None).await.unwrap();
    assert_eq!(desk.tiers_used(at(-1)).await.unwrap(), used(&[("besides", 1)]));
    // A lane that joins a portfolio adds its recipients.
    let joined = BTreeMap::from([("acme".to_owned(), vec![lane, other])]);
    desk.count_no_others(joined.clone()).await.unwrap();
    desk.count_tiers(joined, at(-50), None).await.unwrap();
    assert_eq!(desk.slots().await, [(address_key(2), at(0))]);
}

async fn a_long_count_runs_in_several_calls(desk: Desk) {
    let lane = desk.lane("wa", Channel::WhatsApp).await;
    for n in 0..20 {
        let batch = desk.batch_of(n + 1).await;
        desk.claimed(batch, n + 1).await;
        desk.clock.advance(Span::from_secs(1));
    }
    let acme = BTreeMap::from([("acme".to_owned(), vec![lane])]);
    let (mut calls, mut from) = (1, desk.count_tiers(acme.clone(), at(-50), None).await.unwrap());
    while from.is_some() {
        calls += 1;
        from = desk.count_tiers(acme.clone(), at(-50), from).await.unwrap();
    }
    assert!(calls > 1, "other decisions must take effect in between");
    let mut slots = desk.slots_in("acme", at(-1)).await;
    slots.sort_unstable_by_key(|slot| slot.recipient);
    // The first recipient is in every batch, and the last one only in the last.
    let times: Vec<_> = slots.iter().map(|slot| (slot.at, slot.before)).collect();
    assert_eq!((times[0], times[19]), ((at(19), Some(at(18))), (at(19), None)));
}

async fn a_slot_may_be_taken_without_a_claim(desk: Desk) {
    desk.take_slots("acme", vec![(address_key(1), at(5)), (address_key(2), at(6))]).await.unwrap();
    desk.take_slots("acme", vec![(address_key(1), at(9))]).await.unwrap();
    assert_eq!(desk.slots().await, [(address_key(1), at(9)), (address_key(2), at(6))]);
}

async fn a_slot_is_held_for_a_day(desk: Desk) {
    let (first, second) = (desk.batch_of(1).await, desk.batch_of(1).await);
    desk.claim_in_tier(first, 1, 1).await;
    desk.clock.advance(DAY);
    assert!(desk.claim_in_tier(second, 1, 0).await.messages.is_empty());
    assert_eq!(desk.claim_in_tier(second, 1, 1).await.messages.len(), 1);
}

async fn an_opted_out_recipient_passes_a_full_tier_without_a_slot(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let wish = OptOut {
        address: msisdn(1).into(),
        of: WishSubject::EVERYTHING,
        since: desk.now(),
        from: OptOutSource::Operator,
        source: "STOP".to_owned(),
    };
    desk.opt_out(vec![wish]).await.unwrap();
    assert_eq!(numbers(&messages(&desk.claim_in_tier(batch, 3, 1).await)), [0, 1]);
    assert_eq!(desk.slots().await, [(address_key(0), at(0))]);
}

async fn a_slot_that_is_given_back_is_free(desk: Desk) {
    let batch = desk.batch_of(3).await;
    desk.claim_in_tier(batch, 3, 3).await;
    desk.give_back(&[(0, 0), (2, 0), (7, 0)]).await;
    assert_eq!(desk.slots().await, [(address_key(1), at(0))]);
    desk.give_back_places("other", vec![(address_key(1), at(0))]).await.unwrap();
    desk.give_back(&[]).await;
    assert_eq!(desk.slots().await, [(address_key(1), at(0))]);
}

async fn giving_back_a_slot_restores_the_one_before(desk: Desk) {
    let (first, second) = (desk.batch_of(1).await, desk.batch_of(2).await);
    desk.claim_in_tier(first, 1, 1).await;
    desk.clock.advance(Span::from_secs(9));
    desk.claim_in_tier(second, 2, 1).await;
    assert_eq!(desk.slots().await, [(address_key(0), at(9)), (address_key(1), at(9))]);
    // A server that reads the slots at its start needs these times too, or it would give a kept slot to another recipient.
    let mut before = desk.slots_in("acme", at(-1)).await;
    before.sort_unstable_by_key(|slot| slot.recipient);
    assert_eq!(before.iter().map(|slot| slot.before).collect::<Vec<_>>(), [Some(at(0)), None]);
    desk.give_back(&[(0, 9), (1, 9)]).await;
    assert_eq!(desk.slots().await, [(address_key(0), at(0))]);
}

async fn a_slot_that_was_retaken_is_not_given_back(desk: Desk) {
    let (first, second) = (desk.batch_of(1).await, desk.batch_of(1).await);
    desk.claim_in_tier(first, 1, 1).await;
    desk.clock.advance(Span::from_secs(9));
    desk.claim_in_tier(second, 1, 0).await;
    desk.give_back(&[(0, 0)]).await;
    assert_eq!(desk.slots().await, [(address_key(0), at(9))]);
}

async fn a_slot_that_was_taken_twice_at_once_is_not_given_back(desk: Desk) {
    let (first, second) = (desk.batch_of(1).await, desk.batch_of(1).await);
    desk.claim_in_tier(first, 1, 1).await;
    desk.claim_in_tier(second, 1, 0).await;
    // One of the two messages may have been submitted.
    desk.give_back(&[(0, 0)]).await;
    assert_eq!(desk.slots().await, [(address_key(0), at(0))]);
}

async fn a_late_earlier_claim_does_not_hide_a_slot_taken_twice(desk: Desk) {
    let late = desk.batch_of(1).await;
    let late = Claim { tier: Some(tier(1, desk.now() - DAY)), ..desk.claim_of(late, 1).await };
    desk.clock.advance(Span::from_secs(9));
    for _ in 0..2 {
        let batch = desk.batch_of(1).await;
        desk.claim_in_tier(batch, 1, 1).await;
    }
    assert_eq!(desk.claim(late).await.unwrap().messages.len(), 1);
    desk.give_back(&[(0, 9)]).await;
    assert_eq!(desk.slots().await, [(address_key(0), at(9))]);
}
