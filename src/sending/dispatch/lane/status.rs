//! The state of a lane, as shown to operators.

use std::sync::atomic::Ordering;

use super::RunningLane;
use crate::base::domain::{Portion, Rate, Tier, Timestamp};
use crate::sending::throttle::{Standstill, StandstillCause};
use crate::store::Hold;

/// The state of a lane, as shown to operators.
#[derive(Debug, Clone)]
pub struct LaneStatus {
    pub name: String,
    pub rate: Rate,
    pub hold: Option<Hold>,
    pub standstill: Option<Standstill>,
    /// The share of its rate that it uses after throttling.
    pub portion: Portion,
    /// The usage of its portfolio's tier in the last day, if the tier is limited.
    pub tier: Option<TierUsed>,
    /// Messages that it has submitted since the node's start.
    pub submitted: u64,
    /// The last throttling or missing answer, however long ago.
    pub complaint: Option<(Timestamp, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierUsed {
    pub portfolio: String,
    pub recipients: u32,
    pub of: u32,
    /// When the next slot frees up.
    pub free_at: Option<Timestamp>,
}

impl TierUsed {
    /// Whether no slot is free for a new recipient.
    pub const fn is_spent(&self) -> bool {
        self.recipients >= self.of
    }
}

impl RunningLane {
    pub fn status(&self) -> LaneStatus {
        let now = self.clock.now();
        LaneStatus {
            name: self.config.name.clone(),
            rate: self.pace.rate(),
            hold: self.holds.on_lane(&self.config.name),
            standstill: self.standstill(),
            portion: self.backoff.portion(now),
            tier: self.tier.as_ref().and_then(|(portfolio, window)| {
                let Tier::Recipients(of) = window.tier() else { return None };
                let (portfolio, recipients) = (portfolio.clone(), window.used(now));
                Some(TierUsed { portfolio, recipients, of, free_at: window.next_end(now) })
            }),
            submitted: self.submitted.load(Ordering::Relaxed),
            complaint: self.backoff.last_complaint().max(self.circuit.last_complaint()),
        }
    }

    /// Why the lane does not send now. An outage takes precedence over throttling, and both over a test of the lane.
    fn standstill(&self) -> Option<Standstill> {
        self.circuit.standstill().or_else(|| self.backoff.standstill()).or_else(|| self.tested())
    }

    /// The test of the lane after a refusal without a known code, if one is open.
    fn tested(&self) -> Option<Standstill> {
        let (since, refusal) = self.test.standing()?;
        let reason = format!("{} was refused: {}", refusal.named(), refusal.reason);
        Some(Standstill { cause: StandstillCause::Refused, reason, since, until: since, in_flight: 0 })
    }
}
