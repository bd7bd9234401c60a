//! Implements [`Uploads`].

use super::super::{Sqlite, uploads};
use crate::store::{Result, UploadedFile, Uploads};

#[async_trait::async_trait]
impl Uploads for Sqlite {
    async fn uploaded_files(
        &self,
        base_url: String,
        sub_account: String,
        digests: Vec<[u8; 32]>,
    ) -> Result<Vec<UploadedFile>> {
        self.read("read uploaded files", move |c| Box::pin(uploads::find(c, base_url, sub_account, digests))).await
    }

    async fn record_uploads(&self, files: Vec<UploadedFile>) -> Result<()> {
        self.write("record uploaded files", move |c| Box::pin(uploads::record(c, files))).await
    }
}
