//! Buffers a copy of rows, so that a slow reader holds no read transaction: in memory if the copy is small, else in an
//! unnamed file.
//!
//! The file lies beside the database: recipients' numbers stay on the disk that has them already, and a temporary folder
//! is often in memory. A copy never takes the room that the database itself needs.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader};

use super::{Error, Work};
use crate::store::free_space;

/// Bytes that are held in memory before they are written to the file.
const HELD: usize = 8 << 20;
/// Bytes of one read from the file.
const READ: usize = 1 << 20;
/// Bytes that a copy leaves free on the disk. This is several times the usual write-ahead log, so the server can go on
/// writing.
const RESERVE: u64 = 256 << 20;

/// The folder for a copy's file.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    folder: PathBuf,
    /// Returns how many bytes are free in the folder.
    free: fn(&Path) -> io::Result<u64>,
}

impl Disk {
    pub(super) fn at(folder: PathBuf) -> Self {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        Self { folder, free: free_space }
    }

    /// How many bytes a copy may use.
    fn spare(&self) -> io::Result<u64> {
        Ok((self.free)(&self.folder)?.saturating_sub(RESERVE))
    }

    fn no_room(&self, needs: u64, spare: u64) -> Error {
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        Error::NoRoom { folder: folder.display().to_string(), needs, spare }
    }
}

/// Texts, in the order in which they are pushed.
#[derive(Debug)]
pub(super) struct Spool {
    disk: Disk,
    held: Vec<u8>,
    file: Option<File>,
    written: u64,
    /// The expected length of the whole copy.
    expected: u64,
}

impl Spool {
    pub(super) const fn new(disk: Disk) -> Self {
        Self { disk, held: Vec::new(), file: None, written: 0, expected: 0 }
    }

    /// Sets the expected length. Fails before anything is written if the disk has no room for it.
    pub(super) fn expect(&mut self, bytes: u64) -> Work<()> {
        self.expected = bytes;
        if bytes <= HELD as u64 {
            return Ok(());
        }
        let spare = self.disk.spare().map_err(failed)?;
        if bytes > spare { Err(self.disk.no_room(bytes, spare).into()) } else { Ok(()) }
    }

    pub(super) async fn push(&mut self, part: &str) -> Work<()> {
        self.held.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.held.extend_from_slice(part.as_bytes());
        if self.held.len() > HELD { self.write().await } else { Ok(()) }
    }

    /// Writes the held bytes to the file.
    async fn write(&mut self) -> Work<()> {
        let length = self.held.len() as u64;
        // The copy may become longer than expected, and others also write to the disk.
        let spare = self.disk.spare().map_err(failed)?;
        if length > spare {
            let needs = self.expected.max(self.written + length);
            return Err(self.disk.no_room(needs, self.written + spare).into());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::from_std(tempfile::tempfile_in(&self.disk.folder).map_err(failed)?)),
        };
        // A `File` of tokio writes in the background; `flush` reports its errors.
        let written = async { file.write_all(&self.held).await.and(file.flush().await) }.await;
        match written {
            // What the file has already counts as available, because `needs` is the whole copy.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                Err(self.disk.no_room(self.expected.max(self.written + length), self.written).into())
            }
            Err(error) => Err(failed(error)),
            Ok(()) => {
                self.written += length;
                self.held.clear();
                Ok(())
            }
        }
    }

    /// Ends writing and begins reading.
    pub(super) async fn read(mut self) -> Work<Parts> {
        if self.file.is_some() && !self.held.is_empty() {
            self.write().await?;
        }
        let Some(mut file) = self.file else { return Ok(Parts::Held(io::Cursor::new(self.held))) };
        file.rewind().await.map_err(failed)?;
        Ok(Parts::File(Box::new(BufReader::with_capacity(READ, file))))
    }
}

/// Reads the pushed texts once.
#[derive(Debug)]
pub(super) enum Parts {
    Held(io::Cursor<Vec<u8>>),
    File(Box<BufReader<File>>),
}

impl Parts {
    /// Returns the next text; `None` after the last.
    pub(super) async fn next(&mut self) -> Work<Option<String>> {
        let read = match self {
            Self::Held(bytes) => part(bytes).await,
            Self::File(file) => part(file).await,
        };
        read.map_err(failed)
    }
}

async fn part(from: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Option<String>> {
    let length = match from.read_u64_le().await {
        Ok(length) => usize::try_from(length).map_err(io::Error::other)?,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    String::from_utf8(bytes).map(Some).map_err(io::Error::other)
}

fn failed(error: io::Error) -> super::Fault {
    sqlx::Error::Io(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::Fault;

    fn spool(free: fn(&Path) -> io::Result<u64>) -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk { folder: folder.path().to_owned(), free };
        (folder, Spool::new(disk))
    }

    async fn all(spool: Spool) -> Vec<String> {
        let mut parts = spool.read().await.ok().unwrap();
        let mut all = Vec::new();
        while let Some(part) = parts.next().await.ok().unwrap() {
            all.push(part);
        }
        all
    }

    #[tokio::test]
    async fn parts_come_back_in_order_from_memory_and_from_a_file() {
        for length in [10, 3 << 20] {
            let (folder, mut spool) = spool(free_space);
            let parts: Vec<String> = ["a", "", "ü", "d", "e"].map(|part| part.repeat(length)).to_vec();
            for part in &parts {
                spool.push(part).await.ok().unwrap();
            }
            assert_eq!(spool.file.is_some(), length > 10);
            assert!(spool.held.len() <= HELD + 8, "memory is bounded");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
            assert_eq!(all(spool).await, parts);
        }
    }

    #[tokio::test]
    async fn an_expected_length_above_the_spare_room_fails_with_a_clear_error() {
        let (folder, mut spool) = spool(|_| Ok(RESERVE + 100_000_000));
        assert!(spool.expect(100_000_000).is_ok());
        let Err(Fault::Ours(error)) = spool.expect(5_100_000_001) else { panic!("it has no room") };
        let folder = folder.path().canonicalize().unwrap().display().to_string();
        let wanted = format!("needs about 5101 MB in {folder} while it is read, and the disk has 100 MB to spare");
        assert!(error.to_string().contains(&wanted), "{error}");
        assert!(spool.file.is_none());
    }

    #[tokio::test]
    async fn a_copy_longer_than_expected_leaves_the_database_its_room() {
        let (_folder, mut spool) = spool(|_| Ok(RESERVE + 1_000));
        let Err(Fault::Ours(error)) = spool.push(&"x".repeat(HELD)).await else { panic!("it has no room") };
        assert!(matches!(error, Error::NoRoom { needs: 8_388_616, spare: 1_000, .. }), "{error:?}");
    }
}
