//! Implements [`Health`].

use super::super::{MIGRATIONS, Sqlite};
use crate::store::{FlowCount, Health, Result, SchemaVersion, WebhookCounts, WriterFigures, free_space};

#[async_trait::async_trait]
impl Health for Sqlite {
    async fn schema_version(&self) -> Result<SchemaVersion> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        let found = self
            .poll("read the version of the schema", |c| {
                Box::pin(async move {
                    let version = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
                    Ok(sqlx::query_scalar::<_, i64>(version).fetch_one(c).await?)
                })
            })
            .await?;
        Ok(SchemaVersion { found, known })
    }

    fn free_space(&self) -> Option<u64> {
        let folder = self.file.as_ref()?.path.parent()?;
        free_space(folder).ok()
    }

    fn writer_figures(&self) -> WriterFigures {
        self.writer.figures()
    }

    fn flow_counts(&self) -> Vec<FlowCount> {
        self.flows.counts()
    }

    fn webhook_counts(&self) -> WebhookCounts {
        *self.webhooks.lock()
    }
}
