//! The digest of a file as it was given, found beside the reading: by it the same file is known again.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

const BUFFER_BYTES: usize = 256 * 1024;

/// A digest on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Digest(Arc<Mutex<Option<JoinHandle<io::Result<String>>>>>);

impl Digest {
    /// Begins with a file of its own, so that nobody waits for the other. Where there is no thread for it there is no digest.
    pub(super) fn begin(mut file: File) -> Self {
        let thread = thread::Builder::new().name("audience digest".to_owned()).spawn(move || of(&mut file));
        Self(Arc::new(Mutex::new(thread.ok())))
    }

    /// Waits for the end of it. Nothing where the file could not be read to its end: the reading itself says so.
    pub(super) fn finish(&self) -> Option<String> {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        thread.join().ok()?.ok()
    }
}

fn of(file: &mut dyn Read) -> io::Result<String> {
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
}
