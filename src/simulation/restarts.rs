//! Servers that die soon after one another.

use super::small::World;
use crate::base::domain::{AttemptId, Span, StepIndex};

/// A bucket that takes four seconds to fill.
const CONFIG: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1/s\"\nburst = 4\n\
    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1/s\"\nsource = \"ACME\"\n";

impl World {
    /// Sends what may be sent now and records nothing. Returns how many messages were sent.
    async fn unrecorded(&mut self) -> usize {
        let before = self.provider.taken.lock().len();
        self.node.watch().await;
        for _ in 0..4 {
            self.node.claim(0, true).await.unwrap();
            while let Some(hand) = self.node.next(0).await {
                hand.await;
            }
        }
        self.provider.taken.lock().len() - before
    }
}

#[tokio::test]
async fn tokens_in_flight_at_a_crash_stay_spent_after_a_second_crash() {
    let mut world = World::of(CONFIG, None).await;
    world.launch(20, "").await;
    // A new bucket is empty. A record notes its level, and it fills up again.
    world.clock.advance(Span::from_secs(10));
    world.send().await;
    assert_eq!(world.store.buckets().await.unwrap().len(), 1);
    world.clock.advance(Span::from_secs(10));
    assert_eq!(world.unrecorded().await, 4);
    world.restart().await;
    world.restart().await;
    assert_eq!(world.unrecorded().await, 0);
    world.clock.advance(Span::from_secs(2));
    assert_eq!(world.unrecorded().await, 2);
}

/// A server that starts counts the messages whose fate is unknown, and these are known.
#[tokio::test]
async fn tokens_whose_receipts_came_before_their_answers_stay_spent_after_a_crash() {
    let mut world = World::of(CONFIG, None).await;
    let launched = world.launch(20, "").await;
    world.clock.advance(Span::from_secs(10));
    world.send().await;
    world.clock.advance(Span::from_secs(10));
    assert_eq!(world.unrecorded().await, 4);
    let tag = world.store.batch(launched.batch).await.unwrap().unwrap().tag;
    let keys: Vec<_> = world.provider.taken.lock().iter().rev().take(4).map(|(_, key)| *key).collect();
    for id in keys.into_iter().map(|key| AttemptId { key, step: StepIndex::FIRST, tag }.to_string()) {
        let event = serde_json::json!({ "eventType": "outbound_message_status_changed", "payload": {
            "umid": format!("of-{id}"), "clientMessageId": id, "subAccountId": "acme", "channel": "viber",
            "status": { "state": "read", "errorCode": 0 }
        } });
        world.node.take(&[event.to_string().as_bytes()]).await[0].clone().unwrap();
    }
    world.restart().await;
    assert_eq!(world.unrecorded().await, 0);
    world.clock.advance(Span::from_secs(2));
    assert_eq!(world.unrecorded().await, 2);
}
