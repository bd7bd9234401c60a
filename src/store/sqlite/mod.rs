//! Implements the store in one SQLite file.
//!
//! One connection writes (see `writer`), and a few read. The database uses a write-ahead log with `synchronous = FULL`,
//! SQLite's strictest setting, so an acknowledged verb survives a power cut.

mod addresses;
mod aliases;
mod api_keys;
mod asking;
mod audiences;
mod audit;
mod batches;
mod catalogue;
mod claim;
mod client_ids;
mod copies;
mod deliveries;
mod drafts;
mod editions;
mod facts;
mod fair_lock;
mod figures;
mod free_use;
mod identity;
mod inbound;
mod joining;
mod lanes;
mod leases;
mod limits;
mod messages;
mod naming;
mod nodes;
mod numbers;
mod operators;
mod opt_outs;
mod outbox;
mod overrides;
mod paths;
mod pieces;
mod places;
mod possible_stops;
mod reads;
mod receipts;
mod recount;
mod rejected;
mod requests;
mod reservations;
mod retention;
mod rows;
mod script;
mod serve_file;
mod sessions;
mod shapes;
mod shared_reports;
mod sieves;
mod sketches;
mod spool;
mod subscriptions;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod tiers;
mod uploads;
mod verbs;
mod walk;
mod windows;
mod writer;

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqlStr, SqliteConnection};
use tokio::sync::Mutex;

use super::flow::Flows;
use super::{Error, Result, Signals, WebhookCounts};
use crate::base::clock::Clock;
use fair_lock::FairLock;
use identity::OpenDatabase;
use serve_file::ServeFile;
use spool::{Disk, Spool};
use writer::{Wanted, Writer};

/// The schema, one file for each version.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let files = [
        (1, "the store", include_str!("../../../migrations/sqlite/0001_the_store.sql")),
        (2, "the catalogue", include_str!("../../../migrations/sqlite/0002_the_catalogue.sql")),
        (3, "answers", include_str!("../../../migrations/sqlite/0003_answers.sql")),
        (4, "uploaded files", include_str!("../../../migrations/sqlite/0004_uploaded_files.sql")),
        (5, "access", include_str!("../../../migrations/sqlite/0005_access.sql")),
        (6, "outgoing webhooks", include_str!("../../../migrations/sqlite/0006_outgoing.sql")),
        (7, "own times of messages", include_str!("../../../migrations/sqlite/0007_own_times.sql")),
        (8, "calls of the API", include_str!("../../../migrations/sqlite/0008_calls_of_the_api.sql")),
        (9, "requests", include_str!("../../../migrations/sqlite/0009_requests.sql")),
        (10, "search", include_str!("../../../migrations/sqlite/0010_search.sql")),
        (11, "sessions", include_str!("../../../migrations/sqlite/0011_sessions.sql")),
        (12, "campaigns being written", include_str!("../../../migrations/sqlite/0012_sketches.sql")),
        (13, "rejected rows", include_str!("../../../migrations/sqlite/0013_rejected_rows.sql")),
        (14, "figures of campaigns", include_str!("../../../migrations/sqlite/0014_figures.sql")),
        (15, "links to reports", include_str!("../../../migrations/sqlite/0015_shared_reports.sql")),
        (16, "the calendar", include_str!("../../../migrations/sqlite/0016_the_calendar.sql")),
        (17, "bounds and filters", include_str!("../../../migrations/sqlite/0017_bounds_and_filters.sql")),
        (18, "addresses", include_str!("../../../migrations/sqlite/0018_addresses.sql")),
        (19, "restores", include_str!("../../../migrations/sqlite/0019_restores.sql")),
        (20, "two readings", include_str!("../../../migrations/sqlite/0020_two_readings.sql")),
        (21, "messages set aside", include_str!("../../../migrations/sqlite/0021_messages_set_aside.sql")),
        (22, "opt outs of addresses", include_str!("../../../migrations/sqlite/0022_opt_outs_of_addresses.sql")),
        (23, "stand-ins", include_str!("../../../migrations/sqlite/0023_stand_ins.sql")),
        (24, "inbound of senders", include_str!("../../../migrations/sqlite/0024_inbound_of_senders.sql")),
        (25, "operators read", include_str!("../../../migrations/sqlite/0025_operators_read.sql")),
        (26, "possible stops", include_str!("../../../migrations/sqlite/0026_possible_stops.sql")),
        (27, "wishes", include_str!("../../../migrations/sqlite/0027_wishes.sql")),
        (28, "purposes of keys", include_str!("../../../migrations/sqlite/0028_purposes_of_keys.sql")),
        (29, "charges", include_str!("../../../migrations/sqlite/0029_charges.sql")),
        (30, "charged_on_delivery", include_str!("../../../migrations/sqlite/0030_charged_on_delivery.sql")),
        (31, "free_use", include_str!("../../../migrations/sqlite/0031_free_use.sql")),
        (32, "reservations", include_str!("../../../migrations/sqlite/0032_reservations.sql")),
        (33, "texts final at", include_str!("../../../migrations/sqlite/0033_texts_final_at.sql")),
    ];
    let migrations = files.map(|(version, description, sql)| {
        Migration::new(version, description.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(migrations.into())
});

/// Connections that read, beside the writer's: enough for a web page, a report and a dispatcher's query at the same time.
const READERS: u32 = 4;
/// Page cache of each connection, as SQLite takes it: negative KiB. Four times as much made nothing faster, because the
/// operating system caches the rest of the file.
const WRITER_CACHE: &str = "-4000";
const READER_CACHE: &str = "-2000";
/// How long SQLite waits for another process's transaction before it fails.
const BUSY: Duration = Duration::from_secs(10);
/// Prepared statements that each connection keeps: some fifty, and each set statement once per set size.
const STATEMENTS: usize = 256;
/// Pages in the write-ahead log before a checkpoint copies them into the file.
///
/// - A long enough log is overwritten in place, which is several times cheaper than a growing file.
/// - A page that changes in every commit is copied once for many commits.
/// - With a longer log, the commit that runs the checkpoint would take too long.
const WAL_PAGES: &str = "4000";
/// The application id that the migrations write into the file's header.
const OURS: i64 = 1_450_142_841;

/// An error inside a verb: the driver's or our own.
#[derive(Debug)]
enum Fault {
    Sql(sqlx::Error),
    Ours(Error),
}

impl Fault {
    fn during(self, verb: &'static str) -> Error {
        match self {
            Self::Sql(error) => Error::of(verb, error),
            Self::Ours(error) => error,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

type Work<T> = std::result::Result<T, Fault>;

#[derive(Debug)]
pub struct Sqlite {
    writer: Writer,
    clock: Arc<dyn Clock>,
    signals: Signals,
    /// `None` for a database in memory, which is visible to its one connection only.
    readers: Option<SqlitePool>,
    /// The connection of [`Sqlite::poll`]; empty once the store is closed.
    poller: Option<Mutex<Option<SqliteConnection>>>,
    /// `None` for a database in memory.
    file: Option<OpenDatabase>,
    serve_file: Arc<ServeFile>,
    /// What has happened to messages since it was opened.
    flows: Flows,
    webhooks: parking_lot::Mutex<WebhookCounts>,
}

impl Sqlite {
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let named = match url.strip_prefix("sqlite:").map(|rest| rest.trim_start_matches("//")) {
            Some(":memory:") => None,
            Some(path) if !path.is_empty() => Some((Path::new(path), paths::true_path(Path::new(path))?)),
            Some(_) | None => return Err(Error::Url { url: url.to_owned() }),
        };
        let path = named.as_ref().map(|(_, path)| path.clone());
        let options = match &path {
            None => SqliteConnectOptions::from_str("sqlite::memory:").map_err(|source| open_error(url, source))?,
            Some(path) => SqliteConnectOptions::new().filename(path).create_if_missing(true),
        };
        let options = settings(options);
        let serve_file = Arc::new(ServeFile::beside(path.as_deref()));
        if let Some(path) = &path {
            serve_file.check(path)?;
            paths::create_private(path);
        }
        let mut connection = options.connect().await.map_err(|source| open_error(url, source))?;
        let file = named.map(|(name, path)| OpenDatabase::of(name.to_owned(), path)).transpose()?;
        if let Some(path) = &path {
            // Before anything is written: it may have been replaced since the first check.
            serve_file.check(path)?;
        }
        let lock =
            path.as_deref().map(|path| FairLock::open(path, Arc::clone(&serve_file.is_server), Arc::clone(&clock)));
        let mut lock = lock.transpose().map_err(|source| open_error(url, source.into()))?;
        // If two processes open a new file at the same time, only one of them creates the schema.
        if let Some(lock) = &mut lock {
            lock.acquire().await;
        }
        let migrated = migrate(&mut connection, url).await;
        if let Some(lock) = &mut lock {
            lock.stop_waiting();
            lock.release();
        }
        migrated?;
        let (readers, poller) = match &path {
            None => (None, None),
            Some(_) => {
                // A connection to a file does not break, so the pool need not test it before each use.
                let pool = SqlitePoolOptions::new().max_connections(READERS).test_before_acquire(false);
                let options = options.read_only(true).create_if_missing(false).pragma("cache_size", READER_CACHE);
                let poller = options.connect().await.map_err(|source| open_error(url, source))?;
                let readers = pool.connect_with(options).await;
                (Some(readers.map_err(|source| open_error(url, source))?), Some(Mutex::new(Some(poller))))
            }
        };
        let file = file.map(OpenDatabase::with_log);
        let writer = Writer::start(connection, lock, Arc::clone(&serve_file), Arc::clone(&clock));
        let (signals, flows, webhooks) = (Signals::default(), Flows::default(), parking_lot::Mutex::default());
        Ok(Self { writer, clock, signals, readers, poller, file, serve_file, flows, webhooks })
    }

    /// Opens a connection with the store's settings, for benchmarks that bypass the verbs.
    pub async fn bare(path: &Path) -> Result<SqliteConnection> {
        let options = settings(SqliteConnectOptions::new().filename(path));
        options.connect().await.map_err(|source| open_error(&path.display().to_string(), source))
    }

    /// Opens a database in memory, and runs a statement in it.
    #[cfg(test)]
    pub(super) async fn open_with(statement: &'static str, clock: Arc<dyn Clock>) -> Self {
        let store = Self::open("sqlite::memory:", clock).await.unwrap();
        store
            .write("prepare", move |c| Box::pin(async move { Ok(sqlx::query(statement).execute(c).await.map(drop)?) }))
            .await
            .unwrap();
        store
    }

    /// Fails if the path of the database leads to another file by now.
    fn check_file(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), OpenDatabase::check)
    }

    /// Writes in the next commit, whether or not the caller still waits for the result.
    async fn write<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.check_file()?;
        self.write_to_the_end(verb, work).await
    }

    /// The same for what a server still writes at its end, even if its file was replaced.
    async fn write_to_the_end<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.writer.run(verb, Wanted::Always, work).await
    }

    /// Writes something that matters only to the caller: does nothing if the caller is gone before the verb runs.
    async fn write_for_caller<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.check_file()?;
        self.writer.run(verb, Wanted::ByCaller, work).await
    }

    /// Reads committed data, concurrently with the writer.
    async fn read<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let Some(readers) = &self.readers else {
            return self.writer.run(verb, Wanted::ReadOnly, work).await;
        };
        let mut connection = readers.acquire().await.map_err(|source| Error::of(verb, source))?;
        work(&mut connection).await.map_err(|fault| fault.during(verb))
    }

    /// Reads what a server polls several times a second, on a connection of its own.
    ///
    /// Reports that occupy all readers do not delay it, and it saves the pool's work for each use.
    async fn poll<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let Some(poller) = &self.poller else { return self.read(verb, work).await };
        let mut poller = poller.lock().await;
        let connection = poller.as_mut().ok_or_else(|| Error::of(verb, sqlx::Error::PoolClosed))?;
        work(connection).await.map_err(|fault| fault.during(verb))
    }

    /// Reads in one transaction: sees the database as of one point in time, even while the writer commits.
    ///
    /// `work` must not wait for its caller: while the transaction is open, the log of the database grows.
    async fn read_snapshot<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let Some(readers) = &self.readers else {
            return self.writer.run(verb, Wanted::ReadOnly, work).await;
        };
        let mut transaction = readers.begin().await.map_err(|source| Error::of(verb, source))?;
        let worked = work(&mut transaction).await.map_err(|fault| fault.during(verb));
        // Dropping the transaction would end it only later.
        transaction.rollback().await.map_err(|source| Error::of(verb, source))?;
        worked
    }

    /// Returns a spool for a copy that may be large; it lies beside the database.
    fn spool(&self) -> Spool {
        let folder = self.file.as_ref().map(|file| file.path.parent().unwrap_or(Path::new("")).to_owned());
        Spool::new(Disk::at(folder.unwrap_or_else(std::env::temp_dir)))
    }

    async fn shut(&self) {
        self.file.iter().for_each(OpenDatabase::close);
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        if let Some(poller) = &self.poller
            && let Some(connection) = poller.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "cannot close a connection to the database");
        }
        self.writer.close().await;
        self.serve_file.end();
    }
}

fn settings(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .row_buffer_size(1_024)
        .statement_cache_capacity(STATEMENTS)
        .pragma("temp_store", "memory")
        .pragma("cache_size", WRITER_CACHE)
        .pragma("journal_size_limit", "67108864")
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .disable_statement_logging()
}

/// Brings the schema up to date. Fails if the file belongs to another program.
async fn migrate(connection: &mut SqliteConnection, url: &str) -> Result<()> {
    let row = sqlx::query(
        "SELECT application_id AS owner, (SELECT count(*) FROM sqlite_schema) AS tables FROM pragma_application_id",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|source| open_error(url, source))?;
    let read = |column| row.try_get::<i64, _>(column).map_err(|source| open_error(url, source));
    if read("tables")? > 0 && read("owner")? != OURS {
        return Err(Error::Unopened {
            place: url.to_owned(),
            hint: "it belongs to another program; name another file",
        });
    }
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) => Error::Newer { place: url.to_owned() },
        MigrateError::VersionMismatch(_) => Error::OtherBuild { place: url.to_owned() },
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => open_error(url, source),
        other => open_error(url, other.into()),
    })
}

fn open_error(place: &str, source: sqlx::Error) -> Error {
    let hint = match Error::of("open", source) {
        Error::Locked { .. } => "another process has locked it; stop that process, or name another file",
        Error::Full { .. } => "its disk is full; free some space",
        Error::ReadOnly { .. } => "it cannot be written; check the permissions of the file and its folder",
        Error::Failed { source, .. } => {
            return Error::Open {
                place: place.to_owned(),
                hint: "check that its folder exists and may be written, and that the file is a database".to_owned(),
                source,
            };
        }
        other => return other,
    };
    Error::Unopened { place: place.to_owned(), hint }
}
