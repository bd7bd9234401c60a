//! Describes the present rate of lanes, as the running server recorded it with its last heartbeat.

use serde::Serialize;

use super::servers::Servers;
use crate::base::clock::format_time;
use crate::base::config::{Config, Lane};
use crate::base::domain::text::{about, rate, shell};
use crate::base::domain::{Portion, Tier, Timestamp};
use crate::store::{LaneStandstill, LaneState, Trouble};

/// What a running server reports about a lane.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaneNowView {
    /// Submissions a second, as last measured.
    pub rate_per_s: f64,
    /// The rate of the lane, or less while it is throttled.
    pub allowed_per_s: f64,
    /// The allowed share of its rate, from a sixteenth to 1.
    pub allowed_share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<StandingView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier_spent: Option<bool>,
    /// When the next slot frees up, if the tier is spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier_free_at: Option<String>,
    /// The latest complaint of the provider, of any age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_complaint: Option<ComplaintView>,
}

/// A complaint of the provider.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ComplaintView {
    pub at: String,
    pub reason: String,
}

/// Why a lane is stopped.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StandingView {
    pub kind: &'static str,
    pub since: String,
    /// When the lane retries.
    pub until: String,
    pub reason: String,
}

impl LaneNowView {
    pub fn new(lane: &Lane, state: &LaneState, servers: &Servers) -> Self {
        let standing = state.standing.as_ref().map(|standing| StandingView {
            kind: kind(standing.trouble),
            since: standing.since.rfc3339(),
            until: standing.until.rfc3339(),
            reason: standing.why.clone(),
        });
        let is_spent = servers.is_tier_spent(lane, state);
        let tier_spent = lane.tiered().is_some().then_some(is_spent);
        let allowed_per_s = state.portion.of(lane.rate.each_second());
        let tier_free_at = state.free_at.filter(|_| is_spent).map(Timestamp::rfc3339);
        let complaint = state.complaint.as_ref();
        let last_complaint = complaint.map(|(at, why)| ComplaintView { at: at.rfc3339(), reason: why.clone() });
        let (rate_per_s, allowed_share) = (state.pace, state.portion.of(1.0));
        Self { rate_per_s, allowed_per_s, allowed_share, standing, tier_spent, tier_free_at, last_complaint }
    }
}

const fn kind(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Throttled => "throttled",
        Trouble::Outage => "outage",
        Trouble::Refused => "refused",
    }
}

/// Why a lane sends more slowly than its rate without a hold. It ends without an operator.
#[derive(Debug, Clone)]
pub struct Slow {
    pub lane: String,
    why: Why,
}

#[derive(Debug, Clone)]
enum Why {
    Standing(LaneStandstill),
    Slowed { to: f64, of: f64 },
    TierSpent { portfolio: String, tier: Tier, free_at: Option<Timestamp> },
}

impl Slow {
    /// Lists what slows down the configured lanes. `config` has its overrides.
    pub fn all(config: &Config, servers: &Servers, now: Timestamp) -> Vec<Self> {
        let known = servers.lanes.iter().filter_map(|state| Some((config.lane(&state.lane)?, state)));
        known.flat_map(|(lane, state)| Self::of(lane, state, servers, now)).collect()
    }

    fn of(lane: &Lane, state: &LaneState, servers: &Servers, now: Timestamp) -> Vec<Self> {
        // When a throttling ends, only the lower rate remains.
        let is_stopped = |standing: &&LaneStandstill| standing.trouble != Trouble::Throttled || standing.until > now;
        let standing = state.standing.as_ref().filter(is_stopped).cloned().map(Why::Standing);
        let of = lane.rate.each_second();
        let slowed = (state.portion < Portion::WHOLE).then(|| Why::Slowed { to: state.portion.of(of), of });
        let spent = lane.tiered().filter(|_| servers.is_tier_spent(lane, state));
        let spent = spent.map(|portfolio| Why::TierSpent {
            portfolio: portfolio.to_owned(),
            tier: lane.tier,
            free_at: state.free_at,
        });
        let all = standing.into_iter().chain(slowed).chain(spent);
        all.map(|why| Self { lane: lane.name.clone(), why }).collect()
    }

    pub const fn is_outage(&self) -> bool {
        matches!(&self.why, Why::Standing(LaneStandstill { trouble: Trouble::Outage, .. }))
    }

    pub const fn kind(&self) -> &'static str {
        match &self.why {
            Why::Standing(standing) => kind(standing.trouble),
            Why::Slowed { .. } => "slowed",
            Why::TierSpent { .. } => "tier spent",
        }
    }

    pub const fn since(&self) -> Option<Timestamp> {
        match &self.why {
            Why::Standing(standing) => Some(standing.since),
            Why::Slowed { .. } | Why::TierSpent { .. } => None,
        }
    }

    /// The state in a word or two, for a column.
    pub fn state(&self) -> &'static str {
        match &self.why {
            Why::Standing(LaneStandstill { trouble: Trouble::Refused, .. }) => "testing",
            Why::Standing(_) => "stopped",
            Why::Slowed { .. } => "slowed",
            Why::TierSpent { .. } => "tier spent",
        }
    }

    pub fn what(&self) -> String {
        let lane = &self.lane;
        match &self.why {
            Why::Standing(LaneStandstill { trouble: Trouble::Outage, why, in_flight, .. }) => {
                let in_flight = match in_flight {
                    0 => String::new(),
                    1 => "; 1 request was in flight when it began".to_owned(),
                    many => format!("; {many} requests were in flight when it began"),
                };
                format!("lane {lane} is stopped by an outage of the provider: {why}{in_flight}")
            }
            Why::Standing(LaneStandstill { trouble: Trouble::Refused, why, .. }) => {
                format!("lane {lane} sends one message to test whether the provider refuses the lane: {why}")
            }
            Why::Standing(LaneStandstill { why, .. }) => {
                format!("lane {lane} is stopped: the provider throttled it: {why}")
            }
            Why::Slowed { to, of } => {
                format!("lane {lane} is slowed to {} of its {}: the provider throttled it", rate(*to), rate(*of))
            }
            Why::TierSpent { portfolio, tier, .. } => {
                format!("the tier of portfolio {portfolio} ({tier}) is spent: no new recipients on lane {lane} for now")
            }
        }
    }

    pub fn what_to_do(&self, now: Timestamp) -> String {
        match &self.why {
            Why::Standing(standing) => {
                let retries = match standing.until > now {
                    true => format!("retries in {}", about(standing.until.since(now))),
                    false => "retries now".to_owned(),
                };
                match standing.trouble {
                    Trouble::Outage => {
                        format!("nothing; it {retries}, and queued messages wait. `volley doctor` checks the provider")
                    }
                    Trouble::Throttled => format!("nothing; it {retries}, at a lower rate"),
                    Trouble::Refused => "nothing; if its next message is refused alike, the lane is held".to_owned(),
                }
            }
            Why::Slowed { .. } => {
                "nothing; the rate recovers automatically. If this repeats, lower the rate of the lane".to_owned()
            }
            Why::TierSpent { tier, free_at, .. } => {
                let next = free_at
                    .filter(|at| *at > now)
                    .map(|at| format!(", the next at {} (in {})", format_time(at, None), about(at.since(now))));
                format!(
                    "wait: each slot frees up after 24 h{}. {}Once the provider has raised the tier: volley lane set {} --tier {}",
                    next.unwrap_or_default(),
                    if *tier == Tier::UNVERIFIED { "Verify the business at the provider. " } else { "" },
                    shell(&self.lane),
                    tier.next_higher()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_that_is_not_verified_is_told_to_verify_and_which_tier_comes_next() {
        let told = |tier| {
            let why = Why::TierSpent { portfolio: "acme".to_owned(), tier, free_at: None };
            Slow { lane: "wa".to_owned(), why }.what_to_do(Timestamp::from_millis(0))
        };
        let first = told("250".parse().unwrap());
        assert!(first.contains("Verify the business at the provider.") && first.ends_with("--tier 2K"), "{first}");
        let second = told("2K".parse().unwrap());
        assert!(!second.contains("Verify") && second.ends_with("--tier 10K"), "{second}");
    }
}
