//! Implements [`Events`]: each verb runs the statements of its module.

use super::super::{Sqlite, nodes};
use crate::base::domain::BatchId;
use crate::base::events::Event;
use crate::store::{Cursor, Events, Result};

#[async_trait::async_trait]
impl Events for Sqlite {
    async fn seq(&self) -> Result<u64> {
        self.read("read the latest decision", move |c| Box::pin(nodes::seq(c))).await
    }

    async fn record_event(&self, event: Event) -> Result<()> {
        self.write("record an event", move |c| Box::pin(nodes::record_event(c, event))).await
    }

    async fn events(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, Event)>> {
        self.read("read events", move |c| Box::pin(nodes::events(c, after, limit))).await
    }

    async fn events_before(
        &self,
        of: Option<BatchId>,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Event)>> {
        self.read("read earlier events", move |c| Box::pin(nodes::events_before(c, of, before, limit))).await
    }

    async fn events_of(&self, batch: BatchId, lanes: Vec<String>, limit: u32) -> Result<Vec<Event>> {
        self.read("read the events of a campaign", move |c| Box::pin(nodes::events_of(c, batch, lanes, limit))).await
    }
}
