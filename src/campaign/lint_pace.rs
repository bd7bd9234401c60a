//! What a plan asks of its lanes that they can hardly do.

use std::collections::BTreeMap;

use super::lint::{Facts, Lint, Warnings};
use super::shares::{Shares, as_float};
use crate::config::{Config, Lane, SendMode};
use crate::domain::{OnTierSpent, Step, StepIndex, Tier, grouped};

/// A lane of a pool that needs so many times as long as the quickest holds the campaign up.
const UNEVEN: f64 = 2.0;

impl Warnings {
    /// Of those who come here from another step nobody knows yet how many they are; looked at are those who begin here.
    pub(super) fn pace(
        &mut self,
        (index, step): (StepIndex, &Step),
        config: &Config,
        facts: &Facts<'_>,
        shares: &Shares,
    ) {
        let on = |lane: &Lane| shares.on_lane(index, &lane.name);
        let mut portfolios: BTreeMap<&str, (u32, u64)> = BTreeMap::new();
        for lane in config.lanes_of(step) {
            self.batch(lane);
            if let (Some(portfolio), Tier::People(people)) = (lane.tiered(), lane.tier) {
                portfolios.entry(portfolio).or_insert((people, 0)).1 += on(lane);
            }
        }
        for (portfolio, (people, beginning)) in portfolios {
            let beginning = beginning.saturating_sub(facts.passes.get(portfolio).copied().unwrap_or(0));
            if beginning <= u64::from(people) {
                continue;
            }
            let so = match step.on_tier_spent {
                OnTierSpent::Wait => format!("it takes {} days or more", beginning.div_ceil(u64::from(people))),
                OnTierSpent::FallBack => {
                    format!("{} or more go on to the next step", grouped(beginning - u64::from(people)))
                }
            };
            let sentence = format!(
                "portfolio {portfolio} may start with {} people a day, and these are {} who need a place, so {so}",
                grouped(people),
                grouped(beginning)
            );
            self.warn(Lint::SmallTier, sentence);
        }
        self.uneven(config, step, &on);
    }

    fn batch(&mut self, lane: &Lane) {
        if let SendMode::Batch { size } = lane.provider.send
            && size > lane.burst
        {
            let sentence = format!(
                "batch_size {size} is more than the burst {} of lane {}, so each request waits for its tokens to gather; \
                 lower the one or raise the other",
                lane.burst, lane.name
            );
            self.warn(Lint::BatchOverBurst, sentence);
        }
    }

    /// A pool shares its people out whatever the rates are.
    fn uneven(&mut self, config: &Config, step: &Step, on: &dyn Fn(&Lane) -> u64) {
        let seconds = |lane: &Lane| as_float(on(lane)) / lane.rate.each_second();
        let busy: Vec<(&Lane, f64)> =
            config.lanes_of(step).map(|lane| (lane, seconds(lane))).filter(|(_, seconds)| *seconds > 0.0).collect();
        let slowest = busy.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        let quickest = busy.iter().min_by(|one, other| one.1.total_cmp(&other.1));
        if let (Some((slow, longest)), Some((quick, shortest))) = (slowest, quickest)
            && longest / shortest > UNEVEN
            // A burst's worth is a matter of no time.
            && on(slow) > u64::from(slow.burst.get())
        {
            let sentence = format!(
                "shares its people among lanes of unlike rates: lane {} has {} of them at {}, and lane {} {} at {}; take \
                 lanes of like rates, or tell them apart by `countries`",
                slow.name,
                on(slow),
                slow.rate,
                quick.name,
                on(quick),
                quick.rate
            );
            self.warn(Lint::UnevenPool, sentence);
        }
    }
}
