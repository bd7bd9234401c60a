//! What a forecast of a campaign is made of, as things stand.

use std::collections::{BTreeMap, VecDeque};

use super::beginnings::Beginnings;
use super::forecast::{Account, Forecast, Group, Outlook, Portfolio, Road};
use super::launch::{LaunchError, Launcher, Prepared};
use super::people::People;
use super::shares::as_float;
use crate::audience::understood;
use crate::config::Lane;
use crate::domain::{
    BatchId, BatchState, Count, Country, OnTierSpent, Plan, Span, Step, StepIndex, Tallies, Tier, Timestamp, usual_zone,
};
use crate::store::Batch;

/// Places that come free within so long are looked at together.
const TOGETHER: Span = Span::from_secs(3_600);

/// What other campaigns want of a lane.
#[derive(Debug, Clone, Default)]
struct Others {
    /// How many have something waiting now, and how much.
    campaigns: f64,
    waiting: f64,
    /// What will wait later: from when, and how much.
    coming: Vec<(Timestamp, f64)>,
}

impl Others {
    /// The lane that they share.
    fn on(self, lane: &Lane, account: Option<usize>, portfolio: Option<usize>) -> Road {
        Road {
            lane: lane.name.clone(),
            rate: lane.rate.each_second(),
            account,
            portfolio,
            campaigns: self.campaigns,
            others: self.waiting,
            coming: self.coming.into(),
        }
    }
}

/// An outlook in the making.
struct Gathering<'a> {
    launcher: &'a Launcher<'a>,
    outlook: Outlook,
    lanes: Vec<&'a Lane>,
    others: BTreeMap<String, Others>,
    now: Timestamp,
}

impl Launcher<'_> {
    /// When everybody's first message will have left, should the campaign be launched now. Nothing where that is never.
    pub async fn forecast(&self, prepared: &Prepared) -> Result<Option<Forecast>, LaunchError> {
        self.forecast_for(&prepared.plan, &prepared.people, &prepared.beginnings, prepared.now).await
    }

    pub(super) async fn forecast_for(
        &self,
        plan: &Plan,
        people: &People,
        beginnings: &Beginnings,
        now: Timestamp,
    ) -> Result<Option<Forecast>, LaunchError> {
        let outlook = Outlook { over: plan.over, zone: plan.time_zone, ..Outlook::default() };
        let mut gathering = self.gathering(outlook, None, now).await?;
        for (country, people) in &people.countries {
            let Some(index) = plan.first(plan.marks_at_first(Some(*country))) else { continue };
            let Some(step) = plan.step(index) else { continue };
            gathering.add(step, *country, as_float(*people), beginnings.in_country(Some(*country))).await?;
        }
        Ok(gathering.whole().forecast(beginnings.first.max(now)))
    }

    /// When everything of a campaign that waits now will have left. Where its people are is taken from the audience as a
    /// whole: nobody counts by country who has been written to.
    pub async fn forecast_of(
        &self,
        batch: &Batch,
        plan: &Plan,
        tallies: &Tallies,
        now: Timestamp,
    ) -> Result<Option<Forecast>, LaunchError> {
        let mut countries = self.countries_of(batch).await?;
        if countries.is_empty() {
            countries.insert(Country::WORLD, 1);
        }
        let opens = batch.starts_at.unwrap_or(now).max(now);
        // What is left of the time over which it is spread.
        let begun = batch.started_at.or(batch.starts_at).unwrap_or(now);
        let over = plan.over.map(|over| (begun + over).since(opens)).filter(|left| *left > Span::ZERO);
        let outlook = Outlook { over, zone: plan.time_zone, ..Outlook::default() };
        let mut gathering = self.gathering(outlook, Some(batch.id), now).await?;
        for (index, step) in plan.places() {
            let waiting = as_float(u64::try_from(tallies.get(index, Count::Queued)).unwrap_or(0));
            let of_step = countries.iter().filter(|(country, _)| step.countries.contain(Some(**country)));
            let all: u64 = of_step.clone().map(|(_, people)| people).sum();
            for (country, people) in of_step.filter(|_| waiting > 0.0) {
                gathering.add(step, *country, waiting * as_float(*people) / as_float(all.max(1)), opens).await?;
            }
        }
        Ok(gathering.whole().forecast(opens))
    }

    /// How many people of each country its audience has.
    pub(super) async fn countries_of(&self, batch: &Batch) -> Result<BTreeMap<Country, u64>, LaunchError> {
        let mut countries = BTreeMap::<Country, u64>::new();
        for part in self.store.parts_of(batch.id).await? {
            for (country, people) in understood(&part)["countries"].as_object().into_iter().flatten() {
                let country = country.parse().unwrap_or(Country::WORLD);
                *countries.entry(country).or_default() += people.as_u64().unwrap_or(0);
            }
        }
        Ok(countries)
    }

    async fn gathering(
        &self,
        outlook: Outlook,
        except: Option<BatchId>,
        now: Timestamp,
    ) -> Result<Gathering<'_>, LaunchError> {
        Ok(Gathering { launcher: self, outlook, lanes: Vec::new(), others: self.others(except).await?, now })
    }

    /// For each lane, what other campaigns have waiting there now, and what those have whose time is still to come.
    async fn others(&self, except: Option<BatchId>) -> Result<BTreeMap<String, Others>, LaunchError> {
        let mut others: BTreeMap<String, Others> = BTreeMap::new();
        let states = vec![BatchState::Running, BatchState::Scheduled];
        for batch in self.store.batches(Some(states)).await?.into_iter().filter(|batch| Some(batch.id) != except) {
            let Some(plan) = self.store.plan(batch.id).await? else { continue };
            let tallies = self.store.tallies(batch.id).await?;
            for (index, step) in plan.places() {
                let waiting = tallies.get(index, Count::Queued);
                if waiting <= 0 {
                    continue;
                }
                // Nobody counts by lanes; a pool shares out evenly.
                let each = as_float(waiting.unsigned_abs()) / as_float(step.lanes.members().len() as u64);
                for lane in step.lanes.names() {
                    let lane = others.entry(lane.to_owned()).or_default();
                    match batch.starts_at.filter(|_| batch.state == BatchState::Scheduled) {
                        Some(at) => lane.coming.push((at, each)),
                        None => {
                            lane.campaigns += if index == StepIndex::FIRST { 1.0 } else { 0.0 };
                            lane.waiting += each;
                        }
                    }
                }
            }
        }
        for lane in others.values_mut() {
            lane.coming.sort_by_key(|(at, _)| *at);
            if lane.waiting > 0.0 {
                lane.campaigns = lane.campaigns.max(1.0);
            }
        }
        Ok(others)
    }
}

impl<'a> Gathering<'a> {
    /// So many people of a country who are to get a step, from then on.
    async fn add(&mut self, step: &Step, country: Country, people: f64, opens: Timestamp) -> Result<(), LaunchError> {
        for (member, share) in step.lanes.shares(country) {
            let Some(lane) = self.launcher.config.lane(&member.lane) else { continue };
            let known = self.lanes.iter().position(|known| known.name == lane.name);
            let road = match known {
                Some(road) => road,
                None => self.road(lane, step.on_tier_spent).await?,
            };
            self.outlook.groups.push(Group {
                lane: road,
                people: people * share,
                opens,
                zone: usual_zone(country),
                hours: step.hours.clone(),
                stays: None,
            });
        }
        Ok(())
    }

    async fn road(&mut self, lane: &'a Lane, on_tier_spent: OnTierSpent) -> Result<usize, LaunchError> {
        let waits = on_tier_spent == OnTierSpent::Wait;
        let tiered = lane.tiered().filter(|_| waits && lane.tier != Tier::Unlimited);
        let portfolio = self.portfolio(tiered, lane.tier).await?;
        let account = self.account(&lane.account);
        let others = self.others.remove(&lane.name).unwrap_or_default();
        self.outlook.roads.push(others.on(lane, account, portfolio));
        self.lanes.push(lane);
        Ok(self.lanes.len() - 1)
    }

    /// With the lanes on which others take of the accounts and the places that we need too.
    fn whole(mut self) -> Outlook {
        for (name, others) in self.others {
            let Some(lane) = self.launcher.config.lane(&name) else { continue };
            let account = self.outlook.accounts.iter().position(|known| known.name == lane.account);
            let same = |known: &Portfolio| lane.tiered() == Some(known.name.as_str());
            let portfolio = self.outlook.portfolios.iter().position(same);
            if account.is_some() || portfolio.is_some() {
                self.outlook.roads.push(others.on(lane, account, portfolio));
            }
        }
        self.outlook
    }

    fn account(&mut self, name: &str) -> Option<usize> {
        let rate = self.launcher.config.account(name)?.rate?.each_second();
        let accounts = &mut self.outlook.accounts;
        Some(accounts.iter().position(|known| known.name == name).unwrap_or_else(|| {
            accounts.push(Account { name: name.to_owned(), rate });
            accounts.len() - 1
        }))
    }

    async fn portfolio(&mut self, name: Option<&str>, tier: Tier) -> Result<Option<usize>, LaunchError> {
        let (Some(name), Tier::People(most)) = (name, tier) else { return Ok(None) };
        if let Some(known) = self.outlook.portfolios.iter().position(|known| known.name == name) {
            return Ok(Some(known));
        }
        let mut places = self.launcher.store.tier_places(vec![name.to_owned()], self.now - Tier::HELD).await?;
        let places = places.remove(name).unwrap_or_default();
        let mut coming: BTreeMap<i64, u32> = BTreeMap::new();
        for place in &places {
            let free_at = (place.at + Tier::HELD).millis();
            *coming.entry(free_at.div_euclid(TOGETHER.millis()) + 1).or_default() += 1;
        }
        let free_at = |together: i64| Timestamp::from_millis(together * TOGETHER.millis());
        let coming: VecDeque<_> = coming.into_iter().map(|(at, people)| (free_at(at), f64::from(people))).collect();
        let free = f64::from(most) - as_float(places.len() as u64);
        let held = Tier::HELD;
        self.outlook.portfolios.push(Portfolio {
            name: name.to_owned(),
            most,
            free,
            coming,
            held,
            days: BTreeMap::new(),
        });
        Ok(Some(self.outlook.portfolios.len() - 1))
    }
}
