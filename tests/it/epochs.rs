//! One server sends from a database, under any path or lock file, and after any of its servers was stopped. The
//! practice provider's journal proves what was sent.

#![cfg(unix)]

use std::collections::BTreeSet;

use volley::base::domain::{Msisdn, Span};

use crate::support::{Installation, Shape, until};

/// Slow enough that each server finds something to send.
const RATE: u32 = 20;
const PEOPLE: u64 = 120;
const PATIENCE: Span = Span::from_secs(60);

/// The provider accepts every message.
const PROFILE: &str = r#"
keep_requests = 0
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

const CAMPAIGN: &str = r#"
name = "promo"
audience = "people.csv"
[[step]]
channel = "SMS"
text = "Hi {{FirstName}}"
"#;

/// A server in the middle of a campaign.
async fn sending() -> Installation {
    let shape = Shape { seed: 53, profile: PROFILE.to_owned(), rate: RATE, batch: None, connections: 4 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..PEOPLE);
    std::fs::write(site.path("promo.toml"), CAMPAIGN).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    assert!(site.provider.wait_until_seen("messages=10", 60).await.is_some());
    site
}

/// The recipients of accepted messages, each of whom must occur once.
fn written_to(site: &Installation) -> BTreeSet<Msisdn> {
    let journal = site.journal();
    let people: BTreeSet<Msisdn> = journal.iter().map(|message| message.msisdn).collect();
    assert_eq!(people.len(), journal.len(), "a recipient was sent it twice");
    people
}

async fn finished(site: &Installation) {
    until("everything is submitted", PATIENCE, || async {
        let show = site.show("promo").await;
        if show["state"] == "finished" || show["state"] == "settled" { Ok(()) } else { Err(show) }
    })
    .await;
}

/// Another server, on another port, with the database under this name.
async fn second(site: &Installation, database: &str) -> String {
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let config = config.replace("sqlite://volley.db", &format!("sqlite://{database}"));
    std::fs::write(site.path("second.toml"), config).unwrap();
    let ended = site.volley(&["--config", "second.toml", "serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    ended.stderr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_is_refused_under_any_name_and_without_lock_files() {
    let site = sending().await;
    let pid = site.server().id();
    let is_running = |said: &str| {
        said.contains("another volley serve is running on ") && said.contains(&format!("(process {pid}, since "))
    };

    std::os::unix::fs::symlink(site.path("volley.db"), site.path("link.db")).unwrap();
    let said = second(&site, "link.db").await;
    assert!(is_running(&said), "{said}");

    for entry in std::fs::read_dir(site.path("")).unwrap() {
        let path = entry.unwrap().path();
        if ["db-serve", "db-turn", "db-wait"].iter().any(|lock| path.extension().is_some_and(|it| it == *lock)) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let said = second(&site, "volley.db").await;
    assert!(is_running(&said), "{said}");

    std::fs::hard_link(site.path("volley.db"), site.path("twin.db")).unwrap();
    let said = second(&site, "twin.db").await;
    assert!(said.contains("has 2 names (hard links)") && said.contains("remove all names but one"), "{said}");
    std::fs::remove_file(site.path("twin.db")).unwrap();

    finished(&site).await;
    assert_eq!(written_to(&site).len(), usize::try_from(PEOPLE).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_superseded_while_stopped_sends_nothing_after_waking() {
    let mut site = sending().await;
    let first = site.take_server();
    // Stopped between two commits: within one it would keep the database's lock, and no other could write.
    first.signal("STOP");
    while !site.can_be_written().await {
        first.signal("CONT");
        first.signal("STOP");
    }
    let mut next = site.begin(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    next.first_line().await;
    let counted = site.look("SELECT count(*) FROM attempt WHERE verdict = 2").await;
    assert!(counted > Some(0), "it had claimed something: {counted:?}");
    next.wait_for_output("in flight when the last server was killed").await;

    // Everything sent by then has arrived: the provider was not stopped.
    let unsent = unknown(&mut site).await;
    let unsent: BTreeSet<_> = unsent.difference(&written_to(&site)).copied().collect();
    assert!(!unsent.is_empty(), "it had claimed more than it had sent");
    first.signal("CONT");
    let ended = first.ended().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let said = ["another volley serve has taken over the database", "sends nothing any more", "start this one again"];
    assert!(said.iter().all(|said| ended.stderr.contains(said)), "{}", ended.stderr);

    finished(&site).await;
    let written_to = written_to(&site);
    assert!(written_to.is_disjoint(&unsent), "it has sent what it had claimed before");
    assert_eq!(written_to.len() + unsent.len(), usize::try_from(PEOPLE).unwrap());
}

/// The recipients of unknown messages.
async fn unknown(site: &mut Installation) -> BTreeSet<Msisdn> {
    let report = site.report("promo").await;
    let unknown = report["unknown"].as_array().unwrap().iter();
    unknown.map(|entry| entry["msisdn"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_replaced_at_once() {
    let mut site = sending().await;
    site.kill_server().await;
    site.serve().await;
    let said = site.server().output();
    assert!(!said.contains("holds the lease"), "it has waited: {said}");
    finished(&site).await;
    written_to(&site);
}

/// The server that still has the old file would not see a cancel in the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_database_is_replaced_sends_nothing_more() {
    let mut site = sending().await;
    site.volley(&["backup", "copy.db", "--json"]).await.json();
    let server = site.take_server();
    // Stopped, so that the cancel certainly comes while it has the old file open.
    server.signal("STOP");
    std::fs::rename(site.path("copy.db"), site.path("volley.db")).unwrap();
    let new = std::fs::read(site.path("volley.db")).unwrap();
    let refused = site.volley(&["campaign", "cancel", "promo"]).await;
    let said = ["the running server has another file open as ", "was replaced or moved", "stop the server"];
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(said.iter().all(|said| refused.stderr.contains(said)), "{}", refused.stderr);
    assert!(std::fs::read(site.path("volley.db")).unwrap() == new, "nothing was written to the new file");
    std::fs::remove_file(site.path("volley.db")).unwrap();
    assert_eq!(site.volley(&["campaign", "cancel", "promo"]).await.status.code(), Some(1));
    assert!(!site.path("volley.db").exists(), "a command creates no database beside the one of its server");

    let before = written_to(&site).len();
    server.signal("CONT");
    let ended = server.ended().await;
    let said = ["the file of the database was replaced or moved", "sends nothing any more", "start the server again"];
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(said.iter().all(|said| ended.stderr.contains(said)), "{}", ended.stderr);
    // It looks ten times a second; the rest would take it several seconds.
    let sent = written_to(&site).len();
    assert!(sent <= before + 30 && sent < usize::try_from(PEOPLE).unwrap(), "{before}, then {sent}");
    assert!(site.volley(&["campaign", "show", "promo"]).await.stderr.contains("does not exist yet"));
}
