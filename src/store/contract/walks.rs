//! A walk shows everything of a batch, once, in order.

use tokio::sync::mpsc;

use super::*;
use crate::domain::WishFrom;
use crate::store::{Frame, OptOut, Page, Receipt, Scope, Stray, StrayKind, Twin, Whole};

for_every_store!(
    a_walk_shows_every_message_once_with_all_its_facts,
    a_walk_with_people_shows_what_their_file_says,
    an_id_of_the_providers_that_two_attempts_carry_is_pointed_out,
    two_tries_of_one_step_are_no_twins,
    a_walk_ends_where_nobody_takes_its_pages,
    a_walk_over_what_is_not_there_shows_nothing,
);

#[derive(Debug, Default)]
struct Seen {
    frame: Option<Frame>,
    messages: Vec<Whole>,
    twins: Vec<Twin>,
}

async fn walked(desk: &Desk, batch: BatchId, scope: Scope) -> Seen {
    let (sender, mut pages) = mpsc::channel(1);
    let mut seen = Seen::default();
    let look = async {
        while let Some(page) = pages.recv().await {
            match page {
                Page::Batch(frame) => seen.frame = Some(*frame),
                Page::Messages(page) => seen.messages.extend(page),
                Page::Twins(twins) => seen.twins.extend(twins),
            }
        }
    };
    let (walk, ()) = tokio::join!(desk.walk(batch, scope, sender), look);
    walk.unwrap();
    seen
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
    }
}

async fn a_walk_shows_every_message_once_with_all_its_facts(desk: Desk) {
    // More than a page, and another batch beside it.
    let (people, other) = (4_500, desk.batch_of(3).await);
    let batch = desk.batch_of(people).await;
    let some = messages(&desk.claimed(batch, 40).await);
    desk.record(some.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap();
    let theirs = messages(&desk.claimed(other, 3).await);
    desk.record(theirs.iter().map(|message| accepted(message, at(1))).collect()).await.unwrap();
    let said = some.iter().take(10).flat_map(|message| [receipt(message, 9), receipt(message, 5)]).collect();
    let stray = Stray { kind: StrayKind::OtherType, received: at(1), umid: None, raw: "?".to_owned() };
    desk.take_receipts(said, vec![stray], Vec::new()).await.unwrap();
    let since = at(77);
    desk.opt_out(vec![OptOut { msisdn: person(2), since, from: WishFrom::Operator, source: "STOP".to_owned() }])
        .await
        .unwrap();

    let seen = walked(&desk, batch, Scope::Facts).await;
    let frame = seen.frame.unwrap();
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
        assert_eq!(whole.opted_out, (row.msisdn == person(2)).then_some(since));
        assert_eq!((whole.country, whole.number), (Some("SG".parse().unwrap()), Some(row.msisdn)));
        let told: Vec<_> = whole.receipts.iter().map(|receipt| (receipt.received, receipt.detail.as_str())).collect();
        match row.key.n {
            0..10 => assert_eq!(told, [(at(5), "to the phone in second 5"), (at(9), "to the phone in second 9")]),
            _ => assert!(told.is_empty()),
        }
    }
}

async fn a_walk_with_people_shows_what_their_file_says(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let seen = walked(&desk, batch, Scope::People).await;
    for (whole, n) in seen.messages.iter().zip(0..) {
        let recipient = recipients(n..n + 1).remove(0);
        assert_eq!(whole.recipient, Some(recipient));
    }
    assert!(walked(&desk, batch, Scope::Facts).await.messages.iter().all(|whole| whole.recipient.is_none()));
}

async fn an_id_of_the_providers_that_two_attempts_carry_is_pointed_out(desk: Desk) {
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

async fn a_walk_ends_where_nobody_takes_its_pages(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let (sender, pages) = mpsc::channel(1);
    drop(pages);
    desk.walk(batch, Scope::People, sender).await.unwrap();
}

async fn a_walk_over_what_is_not_there_shows_nothing(desk: Desk) {
    let seen = walked(&desk, BatchId(99), Scope::FactsAndTwins).await;
    assert!(seen.frame.is_none() && seen.messages.is_empty());
}
