//! The part of the contract that is about files at the provider.

use crate::store::{Result, UploadedFile};

/// What uploads ask of a store.
#[async_trait::async_trait]
pub trait Uploads: Send + Sync + std::fmt::Debug {
    /// Returns those of the files that were uploaded to this subaccount.
    async fn uploaded_files(
        &self,
        base_url: String,
        sub_account: String,
        digests: Vec<[u8; 32]>,
    ) -> Result<Vec<UploadedFile>>;
    /// Records uploads; a later upload of the same file replaces the earlier one.
    async fn record_uploads(&self, files: Vec<UploadedFile>) -> Result<()>;
}
