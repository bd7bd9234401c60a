//! Servers that die soon after one another.

use super::small::World;
use crate::domain::Span;

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
