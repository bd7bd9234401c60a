//! What comes to the door without its proof, and how much of anything is kept.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Desk, TAG, person};
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::domain::{AttemptId, Span, StepIndex, Tag};
use crate::receipts::applier::Listening;
use crate::receipts::door::Door;
use crate::receipts::incoming::{Ours, parse};
use crate::receipts::proof::{Proofs, Unproven};

/// A door whose proof nobody here knows, and what it has told.
fn door(desk: &Desk) -> (Door, Arc<Mutex<Vec<Listening>>>) {
    let text = "[provider]\nsub_account = \"acme\"\nwebhook_authorization = \"Bearer agreed\"\n";
    let path = std::path::Path::new("volley.toml");
    let config = Config::read(Some((path, text)), std::iter::empty(), std::iter::empty::<(&str, String)>()).unwrap();
    let told = Arc::<Mutex<Vec<Listening>>>::default();
    let tells = Arc::clone(&told);
    let (store, clock) = (Arc::clone(&desk.store), Arc::clone(&desk.clock) as Arc<dyn Clock>);
    let tell = Arc::new(move |listening| tells.lock().unwrap().push(listening));
    let proofs = Proofs::new(&config.config.provider);
    (Door::new(proofs, store, clock, Arc::new(Chance::seeded(3)), tell), told)
}

fn receipt(payload: &str) -> String {
    format!(r#"{{"eventType":"outbound_message_status_changed","payload":{payload}}}"#)
}

async fn turned_away(door: &Door, body: String) {
    let checked = door.check(Some(b"Bearer another"), None, &Bytes::from(body)).await;
    assert_eq!(checked, Err(Unproven::Nothing));
}

/// What the provider posts about the attempt of the desk.
fn of_ours(desk: &Desk) -> String {
    let id = AttemptId { key: desk.key, step: StepIndex::FIRST, tag: Tag::from_random(TAG) };
    receipt(&format!(r#"{{"clientMessageId":"{id}","status":{{"state":"sent"}}}}"#))
}

#[tokio::test]
async fn whatever_comes_without_its_proof_takes_no_look_away_from_a_receipt_of_ours() {
    let desk = Desk::new().await;
    let (door, told) = door(&desk);
    let stranger = format!(r#"{{"user":{{"msisdn":"{}"}},"status":{{"state":"sent"}}}}"#, person().msisdn);
    for _ in 0..100 {
        turned_away(&door, "rubbish".to_owned()).await;
        turned_away(&door, r#"[{"eventDetails":{}},{}]"#.to_owned()).await;
        turned_away(&door, receipt(&stranger)).await;
    }
    assert_eq!(*told.lock().unwrap(), []);
    turned_away(&door, of_ours(&desk)).await;
    assert_eq!(*told.lock().unwrap(), [Listening::TurnedAway(desk.lane)]);
}

#[tokio::test]
async fn whoever_posts_all_the_time_does_not_hide_that_receipts_of_ours_are_turned_away() {
    let desk = Desk::new().await;
    let (door, told) = door(&desk);
    // Invented ids, each second anew, and before anybody else.
    for second in 0..10 {
        for n in 0..40 {
            turned_away(&door, receipt(&format!(r#"{{"umid":"invented-{second}-{n}"}}"#))).await;
        }
        desk.clock.advance(Span::from_millis(400));
        turned_away(&door, of_ours(&desk)).await;
        desk.clock.advance(Span::from_millis(600));
    }
    assert_eq!(*told.lock().unwrap(), [Listening::TurnedAway(desk.lane); 10]);
}

#[tokio::test]
async fn whoever_posts_a_lot_is_looked_at_ten_times_a_second_at_most() {
    let desk = Desk::new().await;
    let (door, told) = door(&desk);
    for _ in 0..1_000 {
        turned_away(&door, of_ours(&desk)).await;
        desk.clock.advance(Span::from_millis(1));
    }
    let looks = told.lock().unwrap().len();
    assert!((5..=10).contains(&looks), "{looks}");
}

#[test]
fn what_is_kept_of_a_body_is_no_longer_than_the_body() {
    let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
    let foreign = receipt(r#"{"umid":"u","subAccountId":"another","status":{"state":"sent"}}"#);
    let written = r#"{"eventType":"inbound_message_received","payload":{"subAccountId":"another"}}"#;
    for event in [r#"{"eventDetails":{}}"#, r#"{"eventType":"new"}"#, "7", &foreign, written] {
        let body = format!("[{}]", vec![event; 1_000].join(","));
        for (ours, known) in [(Some(&ours), "for us"), (None, "for anybody")] {
            let parsed = parse(body.clone().into(), ours, crate::domain::Timestamp::default());
            let kept: usize = parsed.strays.iter().map(|stray| stray.raw.len()).sum();
            assert!(kept <= body.len(), "{known}: {kept} of {} {event}", body.len());
            assert_eq!(parsed.strays.len() + parsed.receipts.len() + parsed.answers.len(), 1_000);
        }
    }
}
