//! Reports the server's disk trouble to other processes, in a file beside the database.
//!
//! While the disk is full, the server cannot report this in the database. The file gets its full size when the server
//! starts, so overwriting it needs no room.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use super::open_error;
use super::paths::beside;
use crate::domain::{Span, Timestamp};
use crate::store::error::DiskTrouble;
use crate::store::{Result, Unwritable};

/// Size of the file.
const BYTES: usize = 256;
/// Failures at most this far apart belong to one period of trouble.
const SAME_TROUBLE: Span = Span::from_secs(5);

/// The `-serve` file beside the database.
#[derive(Debug)]
pub(super) struct ServeFile {
    /// `None` for a database in memory.
    path: Option<PathBuf>,
    /// The file while this process is the server.
    open: Mutex<Option<OpenFile>>,
    /// Whether this process is the server.
    pub(super) is_server: Arc<AtomicBool>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
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
        let path = database.map(|path| beside(path, "-serve"));
        Self { path, open: Mutex::default(), is_server: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, Option<OpenFile>> {
        self.open.lock()
    }

    /// Marks this process as the server. The lease, not this file, guarantees that it is the only one.
    pub(super) fn begin(&self) -> Result<()> {
        if let Some(path) = &self.path {
            let fails = |source: io::Error| open_error(&path.display().to_string(), source.into());
            let file = File::options().create(true).truncate(false).write(true).open(path).map_err(fails)?;
            let mut open = OpenFile { file, reported: None };
            // If this fails, no trouble can be reported later; but then the start itself fails first.
            let _ = open.write(b"");
            *self.open() = Some(open);
        }
        self.is_server.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn end(&self) {
        self.is_server.store(false, Ordering::Relaxed);
        if let Some(mut open) = self.open().take() {
            let _ = open.write(b"");
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
            let _ = open.write(&text);
        }
    }

    /// Returns the trouble that the server, in whichever process it runs, has reported at `since` or later.
    pub(super) fn trouble(&self, since: Timestamp) -> Option<Unwritable> {
        // A report that is only half written counts as none; the next read finds all of it.
        let text = std::fs::read(self.path.as_ref()?).ok()?;
        let report: Report = serde_json::from_slice(&text).ok()?;
        (report.latest >= since).then_some(Unwritable { since: report.since, trouble: report.trouble })
    }
}

impl OpenFile {
    /// Overwrites the whole file.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let mut whole = [b' '; BYTES];
        if let Some(start) = whole.get_mut(..text.len()) {
            start.copy_from_slice(text);
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&whole)
    }
}
