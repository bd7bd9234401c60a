//! The part of the contract that is about sending: what leaves, and what came of it.

use super::{Change, Claim, ClaimedSet, Epoch, NotedBucket, Result};
use crate::domain::{Loaded, MessageKey, Msisdn, Timestamp};

/// What dispatch asks of a store.
#[async_trait::async_trait]
pub trait Dispatch: Send + Sync + std::fmt::Debug {
    /// Moves messages from their queues into `sending`; the write-ahead of every hand-over. Batches that do not run,
    /// and messages whose waiting is over, stay where they are; so does, where the tier is limited, whoever holds no place
    /// in it and gets none. The queues named share what is taken
    /// evenly; they come in their order, and what is of one in its own. Whoever stops waiting for the answer before the claim's turn has come has claimed nothing; later
    /// than that, what was claimed is in nobody's hands, so see the claim through. Fails with [`super::Error::Superseded`],
    /// and claims nothing, under any epoch but the present one.
    async fn claim(&self, claim: Claim) -> Result<ClaimedSet>;
    /// Applies decisions, each only to the version that it was made on, in their order: one may build on another.
    /// Returns those that came too late, and those about messages that are not there.
    async fn record(&self, changes: Vec<Change>) -> Result<Vec<MessageKey>> {
        self.record_noting(changes, Vec::new()).await
    }
    /// The same for what has left, with what is left in the buckets that it has left by.
    async fn record_noting(&self, changes: Vec<Change>, buckets: Vec<NotedBucket>) -> Result<Vec<MessageKey>>;
    /// Messages in flight behind `after` that were claimed in an epoch before `epoch`, of all lanes, in order: what the
    /// servers of those epochs had in their hands when they ended.
    async fn in_flight(&self, epoch: Epoch, after: Option<MessageKey>, limit: u32) -> Result<Vec<Loaded>>;
    /// Gives back the places that claims took at these times, for people to whom nothing was handed over after all. What
    /// a person had before counts again; a place that another claim has taken since stays.
    async fn give_back_places(&self, portfolio: &str, people: Vec<(Msisdn, Timestamp)>) -> Result<()>;
}
