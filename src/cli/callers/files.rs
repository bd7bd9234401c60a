//! The files of a caller: those that it has sent along, and those that its command writes for it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::Sender;

use crate::http::api::Printed;
use crate::recipients::audience::UploadedSource;

/// Bytes of one piece of a file on its way to the caller. A thousand of them may wait for one who reads slowly.
const PIECE: usize = 12 * 1_024;

/// The files of one command, under the names that its words have.
#[derive(Debug)]
pub(in crate::cli) struct CallerFiles {
    /// What the caller has sent along.
    sent: HashMap<String, UploadedSource>,
    /// What the command writes: the name, and where it is until the caller has it.
    written: Mutex<Vec<(String, PathBuf)>>,
    /// Only the server's own user can read it. It is removed with this value.
    folder: tempfile::TempDir,
}

impl CallerFiles {
    pub(super) fn new(sent: HashMap<String, UploadedSource>) -> io::Result<Self> {
        Ok(Self { sent, written: Mutex::default(), folder: tempfile::tempdir()? })
    }

    /// A file that the caller has sent along.
    pub(in crate::cli) fn sent(&self, name: &Path) -> Option<&UploadedSource> {
        self.sent.get(name.to_str()?)
    }

    /// Where to write a file for the caller. It keeps the extension, which decides the format.
    pub(in crate::cli) fn output(&self, name: &Path) -> PathBuf {
        let mut written = self.written.lock();
        let mut path = self.folder.path().join(written.len().to_string());
        if let Some(extension) = name.extension() {
            path.set_extension(extension);
        }
        written.push((name.display().to_string(), path.clone()));
        path
    }

    /// Sends the caller what the command has written.
    pub(in crate::cli) async fn deliver(&self, printed: &Sender<Printed>) -> io::Result<()> {
        let written = std::mem::take(&mut *self.written.lock());
        for (name, path) in written {
            let mut file = tokio::fs::File::open(&path).await?;
            let mut piece = Vec::with_capacity(PIECE);
            loop {
                piece.clear();
                let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
                let bytes = STANDARD.encode(&piece);
                let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
                printed.send(Printed::File { name: name.clone(), bytes }).await.map_err(gone)?;
                if read < PIECE {
                    break;
                }
            }
        }
        Ok(())
    }
}
