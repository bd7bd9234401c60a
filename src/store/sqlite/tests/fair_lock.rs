//! Tests that writing is fair between the processes that share a file.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinSet;

use super::{TempDatabase, event, now};
use crate::base::clock::{Clock, ManualClock};
use crate::base::domain::Span;
use crate::store::sqlite::{Sqlite, paths::beside};
use crate::store::{Cursor, Events, started};

/// Writes without a pause, two verbs at a time, so the queue of the store is never empty.
fn write_on(store: &Arc<Sqlite>, written: &Arc<AtomicU32>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..2 {
        let (store, written) = (Arc::clone(store), Arc::clone(written));
        tasks.spawn(async move {
            loop {
                store.record_event(event()).await.unwrap();
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tasks
}

/// The most writes of the busy store during one write of the other, on a machine under load. Usually there are a dozen;
/// without the fair lock there are a thousand.
const FAIR: u32 = 200;

/// Returns the most writes of the busy store while the other waited for one of its own.
async fn written_meanwhile(busy: &Arc<Sqlite>, other: &Sqlite) -> u32 {
    let written = Arc::new(AtomicU32::new(0));
    let mut tasks = write_on(busy, &written);
    let mut most = 0;
    for _ in 0..5 {
        let before = written.load(Ordering::Relaxed);
        while written.load(Ordering::Relaxed) < before + 20 {
            tokio::task::yield_now().await;
        }
        let before = written.load(Ordering::Relaxed);
        other.record_event(event()).await.unwrap();
        most = most.max(written.load(Ordering::Relaxed) - before);
    }
    tasks.shutdown().await;
    most
}

#[tokio::test]
async fn a_command_gets_its_turn_beside_a_busy_server() {
    let db = TempDatabase::new();
    let (server, command) = (Arc::new(db.open().await.unwrap()), db.open().await.unwrap());
    started(&*server, now()).await;
    let most = written_meanwhile(&server, &command).await;
    assert!(most <= FAIR, "the server wrote {most} times meanwhile");
}

#[tokio::test]
async fn the_server_gets_its_turn_beside_a_busy_command() {
    let db = TempDatabase::new();
    let (server, command) = (db.open().await.unwrap(), Arc::new(db.open().await.unwrap()));
    started(&server, now()).await;
    let most = written_meanwhile(&command, &server).await;
    assert!(most <= FAIR, "the command wrote {most} times meanwhile");
}

#[tokio::test]
async fn a_command_stopped_while_it_holds_the_turn_delays_the_server_once() {
    let db = TempDatabase::new();
    let clock = Arc::new(ManualClock::at(now()));
    let server = Arc::new(db.open_by(Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap());
    started(&*server, now()).await;
    let stopped = File::options().write(true).open(beside(&db.path(), "-turn")).unwrap();
    stopped.lock().unwrap();

    let noting = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.record_event(event()).await }
    });
    while clock.next_sleeper().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(server.events(Cursor::START, 1).await.unwrap().is_empty(), "the server waits at first");
    clock.advance(Span::from_secs(2));
    noting.await.unwrap().unwrap();
    // These do not wait: the clock does not move any more.
    server.record_event(event()).await.unwrap();
    server.record_event(event()).await.unwrap();
    assert_eq!(server.events(Cursor::START, 9).await.unwrap().len(), 3);
}
