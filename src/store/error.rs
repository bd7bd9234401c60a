//! What can go wrong with the database, each with what to do about it.

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
        source: sqlx::Error,
    },
    #[error("cannot open the database {place}: {hint}")]
    Unopened { place: String, hint: &'static str },
    #[error(
        "the database {place} has {links} names (hard links), and its log stands beside only one of them, so two names \
         would tear it apart; remove all names but one"
    )]
    HardLinked { place: String, links: u64 },
    /// Another server has begun the next epoch.
    #[error("another volley serve has taken over the database")]
    Superseded,
    #[error("{url} is not a database that Volley can use; write sqlite:// and a path, such as sqlite://volley.db")]
    Url { url: String },
    #[error("the database {place} is of a newer Volley; use that version, or another file")]
    Newer { place: String },
    #[error(
        "the database {place} was laid out by another build of this version of Volley; use the build that made it, or \
         name another file"
    )]
    OtherBuild { place: String },
    #[error("the database is locked by another process; stop it, or use another file")]
    Locked {
        verb: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("the disk of the database is full; free some space and try again, nothing is lost")]
    Full {
        verb: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "a copy of the campaign needs some {} in {folder} while it is read, and the disk has {} to spare beside what the \
         database needs; free some space there and try again, nothing was changed",
        megabytes(*needs),
        megabytes(*spare)
    )]
    NoRoom { folder: String, needs: u64, spare: u64 },
    #[error("cannot write the backup {}: {}", path.display(), backup_hint(source))]
    Backup {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the database cannot be written; check the permissions of its file and folder")]
    ReadOnly {
        verb: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("the name \"{name}\" is taken; choose another")]
    NameTaken { name: String },
    #[error("audience {audience} is used by campaign \"{campaign}\" and cannot be removed")]
    InUse { audience: String, campaign: String },
    #[error("{what} was removed in the meantime; begin again")]
    Gone { what: String },
    #[error("the database could not {verb}")]
    Failed {
        verb: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("the database holds something that makes no sense: {what} in {place}")]
    Nonsense { what: String, place: String },
    #[error("the database was closed before it could {verb}")]
    Closed { verb: &'static str },
    /// Another verb of the same commit, or the commit itself, failed: nothing of it happened.
    #[error("the database could not commit: {reason}")]
    Commit { reason: String },
}

impl Error {
    /// Sorts what a driver says by what a person can do about it.
    pub(super) fn of(verb: &'static str, source: sqlx::Error) -> Self {
        match Cause::of(&source) {
            Cause::Locked => Self::Locked { verb, source },
            Cause::ReadOnly => Self::ReadOnly { verb, source },
            Cause::Full => Self::Full { verb, source },
            Cause::Closed => Self::Closed { verb },
            Cause::Disk | Cause::Other => Self::Failed { verb, source },
        }
    }

    /// Whether the same call may succeed in a moment.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Full { .. })
    }
}

fn backup_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "there is a file of that name; name another",
        io::ErrorKind::NotFound => "its folder does not exist; create it first",
        io::ErrorKind::PermissionDenied => "its folder cannot be written; check the permissions",
        io::ErrorKind::StorageFull => "its disk is full; free some space, or name another folder",
        _ => "the file system refused it",
    }
}

/// Rounded up, so that as much is enough.
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
    /// The file system has failed it in another way.
    Disk,
    Closed,
    Other,
}

/// What keeps a server from writing to its database.
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
        // SQLite's primary result codes; the extended ones keep them in their low byte.
        match code.and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(10) => Self::Disk,
            Some(13) => Self::Full,
            _ => Self::Other,
        }
    }
}

/// Why a commit did not happen: one reason, told to everyone whose verb was in it.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    cause: Cause,
    reason: String,
}

impl Failure {
    pub(super) fn of(source: &sqlx::Error) -> Self {
        Self { cause: Cause::of(source), reason: source.to_string() }
    }

    /// The driver's word behind an error of a verb, where it has one.
    pub(super) fn behind(error: &Error) -> Option<Self> {
        match error {
            Error::Locked { source, .. }
            | Error::Full { source, .. }
            | Error::ReadOnly { source, .. }
            | Error::Failed { source, .. } => Some(Self::of(source)),
            _ => None,
        }
    }

    /// What is wrong with the disk, where that is why.
    pub(super) const fn of_the_disk(&self) -> Option<DiskTrouble> {
        match self.cause {
            Cause::Full => Some(DiskTrouble::Full),
            Cause::ReadOnly => Some(DiskTrouble::ReadOnly),
            Cause::Disk => Some(DiskTrouble::Failing),
            Cause::Locked | Cause::Closed | Cause::Other => None,
        }
    }

    pub(super) fn told_to(&self, verb: &'static str) -> Error {
        let source = || sqlx::Error::Protocol(self.reason.clone());
        match self.cause {
            Cause::Locked => Error::Locked { verb, source: source() },
            Cause::ReadOnly => Error::ReadOnly { verb, source: source() },
            Cause::Full => Error::Full { verb, source: source() },
            Cause::Closed => Error::Closed { verb },
            Cause::Disk | Cause::Other => Error::Commit { reason: self.reason.clone() },
        }
    }
}
