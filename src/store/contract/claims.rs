//! Tests claims: a claim takes exactly the messages that may be sent, in order.

use super::*;
use crate::base::domain::{Heeds, OptOutSource, Unwanted, WishSenders, WishSubject};
use crate::base::events::Origin;
use crate::rules::planner::{ImpatientQueue, Slots};
use crate::store::{OptOut, Sender, TierUse};

for_every_store!(
    a_claim_marks_messages_sending_and_returns_what_sending_needs,
    claims_take_in_queue_order_up_to_the_limit,
    queues_share_a_claim_evenly_in_the_given_order,
    a_claim_for_fewer_messages_than_queues_serves_the_first_queues,
    two_claims_at_once_share_no_message,
    a_message_is_not_claimed_before_its_time,
    an_expired_message_is_not_claimed,
    expired_messages_do_not_block_later_ones_in_their_queue,
    only_running_batches_are_claimed,
    a_lane_takes_only_from_given_queues_and_owns_what_it_takes,
    a_queue_with_fewer_messages_than_requested_is_drained,
    a_drained_queue_reports_when_its_next_message_is_ready,
    a_claim_marks_recipients_who_opted_out_after_the_launch,
    a_claim_heeds_the_opt_outs_of_what_its_step_is,
    an_empty_claim_takes_nothing,
    a_claim_dropped_before_its_start_takes_nothing,
);

async fn a_claim_marks_messages_sending_and_returns_what_sending_needs(desk: Desk) {
    let batch = desk.batch_of(2).await;
    desk.clock.advance(Span::from_secs(3));
    let set = desk.claimed(batch, 10).await;
    let [first, second] = &set.messages[..] else { panic!("two messages: {set:?}") };
    let state = State::Sending { intent: at(3), not_before: at(0), gives_up: None };
    assert_eq!(first.message.present, Present { state, ..Present::queued(at(0), None) });
    assert_eq!((first.message.version, first.message.address), (1, msisdn(0).into()));
    assert_eq!(second.fields, recipients(1..2)[0].fields);
    assert_eq!(second.unwanted, None);
    let loaded = desk.one(batch, 1).await;
    assert_eq!((loaded.present, loaded.version), (second.message.present, second.message.version));
    desk.counters_equal_rows(batch, 2).await;
}

async fn claims_take_in_queue_order_up_to_the_limit(desk: Desk) {
    let batch = desk.batch_of(6).await;
    // Requeued in another order: the last two first, then the first two, then the rest.
    let all = messages(&desk.claimed(batch, 6).await);
    let places = [3, 3, 5, 5, 1, 1];
    let back = all.iter().zip(places).map(|(message, place)| {
        let state = State::Queued { not_before: at(place - 10), gives_up: None };
        change(message, Present { state, ..message.present })
    });
    assert!(desk.record(back.collect()).await.unwrap().is_empty());
    assert_eq!(numbers(&messages(&desk.claimed(batch, 3).await)), [4, 5, 0]);
    assert_eq!(numbers(&messages(&desk.claimed(batch, 2).await)), [1, 2]);
    assert_eq!(numbers(&messages(&desk.claimed(batch, 2).await)), [3]);
    desk.counters_equal_rows(batch, 6).await;
}

async fn queues_share_a_claim_evenly_in_the_given_order(desk: Desk) {
    let (big, small) = (desk.batch_of(90).await, desk.batch_of(3).await);
    let claim = desk.claim_of(big, 10).await;
    let queues = vec![queue(&claim, big, 0), queue(&claim, big, 1), queue(&claim, small, 0)];
    let set = desk.claim(Claim { queues: queues.clone(), ..claim }).await.unwrap();
    let order: Vec<_> = messages(&set).iter().map(|message| (message.key.batch, message.key.n)).collect();
    // Each gets a third of ten; the others share what one queue does not use.
    let expected: Vec<_> = (0..7).map(|n| (big, n)).chain((0..3).map(|n| (small, n))).collect();
    assert_eq!(order, expected);
    assert_eq!(drained(&set), queues[1..].iter().map(|queue| (*queue, None)).collect::<Vec<_>>());
}

async fn a_claim_for_fewer_messages_than_queues_serves_the_first_queues(desk: Desk) {
    let (first, second) = (desk.batch_of(5).await, desk.batch_of(5).await);
    let claim = desk.claim_of(first, 1).await;
    let queues = vec![queue(&claim, second, 0), queue(&claim, first, 0)];
    let set = desk.claim(Claim { queues, ..claim }).await.unwrap();
    assert_eq!(messages(&set).iter().map(|message| message.key.batch).collect::<Vec<_>>(), [second]);
    assert_eq!(ended(&set, Rest::More).len(), 2);
}

async fn two_claims_at_once_share_no_message(desk: Desk) {
    let batch = desk.batch_of(30).await;
    let claims = (0..5).map(|_| desk.claimed(batch, 7));
    let sets = futures_util::future::join_all(claims).await;
    let mut all: Vec<u32> = sets.iter().flat_map(|set| numbers(&messages(set))).collect();
    all.sort_unstable();
    assert_eq!(all, (0..30).collect::<Vec<_>>());
}

async fn a_message_is_not_claimed_before_its_time(desk: Desk) {
    let audience = desk.audience(None, 3).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let whole = desk.spread_of(batch, audience, 3).await;
    for (n, second) in [(0, 60), (1, 0), (2, 30)] {
        let start = Start { not_before: at(second), ..whole.start.clone() };
        desk.write_messages(PieceOfMessages { from: n, until: n + 1, start, ..whole.clone() }).await.unwrap();
    }
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    assert_eq!(numbers(&messages(&desk.claimed(batch, 10).await)), [1]);
    desk.clock.advance(Span::from_secs(30));
    assert_eq!(numbers(&messages(&desk.claimed(batch, 10).await)), [2]);
    assert!(desk.claimed(batch, 10).await.messages.is_empty());
}

async fn an_expired_message_is_not_claimed(desk: Desk) {
    let audience = desk.audience(None, 2).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let whole = desk.spread_of(batch, audience, 2).await;
    for (n, gives_up) in [(0, Some(at(30))), (1, Some(at(31)))] {
        let start = Start { gives_up, ..whole.start.clone() };
        desk.write_messages(PieceOfMessages { from: n, until: n + 1, start, ..whole.clone() }).await.unwrap();
    }
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    desk.clock.advance(Span::from_secs(30));
    assert_eq!(numbers(&messages(&desk.claimed(batch, 10).await)), [1]);
    assert_eq!(numbers(&desk.due(batch, desk.now(), None, 10).await.unwrap()), [0]);
}

async fn expired_messages_do_not_block_later_ones_in_their_queue(desk: Desk) {
    let audience = desk.audience(None, 9).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let whole = desk.spread_of(batch, audience, 9).await;
    for (from, until, gives_up) in [(0, 4, Some(at(30))), (4, 9, None)] {
        let start = Start { gives_up, ..whole.start.clone() };
        desk.write_messages(PieceOfMessages { from, until, start, ..whole.clone() }).await.unwrap();
    }
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    desk.clock.advance(Span::from_secs(30));
    let first = desk.claimed(batch, 3).await;
    assert_eq!((numbers(&messages(&first)), drained(&first)), (vec![4, 5, 6], vec![]));
    let rest = desk.claimed(batch, 3).await;
    let queue = desk.claim_of(batch, 3).await.queues[0];
    assert_eq!((numbers(&messages(&rest)), drained(&rest)), (vec![7, 8], vec![(queue, None)]));
    desk.counters_equal_rows(batch, 9).await;
}

async fn only_running_batches_are_claimed(desk: Desk) {
    let batch = desk.batch_of(BatchState::ALL.len().try_into().unwrap()).await;
    let mut state = BatchState::Running;
    for next in BatchState::ALL.iter().copied().filter(|state| *state != BatchState::Launching) {
        desk.move_batch(batch, vec![state], next, None, desk.now()).await.unwrap();
        state = next;
        let taken = desk.claimed(batch, 1).await.messages.len();
        assert_eq!(taken, usize::from(state == BatchState::Running), "{state}");
    }
}

async fn a_lane_takes_only_from_given_queues_and_owns_what_it_takes(desk: Desk) {
    let batch = desk.batch_of(5).await;
    let lane = desk.lane("other", Channel::WhatsApp).await;
    let claim = desk.claim_of(batch, 2).await;
    for queue in [Queue { lane, ..claim.queues[0] }, queue(&claim, batch, 1)] {
        assert!(desk.claim(Claim { queues: vec![queue], ..claim.clone() }).await.unwrap().messages.is_empty());
    }
    let stood_in = desk.claim(Claim { lane, ..claim.clone() }).await.unwrap();
    assert_eq!(numbers(&messages(&stood_in)), [0, 1]);
    for message in messages(&stood_in) {
        assert_eq!((message.lane, desk.one(batch, message.key.n).await.lane), (lane, lane));
    }
    // A message that is only read keeps its lane.
    let sender = Sender { sub_account: "acme".to_owned(), channel_id: None };
    let impatient = vec![ImpatientQueue { queue: claim.queues[0], steps: 2 }];
    let tier = TierUse { portfolio: "acme".to_owned(), slots: Slots { free: 0, impatient }, since: desk.now(), sender };
    let kept_out = without_place(&desk.claim(Claim { lane, tier: Some(tier), ..claim.clone() }).await.unwrap());
    assert_eq!(kept_out.iter().map(|message| message.lane).collect::<Vec<_>>(), [claim.lane; 3]);
    assert_eq!(desk.claimed(batch, 10).await.messages.len(), 3);
}

async fn a_queue_with_fewer_messages_than_requested_is_drained(desk: Desk) {
    let batch = desk.batch_of(4).await;
    assert!(drained(&desk.claimed(batch, 2).await).is_empty());
    assert!(drained(&desk.claimed(batch, 2).await).is_empty(), "as many as requested: there may be more");
    let queue = desk.claim_of(batch, 2).await.queues[0];
    assert_eq!(drained(&desk.claimed(batch, 2).await), [(queue, None)]);
}

async fn a_drained_queue_reports_when_its_next_message_is_ready(desk: Desk) {
    let batch = desk.batch_of(4).await;
    let all = messages(&desk.claimed(batch, 4).await);
    let back = all.iter().zip([0, 50, 20, 20]).map(|(message, second)| {
        let state = State::Queued { not_before: at(second), gives_up: None };
        change(message, Present { state, ..message.present })
    });
    assert!(desk.record(back.collect()).await.unwrap().is_empty());
    let mut rests = Vec::new();
    for second in [0, 20, 30, 50] {
        desk.clock.advance(at(second).since(desk.now()));
        let set = desk.claimed(batch, 9).await;
        rests.push((numbers(&messages(&set)), drained(&set)[0].1));
    }
    let expected = [(vec![0], Some(at(20))), (vec![2, 3], Some(at(50))), (vec![], Some(at(50))), (vec![1], None)];
    assert_eq!(rests, expected);
}

async fn a_claim_marks_recipients_who_opted_out_after_the_launch(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let wish = OptOut {
        address: msisdn(1).into(),
        of: WishSubject::EVERYTHING,
        since: desk.now(),
        from: OptOutSource::Operator,
        source: "STOP".to_owned(),
    };
    desk.opt_out(vec![wish]).await.unwrap();
    let set = desk.claimed(batch, 3).await;
    let out: Vec<_> = set.messages.iter().map(|claimed| claimed.unwanted).collect();
    assert_eq!(out, [None, Some(Unwanted::Message), None]);
}

async fn a_claim_heeds_the_opt_outs_of_what_its_step_is(desk: Desk) {
    let wa = |sub_account: Option<&str>| WishSubject::marketing_on(Channel::WhatsApp, sub_account.map(str::to_owned));
    let subjects = [
        WishSubject::EVERYTHING,
        WishSubject { of: OptOutOf::Marketing, senders: None },
        wa(None),
        wa(Some("acme")),
        wa(Some("other")),
        WishSubject::marketing_on(Channel::Sms, None),
        WishSubject { of: OptOutOf::Everything, ..wa(Some("acme")) },
    ];
    let mut batches = Vec::new();
    for _ in 0..4 {
        batches.push(desk.batch_of(8).await);
    }
    let since = desk.now();
    let wishes = (0..).zip(&subjects).map(|(n, of)| OptOut {
        address: msisdn(n).into(),
        of: of.clone(),
        since,
        from: OptOutSource::Operator,
        source: String::new(),
    });
    desk.opt_out(wishes.collect()).await.unwrap();
    let (all, marketing) = (OptOutOf::Everything, OptOutOf::Marketing);
    let (whole, step) = (Some(Unwanted::Message), Some(Unwanted::Step));
    let confirms = Some(Unwanted::Confirmation);
    let cases = [
        (Heeds { message: Some(marketing), step: marketing }, [whole, whole, step, step, None, None, step, None]),
        (Heeds { message: Some(all), step: marketing }, [whole, step, step, step, None, None, step, None]),
        (Heeds { message: Some(all), step: all }, [whole, None, None, None, None, None, step, None]),
        (
            Heeds { message: None, step: marketing },
            [None, None, confirms, confirms, confirms, confirms, confirms, confirms],
        ),
    ];
    for (batch, (heeds, expected)) in batches.into_iter().zip(cases) {
        let claim = desk.claim_of(batch, 8).await;
        let sender = WishSenders { channel: Channel::WhatsApp, sub_account: Some("acme".to_owned()) };
        let heeded = claim.queues.iter().map(|queue| ((queue.batch, queue.step), heeds)).collect();
        let set = desk.claim(Claim { sender, heeds: heeded, ..claim }).await.unwrap();
        let found: Vec<_> = set.messages.iter().map(|claimed| claimed.unwanted).collect();
        assert_eq!(found, expected, "{heeds:?}");
    }
}

async fn an_empty_claim_takes_nothing(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let claim = desk.claim_of(batch, 0).await;
    assert!(desk.claim(claim.clone()).await.unwrap().messages.is_empty());
    let claim = Claim { queues: Vec::new(), limit: 5, ..claim };
    assert!(desk.claim(claim).await.unwrap().messages.is_empty());
    assert!(desk.one(batch, 0).await.version == 0);
}

async fn a_claim_dropped_before_its_start_takes_nothing(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let claim = desk.claim_of(batch, 3).await;
    tokio::select! {
        biased;
        set = desk.claim(claim) => panic!("completed at the first poll: {set:?}"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(desk.claimed(batch, 3).await.messages.len(), 3);
    assert!(desk.all(batch, 3).await.iter().all(|message| message.version == 1));
    desk.counters_equal_rows(batch, 3).await;
}
