//! Tests that one file is one database, by whichever name it is opened.

use std::sync::Arc;

use super::{TempDatabase, event, now};
use crate::base::clock::RealClock;
use crate::store::sqlite::Sqlite;
use crate::store::{Beat, Cursor, Error, Events, Nodes, Retention, Store, started};

async fn open(path: &std::path::Path) -> crate::store::Result<Sqlite> {
    Sqlite::open(&format!("sqlite://{}", path.display()), Arc::new(RealClock::new())).await
}

#[tokio::test]
async fn a_file_that_is_opened_through_links_is_one_database() {
    let db = TempDatabase::new();
    let [link, other, ahead] = ["link.db", "other.db", "ahead.db"].map(|name| db.folder.path().join(name));
    // The links exist before the file does.
    std::os::unix::fs::symlink("volley.db", &link).unwrap();
    std::os::unix::fs::symlink(&link, &other).unwrap();
    let by_link = open(&other).await.unwrap();
    let by_name = db.open().await.unwrap();
    by_link.record_event(event()).await.unwrap();
    assert_eq!(by_name.events(Cursor::START, 9).await.unwrap().len(), 1);
    let first = started(&by_link, now()).await;
    assert_eq!(by_name.lease().await.unwrap().epoch, first.epoch);
    let mut beside: Vec<_> =
        std::fs::read_dir(db.folder.path()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    beside.sort();
    let ours = ["", "-serve", "-shm", "-turn", "-wait", "-wal"].map(|suffix| format!("volley.db{suffix}"));
    let links = ["link.db", "other.db"].map(str::to_owned);
    let expected: Vec<_> = links.into_iter().chain(ours).collect();
    assert_eq!(beside, expected);
    // A link to itself fails like any file that cannot be opened.
    std::os::unix::fs::symlink("ahead.db", &ahead).unwrap();
    assert!(matches!(open(&ahead).await, Err(Error::Open { .. })));
}

#[tokio::test]
async fn a_file_with_several_hard_links_is_refused_by_each_of_its_names() {
    let db = TempDatabase::new();
    db.open().await.unwrap().close().await;
    let twin = db.folder.path().join("twin.db");
    std::fs::hard_link(db.path(), &twin).unwrap();
    for path in [db.path(), twin.clone()] {
        let refused = open(&path).await.unwrap_err();
        assert!(matches!(&refused, Error::HardLinked { links: 2, .. }), "{refused}");
    }
    std::fs::remove_file(twin).unwrap();
    db.open().await.unwrap();
}

#[tokio::test]
async fn only_the_owner_can_read_a_new_database_and_the_files_beside_it() {
    use std::os::unix::fs::PermissionsExt;
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    store.record_event(event()).await.unwrap();
    started(&store, now()).await;
    for suffix in ["", "-wal", "-shm", "-serve", "-turn", "-wait"] {
        let path = crate::store::sqlite::paths::beside(&db.path(), suffix);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    // Whoever gives others access keeps it.
    store.close().await;
    std::fs::set_permissions(db.path(), std::fs::Permissions::from_mode(0o660)).unwrap();
    let store = db.open().await.unwrap();
    started(&store, now()).await;
    for suffix in ["", "-serve", "-turn", "-wait"] {
        let path = crate::store::sqlite::paths::beside(&db.path(), suffix);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660, "{}", path.display());
    }
}

/// Puts another database in the place of this one, as an operator restores a backup.
async fn replace(db: &TempDatabase) {
    let other = db.folder.path().join("other.db");
    open(&other).await.unwrap().close().await;
    std::fs::rename(&other, db.path()).unwrap();
}

#[tokio::test]
async fn nothing_is_written_to_a_file_that_was_replaced_or_moved() {
    for moved in [false, true] {
        let db = TempDatabase::new();
        let server = db.open().await.unwrap();
        let node = started(&server, now()).await.node;
        server.latest().await.unwrap();
        if moved {
            std::fs::rename(db.path(), db.folder.path().join("moved.db")).unwrap();
        } else {
            replace(&db).await;
        }
        let refused = [
            server.latest().await.map(drop),
            server.renew(node, now()).await,
            server.record_event(event()).await,
            server.back_up(&db.folder.path().join("copy.db")).await.map(drop),
        ];
        for refused in refused {
            assert!(matches!(refused, Err(Error::Replaced { .. })), "{refused:?}");
        }
        // Its last words go to the file that it has open.
        server.stop_node(node, now()).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_written_without_the_log_or_under_a_link_that_leads_elsewhere() {
    for gone in ["-wal", "-shm", "the link"] {
        let db = TempDatabase::new();
        let link = db.folder.path().join("link.db");
        std::os::unix::fs::symlink("volley.db", &link).unwrap();
        let server = open(&link).await.unwrap();
        let node = started(&server, now()).await.node;
        server.latest().await.unwrap();
        if gone == "the link" {
            std::fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("other.db", &link).unwrap();
            open(&link).await.unwrap().close().await;
        } else {
            std::fs::remove_file(crate::store::sqlite::paths::beside(&db.path(), gone)).unwrap();
        }
        for refused in [server.latest().await.map(drop), server.renew(node, now()).await] {
            assert!(matches!(refused, Err(Error::Replaced { .. })), "{gone}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_command_refuses_another_file_than_its_servers_and_creates_none() {
    let db = TempDatabase::new();
    let server = db.open().await.unwrap();
    let node = started(&server, now()).await.node;
    db.open().await.unwrap().close().await;
    let moved = db.folder.path().join("moved.db");
    std::fs::rename(db.path(), &moved).unwrap();
    assert!(matches!(db.open().await, Err(Error::NotOfServer { .. })));
    assert!(!db.path().exists());
    replace(&db).await;
    let before = std::fs::read(db.path()).unwrap();
    assert!(matches!(db.open().await, Err(Error::NotOfServer { .. })));
    assert!(std::fs::read(db.path()).unwrap() == before, "it writes nothing");
    std::fs::rename(&moved, db.path()).unwrap();
    db.open().await.unwrap().close().await;
    // Without a server, the file is whatever the operator put there.
    server.stop_node(node, now()).await.unwrap();
    server.close().await;
    replace(&db).await;
    db.open().await.unwrap();
}

#[tokio::test]
async fn a_backup_that_is_copied_over_an_open_file_is_noticed() {
    let db = TempDatabase::new();
    let copy = db.folder.path().join("copy.db");
    db.open().await.unwrap().back_up(&copy).await.unwrap();
    let server = db.open().await.unwrap();
    started(&server, now()).await;
    server.latest().await.unwrap();
    std::fs::copy(&copy, db.path()).unwrap();
    for _ in 0..2 {
        assert!(matches!(server.latest().await, Err(Error::Replaced { .. })));
    }
}

/// The mark of a backup leaves its file at the first checkpoint after it was accepted.
#[tokio::test]
async fn a_restored_backup_is_not_taken_for_an_overwritten_file() {
    let db = TempDatabase::new();
    let copy = db.folder.path().join("copy.db");
    db.open().await.unwrap().back_up(&copy).await.unwrap();
    let server = open(&copy).await.unwrap();
    started(&server, now()).await;
    server.latest().await.unwrap();
    server.accept_copy().await.unwrap();
    server.latest().await.unwrap();
    crate::store::sqlite::tests::run_sql(&format!("sqlite://{}", copy.display()), "PRAGMA wal_checkpoint(TRUNCATE)")
        .await;
    server.latest().await.unwrap();
}

#[tokio::test]
async fn a_server_that_could_not_lock_its_file_at_the_start_locks_it_with_a_beat() {
    let db = TempDatabase::new();
    let server = db.open().await.unwrap();
    let serve = crate::store::sqlite::paths::beside(&db.path(), "-serve");
    let looked_at = std::fs::File::create(&serve).unwrap();
    looked_at.try_lock_shared().unwrap();
    let node = started(&server, now()).await.node;
    drop(looked_at);
    server.beat(Beat::of(node, now(), 0)).await.unwrap();
    replace(&db).await;
    assert!(matches!(db.open().await, Err(Error::NotOfServer { .. })));
}
