//! What callers of the 8x8 API wrote leaves as they wrote it: from the request to the room `accept` to the request that a
//! lane sends.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::Config;
use crate::base::domain::{
    AttemptId, Channel, MessageId, MessagingApi, Plan, Scope, Scopes, Step, StepIndex, Tag, Timestamp,
};
use crate::http::accept::Desk;
use crate::http::access::Caller;
use crate::rules::template::To;
use crate::rules::wire::samples::{Sample, filled, samples};
use crate::sending::dispatch::{For, compose};
use crate::store::{Store, open};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const CHANNELS: [&str; 7] = ["WhatsApp", "Viber", "SMS", "RCS", "LINE", "ZaloNotification", "LineNotification"];

/// The room that takes the calls, with a lane on every channel.
struct Calls {
    desk: Desk,
    store: Arc<dyn Store>,
}

fn shop() -> Caller {
    let scopes = Scopes::default().with(Scope::Send);
    let (id, name) = ("shop".to_owned(), "shop".to_owned());
    Caller { id, name, scopes, sub_accounts: None, lanes: None, requests_per_s: None, purpose: None, session: None }
}

impl Calls {
    async fn new() -> Self {
        let mut text = "[provider]\nsub_account = \"acme\"\napi_key = \"k\"\n".to_owned();
        for channel in CHANNELS {
            write!(text, "[[lane]]\nname = \"{channel}\"\nchannel = \"{channel}\"\n").unwrap();
        }
        let config = Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), []).unwrap().config;
        let clock = Arc::new(ManualClock::at(START)) as Arc<dyn Clock>;
        let store = open("sqlite::memory:", Arc::clone(&clock)).await.unwrap();
        let chance = Arc::new(Chance::seeded(1));
        let desk = Desk::start(Arc::new(config), Arc::clone(&store), clock, chance, CancellationToken::new());
        Self { desk, store }
    }

    async fn send(&self, body: &Value, is_notification: bool) -> MessageId {
        let (caller, text) = (shop(), body.to_string());
        let answer = match is_notification {
            true => self.desk.notify(&caller, "acme", text.as_bytes()).await,
            false => self.desk.send(&caller, "acme", text.as_bytes()).await,
        };
        let answer = answer.unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
        serde_json::to_value(&answer).unwrap()["umid"].as_str().unwrap().parse().unwrap()
    }

    /// The messages of a call that sends many.
    async fn send_all(&self, body: &Value) -> Vec<MessageId> {
        let text = body.to_string();
        let answer = self.desk.send_batch(&shop(), "acme", text.as_bytes()).await.unwrap();
        let answer = serde_json::to_value(&answer).unwrap();
        let ids = answer["messages"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
        ids.map(|message| message["umid"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()).collect()
    }

    async fn plan(&self, id: MessageId) -> Plan {
        self.store.plan(id.key.batch).await.unwrap().unwrap()
    }
}

/// The request of each step of a message, as its lane sends it.
async fn requests(calls: &Calls, id: MessageId) -> Vec<Value> {
    let (plan, facts) = (calls.plan(id).await, calls.store.message_facts(id.key).await.unwrap().unwrap());
    let attempt = |step| AttemptId { key: id.key, step, tag: Tag::from_random(1) };
    let fields = facts.recipient.as_ref().unwrap().fields.unpack().unwrap();
    let key = facts.message.address;
    let users = calls.store.channel_users(vec![key]).await.unwrap();
    let to = key.number().map(To::Number).or(users.user(key).map(|user| To::User(&user.id))).unwrap();
    let request = |(index, step): (StepIndex, &Step)| {
        let country = facts.message.country;
        let has_no_number = facts.message.address.is_user();
        let pattern =
            compose(MessagingApi::ChatApps, step, "lane", For { country, has_no_number }, plan.names()).unwrap();
        let pattern = pattern.with_extras(plan.api.as_ref().unwrap().extras);
        let mut out = Vec::new();
        pattern.render(to, attempt(index), START.into(), &fields, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    };
    plan.indexed_steps().map(request).collect()
}

/// What Volley has to send on of a request, exactly as it was written.
fn passed_on(body: &Value, is_sms: bool) -> Value {
    let mut body = body.clone();
    let keys = body.as_object_mut().unwrap();
    for ours in ["user", "clientMessageId", "channels", "scheduled", "expiry", "dlrCallbackUrl", "smsFallback"] {
        keys.remove(ours);
    }
    if let Some(content) = keys.get_mut("content").and_then(Value::as_object_mut) {
        content.remove("fallbackText");
        // Settings of the SMS that follows, unless it is one.
        if !is_sms {
            content.remove("sms");
        }
    }
    body
}

#[tokio::test]
async fn requests_leave_as_their_callers_wrote_them() {
    let calls = Calls::new().await;
    let (mut compared, mut batch) = (0, 0);
    let mut check = async |at: &str, is_notification: bool, body: &Value| {
        let id = calls.send(body, is_notification).await;
        let sent = requests(&calls, id).await;
        let first = calls.plan(id).await.steps[0].channel;
        let mut wanted = passed_on(body, first == Channel::Sms);
        if first == Channel::Sms && wanted["content"]["sms"].is_null() {
            wanted["content"]["sms"] = json!({ "encoding": "AUTO" });
        }
        assert_eq!(passed_on(&sent[0], first == Channel::Sms), wanted, "{at}");
        compared += 1;
    };
    for Sample { at, is, body } in samples() {
        let mut body = filled(&body);
        if is == "send" && !body["content"]["suggestions"].is_null() && body["channels"].is_null() {
            body["channels"] = json!([{ "channel": "RCS" }]);
        }
        match is.as_str() {
            "batch" => {
                let of_batch = calls.send_all(&body).await;
                for (id, message) in of_batch.into_iter().zip(body["messages"].as_array().unwrap()) {
                    let sent = requests(&calls, id).await;
                    assert_eq!(passed_on(&sent[0], false), passed_on(message, false), "{at}");
                    batch += 1;
                }
            }
            "notification" => check(&at, true, &body).await,
            _ => check(&at, false, &body).await,
        }
    }
    let user = json!({ "msisdn": "+6591234567" });
    let on = |channel: &str, kind: &str, content: Value| json!({ "user": user, "type": kind, "content": content, "channels": [{ "channel": channel }] });
    let line = |kind: &str, content: Value| {
        json!({ "user": { "lineUserId": "U0123456789abcdef0123456789abcdef" }, "type": kind, "content": content,
            "channels": [{ "channel": "LINE" }] })
    };
    for body in [
        line("audio", json!({ "url": "https://a.example/a.m4a", "audio": { "duration": 300 } })),
        line(
            "location",
            json!({ "location": { "name": "Shop", "address": "1 Road", "latitude": 1.285651, "longitude": 103.846375 } }),
        ),
        on(
            "WhatsApp",
            "template",
            json!({ "template": { "name": "order", "language": "en", "components": [
            { "type": "button", "index": "0", "subType": 1, "parameters": [{ "type": "text", "text": 5, "more": [1.5] }] },
            { "type": "button", "index": 1, "subType": "url", "unknown": true, "parameters": [{ "type": "text", "text": "a" }] }] } }),
        ),
        on(
            "WhatsApp",
            "file",
            json!({ "url": "https://a.example/a.pdf", "fileName": "Bill {{x}}.pdf", "caption": null }),
        ),
        on(
            "WhatsApp",
            "interactive",
            json!({ "interactive": { "type": "cta_url", "body": { "text": "Hi" },
            "action": { "name": "cta_url", "parameters": { "display_text": "Open", "url": "https://a.example" } } } }),
        ),
    ] {
        check(&body.to_string(), false, &body).await;
    }
    let mut quoting = on("WhatsApp", "text", json!({ "text": "Hello", "preview": { "a/b": [false] } }));
    quoting["context"] = json!({ "messageId": "m1" });
    quoting["priority"] = json!(7);
    check("keys of the request", false, &quoting).await;
    check("a key in an SMS", false, &on("SMS", "text", json!({ "text": "Hello", "preview": { "a/b": 1 } }))).await;
    assert!(compared > 70 && batch == 2, "{compared} {batch}");
}

#[tokio::test]
async fn messages_that_differ_in_what_volley_does_not_know_share_a_batch() {
    let calls = Calls::new().await;
    let document = |more: Value| {
        let mut content = json!({ "url": "https://a.example/a.pdf" });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "user": { "msisdn": "+6591234567" }, "type": "file", "content": content, "channels": [{ "channel": "WhatsApp" }] })
    };
    let mores = [json!({}), json!({ "fileName": "a.pdf" }), json!({ "fileName": "b.pdf", "pages": 3 })];
    let mut batches = BTreeSet::new();
    for more in &mores {
        batches.insert(calls.send(&document(more.clone()), false).await.key.batch);
    }
    assert_eq!(batches.len(), 1);
    // Of a batch, a message has the defaults that it lacks, whole.
    let call = json!({ "includeMessagesInResponse": true,
        "template": { "type": "file", "content": document(json!({ "fileName": "all.pdf" }))["content"], "context": { "m": 1 },
            "channels": [{ "channel": "WhatsApp" }] },
        "messages": [{ "user": { "msisdn": "+6591234567" } }, { "user": { "msisdn": "+6591234568" }, "context": null,
            "content": { "url": "https://a.example/own.pdf", "pages": 1 } }] });
    let wanted = [
        json!({ "url": "https://a.example/a.pdf", "fileName": "all.pdf" }),
        json!({ "url": "https://a.example/own.pdf", "pages": 1 }),
    ];
    let ids = calls.send_all(&call).await;
    assert_eq!(ids.len(), wanted.len());
    for (id, content) in ids.into_iter().zip(wanted) {
        let sent = requests(&calls, id).await;
        assert_eq!((&sent[0]["content"], &sent[0]["context"]), (&content, &json!({ "m": 1 })));
    }
}
