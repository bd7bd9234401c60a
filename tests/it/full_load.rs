//! Commands beside a server that writes without a pause.

use serde_json::Value;
use volley::base::domain::{Channel, Msisdn, Span, Timestamp};

use crate::support::{ALONE, Installation, Shape, clock, number, until};

const PEOPLE: u64 = 60_000;
const FEW: u64 = 200;

const PROFILE: &str = r#"
keep_requests = 0
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
sent_after = { median = "20ms", spread = 2.0 }
delivered_after = { median = "50ms", spread = 2.0 }
"#;

fn write_campaign(site: &Installation, name: &str, audience: &str) {
    let file = format!(
        "name = \"{name}\"\naudience = \"{audience}\"\n\
         [[step]]\nchannel = \"SMS\"\ntext = \"Hi {{{{FirstName}}}}\"\nreceipt_window = \"5s\"\n"
    );
    std::fs::write(site.path(&format!("{name}.toml")), file).unwrap();
}

/// The output of a command, and how long it took from start to end.
async fn timed(site: &Installation, arguments: &[&str]) -> (Value, Span) {
    let clock = clock();
    let begun: Timestamp = clock.now();
    let answer = site.volley(arguments).await.json();
    (answer, clock.now().since(begun))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_launch_and_import_complete_beside_a_server_at_full_load() {
    let _alone = ALONE.lock().await;
    let mut site =
        Installation::new(&Shape { seed: 11, profile: PROFILE.to_owned(), rate: 20_000, batch: None, connections: 64 })
            .await;
    site.write_people("many.csv", 0..PEOPLE);
    site.write_people("few.csv", PEOPLE..PEOPLE + FEW);
    site.write_people("others.csv", 0..5_000);
    write_campaign(&site, "many", "many.csv");
    write_campaign(&site, "few", "few.csv");
    site.volley(&["campaign", "launch", "many.toml", "--unchecked", "--json"]).await.json();
    site.serve().await;
    assert!(site.provider.wait_until_seen("messages=1000&posted=500", 60).await.is_some());

    let (launched, launch) = timed(&site, &["campaign", "launch", "few.toml", "--json"]).await;
    assert_eq!(launched["messages"], FEW);
    let (imported, import) = timed(&site, &["audience", "import", "others.csv", "--name", "others", "--json"]).await;
    assert_eq!(imported["valid"], 5_000);
    let (_, cancel) = timed(&site, &["campaign", "cancel", "many", "--json"]).await;
    let took = |arrived: &[crate::support::Arrived]| {
        let people: Vec<Msisdn> = arrived.iter().map(|message| message.msisdn).collect();
        people.iter().filter(|person| person.get() < number(PEOPLE)).count()
    };
    let when_cancelled = took(&site.provider.arrived().await);
    println!("launch {launch}, import {import}, cancel {cancel}; {when_cancelled} of {PEOPLE} had left");
    assert!(when_cancelled < usize::try_from(PEOPLE).unwrap(), "the load was over before they had their turn");

    // The campaign launched meanwhile is sent, and nothing more of the cancelled one.
    until("the few are settled", Span::from_secs(60), || async {
        let report = site.report("few").await;
        if report["state"] == "settled" { Ok(()) } else { Err(report) }
    })
    .await;
    let report = until("the many are cancelled", Span::from_secs(120), || async {
        let report = site.report("many").await;
        if report["state"] == "cancelled" && report["open"] == 0 { Ok(report) } else { Err(report) }
    })
    .await;
    let arrived = site.provider.arrived().await;
    assert_eq!(took(&arrived), when_cancelled, "{report}");
    assert!(arrived.iter().all(|message| message.channel == Channel::Sms));
    let cancelled = report["outcomes"]["cancelled"].as_u64().unwrap();
    assert_eq!(cancelled, PEOPLE - u64::try_from(took(&arrived)).unwrap(), "{report}");
}
