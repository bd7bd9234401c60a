//! Tests what is specific to SQLite: its files, query plans and lock.

mod effort;
mod failures;
mod fair_lock;
#[cfg(unix)]
mod paths;
mod plans;
mod upgrade;

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};

use super::Sqlite;
use crate::base::clock::{Clock, RealClock};
use crate::base::domain::Timestamp;
use crate::base::events::{Event, EventKind, Subject};
use crate::store::Result;

struct TempDatabase {
    folder: tempfile::TempDir,
}

impl TempDatabase {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("volley.db")
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    async fn open(&self) -> Result<Sqlite> {
        self.open_by(Arc::new(RealClock::new())).await
    }

    async fn open_by(&self, clock: Arc<dyn Clock>) -> Result<Sqlite> {
        Sqlite::open(&self.url(), clock).await
    }
}

fn event() -> Event {
    Event::by_server(now(), Subject::Server, EventKind::AskingDone)
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// Runs a statement on a connection of its own, for example to install a trigger that makes writes fail.
pub(crate) async fn run_sql(url: &str, statement: &'static str) {
    let mut file = SqliteConnection::connect(url).await.unwrap();
    sqlx::query(statement).execute(&mut file).await.unwrap();
}

#[tokio::test]
async fn the_database_keeps_young_audit_entries_and_changes_none() {
    let db = TempDatabase::new();
    db.open().await.unwrap();
    let mut file = SqliteConnection::connect(&db.url()).await.unwrap();
    let month = 30 * 86_400_000_i64;
    for at in [0, 1, month] {
        let insert = sqlx::query("INSERT INTO audit_entry (at, action, actor, name) VALUES (?1, 0, 0, 'Ann')");
        insert.bind(at).execute(&mut file).await.unwrap();
    }
    for (statement, why) in [
        ("UPDATE audit_entry SET name = 'Ben' WHERE at = 0", "cannot be changed"),
        ("UPDATE audit_entry SET at = 0", "cannot be changed"),
        ("DELETE FROM audit_entry", "at least 30 days"),
        ("DELETE FROM audit_entry WHERE at = 1", "at least 30 days"),
    ] {
        let refused = sqlx::query(statement).execute(&mut file).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{statement}: {refused}");
    }
    let deleted = sqlx::query("DELETE FROM audit_entry WHERE at = 0").execute(&mut file).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);
}
