//! What retention asks, answered.

use sqlx::Connection;

use super::{Sqlite, retention};
use crate::domain::{AudienceId, BatchId, MessageKey, Msisdn, Timestamp};
use crate::store::{Error, Result, Retention};

#[async_trait::async_trait]
impl Retention for Sqlite {
    async fn begin_purge(&self, batch: BatchId, now: Timestamp) -> Result<bool> {
        self.write("begin a purge", move |c| Box::pin(retention::begin(c, batch, now))).await
    }

    async fn purge_piece(&self, batch: BatchId) -> Result<u32> {
        self.write("purge messages", move |c| Box::pin(retention::piece(c, batch))).await
    }

    async fn forget_texts(&self, before: Timestamp) -> Result<()> {
        while self.write("forget texts", move |c| Box::pin(retention::forget_texts(c, before))).await? > 0 {}
        Ok(())
    }

    async fn erase(
        &self,
        person: Msisdn,
        places: Vec<(AudienceId, u32)>,
        messages: Vec<MessageKey>,
        known: Vec<(BatchId, u32)>,
    ) -> Result<bool> {
        self.write("erase somebody", move |c| Box::pin(retention::erase(c, person, places, messages, known))).await
    }

    async fn compact(&self) -> Result<()> {
        const VERB: &str = "write the database anew";
        let Some(path) = &self.path else { return Ok(()) };
        let mut connection = Self::bare(path).await?;
        for text in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(text).execute(&mut connection).await.map_err(|source| Error::of(VERB, source))?;
        }
        connection.close().await.map_err(|source| Error::of(VERB, source))
    }
}
