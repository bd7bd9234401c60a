//! The server's word, in a file beside the database, while the database cannot be written.
//!
//! A full disk keeps out of the database what other commands have to know. The file gets its size when the server starts,
//! so that writing over it needs no room.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::open_error;
use super::place::beside;
use crate::domain::{Span, Timestamp};
use crate::store::error::DiskTrouble;
use crate::store::{Result, Unwritable};

/// Room for a word in the file.
const BYTES: usize = 256;
/// A failure that comes later than this after the one before it begins a new time of trouble.
const LASTS: Span = Span::from_secs(5);

#[derive(Debug)]
pub(super) struct Serving {
    /// Nothing for a database in memory.
    place: Option<PathBuf>,
    held: Mutex<Option<Held>>,
    /// Whether this process is the server.
    pub(super) hosting: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Held {
    file: File,
    trouble: Option<Word>,
}

/// What stands in the file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Word {
    since: Timestamp,
    latest: Timestamp,
    trouble: DiskTrouble,
}

impl Serving {
    pub(super) fn beside(database: Option<&Path>) -> Self {
        let place = database.map(|path| beside(path, "-serve"));
        Self { place, held: Mutex::default(), hosting: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This process is the server from now on. That it is the only one, its lease says and not this file.
    pub(super) fn begin(&self) -> Result<()> {
        if let Some(place) = &self.place {
            let fails = |source: io::Error| open_error(&place.display().to_string(), source.into());
            let file = File::options().create(true).truncate(false).write(true).open(place).map_err(fails)?;
            let mut held = Held { file, trouble: None };
            // Where that fails, nothing can be told later, and the start itself fails sooner.
            let _ = held.write(b"");
            *self.held() = Some(held);
        }
        self.hosting.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn end(&self) {
        self.hosting.store(false, Ordering::Relaxed);
        if let Some(mut held) = self.held().take() {
            let _ = held.write(b"");
        }
    }

    /// Leaves word that the disk has failed the server. The file is in memory: nothing waits for the disk.
    pub(super) fn cannot_write(&self, now: Timestamp, trouble: DiskTrouble) {
        let mut held = self.held();
        let Some(held) = held.as_mut() else { return };
        let before = held.trouble.filter(|before| now.since(before.latest) <= LASTS);
        let word = Word { since: before.map_or(now, |before| before.since), latest: now, trouble };
        held.trouble = Some(word);
        if let Ok(text) = serde_json::to_vec(&word) {
            let _ = held.write(&text);
        }
    }

    /// What the server, in whichever process it is, said of its disk since `since`.
    pub(super) fn trouble(&self, since: Timestamp) -> Option<Unwritable> {
        // Half of a word is none; the next look finds it whole.
        let text = std::fs::read(self.place.as_ref()?).ok()?;
        let word: Word = serde_json::from_slice(&text).ok()?;
        (word.latest >= since).then_some(Unwritable { since: word.since, trouble: word.trouble })
    }
}

impl Held {
    /// Writes over all that stands there.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let mut whole = [b' '; BYTES];
        if let Some(place) = whole.get_mut(..text.len()) {
            place.copy_from_slice(text);
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&whole)
    }
}
