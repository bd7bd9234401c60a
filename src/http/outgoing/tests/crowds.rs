//! Many receivers, many rows, and the loop of a server.

use tokio_util::sync::CancellationToken;

use super::receiver::{Reaction, Target};
use super::*;
use crate::store::{DeliveryState, NewDelivery};

fn to_callback(target: &Target, n: usize) -> NewDelivery {
    NewDelivery {
        receiver: Receiver::Callback(format!("http://{}", target.address)),
        event: format!("evt_{n}"),
        kind: "message.sent".to_owned(),
        order_key: format!("message 1/{n}"),
        url: Some(target.url()),
        body: format!("{{\"n\":{n}}}"),
    }
}

impl Site {
    async fn queue(&self, deliveries: Vec<NewDelivery>) {
        self.store.add_deliveries(deliveries, self.clock.now()).await.unwrap();
    }

    async fn states_of(&self, target: &Target) -> Vec<DeliveryState> {
        let receiver = Receiver::Callback(format!("http://{}", target.address));
        let log = self.store.deliveries(receiver, None, 999).await.unwrap();
        log.into_iter().map(|delivery| delivery.state).collect()
    }
}

#[tokio::test]
async fn the_loop_sends_while_another_receiver_hangs_and_stops_after_its_requests() {
    let site = Site { limit: Duration::from_millis(300), ..Site::new().await };
    let (slow, healthy) = (Target::new([Reaction::Hangs]).await, Target::new([]).await);
    site.subscribe("a-slow", &slow.url()).await;
    site.subscribe("b-healthy", &healthy.url()).await;
    site.hold("sms").await;
    let stop = CancellationToken::new();
    let server = tokio::spawn(site.server().run(stop.clone()));
    tokio::join!(slow.gets(1), healthy.gets(1));
    // The next look, however long the slow one takes.
    site.hold("viber").await;
    let looking = async {
        while healthy.requests().len() < 2 {
            site.clock.advance(Span::from_millis(250));
            tokio::task::yield_now().await;
        }
    };
    looking.await;
    stop.cancel();
    server.await.unwrap();
}

#[tokio::test]
async fn a_large_feed_is_read_in_several_looks() {
    let site = Site::new().await;
    let crm = site.subscribe("crm", "https://crm.example/").await;
    // With a hundred receivers a page has twenty rows.
    for n in 1..100 {
        site.subscribe_to(&format!("other-{n}"), "https://crm.example/", &["campaign.*"]).await;
    }
    for n in 0..200 {
        site.hold(&format!("lane-{n}")).await;
    }
    let all = site.store.subscriptions().await.unwrap();
    let receiver = Receiver::Subscription(all.iter().find(|known| known.name == crm.view.name).unwrap().id);
    let made = async || site.store.deliveries(receiver.clone(), None, 999).await.unwrap().len();
    let server = site.server();
    server.run_once().await.unwrap();
    assert!(made().await < 200, "one look makes no more than a bounded number of deliveries");
    while made().await < 200 {
        server.run_once().await.unwrap();
    }
}

#[tokio::test]
async fn a_receiver_that_answers_gets_many_at_once_until_it_hangs() {
    let site = Site { limit: Duration::from_millis(300), ..Site::new().await };
    let target =
        Target::new(std::iter::once(Reaction::Answers(200, "")).chain(std::iter::repeat_n(Reaction::Hangs, 8))).await;
    site.queue((0..30).map(|n| to_callback(&target, n)).collect()).await;
    let server = Arc::new(site.server());
    server.run_once().await.unwrap();
    assert_eq!(target.requests().len(), 1, "a receiver that has not answered yet gets one");
    let running = Arc::clone(&server);
    let sending = tokio::spawn(async move { running.run_once().await });
    target.gets(9).await;
    site.wait(5);
    sending.await.unwrap().unwrap();
    // The rest of the page would hang as well.
    assert_eq!(target.requests().len(), 9);
    let is_waiting = |state: &&DeliveryState| **state == DeliveryState::Waiting;
    assert_eq!(site.states_of(&target).await.iter().filter(is_waiting).count(), 29);
    for _ in 0..4 {
        server.run_once().await.unwrap();
        site.wait(1);
    }
    assert_eq!(site.states_of(&target).await, [DeliveryState::Delivered; 30]);
}

#[tokio::test]
async fn a_subscription_and_an_alert_wait_for_no_page_of_callbacks() {
    let (crm, ops) = (Target::new([]).await, Target::new([]).await);
    let alert = format!("[[alert]]\nname = \"ops\"\nurl = \"{}\"\nkinds = [\"lane_held\"]", ops.url());
    let site = Site::with(&format!("[outgoing]\nallow = [\"127.0.0.0/8\"]\n{alert}")).await;
    site.subscribe("crm", &crm.url()).await;
    let server = site.server();
    let to_stranger = |n: usize| NewDelivery {
        receiver: Receiver::Callback(format!("https://client-{n}.example")),
        url: Some(format!("https://client-{n}.example/")),
        ..to_callback(&crm, n)
    };
    site.queue((0..1_001).map(to_stranger).collect()).await;
    // The second look reads the last page.
    for lane in ["a", "b"] {
        site.hold(lane).await;
        server.run_once().await.unwrap();
    }
    assert_eq!((crm.requests().len(), ops.requests().len()), (2, 2));
}

#[tokio::test]
async fn each_receipt_is_repeated_at_its_own_times_while_its_receiver_is_down() {
    let site = Site::new().await;
    let target = Target::new(std::iter::repeat_n(Reaction::Answers(503, ""), 40)).await;
    site.queue((0..8).map(|n| to_callback(&target, n)).collect()).await;
    let server = site.server();
    for _ in 0..140 {
        server.run_once().await.unwrap();
        server.run_once().await.unwrap();
        site.wait(1);
    }
    assert_eq!(target.requests().len(), 8 * 5);
    assert_eq!(site.states_of(&target).await, [DeliveryState::GivenUp; 8]);
    let counts = site.store.webhook_counts();
    assert_eq!((counts.delivered, counts.failed, counts.given_up), (0, 32, 8));
}

#[tokio::test]
async fn a_dead_receiver_is_disabled_after_a_day_whatever_waits_for_it() {
    let site = Site::new().await;
    let target = Target::new(std::iter::repeat_n(Reaction::Answers(503, ""), 9_999)).await;
    let crm = site.subscribe("crm", &target.url()).await;
    let server = site.server();
    let begun = site.clock.now();
    let mut events = 0;
    // More comes than a resting receiver is tried with, so no delivery is repeated for a day.
    while site.desk.show("crm").await.unwrap().enabled {
        assert!(site.clock.now().since(begun) <= Span::from_secs(90_000));
        for _ in 0..3 {
            events += 1;
            site.hold(&format!("lane-{events}")).await;
        }
        server.run_once().await.unwrap();
        site.wait(600);
    }
    assert!(site.clock.now().since(begun) >= Span::from_secs(86_400));
    // Nothing is lost: the waiting webhooks are sent when it is enabled again.
    let (all, before) = (site.store.subscriptions().await.unwrap(), target.requests().len());
    let receiver = Receiver::Subscription(all.iter().find(|known| known.name == crm.view.name).unwrap().id);
    let waiting = site.store.due_deliveries(receiver, site.clock.now(), 999).await.unwrap().len();
    assert!(waiting > 9, "{waiting}");
    site.desk.enable("crm", Origin::SERVER).await.unwrap();
    server.run_once().await.unwrap();
    assert_eq!(target.requests().len(), before + 1);
    assert!(site.desk.show("crm").await.unwrap().enabled, "the day restarts");
}

#[tokio::test]
async fn a_huge_answer_is_read_no_further_than_it_is_kept() {
    let site = Site::new().await;
    let target = Target::new([Reaction::AnswersEndlessly(200)]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    site.server().run_once().await.unwrap();
    let latest = site.log(&crm).await[0].latest.clone().unwrap();
    assert_eq!((latest.error, latest.answer.map(|answer| answer.len())), (None, Some(1_024)));
    target.is_left_by_its_client().await;
}

#[tokio::test]
async fn events_of_a_restored_database_have_other_ids() {
    let (before, after) = (Site::new().await, Site::new().await);
    after.wait(60);
    let mut ids = Vec::new();
    for site in [before, after] {
        let target = Target::new([]).await;
        site.subscribe("crm", &target.url()).await;
        site.hold("sms").await;
        site.server().run_once().await.unwrap();
        ids.push(target.requests()[0].header("webhook-id").unwrap().to_owned());
    }
    // Both are the same row.
    let row = |id: &str| id.rsplit_once('_').unwrap().0.to_owned();
    assert_eq!(row(&ids[0]), row(&ids[1]));
    assert_ne!(ids[0], ids[1]);
}
