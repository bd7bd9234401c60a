//! How lanes go now, as people read it: what the running server has said of them with its last beat.

use serde::Serialize;

use super::words::{about, rate};
use crate::campaign::moment;
use crate::config::{Config, Lane};
use crate::domain::{Portion, Tier, Timestamp};
use crate::store::{LaneState, Standing, Trouble};

/// How a lane goes, for JSON.
#[derive(Debug, Serialize)]
pub(super) struct PaceShown {
    /// Messages a second that it lets out.
    pace: f64,
    /// What it may: its rate, or less of it while it is throttled.
    allowed: f64,
    /// How much of its rate that is, from a sixteenth to 1.
    portion: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    standing: Option<StandingShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier_spent: Option<bool>,
    /// Then, when the next place comes free.
    #[serde(skip_serializing_if = "Option::is_none")]
    tier_free_at: Option<String>,
    /// What the provider complained of last, however long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_complaint: Option<ComplaintShown>,
}

#[derive(Debug, Serialize)]
struct ComplaintShown {
    at: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct StandingShown {
    kind: &'static str,
    since: String,
    /// When it is tried again.
    until: String,
    why: String,
}

impl PaceShown {
    pub(super) fn new(lane: &Lane, state: &LaneState) -> Self {
        let standing = state.standing.as_ref().map(|standing| StandingShown {
            kind: kind(standing.trouble),
            since: standing.since.rfc3339(),
            until: standing.until.rfc3339(),
            why: standing.why.clone(),
        });
        let tier_spent = lane.tiered().is_some().then_some(state.tier_spent);
        let allowed = state.portion.of(lane.rate.each_second());
        let tier_free_at = state.free_at.filter(|_| state.tier_spent).map(Timestamp::rfc3339);
        let complaint = state.complaint.as_ref();
        let last_complaint = complaint.map(|(at, why)| ComplaintShown { at: at.rfc3339(), why: why.clone() });
        let portion = state.portion.of(1.0);
        Self { pace: state.pace, allowed, portion, standing, tier_spent, tier_free_at, last_complaint }
    }
}

const fn kind(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Throttled => "throttled",
        Trouble::Outage => "outage",
    }
}

/// Why a lane goes more slowly than it could, although nobody holds it. It passes by itself.
#[derive(Debug, Clone)]
pub(super) struct Slow {
    pub(super) lane: String,
    why: Why,
}

#[derive(Debug, Clone)]
enum Why {
    Standing(Standing),
    Slowed { to: f64, of: f64 },
    TierSpent { portfolio: String, tier: Tier, free_at: Option<Timestamp> },
}

impl Slow {
    /// Everything that slows the lanes of the configuration down.
    pub(super) fn all(config: &Config, states: &[LaneState], now: Timestamp) -> Vec<Self> {
        let known = states.iter().filter_map(|state| Some((config.lane(&state.lane)?, state)));
        known.flat_map(|(lane, state)| Self::of(lane, state, now)).collect()
    }

    fn of(lane: &Lane, state: &LaneState, now: Timestamp) -> Vec<Self> {
        // Throttled until just now: what is left of it is the slower pace.
        let stands = |standing: &&Standing| standing.trouble == Trouble::Outage || standing.until > now;
        let standing = state.standing.as_ref().filter(stands).cloned().map(Why::Standing);
        let of = lane.rate.each_second();
        let slowed = (state.portion < Portion::WHOLE).then(|| Why::Slowed { to: state.portion.of(of), of });
        let spent = lane.tiered().filter(|_| state.tier_spent);
        let spent = spent.map(|portfolio| Why::TierSpent {
            portfolio: portfolio.to_owned(),
            tier: lane.tier,
            free_at: state.free_at,
        });
        let all = standing.into_iter().chain(slowed).chain(spent);
        all.map(|why| Self { lane: lane.name.clone(), why }).collect()
    }

    pub(super) const fn kind(&self) -> &'static str {
        match &self.why {
            Why::Standing(standing) => kind(standing.trouble),
            Why::Slowed { .. } => "slowed",
            Why::TierSpent { .. } => "tier spent",
        }
    }

    pub(super) const fn since(&self) -> Option<Timestamp> {
        match &self.why {
            Why::Standing(standing) => Some(standing.since),
            Why::Slowed { .. } | Why::TierSpent { .. } => None,
        }
    }

    /// In a word or two, for a column.
    pub(super) fn state(&self) -> &'static str {
        match &self.why {
            Why::Standing(_) => "stands still",
            Why::Slowed { .. } => "slowed",
            Why::TierSpent { .. } => "tier spent",
        }
    }

    pub(super) fn what(&self) -> String {
        let lane = &self.lane;
        match &self.why {
            Why::Standing(Standing { trouble: Trouble::Outage, why, in_flight, .. }) => {
                let in_flight = match in_flight {
                    0 => String::new(),
                    1 => "; 1 request was in flight when it began".to_owned(),
                    many => format!("; {many} requests were in flight when it began"),
                };
                format!("lane {lane} stands still: trouble at the provider: {why}{in_flight}")
            }
            Why::Standing(Standing { why, .. }) => {
                format!("lane {lane} stands still: it was too fast for the provider: {why}")
            }
            Why::Slowed { to, of } => {
                format!("lane {lane} goes at {} of its {}: the provider throttled it", rate(*to), rate(*of))
            }
            Why::TierSpent { portfolio, tier, .. } => {
                format!("the tier of portfolio {portfolio} ({tier}) is spent: on lane {lane} nobody new is written to")
            }
        }
    }

    pub(super) fn what_to_do(&self, now: Timestamp) -> String {
        match &self.why {
            Why::Standing(standing) => {
                let again = match standing.until > now {
                    true => format!("tried again in {}", about(standing.until.since(now))),
                    false => "tried again now".to_owned(),
                };
                match standing.trouble {
                    Trouble::Outage => {
                        format!(
                            "nothing; it is {again}, and queued messages wait. `volley doctor` looks at the provider"
                        )
                    }
                    Trouble::Throttled => format!("nothing; it is {again}, and goes on more slowly"),
                }
            }
            Why::Slowed { .. } => {
                "nothing; it goes faster again by itself. Where it comes back, lower the lane's rate".to_owned()
            }
            Why::TierSpent { free_at, .. } => {
                let next = free_at
                    .filter(|at| *at > now)
                    .map(|at| format!(", the next at {} (in {})", moment(at, None), about(at.since(now))));
                format!(
                    "wait: a place comes free a day after it was taken{}; or set `tier` once the provider has raised it",
                    next.unwrap_or_default()
                )
            }
        }
    }
}
