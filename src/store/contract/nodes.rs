//! Tests nodes, their records and events, and verbs that share a commit.

use super::*;
use crate::base::domain::{DoubtCause, Portion};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{
    Beat, Direction, Error, KeptGap, LaneStandstill, LaneState, LinkState, RejectionReason, Started, Trouble,
    TurnedAway, started,
};

for_every_store!(
    a_node_is_live_from_its_start_to_its_stop,
    a_node_reads_the_watermark_of_the_previous_node,
    a_beat_records_decisions_and_rates,
    a_silent_node_is_not_live,
    lane_states_are_the_last_reports_of_live_nodes,
    link_states_outlive_the_node_that_recorded_them,
    turned_away_webhooks_are_counted_until_a_day_without_any,
    gaps_are_listed_until_they_are_deleted,
    the_latest_events_are_listed_in_order,
    the_events_of_a_campaign_are_those_of_its_batch_and_lanes,
    a_failed_verb_leaves_the_other_verbs_of_its_commit_intact,
    an_acknowledged_write_is_visible_to_the_next_read,
    a_close_completes_earlier_calls_and_refuses_later_ones,
);

async fn a_node_is_live_from_its_start_to_its_stop(desk: Desk) {
    assert!(desk.nodes(at(0)).await.unwrap().is_empty());
    let Started { node, listened_until, .. } = started(&*desk, at(0)).await;
    assert_eq!(listened_until, None);
    let live = desk.nodes(at(0)).await.unwrap();
    assert_eq!(live.iter().map(|node| (node.id, node.seen_at, node.noted)).collect::<Vec<_>>(), [(node, at(0), 0)]);
    desk.stop_node(node, at(5)).await.unwrap();
    assert!(desk.nodes(at(0)).await.unwrap().is_empty());
}

async fn a_node_reads_the_watermark_of_the_previous_node(desk: Desk) {
    let first = started(&*desk, at(0)).await.node;
    desk.beat(Beat::of(first, at(7), 0)).await.unwrap();
    desk.stop_node(first, at(9)).await.unwrap();
    let Started { node: second, listened_until: listened, .. } = started(&*desk, at(100)).await;
    assert_eq!(listened, Some(at(9)));
    assert_ne!(first, second, "a late beat of the first must not count for the second");
    desk.stop_node(second, at(100)).await.unwrap();
}

async fn a_beat_records_decisions_and_rates(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let node = started(&*desk, at(0)).await.node;
    let noted = desk.seq().await.unwrap();
    desk.beat(Beat { pace: vec![(batch, 79.5), (BatchId(999), 1.0)], ..Beat::of(node, at(2), noted) }).await.unwrap();
    let live = desk.nodes(at(2)).await.unwrap();
    assert_eq!(live.iter().map(|node| node.noted).collect::<Vec<_>>(), [noted]);
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().pace, (79.5, at(2)));
}

async fn a_silent_node_is_not_live(desk: Desk) {
    let node = started(&*desk, at(0)).await.node;
    desk.beat(Beat::of(node, at(10), 0)).await.unwrap();
    assert_eq!(desk.nodes(at(10)).await.unwrap().len(), 1);
    assert!(desk.nodes(at(11)).await.unwrap().is_empty());
}

async fn lane_states_are_the_last_reports_of_live_nodes(desk: Desk) {
    let (trouble, why) = (Trouble::Outage, "503".to_owned());
    let standing = LaneStandstill { trouble, since: at(1), until: at(9), why, in_flight: 3 };
    let state = |lane: &str, pace, standing: Option<LaneStandstill>| LaneState {
        lane: lane.to_owned(),
        pace,
        portion: Portion::WHOLE.halved(),
        tier_spent: true,
        free_at: Some(at(99)),
        complaint: standing.as_ref().map(|standing| (at(2), standing.why.clone())),
        standing,
    };
    let node = started(&*desk, at(0)).await.node;
    let reported = vec![state("wa", 2.5, Some(standing)), state("sms", 0.0, None)];
    desk.beat(Beat { lanes: reported.clone(), ..Beat::of(node, at(5), 0) }).await.unwrap();
    let mut known = desk.lane_states(at(5)).await.unwrap();
    known.reverse();
    assert_eq!(known, reported);
    let over = state("wa", 80.0, None);
    desk.beat(Beat { lanes: vec![over.clone()], ..Beat::of(node, at(6), 0) }).await.unwrap();
    assert_eq!(desk.lane_states(at(6)).await.unwrap(), [reported[1].clone(), over.clone()]);
    assert!(desk.lane_states(at(7)).await.unwrap().is_empty(), "the states of a silent node are outdated");
    desk.stop_node(node, at(8)).await.unwrap();
    assert!(desk.lane_states(at(0)).await.unwrap().is_empty());
    // The next node continues from these states.
    started(&*desk, at(9)).await;
    let left = |state: LaneState| LaneState { pace: 0.0, tier_spent: false, free_at: None, ..state };
    assert_eq!(desk.lane_states(at(9)).await.unwrap(), [left(reported[1].clone()), left(over)]);
}

async fn link_states_outlive_the_node_that_recorded_them(desk: Desk) {
    let node = started(&*desk, at(0)).await.node;
    let link = |direction, proven, doubt| LinkState { address: "https://one".to_owned(), direction, proven, doubt };
    let doubt = Some((at(3), DoubtCause::Unreachable));
    let reported = vec![link(Direction::Out, at(3), doubt), link(Direction::In, at(8), None)];
    desk.beat(Beat { links: reported.clone(), ..Beat::of(node, at(9), 0) }).await.unwrap();
    assert_eq!(desk.links().await.unwrap(), reported);
    desk.stop_node(node, at(9)).await.unwrap();
    let next = started(&*desk, at(20)).await.node;
    assert_eq!(desk.links().await.unwrap(), reported);
    let again = link(Direction::Out, at(21), None);
    desk.beat(Beat { links: vec![again.clone()], ..Beat::of(next, at(21), 0) }).await.unwrap();
    assert_eq!(desk.links().await.unwrap(), [again, reported[1].clone()]);
}

async fn turned_away_webhooks_are_counted_until_a_day_without_any(desk: Desk) {
    let node = started(&*desk, at(0)).await.node;
    let turned = |why, count, since, latest| TurnedAway { why, count, since: at(since), latest: at(latest) };
    let beat = |turned_away| Beat { turned_away, ..Beat::of(node, at(1), 0) };
    desk.beat(beat(vec![turned(RejectionReason::Nothing, 3, 10, 12)])).await.unwrap();
    let both = vec![turned(RejectionReason::Nothing, 2, 20, 21), turned(RejectionReason::TooLarge, 1, 15, 15)];
    desk.beat(beat(both)).await.unwrap();
    let known = [turned(RejectionReason::Nothing, 5, 10, 21), turned(RejectionReason::TooLarge, 1, 15, 15)];
    assert_eq!(desk.turned_away().await.unwrap(), known);
    let later = 22 + 86_400;
    desk.beat(beat(vec![turned(RejectionReason::Nothing, 1, later, later)])).await.unwrap();
    assert_eq!(desk.turned_away().await.unwrap(), [turned(RejectionReason::Nothing, 1, later, later), known[1]]);
}

async fn gaps_are_listed_until_they_are_deleted(desk: Desk) {
    assert!(desk.gaps().await.unwrap().is_empty());
    let gap = |from, until, address: Option<&str>| KeptGap {
        from: at(from),
        until: at(until),
        address: address.map(str::to_owned),
    };
    desk.keep_gap(gap(1, 2, None), at(0)).await.unwrap();
    desk.keep_gap(gap(3, 5, Some("https://one")), at(0)).await.unwrap();
    assert_eq!(desk.gaps().await.unwrap(), [gap(1, 2, None), gap(3, 5, Some("https://one"))]);
    desk.keep_gap(gap(90, 91, None), at(5)).await.unwrap();
    assert_eq!(desk.gaps().await.unwrap(), [gap(3, 5, Some("https://one")), gap(90, 91, None)]);
}

async fn the_latest_events_are_listed_in_order(desk: Desk) {
    let event = |n: i64| Event::by_server(at(n), Subject::Server, EventKind::AskingDone);
    for n in 0..5 {
        desk.record_event(event(n)).await.unwrap();
    }
    let latest = desk.events(Cursor::START, 3).await.unwrap();
    assert_eq!(latest.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), [event(2), event(3), event(4)]);
    assert_eq!(desk.events(Cursor::START, 9).await.unwrap().len(), 5);
    assert_eq!(desk.events(latest[0].0, 9).await.unwrap(), latest[1..]);
    assert!(desk.events(latest[2].0, 9).await.unwrap().is_empty());
}

async fn the_events_of_a_campaign_are_those_of_its_batch_and_lanes(desk: Desk) {
    // Its name must not be mistaken for a lane's.
    let campaign = |batch| Subject::campaign(BatchId(batch), Some("lane wa"));
    let step = Subject::step(BatchId(1), Some("lane wa"), StepIndex::FIRST);
    let subjects = [
        campaign(1),
        Subject::lane("wa"),
        campaign(2),
        step.clone(),
        Subject::lane("sms"),
        Subject::held("wa", "promo", "en"),
        Subject::Server,
    ];
    for (n, subject) in subjects.into_iter().enumerate() {
        desk.record_event(Event::by_server(at(n as i64), subject, EventKind::Paused)).await.unwrap();
    }
    let of = async |limit| {
        let events = desk.events_of(BatchId(1), vec!["wa".to_owned()], limit).await.unwrap();
        events.into_iter().map(|event| event.subject).collect::<Vec<_>>()
    };
    let all = [campaign(1), Subject::lane("wa"), step, Subject::held("wa", "promo", "en")];
    assert_eq!(of(9).await, all);
    assert_eq!(of(2).await, all[2..], "the latest");
}

async fn a_failed_verb_leaves_the_other_verbs_of_its_commit_intact(desk: Desk) {
    desk.audience(Some("taken"), 1).await;
    let batch = desk.batch_of(8).await;
    let lane = desk.lane("wa", Channel::WhatsApp).await;
    let named = |name: &str| NewAudience {
        known_as: KnownAs::Name(name.to_owned()),
        source: String::new(),
        columns: Vec::new(),
        now: desk.now(),
    };
    let queues = vec![Queue { batch, step: StepIndex::FIRST, lane }];
    let claim = Claim::of(lane, queues, 3, desk.now());
    let event = Event::by_server(at(1), Subject::Server, EventKind::AskingDone);
    let (refused, begun, taken, again, noted, missing) = tokio::join!(
        desk.begin_audience(named("taken")),
        desk.begin_audience(named("free")),
        desk.claim(claim.clone()),
        desk.begin_audience(named("taken")),
        desk.record_event(event.clone()),
        desk.publish_batch(BatchId(999), BatchState::Running, Origin::SERVER, at(1)),
    );
    assert!(matches!(refused, Err(Error::NameTaken { .. })) && matches!(again, Err(Error::NameTaken { .. })));
    assert!(matches!(missing, Err(Error::Gone { .. })));
    begun.unwrap();
    noted.unwrap();
    assert_eq!(taken.unwrap().messages.len(), 3);
    let noted = desk.events(Cursor::START, 9).await.unwrap().into_iter().map(|(_, event)| event);
    assert_eq!(noted.filter(|event| event.subject == Subject::Server).collect::<Vec<_>>(), [event]);
    assert_eq!(desk.claim(Claim { limit: 8, ..claim }).await.unwrap().messages.len(), 5);
    desk.counters_equal_rows(batch, 8).await;
}

async fn an_acknowledged_write_is_visible_to_the_next_read(desk: Desk) {
    let batch = desk.batch_of(50).await;
    for n in 0..50 {
        let claimed = messages(&desk.claimed(batch, 1).await);
        assert_eq!(desk.one(batch, n).await.version, 1);
        desk.record(vec![accepted(&claimed[0], at(1))]).await.unwrap();
        let found = desk.one(batch, n).await;
        assert_eq!((found.version, desk.attempts(vec![found.key]).await.unwrap().concat().len()), (2, 1));
    }
}

async fn a_close_completes_earlier_calls_and_refuses_later_ones(desk: Desk) {
    let event = |n: i64| Event::by_server(at(n), Subject::Server, EventKind::AskingDone);
    let notes = futures_util::future::join_all((0..20).map(|n| desk.record_event(event(n))));
    let (noted, ()) = tokio::join!(notes, desk.close());
    for answer in noted {
        answer.unwrap();
    }
    assert!(matches!(desk.record_event(event(99)).await, Err(Error::Closed { .. })));
    assert!(desk.seq().await.is_err());
    desk.close().await;
}
