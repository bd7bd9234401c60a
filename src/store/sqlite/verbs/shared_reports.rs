//! Implements [`SharedReports`]: each verb runs the statements of its module.

use super::super::{Sqlite, shared_reports};
use crate::base::domain::{BatchId, Timestamp};
use crate::store::{Result, SecretDigest, SharedReport, SharedReports};

#[async_trait::async_trait]
impl SharedReports for Sqlite {
    async fn share_report(&self, shared: SharedReport, most: u32) -> Result<bool> {
        self.write("store a link to a report", move |c| Box::pin(shared_reports::share(c, shared, most))).await
    }

    async fn shared_report(&self, secret: SecretDigest) -> Result<Option<SharedReport>> {
        self.read("read a link to a report", move |c| Box::pin(shared_reports::find(c, secret))).await
    }

    async fn shared_reports(&self, batch: BatchId, now: Timestamp, limit: u32) -> Result<Vec<SharedReport>> {
        self.read("list the links to a report", move |c| Box::pin(shared_reports::list(c, batch, now, limit))).await
    }

    async fn end_shared_report(&self, batch: BatchId, secret: SecretDigest) -> Result<bool> {
        self.write("end a link to a report", move |c| Box::pin(shared_reports::end(c, batch, secret))).await
    }

    async fn forget_shared_reports(&self, before: Timestamp) -> Result<()> {
        while self.write("remove expired links", move |c| Box::pin(shared_reports::forget(c, before))).await? > 0 {}
        Ok(())
    }
}
