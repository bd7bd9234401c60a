//! The part of the contract that is about forgetting: campaigns that settled long ago, and recipients who ask for it.

use std::path::Path;

use super::Result;
use crate::domain::{AudienceId, BatchId, MessageKey, Msisdn, Timestamp};

/// What retention asks of a store.
#[async_trait::async_trait]
pub trait Retention: Send + Sync + std::fmt::Debug {
    /// Says of a settled batch that its messages are gone; from then on they may go. Its plan, its counters and what it
    /// spent stay. Returns whether it has settled.
    async fn begin_purge(&self, batch: BatchId, now: Timestamp) -> Result<bool>;
    /// Removes some messages of such a batch with every fact, and what was written on them; returns how many there were.
    async fn purge_piece(&self, batch: BatchId) -> Result<u32>;
    /// Forgets, in pieces, what was written before then and is on no message.
    async fn forget_texts(&self, before: Timestamp) -> Result<()>;
    /// Erases somebody: the number and everything that would lead to them, in these places of audiences, in these
    /// messages, and in all that they wrote. That they opted out stays.
    ///
    /// Changes nothing and returns `false` if one of the messages has no outcome, if a batch that is not `known` uses one of
    /// the audiences, or if the recipient has joined an open batch since it had the known number of messages.
    async fn erase(
        &self,
        person: Msisdn,
        places: Vec<(AudienceId, u32)>,
        messages: Vec<MessageKey>,
        known: Vec<(BatchId, u32)>,
    ) -> Result<bool>;
    /// Writes the database anew without what was removed. Nobody else may use it meanwhile.
    async fn compact(&self) -> Result<()>;
    /// Writes a copy of the whole database, as of one moment, into a new file that appears once it is complete. Returns its
    /// size in bytes.
    ///
    /// - Others may read and write meanwhile.
    /// - Fails with [`Error::Backup`](super::Error::Backup) if there is a file of that name, or it cannot be written.
    async fn back_up(&self, into: &Path) -> Result<u64>;
}
