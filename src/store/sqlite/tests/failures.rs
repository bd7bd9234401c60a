//! Tests that a database that cannot be opened or written fails with a helpful error, and fails only that verb.

use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::{Connection, SqliteConnection};

use super::{TempDatabase, event};
use crate::base::clock::{Clock, ManualClock, RealClock};
use crate::base::domain::{AudienceId, Country, Fields, Msisdn, Recipient, Span};
use crate::store::sqlite::Sqlite;
use crate::store::{Audiences, Cursor, DiskTrouble, Error, Events, KnownAs, NewAudience, Nodes, Store, Unwritable};

/// Changes a setting of the writer's connection.
async fn pragma(store: &Sqlite, text: &'static str) {
    store
        .write("prepare", move |c| Box::pin(async move { Ok(sqlx::query(text).execute(c).await.map(drop)?) }))
        .await
        .unwrap();
}

async fn raw(db: &TempDatabase) -> SqliteConnection {
    SqliteConnection::connect(&format!("{}?mode=rwc", db.url())).await.unwrap()
}

async fn audience(store: &Sqlite) -> AudienceId {
    let new = NewAudience { known_as: KnownAs::Nothing, source: String::new(), columns: Vec::new(), now: super::now() };
    store.begin_audience(new).await.unwrap()
}

fn many() -> Vec<Recipient> {
    let recipient = |n| Recipient {
        address: Some(Msisdn::try_from(6_591_000_000_u64 + n).unwrap().into()),
        country: Country::WORLD,
        client_message_id: None,
        fields: Fields::pack(["x".repeat(200).as_str()]),
    };
    (0..5_000).map(recipient).collect()
}

#[tokio::test]
async fn an_invalid_database_url_is_refused() {
    for url in ["postgres://user@host/volley", "sqlite:", "sqlite://", "volley.db"] {
        let opened = Sqlite::open(url, Arc::new(RealClock::new())).await;
        assert!(matches!(opened, Err(Error::Url { .. })), "{url}");
    }
}

#[tokio::test]
async fn a_missing_folder_and_a_file_of_another_format_cannot_be_opened() {
    let db = TempDatabase::new();
    let url = format!("sqlite://{}/nowhere/volley.db", db.folder.path().display());
    assert!(matches!(Sqlite::open(&url, Arc::new(RealClock::new())).await, Err(Error::Open { .. })));
    std::fs::write(db.path(), "Mobile,Name\n".repeat(200)).unwrap();
    assert!(matches!(db.open().await, Err(Error::Open { .. })));
    assert!(std::fs::read_to_string(db.path()).unwrap().starts_with("Mobile,Name"));
}

#[tokio::test]
async fn the_database_of_another_program_is_refused() {
    let db = TempDatabase::new();
    let mut theirs = raw(&db).await;
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut theirs).await.unwrap();
    theirs.close().await.unwrap();
    assert!(matches!(db.open().await, Err(Error::Unopened { hint, .. }) if hint.contains("another program")));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let db = TempDatabase::new();
    db.open().await.unwrap().close().await;
    let mut newer = raw(&db).await;
    let text =
        "INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, 1, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    sqlx::query(text).execute(&mut newer).await.unwrap();
    newer.close().await.unwrap();
    assert!(matches!(db.open().await, Err(Error::Newer { .. })));
}

#[tokio::test]
async fn a_database_of_another_build_is_refused() {
    let db = TempDatabase::new();
    db.open().await.unwrap().close().await;
    let mut other = raw(&db).await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert!(matches!(db.open().await, Err(Error::OtherBuild { .. })));
}

#[tokio::test]
async fn a_panic_of_the_writer_fails_every_later_write_at_once() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    assert!(store.ended().now_or_never().is_none());
    let lost = store.write("panic", |_| Box::pin(async { panic!("lost on the way") }));
    let lost: Result<(), Error> = lost.await;
    assert!(matches!(lost, Err(Error::Closed { .. })), "{lost:?}");
    store.ended().await;
    assert!(matches!(store.record_event(event()).await, Err(Error::Closed { .. })));
    assert!(store.events(Cursor::START, 10).await.unwrap().is_empty(), "committed data can still be read");
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_fails_a_write_until_there_is_room_again() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    let audience = audience(&store).await;
    pragma(&store, "PRAGMA max_page_count = 1").await;
    // Three verbs of one commit: if the full disk ended the transaction, none of them reports success.
    let (noted, added, second) = tokio::join!(
        store.record_event(event()),
        store.add_recipients(audience, 0, many()),
        store.record_event(event())
    );
    assert!(matches!(added, Err(Error::Full { .. })), "{added:?}");
    assert!(added.unwrap_err().is_passing());
    let mut kept = 0;
    for answer in [noted, second] {
        match answer {
            Ok(()) => kept += 1,
            Err(error) => assert!(matches!(error, Error::Full { .. }), "{error:?}"),
        }
    }
    assert_eq!(store.events(Cursor::START, 10).await.unwrap().len(), kept);
    assert!(store.recipients(audience, 0, 10).await.unwrap().is_empty());
    pragma(&store, "PRAGMA max_page_count = 1000000").await;
    store.add_recipients(audience, 0, many()).await.unwrap();
    assert_eq!(store.recipients(audience, 0, 10_000).await.unwrap(), many());
}

#[tokio::test]
async fn a_server_that_cannot_write_reports_it_to_other_processes() {
    let db = TempDatabase::new();
    let clock = Arc::new(ManualClock::at(super::now()));
    let server = db.open_by(clock.clone()).await.unwrap();
    let command = db.open().await.unwrap();
    let reported = async || command.unwritable(clock.now() - Span::from_secs(5)).await.unwrap();
    let audience = audience(&server).await;
    let fails = async || {
        pragma(&server, "PRAGMA max_page_count = 1").await;
        server.add_recipients(audience, 0, many()).await.unwrap_err();
        pragma(&server, "PRAGMA max_page_count = 1000000").await;
    };
    fails().await;
    assert_eq!(reported().await, None, "this process is not a server");
    let node = crate::store::lease::started(&server, clock.now()).await.node;
    assert_eq!(reported().await, None);
    let since = clock.now();
    fails().await;
    let full = |since| Some(Unwritable { since, trouble: DiskTrouble::Full });
    assert_eq!(reported().await, full(since));
    // One period of trouble, although a write succeeded between two failures.
    clock.advance(Span::from_secs(4));
    server.record_event(event()).await.unwrap();
    fails().await;
    assert_eq!(reported().await, full(since));
    clock.advance(Span::from_secs(6));
    assert_eq!(reported().await, None, "no recent failure");
    fails().await;
    assert_eq!(reported().await, full(clock.now()));
    server.stop_node(node, clock.now()).await.unwrap();
    assert_eq!(reported().await, None);
}

#[tokio::test]
async fn a_read_only_database_fails_writes_and_can_still_be_read() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    pragma(&store, "PRAGMA query_only = 1").await;
    assert!(matches!(store.record_event(event()).await, Err(Error::ReadOnly { .. })));
    assert!(store.events(Cursor::START, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lock_of_another_process_fails_a_write_until_it_is_released() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    pragma(&store, "PRAGMA busy_timeout = 0").await;
    let mut other = raw(&db).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (first, second) = tokio::join!(store.record_event(event()), store.record_event(event()));
    for answer in [first, second] {
        assert!(matches!(&answer, Err(error @ Error::Locked { .. }) if error.is_passing()), "{answer:?}");
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.record_event(event()).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_ends_too_early_fails_only_its_group() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    // No verb does this, but a fault of the driver or the disk may.
    let broken =
        store.write("break", |c| Box::pin(async move { Ok(sqlx::query("COMMIT").execute(c).await.map(drop)?) }));
    assert!(matches!(broken.await, Err(Error::Commit { .. })));
    store.record_event(event()).await.unwrap();
    assert_eq!(store.events(Cursor::START, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn reports_that_occupy_all_readers_do_not_delay_polling() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
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
