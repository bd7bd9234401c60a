//! What becomes of a delivery when its receiver fails, and what does not happen to others.

use super::receiver::{Reaction, Target};
use super::*;
use crate::store::DeliveryState;

fn states(log: &[Delivery]) -> Vec<(DeliveryState, u32)> {
    log.iter().map(|delivery| (delivery.state, delivery.tries)).collect()
}

fn error(delivery: &Delivery) -> String {
    delivery.latest.clone().unwrap().error.unwrap_or_default()
}

#[tokio::test]
async fn a_failed_webhook_is_repeated_under_its_id_until_it_is_delivered() {
    let site = Site::new().await;
    let target = Target::new([Reaction::Answers(500, "broken"), Reaction::Answers(503, "")]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    let server = site.server();
    server.run_once().await.unwrap();
    let log = site.log(&crm).await;
    assert_eq!(
        (states(&log), error(&log[0])),
        (vec![(DeliveryState::Waiting, 1)], "the receiver answered 500".to_owned())
    );
    assert_eq!(log[0].latest.as_ref().unwrap().answer.as_deref(), Some("broken"));
    // It is not tried before its time, and the pauses grow.
    server.run_once().await.unwrap();
    assert_eq!(target.requests().len(), 1);
    site.wait(5);
    server.run_once().await.unwrap();
    site.wait(5);
    server.run_once().await.unwrap();
    site.wait(5);
    server.run_once().await.unwrap();
    let requests = target.requests();
    assert_eq!(requests.len(), 3);
    assert!(
        requests
            .iter()
            .all(|it| it.header("webhook-id") == requests[0].header("webhook-id") && it.body == requests[0].body)
    );
    // The signature is of the time of each try.
    assert_ne!(requests[0].header("webhook-signature"), requests[1].header("webhook-signature"));
    assert_eq!(states(&site.log(&crm).await), [(DeliveryState::Delivered, 3)]);
}

#[tokio::test]
async fn webhooks_about_the_same_come_in_order_and_others_overtake() {
    let site = Site::new().await;
    let target = Target::new([Reaction::Answers(500, "")]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    let server = site.server();
    site.hold("a").await;
    server.run_once().await.unwrap();
    site.release("a").await;
    site.hold("b").await;
    site.wait(1);
    server.run_once().await.unwrap();
    let lanes = || -> Vec<String> {
        let lane = |request: &receiver::Request| {
            let json = request.json();
            format!("{} {}", json["type"].as_str().unwrap(), json["data"]["lane"].as_str().unwrap())
        };
        target.requests().iter().map(lane).collect()
    };
    // The release of lane a waits for its hold, and lane b for neither.
    assert_eq!(lanes(), ["lane.held a", "lane.held b"]);
    site.wait(10);
    server.run_once().await.unwrap();
    server.run_once().await.unwrap();
    assert_eq!(lanes(), ["lane.held a", "lane.held b", "lane.held a", "lane.released a"]);
    assert!(site.log(&crm).await.iter().all(|delivery| delivery.state == DeliveryState::Delivered));
}

#[tokio::test]
async fn a_receiver_that_hangs_or_is_down_delays_no_other() {
    let site = Site::new().await;
    let (slow, healthy) = (Target::new([Reaction::Hangs]).await, Target::new([]).await);
    let dead = {
        let gone = Target::new([]).await;
        gone.url()
    };
    for (name, url) in [("a-dead", dead.as_str()), ("b-slow", &slow.url()), ("c-healthy", &healthy.url())] {
        site.subscribe(name, url).await;
    }
    let server = Arc::new(site.server());
    site.hold("sms").await;
    let running = Arc::clone(&server);
    let sending = tokio::spawn(async move { running.run_once().await });
    // The slow one has the request, and has not answered it.
    tokio::join!(slow.gets(1), healthy.gets(1));
    assert!(!sending.is_finished());
    sending.abort();
}

#[tokio::test]
async fn a_receiver_that_hangs_fails_at_the_limit_and_one_that_hangs_in_its_answer_does_not() {
    let site = Site { limit: Duration::from_millis(300), ..Site::new().await };
    let (silent, endless) = (Target::new([Reaction::Hangs]).await, Target::new([Reaction::HangsInTheBody(202)]).await);
    let (silent_one, endless_one) =
        (site.subscribe("silent", &silent.url()).await, site.subscribe("endless", &endless.url()).await);
    site.hold("sms").await;
    site.server().run_once().await.unwrap();
    let log = site.log(&silent_one).await;
    assert_eq!((log[0].state, error(&log[0])), (DeliveryState::Waiting, "no answer within 0.3 s".to_owned()));
    let log = site.log(&endless_one).await;
    let latest = log[0].latest.clone().unwrap();
    assert_eq!(
        (log[0].state, latest.status, latest.answer.as_deref()),
        (DeliveryState::Delivered, Some(202), Some("begin"))
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let site = Site::new().await;
    let other = Target::new([]).await;
    let target = Target::new([Reaction::RedirectsTo(other.url())]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    site.server().run_once().await.unwrap();
    assert!(other.requests().is_empty());
    assert_eq!(error(&site.log(&crm).await[0]), "the receiver answered 302");
}

#[tokio::test]
async fn a_name_with_a_private_address_gets_nothing_unless_its_network_is_allowed() {
    let target = Target::new([]).await;
    for (allow, is_reached) in [("10.0.0.0/8", false), ("127.0.0.0/8", true)] {
        let mut site = Site::with(&format!("[outgoing]\nallow = [\"{allow}\"]")).await;
        site.names.insert("crm.example", vec![target.address]);
        let crm = site.subscribe("crm", &format!("http://crm.example:{}/hooks", target.address.port())).await;
        site.hold("sms").await;
        site.server().run_once().await.unwrap();
        let log = site.log(&crm).await;
        assert_eq!(log[0].state == DeliveryState::Delivered, is_reached, "{log:?}");
        if !is_reached {
            assert_eq!(error(&log[0]), "crm.example is at 127.0.0.1, which outgoing.allow does not name");
        }
    }
    assert_eq!(target.requests().len(), 1);
    // A public name among private ones is reached at its public addresses alone: here nothing listens there.
    let site = Site::with("").await;
    let refused = site.desk.create(wanted("http://crm.example/"), Origin::SERVER).await.unwrap_err();
    assert!(refused.to_string().contains("does not use TLS"), "{refused}");
    let refused = site.desk.create(wanted("https://127.0.0.1/"), Origin::SERVER).await.unwrap_err();
    assert!(refused.to_string().contains("127.0.0.1 is not a public address"), "{refused}");
}

pub(super) fn wanted(url: &str) -> Wanted {
    let (types, format) = (Vec::new(), WebhookFormat::Volley);
    Wanted { name: "crm".to_owned(), url: url.to_owned(), format, types, sub_account: None, authorization: None }
}

#[tokio::test]
async fn a_crash_after_the_fan_out_loses_nothing() {
    let site = Site::new().await;
    let target = Target::new([]).await;
    site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    // The feed has moved, and no request has left.
    let fan = super::super::fan_out::Fan::new(Arc::clone(&site.store), Arc::clone(&site.alerts));
    let mut round = fan.begin().await.unwrap();
    while fan.run_once(&mut round, site.clock.now()).await.unwrap() {}
    drop(fan);
    site.server().run_once().await.unwrap();
    site.server().run_once().await.unwrap();
    assert_eq!(target.requests().len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_record_sends_the_same_webhook_again() {
    let site = Site::new().await;
    let target = Target::new([Reaction::Hangs]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    let server = site.server();
    let sending = tokio::spawn(async move { server.run_once().await });
    target.gets(1).await;
    sending.abort();
    assert!(sending.await.is_err());
    assert_eq!(states(&site.log(&crm).await), [(DeliveryState::Waiting, 0)]);
    site.server().run_once().await.unwrap();
    let requests = target.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    assert_eq!(states(&site.log(&crm).await), [(DeliveryState::Delivered, 1)]);
}

#[tokio::test]
async fn a_receiver_that_fails_for_a_day_is_disabled_with_an_event() {
    let site = Site::new().await;
    let target = Target::new(std::iter::repeat_n(Reaction::Answers(500, ""), 500)).await;
    let crm = site.subscribe("crm", &target.url()).await;
    let server = site.server();
    site.hold("sms").await;
    let begun = site.clock.now();
    while site.clock.now().since(begun) < Span::from_secs(86_400) {
        server.run_once().await.unwrap();
        assert!(site.desk.show("crm").await.unwrap().enabled);
        site.wait(600);
    }
    let tries = target.requests().len();
    assert!((20..200).contains(&tries), "the pauses grow to an hour: {tries}");
    site.wait(3_600);
    server.run_once().await.unwrap();
    let shown = site.desk.show("crm").await.unwrap();
    assert!(!shown.enabled && shown.given_up == 1, "{shown:?}");
    assert!(shown.disabled_because.unwrap().contains("no webhook was delivered for a day"));
    let events = site.store.events(store::Cursor::START, 99).await.unwrap();
    assert_eq!(events.last().unwrap().1.kind, EventKind::SubscriptionDisabled);
    // What happens while it is disabled is not sent later; what was given up is sent once more on request.
    site.hold("viber").await;
    server.run_once().await.unwrap();
    site.desk.enable("crm", Origin::operator("Ann", None)).await.unwrap();
    let log = site.log(&crm).await;
    assert_eq!(log.len(), 1);
    assert_eq!(site.desk.replay("crm", store::Replay::One(log[0].id)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_webhook_that_one_receiver_never_takes_does_not_disable_it() {
    let site = Site::new().await;
    // It refuses whatever is about lane a.
    let target = Target::new([Reaction::Answers(500, "")]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    let server = site.server();
    site.hold("a").await;
    server.run_once().await.unwrap();
    site.wait(43_200);
    site.hold("b").await;
    for _ in 0..3 {
        server.run_once().await.unwrap();
    }
    assert!(site.log(&crm).await.iter().all(|delivery| delivery.state == DeliveryState::Delivered));
    assert!(site.desk.show("crm").await.unwrap().failing_since.is_none());
}

#[tokio::test]
async fn webhooks_that_a_receiver_refuses_delay_no_others_to_it() {
    let (refused, count) = (20, 60);
    for (status, is_prompt) in [(500, true), (404, true), (429, false), (502, false), (503, false)] {
        let site = Site::new().await;
        let target = Target::new(std::iter::repeat_n(Reaction::Answers(status, ""), refused)).await;
        let crm = site.subscribe("crm", &target.url()).await;
        let server = site.server();
        for n in 0..count {
            site.hold(&format!("lane-{n}")).await;
        }
        for _ in 0..6 {
            server.run_once().await.unwrap();
        }
        let log = site.log(&crm).await;
        let delivered = log.iter().filter(|delivery| delivery.state == DeliveryState::Delivered).count();
        let expected = if is_prompt { count - refused } else { 0 };
        assert_eq!(delivered, expected, "after {status}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_at_once() {
    let site = Site::new().await;
    let target = Target::new([Reaction::Answers(410, "moved")]).await;
    site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    site.server().run_once().await.unwrap();
    let shown = site.desk.show("crm").await.unwrap();
    assert!(!shown.enabled && shown.disabled_because.unwrap().contains("410"));
}

#[tokio::test]
async fn what_happened_before_a_subscription_was_disabled_is_kept_for_it() {
    let site = Site::new().await;
    let target = Target::new([]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    site.hold("before").await;
    site.wait(1);
    // No server runs until then.
    site.desk.disable("crm", Origin::operator("Ann", Some("maintenance"))).await.unwrap();
    site.hold("after").await;
    let server = site.server();
    server.run_once().await.unwrap();
    assert_eq!(states(&site.log(&crm).await), [(DeliveryState::Waiting, 0)]);
    site.desk.enable("crm", Origin::operator("Ann", None)).await.unwrap();
    server.run_once().await.unwrap();
    let lanes: Vec<_> = target.requests().iter().map(|it| it.json()["data"]["lane"].clone()).collect();
    assert_eq!(lanes, ["before"]);
}

#[tokio::test]
async fn what_waits_for_a_disabled_subscription_is_sent_when_it_is_enabled() {
    let site = Site::new().await;
    let target = Target::new([Reaction::Hangs]).await;
    let crm = site.subscribe("crm", &target.url()).await;
    site.hold("sms").await;
    let server = Arc::new(site.server());
    let running = Arc::clone(&server);
    let sending = tokio::spawn(async move { running.run_once().await });
    target.gets(1).await;
    // While a request is in flight.
    site.desk.disable("crm", Origin::operator("Ann", Some("maintenance"))).await.unwrap();
    sending.abort();
    server.run_once().await.unwrap();
    assert_eq!((target.requests().len(), states(&site.log(&crm).await)), (1, vec![(DeliveryState::Waiting, 0)]));
    site.desk.enable("crm", Origin::operator("Ann", None)).await.unwrap();
    server.run_once().await.unwrap();
    assert_eq!(states(&site.log(&crm).await), [(DeliveryState::Delivered, 1)]);
}
