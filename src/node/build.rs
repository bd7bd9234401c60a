//! Builds lanes from their configuration, with the buckets and tiers that they share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StartError;
use crate::base::clock::{Chance, Clock, Tick};
use crate::base::config::{self, Config};
use crate::base::domain::{Channel, LaneId, Tier, Timestamp};
use crate::provider::client::{Client, Observed, Observer, Reach, Transport};
use crate::sending::ask::{self, Asker};
use crate::sending::book::Book;
use crate::sending::dispatch::{Fleet, LaneParts, RunningLane};
use crate::sending::receipts::Intake;
use crate::sending::throttle::{Bucket, Holds, Pace, Pairs, Tenure, TierWindow};
use crate::sending::timers::{Addresses, Gaps};
use crate::store::{self, BucketOf, LaneState, Lanes, Store, TierSlot};

/// Lanes, and the buckets and tiers that they share.
pub(super) struct Built {
    pub(super) lanes: Vec<Arc<RunningLane>>,
    pub(super) accounts: BTreeMap<String, Arc<Bucket>>,
    pub(super) tiers: BTreeMap<String, Arc<TierWindow>>,
}

pub(super) struct Building<'a> {
    /// The configuration with the overrides in effect.
    pub(super) config: &'a Config,
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) book: &'a Arc<Book>,
    pub(super) holds: &'a Arc<Holds>,
    pub(super) tenure: &'a Arc<Tenure>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) chance: &'a Arc<Chance>,
    pub(super) gaps: &'a Arc<Gaps>,
    /// Whether no server has ever run on this database.
    pub(super) is_first: bool,
}

/// Reports to `gaps` how requests to one address end.
#[derive(Debug)]
struct ReachObserver {
    gaps: Arc<Gaps>,
    clock: Arc<dyn Clock>,
    address: usize,
}

impl Observer for ReachObserver {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn ended(&self, begun: Timestamp, reach: &Reach) {
        match reach {
            Reach::Proven => self.gaps.reached(self.address, self.clock.now()),
            Reach::Failed { .. } => self.gaps.not_reached(self.address, begun),
            Reach::Unclear => {}
        }
    }
}

/// The provider address of each lane.
pub(super) async fn addresses(config: &Config, store: &dyn Lanes) -> store::Result<Addresses> {
    let names = config.lanes.iter().map(|lane| (lane.name.clone(), lane.channel)).collect();
    let mut addresses = Addresses::default();
    for known in store.lanes(names).await? {
        if let Some(lane) = config.lane(&known.name) {
            addresses.add(known.id, &lane.provider.base_url, &lane.provider.sub_account);
        }
    }
    Ok(addresses)
}

impl Building<'_> {
    pub(super) async fn lanes(
        &self,
        transport: &impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
        in_flight: &BTreeMap<LaneId, u32>,
    ) -> Result<Built, StartError> {
        let names = self.config.lanes.iter().map(|lane| (lane.name.clone(), lane.channel)).collect();
        let lane_ids: BTreeMap<String, LaneId> =
            self.store.lanes(names).await?.into_iter().map(|known| (known.name, known.id)).collect();
        let noted: BTreeMap<BucketOf, u64> =
            self.store.buckets().await?.into_iter().map(|noted| (noted.of, noted.full_at)).collect();
        // A message in flight may have been sent at any time until now.
        let unknown =
            |lane: &config::Lane| lane_ids.get(&lane.name).and_then(|id| in_flight.get(id)).copied().unwrap_or(0);
        let restore = |bucket: &Bucket, of: BucketOf, unknown: u32| {
            if bucket.to_note().is_some()
                && let Some(full_at) = noted.get(&of)
            {
                bucket.go_on_from(Tick::from_nanos(*full_at), unknown);
            }
        };
        let accounts = self.accounts();
        for (name, bucket) in &accounts {
            let lanes = self.config.lanes.iter().filter(|lane| lane.account == *name);
            restore(bucket, BucketOf::Account(name.clone()), lanes.map(unknown).sum());
        }
        let tiers = self.tiers(&lane_ids).await?;
        // The lane states that the previous server recorded.
        let states = self.store.lane_states(Timestamp::default()).await?;
        let states: BTreeMap<String, LaneState> = states.into_iter().map(|state| (state.lane.clone(), state)).collect();
        let mut pairs: BTreeMap<String, Arc<Pairs>> = BTreeMap::new();
        let (mut lanes, fleet) = (Vec::with_capacity(self.config.lanes.len()), Arc::new(Fleet::default()));
        for lane in &self.config.lanes {
            let Some(id) = lane_ids.get(&lane.name).copied() else { continue };
            let bucket = Arc::new(Bucket::new(lane.rate, lane.burst, Arc::clone(self.clock)));
            restore(&bucket, BucketOf::Lane(lane.name.clone()), unknown(lane));
            let account = accounts.get(lane.account.as_str()).cloned();
            let of_portfolio = |portfolio: &str| Some((portfolio.to_owned(), Arc::clone(tiers.get(portfolio)?)));
            let tier = lane.tiered().and_then(of_portfolio);
            let built = RunningLane::new(LaneParts {
                id,
                config: lane.clone(),
                client: self.client(id, transport(lane)?).on(lane.channel),
                pace: Pace::new(bucket, account),
                pairs: (lane.channel == Channel::WhatsApp).then(|| self.pairs_of(lane, &mut pairs)),
                tier,
                holds: Arc::clone(self.holds),
                tenure: Arc::clone(self.tenure),
                fleet: Arc::clone(&fleet),
                book: Arc::clone(self.book),
                clock: Arc::clone(self.clock),
                chance: Arc::clone(self.chance),
            });
            if let Some(state) = states.get(&lane.name) {
                built.go_on_from(state);
            }
            lanes.push(built);
        }
        Ok(Built { lanes, accounts, tiers })
    }

    /// The limit of messages to each recipient from the number of a lane. All lanes with one number are one sender.
    fn pairs_of(&self, lane: &config::Lane, pairs: &mut BTreeMap<String, Arc<Pairs>>) -> Arc<Pairs> {
        let sender = lane.number.map_or_else(|| lane.name.clone(), |number| number.to_string());
        let new = || {
            let clock = Arc::clone(self.clock);
            Arc::new(if self.is_first { Pairs::of_first_server(clock) } else { Pairs::new(clock) })
        };
        Arc::clone(pairs.entry(sender).or_insert_with(new))
    }

    /// One asker for each subaccount, with the key of its first lane.
    pub(super) fn askers(
        &self,
        lanes: &[Arc<RunningLane>],
        intake: &Intake,
        transport: &impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Result<Vec<Asker>, StartError> {
        let mut by_subaccount: BTreeMap<(&str, &str), Vec<&RunningLane>> = BTreeMap::new();
        for lane in lanes {
            let provider = &lane.config.provider;
            by_subaccount.entry((&provider.base_url, &provider.sub_account)).or_default().push(lane);
        }
        let asker =
            |((_, sub_account), lanes): ((&str, &str), Vec<&RunningLane>)| -> Result<Option<Asker>, StartError> {
                let Some(first) = lanes.first() else { return Ok(None) };
                Ok(Some(Asker::new(ask::AskerParts {
                    store: Arc::clone(self.store),
                    book: Arc::clone(self.book),
                    clock: Arc::clone(self.clock),
                    gaps: Arc::clone(self.gaps),
                    intake: intake.clone(),
                    client: self.client(first.id, transport(&first.config)?),
                    address: self.gaps.address_of(first.id),
                    sub_account: sub_account.to_owned(),
                    lanes: lanes.iter().map(|lane| lane.id).collect(),
                })))
            };
        by_subaccount.into_iter().filter_map(|entry| asker(entry).transpose()).collect()
    }

    /// The client of a lane, whose requests show whether its address can be reached.
    fn client(&self, lane: LaneId, transport: Box<dyn Transport>) -> Client {
        let Some(address) = self.gaps.address_of(lane) else { return Client::new(transport) };
        let observer = ReachObserver { gaps: Arc::clone(self.gaps), clock: Arc::clone(self.clock), address };
        Client::new(Box::new(Observed::new(transport, observer)))
    }

    fn accounts(&self) -> BTreeMap<String, Arc<Bucket>> {
        let with_rate = self.config.accounts.iter().filter_map(|account| Some((account, account.rate?)));
        with_rate
            .map(|(account, rate)| {
                let burst = account.burst(rate, &self.config.lanes);
                (account.name.clone(), Arc::new(Bucket::new(rate, burst, Arc::clone(self.clock))))
            })
            .collect()
    }

    /// The tier of each portfolio, with the recipients of the last day if it is limited.
    async fn tiers(
        &self,
        lane_ids: &BTreeMap<String, LaneId>,
    ) -> Result<BTreeMap<String, Arc<TierWindow>>, StartError> {
        let since = self.clock.now() - Tier::HELD;
        let limited = limited(self.config, lane_ids);
        let names = limited.keys().cloned().collect();
        self.store.count_no_others(limited.clone()).await?;
        let mut counted = self.store.count_tiers(limited.clone(), since, None).await?;
        while counted.is_some() {
            counted = self.store.count_tiers(limited.clone(), since, counted).await?;
        }
        let mut slots = self.store.tier_slots(names, since).await?;
        let unknown = self.store.unknown_slots(since).await?;
        let tier = |(portfolio, tier): (&str, Tier)| {
            let recipients = slots.remove(portfolio).unwrap_or_default().into_iter().flat_map(TierSlot::times);
            let window = TierWindow::new(tier, recipients);
            window.set_unknown(unknown.get(portfolio).copied());
            (portfolio.to_owned(), Arc::new(window))
        };
        Ok(self.config.portfolios().map(tier).collect())
    }
}

/// The portfolios with a limited tier, with the ids of their lanes.
pub(super) fn limited(config: &Config, lane_ids: &BTreeMap<String, LaneId>) -> BTreeMap<String, Vec<LaneId>> {
    let mut limited = BTreeMap::<String, Vec<LaneId>>::new();
    for lane in &config.lanes {
        if let Some((portfolio, id)) = lane.limited_portfolio().zip(lane_ids.get(&lane.name)) {
            limited.entry(portfolio.to_owned()).or_default().push(*id);
        }
    }
    limited
}
