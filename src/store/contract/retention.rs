//! Tests purges and erasures: what they delete, and what stays.

use tokio::sync::watch;

use std::collections::BTreeSet;

use super::*;
use crate::base::domain::{AddressKey, ChannelUser, Keyword, OptOutOf, OptOutSource, Outcome, WishSubject};
use crate::store::{Alias, Copied, Inbound, InboundOf, MessageFacts, OptOut, Scope, Whom};

for_every_store!(
    only_a_settled_batch_is_purged,
    a_purge_deletes_every_fact_and_keeps_the_counters,
    an_audience_of_purged_campaigns_can_be_removed,
    an_erased_recipient_remains_only_in_the_opt_outs,
    a_recipient_is_erased_under_every_spelling,
    a_recipient_of_an_open_message_is_not_erased,
    an_erased_recipient_gets_no_message,
);

/// Submits every message of a batch and reports it as delivered.
async fn delivered(desk: &Desk, batch: BatchId, messages: u32) {
    let claimed = desk.claimed(batch, messages).await.messages;
    let changes = claimed.iter().map(|claimed| accepted(&claimed.message, at(1))).collect();
    assert!(desk.record(changes).await.unwrap().is_empty());
    for message in desk.all(batch, messages).await {
        let state = State::Done { outcome: Outcome::Reached, skipped: None, at: at(2) };
        let marks = message.present.marks.with_status(message.present.step, Status::Delivered);
        let marks = marks.with_reached_by(message.present.step);
        let ended = change(&message, Present { state, marks, ..message.present });
        let receipt = Receipt {
            key: message.key,
            step: StepIndex::FIRST,
            stamp: at(2),
            state: "delivered".to_owned(),
            detail: String::new(),
            code: 0,
            received: at(2),
            tries: None,
            umid: None,
            charge: None,
            ruling: Ruling::default(),
        };
        assert!(desk.take_receipts(vec![receipt], Vec::new(), vec![ended]).await.unwrap().is_empty());
    }
}

fn wrote(n: u32, on: Option<BatchId>) -> Inbound {
    Inbound {
        on: on.map(|batch| (MessageKey { batch, n }, StepIndex::FIRST)),
        raw: format!("{{\"from\":\"{}\"}}", msisdn(n).get()),
        ..text(format!("{n} {on:?}"), n, 5)
    }
}

async fn settle(desk: &Desk, batch: BatchId) {
    for (from, to) in [(BatchState::Running, BatchState::Finished), (BatchState::Finished, BatchState::Settled)] {
        assert!(desk.move_batch(batch, vec![from], to, None, at(9)).await.unwrap().is_some());
    }
}

async fn purge(desk: &Desk, batch: BatchId) -> u32 {
    let mut purged = 0;
    loop {
        match desk.purge_piece(batch).await.unwrap() {
            0 => return purged,
            piece => purged += piece,
        }
    }
}

async fn walked(desk: &Desk, batch: BatchId) -> Vec<MessageFacts> {
    let mut walk =
        desk.walk(batch, Scope::FactsAndRecipients, watch::channel(Copied::default()).0).await.unwrap().unwrap();
    let mut all = Vec::new();
    while let Some(page) = walk.next().await.unwrap() {
        all.extend(page);
    }
    all
}

async fn only_a_settled_batch_is_purged(desk: Desk) {
    let batch = desk.batch_of(3).await;
    assert!(!desk.begin_purge(batch, at(9)).await.unwrap());
    assert_eq!(purge(&desk, batch).await, 0);
    assert_eq!(desk.all(batch, 3).await.len(), 3);
}

async fn a_purge_deletes_every_fact_and_keeps_the_counters(desk: Desk) {
    let (batch, other) = (desk.batch_of(2_500).await, desk.batch_of(3).await);
    for (batch, messages) in [(batch, 2_500), (other, 3)] {
        desk.claimed(batch, messages).await;
        let changes = desk.all(batch, messages).await.iter().map(|message| accepted(message, at(1))).collect();
        assert!(desk.record(changes).await.unwrap().is_empty());
    }
    let chose = |n, keyword| Inbound { choice: Some("Yes".to_owned()), keyword, ..wrote(n, Some(batch)) };
    let stop = chose(3, Some(Keyword::Stop));
    desk.take_inbound(vec![chose(0, None), wrote(1, Some(other)), wrote(2, None), stop]).await.unwrap();
    settle(&desk, batch).await;
    let before = desk.tallies(batch).await.unwrap();
    let answered = desk.replied(batch).await.unwrap();
    assert_eq!(answered.len(), 1);
    assert!(desk.begin_purge(batch, at(20)).await.unwrap());
    assert_eq!(purge(&desk, batch).await, 2_500);
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().purged_at, Some(at(20)));
    assert!(walked(&desk, batch).await.is_empty());
    assert_eq!(desk.attempts(vec![MessageKey { batch, n: 7 }]).await.unwrap(), [vec![]]);
    assert_eq!(desk.tallies(batch).await.unwrap(), before);
    assert_eq!(desk.replied(batch).await.unwrap(), answered, "a purged reply still counts");
    assert!(walked(&desk, other).await.iter().all(|whole| whole.attempts.len() == 1), "another campaign is unchanged");
    desk.forget_texts(at(6)).await.unwrap();
    let texts = desk.inbound(InboundOf::All, Cursor::START, 10).await.unwrap();
    // What was chosen still counts, without its sender. A keyword keeps its sender, without what was chosen.
    let left = texts.iter().map(|(_, text)| (text.msisdn, text.raw.is_empty(), text.choice.as_deref()));
    let (first, second) = ((None, true, Some("Yes")), (Some(msisdn(1)), false, None));
    assert_eq!(left.collect::<Vec<_>>(), [first, second, (Some(msisdn(3)), true, None)]);
}

async fn an_audience_of_purged_campaigns_can_be_removed(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let audience = desk.batch(batch).await.unwrap().unwrap().audience_ids[0];
    delivered(&desk, batch, 3).await;
    settle(&desk, batch).await;
    assert!(desk.remove_audience(audience).await.is_err());
    assert!(desk.begin_purge(batch, at(20)).await.unwrap());
    purge(&desk, batch).await;
    desk.remove_audience(audience).await.unwrap();
    assert_eq!(desk.recipients(audience, 0, 10).await.unwrap(), []);
}

async fn a_recipient_is_erased_under_every_spelling(desk: Desk) {
    let [own, other]: [Msisdn; 2] = ["+5511987654321", "+551187654321"].map(|number| number.parse().unwrap());
    for (umid, number) in [("one", own), ("two", other)] {
        let from = Inbound { msisdn: Some(number), ..text(umid.to_owned(), 1, 1) };
        desk.take_inbound(vec![from]).await.unwrap();
    }
    assert!(desk.erase(vec![other.into()], Vec::new(), Vec::new(), Vec::new()).await.unwrap());
    let texts = desk.inbound(InboundOf::All, Cursor::START, 10).await.unwrap();
    assert_eq!(texts.iter().map(|(_, text)| (text.msisdn, text.raw.as_str())).collect::<Vec<_>>(), [(None, ""); 2]);
}

async fn an_erased_recipient_remains_only_in_the_opt_outs(desk: Desk) {
    let batch = desk.batch_of(6).await;
    let audience = desk.batch(batch).await.unwrap().unwrap().audience_ids[0];
    delivered(&desk, batch, 6).await;
    let out = OptOut {
        address: msisdn(4).into(),
        of: WishSubject::EVERYTHING,
        since: at(8),
        from: OptOutSource::Provider,
        source: "code 1".to_owned(),
    };
    desk.opt_out(vec![out]).await.unwrap();
    let user = |n: u32| ChannelUser { channel: Channel::WhatsApp, id: format!("SG.{n}") };
    let by_id = |umid: &str, n: u32, second, keyword| Inbound {
        called: Some(user(n).id),
        keyword: Some(keyword),
        ..text(umid.to_owned(), n, second)
    };
    let chose = Inbound { choice: Some("Yes".to_owned()), ..wrote(4, Some(batch)) };
    let (first, second) = (by_id("id 1", 4, 1, Keyword::Stop), by_id("id 2", 4, 2, Keyword::Start));
    let aliases = [3, 4].map(|n| Alias { channel: Channel::WhatsApp, called: user(n).id, msisdn: msisdn(n) });
    desk.learn_users(aliases.to_vec()).await.unwrap();
    desk.take_inbound(vec![first, second, by_id("id 3", 3, 1, Keyword::Stop)]).await.unwrap();
    desk.take_inbound(vec![by_id("id 4", 4, 3, Keyword::Stop), chose, wrote(3, Some(batch))]).await.unwrap();
    // More than one transaction removes.
    let rejects = std::iter::once(30).chain(std::iter::repeat_n(4, 500));
    let mut rejects: Vec<_> = rejects.map(|n| audiences::rejected(2, "duplicate", Some(n))).collect();
    // The second of its two numbers.
    rejects.push(audiences::rejected(2, "two readings", Some(3)));
    let with_id = |id: &str| {
        let fields = Fields::pack(["", id]);
        crate::store::RejectedRow { fields, ..audiences::rejected(2, "duplicate", Some(30)) }
    };
    desk.add_rejected(audience, 900, vec![with_id("SG.8"), with_id("SG.88")]).await.unwrap();
    assert_eq!(desk.rejected_with("SG.8".to_owned()).await.unwrap(), [(audience, 900)]);
    desk.remove_rejected(audience, vec![900, 901]).await.unwrap();
    desk.add_rejected(audience, 0, rejects).await.unwrap();
    assert_eq!(desk.count_rejected(msisdn(4)).await.unwrap(), 501);
    let others = desk.erase(vec![msisdn(4).into()], vec![(audience, 4)], Vec::new(), Vec::new()).await.unwrap();
    assert!(!others, "an unknown campaign may have a message to the recipient");
    let (place, key) = ((audience, 4), MessageKey { batch, n: 4 });
    let both = vec![msisdn(4).into(), user(4).into()];
    assert!(desk.erase(both, vec![place], vec![key], vec![(batch, 0)]).await.unwrap());
    for whom in [Whom::Address(msisdn(4).into()), Whom::ClientId("theirs-4".to_owned())] {
        assert_eq!(desk.find_recipient(whom, None).await.unwrap(), []);
    }
    assert_eq!(desk.find_recipient(Whom::Address(msisdn(3).into()), None).await.unwrap(), [(audience, 3)]);
    let [(0, kept)] = &desk.rejected_rows(audience, None, 0, 9).await.unwrap()[..] else { panic!("one is erased") };
    assert_eq!(kept.msisdn, Some(msisdn(30)));
    let all = walked(&desk, batch).await;
    assert_eq!(all.iter().filter(|whole| whole.message.address == msisdn(4)).count(), 0);
    let erased = &all[4];
    assert_eq!((erased.message.address, erased.recipient_address), (AddressKey::ERASED, Some(AddressKey::ERASED)));
    assert_eq!(erased.message.present.outcome(), Some(Outcome::Reached));
    assert_eq!(erased.attempts[0].umid, None);
    let row = erased.recipient.as_ref().unwrap();
    assert_eq!((row.client_message_id.as_deref(), row.fields.as_str()), (None, r#"["",""]"#));
    let texts = desk.inbound(InboundOf::All, Cursor::START, 10).await.unwrap();
    assert_eq!(texts.iter().filter(|(_, text)| text.raw.contains(&msisdn(4).get().to_string())).count(), 0);
    assert_eq!(texts.len(), 6);
    assert!(texts.iter().all(|(_, text)| text.choice.is_none() && text.called.as_deref() != Some("SG.4")));
    assert_eq!(desk.opted_out(vec![msisdn(4)], OptOutOf::Everything).await.unwrap(), [msisdn(4)]);
    let reasons = desk.wishes(msisdn(4).into()).await.unwrap();
    let reasons: BTreeSet<_> = reasons.iter().map(|wish| (wish.from, wish.wants)).collect();
    let of_both = [(OptOutSource::Recipient, Keyword::Stop), (OptOutSource::Provider, Keyword::Stop)];
    assert_eq!(reasons, of_both.into(), "of an opt-out, what proves that the recipient asked for it stays as well");
    // The same under the id, which keeps no link to the number.
    assert_eq!(desk.opt_out_of(user(4).into()).await.unwrap().map(|entry| entry.since), Some(at(8)));
    assert!(desk.wishes(user(4).into()).await.unwrap().iter().any(|wish| wish.at == at(3)));
    assert_eq!(desk.other_addresses(user(4).into()).await.unwrap(), []);
    assert_eq!(desk.wishes(user(3).into()).await.unwrap().len(), 1, "another recipient's stays");
    desk.counters_equal_rows(batch, 6).await;
}

async fn a_recipient_of_an_open_message_is_not_erased(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let key = MessageKey { batch, n: 1 };
    assert!(!desk.erase(vec![msisdn(1).into()], Vec::new(), vec![key], vec![(batch, 0)]).await.unwrap());
    assert_eq!(desk.one(batch, 1).await.address, msisdn(1));
}

async fn an_erased_recipient_gets_no_message(desk: Desk) {
    let audience = desk.audience(Some("people"), 4).await;
    assert!(desk.erase(vec![msisdn(2).into()], vec![(audience, 2)], Vec::new(), Vec::new()).await.unwrap());
    let batch = desk.begin_batch_of(Some("later"), audience).await;
    let spread = desk.spread_of(batch, audience, 4).await;
    assert_eq!(desk.write_messages(spread).await.unwrap(), 3);
    assert!(desk.load(vec![MessageKey { batch, n: 2 }]).await.unwrap().is_empty());
}
