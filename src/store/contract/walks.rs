//! Tests walks: a walk shows all data of a batch, once, in order.

use tokio::sync::watch;

use super::*;
use crate::base::domain::{OptOutSource, Reasons, WishSubject};
use crate::rules::engine::Ruling;
use crate::store::{Copied, Frame, MessageFacts, OptOut, Receipt, Scope, Stray, StrayKind, Twin, Verdict, Walk};

for_every_store!(
    a_walk_shows_every_message_once_with_all_its_facts,
    a_walk_with_recipients_contains_their_file_data,
    a_umid_of_two_attempts_is_reported,
    a_umid_of_attempts_in_two_batches_is_reported,
    two_tries_of_one_step_are_no_twins,
    a_walk_shows_one_instant_however_late_it_is_read,
    a_walk_reports_its_progress,
    a_walk_over_an_unknown_batch_returns_nothing,
    facts_of_a_range_are_found_by_their_code,
);

#[derive(Debug)]
struct Seen {
    frame: Frame,
    messages: Vec<MessageFacts>,
    twins: Vec<Twin>,
}

async fn walk(desk: &Desk, batch: BatchId, scope: Scope) -> Option<Walk> {
    desk.walk(batch, scope, watch::channel(Copied::default()).0).await.unwrap()
}

async fn read(mut walk: Walk) -> Seen {
    let mut messages = Vec::new();
    while let Some(page) = walk.next().await.unwrap() {
        messages.extend(page);
    }
    Seen { frame: walk.frame, messages, twins: walk.twins }
}

async fn walked(desk: &Desk, batch: BatchId, scope: Scope) -> Seen {
    read(walk(desk, batch, scope).await.unwrap()).await
}

fn receipt(message: &Loaded, second: i64) -> Receipt {
    Receipt {
        key: message.key,
        step: StepIndex::FIRST,
        stamp: at(second),
        state: "delivered".to_owned(),
        detail: format!("to the phone\nin second {second}"),
        code: 7,
        received: at(second),
        tries: Some(0),
        umid: None,
        charge: None,
        ruling: Ruling::default(),
    }
}

async fn a_walk_shows_every_message_once_with_all_its_facts(desk: Desk) {
    // More than a page, and another batch.
    let (people, other) = (4_500, desk.batch_of(3).await);
    let batch = desk.batch_of(people).await;
    let some = messages(&desk.claimed(batch, 40).await);
    desk.record(some.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap();
    let theirs = messages(&desk.claimed(other, 3).await);
    desk.record(theirs.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap();
    let receipts = some.iter().take(10).flat_map(|message| [receipt(message, 9), receipt(message, 5)]).collect();
    let stray = Stray { kind: StrayKind::OtherType, received: at(1), umid: None, raw: "?".to_owned() };
    desk.take_receipts(receipts, vec![stray], Vec::new()).await.unwrap();
    let since = at(77);
    desk.opt_out(vec![OptOut {
        address: msisdn(2).into(),
        of: WishSubject::EVERYTHING,
        since,
        from: OptOutSource::Operator,
        source: "STOP".to_owned(),
    }])
    .await
    .unwrap();

    let seen = walked(&desk, batch, Scope::Facts).await;
    let frame = seen.frame;
    assert_eq!((frame.batch.id, frame.batch.messages, frame.plan_is_whole), (batch, people, true));
    assert_eq!((frame.plan, frame.tallies), (plan(), desk.tallies(batch).await.unwrap()));
    assert_eq!(frame.strays, [(StrayKind::OtherType, 1)]);
    let numbers: Vec<u32> = seen.messages.iter().map(|whole| whole.message.key.n).collect();
    assert_eq!(numbers, (0..people).collect::<Vec<_>>());
    let all = desk.all(batch, people).await;
    let attempts = desk.attempts(all.iter().map(|row| row.key).collect()).await.unwrap();
    for ((whole, row), attempts) in seen.messages.iter().zip(&all).zip(attempts) {
        assert_eq!((whole.message.present, whole.message.version), (row.present, row.version));
        assert_eq!(whole.attempts, attempts);
        assert_eq!(whole.opted_out, (row.address == msisdn(2)).then_some(since));
        assert_eq!((whole.country, whole.recipient_address), (Some("SG".parse().unwrap()), Some(row.address)));
        let receipts: Vec<_> =
            whole.receipts.iter().map(|receipt| (receipt.received, receipt.detail.as_str())).collect();
        match row.key.n {
            0..10 => assert_eq!(receipts, [(at(5), "to the phone in second 5"), (at(9), "to the phone in second 9")]),
            _ => assert!(receipts.is_empty()),
        }
    }
}

async fn a_walk_with_recipients_contains_their_file_data(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let seen = walked(&desk, batch, Scope::FactsAndRecipients).await;
    for (whole, n) in seen.messages.iter().zip(0..) {
        assert_eq!(whole.recipient, Some(rows(n..n + 1).remove(0)));
    }
    assert!(walked(&desk, batch, Scope::Facts).await.messages.iter().all(|whole| whole.recipient.is_none()));
}

async fn a_umid_of_two_attempts_is_reported(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let all = messages(&desk.claimed(batch, 3).await);
    let same = |message: &Loaded, umid: &Umid| {
        let fact = attempt(message, at(1), Verdict::Accepted, Some(umid.clone()));
        Change { fact: Some(fact), ..accepted(message, at(1)) }
    };
    desk.record(vec![same(&all[0], &umid(7)), same(&all[1], &umid(8)), same(&all[2], &umid(7))]).await.unwrap();
    let twin = |message: &Loaded| Twin { umid: umid(7), key: message.key, step: StepIndex::FIRST };
    let seen = walked(&desk, batch, Scope::FactsAndTwins).await;
    assert_eq!(seen.twins, [twin(&all[0]), twin(&all[2])]);
    assert!(walked(&desk, batch, Scope::Facts).await.twins.is_empty());
}

async fn two_tries_of_one_step_are_no_twins(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let claimed = messages(&desk.claimed(batch, 1).await)[0];
    desk.record(vec![accepted(&claimed, at(1))]).await.unwrap();
    let now = desk.one(batch, 0).await;
    let again = Attempt { tries: 1, ..attempt(&claimed, at(2), Verdict::Accepted, Some(umid(0))) };
    desk.record(vec![Change { fact: Some(again), ..change(&now, now.present) }]).await.unwrap();
    let seen = walked(&desk, batch, Scope::FactsAndTwins).await;
    assert_eq!((seen.messages[0].attempts.len(), seen.twins), (2, Vec::new()));
}

async fn a_umid_of_attempts_in_two_batches_is_reported(desk: Desk) {
    let (batch, other, third) = (desk.batch_of(2).await, desk.batch_of(2).await, desk.batch_of(1).await);
    for batch in [batch, other] {
        let all = messages(&desk.claimed(batch, 2).await);
        // The first messages share umid 0; the second messages have their own.
        let own = |message: &Loaded| if message.key.n == 0 { umid(0) } else { umid(batch.0) };
        let with_umid = |message: &Loaded| {
            let fact = attempt(message, at(1), Verdict::Accepted, Some(own(message)));
            Change { fact: Some(fact), ..accepted(message, at(1)) }
        };
        desk.record(all.iter().map(with_umid).collect()).await.unwrap();
    }
    let twin = |batch| Twin { umid: umid(0), key: MessageKey { batch, n: 0 }, step: StepIndex::FIRST };
    for looked_at in [batch, other] {
        assert_eq!(walked(&desk, looked_at, Scope::FactsAndTwins).await.twins, [twin(batch), twin(other)]);
    }
    assert!(walked(&desk, third, Scope::FactsAndTwins).await.twins.is_empty(), "the twins are in other batches");
}

async fn a_walk_shows_one_instant_however_late_it_is_read(desk: Desk) {
    let people = 4_500;
    let batch = desk.batch_of(people).await;
    let before = desk.all(batch, people).await;
    let copy = walk(&desk, batch, Scope::FactsAndRecipients).await.unwrap();
    // No page has been read yet, and others write.
    let some = messages(&desk.claimed(batch, 3_000).await);
    desk.record(some.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap();
    let seen = read(copy).await;
    assert_eq!(seen.messages.len(), before.len());
    for (whole, before) in seen.messages.iter().zip(&before) {
        assert_eq!((whole.message.present, whole.attempts.len()), (before.present, 0));
    }
    let now = walked(&desk, batch, Scope::FactsAndRecipients).await;
    assert_eq!(now.messages.iter().filter(|whole| !whole.attempts.is_empty()).count(), some.len());
}

async fn a_walk_reports_its_progress(desk: Desk) {
    let batch = desk.batch_of(4_500).await;
    let (sender, progress) = watch::channel(Copied::default());
    desk.walk(batch, Scope::Facts, sender).await.unwrap();
    assert_eq!(*progress.borrow(), Copied { messages: 4_500, of: 4_500 });
}

async fn a_walk_over_an_unknown_batch_returns_nothing(desk: Desk) {
    assert!(walk(&desk, BatchId(99), Scope::FactsAndTwins).await.is_none());
}

async fn facts_of_a_range_are_found_by_their_code(desk: Desk) {
    let batch = desk.batch_of(5).await;
    let all = messages(&desk.claimed(batch, 5).await);
    let rejected = |message: &Loaded| {
        let fact = attempt(message, at(1), Verdict::Rejected, None);
        Change { fact: Some(fact), ..accepted(message, at(1)) }
    };
    let changes =
        all.iter().map(|message| if message.key.n < 2 { rejected(message) } else { accepted(message, at(1)) });
    desk.record(changes.collect()).await.unwrap();
    let without = Receipt { code: 0, ..receipt(&all[3], 8) };
    desk.take_receipts(vec![receipt(&all[2], 5), receipt(&all[4], 6), without], Vec::new(), Vec::new()).await.unwrap();
    let found = async |numbers, of| {
        let facts = desk.coded_facts(batch, numbers, of).await.unwrap();
        let attempts: Vec<u32> = facts.attempts.iter().map(|(n, _)| *n).collect();
        (attempts, facts.receipts.iter().map(|receipt| receipt.key.n).collect::<Vec<_>>())
    };
    // An accepted attempt with a code counts as none.
    assert_eq!(found(0..=4, Reasons::Of(21)).await, (vec![0, 1], vec![]));
    assert_eq!(found(1..=3, Reasons::Of(21)).await, (vec![1], vec![]));
    assert_eq!(found(0..=4, Reasons::Of(7)).await, (vec![], vec![2, 4]));
    assert_eq!(found(0..=3, Reasons::Of(7)).await, (vec![], vec![2]));
    assert_eq!(found(0..=4, Reasons::WithoutCode).await, (vec![], vec![3]));
    assert_eq!(found(0..=4, Reasons::All).await, (vec![0, 1], vec![2, 3, 4]));
    assert_eq!(found(1..=2, Reasons::All).await, (vec![1], vec![2]));
}
