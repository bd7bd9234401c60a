//! A local file: read, and held against the rules of its channel.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::format::{HEAD, Wanted};

/// A local file that its channel takes.
#[derive(Debug)]
pub(super) struct LocalFile {
    pub(super) name: String,
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub(super) digest: [u8; 32],
}

impl LocalFile {
    /// Reads and checks a file. The error follows its key: `is …`, `has …`.
    pub(super) fn read(path: &Path, wanted: Wanted) -> Result<Self, String> {
        let unreadable = |error: io::Error| {
            let path = path.display();
            format!("the file {path} cannot be read ({error}); check its path, or write a web address with https://")
        };
        let of_file_named = |sentence| format!("{} {sentence}", path.display());
        let about = std::fs::metadata(path).map_err(unreadable)?;
        // Reading a device or a pipe may never end.
        if !about.is_file() {
            return Err(of_file_named("is not a regular file; name a file".to_owned()));
        }
        // Before it is read: a large file takes long.
        wanted.check_size(about.len()).map_err(of_file_named)?;
        let bytes = read_up_to(path, wanted.bytes_max()).map_err(unreadable)?;
        wanted.check_size(bytes.len() as u64).map_err(of_file_named)?;
        if bytes.is_empty() {
            return Err(of_file_named("is empty".to_owned()));
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let head = bytes.get(..HEAD).unwrap_or(&bytes);
        let format = wanted.format(extension, head).map_err(of_file_named)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let digest = Sha256::digest(&bytes).into();
        Ok(Self { name, media_type: format.media_type, bytes, digest })
    }
}

/// Reads a file, but never more than a byte over the limit: it may grow meanwhile.
fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
