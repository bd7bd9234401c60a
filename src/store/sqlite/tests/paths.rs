//! Tests that one file is one database, by whichever name it is opened.

use std::sync::Arc;

use super::{TempDatabase, event, now};
use crate::clock::RealClock;
use crate::store::sqlite::Sqlite;
use crate::store::{Cursor, Error, Events, Nodes, Store, started};

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
async fn only_the_owner_can_read_a_new_database_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    store.record_event(event()).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = crate::store::sqlite::paths::beside(&db.path(), suffix);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    // Whoever gives others access keeps it.
    store.close().await;
    std::fs::set_permissions(db.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    db.open().await.unwrap();
    assert_eq!(std::fs::metadata(db.path()).unwrap().permissions().mode() & 0o777, 0o640);
}
