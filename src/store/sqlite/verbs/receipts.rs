//! Implements [`Receipts`].

use super::super::{Sqlite, naming, overrides, receipts};
use crate::base::domain::Timestamp;
use crate::store::signal::signals_of;
use crate::store::{
    AccountEvent, Cursor, FoundAttempt, Kept, Key, NamingLane, Receipts, Result, Stray, StrayCount, StrayKind,
    WebhookGroup,
};

#[async_trait::async_trait]
impl Receipts for Sqlite {
    async fn take(&self, taken: WebhookGroup) -> Result<Kept> {
        let signals = signals_of(&taken.changes);
        let (kept, flows) = self.write("store receipts", move |c| Box::pin(receipts::take(c, taken))).await?;
        self.flows.add(&flows);
        self.signals.send(&signals);
        Ok(kept)
    }

    async fn find(&self, keys: Vec<Key>) -> Result<Vec<Option<FoundAttempt>>> {
        self.read("find attempts", move |c| Box::pin(receipts::find(c, keys))).await
    }

    async fn naming_lanes(&self) -> Result<Vec<NamingLane>> {
        self.read("list lanes whose receipts carry our ids", move |c| Box::pin(naming::all(c))).await
    }

    async fn strays(
        &self,
        kind: StrayKind,
        since: Timestamp,
        after: Cursor,
        limit: u32,
    ) -> Result<Vec<(Cursor, Stray)>> {
        self.read("read strays", move |c| Box::pin(receipts::strays(c, kind, since, after, limit))).await
    }

    async fn forget_strays(&self, strays: Vec<Cursor>) -> Result<()> {
        self.write("delete strays", move |c| Box::pin(receipts::forget_strays(c, strays))).await
    }

    async fn forget_old_strays(&self, before: Timestamp) -> Result<()> {
        while self.write("delete old strays", move |c| Box::pin(receipts::forget_old_strays(c, before))).await? > 0 {}
        Ok(())
    }

    async fn stray_counts(&self) -> Result<Vec<StrayCount>> {
        self.read("count strays", move |c| Box::pin(receipts::stray_counts(c))).await
    }

    async fn take_business(&self, events: Vec<AccountEvent>) -> Result<u32> {
        self.write("store account events", move |c| Box::pin(overrides::take_business(c, events))).await
    }
}
