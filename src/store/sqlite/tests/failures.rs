//! What cannot be opened or written is said in words that help, and costs nothing but the verb.

use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::{Connection, SqliteConnection};

use super::{TempDatabase, event};
use crate::clock::{Clock, ManualClock, RealClock};
use crate::domain::{AudienceId, Country, Fields, Msisdn, Recipient, Span};
use crate::store::sqlite::Sqlite;
use crate::store::{DiskTrouble, Error, KnownAs, NewAudience, Nodes, Store, Unwritable};

/// Something about the writer's connection that only a test changes.
async fn pragma(store: &Sqlite, text: &'static str) {
    store
        .write("prepare", move |c| Box::pin(async move { Ok(sqlx::query(text).execute(c).await.map(drop)?) }))
        .await
        .unwrap();
}

async fn raw(place: &TempDatabase) -> SqliteConnection {
    SqliteConnection::connect(&format!("{}?mode=rwc", place.url())).await.unwrap()
}

async fn audience(store: &Sqlite) -> AudienceId {
    let new = NewAudience { known_as: KnownAs::Nothing, source: String::new(), columns: Vec::new(), now: super::now() };
    store.begin_audience(new).await.unwrap()
}

fn many() -> Vec<Recipient> {
    let recipient = |n| Recipient {
        msisdn: Msisdn::try_from(6_591_000_000_u64 + n).unwrap(),
        country: Country::WORLD,
        client_message_id: None,
        fields: Fields::pack(["x".repeat(200).as_str()]),
    };
    (0..5_000).map(recipient).collect()
}

#[tokio::test]
async fn what_is_no_url_of_a_database_says_so() {
    for url in ["postgres://user@host/volley", "sqlite:", "sqlite://", "volley.db"] {
        let opened = Sqlite::open(url, Arc::new(RealClock::new())).await;
        assert!(matches!(opened, Err(Error::Url { .. })), "{url}");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_and_a_file_that_is_no_database_cannot_be_opened() {
    let place = TempDatabase::new();
    let url = format!("sqlite://{}/nowhere/volley.db", place.folder.path().display());
    assert!(matches!(Sqlite::open(&url, Arc::new(RealClock::new())).await, Err(Error::Open { .. })));
    std::fs::write(place.path(), "Mobile,Name\n".repeat(200)).unwrap();
    assert!(matches!(place.open().await, Err(Error::Open { .. })));
    assert!(std::fs::read_to_string(place.path()).unwrap().starts_with("Mobile,Name"));
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let place = TempDatabase::new();
    let mut theirs = raw(&place).await;
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut theirs).await.unwrap();
    theirs.close().await.unwrap();
    assert!(matches!(place.open().await, Err(Error::Unopened { hint, .. }) if hint.contains("another program")));
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let place = TempDatabase::new();
    place.open().await.unwrap().close().await;
    let mut newer = raw(&place).await;
    let text = "INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, 1, checksum, 0 FROM _sqlx_migrations";
    sqlx::query(text).execute(&mut newer).await.unwrap();
    newer.close().await.unwrap();
    assert!(matches!(place.open().await, Err(Error::Newer { .. })));
}

#[tokio::test]
async fn a_database_of_another_build_is_left_alone_and_says_so() {
    let place = TempDatabase::new();
    place.open().await.unwrap().close().await;
    let mut other = raw(&place).await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert!(matches!(place.open().await, Err(Error::OtherBuild { .. })));
}

#[tokio::test]
async fn a_panic_of_the_writer_is_told_and_nothing_waits_for_it() {
    let place = TempDatabase::new();
    let store = place.open().await.unwrap();
    assert!(store.ended().now_or_never().is_none());
    let lost = store.write("panic", |_| Box::pin(async { panic!("lost on the way") }));
    let lost: Result<(), Error> = lost.await;
    assert!(matches!(lost, Err(Error::Closed { .. })), "{lost:?}");
    store.ended().await;
    assert!(matches!(store.note(event()).await, Err(Error::Closed { .. })));
    assert!(store.events(0, 10).await.unwrap().is_empty(), "what is there can still be read");
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_fails_what_needs_room_and_passes() {
    let place = TempDatabase::new();
    let store = place.open().await.unwrap();
    let audience = audience(&store).await;
    pragma(&store, "PRAGMA max_page_count = 1").await;
    // Three verbs of one commit: where the disk ended the transaction, nobody is told that theirs was kept.
    let (noted, added, second) =
        tokio::join!(store.note(event()), store.add_recipients(audience, 0, many()), store.note(event()));
    assert!(matches!(added, Err(Error::Full { .. })), "{added:?}");
    assert!(added.unwrap_err().is_passing());
    let mut kept = 0;
    for answer in [noted, second] {
        match answer {
            Ok(()) => kept += 1,
            Err(error) => assert!(matches!(error, Error::Full { .. }), "{error:?}"),
        }
    }
    assert_eq!(store.events(0, 10).await.unwrap().len(), kept);
    assert!(store.recipients(audience, 0, 10).await.unwrap().is_empty());
    pragma(&store, "PRAGMA max_page_count = 1000000").await;
    store.add_recipients(audience, 0, many()).await.unwrap();
    assert_eq!(store.recipients(audience, 0, 10_000).await.unwrap(), many());
}

#[tokio::test]
async fn a_server_that_cannot_write_leaves_word_for_other_processes() {
    let place = TempDatabase::new();
    let clock = Arc::new(ManualClock::at(super::now()));
    let server = place.open_by(clock.clone()).await.unwrap();
    let command = place.open().await.unwrap();
    let word = async || command.unwritable(clock.now() - Span::from_secs(5)).await.unwrap();
    let audience = audience(&server).await;
    let fails = async || {
        pragma(&server, "PRAGMA max_page_count = 1").await;
        server.add_recipients(audience, 0, many()).await.unwrap_err();
        pragma(&server, "PRAGMA max_page_count = 1000000").await;
    };
    fails().await;
    assert_eq!(word().await, None, "it is no server");
    let node = crate::store::lease::started(&server, clock.now()).await.node;
    assert_eq!(word().await, None);
    let since = clock.now();
    fails().await;
    let full = |since| Some(Unwritable { since, trouble: DiskTrouble::Full });
    assert_eq!(word().await, full(since));
    // It is one time of trouble, although something could be written between two failures.
    clock.advance(Span::from_secs(4));
    server.note(event()).await.unwrap();
    fails().await;
    assert_eq!(word().await, full(since));
    clock.advance(Span::from_secs(6));
    assert_eq!(word().await, None, "it has not failed lately");
    fails().await;
    assert_eq!(word().await, full(clock.now()));
    server.stop_node(node, clock.now()).await.unwrap();
    assert_eq!(word().await, None);
}

#[tokio::test]
async fn what_cannot_be_written_says_so_and_can_still_be_read() {
    let place = TempDatabase::new();
    let store = place.open().await.unwrap();
    pragma(&store, "PRAGMA query_only = 1").await;
    assert!(matches!(store.note(event()).await, Err(Error::ReadOnly { .. })));
    assert!(store.events(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lock_that_is_never_given_back_fails_the_verb_and_passes() {
    let place = TempDatabase::new();
    let store = place.open().await.unwrap();
    pragma(&store, "PRAGMA busy_timeout = 0").await;
    let mut other = raw(&place).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (first, second) = tokio::join!(store.note(event()), store.note(event()));
    for answer in [first, second] {
        assert!(matches!(&answer, Err(error @ Error::Locked { .. }) if error.is_passing()), "{answer:?}");
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.note(event()).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_was_left_open_ends_with_its_group() {
    let place = TempDatabase::new();
    let store = place.open().await.unwrap();
    // Nothing does this; a driver or a disk might.
    let broken =
        store.write("break", |c| Box::pin(async move { Ok(sqlx::query("COMMIT").execute(c).await.map(drop)?) }));
    assert!(matches!(broken.await, Err(Error::Commit { .. })));
    store.note(event()).await.unwrap();
    assert_eq!(store.events(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn reports_that_take_all_readers_delay_no_look() {
    let place = TempDatabase::new();
    let store = place.open().await.unwrap();
    let readers = store.readers.as_ref().unwrap();
    let mut busy = Vec::new();
    for _ in 0..super::super::READERS {
        busy.push(readers.acquire().await.unwrap());
    }
    assert_eq!(readers.num_idle(), 0);
    assert_eq!(store.latest().await.unwrap().seq, 0);
    drop(busy);
    store.close().await;
    assert!(store.latest().await.is_err());
}
