//! One look at the servers of a database.

use std::collections::BTreeMap;

use crate::campaign::NODE_SILENT;
use crate::config::Lane;
use crate::domain::{Tier, Timestamp};
use crate::node::{Os, Processes};
use crate::store::{LaneState, Node, Result, Store, Unwritable};

/// The servers of a database, as they were at one look.
#[derive(Debug)]
pub struct Servers {
    /// The servers that are running.
    pub running: Vec<Node>,
    /// Whether the latest server has certainly ended without stopping: its process is gone, and it still has the lease.
    pub is_killed: bool,
    /// Why the running server cannot write to the database; `None` if it can.
    pub unwritable: Option<Unwritable>,
    /// The lanes, as the running servers report them.
    pub lanes: Vec<LaneState>,
    /// For each portfolio, the recipients that count against its tier. Empty unless a server reports a spent tier.
    recipients: BTreeMap<String, u32>,
}

impl Servers {
    pub async fn look(store: &dyn Store, now: Timestamp) -> Result<Self> {
        let is_killed = store.lease().await?.held.is_some_and(|(holder, _)| Os.is_gone(&holder));
        let unwritable = store.unwritable(now - NODE_SILENT).await?;
        if is_killed {
            return Ok(Self {
                running: Vec::new(),
                is_killed,
                unwritable,
                lanes: Vec::new(),
                recipients: BTreeMap::new(),
            });
        }
        // Read first: a server that starts meanwhile has not reported its lanes, and its lanes are not missing.
        let running = store.nodes(now - NODE_SILENT).await?;
        let lanes = store.lane_states(now - NODE_SILENT).await?;
        let recipients = if lanes.iter().any(|state| state.tier_spent) {
            store.tiers_used(now - Tier::HELD).await?
        } else {
            BTreeMap::new()
        };
        Ok(Self { running, is_killed, unwritable, lanes, recipients })
    }

    /// Whether a server is running. One that cannot write cannot record its heartbeat either.
    pub fn is_running(&self) -> bool {
        !self.running.is_empty() || self.unwritable.is_some()
    }

    /// Whether the tier of a lane is spent. `lane` has its overrides.
    ///
    /// A server reports a spent tier with its heartbeat. A tier that was raised since is spent no more.
    pub fn is_tier_spent(&self, lane: &Lane, state: &LaneState) -> bool {
        let used = lane.tiered().and_then(|portfolio| self.recipients.get(portfolio)).copied().unwrap_or(0);
        match lane.tier {
            Tier::Recipients(most) => state.tier_spent && used >= most,
            Tier::Unlimited => false,
        }
    }

    /// What a server reports about a lane.
    pub fn lane(&self, name: &str) -> Option<&LaneState> {
        self.lanes.iter().find(|state| state.lane == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::Portion;

    fn lane(tier: &str) -> Lane {
        let text = format!(
            "[provider]\nsub_account = \"acme\"\n\
             [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nportfolio = \"acme\"\ntier = \"{tier}\"\n"
        );
        let none = std::iter::empty::<(&str, String)>();
        let file = Some((std::path::Path::new("volley.toml"), text.as_str()));
        Config::read(file, std::iter::empty(), none).unwrap().config.lanes.remove(0)
    }

    #[test]
    fn a_raised_tier_is_not_reported_as_spent() {
        let (lanes, recipients) = (Vec::new(), BTreeMap::from([("acme".to_owned(), 250)]));
        let servers = Servers { running: Vec::new(), is_killed: false, unwritable: None, lanes, recipients };
        let state = LaneState {
            lane: "wa".to_owned(),
            pace: 0.0,
            portion: Portion::WHOLE,
            tier_spent: true,
            free_at: None,
            standing: None,
            complaint: None,
        };
        let is_spent = |tier| servers.is_tier_spent(&lane(tier), &state);
        assert_eq!(["250", "1K", "unlimited"].map(is_spent), [true, false, false]);
        assert!(!servers.is_tier_spent(&lane("250"), &LaneState { tier_spent: false, ..state.clone() }));
    }
}
