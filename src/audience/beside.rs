//! What is found out beside the reading, by a thread and a file of its own, and told once the reading is at its end.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

/// Something on its way.
#[derive(Debug)]
pub(super) struct Beside<T>(Arc<Mutex<Option<Pending<T>>>>);

enum Pending<T> {
    /// Nobody has asked for it yet, and it may be that nobody does.
    Planned(&'static str, Box<dyn FnOnce() -> io::Result<T> + Send>),
    Sought(JoinHandle<io::Result<T>>),
    Known(T),
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Planned(..) => "planned",
            Self::Sought(_) => "sought",
            Self::Known(_) => "known",
        })
    }
}

impl<T> Clone for Beside<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Beside<T> {
    /// There is nothing to be found out.
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + 'static> Beside<T> {
    /// What is found out once it is begun.
    pub(super) fn planned(name: &'static str, find: impl FnOnce() -> io::Result<T> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Pending::Planned(name, Box::new(find))))))
    }

    /// Begins to find out what is planned. Where there is no thread for it, it is not found out.
    pub(super) fn begin(&self) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = match pending.take() {
            Some(Pending::Planned(name, find)) => {
                thread::Builder::new().name(name.to_owned()).spawn(find).ok().map(Pending::Sought)
            }
            begun => begun,
        };
    }

    /// What was found out before.
    pub(super) fn known(found: T) -> Self {
        Self(Arc::new(Mutex::new(Some(Pending::Known(found)))))
    }

    /// Waits for the end of it. Nothing where the file could not be read to its end: the reading itself says so.
    pub(super) fn finish(&self) -> Option<T> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take()? {
            Pending::Planned(_, find) => find().ok(),
            Pending::Sought(thread) => thread.join().ok()?.ok(),
            Pending::Known(found) => Some(found),
        }
    }
}

const BUFFER_BYTES: usize = 256 * 1024;

/// The digest of a file as it was given: by it the same file is known again.
pub(super) fn digest(mut file: File) -> Beside<String> {
    let digest = Beside::planned("audience digest", move || {
        let mut digest = Sha256::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
                Ok(count) => digest.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
    digest.begin();
    digest
}
