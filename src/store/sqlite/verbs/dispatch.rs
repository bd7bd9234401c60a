//! Implements [`Dispatch`].

use super::super::{Sqlite, claim, messages, reads, tiers};
use crate::base::domain::{AddressKey, Loaded, MessageKey, Timestamp};
use crate::store::flow::FlowCounts;
use crate::store::signal::signals_of;
use crate::store::{Change, Claim, ClaimedSet, Dispatch, Epoch, NotedBucket, Result};

#[async_trait::async_trait]
impl Dispatch for Sqlite {
    async fn claim(&self, claim: Claim) -> Result<ClaimedSet> {
        self.write_for_caller("claim messages", move |c| Box::pin(claim::claim(c, claim))).await
    }

    async fn record_noting(&self, changes: Vec<Change>, buckets: Vec<NotedBucket>) -> Result<Vec<MessageKey>> {
        let signals = signals_of(&changes);
        let (stale, flows) = self
            .write_to_the_end("record changes", move |c| {
                Box::pin(async move {
                    let stale = messages::record(c, &[], &changes, &buckets).await?;
                    let flows = FlowCounts::of(&changes, &stale);
                    Ok((stale, flows))
                })
            })
            .await?;
        self.flows.add(&flows);
        self.signals.send(&signals);
        Ok(stale)
    }

    async fn in_flight(&self, epoch: Epoch, after: Option<MessageKey>, limit: u32) -> Result<Vec<Loaded>> {
        self.read("find messages in flight", move |c| Box::pin(reads::in_flight(c, epoch, after, limit))).await
    }

    async fn give_back_places(&self, portfolio: &str, recipients: Vec<(AddressKey, Timestamp)>) -> Result<()> {
        let portfolio = portfolio.to_owned();
        let verb = "release slots of a tier";
        self.write(verb, move |c| Box::pin(async move { tiers::return_slots(c, &portfolio, recipients).await })).await
    }
}
