use crate::base::domain::BatchId;
use crate::base::events::Event;
use crate::store::{Cursor, Result};

/// Decisions and events.
#[async_trait::async_trait]
pub trait Events: Send + Sync + std::fmt::Debug {
    /// Reads the number of the latest decision, which rises with each decision of an operator or of the throttle.
    async fn seq(&self) -> Result<u64>;
    /// Records an event.
    async fn record_event(&self, event: Event) -> Result<()>;
    /// Lists the `limit` latest events after `after`, latest last, each with its position.
    async fn events(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, Event)>>;
    /// Lists the `limit` latest events before `before`, latest first, each with its position; of a batch and its steps
    /// alone, if one is given.
    async fn events_before(
        &self,
        of: Option<BatchId>,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Event)>>;
    /// Lists the `limit` latest events of a batch, its steps, these lanes and their templates, latest last.
    async fn events_of(&self, batch: BatchId, lanes: Vec<String>, limit: u32) -> Result<Vec<Event>>;
}
