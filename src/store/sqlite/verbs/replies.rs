//! Implements [`Replies`]: each verb runs the statements of its module.

use super::super::{Sqlite, inbound, possible_stops, windows};
use crate::base::domain::{AddressKey, BatchId, Msisdn, StepIndex, Timestamp};
use crate::store::{Cursor, Inbound, InboundOf, Replies, ReplyCount, Result, Sender};

#[async_trait::async_trait]
impl Replies for Sqlite {
    async fn inbound(&self, of: InboundOf, after: Cursor, limit: u32) -> Result<Vec<(Cursor, Inbound)>> {
        self.read("read inbound messages", move |c| Box::pin(inbound::list(c, of, after, limit))).await
    }

    async fn inbound_before(
        &self,
        of: InboundOf,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Inbound)>> {
        self.read("read latest inbound messages", move |c| Box::pin(inbound::list_before(c, of, before, limit))).await
    }

    async fn replied(&self, batch: BatchId) -> Result<Vec<(StepIndex, u32)>> {
        self.read("count replies", move |c| Box::pin(inbound::replied(c, batch))).await
    }

    async fn reply_counts(&self, batch: BatchId, limit: u32) -> Result<Vec<ReplyCount>> {
        self.read("count replies by kind", move |c| Box::pin(inbound::reply_counts(c, batch, limit))).await
    }

    async fn due_confirmations(&self, limit: u32) -> Result<Vec<(Cursor, Inbound)>> {
        self.read("list due confirmations", move |c| Box::pin(inbound::due_confirmations(c, limit))).await
    }

    async fn forget_confirmations(&self, of: Vec<Cursor>) -> Result<()> {
        let verb = "forget due confirmations";
        self.write(verb, move |c| Box::pin(async move { inbound::forget_confirmations(c, &of).await.map(drop) })).await
    }

    async fn possible_stop(&self, umid: String) -> Result<Option<Inbound>> {
        self.read("read a possible opt-out", move |c| Box::pin(async move { possible_stops::one(c, &umid).await }))
            .await
    }

    async fn decide_possible_stop(&self, umid: String) -> Result<bool> {
        let verb = "decide about a possible opt-out";
        self.write(verb, move |c| Box::pin(async move { possible_stops::decide(c, &umid).await })).await
    }

    async fn open_windows(
        &self,
        recipients: Vec<AddressKey>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<(AddressKey, Timestamp)>> {
        let verb = "read open windows";
        self.read(verb, move |c| Box::pin(async move { windows::windows(c, &recipients, &sender, now).await })).await
    }

    async fn closed_windows(
        &self,
        recipients: Vec<AddressKey>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<AddressKey>> {
        let verb = "read closed windows";
        self.read(verb, move |c| Box::pin(async move { windows::closed_windows(c, &recipients, &sender, now).await }))
            .await
    }

    async fn window_holders(
        &self,
        sender: Sender,
        now: Timestamp,
        after: Option<Msisdn>,
        limit: u32,
    ) -> Result<Vec<Msisdn>> {
        let verb = "list open windows";
        self.read(verb, move |c| Box::pin(async move { windows::holders(c, &sender, now, after, limit).await })).await
    }
}
