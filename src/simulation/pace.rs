//! What was sent when, checked against the rates of lanes and accounts and the tier of a portfolio, with their
//! overrides.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::base::config::Config;
use crate::base::domain::{AttemptId, Msisdn, Rate, Span, Tier, Timestamp};

const DAY: Span = Span::from_secs(86_400);
/// How much longer than a day a slot is held.
const SLOT_MARGIN: Span = Span::from_millis(60_100);

/// The windows in which requests are counted.
const WINDOWS: [Span; 3] = [Span::from_millis(1), Span::from_secs(1), Span::from_secs(10)];

/// The rate and burst that were allowed since when. Between a decision and its noting, the larger of both applies.
#[derive(Debug, Default)]
struct Allowed(Vec<(Timestamp, Rate, u64)>);

impl Allowed {
    fn only(&mut self, at: Timestamp, rate: Rate, burst: u64) {
        if self.0.last().is_none_or(|(_, known, most)| (*known, *most) != (rate, burst)) {
            self.0.push((at, rate, burst));
        }
    }

    fn also(&mut self, at: Timestamp, rate: Rate, burst: u64) {
        match self.0.last().copied() {
            Some((_, known, most)) => {
                let faster = if rate.is_above(known) { rate } else { known };
                self.only(at, faster, most.max(burst));
            }
            None => self.only(at, rate, burst),
        }
    }

    /// Returns how many requests may be sent in a window that ends at `until`.
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
struct Submissions {
    allowed: Allowed,
    at: VecDeque<Timestamp>,
}

impl Submissions {
    fn new() -> Self {
        Self { allowed: Allowed::default(), at: VecDeque::new() }
    }

    fn check(&mut self, at: Timestamp, who: &str) {
        self.at.push_back(at);
        while self.at.front().is_some_and(|then| *then + WINDOWS[WINDOWS.len() - 1] <= at) {
            self.at.pop_front();
        }
        for window in WINDOWS {
            let within = self.at.iter().rev().take_while(|submissions| **submissions + window > at).count();
            let most = self.allowed.within(window, at);
            assert!(
                u64::try_from(within).unwrap() <= most,
                "{within} requests within {window} on {who}; the limit is {most}"
            );
        }
    }
}

/// A message that a portfolio submitted for a recipient, and when it was claimed.
#[derive(Debug, Clone, Copy)]
pub(super) struct HandedOver {
    pub(super) recipient: Msisdn,
    pub(super) claimed: Timestamp,
    pub(super) at: Timestamp,
    pub(super) attempt: AttemptId,
    /// The number of the copy among those of its attempt.
    pub(super) copy: usize,
}

#[derive(Debug)]
pub(super) struct RateLimits {
    lanes: HashMap<String, Submissions>,
    accounts: HashMap<String, Submissions>,
    /// The largest that each tier may be now.
    tiers: HashMap<String, Tier>,
    recipients: HashMap<String, Vec<HandedOver>>,
}

impl RateLimits {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        let (lanes, accounts) = (HashMap::new(), HashMap::new());
        let mut rate_limits = Self { lanes, accounts, tiers: HashMap::new(), recipients: HashMap::new() };
        rate_limits.allow_only(config, now);
        rate_limits
    }

    /// Notes an override that the node may already know.
    pub(super) fn allow_also(&mut self, config: &Config, now: Timestamp) {
        self.set(config, |allowed, rate, burst| allowed.also(now, rate, burst));
        for (portfolio, tier) in config.portfolios() {
            let known = self.tiers.entry(portfolio.to_owned()).or_insert(tier);
            *known = tier.max(*known);
        }
    }

    /// Notes that the node obeys this configuration, and no other applies.
    pub(super) fn allow_only(&mut self, config: &Config, now: Timestamp) {
        self.set(config, |allowed, rate, burst| allowed.only(now, rate, burst));
        self.tiers = config.portfolios().map(|(portfolio, tier)| (portfolio.to_owned(), tier)).collect();
    }

    fn set(&mut self, config: &Config, set: impl Fn(&mut Allowed, Rate, u64)) {
        for lane in &config.lanes {
            let submissions = self.lanes.entry(lane.name.clone()).or_insert_with(Submissions::new);
            set(&mut submissions.allowed, lane.rate, u64::from(lane.burst.get()));
        }
        for account in &config.accounts {
            if let Some(rate) = account.rate {
                let submissions = self.accounts.entry(account.name.clone()).or_insert_with(Submissions::new);
                set(&mut submissions.allowed, rate, u64::from(account.burst(rate, &config.lanes).get()));
            }
        }
    }

    /// Checks a message that was sent on a lane.
    pub(super) fn check_lane(&mut self, config: &Config, lane: &str, at: Timestamp) {
        let lane = config.lane(lane).unwrap();
        self.lanes.get_mut(&lane.name).unwrap().check(at, &lane.name);
        if let Some(submissions) = self.accounts.get_mut(&lane.account) {
            submissions.check(at, &lane.account);
        }
    }

    /// Returns when the next tier slot is free, at the latest.
    pub(super) fn next_free(&self, now: Timestamp) -> Option<Timestamp> {
        let free_at = |known: &HandedOver| known.claimed + DAY + SLOT_MARGIN;
        self.recipients.values().flatten().map(free_at).filter(|at| *at > now).min()
    }

    /// Checks a message that the provider took for a recipient without an open window. A message that the provider
    /// reported as failed has given its slot back.
    pub(super) fn check_tier(&mut self, portfolio: &str, new: HandedOver, has_failed: impl Fn(&HandedOver) -> bool) {
        let recipients = self.recipients.entry(portfolio.to_owned()).or_default();
        recipients.retain(|known| known.at + DAY > new.at && !has_failed(known));
        let others: HashSet<Msisdn> = recipients.iter().map(|known| known.recipient).collect();
        recipients.push(new);
        let Some(Tier::Recipients(tier)) = self.tiers.get(portfolio).copied() else { return };
        if !others.contains(&new.recipient) {
            let most = usize::try_from(tier).unwrap();
            assert!(others.len() < most, "{} recipients in a day, on a tier of {tier}", others.len() + 1);
        }
    }
}
