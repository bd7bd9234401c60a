//! Warns where a plan asks too much of its lanes.

use std::collections::BTreeMap;

use super::lint::{Facts, Lint, Warnings};
use crate::base::config::{Config, Lane, SendMode, Sentence};
use crate::base::domain::{OnTierSpent, Step, StepIndex, Tier, grouped};
use crate::rules::forecast::{Shares, as_float};

/// A lane of a pool that takes this many times as long as the quickest one delays the campaign.
const UNEVEN: f64 = 2.0;

impl Warnings {
    /// Checks the recipients that start at this step. How many will fall back to it is not known yet.
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
            if let (Some(portfolio), Tier::Recipients(recipients)) = (lane.tiered(), lane.tier) {
                portfolios.entry(portfolio).or_insert((recipients, 0)).1 += on(lane);
            }
        }
        for (portfolio, (recipients, beginning)) in portfolios {
            let beginning = beginning.saturating_sub(facts.need_no_slot.get(portfolio).copied().unwrap_or(0));
            if beginning <= u64::from(recipients) {
                continue;
            }
            let so = match step.on_tier_spent {
                OnTierSpent::Wait => {
                    format!("sending takes {} days or more", beginning.div_ceil(u64::from(recipients)))
                }
                OnTierSpent::FallBack => {
                    format!("{} or more fall back to the next step", grouped(beginning - u64::from(recipients)))
                }
            };
            let sentence = format!(
                "portfolio {portfolio} may send to {} new recipients a day, but {} need a slot, so {so}",
                grouped(recipients),
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
                "batch_size {size} is more than the burst {} of lane {}, so each request waits for its tokens; lower \
                 batch_size or raise burst",
                lane.burst, lane.name
            );
            self.warn(Lint::BatchOverBurst, sentence);
        }
    }

    /// Warns about a pool of lanes with different rates: it shares its recipients out regardless of the rates.
    fn uneven(&mut self, config: &Config, step: &Step, on: &dyn Fn(&Lane) -> u64) {
        let seconds = |lane: &Lane| as_float(on(lane)) / lane.rate.each_second();
        let busy: Vec<(&Lane, f64)> =
            config.lanes_of(step).map(|lane| (lane, seconds(lane))).filter(|(_, seconds)| *seconds > 0.0).collect();
        let slowest = busy.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        let quickest = busy.iter().min_by(|one, other| one.1.total_cmp(&other.1));
        if let (Some((slow, longest)), Some((quick, shortest))) = (slowest, quickest)
            && longest / shortest > UNEVEN
            // A burst is sent at once.
            && on(slow) > u64::from(slow.burst.get())
        {
            let sentence = format!(
                "shares its recipients among lanes of different rates: lane {} has {} of them at {}, and lane {} has \
                 {} at {}; use lanes of similar rates, or separate them by ",
                slow.name,
                on(slow),
                slow.rate,
                quick.name,
                on(quick),
                quick.rate
            );
            let sentence = Sentence::new(sentence).for_files("`countries`").for_pages("the countries of each lane");
            self.warn(Lint::UnevenPool, sentence);
        }
    }
}
