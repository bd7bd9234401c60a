//! Implements [`Queries`]: each verb runs the statements of its module.

use super::super::{Sqlite, asking};
use crate::base::domain::{BatchId, Loaded, MessageKey, StepIndex, Timestamp};
use crate::store::{HighestStatus, Queries, Query, QueryState, Question, Result};

#[async_trait::async_trait]
impl Queries for Sqlite {
    async fn silent(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        reported: HighestStatus,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Loaded>> {
        self.read("read messages without receipts", move |c| {
            Box::pin(asking::silent(c, batch, steps, reported, (from, until), limit))
        })
        .await
    }

    async fn questions(&self, about: Vec<(MessageKey, StepIndex)>) -> Result<Vec<Question>> {
        self.read("read what to ask the provider", move |c| Box::pin(async move { asking::questions(c, &about).await }))
            .await
    }

    async fn record_queries(&self, asked: Vec<Query>, state: QueryState) -> Result<()> {
        self.write("record what was asked", move |c| {
            Box::pin(async move { asking::record_queries(c, &asked, state).await })
        })
        .await
    }

    async fn query_states(&self) -> Result<Vec<QueryState>> {
        self.read("read the state of asking the provider", move |c| Box::pin(asking::query_states(c))).await
    }
}
