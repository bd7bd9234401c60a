//! Tells other processes which file a server has open, and its disk trouble, in a file beside the database.
//!
//! - A server locks the file while it runs. The database at this path has to be the one that the file names; otherwise the
//!   database was replaced or moved, and the server does not see what commands write.
//! - While the disk is full, the server cannot report this in the database. The file gets its full size when the server
//!   starts, so overwriting it needs no room.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use super::identity::FileId;
use super::open_error;
use super::paths::{beside, open_beside};
use crate::base::domain::{Span, Timestamp};
use crate::store::error::DiskTrouble;
use crate::store::{Error, Result, Unwritable};

/// Size of the first part of the file, which names the database. It is written once.
const NAMED: usize = 64;
/// Size of the second part, the report.
const REPORTED: usize = 192;
/// Failures at most this far apart belong to one period of trouble.
const SAME_TROUBLE: Span = Span::from_secs(5);

/// The end of its name.
const SUFFIX: &str = "-serve";

/// The `-serve` file beside the database.
#[derive(Debug)]
pub(super) struct ServeFile {
    /// `None` for a database in memory.
    database: Option<PathBuf>,
    /// The file while this process is the server.
    open: Mutex<Option<OpenFile>>,
    /// Whether this process is the server.
    pub(super) is_server: Arc<AtomicBool>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    is_locked: bool,
    reported: Option<Report>,
}

/// The contents of the file: one period of trouble.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Report {
    since: Timestamp,
    latest: Timestamp,
    trouble: DiskTrouble,
}

impl ServeFile {
    pub(super) fn beside(database: Option<&Path>) -> Self {
        Self { database: database.map(Path::to_owned), open: Mutex::default(), is_server: Arc::default() }
    }

    fn path(&self) -> Option<PathBuf> {
        self.database.as_ref().map(|database| beside(database, SUFFIX))
    }

    fn open(&self) -> MutexGuard<'_, Option<OpenFile>> {
        self.open.lock()
    }

    /// Marks this process as the server, with `database` open. The lease, not this file, guarantees that it is the only one.
    pub(super) fn begin(&self, database: Option<FileId>) -> Result<()> {
        if let Some((path, database)) = self.database.as_ref().zip(database) {
            let fails = |source: io::Error| open_error(&beside(path, SUFFIX).display().to_string(), source.into());
            let file = open_beside(path, SUFFIX).map_err(fails)?;
            let mut open = OpenFile { file, is_locked: false, reported: None };
            // If this fails, no trouble can be reported later; but then the start itself fails first.
            let _ = open.name(database).and_then(|()| open.report(b""));
            open.lock();
            *self.open() = Some(open);
        }
        self.is_server.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Locks the file, unless it is locked. At the start, a command may just look at it, and a suspended server that this one
    /// succeeds may still hold it.
    pub(super) fn keep_locked(&self) {
        if let Some(open) = self.open().as_mut() {
            open.lock();
        }
    }

    /// Fails if a running server has another file open than the one at this path, or than none.
    pub(super) fn check(&self, database: &Path) -> Result<()> {
        let Some(file) = self.path().and_then(|path| File::open(path).ok()) else { return Ok(()) };
        if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            // No server runs. The lock ends with the file.
            return Ok(());
        }
        let mut named = [0; NAMED];
        let named = (&file).read_exact(&mut named).ok().and_then(|()| serde_json::from_slice::<FileId>(&named).ok());
        match (named, FileId::at(database)) {
            (Some(named), Ok(found)) if found != Some(named) => {
                Err(Error::NotOfServer { place: database.display().to_string() })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn end(&self) {
        self.is_server.store(false, Ordering::Relaxed);
        if let Some(mut open) = self.open().take() {
            let _ = open.report(b"");
        }
    }

    /// Reports that this server could not write. Does not wait for the disk: the operating system caches the file.
    pub(super) fn report(&self, now: Timestamp, trouble: DiskTrouble) {
        let mut open = self.open();
        let Some(open) = open.as_mut() else { return };
        let before = open.reported.filter(|before| now.since(before.latest) <= SAME_TROUBLE);
        let report = Report { since: before.map_or(now, |before| before.since), latest: now, trouble };
        open.reported = Some(report);
        if let Ok(text) = serde_json::to_vec(&report) {
            let _ = open.report(&text);
        }
    }

    /// Returns the trouble that the server, in whichever process it runs, has reported at `since` or later.
    pub(super) fn trouble(&self, since: Timestamp) -> Option<Unwritable> {
        // A report that is only half written counts as none; the next read finds all of it.
        let text = std::fs::read(self.path()?).ok()?;
        let report: Report = serde_json::from_slice(text.get(NAMED..)?).ok()?;
        (report.latest >= since).then_some(Unwritable { since: report.since, trouble: report.trouble })
    }
}

impl OpenFile {
    fn lock(&mut self) {
        self.is_locked = self.is_locked || self.file.try_lock().is_ok();
    }

    fn name(&mut self, database: FileId) -> io::Result<()> {
        self.write::<NAMED>(0, &serde_json::to_vec(&database)?)
    }

    fn report(&mut self, text: &[u8]) -> io::Result<()> {
        self.write::<REPORTED>(NAMED as u64, text)
    }

    /// Overwrites a whole part of the file.
    fn write<const BYTES: usize>(&mut self, at: u64, text: &[u8]) -> io::Result<()> {
        let mut whole = [b' '; BYTES];
        if let Some(start) = whole.get_mut(..text.len()) {
            start.copy_from_slice(text);
        }
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&whole)
    }
}
