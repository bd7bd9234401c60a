//! Tests limits, costs and held steps.

use std::sync::Arc;

use super::*;
use crate::domain::Limits;
use crate::events::{EventKind, Origin, Subject};
use crate::planner::{Candidate, Cap, Capped, Price, Reached};
use crate::store::{Recall, Refund, ReportedBy, StepHeldBy, StepHold};

for_every_store!(
    a_claim_keeps_the_message_limits_of_step_and_batch,
    a_claim_keeps_the_budget_and_an_unsent_message_is_refunded,
    a_late_refund_goes_to_the_claimed_step,
    a_limit_is_final_once_no_message_is_in_flight,
    a_limit_is_not_final_while_its_own_claim_is_in_flight,
    a_step_released_from_a_rule_is_not_held_by_a_rule_again,
    a_refusal_begun_before_a_resume_does_not_hold_the_step_again,
);

/// A price that rises by a cent with each message.
#[derive(Debug)]
struct Rising;

impl Price for Rising {
    fn of(&self, candidate: &Candidate) -> Money {
        cents(u64::from(candidate.message.key.n) + 1)
    }
}

const fn cents(cents: u64) -> Money {
    Money::from_millionths(cents * 10_000)
}

fn messages_of(step: Option<u64>, batch: Option<u64>) -> Cap {
    let limits = |messages| Limits { messages, budget: None };
    Cap { step: limits(step), batch: limits(batch), price: None }
}

fn budget_of(budget: Money) -> Cap {
    let step = Limits { messages: None, budget: Some(budget) };
    Cap { step, batch: Limits::default(), price: Some(Arc::new(Rising)) }
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

    /// Claims the first step with a price for each message.
    pub(super) async fn claim_with_costs(&self, batch: BatchId, limit: u32) -> ClaimedSet {
        self.capped(batch, limit, budget_of(cents(100))).await
    }

    async fn spent_on(&self, batch: BatchId) -> Money {
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
    let set = desk.capped(batch, 9, budget_of(cents(9))).await;
    assert_eq!(set.messages.iter().map(|claimed| claimed.cost).collect::<Vec<_>>(), [cents(1), cents(2), cents(3)]);
    let by = Reached::Budget { spent: cents(6), of: cents(9) };
    let queue = desk.claim_of(batch, 9).await.queues[0];
    let reached = [Capped { queue, by, is_of_batch: false, is_final: false }];
    assert_eq!(capped(&set), reached);
    assert_eq!(desk.spent_on(batch).await, cents(6));
    let set = desk.capped(batch, 9, budget_of(cents(9))).await;
    assert_eq!(capped(&set), reached);
    assert!(set.messages.is_empty());
    // The second message was not submitted after all.
    let [first, second] = [0, 1].map(|n| MessageKey { batch, n });
    let claimed = desk.load(vec![first, second]).await.unwrap();
    let back = Present { state: State::Queued { not_before: at(0), gives_up: None }, ..claimed[1].present };
    let back = Change { refund: Some(Refund { step: step(0), amount: cents(2) }), ..change(&claimed[1], back) };
    desk.record(vec![accepted(&claimed[0], desk.now()), back.clone()]).await.unwrap();
    assert_eq!(desk.spent_on(batch).await, cents(4));
    // A late decision refunds nothing.
    assert_eq!(desk.record(vec![back]).await.unwrap(), [second]);
    assert_eq!(desk.spent_on(batch).await, cents(4));
    let set = desk.capped(batch, 9, budget_of(cents(10))).await;
    assert_eq!(numbers(&messages(&set)), [1, 3]);
    assert_eq!(desk.spent_on(batch).await, cents(10));
    desk.counters_equal_rows(batch, 9).await;
}

async fn a_late_refund_goes_to_the_claimed_step(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let claimed = messages(&desk.capped(batch, 9, budget_of(cents(9))).await)[0];
    // The next epoch has recorded it as unknown, and it has fallen back since.
    let fallback = State::Queued { not_before: at(0), gives_up: None };
    let fallen_back = Present { step: step(1), state: fallback, ..claimed.present };
    desk.record(vec![change(&claimed, fallen_back)]).await.unwrap();
    let row = desk.load(vec![claimed.key]).await.unwrap().remove(0);
    let refund = Some(Refund { step: claimed.present.step, amount: cents(1) });
    assert!(desk.record(vec![Change { refund, ..change(&row, row.present) }]).await.unwrap().is_empty());
    assert_eq!(desk.spent(batch).await.unwrap(), [(claimed.present.step, Money::ZERO)]);
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
    claim.caps.insert((batch, StepIndex::FIRST), Arc::new(budget_of(cents(1))));
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
