//! Lanes from their configuration: who shares which bucket, and which tier.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;

use super::StartError;
use crate::ask::{self, Asker};
use crate::clock::{Chance, Clock};
use crate::config::{self, Config};
use crate::dispatch::{Lane, Parts};
use crate::domain::{Span, Tier};
use crate::provider::{Client, Transport};
use crate::receipts::Intake;
use crate::store::{Book, Store};
use crate::throttle::{Bucket, DAY, Holds, Pace, TierWindow};
use crate::timers::Gaps;

/// How much of its rate an account may let go at once, as with lanes.
const ACCOUNT_BURST: Span = Span::from_millis(50);

pub(super) struct Building<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) book: &'a Arc<Book>,
    pub(super) holds: &'a Arc<Holds>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) chance: &'a Arc<Chance>,
}

impl Building<'_> {
    pub(super) async fn lanes(
        &self,
        transport: &impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Vec<Arc<Lane>>, StartError> {
        let names = self.config.lanes.iter().map(|lane| (lane.name.clone(), lane.channel)).collect();
        let numbered = self.store.lanes(names).await?;
        let accounts = self.accounts();
        let tiers = self.tiers().await?;
        let mut lanes = Vec::with_capacity(self.config.lanes.len());
        for lane in &self.config.lanes {
            let Some(known) = numbered.iter().find(|known| known.name == lane.name) else { continue };
            let bucket = Arc::new(Bucket::new(lane.rate, lane.burst, Arc::clone(self.clock)));
            let account = accounts.get(lane.account.as_str()).cloned();
            let tier = lane
                .tiered()
                .and_then(|portfolio| tiers.get(portfolio).map(|window| (portfolio.to_owned(), Arc::clone(window))));
            lanes.push(Arc::new(Lane::new(Parts {
                id: known.id,
                config: lane.clone(),
                client: Client::new(transport(lane)?),
                pace: Pace::new(bucket, account),
                tier,
                holds: Arc::clone(self.holds),
                book: Arc::clone(self.book),
                clock: Arc::clone(self.clock),
                chance: Arc::clone(self.chance),
            })));
        }
        Ok(lanes)
    }

    /// One for each subaccount, with the key of its first lane.
    pub(super) fn askers(
        &self,
        lanes: &[Arc<Lane>],
        gaps: &Arc<Gaps>,
        intake: &Intake,
        transport: &impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Vec<Asker>, StartError> {
        let mut by_account: BTreeMap<(&str, &str), Vec<&Lane>> = BTreeMap::new();
        for lane in lanes {
            let provider = &lane.config.provider;
            by_account.entry((&provider.base_url, &provider.sub_account)).or_default().push(lane);
        }
        let asker = |((_, sub_account), lanes): ((&str, &str), Vec<&Lane>)| -> Result<Option<Asker>, StartError> {
            let Some(first) = lanes.first() else { return Ok(None) };
            Ok(Some(Asker::new(ask::Parts {
                store: Arc::clone(self.store),
                book: Arc::clone(self.book),
                clock: Arc::clone(self.clock),
                gaps: Arc::clone(gaps),
                intake: intake.clone(),
                client: Client::new(transport(&first.config)?),
                sub_account: sub_account.to_owned(),
                lanes: lanes.iter().map(|lane| lane.id).collect(),
            })))
        };
        by_account.into_iter().filter_map(|entry| asker(entry).transpose()).collect()
    }

    fn accounts(&self) -> HashMap<&str, Arc<Bucket>> {
        let with_rate = self.config.accounts.iter().filter_map(|account| Some((account.name.as_str(), account.rate?)));
        with_rate
            .map(|(name, rate)| {
                // Whole batches have to fit through it too.
                let largest = self.config.lanes.iter().filter(|lane| lane.account == name).map(|lane| lane.burst).max();
                let burst = u32::try_from(rate.within(ACCOUNT_BURST)).unwrap_or(u32::MAX);
                let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN).max(largest.unwrap_or(NonZeroU32::MIN));
                (name, Arc::new(Bucket::new(rate, burst, Arc::clone(self.clock))))
            })
            .collect()
    }

    /// The people of the last day of each portfolio with a limited tier, as claims have written them.
    async fn tiers(&self) -> Result<HashMap<String, Arc<TierWindow>>, StartError> {
        let mut tiers = HashMap::new();
        for (portfolio, tier) in self.config.portfolios() {
            let Tier::People(most) = tier else { continue };
            let people = self.store.tier_places(portfolio, self.clock.now() - DAY).await?;
            tiers.insert(portfolio.to_owned(), Arc::new(TierWindow::new(most, people)));
        }
        Ok(tiers)
    }
}
