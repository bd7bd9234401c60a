//! The part of the contract that is about links to reports.

use crate::base::domain::{BatchId, Timestamp};
use crate::store::{Result, SecretDigest, SharedReport};

/// Links to reports.
///
/// - A disabled operator ends the links of this operator, in the same transaction.
#[async_trait::async_trait]
pub trait SharedReports: Send + Sync + std::fmt::Debug {
    /// Stores a new link; returns whether it did. It does not if its campaign has `most` links that work already, or if its
    /// operator is unknown or disabled.
    async fn share_report(&self, shared: SharedReport, most: u32) -> Result<bool>;
    /// Finds the link with this secret, also an expired one.
    async fn shared_report(&self, secret: SecretDigest) -> Result<Option<SharedReport>>;
    /// Lists the links of a campaign that expire after `now`, latest first.
    async fn shared_reports(&self, batch: BatchId, now: Timestamp, limit: u32) -> Result<Vec<SharedReport>>;
    /// Ends a link of a campaign; returns whether there was one.
    async fn end_shared_report(&self, batch: BatchId, secret: SecretDigest) -> Result<bool>;
    /// Removes, in pieces, the links that expired before `before`.
    async fn forget_shared_reports(&self, before: Timestamp) -> Result<()>;
}
