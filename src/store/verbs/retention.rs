//! The part of the contract that is about deletion: campaigns that settled long ago, and erasure of recipients.

use std::path::Path;

use crate::base::domain::{Address, AudienceId, BatchId, MessageKey, Timestamp};
use crate::store::{Restore, Result};

/// What retention asks of a store.
#[async_trait::async_trait]
pub trait Retention: Send + Sync + std::fmt::Debug {
    /// Marks a settled batch as purged, so that its messages may be deleted; returns whether it has settled.
    ///
    /// - The plan, the counters and the costs of the batch stay.
    async fn begin_purge(&self, batch: BatchId, now: Timestamp) -> Result<bool>;
    /// Deletes some messages of a purged batch with their facts and replies; returns how many.
    async fn purge_piece(&self, batch: BatchId) -> Result<u32>;
    /// Deletes, in pieces, messages from recipients that arrived before `before`.
    ///
    /// - Keeps replies to messages of ours, opt-outs and opt-ins.
    async fn forget_texts(&self, before: Timestamp) -> Result<()>;
    /// Forgets ids of channels that no recipient has any more, and that have neither opted out nor in.
    async fn forget_channel_users(&self) -> Result<()>;
    /// Erases a recipient: the number, and everything that leads to it.
    ///
    /// - Erases it at these rows of audiences, in these messages, and in all that the recipient wrote.
    /// - The opt-out stays.
    /// - The rejected rows with the numbers are removed afterwards, in pieces. An interrupted erasure is repeated.
    /// - Changes nothing and returns `false` if one of the messages has no outcome.
    /// - The same applies if a batch that is not `known` uses one of the audiences.
    /// - The same applies if the recipient has joined an open batch since it had the known number of messages (0 for a
    ///   batch that is not `known`).
    async fn erase(
        &self,
        addresses: Vec<Address>,
        rows: Vec<(AudienceId, u32)>,
        messages: Vec<MessageKey>,
        known: Vec<(BatchId, u32)>,
    ) -> Result<bool>;
    /// Rewrites the database without the space of deleted rows.
    ///
    /// - No other process may use the database meanwhile.
    async fn compact(&self) -> Result<()>;
    /// Writes a copy of the whole database, as of one instant, into a new file; returns its size in bytes.
    ///
    /// - The file appears once it is complete.
    /// - Others may read and write meanwhile.
    /// - The copy says that it is one: see [`Retention::copied_at`].
    /// - Fails with [`Error::Backup`](crate::store::Error::Backup) if the file exists already or cannot be written.
    async fn back_up(&self, into: &Path) -> Result<u64>;
    /// Returns when this database was copied, to the minute before, if it is a copy that is not accepted yet.
    ///
    /// - A copy of such a copy has the time of the first one.
    async fn copied_at(&self) -> Result<Option<Timestamp>>;
    /// Marks every batch that is neither settled nor cancelled as restored, and notes the restore.
    ///
    /// - The mark of a batch ends when it is moved to running or scheduled.
    async fn mark_restored(&self, restore: Restore) -> Result<()>;
    /// Returns the last restore of a backup, if there was one.
    async fn last_restore(&self) -> Result<Option<Restore>>;
    /// Accepts a copy: from now on it is a database like any other.
    ///
    /// - Closes every open batch. New messages begin batches with tags of their own, so no message gets an id that was
    ///   given to another one after the copy was made.
    async fn accept_copy(&self) -> Result<()>;
}
