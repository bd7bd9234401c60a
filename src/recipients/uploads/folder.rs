//! The folder of all uploads, and what is known of each.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::record::Record;
use super::{KEPT, UploadError, UploadId, UploadView};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::ByteSize;
use crate::recipients::audience::FileSettings;
use crate::store::{LOW_SPACE, free_space};

/// Uploads at a time.
const UPLOADS_MAX: usize = 100;
/// Uploads at a time with those that were imported.
const KNOWN_MAX: usize = 1_000;
/// Characters of the name of a file.
const NAME_MAX: usize = 200;

/// The uploads of one server.
#[derive(Debug)]
pub struct UploadFolder {
    path: PathBuf,
    /// The size of all uploads together.
    pub(super) most: ByteSize,
    entries: Mutex<HashMap<UploadId, Arc<Entry>>>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
}

/// What is known of an upload.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: UploadId,
    pub(super) record: Mutex<Record>,
    /// Bytes on disk, and bytes that it may take without asking again.
    pub(super) received: AtomicU64,
    pub(super) claimed: AtomicU64,
    /// Held while its file is written or removed.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Counts the requests for the turn: a later one ends an earlier one, whose client may be gone.
    pub(super) requests: watch::Sender<u64>,
    pub(super) progress: Progress,
    /// Whether its record is on disk. If the record is gone later, a command has removed the upload.
    is_stored: AtomicBool,
}

/// How far an import is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) has_begun: AtomicBool,
    pub(super) bytes_done: AtomicU64,
    pub(super) bytes_total: AtomicU64,
    pub(super) rows: AtomicU64,
}

impl Entry {
    fn new(id: UploadId, record: Record, received: u64) -> Arc<Self> {
        let claimed = AtomicU64::new(record.length.unwrap_or(0).max(received));
        Arc::new(Self {
            id,
            record: Mutex::new(record),
            received: AtomicU64::new(received),
            claimed,
            turn: tokio::sync::Mutex::default(),
            requests: watch::Sender::new(0),
            progress: Progress::default(),
            is_stored: AtomicBool::new(false),
        })
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// Whether its bytes are needed no more.
    fn is_imported(&self) -> bool {
        self.record.lock().is_imported()
    }
}

impl UploadFolder {
    /// The uploads in a folder, which need not exist yet. What a crash has left is completed or removed.
    pub fn open(path: PathBuf, most: ByteSize, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> io::Result<Arc<Self>> {
        let mut entries = HashMap::new();
        match fs::read_dir(&path) {
            Ok(files) => {
                for file in files {
                    if let Some(entry) = found(&file?.path())? {
                        entries.insert(entry.id, entry);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Arc::new(Self { path, most, entries: Mutex::new(entries), clock, chance }))
    }

    /// The folder for the uploads of a database: beside it, under its name.
    pub fn beside(database: &Path) -> PathBuf {
        let mut path = database.as_os_str().to_owned();
        path.push("-uploads");
        path.into()
    }

    pub(super) fn now(&self) -> crate::base::domain::Timestamp {
        self.clock.now()
    }

    fn record_path(&self, id: UploadId) -> PathBuf {
        record_path(&self.path, id)
    }

    /// The file with the bytes.
    pub(super) fn data_path(&self, id: UploadId) -> PathBuf {
        data_path(&self.path, id)
    }

    pub(super) fn entry(&self, id: UploadId) -> Result<Arc<Entry>, UploadError> {
        self.known().get(&id).cloned().ok_or(UploadError::Unknown(id))
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.known().values().cloned().collect()
    }

    /// The uploads, without those that a command has removed.
    fn known(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Entry>>> {
        let mut entries = self.entries.lock();
        entries.retain(|id, entry| !entry.is_stored.load(Ordering::Acquire) || self.record_path(*id).exists());
        entries
    }

    /// Begins an upload. `length` is that of the whole file, if the client knows it.
    pub async fn begin(self: &Arc<Self>, name: &str, length: Option<u64>) -> Result<UploadView, UploadError> {
        let name = checked_name(name).map_err(UploadError::Name)?;
        if length.is_some_and(|length| length > self.most.bytes()) {
            return Err(UploadError::TooLarge { most: self.most });
        }
        let now = self.now();
        let record = Record { name, length, created_at: now, used_at: now, import: None };
        let entry = Entry::new(UploadId::from_random(self.chance.bits(), self.chance.bits()), record.clone(), 0);
        self.admit(&entry)?;
        let (folder, id) = (Arc::clone(self), entry.id);
        let written = blocking(move || {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder.path)?;
            // An upload without any byte is an empty file.
            folder.append(id)?;
            record.write(&folder.record_path(id))
        });
        if let Err(error) = written.await {
            self.entries.lock().remove(&entry.id);
            return Err(error.into());
        }
        entry.is_stored.store(true, Ordering::Release);
        Ok(UploadView::of(&entry))
    }

    /// Adds an upload if there is room for it.
    fn admit(&self, entry: &Arc<Entry>) -> Result<(), UploadError> {
        let mut entries = self.known();
        let open = entries.values().filter(|entry| !entry.is_imported()).count();
        if open >= UPLOADS_MAX || entries.len() >= KNOWN_MAX {
            return Err(UploadError::TooMany);
        }
        entries.insert(entry.id, Arc::clone(entry));
        if !self.fits(&entries) {
            entries.remove(&entry.id);
            return Err(UploadError::NoRoom { most: self.most });
        }
        Ok(())
    }

    /// Lets an upload have `bytes` in all.
    pub(super) fn claim(&self, entry: &Entry, bytes: u64) -> Result<(), UploadError> {
        let entries = self.entries.lock();
        let before = entry.claimed.fetch_max(bytes, Ordering::AcqRel);
        if self.fits(&entries) {
            return Ok(());
        }
        entry.claimed.store(before, Ordering::Release);
        Err(UploadError::NoRoom { most: self.most })
    }

    /// Whether all claims are within the limit, and the disk has room for what has not arrived yet.
    fn fits(&self, entries: &HashMap<UploadId, Arc<Entry>>) -> bool {
        let (mut claimed, mut awaited) = (0_u64, 0_u64);
        for entry in entries.values().filter(|entry| !entry.is_imported()) {
            let own = entry.claimed.load(Ordering::Acquire);
            claimed = claimed.saturating_add(own);
            awaited = awaited.saturating_add(own.saturating_sub(entry.received()));
        }
        // The folder is created with the first upload. Not every file system reports its free space.
        let folder = if self.path.exists() { &self.path } else { self.path.parent().unwrap_or(&self.path) };
        let free = free_space(folder).unwrap_or(u64::MAX);
        claimed <= self.most.bytes() && free >= awaited.saturating_add(LOW_SPACE)
    }

    pub fn get(&self, id: UploadId) -> Result<UploadView, UploadError> {
        Ok(UploadView::of(&*self.entry(id)?))
    }

    /// How the file of an upload was to be read, if its import was begun.
    pub fn settings(&self, id: UploadId) -> Result<Option<FileSettings>, UploadError> {
        let entry = self.entry(id)?;
        let record = entry.record.lock();
        Ok(record.import.as_ref().map(|import| import.settings.clone()))
    }

    /// All uploads, latest first.
    pub fn list(&self) -> Vec<UploadView> {
        UploadView::latest_first(self.entries().iter())
    }

    /// Removes an upload, and ends a request that sends a part of it.
    pub async fn remove(self: &Arc<Self>, id: UploadId) -> Result<(), UploadError> {
        let entry = self.entry(id)?;
        if entry.record.lock().is_importing() {
            return Err(UploadError::Importing(id));
        }
        entry.requests.send_modify(|requests| *requests += 1);
        let _turn = entry.turn.lock().await;
        // An import may have been accepted meanwhile.
        if entry.record.lock().is_importing() {
            return Err(UploadError::Importing(id));
        }
        self.forget(id).await?;
        Ok(())
    }

    /// Removes the files of an upload whose turn the caller holds.
    async fn forget(self: &Arc<Self>, id: UploadId) -> io::Result<()> {
        self.entries.lock().remove(&id);
        let folder = Arc::clone(self);
        blocking(move || remove_files(&folder.path, id)).await
    }

    /// Removes the bytes of an upload that was imported.
    pub(super) async fn remove_data(self: &Arc<Self>, id: UploadId) -> io::Result<()> {
        let folder = Arc::clone(self);
        blocking(move || remove_file(&folder.data_path(id))).await
    }

    /// Changes the record of an upload, on disk first.
    pub(super) async fn change(self: &Arc<Self>, entry: &Entry, change: impl FnOnce(&mut Record)) -> io::Result<()> {
        let mut record = entry.record.lock().clone();
        change(&mut record);
        record.used_at = self.now();
        let (folder, id, written) = (Arc::clone(self), entry.id, record.clone());
        blocking(move || written.write(&folder.record_path(id))).await?;
        *entry.record.lock() = record;
        Ok(())
    }

    /// Removes the uploads whose last use is a day ago. Returns how many.
    pub async fn sweep(self: &Arc<Self>) -> io::Result<usize> {
        let (mut removed, before) = (0, self.now() - KEPT);
        for entry in self.entries() {
            let is_old = || {
                let record = entry.record.lock();
                record.used_at < before && !record.is_importing()
            };
            // Whoever holds the turn uses it.
            if let Ok(_turn) = entry.turn.try_lock()
                && is_old()
            {
                self.forget(entry.id).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Opens the bytes of an upload for writing at their end, and returns how many there are.
    pub(super) fn append(&self, id: UploadId) -> io::Result<(File, u64)> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(self.data_path(id))?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }
}

fn record_path(folder: &Path, id: UploadId) -> PathBuf {
    folder.join(format!("{id}.json"))
}

fn data_path(folder: &Path, id: UploadId) -> PathBuf {
    folder.join(format!("{id}.data"))
}

/// The id of an upload, if this is a file of one with this extension.
fn id_of(path: &Path, extension: &str) -> Option<UploadId> {
    let is_kind = path.extension().is_some_and(|own| own == extension);
    path.file_stem()?.to_str()?.parse().ok().filter(|_| is_kind)
}

/// The upload of a record; `None` if the file is no record.
pub(super) fn read_entry(path: &Path) -> Option<io::Result<Arc<Entry>>> {
    let id = id_of(path, "json")?;
    let entry = Record::read(path).map(|record| {
        let received = path.with_extension("data").metadata().map_or(0, |found| found.len());
        let entry = Entry::new(id, record, received);
        entry.is_stored.store(true, Ordering::Release);
        entry
    });
    Some(entry)
}

/// The upload of a file in the folder. A file that belongs to none is removed.
fn found(path: &Path) -> io::Result<Option<Arc<Entry>>> {
    let data = path.with_extension("data");
    match read_entry(path) {
        Some(Ok(entry)) => {
            if entry.is_imported() {
                remove_file(&data)?;
            }
            Ok(Some(entry))
        }
        Some(Err(_)) => {
            tracing::warn!(file = %path.display(), "the record of an upload is damaged; it is removed");
            remove_file(&data)?;
            remove_file(path).map(|()| None)
        }
        None if id_of(path, "data").is_some() && path.with_extension("json").exists() => Ok(None),
        // A record that was not complete, or bytes whose record is removed.
        None if path.is_file() => remove_file(path).map(|()| None),
        None => Ok(None),
    }
}

/// Removes the files of an upload.
pub(super) fn remove_files(folder: &Path, id: UploadId) -> io::Result<()> {
    // The bytes first: a record without bytes is an upload at its beginning, and bytes without a record are removed.
    remove_file(&data_path(folder, id))?;
    remove_file(&record_path(folder, id))
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Checks the name of a file. It is only shown.
fn checked_name(name: &str) -> Result<String, &'static str> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        Err("the name of a file has 1 to 200 characters")
    } else if name.contains(['/', '\\']) || name.chars().any(char::is_control) || matches!(name, "." | "..") {
        Err("the name of a file has no folders and no control characters; send its last part")
    } else {
        Ok(name.to_owned())
    }
}

/// Runs blocking work on files beside the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
