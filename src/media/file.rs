//! A local file: read, and held against the rules of its channel.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::format::{HEAD, of_file, rule};
use crate::domain::{Channel, MediaKind};

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
    pub(super) fn read(path: &Path, kind: MediaKind, channel: Channel) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| {
            let path = path.display();
            format!("the file {path} cannot be read ({error}); check its path, or write a web address with https://")
        };
        let rule = rule(channel, kind);
        let of_file_named = |sentence| format!("{} {sentence}", path.display());
        // Before it is read: a large file takes long.
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        rule.map_or(Ok(()), |rule| rule.check_size(length)).map_err(of_file_named)?;
        let bytes = std::fs::read(path).map_err(unreadable)?;
        if bytes.is_empty() {
            return Err(of_file_named("is empty".to_owned()));
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let head = bytes.get(..HEAD).unwrap_or(&bytes);
        let format = of_file(extension, head, kind, rule).map_err(of_file_named)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let digest = Sha256::digest(&bytes).into();
        Ok(Self { name, media_type: format.media_type, bytes, digest })
    }
}
