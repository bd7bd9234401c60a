//! Tests the questions to the provider: their order is that of the timers, and they are stored.

use super::*;
use crate::base::domain::Marks;
use crate::store::{HighestStatus, Query, QueryState};

for_every_store!(
    due_messages_come_in_order_after_a_position,
    a_message_with_a_report_is_not_silent,
    questions_are_found_with_the_umid_of_the_last_submitted_try,
);

async fn due_messages_come_in_order_after_a_position(desk: Desk) {
    let (batch, _) = desk.waiting(&[50, 10, 30, 10, 40]).await;
    assert_eq!(numbers(&desk.due(batch, Timestamp::MAX, None, 3).await.unwrap()), [1, 3, 2]);
    assert_eq!(numbers(&desk.due(batch, Timestamp::MAX, Some((at(10), 1)), 9).await.unwrap()), [3, 2, 4, 0]);
    assert_eq!(numbers(&desk.due(batch, at(40), Some((at(30), 2)), 9).await.unwrap()), [4]);
}

async fn a_message_with_a_report_is_not_silent(desk: Desk) {
    let (batch, _) = desk.waiting(&[10, 20, 30, 40, 90]).await;
    for (n, marked) in [
        (1, Marks::with_status as fn(Marks, StepIndex, Status) -> Marks),
        (2, |marks: Marks, step, _| marks.with_unknown(step, true)),
        (3, |marks: Marks, step, _| marks.with_failed(step)),
    ] {
        let message = desk.one(batch, n).await;
        let marks = marked(message.present.marks, StepIndex::FIRST, Status::Sent);
        desk.record(vec![change(&message, Present { marks, ..message.present })]).await.unwrap();
    }
    let first = vec![StepIndex::FIRST];
    assert_eq!(
        numbers(&desk.silent(batch, first.clone(), HighestStatus::Nothing, at(5), at(50), 9).await.unwrap()),
        [0]
    );
    assert_eq!(
        numbers(&desk.silent(batch, first.clone(), HighestStatus::Nothing, at(10), at(90), 9).await.unwrap()),
        [4]
    );
    assert_eq!(numbers(&desk.silent(batch, first.clone(), HighestStatus::Sent, at(5), at(90), 9).await.unwrap()), [1]);
    let second = StepIndex::new(1).into_iter().collect();
    assert_eq!(numbers(&desk.silent(batch, second, HighestStatus::Nothing, at(5), at(90), 9).await.unwrap()), [0; 0]);
}

async fn questions_are_found_with_the_umid_of_the_last_submitted_try(desk: Desk) {
    let (batch, all) = desk.waiting(&[10, 20]).await;
    let its_own = desk.attempts(vec![all[0].key]).await.unwrap().concat()[0].umid.clone();
    assert!(its_own.is_some());
    let about = |n| (MessageKey { batch, n }, StepIndex::FIRST);
    let asked = |tries, is_answered| Query {
        key: about(1).0,
        step: about(1).1,
        tries,
        at: at(70),
        again: at(130),
        is_answered,
    };
    let asking = |trouble: Option<&str>| QueryState {
        sub_account: "acme".to_owned(),
        at: at(70),
        trouble: trouble.map(str::to_owned),
    };
    desk.record_queries(vec![asked(1, false)], asking(Some("HTTP status 500"))).await.unwrap();
    desk.record_queries(vec![asked(2, true)], asking(None)).await.unwrap();
    let found = desk.questions(vec![about(1), about(0), about(7)]).await.unwrap();
    assert_eq!(found.iter().map(|question| question.key.n).collect::<Vec<_>>(), [1, 0, 7]);
    assert_eq!((found[0].asked, found[1].asked), (Some(asked(2, true)), None));
    assert_eq!((&found[1].umid, &found[2].umid), (&its_own, &None));
    assert_eq!(desk.query_states().await.unwrap(), [asking(None)]);

    // Of several tries, the one that was submitted last.
    let now = desk.one(batch, 0).await;
    let fact = |tries, verdict, n| Attempt { tries, ..attempt(&now, at(80), verdict, Some(umid(n))) };
    let tried = |change: Change, fact| Change { fact: Some(fact), ..change };
    let (again, never) = (fact(1, Verdict::Accepted, 8), fact(2, Verdict::CouldNotLeave, 9));
    desk.record(vec![tried(change(&now, now.present), again)]).await.unwrap();
    let now = desk.one(batch, 0).await;
    desk.record(vec![tried(change(&now, now.present), never)]).await.unwrap();
    assert_eq!(desk.questions(vec![about(0)]).await.unwrap()[0].umid, Some(umid(8)));
}
