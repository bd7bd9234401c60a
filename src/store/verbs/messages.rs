use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tokio::sync::watch;

use crate::base::domain::{AddressKey, BatchId, Loaded, MessageKey, Queue, Reasons, StepIndex, Timestamp};
use crate::store::{Attempt, CodedFacts, Copied, MessageFacts, QueueTimes, Receipt, Result, Scope, Walk};

/// Messages with their timers and facts. These verbs only read.
#[async_trait::async_trait]
pub trait Messages: Send + Sync + std::fmt::Debug {
    /// Loads messages by key, in the order of the keys; omits unknown ones.
    async fn load(&self, keys: Vec<MessageKey>) -> Result<Vec<Loaded>>;
    /// Lists messages of a batch that have no outcome and are not in flight, in order, after number `after`.
    async fn open_messages(&self, batch: BatchId, after: Option<u32>, limit: u32) -> Result<Vec<Loaded>>;
    /// Lists messages of a batch that are due by `until`: earliest first, then by number.
    ///
    /// - `after` is the due time and the number of the last message of the previous page.
    async fn due(
        &self,
        batch: BatchId,
        until: Timestamp,
        after: Option<(Timestamp, u32)>,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Lists messages of a queue that may be sent from `since` or later on: earliest first, then by number.
    ///
    /// - `after` is the time and the number of the last message of the previous page.
    async fn queued_since(
        &self,
        of: Queue,
        since: Timestamp,
        after: Option<(Timestamp, u32)>,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Reads the next due time of each of these batches; omits batches in which no message is due.
    async fn next_due(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Timestamp>>;
    /// Reads from when on the messages of each of these queues may be sent; omits empty queues.
    async fn queue_times(&self, queues: Vec<Queue>) -> Result<BTreeMap<Queue, QueueTimes>>;
    /// Reads the attempts of each message, in the order of their steps.
    async fn attempts(&self, messages: Vec<MessageKey>) -> Result<Vec<Vec<Attempt>>>;
    /// Reads the receipts of a message, in order of arrival.
    async fn receipts(&self, message: MessageKey) -> Result<Vec<Receipt>>;
    /// Reads the rejected attempts and the receipts with these reasons, of the messages with these numbers.
    ///
    /// - The cost grows with the numbers, not with the batch.
    /// - A receipt without a code may report a success.
    async fn coded_facts(&self, batch: BatchId, numbers: RangeInclusive<u32>, of: Reasons) -> Result<CodedFacts>;
    /// Reads a message with every fact about it and its recipient, as of one instant.
    async fn message_facts(&self, message: MessageKey) -> Result<Option<MessageFacts>>;
    /// Lists attempts of a batch whose result is unknown.
    async fn unknown(&self, batch: BatchId, limit: u32) -> Result<Vec<(MessageKey, AddressKey, StepIndex)>>;
    /// Copies everything that is stored about a batch, as of one instant; returns `None` for an unknown batch.
    ///
    /// - The pages are read from the copy. No transaction is open once this returns, so a slow reader never keeps the
    ///   database from folding its log.
    /// - A large copy goes into an unnamed file beside the database.
    /// - Fails with [`crate::store::Error::NoRoom`], before it writes anything, if the disk has too little room.
    /// - Reports its progress to `copied`.
    async fn walk(&self, batch: BatchId, scope: Scope, copied: watch::Sender<Copied>) -> Result<Option<Walk>>;
}
