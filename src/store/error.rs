//! Defines the errors of the database, each with its remedy.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open the database {place}: {hint}")]
    Open {
        place: String,
        hint: String,
        #[source]
        source: Failure,
    },
    #[error("cannot open the database {place}: {hint}")]
    Unopened { place: String, hint: &'static str },
    #[error(
        "the database {place} has {links} names (hard links), but its log is beside only one of them, so that writes \
         through two names would corrupt it; remove all names but one"
    )]
    HardLinked { place: String, links: u64 },
    /// Another server has started the next epoch.
    #[error("another volley serve has taken over the database")]
    Superseded,
    /// The path of an open database leads to another file, or to none.
    #[error(
        "{place} was replaced, moved or deleted while the database was open; nothing was changed; put the right file in its \
         place, and try again"
    )]
    Replaced { place: String },
    /// A server of another process has another file open under this path.
    #[error(
        "the running server has another file open as {place}: it was replaced or moved meanwhile; stop the server, put the \
         right file in its place, delete the files -wal and -shm beside it, and start the server again; nothing was changed"
    )]
    NotOfServer { place: String },
    #[error("unsupported database URL {url}; write sqlite:// and a path, such as sqlite://volley.db")]
    Url { url: String },
    #[error("the database {place} was created by a newer version of Volley; use that version, or another file")]
    Newer { place: String },
    #[error(
        "the database {place} has the schema of another build of this version of Volley; use the build that created \
         it, or another file"
    )]
    OtherBuild { place: String },
    #[error("the database is locked by another process; stop it, or use another file")]
    Locked {
        verb: &'static str,
        #[source]
        source: Failure,
    },
    #[error("the disk of the database is full; free some space and try again, nothing is lost")]
    Full {
        verb: &'static str,
        #[source]
        source: Failure,
    },
    #[error(
        "a copy of the campaign needs about {} in {folder} while it is read, and the disk has {} to spare beside what \
         the database needs; free some space there and try again, nothing was changed",
        megabytes(*needs),
        megabytes(*spare)
    )]
    NoRoom { folder: String, needs: u64, spare: u64 },
    #[error("cannot write the backup {}: {}", path.display(), backup_hint(cause))]
    Backup { path: PathBuf, cause: io::Error },
    #[error("the database cannot be written; check the permissions of its file and folder")]
    ReadOnly {
        verb: &'static str,
        #[source]
        source: Failure,
    },
    #[error("the name \"{name}\" is taken; choose another")]
    NameTaken { name: String },
    #[error("audience {audience} is used by campaign \"{campaign}\" and cannot be removed")]
    InUse { audience: String, campaign: String },
    #[error("{what} was removed meanwhile; start over")]
    Gone { what: String },
    #[error("the database could not {verb}")]
    Failed {
        verb: &'static str,
        #[source]
        source: Failure,
    },
    #[error("the database contains an invalid value: {what} in {place}")]
    InvalidRow { what: String, place: String },
    #[error("the database was closed before it could {verb}")]
    Closed { verb: &'static str },
    /// Another verb of the same commit failed, or the commit itself: nothing was changed.
    #[error("the database could not commit: {reason}")]
    Commit { reason: String },
}

impl Error {
    /// Classifies a driver's error by what an operator can do about it.
    #[expect(clippy::needless_pass_by_value, reason = "the driver's error ends here: what it says is kept")]
    pub(super) fn of(verb: &'static str, source: sqlx::Error) -> Self {
        let source = Failure::of(&source);
        match source.cause {
            Cause::Locked => Self::Locked { verb, source },
            Cause::ReadOnly => Self::ReadOnly { verb, source },
            Cause::Full => Self::Full { verb, source },
            Cause::Closed => Self::Closed { verb },
            Cause::Disk | Cause::Other => Self::Failed { verb, source },
        }
    }

    /// Whether the same call may soon succeed. A store is closed when its server stops, and another start opens it.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Full { .. } | Self::Closed { .. })
    }
}

fn backup_hint(error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AlreadyExists => "the file already exists; choose another name",
        io::ErrorKind::NotFound => "its folder does not exist; create it first",
        io::ErrorKind::PermissionDenied => "its folder cannot be written; check the permissions",
        io::ErrorKind::StorageFull => "its disk is full; free some space, or choose another folder",
        _ => return format!("the file system refused to write it: {error}"),
    };
    hint.to_owned()
}

/// Prints a size, rounded up so that this much is enough.
fn megabytes(bytes: u64) -> String {
    match bytes.div_ceil(1_000_000) {
        mega @ ..10_000 => format!("{mega} MB"),
        mega => format!("{} GB", mega.div_ceil(1_000)),
    }
}

#[derive(Debug, Clone, Copy)]
enum Cause {
    Locked,
    ReadOnly,
    Full,
    /// The file system failed in another way.
    Disk,
    Closed,
    Other,
}

/// Why a server cannot write to its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskTrouble {
    Full,
    ReadOnly,
    Failing,
}

impl Cause {
    fn of(source: &sqlx::Error) -> Self {
        if matches!(source, sqlx::Error::PoolClosed) {
            return Self::Closed;
        }
        let code = source.as_database_error().and_then(|error| error.code());
        // The low byte of SQLite's extended result codes is the primary code.
        match code.and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(10) => Self::Disk,
            Some(13) => Self::Full,
            _ => Self::Other,
        }
    }
}

/// Why a statement or a commit failed: one reason for every verb in it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    cause: Cause,
    reason: String,
}

impl Failure {
    pub(super) fn of(source: &sqlx::Error) -> Self {
        Self { cause: Cause::of(source), reason: source.to_string() }
    }

    /// The failure that caused an error of a verb, if there is one.
    pub(super) fn behind(error: &Error) -> Option<Self> {
        match error {
            Error::Locked { source, .. }
            | Error::Full { source, .. }
            | Error::ReadOnly { source, .. }
            | Error::Failed { source, .. } => Some(source.clone()),
            _ => None,
        }
    }

    /// The trouble with the disk, if that is the cause.
    pub(super) const fn of_the_disk(&self) -> Option<DiskTrouble> {
        match self.cause {
            Cause::Full => Some(DiskTrouble::Full),
            Cause::ReadOnly => Some(DiskTrouble::ReadOnly),
            Cause::Disk => Some(DiskTrouble::Failing),
            Cause::Locked | Cause::Closed | Cause::Other => None,
        }
    }

    /// The error for one verb of the commit.
    pub(super) fn told_to(&self, verb: &'static str) -> Error {
        let source = || self.clone();
        match self.cause {
            Cause::Locked => Error::Locked { verb, source: source() },
            Cause::ReadOnly => Error::ReadOnly { verb, source: source() },
            Cause::Full => Error::Full { verb, source: source() },
            Cause::Closed => Error::Closed { verb },
            Cause::Disk | Cause::Other => Error::Commit { reason: self.reason.clone() },
        }
    }
}
