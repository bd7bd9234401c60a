//! The uploads of a database for a command: while no server runs, and beside one.
//!
//! It reads and removes files alone. A server that runs notices that an upload is gone when it next looks at it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::folder::{Entry, read_entry, remove_files};
use super::{UploadError, UploadId, UploadView};

/// The uploads in a folder, which need not exist.
#[derive(Debug)]
pub struct StoredUploads<'a> {
    pub folder: &'a Path,
    /// Whether a server runs on them.
    pub are_served: bool,
}

impl StoredUploads<'_> {
    fn entries(&self) -> io::Result<Vec<Arc<Entry>>> {
        let files = match fs::read_dir(self.folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        for file in files {
            // One that cannot be read was removed meanwhile, or is damaged and goes with the next start of a server.
            entries.extend(read_entry(&file?.path()).and_then(Result::ok));
        }
        for entry in &entries {
            let has_begun = self.are_served && entry.record.lock().is_in_progress();
            entry.progress.has_begun.store(has_begun, Ordering::Release);
        }
        Ok(entries)
    }

    /// All uploads, latest first.
    pub fn list(&self) -> io::Result<Vec<UploadView>> {
        Ok(UploadView::latest_first(self.entries()?.iter()))
    }

    /// Removes an upload. Its import is not carried out then, unless a server runs, which is then refused.
    pub fn remove(&self, id: UploadId) -> Result<(), UploadError> {
        let entries = self.entries()?;
        let entry = entries.iter().find(|entry| entry.id == id).ok_or(UploadError::Unknown(id))?;
        if self.are_served && entry.record.lock().is_importing() {
            return Err(UploadError::Importing(id));
        }
        Ok(remove_files(self.folder, id)?)
    }
}
