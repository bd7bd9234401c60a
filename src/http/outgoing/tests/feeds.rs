//! What each feed becomes: events, replies, changes of messages, alerts.

use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::receiver::{Reaction, Request, Target};
use super::*;
use crate::base::domain::{
    Address, ApiCalls, BatchId, CampaignId, Channel, ChannelUser, Country, Fields, MessageId, MessageKey, Msisdn,
    Outcome, Plan, Present, Progress, Recipient, SkipReason, Status, Step, StepIndex, Tag,
};
use crate::store::{Change, DeliveryState, Inbound, Joining, Observed, Start, WebhookGroup};

pub(super) fn kinds(target: &Target) -> Vec<String> {
    target.requests().iter().map(|request| request.json()["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_event_is_sent_signed_to_whoever_wants_it() {
    let site = Site::new().await;
    site.hold("before").await;
    site.wait(1);
    let (crm, other) = (Target::new([]).await, Target::new([]).await);
    let created = site.subscribe("crm", &crm.url()).await;
    site.subscribe_to("other", &other.url(), &["campaign.*"]).await;
    site.hold("sms").await;
    site.server().run_once().await.unwrap();
    assert!(other.requests().is_empty());
    // What happened before the subscription was created is not sent.
    let [request] = &crm.requests()[..] else { panic!("{:?}", crm.requests()) };
    let expected = json!({
        "type": "lane.held",
        "timestamp": "2027-01-15T08:00:01.000Z",
        "data": {
            "at": "2027-01-15T08:00:01.000Z", "subject": "lane sms", "text": "held: the key was refused (code 1200)",
            "about": "lane", "lane": "sms", "by": "provider", "reason": "the key was refused", "kind": "held", "code": 1200
        }
    });
    assert_eq!((request.path.as_str(), request.json()), ("/hooks", expected));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("authorization"), Some("Bearer crm"));
    assert_signed(request, &[&created.secret.unwrap()]);
}

#[tokio::test]
async fn an_event_right_after_the_creation_of_a_subscription_reaches_it() {
    let site = Site::new().await;
    let (crm, other) = (Target::new([]).await, Target::new([]).await);
    site.subscribe("other", &other.url()).await;
    // A look has read the subscriptions, and makes deliveries of several pages.
    let fan = super::super::fan_out::Fan::new(Arc::clone(&site.store), Arc::clone(&site.alerts));
    let mut round = fan.begin().await.unwrap();
    site.subscribe("crm", &crm.url()).await;
    site.hold("sms").await;
    while fan.run_once(&mut round, site.clock.now()).await.unwrap() {}
    site.server().run_once().await.unwrap();
    assert_eq!((kinds(&crm), kinds(&other)), (vec!["lane.held".to_owned()], vec!["lane.held".to_owned()]));
}

/// Compares the signatures with those of another implementation.
fn assert_signed(request: &Request, secrets: &[&str]) {
    let id = request.header("webhook-id").unwrap();
    let timestamp = request.header("webhook-timestamp").unwrap().parse().unwrap();
    let sign = |secret: &&str| Webhook::new(secret).unwrap().sign(id, timestamp, request.body.as_bytes()).unwrap();
    let expected: Vec<String> = secrets.iter().map(sign).collect();
    assert_eq!(request.header("webhook-signature").unwrap(), expected.join(" "));
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation() {
    let site = Site::new().await;
    let crm = Target::new([]).await;
    let first = site.subscribe("crm", &crm.url()).await.secret.unwrap();
    let ann = || Origin::operator("Ann", None);
    let second = site.desk.rotate("crm", Span::from_secs(3_600), ann()).await.unwrap().secret;
    assert_ne!(first, second);
    let server = site.server();
    site.hold("a").await;
    server.run_once().await.unwrap();
    site.wait(3_600);
    site.hold("b").await;
    server.run_once().await.unwrap();
    let requests = crm.requests();
    assert_signed(&requests[0], &[&second, &first]);
    assert_signed(&requests[1], &[&second]);
}

#[tokio::test]
async fn a_test_and_a_replay_reach_their_subscription() {
    let site = Site::new().await;
    let crm = Target::new([]).await;
    site.subscribe("crm", &crm.url()).await;
    let server = site.server();
    let id = site.desk.test("crm").await.unwrap();
    server.run_once().await.unwrap();
    let shown = site.desk.delivery("crm", id).await.unwrap();
    assert_eq!((shown.state, shown.http_status, shown.answer.as_deref()), ("delivered", Some(200), Some("thanks")));
    let (from, until) = (site.clock.now(), site.clock.now() + Span::from_secs(1));
    assert_eq!(site.desk.replay("crm", store::Replay::Between { from, until }).await.unwrap(), 1);
    server.run_once().await.unwrap();
    let requests = crm.requests();
    assert_eq!((requests.len(), requests[0].header("webhook-id")), (2, requests[1].header("webhook-id")));
    assert_eq!(kinds(&crm), ["webhook.test", "webhook.test"]);
    let unknown = site.desk.replay("crm", store::Replay::One(99)).await.unwrap_err();
    assert!(unknown.to_string().contains("unknown delivery 99"), "{unknown}");
}

/// A plan of calls of the API: a message may name the address for its receipts.
fn plan() -> Plan {
    let api = Some(ApiCalls { sub_account: "acme".to_owned(), caller: String::new(), callback: Some(1), extras: None });
    let steps = vec![Step::of_text(Channel::Viber, "vb", "Hi"), Step::of_text(Channel::Sms, "sms", "Hi")];
    Plan { columns: vec!["Mobile".to_owned(), "dlr".to_owned()], api, ..Plan::of_steps(steps) }
}

impl Site {
    /// Messages of the API, each with its address; one that is skipped, if it says why.
    async fn messages(&self, addresses: &[&str], skipped: Option<SkipReason>) -> (BatchId, Tag) {
        let number = |n: usize| Msisdn::try_from(6_591_000_001_u64 + n as u64).unwrap().into();
        self.messages_to(number, addresses, skipped).await
    }

    async fn messages_to(
        &self,
        whom: impl Fn(usize) -> Address,
        addresses: &[&str],
        skipped: Option<SkipReason>,
    ) -> (BatchId, Tag) {
        let lanes = vec![("vb".to_owned(), Channel::Viber), ("sms".to_owned(), Channel::Sms)];
        let lane = self.store.lanes(lanes).await.unwrap()[0].id;
        let recipient = |(n, address): (usize, &&str)| Recipient {
            address: Some(whom(n)),
            country: "SG".parse::<Country>().unwrap(),
            client_message_id: Some(format!("order-{n}").into()),
            fields: Fields::pack([whom(n).to_string().as_str(), *address]),
        };
        let start = Start { skipped, ..Start::of(&Present::queued(self.clock.now(), None), vec![lane]) };
        let joining = Joining {
            plan: plan(),
            recipients: addresses.iter().enumerate().map(recipient).collect(),
            start,
            elsewhere: Vec::new(),
            own_times: Vec::new(),
            client_ids: None,
            tag: Tag::from_random(7),
            audience: "api".to_owned(),
            open_until: Some(self.clock.now() + Span::from_secs(60)),
            confirms: Vec::new(),
            now: self.clock.now(),
        };
        let joined = self.store.join(joining).await.unwrap();
        (joined.batch, joined.tag)
    }

    async fn progress(&self, batch: BatchId, n: u32, told: &[(Progress, Option<u32>)]) {
        let message = self.store.load(vec![MessageKey { batch, n }]).await.unwrap()[0];
        let now = self.clock.now();
        let observe = |(progress, code): &(Progress, Option<u32>)| Observed {
            progress: *progress,
            at: now,
            code: *code,
            detail: code.map(|_| "rejected_by_operator".to_owned()),
            message: None,
        };
        let change = Change {
            key: message.key,
            address: message.address,
            version: message.version,
            before: message.present,
            after: message.present,
            lane_before: message.lane,
            lane: message.lane,
            steps: 2,
            fact: None,
            ruling: Default::default(),
            notes: Vec::new(),
            settlements: Vec::new(),
            observed: told.iter().map(observe).collect(),
        };
        assert!(self.store.record(vec![change]).await.unwrap().is_empty());
    }
}

fn reached(status: Status) -> (Progress, Option<u32>) {
    (Progress::Reached { step: StepIndex::FIRST, status }, None)
}

#[tokio::test]
async fn a_change_of_a_message_reaches_its_client_and_the_subscriptions() {
    let site = Site::new().await;
    let (client, crm) = (Target::new([]).await, Target::new([]).await);
    site.subscribe_to("crm", &crm.url(), &["message.*"]).await;
    let (batch, tag) = site.messages(&[&format!("{}?a=b", client.url()), ""], None).await;
    let second = StepIndex::new(1).unwrap();
    let told = [
        (Progress::Failed { step: StepIndex::FIRST }, Some(15)),
        (Progress::Reached { step: second, status: Status::Delivered }, None),
        (Progress::Ended { outcome: Outcome::Reached, skipped: None }, None),
    ];
    site.progress(batch, 0, &told).await;
    let server = site.server();
    for _ in 0..4 {
        server.run_once().await.unwrap();
    }
    let id = MessageId { key: MessageKey { batch, n: 0 }, tag };
    let bodies: Vec<Value> = client.requests().iter().map(Request::json).collect();
    // As the provider documents its receipts; the end of a message is no news after those of its steps.
    let receipt = |channel: &str, status: Value| {
        json!({
            "namespace": "ChatApps",
            "eventType": "outbound_message_status_changed",
            "description": "ChatApps outbound message delivery receipt",
            "payload": {
                "umid": id.uuid().to_string(), "subAccountId": "acme", "channel": channel,
                "user": {"msisdn": "+6591000001", "channelUserId": "6591000001"}, "clientMessageId": "order-0",
                "status": status
            }
        })
    };
    let at = "2027-01-15T08:00:00.000Z";
    assert_eq!(bodies.len(), 2);
    let failed = &bodies[0]["payload"]["status"];
    assert_eq!((failed["state"].as_str(), failed["errorCode"].as_i64()), (Some("undelivered"), Some(15)));
    let words = (failed["detail"].as_str(), failed["errorMessage"].as_str());
    assert_eq!(words, (Some("rejected_by_operator"), Some("Invalid destination")));
    assert_eq!(bodies[0]["payload"]["channel"], "viber");
    let delivered = json!({"state": "delivered", "detail": "delivered_to_recipient", "timestamp": at});
    assert_eq!(bodies[1], receipt("sms", delivered));
    assert_eq!(client.requests()[0].path, "/hooks?a=b");
    assert_eq!(client.requests()[0].header("webhook-signature"), None);
    assert_eq!(kinds(&crm), ["message.undelivered", "message.delivered", "message.done"]);
    let done = crm.requests()[2].json();
    let batch = CampaignId { batch, tag }.to_string();
    let expected = json!({
        "message": id.to_string(), "batch": batch, "campaign": null, "sub_account": "acme", "msisdn": "+6591000001",
        "country": "SG", "client_message_id": "order-0", "outcome": "reached"
    });
    assert_eq!(done["data"], expected);
}

#[tokio::test]
async fn a_recipient_without_a_number_is_named_by_the_id_in_both_forms() {
    let site = Site::new().await;
    let (client, crm) = (Target::new([]).await, Target::new([]).await);
    site.subscribe_to("crm", &crm.url(), &["message.*"]).await;
    let user = ChannelUser { channel: Channel::Line, id: "Ua12b345678c1de0fg1a1234567891011".to_owned() };
    let (batch, _) = site.messages_to(|_| Address::User(user.clone()), &[&client.url()], None).await;
    site.progress(batch, 0, &[reached(Status::Delivered)]).await;
    let server = site.server();
    for _ in 0..3 {
        server.run_once().await.unwrap();
    }
    let [told, receipt] = [&crm, &client].map(|target| target.requests()[0].json());
    assert_eq!((&told["data"]["channel_user"], told["data"].get("msisdn")), (&json!(user.id), None), "{told}");
    assert_eq!(receipt["payload"]["user"], json!({ "channelUserId": user.id }), "{receipt}");
    for request in crm.requests().iter().chain(&client.requests()) {
        assert!(!request.body.contains("+999"), "{}", request.body);
    }
}

#[tokio::test]
async fn receipts_without_an_address_go_to_the_subscription_of_their_subaccount() {
    let site = Site::new().await;
    let (acme, other, all) = (Target::new([]).await, Target::new([]).await, Target::new([]).await);
    for (name, url, sub_account) in
        [("acme", acme.url(), Some("acme")), ("other", other.url(), Some("other")), ("all", all.url(), Some("*"))]
    {
        let wanted = Wanted {
            name: name.to_owned(),
            url,
            format: WebhookFormat::Provider,
            types: Vec::new(),
            sub_account: sub_account.map(str::to_owned),
            authorization: None,
        };
        assert!(site.desk.create(wanted, Origin::SERVER).await.unwrap().secret.is_none());
    }
    let (batch, _) = site.messages(&[""], None).await;
    site.progress(batch, 0, &[reached(Status::Sent)]).await;
    site.server().run_once().await.unwrap();
    assert_eq!((acme.requests().len(), other.requests().len(), all.requests().len()), (1, 0, 1));
    assert_eq!(acme.requests()[0].json()["payload"]["status"]["state"], "sent");
}

#[tokio::test]
async fn a_message_that_was_never_sent_gets_one_receipt_that_says_so() {
    let site = Site::new().await;
    let client = Target::new([]).await;
    site.messages(&[&client.url()], Some(SkipReason::NoStep)).await;
    let server = site.server();
    server.run_once().await.unwrap();
    server.run_once().await.unwrap();
    let [request] = &client.requests()[..] else { panic!("{:?}", client.requests()) };
    let status = &request.json()["payload"]["status"];
    assert_eq!(
        (status["state"].as_str(), status["errorMessage"].as_str()),
        (Some("undelivered"), Some("the message was not sent"))
    );
}

#[tokio::test]
async fn a_receipt_is_repeated_at_the_providers_times_and_then_given_up() {
    let site = Site::new().await;
    let client = Target::new(std::iter::repeat_n(Reaction::Answers(500, ""), 9)).await;
    let (batch, _) = site.messages(&[&client.url()], None).await;
    site.progress(batch, 0, &[reached(Status::Sent)]).await;
    let server = site.server();
    let mut at = Vec::new();
    for second in 0..200 {
        let before = client.requests().len();
        server.run_once().await.unwrap();
        at.extend((client.requests().len() > before).then_some(second));
        site.wait(1);
    }
    // After 1, 10, 30 and 90 seconds, each counted from the one before.
    assert_eq!(at, [0, 1, 11, 41, 131]);
    let receiver = Receiver::Callback(format!("http://{}", client.address));
    let health = site.store.receiver_health(vec![receiver.clone()]).await.unwrap();
    assert_eq!((&health[0].receiver, health[0].given_up), (&receiver, 1));
    let log = site.store.deliveries(receiver, None, 9).await.unwrap();
    assert_eq!((log[0].state, log[0].tries), (DeliveryState::GivenUp, 5));
}

#[tokio::test]
async fn a_reply_is_sent_in_both_forms() {
    let site = Site::new().await;
    let (crm, client) = (Target::new([]).await, Target::new([]).await);
    site.subscribe_to("crm", &crm.url(), &["reply.received"]).await;
    let format = WebhookFormat::Provider;
    let wanted = Wanted { format, types: Vec::new(), ..retries::wanted(&client.url()) };
    site.desk.create(Wanted { name: "client".to_owned(), ..wanted }, Origin::SERVER).await.unwrap();
    let (batch, tag) = site.messages(&[""], None).await;
    let key = MessageKey { batch, n: 0 };
    let raw = json!({
        "namespace": "ChatApps", "eventType": "inbound_message_received", "description": "ChatApps inbound message",
        "payload": {
            "umid": "in-1", "subAccountId": "acme", "timestamp": "2027-01-15T08:00:00.000Z",
            "user": {"msisdn": "+6591000001"}, "recipient": {"channel": "Viber", "channelId": "vb-1"},
            "type": "Text", "content": {"text": "Yes"}, "replyToUmid": "the-providers"
        }
    });
    let now = site.clock.now();
    let inbound = Inbound {
        umid: "in-1".to_owned(),
        received: now,
        written_at: now,
        sub_account: "acme".to_owned(),
        channel: Some(Channel::Viber),
        channel_id: "vb-1".to_owned(),
        msisdn: Some(Msisdn::try_from(6_591_000_001_u64).unwrap()),
        called: None,
        kind: "text".to_owned(),
        choice: None,
        keyword: None,
        language: None,
        window: None,
        on: Some((key, StepIndex::FIRST)),
        raw: raw.to_string(),
    };
    site.store.take(WebhookGroup { written: vec![inbound], ..WebhookGroup::default() }).await.unwrap();
    site.server().run_once().await.unwrap();
    let data = crm.requests()[0].json()["data"].clone();
    assert_eq!((data["text"].as_str(), data["msisdn"].as_str()), (Some("Yes"), Some("+6591000001")));
    let id = MessageId { key, tag };
    assert_eq!(data["message"], id.to_string());
    // The client knows the message under our id.
    let mut expected = raw;
    expected["payload"]["replyToUmid"] = json!(id.uuid().to_string());
    assert_eq!(client.requests()[0].json(), expected);
}
