//! From a file to delivered messages: the whole pipeline over real HTTP and a real file.

use serde_json::json;
use volley::base::domain::{BatchState, Count, MessageKey, Outcome, Portion, Span, StepIndex, Timestamp};
use volley::base::events::Origin;
use volley::campaigns::campaign::{self, Decided, Noted};
use volley::campaigns::story;
use volley::practice::simulator::Profile;
use volley::sending::book::Book;
use volley::store::{Cursor, StrayKind};

use crate::support::world::{DELIVERED, SILENT, Setup, Way, fates};

/// So long that no deadline passes on a busy machine. Tests of deadlines override it.
const WHATSAPP: &str = r#"
[[step]]
channel = "WhatsApp"
fallback_after = "1h"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
ttl = "12h"
body = ["{{Mobile|there}}"]
"#;

const SMS: &str = r#"
[[step]]
channel = "SMS"
text = "Hello"
receipt_window = "30s"
"#;

const VIBER: &str = r#"
[[step]]
channel = "Viber"
fallback_after = "1h"
text = "Hello"
"#;

fn route(steps: &[&str]) -> String {
    steps.concat()
}

fn profile(toml: &str) -> Profile {
    Profile::from_toml(toml).unwrap()
}

/// Everything happens at once, on every channel, unless a test overrides it.
const QUICK: &str = r#"
speed = 1000.0
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_recipient_is_reached_once_on_the_first_channel() {
    let world = Setup::default().start().await;
    let launched = world.launch(300, &route(&[WHATSAPP, VIBER, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!(report.outcome(Outcome::Reached), 300);
    assert_eq!(report.steps[0].handed_over, 300);
    assert_eq!(report.steps[1].handed_over + report.steps[2].handed_over, 0);
    let seen = world.seen().await;
    assert_eq!(seen["messages"], json!(300));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreached_recipients_fall_back_for_the_reported_reason() {
    let profile = fates(&[("WhatsApp", [0.2, 0.3, 0.5, 0.0]), ("Viber", SILENT), ("SMS", DELIVERED)]);
    let world = Setup { profile, ..Setup::default() }.start().await;
    let launched = world.launch(300, &route(&[WHATSAPP, VIBER, SMS]).replace("\"1h\"", "\"1s\"")).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!(report.outcome(Outcome::Reached), 300, "{report:?}");
    let [whatsapp, viber, sms] = &report.steps[..] else { panic!("{report:?}") };
    let fell = whatsapp.fell_back;
    assert_eq!(fell.deadline + fell.undelivered + fell.rejected, 300, "{fell:?}");
    assert!(fell.deadline > 0 && fell.undelivered > 0 && fell.rejected > 0, "{fell:?}");
    assert_eq!(whatsapp.handed_over, 300 - fell.rejected);
    assert_eq!((viber.handed_over, viber.fell_back.deadline), (300, 300));
    assert_eq!((sms.handed_over, sms.reached), (300, 300));
    world.seen().await;

    // The story of a message that took every step names the rule behind each line.
    let batch = world.batch(&launched).await;
    let entry = Book::new(world.store.clone()).get(batch.id).await.unwrap().unwrap();
    let key = MessageKey { batch: batch.id, n: 0 };
    let story =
        story::explain(world.store.as_ref(), &batch, &entry, key, world.clock.now(), None).await.unwrap().unwrap();
    assert!(story.proven, "{story:#?}");
    assert!(story.lines.iter().any(|line| line.text.contains("SMS")), "{story:#?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_holds_the_lane_and_no_message_falls_back() {
    let world = Setup { rate: "100/s", ..Setup::default() }.start().await;
    let launched = world.launch(200, &route(&[WHATSAPP, SMS])).await;
    world.until(&launched, Count::HandedOver, 20).await;
    world.faults(json!({ "key_refused": true })).await;
    let hold = world
        .when("hold on the lane", || async {
            world.store.holds().await.unwrap().pop().ok_or_else(|| "no hold".to_owned())
        })
        .await;
    assert_eq!((hold.lane.as_str(), hold.template.as_str()), ("wa", ""));
    world
        .when("nothing in flight", || async {
            let tallies = world.tallies(&launched).await;
            if tallies.total(Count::Sending) == 0 {
                Ok(())
            } else {
                Err(format!("{:?}", tallies.total(Count::Sending)))
            }
        })
        .await;
    let held = world.tallies(&launched).await;
    assert!(held.total(Count::Queued) > 0, "the others keep their places");
    for fell in [Count::FellDeadline, Count::FellRejected, Count::FellUndelivered, Count::Rejected] {
        assert_eq!(held.total(fell), 0, "{fell}");
    }
    world.faults(json!({ "key_refused": false })).await;
    world
        .store
        .release("wa".to_owned(), String::new(), world.clock.now(), Origin::operator("a test", None))
        .await
        .unwrap();
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.steps[1].handed_over), (200, 0));
    world.seen().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_paused_by_receipt_is_held_and_no_message_falls_back() {
    let world = Setup { profile: profile(QUICK), rate: "100/s", ..Setup::default() }.start().await;
    world.faults(json!({ "template_paused": "promo" })).await;
    let launched = world.launch(100, &route(&[WHATSAPP, SMS])).await;
    let hold = world
        .when("hold on the template", || async {
            world.store.holds().await.unwrap().pop().ok_or_else(|| "no hold".to_owned())
        })
        .await;
    assert_eq!((hold.lane.as_str(), hold.template.as_str()), ("wa", "promo"));
    world
        .when("all messages back in the queue", || async {
            let queued = world.tallies(&launched).await.total(Count::Queued);
            if queued == 100 { Ok(()) } else { Err(world.state_of(&launched).await) }
        })
        .await;
    let report = world.report(&launched).await;
    assert_eq!((report.steps[1].handed_over, report.steps[0].fell_back.total()), (0, 0), "{report:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_lane_slows_and_loses_no_message() {
    let world = Setup { profile: Profile::perfect(), ..Setup::default() }.start().await;
    world.faults(json!({ "throttle": 0.1, "retry_after": 0 })).await;
    let launched = world.launch(150, &route(&[WHATSAPP, SMS])).await;
    world
        .when("the lane to go more slowly", || async {
            let lanes = world.lanes();
            if lanes.iter().any(|lane| lane.name == "wa" && lane.portion < Portion::WHOLE) {
                Ok(())
            } else {
                Err(format!("{lanes:?}"))
            }
        })
        .await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.steps[0].rejected), (150, 0));
    assert_eq!(report.steps[1].handed_over, 0, "throttling causes no fallback");
    assert!(world.seen().await["throttled"].as_u64().unwrap() > 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_after_its_first_byte_is_not_resent() {
    let world = Setup { rate: "500/s", ..Setup::default() }.start().await;
    // With more of them the outage would be long enough for queries about the missed receipts.
    world.faults(json!({ "cut_after": 0.05, "error_500_after": 0.05, "silent_receipts": true })).await;
    let step = WHATSAPP.replace("fallback_after = \"1h\"", "receipt_window = \"2s\"");
    let launched = world.launch(400, &step).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    let (unknown, silent) = (report.outcome(Outcome::Unknown), report.outcome(Outcome::Silent));
    assert_eq!(unknown + silent, 400, "{report:?}");
    assert!(unknown > 20, "{report:?}");
    assert_eq!(report.unknown_count, unknown);
    assert_eq!(i64::try_from(report.unknown.len()).unwrap(), unknown);
    assert_eq!(world.seen().await["messages"], json!(400), "each exactly once");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_adopts_an_unknown_attempt() {
    let world = Setup { rate: "500/s", ..Setup::default() }.start().await;
    // With more of them the circuit would try one message from time to time.
    world.faults(json!({ "cut_after": 0.1 })).await;
    let launched = world.launch(200, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.unknown_count), (200, 0), "{report:?}");
    assert!(world.seen().await["cut"].as_u64().unwrap() > 5);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_and_unordered_receipts_count_once() {
    let profile = profile(
        r#"
        speed = 100.0
        queued_receipts = true
        [channel.WhatsApp]
        reject = 0.0
        undelivered = 0.0
        silent = 0.0
        delivered = 1.0
        read = 1.0
        "#,
    );
    let world = Setup { profile, ..Setup::default() }.start().await;
    world.faults(json!({ "duplicate": 0.7, "reorder": 0.5 })).await;
    let launched = world.launch(200, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    world.until(&launched, Count::Read, 200).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    let step = &report.steps[0];
    assert_eq!((step.sent, step.delivered, step.read, step.reached), (200, 200, 200, 200));
    assert_eq!((report.outcome(Outcome::Reached), report.delivered_twice), (200, 0));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_recipient_stops_and_repeats_no_other_of_its_batch() {
    let profile = profile(
        r#"
        speed = 1000.0
        [channel.WhatsApp]
        reject = 0.0
        undelivered = 0.0
        silent = 0.0
        delivered = 1.0
        [channel.WhatsApp.country."+6591000"]
        reject = 1.0
        delivered = 0.0
        "#,
    );
    let provider = "send = \"batch\"\nbatch_size = 50";
    let world = Setup { profile, provider, ..Setup::default() }.start().await;
    let launched = world.launch(1_500, &route(&[WHATSAPP, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    // WhatsApp rejects the numbers +6591000000 to +6591000999.
    assert_eq!(report.steps[0].rejected, 1_000, "{report:?}");
    assert_eq!((report.steps[0].handed_over, report.steps[1].handed_over), (500, 1_000), "{report:?}");
    assert!(world.seen().await["batches"].as_u64().unwrap() >= 30);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cancel_nothing_is_sent_and_totals_add_up() {
    // At any moment some twenty requests have begun and not reached the provider.
    let world = Setup { rate: "200/s", way: Way::Takes(Span::from_millis(100)), ..Setup::default() }.start().await;
    let launched = world.launch(1_000, &route(&[WHATSAPP, SMS])).await;
    world.until(&launched, Count::HandedOver, 50).await;
    let batch = world.batch(&launched).await;
    let decided =
        campaign::cancel(world.store.as_ref(), world.clock.as_ref(), &batch, &Origin::operator("a test", None))
            .await
            .unwrap();
    assert!(matches!(decided, Decided::Saved(Noted::ByAll { .. })), "{decided:?}");
    let left = world.seen().await["messages"].clone();
    let report = world.until_state(&launched, BatchState::Cancelled).await;
    let cancelled = report.outcome(Outcome::Cancelled);
    assert!(cancelled > 0, "{report:?}");
    let report = world
        .when("the rest to end", || async {
            let report = world.report(&launched).await;
            if report.open == 0 { Ok(report) } else { Err(format!("{report:?}")) }
        })
        .await;
    assert_eq!(report.outcome(Outcome::Cancelled) + report.outcome(Outcome::Reached), 1_000);
    assert_eq!(
        left,
        json!(report.outcome(Outcome::Reached)),
        "what has left is what had left when the cancel answered"
    );
    assert_eq!(world.seen().await["messages"], left);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_campaign_waits_and_a_resumed_one_continues() {
    let world = Setup { rate: "200/s", way: Way::Takes(Span::from_millis(100)), ..Setup::default() }.start().await;
    let launched = world.launch(300, &route(&[WHATSAPP, SMS])).await;
    world.until(&launched, Count::HandedOver, 20).await;
    let (store, clock) = (world.store.as_ref(), world.clock.as_ref());
    let batch = world.batch(&launched).await;
    let decided = campaign::pause(store, clock, &batch, &Origin::operator("a test", None)).await.unwrap();
    assert!(matches!(decided, Decided::Saved(Noted::ByAll { .. })), "{decided:?}");
    let paused = world.seen().await["messages"].clone();
    assert!(paused.as_u64().unwrap() < 300);
    world
        .when("nothing in flight", || async {
            let sending = world.tallies(&launched).await.total(Count::Sending);
            if sending == 0 { Ok(()) } else { Err(sending.to_string()) }
        })
        .await;
    assert_eq!(world.seen().await["messages"], paused, "nothing has left since the pause answered");
    let batch = world.batch(&launched).await;
    assert_eq!(batch.state, BatchState::Paused);
    campaign::resume(store, clock, &batch, &Origin::operator("a test", None)).await.unwrap();
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!(report.outcome(Outcome::Reached), 300);
    world.seen().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_above_the_tier_wait() {
    let world = Setup { whatsapp: "tier = \"250\"", ..Setup::default() }.start().await;
    let launched = world.launch(300, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    world.until(&launched, Count::OutcomeReached, 250).await;
    let tallies = world.tallies(&launched).await;
    assert_eq!((tallies.total(Count::HandedOver), tallies.total(Count::Queued)), (250, 50));
    assert_eq!(world.seen().await["people"], json!(250));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_above_the_tier_fall_back_if_the_step_does_not_wait() {
    let world = Setup { whatsapp: "tier = \"250\"", ..Setup::default() }.start().await;
    let whatsapp = WHATSAPP.replace("fallback_after = \"1h\"", "on_tier_spent = \"fall_back\"");
    let launched = world.launch(300, &route(&[&whatsapp, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!(report.outcome(Outcome::Reached), 300);
    let steps =
        [0, 1].map(|step: usize| (report.steps[step].handed_over, report.steps[step].fell_back.could_not_leave));
    assert_eq!(steps, [(250, 50), (50, 0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authentic_webhooks_are_stored_and_others_are_refused() {
    let world = Setup::default().start().await;
    let sign = |body: &str| volley::rules::wire::sign(crate::support::world::SECRET.as_bytes(), body.as_bytes());
    let unknown = r#"{"eventType":"outbound_message_status_changed","payload":{"umid":"x","subAccountId":"acme",
        "channel":"whatsapp","user":{"msisdn":"+6590000000"},"status":{"state":"delivered","timestamp":"2026-01-01T00:00:00Z"}}}"#;
    let foreign = unknown.replace("acme", "somebody-else");
    for (body, kind) in [
        (unknown, StrayKind::NoAttempt),
        (foreign.as_str(), StrayKind::OtherSubaccount),
        (r#"{"eventType":"something_new","payload":{}}"#, StrayKind::OtherType),
        ("no JSON at all", StrayKind::Unreadable),
    ] {
        assert_eq!(world.post_webhook(body, Some(("X-8x8-Signature", &sign(body)))).await, 200, "{body}");
        assert_eq!(world.store.strays(kind, Timestamp::default(), Cursor::START, 10).await.unwrap().len(), 1, "{body}");
    }
    assert_eq!(world.post_webhook(unknown, None).await, 401);
    assert_eq!(world.post_webhook(unknown, Some(("X-8x8-Signature", "sha256=00"))).await, 401);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_variable_skips_only_its_recipient() {
    let world = Setup::default().start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, "Mobile,Code\n+6591000001,A1\n+6591000002,\n+6591000003,C3\n").unwrap();
    let text = format!("audience = \"{}\"\n{}", file.display(), WHATSAPP.replace("{{Mobile|there}}", "{{Code}}"));
    let launched = world.launch_text(&text.replace("fallback_after = \"1h\"", "")).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.outcome(Outcome::Reached), report.outcome(Outcome::Skipped)), (2, 1), "{report:?}");
    assert_eq!(report.skipped["missing variable"], 1);
    let attempts = world.store.attempts(vec![MessageKey { batch: launched.batch, n: 1 }]).await.unwrap().concat();
    assert_eq!(attempts[0].step, StepIndex::FIRST);
    assert_eq!(attempts[0].detail.as_deref(), Some("Code"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn free_text_on_whatsapp_falls_back_unless_a_window_is_open() {
    let world = Setup::default().start().await;
    let text = "[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"60s\"\ntext = \"Hello\"\n";
    let launched = world.launch(20, &route(&[text, SMS])).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.steps[0].handed_over, report.steps[0].fell_back.outside_window), (0, 20), "{report:?}");
    assert_eq!((report.steps[1].handed_over, report.outcome(Outcome::Reached)), (20, 20));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_campaign_continues_when_its_last_step_is_requeued() {
    let world = Setup { profile: profile(QUICK), ..Setup::default() }.start().await;
    world.faults(json!({ "template_paused": "promo" })).await;
    let launched = world.launch(20, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    world
        .when("all messages back in the queue", || async {
            let queued = world.tallies(&launched).await.total(Count::Queued);
            if queued == 20 { Ok(()) } else { Err(world.state_of(&launched).await) }
        })
        .await;
    world.faults(json!({ "template_paused": null })).await;
    let store = world.store.as_ref();
    store
        .release("wa".to_owned(), "promo".to_owned(), world.clock.now(), Origin::operator("a test", None))
        .await
        .unwrap();
    world
        .when("all messages submitted again", || async {
            let tallies = world.tallies(&launched).await;
            let done = tallies.total(Count::HandedOver);
            if done == 20 && tallies.total(Count::Queued) == 0 { Ok(()) } else { Err(world.state_of(&launched).await) }
        })
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_finished_campaign_resends_nothing() {
    let world = Setup { profile: fates(&[("WhatsApp", SILENT)]), ..Setup::default() }.start().await;
    let launched = world.launch(20, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    world.until_state(&launched, BatchState::Finished).await;
    let batch = world.batch(&launched).await;
    let by = Origin::operator("a test", None);
    let decided = campaign::cancel(world.store.as_ref(), world.clock.as_ref(), &batch, &by).await.unwrap();
    assert!(matches!(decided, Decided::Saved(_)), "{decided:?}");
    let report = world.until_state(&launched, BatchState::Cancelled).await;
    assert_eq!((report.open, report.outcome(Outcome::Cancelled)), (20, 0), "they await their receipts: {report:?}");
    let batch = world.batch(&launched).await;
    let again = campaign::cancel(world.store.as_ref(), world.clock.as_ref(), &batch, &by).await.unwrap();
    assert_eq!(again, Decided::Refused(BatchState::Cancelled));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_stops_the_server_and_names_its_place() {
    let mut world = Setup { way: Way::Panics, ..Setup::default() }.start().await;
    world.launch(20, &route(&[WHATSAPP, SMS])).await;
    let why = world.failed().await;
    assert_eq!(why, "dispatch has failed: a worker of lane wa panicked: lost on the way");
    // A stop waits for no task that has ended.
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_throttled_while_the_tier_is_full_are_sent_all_the_same() {
    let world = Setup { whatsapp: "tier = \"250\"", ..Setup::default() }.start().await;
    world.faults(json!({ "throttle": 0.2, "retry_after": 0 })).await;
    let launched = world.launch(250, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!(report.outcome(Outcome::Reached), 250);
    assert!(world.seen().await["throttled"].as_u64().unwrap() > 0);
    // A second campaign to the same recipients finds the tier full, and a slot for each of them.
    world.faults(json!({ "throttle": 0.0 })).await;
    let again = world.launch(260, &WHATSAPP.replace("fallback_after = \"1h\"", "")).await;
    world.until(&again, Count::OutcomeReached, 250).await;
    assert_eq!(world.tallies(&again).await.total(Count::Queued), 10);
    assert_eq!(world.seen().await["people"], json!(250));
    world.stop().await;
}
