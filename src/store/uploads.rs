//! Files at the provider, as they are stored.

use crate::base::domain::Timestamp;

/// A file that was uploaded to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    pub base_url: String,
    pub sub_account: String,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Where the provider hosts it.
    pub url: String,
    pub uploaded_at: Timestamp,
}
