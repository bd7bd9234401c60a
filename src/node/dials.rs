//! Rates and tiers that are changed while the node runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::{Built, lanes_of};
use crate::config::Config;
use crate::dispatch;
use crate::domain::{LaneId, Tier, Timestamp};
use crate::receipts::PlaceNews;
use crate::store::{Attempt, Dial, Result, Store, TierPlace};
use crate::throttle::{Bucket, TierWindow, is_over, turned};

/// What was turned and counts, as this node knows it.
pub(super) struct Dials {
    /// As the file has it.
    config: Arc<Config>,
    lanes: Vec<Arc<dispatch::Lane>>,
    accounts: BTreeMap<String, Arc<Bucket>>,
    windows: BTreeMap<String, Arc<TierWindow>>,
    obeyed: Vec<Dial>,
    /// Portfolios that were unlimited, and whose people of the last day are still to be counted.
    uncounted: BTreeSet<String>,
}

/// What was turned while an earlier server ran and counts still. The rest ends here: the file says something else.
pub(super) async fn still_turned(store: &dyn Store, config: &Config, now: Timestamp) -> Result<Vec<Dial>> {
    let (over, counting): (Vec<_>, Vec<_>) = store.dials().await?.into_iter().partition(|dial| is_over(config, dial));
    for Dial { knob, name, .. } in over {
        store.turn_back(knob, name, "the configuration file has been changed".to_owned(), now).await?;
    }
    Ok(counting)
}

impl Dials {
    pub(super) fn new(config: Arc<Config>, built: Built, obeyed: Vec<Dial>) -> Self {
        let Built { lanes, accounts, windows } = built;
        Self { config, lanes, accounts, windows, obeyed, uncounted: BTreeSet::new() }
    }

    /// Makes lanes, accounts and tiers what they have been turned to.
    pub(super) async fn obey(&mut self, store: &dyn Store) -> Result<()> {
        let dials = store.dials().await?;
        if dials == self.obeyed {
            return Ok(());
        }
        let config = turned(&self.config, &dials);
        for lane in &self.lanes {
            if let Some(now) = config.lane(&lane.config.name) {
                lane.turn(now.rate, now.burst);
            }
        }
        for account in &config.accounts {
            if let (Some(bucket), Some(rate)) = (self.accounts.get(&account.name), account.rate) {
                bucket.turn(rate, account.burst(rate, &config.lanes));
            }
        }
        for (portfolio, tier) in config.portfolios() {
            let Some(window) = self.windows.get(portfolio) else { continue };
            if window.turn(tier) {
                self.uncounted.insert(portfolio.to_owned());
            }
            if tier == Tier::Unlimited {
                self.uncounted.remove(portfolio);
                store.stop_counting_tier(portfolio).await?;
            }
        }
        for lane in &self.lanes {
            lane.look_everywhere();
        }
        self.obeyed = dials;
        Ok(())
    }

    /// Gives back the places of those whom nothing has reached, and takes some for those whom it has after all. Places of
    /// a group that cannot be written stay taken: too strict, never too much.
    pub(super) async fn settle(&self, store: &dyn Store, news: Vec<PlaceNews>, now: Timestamp) -> Result<()> {
        let is_limited = |portfolio: &&str| self.windows.get(*portfolio).is_some_and(|window| window.is_limited());
        if news.is_empty() || !self.windows.keys().any(|portfolio| is_limited(&portfolio.as_str())) {
            return Ok(());
        }
        let (mut free, mut taken) = (BTreeMap::<&str, Vec<_>>::new(), BTreeMap::<&str, Vec<_>>::new());
        let attempts = store.attempts(news.iter().map(|news| news.message).collect()).await?;
        for (news, attempts) in news.iter().zip(attempts) {
            let is_meant = |attempt: &Attempt| news.tries.is_none_or(|tries| tries == attempt.tries);
            let mut of_step = attempts.into_iter().rev().filter(|attempt| attempt.step == news.step);
            let attempt = of_step.find(is_meant);
            let has_sent = |lane: &&Arc<dispatch::Lane>| match &attempt {
                Some(attempt) => lane.id == attempt.lane,
                None => lane.config.name == news.lane,
            };
            let lane = self.lanes.iter().find(has_sent);
            let Some(portfolio) = lane.and_then(|lane| lane.config.tiered()).filter(is_limited) else { continue };
            if !news.is_free {
                taken.entry(portfolio).or_default().push((news.person, now));
            } else if let Some(intent) = attempt.and_then(|attempt| attempt.intent) {
                // A claim has taken the place at the time of its intent.
                free.entry(portfolio).or_default().push((news.person, intent));
            }
        }
        for (portfolio, people) in free {
            store.give_back_places(portfolio, people.clone()).await?;
            if let Some(window) = self.windows.get(portfolio) {
                window.give_back(people);
            }
            self.lanes.iter().for_each(|lane| lane.look_everywhere());
        }
        for (portfolio, people) in taken {
            store.take_places(portfolio, people.clone()).await?;
            if let Some(window) = self.windows.get(portfolio) {
                window.take(people);
            }
        }
        Ok(())
    }

    /// Counts the people of portfolios that have become limited, once every claim that nobody counts is over.
    pub(super) async fn count(&mut self, store: &dyn Store, now: Timestamp) -> Result<()> {
        let Some(portfolio) = self.uncounted.first().cloned() else { return Ok(()) };
        let Some(window) = self.windows.get(&portfolio).filter(|window| !window.is_waited_for()) else { return Ok(()) };
        let numbered: BTreeMap<String, LaneId> =
            self.lanes.iter().map(|lane| (lane.config.name.clone(), lane.id)).collect();
        let since = now - Tier::HELD;
        store.count_tier(&portfolio, lanes_of(&self.config, &portfolio, &numbered), since).await?;
        window.count(store.tier_places(&portfolio, since).await?.into_iter().flat_map(TierPlace::times));
        self.uncounted.remove(&portfolio);
        for lane in &self.lanes {
            lane.look_everywhere();
        }
        Ok(())
    }
}
