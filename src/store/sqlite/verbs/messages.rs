//! Implements [`Messages`]: each verb runs the statements of its module.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tokio::sync::watch;

use super::super::{Sqlite, facts, reads, receipts, walk};
use crate::base::domain::{AddressKey, BatchId, Loaded, MessageKey, Queue, Reasons, StepIndex, Timestamp};
use crate::store::{
    Along, Attempt, CodedFacts, Copied, MessageFacts, Messages, QueueTimes, Receipt, Result, Scope, Walk,
};

#[async_trait::async_trait]
impl Messages for Sqlite {
    async fn load(&self, keys: Vec<MessageKey>) -> Result<Vec<Loaded>> {
        self.read("load messages", move |c| Box::pin(reads::load(c, keys))).await
    }

    async fn open_messages(&self, batch: BatchId, after: Option<u32>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("read open messages", move |c| Box::pin(reads::open_messages(c, batch, after, limit))).await
    }

    async fn due(&self, batch: BatchId, until: Timestamp, after: Option<Along>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("read due messages", move |c| Box::pin(reads::due(c, batch, until, after, limit))).await
    }

    async fn queued_since(&self, of: Queue, since: Timestamp, after: Option<Along>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("read queued messages", move |c| Box::pin(reads::queued_since(c, of, since, after, limit))).await
    }

    async fn next_due(&self, batches: Vec<BatchId>) -> Result<BTreeMap<BatchId, Timestamp>> {
        self.read("read the next due times", move |c| Box::pin(reads::next_due(c, batches))).await
    }

    async fn queue_times(&self, queues: Vec<Queue>) -> Result<BTreeMap<Queue, QueueTimes>> {
        self.read("read the times of queues", move |c| Box::pin(reads::queue_times(c, queues))).await
    }

    async fn attempts(&self, messages: Vec<MessageKey>) -> Result<Vec<Vec<Attempt>>> {
        self.read("read attempts", move |c| Box::pin(async move { facts::attempts(c, &messages).await })).await
    }

    async fn receipts(&self, message: MessageKey) -> Result<Vec<Receipt>> {
        self.read("read receipts", move |c| Box::pin(facts::receipts(c, message))).await
    }

    async fn coded_facts(&self, batch: BatchId, numbers: RangeInclusive<u32>, of: Reasons) -> Result<CodedFacts> {
        self.read("read facts by their code", move |c| Box::pin(facts::coded(c, batch, numbers, of))).await
    }

    async fn message_facts(&self, message: MessageKey) -> Result<Option<MessageFacts>> {
        self.read_snapshot("read a message", move |c| Box::pin(walk::one(c, message))).await
    }

    async fn unknown(&self, batch: BatchId, limit: u32) -> Result<Vec<(MessageKey, AddressKey, StepIndex)>> {
        self.read("list unknown attempts", move |c| Box::pin(receipts::unknown(c, batch, limit))).await
    }

    async fn walk(&self, batch: BatchId, scope: Scope, copied: watch::Sender<Copied>) -> Result<Option<Walk>> {
        let spool = self.spool();
        let copy =
            self.read_snapshot("copy a batch", move |c| Box::pin(walk::copy(c, batch, scope, spool, copied))).await?;
        match copy {
            Some(copy) => Ok(Some(copy.opened().await?)),
            None => Ok(None),
        }
    }
}
