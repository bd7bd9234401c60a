//! A retry leaves out whom an earlier retry has reached, unless its caller wants them.

use super::*;
use crate::base::domain::{BatchId, Ending, MessageKey, Outcome, Present, State, Status};
use crate::store::Change;

impl Bench {
    /// Lets the first message of a campaign arrive.
    pub(in crate::http::api) async fn reach_first(&self, batch: BatchId) {
        let message = self.store.load(vec![MessageKey { batch, n: 0 }]).await.unwrap().remove(0);
        let (before, now) = (message.present, self.clock.now());
        let state = State::Done { outcome: Outcome::Reached, skipped: None, at: now };
        let marks = before.marks.with_status(before.step, Status::Delivered).with_ending(before.step, Ending::Success);
        let first_submitted_at = Some(now);
        let change = Change {
            key: message.key,
            address: message.address,
            version: message.version,
            before,
            after: Present { state, marks, first_submitted_at, accepted: first_submitted_at, ..before },
            lane_before: message.lane,
            lane: message.lane,
            steps: 1,
            fact: None,
            ruling: Default::default(),
            notes: Vec::new(),
            settlements: Vec::new(),
            observed: Vec::new(),
        };
        let late = self.store.record(vec![change]).await.unwrap();
        assert!(late.is_empty(), "{late:?}");
    }

    /// The id of a campaign in the store.
    pub(in crate::http::api) async fn batch_named(&self, name: &str) -> BatchId {
        self.store.batch_named(name).await.unwrap().unwrap().id
    }
}

#[tokio::test]
async fn a_retry_leaves_out_whom_an_earlier_one_reached_unless_they_are_included() {
    let bench = Bench::new().await;
    let place = bench.launch("Promo").await.headers["location"].to_str().unwrap().to_owned();
    bench.post(&format!("{place}/cancel"), "1", "{}").await;
    let retry = async |once: &str, more: &str| {
        let body = format!("{{\"outcomes\": [\"cancelled\"], \"name\": \"{once}\"{more}}}");
        let answered = bench.post(&format!("{place}/retry"), once, &body).await;
        assert_eq!(answered.status, StatusCode::CREATED, "{}", answered.text);
        (answered.body["messages"].clone(), answered.body["reached_before"].clone())
    };
    assert_eq!(retry("First", "").await, (json!(2), json!(0)));
    bench.reach_first(bench.batch_named("First").await).await;
    assert_eq!(retry("Second", "").await, (json!(1), json!(1)));
    assert_eq!(retry("Third", ", \"include_reached\": true").await, (json!(2), json!(0)));
}
