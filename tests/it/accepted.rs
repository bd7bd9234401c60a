//! Calls of the 8x8 API while the server is killed: every message whose call was answered with success is stored and
//! submitted, once, and a call that is repeated with its key sends nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use volley::base::clock::{Clock, RealClock};
use volley::base::domain::Span;

use crate::support::{Installation, Shape, number, until};

const PATIENCE: Span = Span::from_secs(120);
const PROFILE: &str = "answer_after = { median = \"5ms\", spread = 2.0 }\nkeep_requests = 0\n\
                       [channel.SMS]\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\ndelivered = 1.0\n\
                       sent_after = { median = \"20ms\", spread = 1.0 }\n\
                       delivered_after = { median = \"40ms\", spread = 1.0 }\n";
const CLIENTS: usize = 8;
/// Messages of each batch.
const BATCH: u64 = 20;

/// What the clients know of their calls.
#[derive(Debug, Default)]
struct Known {
    /// Persons whose messages were accepted, with the umids.
    accepted: Mutex<BTreeMap<u64, String>>,
    /// Persons whose own calls have no answer.
    unanswered: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
}

struct Client {
    http: reqwest::Client,
    address: String,
    key: String,
    known: Arc<Known>,
}

fn message(person: u64) -> Value {
    json!({
        "user": { "msisdn": format!("+{}", number(person)) },
        "clientMessageId": format!("p-{person}"),
        "type": "text",
        "content": { "text": format!("Your code is {person}") },
        "channels": [{ "channel": "SMS" }],
    })
}

impl Client {
    async fn post(&self, path: &str, once: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("http://{}/api/v1/subaccounts/acme/messages{path}", self.address);
        let request = self.http.post(url).bearer_auth(&self.key).header("Idempotency-Key", once).body(body.to_string());
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, serde_json::from_str(&answer.text().await.ok()?).ok()?))
    }

    /// Sends single messages and batches in turn until a call has no answer.
    async fn run(self, batches: bool) {
        loop {
            let count = if batches { BATCH } else { 1 };
            let first = self.known.next.fetch_add(count, Ordering::Relaxed);
            let persons: Vec<u64> = (first..first + count).collect();
            let (path, body) = if batches {
                let messages: Vec<Value> = persons.iter().map(|person| message(*person)).collect();
                ("/batch", json!({ "includeMessagesInResponse": true, "messages": messages }))
            } else {
                ("", message(first))
            };
            let Some((status, answer)) = self.post(path, &format!("call-{first}"), &body).await else {
                if !batches {
                    self.known.unanswered.lock().insert(first);
                }
                return;
            };
            assert_eq!(status, 200, "{answer}");
            let umids = match answer["messages"].as_array() {
                Some(messages) => messages.iter().map(|message| message["umid"].clone()).collect(),
                None => vec![answer["umid"].clone()],
            };
            assert_eq!(umids.len(), persons.len(), "{answer}");
            let umids = umids.iter().map(|umid| umid.as_str().unwrap().to_owned());
            self.known.accepted.lock().extend(persons.into_iter().zip(umids));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_message_is_sent_exactly_once_although_the_server_is_killed() {
    let shape = Shape { seed: 131, profile: PROFILE.to_owned(), rate: 500, batch: None, connections: 16 };
    let mut site = Installation::new(&shape).await;
    site.serve().await;
    let created = site.volley(&["key", "create", "--json", "--name", "shop", "--scope", "read,send"]).await.json();
    let key = created["key"].as_str().unwrap().to_owned();
    let known = Arc::new(Known::default());
    let address = site.webhooks();
    let client = || Client {
        http: reqwest::Client::new(),
        address: address.clone(),
        key: key.clone(),
        known: Arc::clone(&known),
    };
    for round in 1..=4 {
        let mut clients = JoinSet::new();
        for index in 0..CLIENTS {
            clients.spawn(client().run(index == 0));
        }
        let enough = round * 250;
        let answered = async || match known.accepted.lock().len() {
            count if count >= enough => Ok(()),
            count => Err(format!("{count} of {enough}")),
        };
        until("calls are answered", PATIENCE, answered).await;
        site.kill_server().await;
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        site.serve().await;
    }

    // A client repeats its calls without an answer, with their keys. What was begun and not finished is not carried out again.
    let unanswered = known.unanswered.lock().clone();
    for person in &unanswered {
        let (status, answer) = client().post("", &format!("call-{person}"), &message(*person)).await.unwrap();
        assert!([200, 409].contains(&status), "{status} {answer}");
        if status == 200 {
            known.accepted.lock().insert(*person, answer["umid"].as_str().unwrap().to_owned());
        }
    }

    let accepted = known.accepted.lock().clone();
    let wanted: BTreeSet<u64> = accepted.keys().map(|person| number(*person)).collect();
    let sent = async || {
        let arrived: BTreeSet<u64> = site.journal().iter().map(|message| message.msisdn.get()).collect();
        let missing = wanted.difference(&arrived).count();
        // A submission that was under way at a kill may have reached the provider, so it is not made again: it is unknown.
        let unknown = site.look("SELECT count(*) FROM attempt WHERE verdict = 2").await.unwrap_or_default();
        let waiting = site.look("SELECT count(*) FROM message WHERE state < 2").await.unwrap_or_default();
        match i64::try_from(missing).is_ok_and(|missing| missing <= unknown) && waiting == 0 {
            true => Ok(()),
            false => Err(format!("{missing} of {} are missing, {unknown} unknown, {waiting} wait", wanted.len())),
        }
    };
    until("every accepted message is submitted", PATIENCE, sent).await;
    let stored = site.look("SELECT count(*) FROM message").await.unwrap();
    assert!(usize::try_from(stored).unwrap() >= accepted.len(), "{stored} messages are stored");
    let mut times = BTreeMap::new();
    for message in site.journal() {
        *times.entry(message.msisdn.get()).or_insert(0) += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "sent more than once: {twice:?}");
    let umids: BTreeSet<&String> = accepted.values().collect();
    assert_eq!(umids.len(), accepted.len(), "each message has an id of its own");

    // The receipts arrive, and the details say so, under the caller's own id.
    let arrived: BTreeSet<u64> = site.journal().iter().map(|message| message.msisdn.get()).collect();
    let (person, umid) = accepted.iter().find(|(person, _)| arrived.contains(&number(**person))).unwrap();
    let url = format!("http://{address}/api/v1/subaccounts/acme/messages/{umid}");
    let delivered = async || {
        let request = reqwest::Client::new().get(&url).bearer_auth(&key);
        let details = request.send().await.unwrap().text().await.unwrap();
        let record: Value = serde_json::from_str(&details).unwrap();
        let record = &record["data"][0];
        let is_delivered = record["status"]["state"] == "delivered";
        if is_delivered && record["clientMessageId"] == format!("p-{person}") { Ok(()) } else { Err(details) }
    };
    until("a message is delivered", PATIENCE, delivered).await;
}

/// What is never submitted has failed: no operator has anything to do with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn details_of_what_was_cancelled_or_expired_have_no_word_of_an_operator() {
    let shape = Shape { seed: 132, profile: PROFILE.to_owned(), rate: 50, batch: None, connections: 4 };
    let mut site = Installation::new(&shape).await;
    site.serve().await;
    let created = site.volley(&["key", "create", "--json", "--name", "shop", "--scope", "read,send"]).await.json();
    let key = created["key"].as_str().unwrap().to_owned();
    let (http, known) = (reqwest::Client::new(), Arc::default());
    let client = Client { http: http.clone(), address: site.webhooks(), key: key.clone(), known };
    let lanes = site.volley(&["lane", "list", "--json"]).await.json();
    for lane in lanes.as_array().unwrap() {
        site.volley(&["lane", "pause", lane["name"].as_str().unwrap(), "--json"]).await.json();
    }
    let in_seconds = |seconds| (RealClock::new().now() + Span::from_secs(seconds)).rfc3339();
    let mut short = message(1);
    short["expiry"] = in_seconds(2).into();
    let (status, expires) = client.post("", "short", &short).await.unwrap();
    assert_eq!(status, 200, "{expires}");
    let mut later = message(2);
    later["scheduled"] = in_seconds(3_600).into();
    let batch = json!({ "includeMessagesInResponse": true, "messages": [later] });
    let (status, cancelled) = client.post("/batch", "later", &batch).await.unwrap();
    assert_eq!(status, 200, "{cancelled}");
    let messages = format!("http://{}/api/v1/subaccounts/acme/messages", site.webhooks());
    let url = format!("{messages}/batch/{}", cancelled["batchId"].as_str().unwrap());
    assert_eq!(http.delete(url).bearer_auth(&key).send().await.unwrap().status(), 200);

    for (umid, code, says) in
        [(&expires["umid"], json!(36), "expired"), (&cancelled["messages"][0]["umid"], Value::Null, "cancelled")]
    {
        let url = format!("{messages}/{}", umid.as_str().unwrap());
        let over = async || {
            let details = http.get(&url).bearer_auth(&key).send().await.unwrap().text().await.unwrap();
            let details: Value = serde_json::from_str(&details).unwrap();
            let status = details["data"][0]["status"].clone();
            let is_over = status["state"].as_str().is_some_and(|state| state != "queued");
            if is_over { Ok(status) } else { Err(details.to_string()) }
        };
        let status = until("the message is over", PATIENCE, over).await;
        assert_eq!((&status["state"], status.get("detail")), (&json!("failed"), None), "{status}");
        assert_eq!(status["errorCode"], code, "{status}");
        assert!(status["errorMessage"].as_str().unwrap().contains(says), "{status}");
    }
    assert!(site.journal().is_empty());
}
