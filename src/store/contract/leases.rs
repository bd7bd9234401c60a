//! Tests the lease: which server takes it, and what a server of another epoch may still do.

use super::*;
use crate::store::{Beat, Error, Holder, Lease, NodeStart, started};

for_every_store!(
    a_start_takes_the_lease_and_a_stop_gives_it_back,
    one_of_two_concurrent_starts_takes_the_lease,
    a_lease_that_was_renewed_meanwhile_is_not_taken,
    a_superseded_server_cannot_renew_beat_or_give_back,
    a_claim_of_another_epoch_fails_and_takes_nothing,
    in_flight_lists_messages_of_earlier_epochs_only,
    a_superseded_server_may_still_record_what_it_sent,
    a_late_answer_adds_only_its_umid_to_an_unknown_attempt,
);

fn holder(pid: u32) -> Holder {
    Holder { machine: "here".to_owned(), pid, started: 4_711 }
}

async fn a_start_takes_the_lease_and_a_stop_gives_it_back(desk: Desk) {
    let free = desk.lease().await.unwrap();
    assert_eq!((free.epoch, &free.held), (Epoch(0), &None));
    let start = NodeStart { now: at(1), holder: holder(5), over: free };
    let first = desk.start_node(start).await.unwrap().unwrap();
    assert_eq!(first.epoch, Epoch(1));
    desk.renew(first.node, at(2)).await.unwrap();
    let held = Lease { epoch: Epoch(1), renewed: at(2), held: Some((holder(5), at(1))) };
    assert_eq!(desk.lease().await.unwrap(), held);
    desk.beat(Beat::of(first.node, at(3), 0)).await.unwrap();
    let held = Lease { renewed: at(3), ..held };
    assert_eq!(desk.lease().await.unwrap(), held);
    desk.stop_node(first.node, at(4)).await.unwrap();
    assert_eq!(desk.lease().await.unwrap(), Lease { held: None, ..held });
    assert_eq!(started(&*desk, at(5)).await.epoch, Epoch(2));
}

async fn one_of_two_concurrent_starts_takes_the_lease(desk: Desk) {
    let over = desk.lease().await.unwrap();
    let start = |pid| NodeStart { now: at(1), holder: holder(pid), over: over.clone() };
    let (one, other) = tokio::join!(desk.start_node(start(1)), desk.start_node(start(2)));
    let taken: Vec<_> = [one, other].into_iter().filter_map(|started| started.unwrap()).collect();
    assert_eq!(taken.iter().map(|started| started.epoch).collect::<Vec<_>>(), [Epoch(1)]);
    let nodes = desk.nodes(at(0)).await.unwrap();
    assert_eq!(nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [taken[0].node]);
}

async fn a_lease_that_was_renewed_meanwhile_is_not_taken(desk: Desk) {
    let first = started(&*desk, at(0)).await;
    let over = desk.lease().await.unwrap();
    desk.renew(first.node, at(1)).await.unwrap();
    assert_eq!(desk.start_node(NodeStart { now: at(2), holder: holder(9), over }).await.unwrap(), None);
    assert_eq!(desk.lease().await.unwrap().epoch, first.epoch);
}

async fn a_superseded_server_cannot_renew_beat_or_give_back(desk: Desk) {
    let (first, second) = (started(&*desk, at(0)).await, started(&*desk, at(9)).await);
    let lease = desk.lease().await.unwrap();
    assert!(matches!(desk.renew(first.node, at(10)).await, Err(Error::Superseded)));
    assert!(matches!(desk.beat(Beat::of(first.node, at(10), 0)).await, Err(Error::Superseded)));
    desk.stop_node(first.node, at(10)).await.unwrap();
    assert_eq!(desk.lease().await.unwrap(), lease);
    desk.beat(Beat::of(second.node, at(11), 0)).await.unwrap();
}

async fn a_claim_of_another_epoch_fails_and_takes_nothing(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let first = started(&*desk, at(0)).await;
    let claim = desk.claim_of(batch, 1).await;
    let under = |epoch| Claim { epoch, ..claim.clone() };
    assert_eq!(desk.claim(under(first.epoch)).await.unwrap().messages.len(), 1);
    let second = started(&*desk, at(1)).await;
    for epoch in [Epoch(0), first.epoch, Epoch(second.epoch.0 + 1)] {
        assert!(matches!(desk.claim(under(epoch)).await, Err(Error::Superseded)));
    }
    assert_eq!(desk.all(batch, 3).await.iter().filter(|message| message.version > 0).count(), 1);
    assert_eq!(desk.claim(under(second.epoch)).await.unwrap().messages.len(), 1);
    desk.counters_equal_rows(batch, 3).await;
}

async fn in_flight_lists_messages_of_earlier_epochs_only(desk: Desk) {
    let batch = desk.batch_of(3).await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        let epoch = started(&*desk, at(0)).await.epoch;
        let claim = Claim { epoch, ..desk.claim_of(batch, 1).await };
        claimed.extend(messages(&desk.claim(claim).await.unwrap()).iter().map(|message| message.key));
    }
    for (epoch, left) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        let found = desk.in_flight(Epoch(epoch), None, 9).await.unwrap();
        assert_eq!(found.iter().map(|message| message.key).collect::<Vec<_>>(), claimed[..left]);
    }
}

async fn a_superseded_server_may_still_record_what_it_sent(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let first = started(&*desk, at(0)).await;
    let claim = Claim { epoch: first.epoch, ..desk.claim_of(batch, 1).await };
    let sent = messages(&desk.claim(claim).await.unwrap())[0];
    let second = started(&*desk, at(1)).await;
    assert!(desk.record(vec![accepted(&sent, at(2))]).await.unwrap().is_empty());
    assert!(desk.in_flight(second.epoch, None, 9).await.unwrap().is_empty());
    desk.counters_equal_rows(batch, 1).await;
}

async fn a_late_answer_adds_only_its_umid_to_an_unknown_attempt(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let sent = desk.claim(desk.claim_of(batch, 2).await).await.unwrap();
    // One answer is older than the record of the unknown result, and one is newer.
    for (sent, heard) in messages(&sent).iter().zip([at(1), at(9)]) {
        let counted = unknown(sent, at(2));
        let fact = counted.fact.clone().unwrap();
        assert!(desk.record(vec![counted]).await.unwrap().is_empty());
        // A receipt may have proven the attempt meanwhile.
        let row = desk.load(vec![sent.key]).await.unwrap().remove(0);
        let answer = Attempt {
            verdict: Verdict::Accepted,
            answered: heard,
            code: None,
            detail: None,
            umid: Some(umid(sent.key.n)),
            ..fact.clone()
        };
        let late = Change { fact: Some(answer.clone()), ..change(&row, accepted(&row, heard).after) };
        assert!(desk.record(vec![late]).await.unwrap().is_empty());
        let known = desk.attempts(vec![sent.key]).await.unwrap().concat();
        assert_eq!(known, [Attempt { umid: answer.umid, ..fact }]);
    }
}
