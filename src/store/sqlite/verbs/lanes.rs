//! Implements [`Lanes`]: each verb runs the statements of its module.

use super::super::{Sqlite, lanes, overrides};
use crate::base::domain::{Channel, OverridableSetting, Timestamp};
use crate::base::events::Origin;
use crate::store::{Hold, Lanes, NotedBucket, Override, ProviderReport, Result, StoredLane};

#[async_trait::async_trait]
impl Lanes for Sqlite {
    async fn lanes(&self, lanes: Vec<(String, Channel)>) -> Result<Vec<StoredLane>> {
        let known = self.read("read the lanes", move |c| Box::pin(lanes::known(c))).await?;
        let is_known = |(name, channel): &(String, Channel)| {
            known.iter().any(|lane| lane.name == *name && lane.channel == *channel)
        };
        if lanes.iter().all(is_known) {
            return Ok(known);
        }
        self.write("register lanes", move |c| Box::pin(lanes::lanes(c, lanes))).await
    }

    async fn holds(&self) -> Result<Vec<Hold>> {
        self.read("read holds", move |c| Box::pin(lanes::holds(c))).await
    }

    async fn hold(&self, hold: Hold, begun: Timestamp) -> Result<u64> {
        self.write("hold a lane or a template", move |c| Box::pin(lanes::hold(c, hold, begun))).await
    }

    async fn release(&self, lane: String, template: String, now: Timestamp, by: Origin) -> Result<u32> {
        self.write("release a hold", move |c| Box::pin(lanes::release(c, lane, template, now, by))).await
    }

    async fn overrides(&self) -> Result<Vec<Override>> {
        self.read("read changed settings", move |c| Box::pin(overrides::all(c))).await
    }

    async fn set_override(&self, overridden: Override, now: Timestamp) -> Result<Option<u64>> {
        self.write("change a setting", move |c| Box::pin(overrides::set(c, overridden, now))).await
    }

    async fn end_override(
        &self,
        setting: OverridableSetting,
        name: String,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>> {
        self.write("reset a setting", move |c| Box::pin(overrides::clear(c, setting, name, origin, now))).await
    }

    async fn buckets(&self) -> Result<Vec<NotedBucket>> {
        self.read("read the token buckets", move |c| Box::pin(overrides::buckets(c))).await
    }

    async fn provider_reports(&self) -> Result<Vec<ProviderReport>> {
        self.read("read the provider's reports", move |c| Box::pin(overrides::provider_reports(c))).await
    }
}
