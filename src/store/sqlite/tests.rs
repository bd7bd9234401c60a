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
use crate::clock::{Clock, RealClock};
use crate::domain::Timestamp;
use crate::events::{Event, EventKind, Subject};
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
