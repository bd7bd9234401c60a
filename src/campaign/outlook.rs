//! What a forecast of a campaign is made of, as things stand.

use std::collections::{BTreeMap, VecDeque};

use super::forecast::{Account, Forecast, Group, Outlook, Portfolio, Road};
use super::launch::{LaunchError, Launcher, Prepared};
use crate::config::Lane;
use crate::domain::{BatchState, Count, OnTierSpent, Span, StepIndex, Tier, Timestamp, usual_zone};

/// Places that come free within so long are looked at together.
const TOGETHER: Span = Span::from_secs(3_600);

impl Launcher<'_> {
    /// When everybody's first message will have left, should the campaign be launched now. Nothing where that is never.
    pub async fn forecast(&self, prepared: &Prepared) -> Result<Option<Forecast>, LaunchError> {
        let Prepared { plan, people, beginnings, now, .. } = prepared;
        let mut outlook = Outlook { over: plan.over, ..Outlook::default() };
        let mut lanes: Vec<&Lane> = Vec::new();
        let others = self.others().await?;
        for (country, people) in &people.countries {
            let Some(index) = plan.first(plan.marks_at_first(Some(*country))) else { continue };
            let Some(step) = plan.step(index) else { continue };
            for (member, share) in step.lanes.shares(*country) {
                let Some(lane) = self.config.lane(&member.lane) else { continue };
                let road = match lanes.iter().position(|known| known.name == lane.name) {
                    Some(road) => road,
                    None => {
                        let waits = step.on_tier_spent == OnTierSpent::Wait;
                        let tiered = lane.tiered().filter(|_| waits && lane.tier != Tier::Unlimited);
                        let portfolio = self.portfolio(&mut outlook, tiered, lane.tier, *now).await?;
                        let account = self.account(&mut outlook, &lane.account);
                        let (campaigns, waiting) = others.get(&lane.name).copied().unwrap_or_default();
                        let rate = lane.rate.each_second();
                        let lane_name = lane.name.clone();
                        outlook.roads.push(Road {
                            lane: lane_name,
                            rate,
                            account,
                            portfolio,
                            campaigns,
                            others: waiting,
                        });
                        lanes.push(lane);
                        lanes.len() - 1
                    }
                };
                outlook.groups.push(Group {
                    lane: road,
                    people: whole(*people) * share,
                    opens: beginnings.in_country(Some(*country)),
                    zone: usual_zone(*country),
                    hours: step.hours.clone(),
                    stays: None,
                });
            }
        }
        Ok(outlook.forecast(beginnings.first.max(*now)))
    }

    fn account(&self, outlook: &mut Outlook, name: &str) -> Option<usize> {
        let rate = self.config.account(name)?.rate?.each_second();
        Some(outlook.accounts.iter().position(|known| known.name == name).unwrap_or_else(|| {
            outlook.accounts.push(Account { name: name.to_owned(), rate });
            outlook.accounts.len() - 1
        }))
    }

    async fn portfolio(
        &self,
        outlook: &mut Outlook,
        name: Option<&str>,
        tier: Tier,
        now: Timestamp,
    ) -> Result<Option<usize>, LaunchError> {
        let (Some(name), Tier::People(most)) = (name, tier) else { return Ok(None) };
        if let Some(known) = outlook.portfolios.iter().position(|known| known.name == name) {
            return Ok(Some(known));
        }
        let places = self.store.tier_places(name, now - Tier::HELD).await?;
        let mut coming: BTreeMap<i64, u32> = BTreeMap::new();
        for place in &places {
            let free_at = (place.at + Tier::HELD).millis();
            *coming.entry(free_at.div_euclid(TOGETHER.millis()) + 1).or_default() += 1;
        }
        let free_at = |together: i64| Timestamp::from_millis(together * TOGETHER.millis());
        let coming: VecDeque<_> = coming.into_iter().map(|(at, people)| (free_at(at), f64::from(people))).collect();
        let free = f64::from(most) - whole(u64::try_from(places.len()).unwrap_or(u64::MAX));
        outlook.portfolios.push(Portfolio { name: name.to_owned(), free, coming, held: Tier::HELD });
        Ok(Some(outlook.portfolios.len() - 1))
    }

    /// For each lane, how many campaigns have something waiting there now, and how much.
    async fn others(&self) -> Result<BTreeMap<String, (f64, f64)>, LaunchError> {
        let mut others: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for batch in self.store.batches(Some(vec![BatchState::Running])).await? {
            let Some(plan) = self.store.plan(batch.id).await? else { continue };
            let tallies = self.store.tallies(batch.id).await?;
            for (index, step) in plan.places() {
                let waiting = tallies.get(index, Count::Queued);
                // Nobody counts by lanes; a pool shares out evenly.
                let each = whole(waiting.unsigned_abs()) / step.lanes.members().len() as f64;
                for lane in step.lanes.names().filter(|_| waiting > 0) {
                    let lane = others.entry(lane.to_owned()).or_default();
                    lane.0 += if index == StepIndex::FIRST { 1.0 } else { 0.0 };
                    lane.1 += each;
                }
            }
        }
        others.values_mut().for_each(|(campaigns, _)| *campaigns = campaigns.max(1.0));
        Ok(others)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a forecast of quadrillions may be a few people off")]
fn whole(people: u64) -> f64 {
    people as f64
}
