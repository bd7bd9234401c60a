//! How much has left when: rates of lanes and accounts, and the tier of a portfolio, whatever they are turned to.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::config::Config;
use crate::domain::{AttemptId, Msisdn, Rate, Span, Tier, Timestamp};

const DAY: Span = Span::from_secs(86_400);
/// A slot is held for so much longer than a day.
const SLOT_MARGIN: Span = Span::from_millis(60_100);

/// The windows in which requests are counted.
const WINDOWS: [Span; 3] = [Span::from_millis(1), Span::from_secs(1), Span::from_secs(10)];

/// What could be let go at most since when. From a decision until the node obeys it, that is the more of both.
#[derive(Debug, Default)]
struct Allowed(Vec<(Timestamp, Rate, u64)>);

impl Allowed {
    fn is(&mut self, at: Timestamp, rate: Rate, burst: u64) {
        if self.0.last().is_none_or(|(_, known, most)| (*known, *most) != (rate, burst)) {
            self.0.push((at, rate, burst));
        }
    }

    fn may_be(&mut self, at: Timestamp, rate: Rate, burst: u64) {
        match self.0.last().copied() {
            Some((_, known, most)) => {
                let faster = if known.each_second() < rate.each_second() { rate } else { known };
                self.is(at, faster, most.max(burst));
            }
            None => self.is(at, rate, burst),
        }
    }

    /// How many may have left in a window that ends at `until`.
    fn within(&self, window: Span, until: Timestamp) -> u64 {
        let from = until - window;
        let (mut most, mut burst, mut end) = (0.0, 0, until);
        for (since, rate, of_it) in self.0.iter().rev() {
            let begin = (*since).max(from);
            most += rate.each_second() * end.since(begin).std().as_secs_f64();
            burst = burst.max(*of_it);
            end = end.min(*since);
            if *since <= from {
                break;
            }
        }
        format!("{:.0}", most.floor()).parse::<u64>().unwrap() + burst + 1
    }
}

#[derive(Debug)]
struct Left {
    allowed: Allowed,
    at: VecDeque<Timestamp>,
}

impl Left {
    fn new() -> Self {
        Self { allowed: Allowed::default(), at: VecDeque::new() }
    }

    fn check(&mut self, at: Timestamp, who: &str) {
        self.at.push_back(at);
        while self.at.front().is_some_and(|then| *then + WINDOWS[WINDOWS.len() - 1] <= at) {
            self.at.pop_front();
        }
        for window in WINDOWS {
            let within = self.at.iter().rev().take_while(|left| **left + window > at).count();
            let most = self.allowed.within(window, at);
            assert!(
                u64::try_from(within).unwrap() <= most,
                "{within} have left within {window} on {who}, and {most} may"
            );
        }
    }
}

/// Somebody to whom a portfolio has handed something over, and when that was claimed.
#[derive(Debug, Clone, Copy)]
pub(super) struct HandedOver {
    pub(super) person: Msisdn,
    pub(super) claimed: Timestamp,
    pub(super) at: Timestamp,
    pub(super) attempt: AttemptId,
    /// Which of its copies it is.
    pub(super) copy: usize,
}

#[derive(Debug)]
pub(super) struct Paces {
    lanes: HashMap<String, Left>,
    accounts: HashMap<String, Left>,
    /// The largest that each tier can be now.
    tiers: HashMap<String, Tier>,
    people: HashMap<String, Vec<HandedOver>>,
}

impl Paces {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        let (lanes, accounts) = (HashMap::new(), HashMap::new());
        let mut paces = Self { lanes, accounts, tiers: HashMap::new(), people: HashMap::new() };
        paces.obeyed(config, now);
        paces
    }

    /// Somebody has turned something, and the node may know it.
    pub(super) fn turned(&mut self, config: &Config, now: Timestamp) {
        self.set(config, |allowed, rate, burst| allowed.may_be(now, rate, burst));
        for (portfolio, tier) in config.portfolios() {
            let known = self.tiers.entry(portfolio.to_owned()).or_insert(tier);
            *known = tier.max(*known);
        }
    }

    /// The node obeys, and nothing else counts.
    pub(super) fn obeyed(&mut self, config: &Config, now: Timestamp) {
        self.set(config, |allowed, rate, burst| allowed.is(now, rate, burst));
        self.tiers = config.portfolios().map(|(portfolio, tier)| (portfolio.to_owned(), tier)).collect();
    }

    fn set(&mut self, config: &Config, set: impl Fn(&mut Allowed, Rate, u64)) {
        for lane in &config.lanes {
            let left = self.lanes.entry(lane.name.clone()).or_insert_with(Left::new);
            set(&mut left.allowed, lane.rate, u64::from(lane.burst.get()));
        }
        for account in &config.accounts {
            if let Some(rate) = account.rate {
                let left = self.accounts.entry(account.name.clone()).or_insert_with(Left::new);
                set(&mut left.allowed, rate, u64::from(account.burst(rate, &config.lanes).get()));
            }
        }
    }

    /// A message has left on a lane.
    pub(super) fn on_lane(&mut self, config: &Config, lane: &str, at: Timestamp) {
        let lane = config.lane(lane).unwrap();
        self.lanes.get_mut(&lane.name).unwrap().check(at, &lane.name);
        if let Some(left) = self.accounts.get_mut(&lane.account) {
            left.check(at, &lane.account);
        }
    }

    /// When the next slot of a tier is free that was taken then, at the latest.
    pub(super) fn next_free(&self, now: Timestamp) -> Option<Timestamp> {
        let free_at = |known: &HandedOver| known.claimed + DAY + SLOT_MARGIN;
        self.people.values().flatten().map(free_at).filter(|at| *at > now).min()
    }

    /// The provider has taken something for a person who has no window open. What has failed, as it has said, has given its
    /// place back.
    pub(super) fn of_person(&mut self, portfolio: &str, new: HandedOver, has_failed: impl Fn(&HandedOver) -> bool) {
        let people = self.people.entry(portfolio.to_owned()).or_default();
        people.retain(|known| known.at + DAY > new.at && !has_failed(known));
        let others: HashSet<Msisdn> = people.iter().map(|known| known.person).collect();
        people.push(new);
        let Some(Tier::People(tier)) = self.tiers.get(portfolio).copied() else { return };
        if !others.contains(&new.person) {
            let most = usize::try_from(tier).unwrap();
            assert!(others.len() < most, "{} people in a day, on a tier of {tier}", others.len() + 1);
        }
    }
}
