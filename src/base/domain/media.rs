//! The addresses of files that a message shows: images, videos, audios and documents.

use super::{ContentPart, MediaKind};

/// The address of a file in a content, as it is written: a web address, with variables or without, or the path of a
/// local file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaAddress {
    pub kind: MediaKind,
    /// Where it stands.
    pub part: ContentPart,
    pub text: String,
}

impl MediaAddress {
    /// Whether it is the path of a local file.
    pub fn is_path(&self) -> bool {
        !self.has_variables() && !self.text.contains("://") && !self.text.trim().is_empty()
    }

    /// Whether it differs between recipients.
    pub fn has_variables(&self) -> bool {
        self.text.contains("{{")
    }
}

/// Where a provider can fetch files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachable {
    /// Only on the internet, from https:// addresses.
    Public,
    /// Everywhere, as the practice provider on this machine can.
    Any,
}
