//! The store in one SQLite file.
//!
//! One connection writes (see `writer`), a few read. Durability is SQLite's strictest: a write-ahead log with
//! `synchronous = FULL`, so an acknowledged verb survives a power cut.

mod aliases;
mod answers;
mod asking;
mod audiences;
mod batches;
mod claim;
mod counting;
mod dials;
mod dispatch_answers;
mod editions;
mod facts;
mod inbound;
mod joining;
mod lanes;
mod leases;
mod limits;
mod looks;
mod messages;
mod naming;
mod node_answers;
mod nodes;
mod numbers;
mod place;
mod receipt_answers;
mod receipts;
mod retention;
mod retention_answers;
mod rows;
mod script;
mod serving;
mod shapes;
mod sieves;
mod spool;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod tiers;
mod turn;
mod walk;
mod wishes;
mod writer;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqlStr, SqliteConnection};
use tokio::sync::Mutex;

use super::{Error, Result, Signals};
use crate::clock::Clock;
use serving::Serving;
use spool::{Disk, Spool};
use turn::Turn;
use writer::{Wanted, Writer};

/// The schema, one file for each of its versions.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let files = [(1, "the store", include_str!("../../../migrations/sqlite/0001_the_store.sql"))];
    let migrations = files.map(|(version, description, sql)| {
        Migration::new(version, description.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    });
    Migrator::with_migrations(migrations.into())
});

/// Readers beside the writer: a page, a report and a look of the dispatcher at the same time.
const READERS: u32 = 4;
/// What each connection keeps of the file, as SQLite counts it: KiB, with a sign. Four times as much made nothing faster; the
/// system keeps the rest.
const WRITER_CACHE: &str = "-4000";
const READER_CACHE: &str = "-2000";
/// How long SQLite itself waits for another process's transaction before it gives up.
const BUSY: Duration = Duration::from_secs(10);
/// Statements kept prepared: some fifty of their own, and those over sets once for each size of a set.
const STATEMENTS: usize = 256;
/// Pages in the log before they are folded into the file. A log that is long enough is written over and over in the
/// same place, which is several times cheaper than a file that grows, and pages that change with every commit are
/// folded once for many; longer, and the commit that folds it would take too long.
const WAL_PAGES: &str = "4000";
/// What the migrations write into the file's header.
const OURS: i64 = 1_450_142_841;

/// What goes wrong inside a verb: the driver's word, or one of ours.
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
    /// Nothing for a database in memory, which only its one connection can see.
    readers: Option<SqlitePool>,
    /// A connection for [`Sqlite::look`]; nothing in it once the store is closed.
    lookout: Option<Mutex<Option<SqliteConnection>>>,
    path: Option<PathBuf>,
    serving: Arc<Serving>,
}

impl Sqlite {
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = match url.strip_prefix("sqlite:").map(|rest| rest.trim_start_matches("//")) {
            Some(":memory:") => None,
            Some(path) if !path.is_empty() => Some(place::true_path(Path::new(path))?),
            Some(_) | None => return Err(Error::Url { url: url.to_owned() }),
        };
        let options = match &path {
            None => SqliteConnectOptions::from_str("sqlite::memory:").map_err(|source| open_error(url, source))?,
            Some(path) => SqliteConnectOptions::new().filename(path).create_if_missing(true),
        };
        let options = settings(options);
        let mut connection = options.connect().await.map_err(|source| open_error(url, source))?;
        let serving = Arc::new(Serving::beside(path.as_deref()));
        let turn = path.as_deref().map(|path| Turn::open(path, Arc::clone(&serving.hosting), Arc::clone(&clock)));
        let mut turn = turn.transpose().map_err(|source| open_error(url, source.into()))?;
        // Two processes that open a new file at the same moment lay out one schema.
        if let Some(turn) = &mut turn {
            turn.take().await;
        }
        let migrated = migrate(&mut connection, url).await;
        if let Some(turn) = &mut turn {
            turn.begun();
            turn.give();
        }
        migrated?;
        let (readers, lookout) = match &path {
            None => (None, None),
            Some(_) => {
                // A file does not hang up, so no connection has to be asked first whether it is still there.
                let pool = SqlitePoolOptions::new().max_connections(READERS).test_before_acquire(false);
                let options = options.read_only(true).create_if_missing(false).pragma("cache_size", READER_CACHE);
                let lookout = options.connect().await.map_err(|source| open_error(url, source))?;
                let readers = pool.connect_with(options).await;
                (Some(readers.map_err(|source| open_error(url, source))?), Some(Mutex::new(Some(lookout))))
            }
        };
        let writer = Writer::start(connection, turn, Arc::clone(&serving), Arc::clone(&clock));
        Ok(Self { writer, clock, signals: Signals::default(), readers, lookout, path, serving })
    }

    /// A connection past the verbs, with the store's own settings: for whoever measures what the database can do.
    pub async fn bare(path: &Path) -> Result<SqliteConnection> {
        let options = settings(SqliteConnectOptions::new().filename(path));
        options.connect().await.map_err(|source| open_error(&path.display().to_string(), source))
    }

    async fn write<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.writer.run(verb, Wanted::Always, work).await
    }

    /// Writes what only matters to whoever asks: nothing happens where they have gone before.
    async fn hand_out<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        self.writer.run(verb, Wanted::ByCaller, work).await
    }

    /// Reads what has been committed, beside the writer.
    async fn read<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let Some(readers) = &self.readers else {
            return self.writer.run(verb, Wanted::ToLook, work).await;
        };
        let mut connection = readers.acquire().await.map_err(|source| Error::of(verb, source))?;
        work(&mut connection).await.map_err(|fault| fault.during(verb))
    }

    /// Reads what a server looks at several times a second. Reports that take all readers do not delay it, and a
    /// connection that is not given back each time is not tested each time.
    async fn look<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let Some(lookout) = &self.lookout else { return self.read(verb, work).await };
        let mut lookout = lookout.lock().await;
        let connection = lookout.as_mut().ok_or_else(|| Error::of(verb, sqlx::Error::PoolClosed))?;
        work(connection).await.map_err(|fault| fault.during(verb))
    }

    /// Reads in one transaction, so that everything is as it stood at one moment, whoever writes meanwhile.
    /// Nothing in `work` may wait for whoever asked: while the transaction is open, the log of the database grows.
    async fn read_at_once<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Work<T>> + Send + 'static,
    {
        let Some(readers) = &self.readers else {
            return self.writer.run(verb, Wanted::ToLook, work).await;
        };
        let mut transaction = readers.begin().await.map_err(|source| Error::of(verb, source))?;
        let worked = work(&mut transaction).await.map_err(|fault| fault.during(verb));
        // Ended before anybody goes on, not some time later.
        transaction.rollback().await.map_err(|source| Error::of(verb, source))?;
        worked
    }

    /// Where a copy of something goes that may be large.
    fn spool(&self) -> Spool {
        let folder = self.path.as_deref().map(|path| path.parent().unwrap_or(Path::new("")).to_owned());
        Spool::new(Disk::at(folder.unwrap_or_else(std::env::temp_dir)))
    }

    async fn shut(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        if let Some(lookout) = &self.lookout
            && let Some(connection) = lookout.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "cannot close a connection to the database");
        }
        self.writer.close().await;
        self.serving.end();
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

/// Brings the schema up to date, unless the file is somebody else's.
async fn migrate(connection: &mut SqliteConnection, url: &str) -> Result<()> {
    let row = sqlx::query(
        "SELECT application_id AS whose, (SELECT count(*) FROM sqlite_schema) AS tables FROM pragma_application_id",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|source| open_error(url, source))?;
    let read = |column| row.try_get::<i64, _>(column).map_err(|source| open_error(url, source));
    if read("tables")? > 0 && read("whose")? != OURS {
        return Err(Error::Unopened {
            place: url.to_owned(),
            hint: "it is the database of another program; name another file",
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
        Error::Locked { .. } => "another process has locked it; stop that, or name another file",
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
