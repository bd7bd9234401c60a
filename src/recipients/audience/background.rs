//! Work that a thread does while the file is read, on a file handle of its own. The result is collected at the end.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::base::domain::text::hex;

/// The result of a background task, if one was started. Clones share it.
#[derive(Debug)]
pub(super) struct Background<T>(Arc<Mutex<Option<JoinHandle<io::Result<T>>>>>);

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
    /// Starts a task on a thread. If no thread can be started, there is no result.
    fn start(name: &str, find: impl FnOnce() -> io::Result<T> + Send + 'static) -> Self {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(find);
        Self(Arc::new(Mutex::new(thread.ok())))
    }

    /// Waits for the result. `None` if the file could not be read to its end: the reading itself reports that.
    pub(super) fn finish(&self) -> Option<T> {
        self.0.lock().take()?.join().ok()?.ok()
    }
}

const BUFFER_BYTES: usize = 256 * 1024;

/// The digest of a file's bytes, which identifies the file on a later import.
pub(super) fn digest(mut file: File) -> Background<String> {
    Background::start("audience digest", move || {
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
    })
}
