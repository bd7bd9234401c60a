//! The limit of a server that only stores what it acknowledges: bodies in a table, with one commit for each group. It
//! looks up, decides and applies nothing. A journal before the applier could reach this at best.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::served::{Sending, served};
use super::stock::run;
use super::{Error, Run};
use crate::base::clock::Clock;
use crate::store::Sqlite;

/// Maximum number of bodies in one commit.
const GROUP: usize = 1_000;

/// A body, and the request that waits until it is on disk.
type Kept = (Bytes, oneshot::Sender<()>);

/// What a journal keeps.
pub(super) struct Journal {
    pub(super) path: &'static str,
    /// Parses a body. Returns whether it is of the expected kind.
    pub(super) is_understood: fn(&[u8]) -> bool,
}

/// Where bodies are checked, and the way to the disk.
type Keeper = (fn(&[u8]) -> bool, mpsc::Sender<Kept>);

/// Stores every body in a new database before it answers.
pub(super) async fn journal(of: Journal, sending: &Sending, clock: &dyn Clock) -> Result<Run, Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal.db");
    std::fs::File::create_new(&path)?;
    let mut connection = Sqlite::bare(&path).await?;
    run(&mut connection, "CREATE TABLE journal (id INTEGER PRIMARY KEY, body BLOB NOT NULL)").await?;
    let (keep, bodies) = mpsc::channel(GROUP);
    let writing = tokio::spawn(write(connection, bodies));
    let routes = Router::new().route(of.path, post(receive).layer(DefaultBodyLimit::disable()));
    let measured = served(routes.with_state(Arc::new((of.is_understood, keep))), sending, clock).await?;
    // The routes are dropped, and with them the last sender.
    writing.await??;
    Ok(measured)
}

async fn receive(State(keeper): State<Arc<Keeper>>, body: Bytes) -> StatusCode {
    let (is_understood, keep) = keeper.as_ref();
    if !is_understood(&body) {
        return StatusCode::BAD_REQUEST;
    }
    let (kept, is_kept) = oneshot::channel();
    match keep.send((body, kept)).await {
        Ok(()) if is_kept.await.is_ok() => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn write(mut connection: SqliteConnection, mut bodies: mpsc::Receiver<Kept>) -> Result<(), Error> {
    let mut group = Vec::new();
    while bodies.recv_many(&mut group, GROUP).await > 0 {
        run(&mut connection, "BEGIN IMMEDIATE").await?;
        let rows = vec!["(?)"; group.len()].join(", ");
        let mut insert = sqlx::query(sqlx::AssertSqlSafe(format!("INSERT INTO journal (body) VALUES {rows}")));
        for (body, _) in &group {
            insert = insert.bind(body.as_ref());
        }
        insert.execute(&mut connection).await?;
        run(&mut connection, "COMMIT").await?;
        for (_, kept) in group.drain(..) {
            // A closed connection no longer waits.
            let _ = kept.send(());
        }
    }
    Ok(connection.close().await?)
}
