//! Implements [`Queries`]: each verb runs the statements of its module.

use super::super::{Sqlite, asking};
use crate::domain::{BatchId, Loaded, MessageKey, StepIndex, Timestamp};
use crate::store::{Asked, Asking, Queries, Question, ReportedStatus, Result};

#[async_trait::async_trait]
impl Queries for Sqlite {
    async fn silent(
        &self,
        batch: BatchId,
        steps: Vec<StepIndex>,
        heard: ReportedStatus,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Loaded>> {
        self.read("read messages without receipts", move |c| {
            Box::pin(asking::silent(c, batch, steps, heard, (from, until), limit))
        })
        .await
    }

    async fn questions(&self, about: Vec<(MessageKey, StepIndex)>) -> Result<Vec<Question>> {
        self.read("read what to ask the provider", move |c| Box::pin(async move { asking::questions(c, &about).await }))
            .await
    }

    async fn note_asked(&self, asked: Vec<Asked>, asking: Asking) -> Result<()> {
        self.write("record what was asked", move |c| {
            Box::pin(async move { asking::note_asked(c, &asked, asking).await })
        })
        .await
    }

    async fn asking(&self) -> Result<Vec<Asking>> {
        self.read("read the state of asking the provider", move |c| Box::pin(asking::asking(c))).await
    }
}
