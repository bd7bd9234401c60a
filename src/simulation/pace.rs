//! How much has left when: rates of lanes and accounts, and the tier of a portfolio.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::config::Config;
use crate::domain::{Msisdn, Rate, Span, Tier, Timestamp};
use crate::throttle::DAY;

/// The windows in which requests are counted.
const WINDOWS: [Span; 3] = [Span::from_millis(1), Span::from_secs(1), Span::from_secs(10)];
/// How much of its rate an account may let go at once, and no less than the burst of any of its lanes.
const ACCOUNT_BURST: Span = Span::from_millis(50);

#[derive(Debug)]
pub(super) struct Left {
    config: Arc<Config>,
    by_lane: HashMap<String, VecDeque<Timestamp>>,
    by_account: HashMap<String, VecDeque<Timestamp>>,
    /// To whom a portfolio has handed something over within the last day, and when that was claimed.
    people: HashMap<String, Vec<(Timestamp, Msisdn)>>,
}

impl Left {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self { config, by_lane: HashMap::new(), by_account: HashMap::new(), people: HashMap::new() }
    }

    /// A message has left on a lane.
    pub(super) fn on_lane(&mut self, lane: &str, at: Timestamp) {
        let lane = self.config.lane(lane).unwrap();
        let left = self.by_lane.entry(lane.name.clone()).or_default();
        check(left, at, lane.rate, u64::from(lane.burst.get()), &lane.name);
        let account = self.config.account(&lane.account);
        let Some((account, rate)) = account.and_then(|account| Some((account, account.rate?))) else { return };
        let lanes = self.config.lanes.iter().filter(|lane| lane.account == account.name);
        let burst = lanes.map(|lane| u64::from(lane.burst.get())).max().unwrap_or(1).max(rate.within(ACCOUNT_BURST));
        let left = self.by_account.entry(account.name.clone()).or_default();
        check(left, at, rate, burst, &account.name);
    }

    /// The provider has taken something for a person that a lane had claimed at this time.
    pub(super) fn of_person(&mut self, lane: &str, person: Msisdn, at: Timestamp) {
        let lane = self.config.lane(lane).unwrap();
        let (Some(portfolio), Tier::People(tier)) = (lane.tiered(), lane.tier) else { return };
        let people = self.people.entry(portfolio.to_owned()).or_default();
        people.push((at, person));
        let latest = people.iter().map(|(then, _)| *then).max().unwrap_or(at);
        people.retain(|(then, _)| *then + DAY > latest);
        let different: HashSet<Msisdn> = people.iter().map(|(_, person)| *person).collect();
        let most = usize::try_from(tier).unwrap();
        assert!(different.len() <= most, "{} people in a day, on a tier of {tier}", different.len());
    }
}

fn check(left: &mut VecDeque<Timestamp>, at: Timestamp, rate: Rate, burst: u64, who: &str) {
    left.push_back(at);
    while left.front().is_some_and(|then| *then + WINDOWS[WINDOWS.len() - 1] <= at) {
        left.pop_front();
    }
    for window in WINDOWS {
        let within = left.iter().rev().take_while(|left| **left + window > at).count();
        let most = rate.within(window) + burst + 1;
        assert!(u64::try_from(within).unwrap() <= most, "{within} have left within {window} on {who}, and {most} may");
    }
}
