//! Webhooks that Volley sends: subscriptions, feeds, deliveries and alerts.

use super::*;
use crate::base::domain::{AlertKind, Outcome, Progress, SkipReason};
use crate::base::events::{Event, EventKind, Subject};
use crate::store::{
    AfterTrial, AlertKey, Delivery, DeliveryState, FanOut, Feed, FeedState, NewDelivery, NewSubscription, Observed,
    OpenAlert, Receiver, ReceiverKind, Replay, SubscriptionChange, SubscriptionId, Trial, Tried, WebhookFormat,
};

for_every_store!(
    a_subscription_has_one_name_and_is_changed_with_an_event,
    a_rotated_secret_stays_valid_for_its_overlap,
    changes_of_observed_messages_come_in_their_order,
    an_unobserved_change_leaves_no_row,
    a_late_change_is_not_told,
    a_feed_is_fanned_out_once,
    a_delivery_waits_for_an_earlier_one_about_the_same,
    a_failure_postpones_what_waits_behind_it,
    a_try_of_a_removed_subscription_changes_nothing,
    receivers_with_waiting_deliveries_are_listed_once,
    an_enabled_subscription_begins_its_day_anew,
    a_replay_sends_the_same_event_again,
    failed_deliveries_are_given_up_or_wait_for_another_try,
    old_deliveries_are_forgotten,
    an_alert_that_returns_is_not_ended,
);

pub(super) fn new_subscription(name: &str, types: &[&str]) -> NewSubscription {
    NewSubscription {
        name: name.to_owned(),
        url: "https://crm.example/hooks".to_owned(),
        format: WebhookFormat::Volley,
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        sub_account: None,
        authorization: None,
        secret: "whsec_b25l".to_owned(),
    }
}

pub(super) fn new_delivery(receiver: &Receiver, event: &str, about: &str) -> NewDelivery {
    NewDelivery {
        receiver: receiver.clone(),
        event: event.to_owned(),
        kind: "lane.held".to_owned(),
        order_key: about.to_owned(),
        url: None,
        body: format!("{{\"id\":\"{event}\"}}"),
    }
}

pub(super) fn tried(delivery: &Delivery, now: Timestamp, then: AfterTrial) -> Tried {
    let (what, error) = (&delivery.what, (then != AfterTrial::Delivered).then(|| "no answer".to_owned()));
    let trial = Trial { at: now, took: Span::from_millis(12), status: Some(500), error, answer: Some("?".to_owned()) };
    Tried { id: delivery.id, receiver: what.receiver.clone(), order_key: what.order_key.clone(), trial, then }
}

pub(super) fn alert_key() -> AlertKey {
    let (kind, subject) = (AlertKind::LaneHeld, Subject::lane("wa"));
    AlertKey { name: "ops".to_owned(), kind, subject, detail: String::new() }
}

fn ann() -> Origin {
    Origin::operator("Ann", None)
}

fn to(n: i64) -> Receiver {
    Receiver::Subscription(SubscriptionId(n))
}

impl Desk {
    async fn state(&self, feed: Feed) -> FeedState {
        self.feeds().await.unwrap()[feed as usize]
    }

    async fn add(&self, deliveries: &[NewDelivery]) -> Vec<i64> {
        self.add_deliveries(deliveries.to_vec(), at(1)).await.unwrap()
    }

    async fn due_ids(&self, receiver: &Receiver, now: Timestamp) -> Vec<i64> {
        let due = self.due_deliveries(receiver.clone(), now, 99).await.unwrap();
        due.iter().map(|delivery| delivery.id).collect()
    }

    async fn all_waiting(&self, kind: ReceiverKind) -> Vec<(Receiver, Timestamp)> {
        self.waiting_receivers(kind, None, 9).await.unwrap()
    }

    async fn find(&self, id: i64) -> Delivery {
        self.delivery(id).await.unwrap().unwrap()
    }
}

async fn a_subscription_has_one_name_and_is_changed_with_an_event(desk: Desk) {
    let seq = desk.seq().await.unwrap();
    let created = desk.create_subscription(new_subscription("crm", &["message.*"]), ann(), at(1)).await.unwrap();
    let created = created.unwrap();
    assert!(desk.create_subscription(new_subscription("crm", &["*"]), ann(), at(2)).await.unwrap().is_none());
    assert_eq!(desk.subscriptions().await.unwrap(), std::slice::from_ref(&created));
    // The servers look at each decision.
    assert_eq!((desk.seq().await.unwrap(), desk.observes_messages().await.unwrap()), (seq + 1, true));
    let change = |change| desk.change_subscription(created.id, change, ann(), at(3));
    assert!(!change(SubscriptionChange::Enable).await.unwrap(), "it is enabled already");
    assert!(change(SubscriptionChange::Disable).await.unwrap());
    assert!(!change(SubscriptionChange::Disable).await.unwrap());
    assert_eq!(desk.subscriptions().await.unwrap()[0].disabled, Some((at(3), ann())));
    assert!(!desk.observes_messages().await.unwrap());
    assert!(change(SubscriptionChange::Enable).await.unwrap());
    assert!(change(SubscriptionChange::Remove).await.unwrap());
    assert!(!change(SubscriptionChange::Remove).await.unwrap());
    assert!(desk.subscriptions().await.unwrap().is_empty() && !desk.observes_messages().await.unwrap());
    let events = desk.events(Cursor::START, 99).await.unwrap();
    let about = |event: &Event| event.subject == Subject::subscription("crm");
    let kinds: Vec<_> = events.into_iter().filter(|(_, event)| about(event)).map(|(_, event)| event.kind).collect();
    let expected = [
        EventKind::SubscriptionCreated,
        EventKind::SubscriptionDisabled,
        EventKind::SubscriptionEnabled,
        EventKind::SubscriptionRemoved,
    ];
    assert_eq!(kinds, expected);
    for (types, observes) in [(&["lane.*", "reply.received"][..], false), (&["lane.*", "message.read"], true)] {
        let created = desk.create_subscription(new_subscription("x", types), ann(), at(4)).await.unwrap().unwrap();
        assert_eq!(desk.observes_messages().await.unwrap(), observes, "{types:?}");
        desk.change_subscription(created.id, SubscriptionChange::Remove, ann(), at(4)).await.unwrap();
    }
}

async fn a_rotated_secret_stays_valid_for_its_overlap(desk: Desk) {
    let created = desk.create_subscription(new_subscription("crm", &["*"]), ann(), at(1)).await.unwrap().unwrap();
    let rotate = async |secret: &str, second| {
        let change = SubscriptionChange::Rotate { secret: secret.to_owned(), overlap: Span::from_secs(10) };
        assert!(desk.change_subscription(created.id, change, ann(), at(second)).await.unwrap());
    };
    let active = async |second| {
        let known = desk.subscriptions().await.unwrap().remove(0).secrets;
        known.into_iter().filter(|known| known.is_active(at(second))).map(|known| known.secret).collect::<Vec<_>>()
    };
    rotate("whsec_dHdv", 100).await;
    assert_eq!(active(109).await, ["whsec_dHdv", "whsec_b25l"]);
    assert_eq!(active(110).await, ["whsec_dHdv"]);
    // No more than two are valid, however fast the next one follows.
    rotate("whsec_dGhyZWU", 105).await;
    assert_eq!(active(106).await, ["whsec_dGhyZWU", "whsec_dHdv"]);
}

fn told(progress: Progress, second: i64) -> Observed {
    Observed { progress, at: at(second), code: None, detail: None, message: None }
}

fn sent() -> Progress {
    Progress::Reached { step: StepIndex::FIRST, status: Status::Sent }
}

async fn changes_of_observed_messages_come_in_their_order(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let all = messages(&desk.claimed(batch, 2).await);
    let failed = Progress::Failed { step: StepIndex::FIRST };
    let ended = Progress::Ended { outcome: Outcome::Skipped, skipped: Some(SkipReason::OptedOut) };
    let first = Change { observed: vec![told(sent(), 3), told(failed, 4)], ..accepted(&all[1], at(5)) };
    let then = Change {
        version: first.version + 1,
        before: first.after,
        fact: None,
        observed: vec![Observed { detail: Some("it's \"over\"".to_owned()), ..told(ended, 6) }],
        ..first.clone()
    };
    desk.record(vec![first, then]).await.unwrap();
    let rows = desk.observed_after(Cursor::START, 9).await.unwrap();
    let progress: Vec<_> = rows.iter().map(|(_, row)| (row.observed.progress, row.observed.at)).collect();
    assert_eq!(progress, [(sent(), at(3)), (failed, at(4)), (ended, at(6))]);
    assert!(rows.is_sorted_by(|(one, _), (other, _)| one < other));
    // The code and the words of a rejected attempt are in its fact.
    assert_eq!((rows[1].1.observed.code, rows[1].1.observed.message.as_deref()), (Some(21), Some("a detail")));
    assert_eq!((rows[2].1.observed.code, rows[2].1.observed.detail.as_deref()), (None, Some("it's \"over\"")));
    let row = &rows[0].1;
    let recipient = row.recipient.as_ref().unwrap();
    assert_eq!((row.key, &recipient.address, row.umid.clone()), (all[1].key, &msisdn(1).into(), Some(umid(1))));
    assert!(!recipient.fields.unpack().unwrap().is_empty());
    assert_eq!(desk.observed_after(rows[1].0, 9).await.unwrap().len(), 1);
    assert!(desk.state(Feed::Messages).await.is_behind());
}

async fn an_unobserved_change_leaves_no_row(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let all = messages(&desk.claimed(batch, 1).await);
    desk.record(vec![accepted(&all[0], at(5))]).await.unwrap();
    assert!(desk.observed_after(Cursor::START, 9).await.unwrap().is_empty());
    assert!(!desk.state(Feed::Messages).await.is_behind());
}

async fn a_late_change_is_not_told(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let all = messages(&desk.claimed(batch, 2).await);
    let observed = |message, second| Change { observed: vec![told(sent(), second)], ..accepted(message, at(second)) };
    desk.record(vec![observed(&all[0], 1)]).await.unwrap();
    let late = desk.record(vec![observed(&all[0], 2), observed(&all[1], 3)]).await.unwrap();
    assert_eq!(late, [all[0].key]);
    let rows = desk.observed_after(Cursor::START, 9).await.unwrap();
    assert_eq!(rows.iter().map(|(_, row)| row.observed.at).collect::<Vec<_>>(), [at(1), at(3)]);
}

async fn a_feed_is_fanned_out_once(desk: Desk) {
    let batch = desk.batch_of(1).await;
    let all = messages(&desk.claimed(batch, 1).await);
    desk.record(vec![Change { observed: vec![told(sent(), 1)], ..accepted(&all[0], at(1)) }]).await.unwrap();
    let from = desk.state(Feed::Messages).await;
    let fan_out = FanOut {
        feed: Feed::Messages,
        from: from.position,
        until: from.latest,
        deliveries: vec![new_delivery(&to(7), "evt_1", "m"), new_delivery(&to(8), "evt_1", "m")],
        alerts: Vec::new(),
        now: at(2),
    };
    assert!(desk.fan_out(fan_out.clone()).await.unwrap());
    // Another server, or this one after a crash, has read the same rows.
    assert!(!desk.fan_out(fan_out).await.unwrap());
    assert_eq!((desk.due_ids(&to(7), at(2)).await.len(), desk.due_ids(&to(8), at(2)).await.len()), (1, 1));
    assert!(desk.observed_after(Cursor::START, 9).await.unwrap().is_empty());
    assert!(!desk.state(Feed::Messages).await.is_behind());
    // The numbers of later rows go on.
    let row = desk.one(batch, 0).await;
    desk.record(vec![Change { observed: vec![told(sent(), 3)], ..change(&row, row.present) }]).await.unwrap();
    assert!(desk.state(Feed::Messages).await.is_behind());
    let events = desk.state(Feed::Events).await;
    assert_eq!(desk.events_after(events.position, 1).await.unwrap().len(), 1);
    assert!(desk.events_after(events.latest, 1).await.unwrap().is_empty());
}

async fn a_delivery_waits_for_an_earlier_one_about_the_same(desk: Desk) {
    let ids = desk
        .add(&[
            new_delivery(&to(1), "evt_1", "a"),
            new_delivery(&to(1), "evt_2", "a"),
            new_delivery(&to(1), "evt_3", "b"),
            new_delivery(&to(2), "evt_2", "a"),
        ])
        .await;
    assert_eq!(desk.due_ids(&to(1), at(1)).await, [ids[0], ids[2]]);
    assert_eq!(desk.due_ids(&to(2), at(1)).await, [ids[3]]);
    assert!(desk.due_ids(&to(1), at(0)).await.is_empty());
    let first = desk.find(ids[0]).await;
    desk.record_tries(vec![tried(&first, at(2), AfterTrial::Delivered)]).await.unwrap();
    assert_eq!(desk.due_ids(&to(1), at(2)).await, [ids[1], ids[2]]);
    let done = desk.find(ids[0]).await;
    assert_eq!((done.state, done.tries, done.begun_at), (DeliveryState::Delivered, 1, Some(at(2))));
    assert_eq!(done.latest.unwrap().answer.as_deref(), Some("?"));
    let health = desk.receiver_health(vec![to(1)]).await.unwrap().remove(0);
    assert_eq!((health.receiver, health.delivered, health.succeeded_at), (to(1), 1, Some(at(2))));
    assert!(desk.receiver_health(vec![to(2)]).await.unwrap().is_empty(), "it was never tried");
}

async fn a_failure_postpones_what_waits_behind_it(desk: Desk) {
    let ids = desk.add(&[new_delivery(&to(1), "evt_1", "a"), new_delivery(&to(1), "evt_2", "a")]).await;
    let first = desk.find(ids[0]).await;
    desk.record_tries(vec![tried(&first, at(2), AfterTrial::Retry(at(9)))]).await.unwrap();
    assert!(desk.due_ids(&to(1), at(8)).await.is_empty());
    assert_eq!(desk.find(ids[1]).await.next_at, at(9));
    assert_eq!(desk.all_waiting(ReceiverKind::Subscription).await, [(to(1), at(9))]);
    assert_eq!(desk.due_ids(&to(1), at(9)).await, [ids[0]]);
    desk.record_tries(vec![tried(&first, at(9), AfterTrial::GiveUp)]).await.unwrap();
    assert_eq!(desk.due_ids(&to(1), at(9)).await, [ids[1]]);
    let health = desk.receiver_health(vec![to(1)]).await.unwrap().remove(0);
    assert_eq!((health.given_up, health.failing_since), (1, Some(at(2))));
    let second = desk.find(ids[1]).await;
    desk.record_tries(vec![tried(&second, at(10), AfterTrial::Delivered)]).await.unwrap();
    assert_eq!(desk.receiver_health(vec![to(1)]).await.unwrap().remove(0).failing_since, None);
}

async fn a_try_of_a_removed_subscription_changes_nothing(desk: Desk) {
    let created = desk.create_subscription(new_subscription("crm", &["*"]), ann(), at(1)).await.unwrap().unwrap();
    let receiver = Receiver::Subscription(created.id);
    let ids = desk.add(&[new_delivery(&receiver, "evt_1", "a"), new_delivery(&receiver, "evt_2", "b")]).await;
    let (first, second) = (desk.find(ids[0]).await, desk.find(ids[1]).await);
    // Disabled while one is in flight: it is recorded, and the other waits.
    desk.change_subscription(created.id, SubscriptionChange::Disable, ann(), at(2)).await.unwrap();
    desk.record_tries(vec![tried(&first, at(3), AfterTrial::Delivered)]).await.unwrap();
    assert_eq!(desk.find(ids[0]).await.state, DeliveryState::Delivered);
    assert_eq!(desk.find(ids[1]).await.state, DeliveryState::Waiting);
    desk.change_subscription(created.id, SubscriptionChange::Remove, ann(), at(4)).await.unwrap();
    desk.record_tries(vec![tried(&second, at(5), AfterTrial::Retry(at(6)))]).await.unwrap();
    assert_eq!(desk.find(ids[1]).await.state, DeliveryState::GivenUp);
    assert!(desk.due_ids(&receiver, at(99)).await.is_empty());
    assert_eq!(desk.deliveries(receiver, None, 9).await.unwrap().len(), 2, "the log stays");
}

async fn an_enabled_subscription_begins_its_day_anew(desk: Desk) {
    let created = desk.create_subscription(new_subscription("crm", &["*"]), ann(), at(1)).await.unwrap().unwrap();
    assert_eq!(created.enabled_at, at(1));
    let receiver = Receiver::Subscription(created.id);
    let ids = desk.add(&[new_delivery(&receiver, "evt_1", "a")]).await;
    let first = desk.find(ids[0]).await;
    desk.record_tries(vec![tried(&first, at(2), AfterTrial::Retry(at(900)))]).await.unwrap();
    desk.change_subscription(created.id, SubscriptionChange::Disable, ann(), at(3)).await.unwrap();
    desk.change_subscription(created.id, SubscriptionChange::Enable, ann(), at(500)).await.unwrap();
    assert_eq!(desk.due_ids(&receiver, at(500)).await, ids);
    assert_eq!(desk.find(ids[0]).await.tries, 0);
    assert_eq!(desk.subscriptions().await.unwrap()[0].enabled_at, at(500));
    assert_eq!(desk.receiver_health(vec![receiver]).await.unwrap()[0].failing_since, None);
}

async fn receivers_with_waiting_deliveries_are_listed_once(desk: Desk) {
    let callback = |host: &str| Receiver::Callback(format!("https://{host}.example"));
    let alert = Receiver::Alert("ops".to_owned());
    let three = |receiver: &Receiver| ["a", "b", "c"].map(|about| new_delivery(receiver, "evt_1", about));
    for receiver in [&to(3), &callback("a"), &callback("b"), &callback("c"), &alert] {
        desk.add(&three(receiver)).await;
    }
    assert_eq!(desk.all_waiting(ReceiverKind::Subscription).await, [(to(3), at(1))]);
    assert_eq!(desk.all_waiting(ReceiverKind::Alert).await, [(alert, at(1))]);
    let callbacks = ["a", "b", "c"].map(|host| (callback(host), at(1)));
    assert_eq!(desk.all_waiting(ReceiverKind::Callback).await, callbacks);
    // The next page begins after the last receiver of this one.
    let first = desk.waiting_receivers(ReceiverKind::Callback, None, 2).await.unwrap();
    let last = first.last().map(|(receiver, _)| receiver.clone());
    let rest = desk.waiting_receivers(ReceiverKind::Callback, last, 2).await.unwrap();
    assert_eq!((first.len(), [first, rest].concat()), (2, callbacks.to_vec()));
}

async fn a_replay_sends_the_same_event_again(desk: Desk) {
    let early = desk.add(&[new_delivery(&to(1), "evt_1", "a"), new_delivery(&to(2), "evt_1", "a")]).await;
    let late = desk.add_deliveries(vec![new_delivery(&to(1), "evt_2", "b")], at(50)).await.unwrap();
    for id in early.iter().chain(&late) {
        let delivery = desk.find(*id).await;
        desk.record_tries(vec![tried(&delivery, at(60), AfterTrial::Delivered)]).await.unwrap();
    }
    assert_eq!(desk.replay(to(1), Replay::Between { from: at(0), until: at(50) }, at(70)).await.unwrap(), 1);
    assert_eq!(desk.due_ids(&to(1), at(70)).await, [early[0]]);
    let again = desk.find(early[0]).await;
    assert_eq!((again.what.event.as_str(), again.tries, again.begun_at), ("evt_1", 0, None));
    assert!(desk.due_ids(&to(2), at(70)).await.is_empty());
    // What still waits is not counted, and nobody's else's delivery is repeated.
    assert_eq!(desk.replay(to(1), Replay::One(early[0]), at(71)).await.unwrap(), 0);
    assert_eq!(desk.replay(to(1), Replay::One(early[1]), at(71)).await.unwrap(), 0);
    assert_eq!(desk.replay(to(1), Replay::One(late[0]), at(71)).await.unwrap(), 1);
    let log = desk.deliveries(to(1), None, 1).await.unwrap();
    assert_eq!(log[0].id, late[0]);
    assert_eq!(desk.deliveries(to(1), Some(late[0]), 9).await.unwrap()[0].id, early[0]);
}

async fn failed_deliveries_are_given_up_or_wait_for_another_try(desk: Desk) {
    let new: Vec<_> = ["evt_1", "evt_2", "evt_3", "evt_4"].map(|event| new_delivery(&to(1), event, event)).into();
    let ids = desk.add(&new).await;
    desk.add(&[new_delivery(&to(2), "evt_1", "a")]).await;
    for (id, then) in ids.iter().zip([AfterTrial::Retry(at(99)), AfterTrial::Delivered, AfterTrial::GiveUp]) {
        let delivery = desk.find(*id).await;
        desk.record_tries(vec![tried(&delivery, at(2), then)]).await.unwrap();
    }
    let failed = async |before, limit| {
        let found = desk.failed_deliveries(to(1), before, limit).await.unwrap();
        found.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>()
    };
    assert_eq!(failed(None, 9).await, [ids[2], ids[0]]);
    assert_eq!((failed(None, 1).await, failed(Some(ids[2]), 1).await), (vec![ids[2]], vec![ids[0]]));
}

async fn old_deliveries_are_forgotten(desk: Desk) {
    let old = desk.add(&[new_delivery(&to(1), "evt_1", "a")]).await;
    let young = desk.add_deliveries(vec![new_delivery(&to(1), "evt_2", "b")], at(50)).await.unwrap();
    desk.forget_deliveries(at(50)).await.unwrap();
    assert!(desk.delivery(old[0]).await.unwrap().is_none());
    assert!(desk.delivery(young[0]).await.unwrap().is_some());
}

async fn an_alert_that_returns_is_not_ended(desk: Desk) {
    let key = alert_key();
    let alert = |ended_at| OpenAlert {
        key: key.clone(),
        began_at: at(1),
        ended_at,
        event: "evt_1".to_owned(),
        text: "held".to_owned(),
    };
    let keep = async |alert: OpenAlert| {
        let position = desk.state(Feed::Events).await.position;
        let (deliveries, alerts) = (Vec::new(), vec![alert]);
        let fan_out = FanOut { feed: Feed::Events, from: position, until: position, deliveries, alerts, now: at(9) };
        assert!(desk.fan_out(fan_out).await.unwrap());
    };
    let end = async |before| {
        let ended = vec![(key.clone(), new_delivery(&Receiver::Alert("ops".to_owned()), "evt_1", "lane wa"))];
        desk.end_alerts(ended, before, at(99)).await.unwrap();
    };
    keep(alert(Some(at(20)))).await;
    end(at(19)).await;
    keep(alert(None)).await;
    end(at(99)).await;
    assert_eq!(desk.open_alerts().await.unwrap(), [alert(None)]);
    assert!(desk.all_waiting(ReceiverKind::Alert).await.is_empty());
    keep(alert(Some(at(30)))).await;
    end(at(30)).await;
    assert!(desk.open_alerts().await.unwrap().is_empty());
    assert_eq!(desk.all_waiting(ReceiverKind::Alert).await.len(), 1);
}
