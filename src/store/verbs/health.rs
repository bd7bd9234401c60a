//! The part of the contract that is about the database itself.

use crate::store::{FlowCount, Result, SchemaVersion, WebhookCounts, WriterFigures};

/// How the database is, and what this process has done with it.
#[async_trait::async_trait]
pub trait Health: Send + Sync + std::fmt::Debug {
    /// Reads the version of the schema. Another process may have changed it since the store was opened.
    async fn schema_version(&self) -> Result<SchemaVersion>;
    /// Returns the free bytes of its disk, if it has one and the file system reports them.
    fn free_space(&self) -> Option<u64>;
    /// Returns what the writer does, without waiting for it.
    fn writer_figures(&self) -> WriterFigures;
    /// Returns what has happened to messages since the store was opened, by what this process has committed.
    fn flow_counts(&self) -> Vec<FlowCount>;
    /// Returns what has come of webhooks since the store was opened, by what this process has recorded.
    fn webhook_counts(&self) -> WebhookCounts;
}
