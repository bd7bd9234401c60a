use crate::base::domain::{BatchId, Loaded, MessageKey, StepIndex, Timestamp};
use crate::store::{HighestStatus, Query, QueryState, Question, Result};

/// Queries to the provider about attempts without receipts.
#[async_trait::async_trait]
pub trait Queries: Send + Sync + std::fmt::Debug {
    /// Lists messages to ask the provider about, earliest due first.
    ///
    /// - They are due after `from` and by `until`, and are at one of `steps`.
    /// - Exactly `reported` was reported about the attempt of their step.
    async fn silent(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        reported: HighestStatus,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Loaded>>;
    /// Reads the umids by which the provider can be asked about attempts, and earlier questions, in the order of `about`.
    async fn questions(&self, about: Vec<(MessageKey, StepIndex)>) -> Result<Vec<Question>>;
    /// Records questions to the provider, and whether it answers.
    async fn record_queries(&self, asked: Vec<Query>, state: QueryState) -> Result<()>;
    /// Reads whether the provider answers, for every subaccount that was ever asked.
    async fn query_states(&self) -> Result<Vec<QueryState>>;
}
