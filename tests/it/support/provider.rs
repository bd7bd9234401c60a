//! The practice provider's side: what it has seen, by its own account.

use serde::Deserialize;
use serde_json::Value;
use volley::base::domain::{Channel, Msisdn};

/// Its counters.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Seen {
    pub(crate) messages: u64,
    pub(crate) duplicates: u64,
    pub(crate) without_client_id: u64,
    pub(crate) own_fallbacks: u64,
    pub(crate) not_one_channel: u64,
    pub(crate) with_fallback_text: u64,
    pub(crate) with_fallback_rule: u64,
    pub(crate) receipts: u64,
    pub(crate) receipts_lost: u64,
    pub(crate) webhooks: Posts,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Posts {
    /// Acknowledged by us.
    pub(crate) posted: u64,
    pub(crate) dropped: u64,
    pub(crate) waiting: u64,
}

/// One message that it accepted.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    client_message_id: Option<String>,
    msisdn: String,
    steps: Vec<StepLine>,
}

#[derive(Debug, Clone, Deserialize)]
struct StepLine {
    channel: Channel,
    state: String,
    delivered_at: Option<String>,
}

/// One message that it accepted.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) client_message_id: String,
    pub(crate) msisdn: Msisdn,
    pub(crate) channel: Channel,
    /// Whether it posted any receipt about it.
    pub(crate) is_told: bool,
    pub(crate) is_delivered: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    http: reqwest::Client,
}

impl Provider {
    pub(crate) fn at(url: &str) -> Self {
        volley::provider::client::install_tls();
        Self { url: url.to_owned(), http: reqwest::Client::new() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}/simulator/{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn seen(&self) -> Seen {
        let (_, body) = self.get("seen").await;
        serde_json::from_str(&body).unwrap()
    }

    /// Posts a message from a recipient.
    pub(crate) async fn post_reply(&self, person: u64, channel: Channel, text: &str) {
        let said = serde_json::json!({ "msisdn": format!("+{person}"), "channel": channel.as_str(), "text": text });
        let url = format!("{}/simulator/inbound", self.url);
        let answer = self.http.post(url).body(said.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Posts an event of the account.
    pub(crate) async fn post_event(&self, kind: &str, details: &Value) {
        let url = format!("{}/simulator/events/{kind}", self.url);
        let answer = self.http.post(url).body(details.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Switches faults on or off.
    pub(crate) async fn faults(&self, faults: &Value) {
        let url = format!("{}/simulator/faults", self.url);
        let answer = self.http.post(url).body(faults.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Waits until its counters reach these values (`messages=100&posted=5`); none if they have not in time.
    pub(crate) async fn wait_until_seen(&self, so_much: &str, seconds: u32) -> Option<Seen> {
        match self.get(&format!("wait?{so_much}&timeout={seconds}s")).await {
            (200, body) => Some(serde_json::from_str(&body).unwrap()),
            (408, _) => None,
            (status, body) => panic!("the simulator answers {status}: {body}"),
        }
    }

    /// Every message that it accepted, in order.
    pub(crate) async fn arrived(&self) -> Vec<Arrived> {
        arrived(&self.get("messages").await.1)
    }
}

/// Messages as the provider writes them, one a line.
pub(super) fn arrived(lines: &str) -> Vec<Arrived> {
    let read = |line: &str| {
        let Line { client_message_id, msisdn, steps } = serde_json::from_str(line).unwrap();
        assert_eq!(steps.len(), 1, "the provider fell back by itself: {line}");
        Arrived {
            client_message_id: client_message_id.unwrap(),
            msisdn: msisdn.parse().unwrap(),
            channel: steps[0].channel,
            is_told: steps[0].state != "queued",
            is_delivered: steps[0].delivered_at.is_some(),
        }
    };
    lines.lines().map(read).collect()
}
