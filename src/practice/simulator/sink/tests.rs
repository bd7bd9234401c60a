//! Tests of the sink over real sockets.

use super::*;
use crate::base::clock::ManualClock;
use crate::base::domain::Timestamp;
use crate::rules::wire::{BatchAnswer, MessageAnswer, ReportedStatus, WebhookEvent, parse_events};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use tokio::sync::mpsc;

struct World {
    address: SocketAddr,
    sink: RunningSink,
    shutdown: CancellationToken,
}

impl World {
    async fn new(options: SinkOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let sink = RunningSink::start(listener, options, 1, clock, shutdown.clone()).unwrap();
        Self { address, sink, shutdown }
    }

    /// Writes everything, and reads until this many answers have arrived.
    async fn exchange(&self, pieces: &[&[u8]], answers: usize) -> Vec<String> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
        }
        let mut input = Vec::new();
        loop {
            let bodies = bodies(&input);
            if bodies.len() >= answers {
                return bodies;
            }
            assert_ne!(
                stream.read_buf(&mut input).await.unwrap(),
                0,
                "closed after {:?}",
                String::from_utf8_lossy(&input)
            );
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.sink.stopped().await;
    }
}

/// Returns the bodies of the complete answers.
fn bodies(input: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(input).unwrap();
    let mut rest = text;
    let mut bodies = Vec::new();
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let length: usize = head.split("content-length: ").nth(1).unwrap().trim().parse().unwrap();
        let Some(body) = after.get(..length) else { break };
        bodies.push(body.to_owned());
        rest = &after[length..];
    }
    bodies
}

fn request(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn message(n: u32) -> String {
    format!(
        r#"{{"user":{{"msisdn":"+659123{n:04}"}},"clientMessageId":"att_{n}","type":"text","content":{{"text":"say \"clientMessageId\":\"x\""}},"channels":[{{"channel":"Viber"}}]}}"#
    )
}

#[tokio::test]
async fn pipelined_sends_are_answered_in_order_with_umids_of_their_own() {
    let world = World::new(SinkOptions::default()).await;
    let all: String = (0..500).map(|n| request("/api/v1/subaccounts/acme/messages", &message(n))).collect();
    // The pieces are uneven, so requests break at any point.
    let pieces: Vec<&[u8]> = all.as_bytes().chunks(977).collect();
    let bodies = world.exchange(&pieces, 500).await;
    let mut umids = HashSet::new();
    for (n, body) in bodies.iter().enumerate() {
        let answer: MessageAnswer<'_> = serde_json::from_str(body).unwrap();
        assert!(answer.is_accepted());
        assert_eq!(answer.client_message_id.as_deref(), Some(format!("att_{n}").as_str()));
        assert!(umids.insert(answer.umid.unwrap().parse::<uuid::Uuid>().unwrap()));
    }
    assert_eq!((world.sink.count().requests, world.sink.count().messages), (500, 500));
    world.stop().await;
}

#[tokio::test]
async fn a_batch_has_an_entry_for_each_of_its_messages() {
    let world = World::new(SinkOptions::default()).await;
    let messages: Vec<_> = (0..1_000).map(message).collect();
    let batch = format!(r#"{{"includeMessagesInResponse":true,"messages":[{}]}}"#, messages.join(","));
    let request = request("/api/v1/subaccounts/acme/messages/batch", &batch);
    let bodies = world.exchange(&[request.as_bytes()], 1).await;
    let answer: BatchAnswer<'_> = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!((answer.accepted_count, answer.rejected_count, answer.messages.len()), (Some(1_000), Some(0), 1_000));
    assert_eq!(answer.messages[999].client_message_id.as_deref(), Some("att_999"));
    let umids: HashSet<_> = answer.messages.iter().filter_map(|message| message.umid.as_deref()).collect();
    assert_eq!(umids.len(), 1_000);
    world.stop().await;
}

#[tokio::test]
async fn the_count_is_served_and_an_invalid_request_ends_the_connection() {
    let world = World::new(SinkOptions::default()).await;
    let bodies =
        world.exchange(&[b"GET /sink/count HTTP/1.1\r\n\r\nGET /pigeons HTTP/1.1\r\n\r\nrubbish\r\n\r\n"], 3).await;
    assert_eq!(bodies[0], r#"{"requests":0,"messages":0,"receipts":0,"waiting":0,"forgone":0}"#);
    assert!(bodies[1].contains("1300"));
    assert!(bodies[2].contains("not an HTTP request"));
    world.stop().await;
}

#[tokio::test]
async fn every_message_gets_its_receipts_in_arrays() {
    let (hooks, mut received) = mpsc::channel::<Vec<u8>>(100);
    let take = |State(hooks): State<mpsc::Sender<Vec<u8>>>, body: bytes::Bytes| async move {
        hooks.send(body.to_vec()).await.unwrap();
    };
    let router = Router::new().route("/hooks", post(take)).with_state(hooks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let target = WebhookTarget { group: 30, connections: 2, ..WebhookTarget::new(url) };
    let world = World::new(SinkOptions { webhook: Some(target), receipts: 3, ..SinkOptions::default() }).await;
    let all: String = (0..100).map(|n| request("/api/v1/subaccounts/acme/messages", &message(n))).collect();
    world.exchange(&[all.as_bytes()], 100).await;
    let mut reports: HashMap<String, Vec<ReportedStatus>> = HashMap::new();
    while reports.values().map(Vec::len).sum::<usize>() < 300 {
        let body = received.recv().await.unwrap();
        let events = parse_events(&body);
        assert!(events.len() <= 30);
        for event in events {
            let WebhookEvent::Receipt(receipt) = event else { panic!("{event:?}") };
            assert_eq!(receipt.known_channel(), Some(crate::base::domain::Channel::Viber));
            assert!(receipt.msisdn().is_some());
            assert_eq!(receipt.sub_account_id.as_deref(), Some("acme"));
            reports.entry(receipt.client_message_id.as_deref().unwrap().to_owned()).or_default().push(receipt.report());
        }
    }
    assert_eq!(reports.len(), 100);
    assert!(
        reports
            .values()
            .all(|states| *states == [ReportedStatus::Sent, ReportedStatus::Delivered, ReportedStatus::Read])
    );
    world.stop().await;
}
