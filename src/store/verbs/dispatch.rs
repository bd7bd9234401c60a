//! The part of the contract that is about sending: claims, and the results of submissions.

use crate::base::domain::{AddressKey, Loaded, MessageKey, Timestamp};
use crate::store::{Change, Claim, ClaimedSet, Epoch, NotedBucket, Result};

/// What dispatch asks of a store.
#[async_trait::async_trait]
pub trait Dispatch: Send + Sync + std::fmt::Debug {
    /// Claims up to `claim.limit` messages: marks them `sending` and commits before any request is made.
    ///
    /// - Takes evenly from the given queues; within a queue, in queue order.
    /// - Skips batches that are not running or have another edition than the claim knows, expired messages, and recipients without
    ///   a tier slot if the tier is limited.
    /// - Fails with [`crate::store::Error::Superseded`], and claims nothing, under any epoch but the present one.
    /// - Not cancel-safe: a caller that stops waiting before the writer has started the claim has claimed nothing. Later
    ///   the caller must await the result, or the claimed messages stay `sending` until the next start.
    async fn claim(&self, claim: Claim) -> Result<ClaimedSet>;
    /// Applies decisions in their order, each only to the version that it was made on.
    ///
    /// - A decision may build on an earlier one of the same call.
    /// - Returns the keys of messages that have another version by now or do not exist; their decisions change nothing.
    async fn record(&self, changes: Vec<Change>) -> Result<Vec<MessageKey>> {
        self.record_noting(changes, Vec::new()).await
    }
    /// Does the same for submitted messages, and records the state of the token buckets that they used.
    ///
    /// - Never moves a bucket's time back.
    async fn record_noting(&self, changes: Vec<Change>, buckets: Vec<NotedBucket>) -> Result<Vec<MessageKey>>;
    /// Lists messages in flight of all lanes that were claimed in an epoch before `epoch`, in order, after `after`.
    ///
    /// - These are the messages that the servers of those epochs had claimed when they ended.
    async fn in_flight(&self, epoch: Epoch, after: Option<MessageKey>, limit: u32) -> Result<Vec<Loaded>>;
    /// Gives back the slots that claims took at these times, for recipients to whom nothing was submitted.
    ///
    /// - A recipient's previous slot counts again.
    /// - A slot that another claim has taken since stays.
    async fn give_back_places(&self, portfolio: &str, recipients: Vec<(AddressKey, Timestamp)>) -> Result<()>;
}
