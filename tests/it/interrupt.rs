//! Ctrl-C twice: the second one does not wait for hanging requests, and loses no more than a kill.

#![cfg(unix)]

use std::collections::BTreeSet;

use serde_json::json;
use volley::base::domain::{Msisdn, Span};

use crate::support::{Installation, Shape, number, until};

const PEOPLE: u64 = 400;
/// Longer than any test runs: an orderly stop would wait for it.
const HANGS: Span = Span::from_secs(280);

const CAMPAIGN: &str = r#"
name = "promo"
audience = "people.csv"
[[step]]
channel = "SMS"
text = "Hi {{FirstName}}"
"#;

/// Starts a server whose provider reads everything and answers nothing.
async fn hanging() -> Installation {
    let shape = Shape { seed: 41, profile: String::new(), rate: 200, batch: None, connections: 64 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let patient = config.replace("[provider]\n", &format!("[provider]\ntimeout = \"{}s\"\n", HANGS.millis() / 1_000));
    std::fs::write(site.path("volley.toml"), patient).unwrap();
    // Without receipts an unknown attempt stays unknown.
    site.provider.faults(&json!({ "slow_ms": 2 * HANGS.millis(), "silent_receipts": true })).await;
    site.write_people("people.csv", 0..PEOPLE);
    std::fs::write(site.path("promo.toml"), CAMPAIGN).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_interrupt_stops_at_once_and_hanging_requests_are_unknown() {
    let mut site = hanging().await;
    assert!(site.provider.wait_until_seen("messages=10", 60).await.is_some());
    let server = site.take_server();
    server.interrupt();
    server.wait_for_output("a second Ctrl-C stops at once").await;
    server.interrupt();
    let ended = server.ended().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("Stopped at once"), "{}", ended.stderr);

    let hung: BTreeSet<Msisdn> = site.provider.arrived().await.iter().map(|message| message.msisdn).collect();
    let in_flight = site.in_flight().await.len();
    assert!(hung.len() >= 10 && in_flight >= hung.len(), "{in_flight} of {}", hung.len());

    site.provider.faults(&json!({ "slow_ms": 0 })).await;
    site.serve().await;
    until("all others are submitted", Span::from_secs(60), || async {
        let show = site.show("promo").await;
        if show["state"] == "finished" { Ok(()) } else { Err(show) }
    })
    .await;
    let report = site.report("promo").await;
    let unknown: BTreeSet<Msisdn> = report["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unknown| unknown["msisdn"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!((&report["unknown_count"], &json!(unknown.len())), (&json!(in_flight), &json!(in_flight)), "{report}");
    assert!(hung.is_subset(&unknown), "{hung:?} {report}");

    let arrived: Vec<Msisdn> = site.provider.arrived().await.iter().map(|message| message.msisdn).collect();
    let once: BTreeSet<Msisdn> = arrived.iter().copied().collect();
    assert_eq!(once.len(), arrived.len(), "a recipient got it twice");
    let everybody: BTreeSet<Msisdn> = (0..PEOPLE).map(|person| number(person).try_into().unwrap()).collect();
    assert_eq!(once.union(&unknown).copied().collect::<BTreeSet<_>>(), everybody, "no message is lost");
    assert_eq!(site.provider.seen().await.duplicates, 0);
}
