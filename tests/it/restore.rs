//! A backup taken under load: a restored copy has what was acknowledged before it, and sends nothing by itself.

use std::collections::BTreeSet;

use tempfile::TempDir;
use volley::base::domain::Span;

use crate::support::{Installation, Process, Shape, until};

const PEOPLE: u64 = 600;
const PATIENCE: Span = Span::from_secs(120);
const PROFILE: &str = "[channel.SMS]\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\ndelivered = 1.0\n\
                       sent_after = { median = \"20ms\", spread = 1.0 }\n\
                       delivered_after = { median = \"40ms\", spread = 1.0 }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_is_complete_and_sends_nothing_by_itself() {
    let shape = Shape { seed: 131, profile: PROFILE.to_owned(), rate: 60, batch: None, connections: 4 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..PEOPLE);
    let campaign = "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    std::fs::write(site.path("promo.toml"), campaign).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    // It is started after the backup, as far as the copy can know.
    std::fs::write(site.path("draft.toml"), campaign.replace("promo", "drafted")).unwrap();
    site.volley(&["campaign", "launch", "draft.toml", "--draft", "--json"]).await.json();
    assert!(site.provider.wait_until_seen("messages=60", 60).await.is_some());
    let before: BTreeSet<String> = site.journal().into_iter().map(|arrived| arrived.client_message_id).collect();
    until("all that the provider accepted before the backup is recorded", PATIENCE, || async {
        let report = site.report("promo").await;
        let submitted = report["steps"][0]["handed_over"].as_u64().unwrap();
        if submitted >= before.len() as u64 { Ok(()) } else { Err(report) }
    })
    .await;
    site.volley(&["backup", "copy.db", "--json"]).await.json();
    // The original goes on for a while, and then its disk is lost.
    let sent = site.journal().len();
    assert!(site.provider.wait_until_seen(&format!("messages={}", sent + 60), 60).await.is_some());
    // So that no receipt of the original goes to the copy.
    site.volley(&["campaign", "pause", "promo", "--json"]).await.json();
    until("all receipts have arrived", PATIENCE, || async {
        let report = site.report("promo").await;
        if report["outcomes"]["reached"] == report["steps"][0]["handed_over"] { Ok(()) } else { Err(report) }
    })
    .await;
    let server = site.take_server();
    server.interrupt();
    server.ended().await;
    let sent_before_the_copy_ran = site.journal().len();

    let restored = TempDir::new().unwrap();
    std::fs::copy(site.path("copy.db"), restored.path().join("volley.db")).unwrap();
    std::fs::copy(site.path("volley.toml"), restored.path().join("volley.toml")).unwrap();
    for file in ["promo.toml", "people.csv"] {
        std::fs::copy(site.path(file), restored.path().join(file)).unwrap();
    }
    let mut server = Process::start(restored.path(), &["serve", "--json"]);
    server.first_line().await;
    let volley = async |arguments: &[&str]| Process::start(restored.path(), arguments).ended().await;
    let shown = volley(&["campaign", "show", "promo", "--json"]).await.json();
    assert_eq!(shown["state"], "paused", "{shown}");
    let report = volley(&["campaign", "report", "promo", "--json"]).await.json();
    let submitted = report["steps"][0]["handed_over"].as_u64().unwrap();
    assert!(report["audience"] == PEOPLE && submitted >= before.len() as u64, "{report}");
    let said = server.output();
    assert!(!said.contains("killed"), "no server was killed: {said}");
    for needs in [
        ["campaign", "resume", "promo"],
        ["campaign", "start", "drafted"],
        ["campaign", "clone", "promo"],
        ["campaign", "launch", "promo.toml"],
    ] {
        let refused = volley(&needs).await;
        assert_eq!(refused.status.code(), Some(1), "{needs:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("--confirm-restored"), "{needs:?}: {}", refused.stderr);
    }
    let events = volley(&["events"]).await.stdout;
    assert!(events.contains("the database is a backup of"), "{events}");
    server.interrupt();
    server.ended().await;
    assert_eq!(site.journal().len(), sent_before_the_copy_ran, "the copy has sent nothing");

    // The copy is thrown away, and the original goes on after all.
    drop(restored);
    site.serve().await;
    site.volley(&["campaign", "resume", "promo", "--json"]).await.json();
    until("every message is delivered", PATIENCE, || async {
        let report = site.report("promo").await;
        if report["outcomes"]["reached"] == PEOPLE { Ok(()) } else { Err(report) }
    })
    .await;
    let arrived = site.journal();
    let recipients: BTreeSet<String> = arrived.iter().map(|arrived| arrived.msisdn.to_string()).collect();
    assert_eq!((arrived.len() as u64, recipients.len() as u64), (PEOPLE, PEOPLE), "one message for each recipient");
}
