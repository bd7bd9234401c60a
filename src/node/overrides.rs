//! Overrides: rates and tiers that an operator or the provider changes while the node runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::{Built, limited};
use crate::base::config::Config;
use crate::base::domain::{LaneId, MessageKey, Tier, Timestamp};
use crate::base::events::Origin;
use crate::sending::dispatch;
use crate::sending::receipts::SlotChange;
use crate::sending::throttle::{Bucket, TierWindow, is_over, with_overrides};
use crate::store::{Attempt, Lanes, Override, Result, Store, TierSlot, Tiers};

/// The overrides in effect on this node.
pub(super) struct Overrides {
    /// The configuration without overrides.
    config: Arc<Config>,
    lanes: Vec<Arc<dispatch::RunningLane>>,
    accounts: BTreeMap<String, Arc<Bucket>>,
    tiers: BTreeMap<String, Arc<TierWindow>>,
    applied: Vec<Override>,
    /// Portfolios that were unlimited until now, whose recipients of the last day are still to be counted.
    uncounted: BTreeSet<String>,
    /// The progress of the count.
    count: Option<Count>,
}

/// A count of the recipients of portfolios that takes more than one look.
#[derive(Clone)]
struct Count {
    of: BTreeSet<String>,
    since: Timestamp,
    from: Option<MessageKey>,
}

/// Loads the overrides of earlier servers that are still in effect. The others end: the file has changed since.
pub(super) async fn load_overrides(store: &dyn Lanes, config: &Config, now: Timestamp) -> Result<Vec<Override>> {
    let (ended, in_effect): (Vec<_>, Vec<_>) =
        store.overrides().await?.into_iter().partition(|overridden| is_over(config, overridden));
    for Override { setting, name, .. } in ended {
        store.end_override(setting, name, Origin::rule("the configuration file has changed"), now).await?;
    }
    Ok(in_effect)
}

impl Overrides {
    pub(super) fn new(config: Arc<Config>, built: Built, applied: Vec<Override>) -> Self {
        let Built { lanes, accounts, tiers } = built;
        Self { config, lanes, accounts, tiers, applied, uncounted: BTreeSet::new(), count: None }
    }

    /// Applies what operators say about slots of tiers whose recipients are not known.
    pub(super) async fn apply_unknown_slots(&self, store: &dyn Tiers, now: Timestamp) -> Result<()> {
        if self.tiers.is_empty() {
            return Ok(());
        }
        let unknown = store.unknown_slots(now - Tier::HELD).await?;
        self.tiers.iter().for_each(|(portfolio, window)| window.set_unknown(unknown.get(portfolio).copied()));
        Ok(())
    }

    /// Applies the stored overrides to lanes, accounts and tiers.
    pub(super) async fn apply(&mut self, store: &dyn Store) -> Result<()> {
        let overrides = store.overrides().await?;
        if overrides == self.applied {
            return Ok(());
        }
        let config = with_overrides(&self.config, &overrides);
        for lane in &self.lanes {
            if let Some(now) = config.lane(&lane.config.name) {
                lane.set_rate(now.rate, now.burst);
            }
        }
        for account in &config.accounts {
            if let (Some(bucket), Some(rate)) = (self.accounts.get(&account.name), account.rate) {
                bucket.set_rate(rate, account.burst(rate, &config.lanes));
            }
        }
        // First on disk, so that after a crash a limited portfolio is not taken for counted.
        let limited = limited(&config, &self.numbered());
        self.uncounted.retain(|portfolio| limited.contains_key(portfolio));
        // A portfolio that was unlimited meanwhile is counted from the start once it is limited again.
        self.count.take_if(|count| !count.of.is_subset(&self.uncounted));
        store.count_no_others(limited).await?;
        for (portfolio, tier) in config.portfolios() {
            let Some(window) = self.tiers.get(portfolio) else { continue };
            if window.set_tier(tier) {
                self.uncounted.insert(portfolio.to_owned());
            }
        }
        for lane in &self.lanes {
            lane.schedule_all();
        }
        self.applied = overrides;
        Ok(())
    }

    /// Returns the slots of recipients whom nothing reached, and takes slots for those who were reached after all. Slots
    /// that cannot be written stay taken, so an error never exceeds the tier.
    pub(super) async fn apply_slot_changes(
        &self,
        store: &dyn Store,
        changes: Vec<SlotChange>,
        now: Timestamp,
    ) -> Result<()> {
        let is_limited = |portfolio: &&str| self.tiers.get(*portfolio).is_some_and(|window| window.is_limited());
        if changes.is_empty() || !self.tiers.keys().any(|portfolio| is_limited(&portfolio.as_str())) {
            return Ok(());
        }
        let (mut free, mut taken) = (BTreeMap::<&str, Vec<_>>::new(), BTreeMap::<&str, Vec<_>>::new());
        let attempts = store.attempts(changes.iter().map(|change| change.message).collect()).await?;
        for (change, attempts) in changes.iter().zip(attempts) {
            let is_meant = |attempt: &Attempt| change.tries.is_none_or(|tries| tries == attempt.tries);
            let mut of_step = attempts.into_iter().rev().filter(|attempt| attempt.step == change.step);
            let attempt = of_step.find(is_meant);
            let has_sent = |lane: &&Arc<dispatch::RunningLane>| match &attempt {
                Some(attempt) => lane.id == attempt.lane,
                None => lane.config.name == change.lane,
            };
            let lane = self.lanes.iter().find(has_sent);
            let Some(portfolio) = lane.and_then(|lane| lane.config.tiered()).filter(is_limited) else { continue };
            if !change.is_free {
                taken.entry(portfolio).or_default().push((change.recipient, now));
            } else if let Some(intent) = attempt.and_then(|attempt| attempt.intent) {
                // The claim took the slot at the time of its intent.
                free.entry(portfolio).or_default().push((change.recipient, intent));
            }
        }
        for (portfolio, recipients) in free {
            store.give_back_places(portfolio, recipients.clone()).await?;
            if let Some(window) = self.tiers.get(portfolio) {
                window.give_back(recipients);
            }
            self.wake_lanes(|other| other == portfolio);
        }
        for (portfolio, recipients) in taken {
            store.take_slots(portfolio, recipients.clone()).await?;
            if let Some(window) = self.tiers.get(portfolio) {
                window.take(recipients);
            }
        }
        Ok(())
    }

    /// Counts the recipients of portfolios that have become limited, once every uncounted claim is over. Each look counts
    /// a part, because decisions must be applied meanwhile.
    pub(super) async fn count_uncounted(&mut self, store: &dyn Tiers, now: Timestamp) -> Result<()> {
        let is_ready = |portfolio: &String| self.tiers.get(portfolio).is_some_and(|window| !window.is_waited_for());
        let ready: BTreeSet<String> = self.uncounted.iter().filter(|portfolio| is_ready(portfolio)).cloned().collect();
        if ready.is_empty() {
            return Ok(());
        }
        // Portfolios that became limited after this count began are counted by the next.
        let count = self.count.clone().filter(|count| count.of.is_subset(&ready));
        let Count { of, since, from } =
            count.unwrap_or_else(|| Count { of: ready, since: now - Tier::HELD, from: None });
        let mut lanes = BTreeMap::<String, Vec<LaneId>>::new();
        for lane in &self.lanes {
            if let Some(portfolio) = lane.config.tiered().filter(|portfolio| of.contains(*portfolio)) {
                lanes.entry(portfolio.to_owned()).or_default().push(lane.id);
            }
        }
        let next = store.count_tiers(lanes, since, from).await?;
        if next.is_some() {
            self.count = Some(Count { of, since, from: next });
            return Ok(());
        }
        let mut slots = store.tier_slots(of.iter().cloned().collect(), since).await?;
        for portfolio in &of {
            if let Some(window) = self.tiers.get(portfolio) {
                window.count(slots.remove(portfolio).unwrap_or_default().into_iter().flat_map(TierSlot::times));
            }
            self.uncounted.remove(portfolio);
        }
        self.count = None;
        self.wake_lanes(|portfolio| of.contains(portfolio));
        Ok(())
    }

    fn numbered(&self) -> BTreeMap<String, LaneId> {
        self.lanes.iter().map(|lane| (lane.config.name.clone(), lane.id)).collect()
    }

    /// Makes the lanes of these portfolios look for messages, because their tier may have free slots again.
    fn wake_lanes(&self, is_meant: impl Fn(&str) -> bool) {
        let lanes = self.lanes.iter().filter(|lane| lane.config.tiered().is_some_and(&is_meant));
        lanes.for_each(|lane| lane.schedule_all());
    }
}
