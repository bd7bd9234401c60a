//! Webhooks without proof, and how much of a body is stored.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Desk, TAG, recipient};
use crate::base::clock::{Chance, Clock};
use crate::base::config::Config;
use crate::base::domain::{AttemptId, Span, StepIndex, Tag};
use crate::sending::receipts::applier::Listening;
use crate::sending::receipts::incoming::{Ours, parse};
use crate::sending::receipts::proof::{Proofs, Unproven};
use crate::sending::receipts::verifier::Verifier;

/// A verifier whose secret the test does not know, and its reports.
fn verifier(desk: &Desk) -> (Verifier, Arc<Mutex<Vec<Listening>>>) {
    let text = "[provider]\nsub_account = \"acme\"\nwebhook_authorization = \"Bearer agreed\"\n";
    let path = std::path::Path::new("volley.toml");
    let config = Config::read(Some((path, text)), std::iter::empty(), std::iter::empty::<(&str, String)>()).unwrap();
    let reports = Arc::<Mutex<Vec<Listening>>>::default();
    let recorded = Arc::clone(&reports);
    let (store, clock) = (Arc::clone(&desk.store), Arc::clone(&desk.clock) as Arc<dyn Clock>);
    let report = Arc::new(move |listening| recorded.lock().push(listening));
    let proofs = Proofs::new(&config.config.provider);
    (Verifier::new(proofs, store, clock, Arc::new(Chance::seeded(3)), report), reports)
}

fn receipt(payload: &str) -> String {
    format!(r#"{{"eventType":"outbound_message_status_changed","payload":{payload}}}"#)
}

async fn reject(verifier: &Verifier, body: String) {
    let checked = verifier.check(Some(b"Bearer another"), None, &Bytes::from(body)).await;
    assert_eq!(checked, Err(Unproven::Nothing));
}

/// A receipt of the attempt of the desk.
fn of_ours(desk: &Desk) -> String {
    let id = AttemptId { key: desk.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) };
    receipt(&format!(r#"{{"clientMessageId":"{id}","status":{{"state":"sent"}}}}"#))
}

#[tokio::test]
async fn unproven_bodies_do_not_hide_a_rejected_receipt_of_ours() {
    let desk = Desk::new().await;
    let (verifier, reports) = verifier(&desk);
    let stranger =
        format!(r#"{{"user":{{"msisdn":"{}"}},"status":{{"state":"sent"}}}}"#, recipient().number().unwrap());
    for _ in 0..100 {
        reject(&verifier, "rubbish".to_owned()).await;
        reject(&verifier, r#"[{"eventDetails":{}},{}]"#.to_owned()).await;
        reject(&verifier, receipt(&stranger)).await;
    }
    assert_eq!(*reports.lock(), []);
    reject(&verifier, of_ours(&desk)).await;
    assert_eq!(*reports.lock(), [Listening::Rejected(desk.lane)]);
}

#[tokio::test]
async fn constant_posts_by_a_stranger_do_not_hide_rejected_receipts() {
    let desk = Desk::new().await;
    let (verifier, reports) = verifier(&desk);
    // New invented ids each second, before the receipt of ours.
    for second in 0..10 {
        for n in 0..40 {
            reject(&verifier, receipt(&format!(r#"{{"umid":"invented-{second}-{n}"}}"#))).await;
        }
        desk.clock.advance(Span::from_millis(400));
        reject(&verifier, of_ours(&desk)).await;
        desk.clock.advance(Span::from_millis(600));
    }
    assert_eq!(*reports.lock(), [Listening::Rejected(desk.lane); 10]);
}

#[tokio::test]
async fn rejected_bodies_are_searched_at_most_ten_times_a_second() {
    let desk = Desk::new().await;
    let (verifier, reports) = verifier(&desk);
    for _ in 0..1_000 {
        reject(&verifier, of_ours(&desk)).await;
        desk.clock.advance(Span::from_millis(1));
    }
    let looks = reports.lock().len();
    assert!((5..=10).contains(&looks), "{looks}");
}

#[test]
fn strays_of_a_body_are_no_longer_than_the_body() {
    let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
    let foreign = receipt(r#"{"umid":"u","subAccountId":"another","status":{"state":"sent"}}"#);
    let written = r#"{"eventType":"inbound_message_received","payload":{"subAccountId":"another"}}"#;
    for event in [r#"{"eventDetails":{}}"#, r#"{"eventType":"new"}"#, "7", &foreign, written] {
        let body = format!("[{}]", vec![event; 1_000].join(","));
        for (ours, known) in [(Some(&ours), "for known subaccounts"), (None, "for any subaccount")] {
            let parsed = parse(&body.clone().into(), ours, crate::base::domain::Timestamp::default());
            let kept: usize = parsed.strays.iter().map(|stray| stray.raw.len()).sum();
            assert!(kept <= body.len(), "{known}: {kept} of {} {event}", body.len());
            let events: usize = parsed.strays.iter().map(|stray| stray.raw.matches(event).count()).sum();
            assert_eq!(events + parsed.receipts.len() + parsed.replies.len(), 1_000, "{event}");
        }
    }
}
