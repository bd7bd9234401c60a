//! Checks that the path of the database still leads to the file that is open.
//!
//! A process keeps writing to a file that was replaced or moved, and no other process finds it there. The same holds for
//! SQLite's two files beside it, which have the latest writes. So a server checks this several times a second, and every
//! write checks it. A file that is overwritten in place stays the same file; a server notices that if the new content is a
//! backup.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::paths::beside;
use crate::store::{Error, Result};

/// What the file system calls a file, whatever its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at a path; `None` if there is none.
    #[cfg(unix)]
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        use std::os::unix::fs::MetadataExt;
        match std::fs::metadata(path) {
            Ok(found) => Ok(Some(Self { device: found.dev(), inode: found.ino() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the file system tells no identity, a file is known by its existence.
    #[cfg(not(unix))]
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        Ok(path.try_exists()?.then_some(Self { device: 0, inode: 0 }))
    }
}

/// The open file of the database, with its path.
#[derive(Debug)]
pub(super) struct OpenDatabase {
    pub(super) path: PathBuf,
    /// The files that must stay as they are: the database under the name that the operator gave it, which may be a link,
    /// and SQLite's files beside it.
    parts: Vec<(PathBuf, FileId)>,
    /// Whether this process has closed it. The last one to do so removes SQLite's files.
    is_closed: AtomicBool,
    /// For a server: its own view of the file's header.
    header: OnceLock<Header>,
}

/// The header of the file, which shows that a backup was copied over an open database.
#[derive(Debug)]
struct Header {
    /// Stays open as long as the process: closing it would release SQLite's locks on the file.
    file: File,
    /// The mark of a copy that was last seen in it; zero if there was none.
    mark: AtomicU32,
}

/// Where `user_version` is in the header, which marks a copy.
const MARK_AT: u64 = 60;

impl Header {
    /// Whether a mark has appeared: nothing but another file's content brings one. The mark of a restored copy disappears
    /// with a checkpoint, after it was accepted.
    fn is_overwritten(&self) -> bool {
        let Some(mark) = mark(&self.file) else { return false };
        let is_overwritten = mark != 0 && mark != self.mark.load(Ordering::Relaxed);
        if !is_overwritten {
            self.mark.store(mark, Ordering::Relaxed);
        }
        is_overwritten
    }
}

#[cfg(unix)]
fn mark(file: &File) -> Option<u32> {
    let mut bytes = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, MARK_AT).ok()?;
    Some(u32::from_be_bytes(bytes))
}

#[cfg(not(unix))]
const fn mark(_: &File) -> Option<u32> {
    None
}

impl OpenDatabase {
    /// Describes the file that was just opened at `path`, to which its name leads.
    pub(super) fn of(named: PathBuf, path: PathBuf) -> Result<Self> {
        match FileId::at(&path) {
            Ok(Some(id)) => {
                Ok(Self { path, parts: vec![(named, id)], is_closed: AtomicBool::new(false), header: OnceLock::new() })
            }
            Ok(None) => Err(Error::Replaced { place: path.display().to_string() }),
            Err(source) => Err(super::open_error(&path.display().to_string(), source.into())),
        }
    }

    /// From now on notices also if SQLite's files beside it go, which exist from the first use on.
    pub(super) fn with_log(mut self) -> Self {
        for path in ["-wal", "-shm"].map(|suffix| beside(&self.path, suffix)) {
            if let Ok(Some(id)) = FileId::at(&path) {
                self.parts.push((path, id));
            }
        }
        self
    }

    /// Notes that this process is about to close it.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn id(&self) -> Option<FileId> {
        self.parts.first().map(|(_, id)| *id)
    }

    /// From now on notices also a backup that is copied over the file. For servers.
    pub(super) fn watch_content(&self) {
        // A process may start several servers on it, one after another.
        if self.header.get().is_none()
            && let Ok(file) = File::open(&self.path)
        {
            let mark = AtomicU32::new(mark(&file).unwrap_or_default());
            let _ = self.header.set(Header { file, mark });
        }
    }

    /// Fails if one of the paths leads to another file by now, or to none. An error of the file system proves neither.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let is_replaced = |(path, id): &&(PathBuf, FileId)| FileId::at(path).is_ok_and(|found| found != Some(*id));
        let is_overwritten = || self.header.get().is_some_and(Header::is_overwritten);
        let replaced = self.parts.iter().find(is_replaced).map(|(path, _)| path);
        match replaced.or_else(|| is_overwritten().then_some(&self.path)) {
            Some(path) => Err(Error::Replaced { place: path.display().to_string() }),
            None => Ok(()),
        }
    }
}
