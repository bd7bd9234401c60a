//! Rates and tiers that are changed while the node runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::{Built, limited};
use crate::config::Config;
use crate::dispatch;
use crate::domain::{LaneId, MessageKey, Tier, Timestamp};
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
    /// How far counting them has come.
    walk: Option<Walk>,
}

/// A count of the people of portfolios that takes more than one look.
#[derive(Clone)]
struct Walk {
    of: BTreeSet<String>,
    since: Timestamp,
    from: Option<MessageKey>,
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
        Self { config, lanes, accounts, windows, obeyed, uncounted: BTreeSet::new(), walk: None }
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
        // First on disk, so that nobody takes them for counted who finds them limited after a crash.
        let limited = limited(&config, &self.numbered());
        self.uncounted.retain(|portfolio| limited.contains_key(portfolio));
        // Who was unlimited meanwhile is counted from the beginning, once that is so no more.
        self.walk.take_if(|walk| !walk.of.is_subset(&self.uncounted));
        store.count_no_others(limited).await?;
        for (portfolio, tier) in config.portfolios() {
            let Some(window) = self.windows.get(portfolio) else { continue };
            if window.turn(tier) {
                self.uncounted.insert(portfolio.to_owned());
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
            self.look_on(|other| other == portfolio);
        }
        for (portfolio, people) in taken {
            store.take_places(portfolio, people.clone()).await?;
            if let Some(window) = self.windows.get(portfolio) {
                window.take(people);
            }
        }
        Ok(())
    }

    /// Counts the people of portfolios that have become limited, once every claim that nobody counts is over: some in each
    /// look, since decisions are to be obeyed meanwhile.
    pub(super) async fn count(&mut self, store: &dyn Store, now: Timestamp) -> Result<()> {
        let is_ready = |portfolio: &String| self.windows.get(portfolio).is_some_and(|window| !window.is_waited_for());
        let ready: BTreeSet<String> = self.uncounted.iter().filter(|portfolio| is_ready(portfolio)).cloned().collect();
        if ready.is_empty() {
            return Ok(());
        }
        // Who has become limited since it began is counted by the next.
        let walk = self.walk.clone().filter(|walk| walk.of.is_subset(&ready));
        let Walk { of, since, from } = walk.unwrap_or_else(|| Walk { of: ready, since: now - Tier::HELD, from: None });
        let mut lanes = BTreeMap::<String, Vec<LaneId>>::new();
        for lane in &self.lanes {
            if let Some(portfolio) = lane.config.tiered().filter(|portfolio| of.contains(*portfolio)) {
                lanes.entry(portfolio.to_owned()).or_default().push(lane.id);
            }
        }
        let next = store.count_tiers(lanes, since, from).await?;
        if next.is_some() {
            self.walk = Some(Walk { of, since, from: next });
            return Ok(());
        }
        let mut places = store.tier_places(of.iter().cloned().collect(), since).await?;
        for portfolio in &of {
            if let Some(window) = self.windows.get(portfolio) {
                window.count(places.remove(portfolio).unwrap_or_default().into_iter().flat_map(TierPlace::times));
            }
            self.uncounted.remove(portfolio);
        }
        self.walk = None;
        self.look_on(|portfolio| of.contains(portfolio));
        Ok(())
    }

    fn numbered(&self) -> BTreeMap<String, LaneId> {
        self.lanes.iter().map(|lane| (lane.config.name.clone(), lane.id)).collect()
    }

    /// Lanes of these portfolios may have room again.
    fn look_on(&self, is_meant: impl Fn(&str) -> bool) {
        let lanes = self.lanes.iter().filter(|lane| lane.config.tiered().is_some_and(&is_meant));
        lanes.for_each(|lane| lane.look_everywhere());
    }
}
