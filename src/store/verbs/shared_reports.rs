//! The part of the contract that is about links to reports.

use crate::domain::{BatchId, Timestamp};
use crate::store::{Result, SecretDigest, SharedReport};

/// Links to reports.
#[async_trait::async_trait]
pub trait SharedReports: Send + Sync + std::fmt::Debug {
    async fn share_report(&self, shared: SharedReport) -> Result<()>;
    /// Finds the link with this secret, also an expired one.
    async fn shared_report(&self, secret: SecretDigest) -> Result<Option<SharedReport>>;
    /// Lists the links of a campaign that expire after `now`, latest first.
    async fn shared_reports(&self, batch: BatchId, now: Timestamp, limit: u32) -> Result<Vec<SharedReport>>;
    /// Ends a link of a campaign; returns whether there was one.
    async fn end_shared_report(&self, batch: BatchId, secret: SecretDigest) -> Result<bool>;
    /// Removes, in pieces, the links that expired before `before`.
    async fn forget_shared_reports(&self, before: Timestamp) -> Result<()>;
}
