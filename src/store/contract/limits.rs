//! Tests limits, costs and held steps.

use std::sync::Arc;

use super::*;
use crate::base::domain::{Allowance, Charged, Fee, Free, Limits, Outcome, PriceOf, Settlement, SettlementKind, Spent};
use crate::base::events::{EventKind, Origin, Subject};
use crate::rules::planner::{Candidate, Cap, Capped, Price, Reached};
use crate::store::{Recall, ReportedBy, StepHeldBy, StepHold};

for_every_store!(
    a_claim_keeps_the_message_limits_of_step_and_batch,
    a_claim_keeps_the_budget_and_an_unsent_message_is_refunded,
    a_late_refund_goes_to_the_claimed_step,
    a_reservation_is_charged_or_released_and_a_delivery_without_one_is_charged,
    a_reservation_ends_with_the_window_of_its_step_but_not_while_the_step_is_present,
    the_first_messages_of_a_month_are_free_and_the_others_charged,
    the_first_messages_in_a_window_are_free_and_without_one_none_is,
    a_limit_is_final_once_no_message_is_in_flight,
    a_limit_is_not_final_while_its_own_claim_is_in_flight,
    a_step_released_from_a_rule_is_not_held_by_a_rule_again,
    a_refusal_begun_before_a_resume_does_not_hold_the_step_again,
);

/// How long a delivery may be charged.
const WINDOW: Span = Span::from_secs(600);

/// A price that rises by a cent with each message.
#[derive(Debug)]
struct Rising(Charged);

impl Price for Rising {
    fn of(&self, candidate: &Candidate) -> Fee {
        Fee {
            amount: cents(u64::from(candidate.message.key.n) + 1),
            reserved_for: (self.0 == Charged::Delivery).then_some(WINDOW),
        }
    }
}

const fn cents(cents: u64) -> Money {
    Money::from_millionths(cents * 10_000)
}

fn messages_of(step: Option<u64>, batch: Option<u64>) -> Cap {
    let limits = |messages| Limits { messages, budget: None };
    Cap { step: limits(step), batch: limits(batch), price: None }
}

fn budget_of(budget: Money, charged: Charged) -> Cap {
    let step = Limits { messages: None, budget: Some(budget) };
    Cap { step, batch: Limits::default(), price: Some(Arc::new(Rising(charged))) }
}

fn refunded(amount: Money) -> Vec<Settlement> {
    vec![Settlement { step: StepIndex::FIRST, kind: SettlementKind::Refunded, amount, free: None }]
}

fn capped(set: &ClaimedSet) -> Vec<Capped> {
    let capped = |(_, rest): &(Queue, Rest)| if let Rest::Capped(capped) = rest { Some(*capped) } else { None };
    set.rests.iter().filter_map(capped).collect()
}

impl Desk {
    async fn capped(&self, batch: BatchId, limit: u32, cap: Cap) -> ClaimedSet {
        let mut claim = self.claim_of(batch, limit).await;
        claim.caps.insert((batch, StepIndex::FIRST), Arc::new(cap));
        self.claim(claim).await.unwrap()
    }

    /// Claims the first step with a price for each message, which is charged when it is delivered.
    pub(super) async fn claim_with_costs(&self, batch: BatchId, limit: u32) -> ClaimedSet {
        self.capped(batch, limit, budget_of(cents(100), Charged::Delivery)).await
    }

    async fn spent_on(&self, batch: BatchId) -> Money {
        self.sums_of(batch).await.spent
    }

    async fn sums_of(&self, batch: BatchId) -> Spent {
        self.spent(batch).await.unwrap().into_iter().map(|(_, spent)| spent).sum()
    }
}

async fn a_claim_keeps_the_message_limits_of_step_and_batch(desk: Desk) {
    for cap in [messages_of(Some(5), None), messages_of(None, Some(5)), messages_of(Some(5), Some(6))] {
        let batch = desk.batch_of(9).await;
        assert_eq!(numbers(&messages(&desk.capped(batch, 3, cap.clone()).await)), [0, 1, 2]);
        let rest = desk.capped(batch, 9, cap.clone()).await;
        assert_eq!(numbers(&messages(&rest)), [3, 4]);
        let accepted: Vec<_> = messages(&rest).iter().map(|message| accepted(message, desk.now())).collect();
        desk.record(accepted).await.unwrap();
        let set = desk.capped(batch, 9, cap).await;
        assert!(set.messages.is_empty());
        let [capped] = &capped(&set)[..] else { panic!("one queue is at its limit: {set:?}") };
        assert_eq!(
            (capped.by, capped.is_final),
            (Reached::Messages { handed_over: 2, of: 5 }, false),
            "three are in flight"
        );
        desk.counters_equal_rows(batch, 9).await;
    }
}

async fn a_claim_keeps_the_budget_and_an_unsent_message_is_refunded(desk: Desk) {
    let batch = desk.batch_of(9).await;
    // One, two and three cents; the fourth message would exceed the budget.
    let set = desk.capped(batch, 9, budget_of(cents(9), Charged::Submission)).await;
    assert_eq!(
        set.messages.iter().map(|claimed| claimed.fee.amount).collect::<Vec<_>>(),
        [cents(1), cents(2), cents(3)]
    );
    let by = Reached::Budget { spent: Spent { spent: cents(6), ..Spent::default() }, of: cents(9) };
    let queue = desk.claim_of(batch, 9).await.queues[0];
    let reached = [Capped { queue, by, is_of_batch: false, is_final: false }];
    assert_eq!(capped(&set), reached);
    assert_eq!(desk.spent_on(batch).await, cents(6));
    let set = desk.capped(batch, 9, budget_of(cents(9), Charged::Submission)).await;
    assert_eq!(capped(&set), reached);
    assert!(set.messages.is_empty());
    // The second message was not submitted after all.
    let [first, second] = [0, 1].map(|n| MessageKey { batch, n });
    let claimed = desk.load(vec![first, second]).await.unwrap();
    let back = Present { state: State::Queued { not_before: at(0), gives_up: None }, ..claimed[1].present };
    let back = Change { settlements: refunded(cents(2)), ..change(&claimed[1], back) };
    desk.record(vec![accepted(&claimed[0], desk.now()), back.clone()]).await.unwrap();
    assert_eq!(desk.spent_on(batch).await, cents(4));
    // A late decision refunds nothing.
    assert_eq!(desk.record(vec![back]).await.unwrap(), [second]);
    assert_eq!(desk.spent_on(batch).await, cents(4));
    let set = desk.capped(batch, 9, budget_of(cents(10), Charged::Submission)).await;
    assert_eq!(numbers(&messages(&set)), [1, 3]);
    assert_eq!(desk.spent_on(batch).await, cents(10));
    desk.counters_equal_rows(batch, 9).await;
}

async fn a_late_refund_goes_to_the_claimed_step(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let claimed = messages(&desk.capped(batch, 9, budget_of(cents(9), Charged::Submission)).await)[0];
    // The next epoch has recorded it as unknown, and it has fallen back since.
    let fallback = State::Queued { not_before: at(0), gives_up: None };
    let fallen_back = Present { step: step(1), state: fallback, ..claimed.present };
    desk.record(vec![change(&claimed, fallen_back)]).await.unwrap();
    let row = desk.load(vec![claimed.key]).await.unwrap().remove(0);
    let settlements = refunded(cents(1));
    assert!(desk.record(vec![Change { settlements, ..change(&row, row.present) }]).await.unwrap().is_empty());
    assert_eq!(desk.spent(batch).await.unwrap(), [(claimed.present.step, Spent::default())]);
}

async fn a_reservation_is_charged_or_released_and_a_delivery_without_one_is_charged(desk: Desk) {
    use SettlementKind::{Charged, Released};
    let batch = desk.batch_of(9).await;
    let sums = |spent, reserved| Spent { spent: cents(spent), reserved: cents(reserved) };
    let of_budget = |budget| budget_of(cents(budget), crate::base::domain::Charged::Delivery);
    // One, two and three cents; the fourth message would exceed the budget.
    let set = desk.capped(batch, 9, of_budget(9)).await;
    assert_eq!((numbers(&messages(&set)), desk.sums_of(batch).await), (vec![0, 1, 2], sums(0, 6)));
    let answered = messages(&set).iter().map(|message| accepted(message, desk.now())).collect();
    desk.record(answered).await.unwrap();
    let [capped_by] = &capped(&desk.capped(batch, 9, of_budget(6)).await)[..] else { panic!("one queue") };
    let by = Reached::Budget { spent: sums(0, 6), of: cents(6) };
    assert_eq!((capped_by.by, capped_by.is_final), (by, false), "any of them may still cost nothing");
    let settle = async |settled: &[(u32, SettlementKind)]| {
        let rows = desk.all(batch, 9).await;
        let change = |(n, kind): &(u32, SettlementKind)| {
            let row = rows.iter().find(|row| row.key.n == *n).unwrap();
            // The price of a part is a cent. What a message reserved is what it is charged.
            let settlement = Settlement { step: StepIndex::FIRST, kind: *kind, amount: cents(1), free: None };
            Change { settlements: vec![settlement], ..change(row, row.present) }
        };
        assert!(desk.record(settled.iter().map(change).collect()).await.unwrap().is_empty());
        desk.sums_of(batch).await
    };
    assert_eq!(settle(&[(0, Charged), (1, Released)]).await, sums(1, 3));
    // Four cents are used, and the next message costs four.
    let fourth = messages(&desk.capped(batch, 9, of_budget(9)).await);
    assert_eq!(numbers(&fourth), [3]);
    desk.record(vec![accepted(&fourth[0], desk.now())]).await.unwrap();
    assert_eq!(
        settle(&[(2, Charged), (3, Released), (1, Charged)]).await,
        sums(5, 0),
        "the second one arrived after all"
    );
    assert_eq!(settle(&[(2, SettlementKind::Refunded), (3, Released)]).await, sums(4, 0));
    let [capped_by] = &capped(&desk.capped(batch, 9, of_budget(4)).await)[..] else { panic!("one queue") };
    assert!(capped_by.is_final, "nothing is reserved any more");
    desk.counters_equal_rows(batch, 9).await;
}

async fn a_reservation_ends_with_the_window_of_its_step_but_not_while_the_step_is_present(desk: Desk) {
    let batch = desk.batch_of(4).await;
    let claimed = messages(&desk.capped(batch, 3, budget_of(cents(9), Charged::Delivery)).await);
    let over = desk.now() + WINDOW;
    let next = State::Queued { not_before: at(9), gives_up: None };
    let done = State::Done { outcome: Outcome::Silent, skipped: None, at: over };
    let changes = vec![
        change(&claimed[0], Present { step: step(1), state: next, ..claimed[0].present }),
        change(&claimed[1], Present { state: done, ..claimed[1].present }),
        accepted(&claimed[2], desk.now()),
    ];
    desk.record(changes).await.unwrap();
    let reserved_at = async |now| {
        assert!(!desk.end_reservations(now).await.unwrap(), "there are few");
        desk.sums_of(batch).await.reserved
    };
    assert_eq!(reserved_at(over - Span::from_millis(1)).await, cents(6));
    assert_eq!(reserved_at(over).await, cents(3), "the third one still awaits its receipts");
    let third = desk.one(batch, 2).await;
    desk.record(vec![change(&third, Present { state: done, ..third.present })]).await.unwrap();
    assert_eq!(reserved_at(over).await, cents(3), "it was looked at just now");
    assert_eq!(reserved_at(over + Span::from_secs(60)).await, Money::ZERO);
}

/// What a step has spent after each of these settlements of one cent, of a line with free messages.
pub(super) async fn spent_after(
    desk: &Desk,
    batch: BatchId,
    free: Free,
    all: &[(SettlementKind, Timestamp)],
) -> Vec<u64> {
    let of = PriceOf { channel: Channel::WhatsApp, category: None, country: None };
    let mut spent = Vec::new();
    for (kind, submitted_at) in all {
        let row = desk.one(batch, 0).await;
        let free = Some((Allowance { of, free }, *submitted_at));
        let settlements = vec![Settlement { step: StepIndex::FIRST, kind: *kind, amount: cents(1), free }];
        let change = Change { settlements, ..change(&row, row.present) };
        assert!(desk.record(vec![change]).await.unwrap().is_empty());
        spent.push(desk.spent_on(batch).await.millionths() / 10_000);
    }
    spent
}

async fn the_first_messages_of_a_month_are_free_and_the_others_charged(desk: Desk) {
    use SettlementKind::{Charged, Refunded, Released};
    let (january, february) = (at(0), at(31 * 86_400));
    let [batch, other] = [desk.batch_of(1).await, desk.batch_of(1).await];
    for batch in [batch, other] {
        desk.capped(batch, 1, budget_of(cents(1), crate::base::domain::Charged::Delivery)).await;
    }
    let of_january =
        [Charged, Charged, Charged, Released, Charged, Refunded, Refunded, Refunded].map(|kind| (kind, january));
    let spent = spent_after(&desk, batch, Free::AMonth(2), &of_january).await;
    assert_eq!(spent, [0, 0, 1, 1, 2, 1, 0, 0], "a refund gives back what cost something first");
    // All campaigns count together, and each month anew.
    let next = [(Charged, january), (Charged, january), (Charged, february), (Charged, february), (Charged, february)];
    assert_eq!(spent_after(&desk, other, Free::AMonth(2), &next).await, [0, 1, 1, 1, 2]);
    // What was submitted in January counts there, however late it is delivered.
    let late = [(Refunded, january), (Charged, january), (Charged, january), (Charged, february)];
    assert_eq!(spent_after(&desk, other, Free::AMonth(2), &late).await, [1, 2, 3, 4]);
}

async fn the_first_messages_in_a_window_are_free_and_without_one_none_is(desk: Desk) {
    use SettlementKind::{Charged, Refunded};
    let batch = desk.batch_of(1).await;
    desk.capped(batch, 1, budget_of(cents(1), crate::base::domain::Charged::Delivery)).await;
    let free = Free::InWindow(1);
    assert_eq!(spent_after(&desk, batch, free, &[(Charged, at(50))]).await, [1], "nothing was written");
    let wrote = |id: &str, seconds| Inbound { window: Some(at(seconds + 86_400)), ..text(id.to_owned(), 0, seconds) };
    desk.take_confirming(vec![wrote("i-1", 60)]).await.unwrap();
    let charged = [(Charged, at(70)), (Charged, at(71)), (Refunded, at(72)), (Charged, at(90_000))];
    assert_eq!(spent_after(&desk, batch, free, &charged).await, [1, 2, 1, 2], "the last one is after the window");
    desk.take_confirming(vec![wrote("i-2", 100)]).await.unwrap();
    assert_eq!(spent_after(&desk, batch, free, &[(Charged, at(110)), (Charged, at(111))]).await, [2, 3]);
}

async fn a_limit_is_final_once_no_message_is_in_flight(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let set = desk.capped(batch, 9, messages_of(None, Some(2))).await;
    let changes: Vec<_> = messages(&set).iter().map(|message| accepted(message, desk.now())).collect();
    assert!(!capped(&desk.capped(batch, 9, messages_of(None, Some(2))).await)[0].is_final);
    desk.record(changes).await.unwrap();
    let [capped] = &capped(&desk.capped(batch, 9, messages_of(None, Some(2))).await)[..] else { panic!("one queue") };
    assert_eq!(
        (capped.by, capped.is_of_batch, capped.is_final),
        (Reached::Messages { handed_over: 2, of: 2 }, true, true)
    );
}

async fn a_limit_is_not_final_while_its_own_claim_is_in_flight(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let other = desk.lane("other", Channel::WhatsApp).await;
    let second = desk.one(batch, 1).await;
    desk.record(vec![Change { lane: other, ..change(&second, second.present) }]).await.unwrap();
    let mut claim = desk.claim_of(batch, 9).await;
    // The first message that is read costs two cents, and the next one costs one.
    claim.queues.insert(0, Queue { lane: other, ..claim.queues[0] });
    claim.caps.insert((batch, StepIndex::FIRST), Arc::new(budget_of(cents(1), Charged::Submission)));
    let set = desk.claim(claim).await.unwrap();
    assert_eq!(numbers(&messages(&set)), [0]);
    assert_eq!(
        capped(&set).iter().map(|capped| (capped.queue.lane, capped.is_final)).collect::<Vec<_>>(),
        [(other, false)]
    );
}

async fn a_refusal_begun_before_a_resume_does_not_hold_the_step_again(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let hold = StepHold {
        batch,
        step: step(0),
        by: StepHeldBy::Refusal,
        origin: Origin::rule("refused"),
        since: at(11),
        recall: None,
    };
    desk.hold_step(hold.clone(), at(2)).await.unwrap().unwrap();
    desk.release_steps(batch, StepIndex::all().collect(), Origin::operator("Ann", None), at(10))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(desk.hold_step(hold.clone(), at(9)).await.unwrap(), None);
    desk.hold_step(hold.clone(), at(10)).await.unwrap().unwrap();
    assert_eq!(desk.hold_step(hold.clone(), at(11)).await.unwrap(), None, "it is held already");
    // The recall of a later hold is added.
    let recall = Some(Recall { by: ReportedBy::Receipt, code: 3_041, since: at(1), until: at(12) });
    desk.hold_step(StepHold { recall, ..hold.clone() }, at(12)).await.unwrap().unwrap();
    assert_eq!(desk.step_holds().await.unwrap(), [StepHold { recall, ..hold }]);
}

async fn a_step_released_from_a_rule_is_not_held_by_a_rule_again(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let of = |by, origin| StepHold { batch, step: step(1), by, origin, since: at(0), recall: None };
    let ann = || Origin::operator("Ann", None);
    let [person, rule] = [of(StepHeldBy::Operator, ann()), of(StepHeldBy::Rule, Origin::rule("9 of 10"))];
    let before = desk.seq().await.unwrap();
    let seq = desk.hold_step(person.clone(), at(0)).await.unwrap();
    assert_eq!(seq, Some(before + 1));
    assert_eq!(
        desk.hold_step(of(StepHeldBy::Operator, Origin::operator("Bob", None)), at(0)).await.unwrap(),
        None,
        "the first reason stays"
    );
    desk.hold_step(rule.clone(), at(0)).await.unwrap().unwrap();
    assert_eq!(desk.step_holds().await.unwrap(), [person.clone(), rule.clone()]);
    assert_eq!(desk.release_steps(batch, vec![step(0)], Origin::operator("Ann", None), at(1)).await.unwrap(), None);
    assert!(desk.release_steps(batch, vec![step(1)], Origin::operator("Ann", None), at(1)).await.unwrap().is_some());
    assert!(desk.step_holds().await.unwrap().is_empty());
    assert_eq!(desk.hold_step(rule, at(2)).await.unwrap(), None);
    desk.hold_step(person.clone(), at(2)).await.unwrap().unwrap();
    assert_eq!(desk.step_holds().await.unwrap(), [person]);
    let events = desk.events(Cursor::START, 9).await.unwrap().into_iter().skip(1);
    let events: Vec<_> = events.map(|(_, event)| (event.subject, event.origin, event.kind)).collect();
    let held = |origin| (Subject::step(batch, None, step(1)), origin, EventKind::Held { code: None });
    let released = (Subject::step(batch, None, step(1)), ann(), EventKind::Released);
    assert_eq!(events, [held(ann()), held(Origin::rule("9 of 10")), released, held(ann())]);
}
