//! Who of a campaign's people takes no place in a tier: they hold one, or wrote to us lately.

use std::collections::{BTreeMap, HashSet};

use super::people::People;
use super::windows::{Numbers, WindowHolders, sender_of};
use crate::config::{Config, Lane};
use crate::domain::{Msisdn, Plan, Tier, Timestamp};
use crate::store::{Result, Store};

/// For each limited portfolio that a first step takes places in, how many of these people take none.
pub(super) async fn passes(
    store: &dyn Store,
    config: &Config,
    plan: &Plan,
    people: &People,
    now: Timestamp,
) -> Result<BTreeMap<String, u64>> {
    let firsts = people.countries.keys().filter_map(|country| plan.first(plan.marks_at_first(Some(*country))));
    let steps = plan.places().filter(|(index, _)| firsts.clone().any(|first| first == *index));
    let mut portfolios: BTreeMap<&str, Vec<&Lane>> = BTreeMap::new();
    for lane in steps.flat_map(|(_, step)| config.lanes_of(step)).filter(|lane| lane.tier != Tier::Unlimited) {
        if let Some(portfolio) = lane.tiered() {
            portfolios.entry(portfolio).or_default().push(lane);
        }
    }
    let mut all = BTreeMap::new();
    for (portfolio, lanes) in portfolios {
        let holders = holders(store, portfolio, &lanes, now).await?;
        if !holders.is_empty() {
            all.insert(portfolio.to_owned(), among(store, people, &holders).await?);
        }
    }
    Ok(all)
}

async fn holders(store: &dyn Store, portfolio: &str, lanes: &[&Lane], now: Timestamp) -> Result<HashSet<Msisdn>> {
    let places = store.tier_places(vec![portfolio.to_owned()], now - Tier::HELD).await?;
    let mut holders: HashSet<Msisdn> = places.into_values().flatten().map(|place| place.person).collect();
    for lane in lanes {
        let mut windows = WindowHolders::of(sender_of(lane), now);
        while let Some(page) = windows.next(store).await? {
            holders.extend(page);
        }
    }
    Ok(holders)
}

/// How many of the campaign's people are among these.
async fn among(store: &dyn Store, people: &People, these: &HashSet<Msisdn>) -> Result<u64> {
    if let Some(sieve) = &people.sieve {
        return Ok(these.iter().filter(|person| sieve.knows(**person)).count() as u64);
    }
    let (mut found, mut numbers) = (0, Numbers::of(people));
    while let Some(page) = numbers.next(store).await? {
        found += page.iter().filter(|person| these.contains(*person)).count() as u64;
    }
    Ok(found)
}
