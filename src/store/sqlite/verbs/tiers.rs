//! Implements [`Tiers`]: each verb runs the statements of its module.

use std::collections::BTreeMap;

use super::super::{Sqlite, tiers};
use crate::base::domain::{AddressKey, LaneId, MessageKey, Timestamp};
use crate::base::events::Origin;
use crate::store::{Result, TierSlot, Tiers, UnknownSlots};

#[async_trait::async_trait]
impl Tiers for Sqlite {
    async fn count_no_others(&self, portfolios: BTreeMap<String, Vec<LaneId>>) -> Result<()> {
        self.stop_counting_others(portfolios).await
    }

    async fn count_tiers(
        &self,
        portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
        from: Option<MessageKey>,
    ) -> Result<Option<MessageKey>> {
        self.recount_tiers(portfolios, since, from).await
    }

    async fn tier_slots(&self, portfolios: Vec<String>, since: Timestamp) -> Result<BTreeMap<String, Vec<TierSlot>>> {
        self.read("read the slots of tiers", move |c| {
            Box::pin(async move { tiers::slots(c, &portfolios, since).await })
        })
        .await
    }

    async fn tiers_used(&self, since: Timestamp) -> Result<BTreeMap<String, u32>> {
        self.read("count the recipients of tiers", move |c| Box::pin(tiers::used(c, since))).await
    }

    async fn forget_slots(&self, before: Timestamp) -> Result<()> {
        let mut after = Some(tiers::START);
        while let Some(from) = after {
            after = self.write("delete old slots of a tier", move |c| Box::pin(tiers::forget(c, from, before))).await?;
        }
        Ok(())
    }

    async fn note_unknown_slots(
        &self,
        portfolio: &str,
        slots: UnknownSlots,
        origin: Origin,
        now: Timestamp,
    ) -> Result<u64> {
        let (verb, portfolio) = ("note unknown slots of a tier", portfolio.to_owned());
        self.write(verb, move |c| Box::pin(tiers::note_unknown(c, portfolio, slots, origin, now))).await
    }

    async fn unknown_slots(&self, since: Timestamp) -> Result<BTreeMap<String, UnknownSlots>> {
        self.read("read unknown slots of tiers", move |c| Box::pin(tiers::unknown(c, since))).await
    }

    async fn take_slots(&self, portfolio: &str, recipients: Vec<(AddressKey, Timestamp)>) -> Result<()> {
        let (verb, portfolio) = ("take slots of a tier", portfolio.to_owned());
        self.write(verb, move |c| Box::pin(async move { tiers::take_slots(c, &portfolio, &recipients).await })).await
    }
}
