//! Tests hours: a claim takes no message outside its hours. At the start it is 16:00 in Singapore and 03:00 in
//! New York, on Friday, 15 January 2027.

use super::*;
use crate::base::domain::{Hours, Stretch};
use crate::base::events::Origin;
use crate::rules::planner::Timing;
use crate::store::Over;

for_every_store!(
    messages_outside_their_hours_stay_and_report_the_next_opening,
    messages_outside_their_hours_block_no_others,
    a_local_start_time_applies_in_each_time_zone,
    first_messages_are_spread_evenly_and_expire_as_much_later,
);

/// A claim with these hours, for a batch with five recipients in New York and then five in Singapore.
async fn claim_of(desk: &Desk, hours: Hours, limit: u32) -> Claim {
    let audience = desk.begin(None).await;
    let country = |n: u32| if n < 5 { "US" } else { "SG" }.parse::<Country>().unwrap();
    let rows = recipients(0..10).into_iter().zip(0..);
    let rows = rows.map(|(row, n)| Recipient { country: country(n), ..row });
    desk.add_recipients(audience, 0, rows.collect()).await.unwrap();
    desk.publish_audience(audience, 10, "{}".to_owned()).await.unwrap();
    let batch = desk.begin_batch_of(None, audience).await;
    let spread = desk.spread_of(batch, audience, 10).await;
    desk.write_messages(spread).await.unwrap();
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    let timing = Arc::new(Timing { hours, launched: at(0) });
    Claim { hours: [((batch, StepIndex::FIRST), timing)].into(), ..desk.claim_of(batch, limit).await }
}

fn window(text: &str) -> Hours {
    Hours { windows: vec![text.parse::<Stretch>().unwrap()], ..Hours::default() }
}

async fn messages_outside_their_hours_stay_and_report_the_next_opening(desk: Desk) {
    let claim = claim_of(&desk, window("Mon-Fri 09:00-18:00"), 100).await;
    let queue = claim.queues[0];
    let set = desk.claim(claim.clone()).await.unwrap();
    assert_eq!(numbers(&messages(&set)), [5, 6, 7, 8, 9]);
    assert_eq!(drained(&set), [(queue, None)]);
    // Six hours later it is 09:00 in New York.
    let kept: Vec<(u32, Timestamp)> = closed(&set).iter().map(|(message, until)| (message.key.n, *until)).collect();
    assert_eq!(kept, (0..5).map(|n| (n, at(6 * 3_600))).collect::<Vec<_>>());
    for (message, _) in closed(&set) {
        assert_eq!((message.version, message.present), (0, Present::queued(at(0), None)));
    }
    assert_eq!(desk.one(queue.batch, 0).await.version, 0);
    desk.clock.advance(Span::from_secs(6 * 3_600));
    let set = desk.claim(Claim { now: desk.now(), ..claim }).await.unwrap();
    assert_eq!((numbers(&messages(&set)), closed(&set).len()), (vec![0, 1, 2, 3, 4], 0));
}

async fn messages_outside_their_hours_block_no_others(desk: Desk) {
    let claim = claim_of(&desk, window("09:00-18:00"), 2).await;
    let set = desk.claim(claim).await.unwrap();
    assert_eq!((numbers(&messages(&set)), closed(&set).len()), (vec![5, 6], 5));
    assert_eq!(ended(&set, Rest::More).len(), 1);
}

async fn a_local_start_time_applies_in_each_time_zone(desk: Desk) {
    // 09:00 on the 15th: past in Singapore, and six hours from now in New York.
    let since = Some("2027-01-15T09:00:00".parse().unwrap());
    let claim = claim_of(&desk, Hours { since, ..Hours::default() }, 100).await;
    let set = desk.claim(claim).await.unwrap();
    assert_eq!(numbers(&messages(&set)), [5, 6, 7, 8, 9]);
    assert!(closed(&set).iter().all(|(_, until)| *until == at(6 * 3_600)));
}

async fn first_messages_are_spread_evenly_and_expire_as_much_later(desk: Desk) {
    let audience = desk.audience(None, 6).await;
    let batch = desk.begin_batch_of(None, audience).await;
    let spread = desk.spread_of(batch, audience, 6).await;
    let start = Start { gives_up: Some(at(30)), ..spread.start.clone() };
    let over = Some(Over { span: Span::from_secs(60), messages: 6 });
    // The pieces do not matter.
    for (from, until) in [(0, 2), (2, 6)] {
        desk.write_messages(PieceOfMessages { from, until, start: start.clone(), over, ..spread.clone() })
            .await
            .unwrap();
    }
    desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    let rows = desk.all(batch, 6).await;
    for (n, row) in (0..).zip(&rows) {
        let gives_up = Some(at(30 + n * 10));
        assert_eq!(row.present.state, State::Queued { not_before: at(n * 10), gives_up });
    }
}
