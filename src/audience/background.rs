//! Work that a thread does while the file is read, on a file handle of its own. The result is collected at the end.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::domain::text::hex;

/// The result of a background task. Clones share it.
#[derive(Debug)]
pub(super) struct Background<T>(Arc<Mutex<Option<Pending<T>>>>);

enum Pending<T> {
    /// Not started, and perhaps never needed.
    Planned(&'static str, Box<dyn FnOnce() -> io::Result<T> + Send>),
    Running(JoinHandle<io::Result<T>>),
    Done(T),
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Planned(..) => "planned",
            Self::Running(_) => "running",
            Self::Done(_) => "done",
        })
    }
}

impl<T> Clone for Background<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Background<T> {
    /// No task and no result.
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + 'static> Background<T> {
    /// A task that runs once it is started.
    pub(super) fn planned(name: &'static str, find: impl FnOnce() -> io::Result<T> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Pending::Planned(name, Box::new(find))))))
    }

    /// Starts a planned task on a thread. If no thread can be started, there is no result.
    pub(super) fn start(&self) {
        let mut pending = self.0.lock();
        *pending = match pending.take() {
            Some(Pending::Planned(name, find)) => {
                thread::Builder::new().name(name.to_owned()).spawn(find).ok().map(Pending::Running)
            }
            started => started,
        };
    }

    /// A result that is already there.
    pub(super) fn known(found: T) -> Self {
        Self(Arc::new(Mutex::new(Some(Pending::Done(found)))))
    }

    /// Waits for the result. `None` if the file could not be read to its end: the reading itself reports that.
    pub(super) fn finish(&self) -> Option<T> {
        match self.0.lock().take()? {
            Pending::Planned(_, find) => find().ok(),
            Pending::Running(thread) => thread.join().ok()?.ok(),
            Pending::Done(found) => Some(found),
        }
    }
}

const BUFFER_BYTES: usize = 256 * 1024;

/// The digest of a file's bytes, which identifies the file on a later import.
pub(super) fn digest(mut file: File) -> Background<String> {
    let digest = Background::planned("audience digest", move || {
        let mut digest = Sha256::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(hex(digest.finalize())),
                Ok(count) => digest.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
    digest.start();
    digest
}
