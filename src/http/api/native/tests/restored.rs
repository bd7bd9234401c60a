//! After a restore, what may have been sent since the backup needs a confirmation.

use super::*;
use crate::base::domain::{BatchState, Span};
use crate::base::events::Origin;
use crate::store::Restore;

impl Bench {
    /// Marks everything that is not over, as the first server on a restored backup does.
    pub(in crate::http::api) async fn restored(&self) {
        let restore = Restore { copied_at: self.clock.now(), accepted_at: self.clock.now() };
        self.store.mark_restored(restore).await.unwrap();
        let (from, now) = (vec![BatchState::Running], self.clock.now());
        for batch in self.store.batches(Some(from.clone())).await.unwrap() {
            let origin = Some(Origin::rule("a backup"));
            self.store.move_batch(batch.id, from.clone(), BatchState::Paused, origin, now).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_restored_campaign_is_resumed_and_repeated_with_a_confirmation_only() {
    let bench = Bench::new().await;
    let launched = bench.launch("Promo").await;
    let place = launched.headers["location"].to_str().unwrap().to_owned();
    let batch = place.replace("/v1/campaigns/", "/v1/batches/");
    bench.restored().await;
    assert_eq!(bench.get(&place).await.body["restored_from"], "2027-01-15T08:00:00.000Z");
    for (key, path, body) in [
        ("1", format!("{place}/resume"), "{}"),
        ("2", format!("{batch}/resume"), r#"{"confirm_restored": false}"#),
        ("3", format!("{place}/clone"), "{}"),
        ("4", format!("{place}/retry"), r#"{"outcomes": ["undelivered"]}"#),
    ] {
        let refused = bench.post(&path, key, body).await;
        assert_eq!(code(&refused), (409, "restored"), "{path}: {}", refused.text);
        assert!(refused.text.contains("a backup of 2027-01-15 08:00 UTC"), "{}", refused.text);
    }
    let cloned = bench.post(&format!("{place}/clone"), "5", r#"{"confirm_restored": true}"#).await;
    assert_eq!(cloned.status, StatusCode::CREATED, "{}", cloned.text);
    let resumed = bench.post(&format!("{batch}/resume"), "6", r#"{"confirm_restored": true}"#).await;
    assert_eq!((resumed.status, &resumed.body["state"]), (StatusCode::OK, &json!("running")), "{}", resumed.text);
    assert!(bench.get(&place).await.body["restored_from"].is_null());
}

#[tokio::test]
async fn a_restored_draft_is_started_with_a_confirmation_only() {
    let bench = Bench::new().await;
    let lane =
        config().lanes.iter().find(|lane| lane.channel == crate::base::domain::Channel::Sms).unwrap().name.clone();
    let drafted = bench.post("/v1/campaigns?draft=true", "1", &CAMPAIGN.replace("LANE", &lane)).await;
    assert_eq!((drafted.status, &drafted.body["state"]), (StatusCode::CREATED, &json!("draft")), "{}", drafted.text);
    let place = drafted.headers["location"].to_str().unwrap().to_owned();
    bench.restored().await;
    let refused = bench.post(&format!("{place}/start"), "2", "{}").await;
    assert_eq!(code(&refused), (409, "restored"), "{}", refused.text);
    assert_eq!(bench.get(&place).await.body["state"], "draft");
    let started = bench.post(&format!("{place}/start"), "3", r#"{"confirm_restored": true}"#).await;
    assert_eq!((started.status, &started.body["state"]), (StatusCode::OK, &json!("running")), "{}", started.text);
}

#[tokio::test]
async fn for_a_day_after_a_restore_a_launch_needs_a_confirmation() {
    let bench = Bench::new().await;
    bench.restored().await;
    assert_eq!(code(&bench.launch("Promo").await), (409, "restored"));
    let body = |name: &str, confirms: &str| {
        let lane =
            config().lanes.iter().find(|lane| lane.channel == crate::base::domain::Channel::Sms).unwrap().name.clone();
        let text = CAMPAIGN.replace("LANE", &lane).replace("Promo", name);
        let mut keys: Value = serde_json::from_str(&text).unwrap();
        keys["confirm_restored"] = serde_json::from_str(confirms).unwrap();
        keys.to_string()
    };
    let wrong = bench.post("/v1/campaigns", "1", &body("Promo", "1")).await;
    assert_eq!((code(&wrong), &wrong.body["errors"][0]["pointer"]), ((422, "invalid"), &json!("/confirm_restored")));
    assert_eq!(code(&bench.post("/v1/campaigns", "2", &body("Promo", "false")).await), (409, "restored"));
    let confirmed = bench.post("/v1/campaigns", "3", &body("Promo", "true")).await;
    assert_eq!(confirmed.status, StatusCode::CREATED, "{}", confirmed.text);
    bench.clock.advance(Span::from_secs(24 * 3_600));
    assert_eq!(bench.launch("Other").await.status, StatusCode::CREATED);
}
