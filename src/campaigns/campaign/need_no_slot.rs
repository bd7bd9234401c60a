//! Counts the recipients of a campaign that need no slot of a tier: they hold one, or have an open 24-hour window.

use std::collections::{BTreeMap, HashSet};

use super::recipients::Recipients;
use super::windows::{Keys, WindowHolders, sender_of};
use crate::base::config::{Config, Lane};
use crate::base::domain::{AddressKey, Plan, Tier, Timestamp};
use crate::store::{Result, Store};

/// For each limited portfolio whose slots a first step uses, the number of recipients that need none.
pub(super) async fn need_no_slot(
    store: &dyn Store,
    config: &Config,
    plan: &Plan,
    recipients: &Recipients,
    now: Timestamp,
) -> Result<BTreeMap<String, u64>> {
    let crowd = recipients.crowd();
    let firsts = crowd.keys().filter_map(|taker| plan.first(plan.marks_of(*taker)));
    let steps = plan.indexed_steps().filter(|(index, _)| firsts.clone().any(|first| first == *index));
    let mut portfolios: BTreeMap<&str, Vec<&Lane>> = BTreeMap::new();
    for lane in steps.flat_map(|(_, step)| config.lanes_of(step)) {
        if let Some(portfolio) = lane.limited_portfolio() {
            portfolios.entry(portfolio).or_default().push(lane);
        }
    }
    let mut all = BTreeMap::new();
    for (portfolio, lanes) in portfolios {
        let holders = holders(store, portfolio, &lanes, now).await?;
        if !holders.is_empty() {
            all.insert(portfolio.to_owned(), among(store, recipients, &holders).await?);
        }
    }
    Ok(all)
}

async fn holders(store: &dyn Store, portfolio: &str, lanes: &[&Lane], now: Timestamp) -> Result<HashSet<AddressKey>> {
    let slots = store.tier_slots(vec![portfolio.to_owned()], now - Tier::HELD).await?;
    let mut holders: HashSet<AddressKey> = slots.into_values().flatten().map(|slot| slot.recipient).collect();
    for lane in lanes {
        let mut windows = WindowHolders::of(sender_of(lane), now);
        while let Some(page) = windows.next(store).await? {
            holders.extend(page.into_iter().map(AddressKey::from));
        }
    }
    Ok(holders)
}

/// How many of the campaign's recipients are among these.
async fn among(store: &dyn Store, recipients: &Recipients, these: &HashSet<AddressKey>) -> Result<u64> {
    if let Some(filter) = &recipients.filter {
        return Ok(these.iter().filter_map(|key| key.number()).filter(|number| filter.knows(*number)).count() as u64);
    }
    let (mut found, mut keys) = (0, Keys::of(recipients));
    while let Some(page) = keys.next(store).await? {
        found += page.iter().filter(|key| these.contains(&key.canonical())).count() as u64;
    }
    Ok(found)
}
