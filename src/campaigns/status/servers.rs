//! One look at the servers of a database.

use std::collections::BTreeMap;

use super::obstacles::Obstacle;
use crate::base::config::Lane;
use crate::base::domain::{Tier, Timestamp};
use crate::campaigns::campaign::NODE_SILENT;
use crate::node::{Os, Processes};
use crate::store::{LaneState, Node, Result, Store, Unwritable};

/// The servers of a database, as they were at one look.
#[derive(Debug)]
pub struct Servers {
    /// The servers that are running.
    pub running: Vec<Node>,
    /// Whether the latest server has certainly ended without stopping: its process is gone, and it still has the lease.
    pub is_killed: bool,
    /// When the server that has the lease was last heard of, if it does not respond: it hangs, or its process ended where
    /// that cannot be seen from here.
    pub silent_since: Option<Timestamp>,
    /// Why the running server cannot write to the database; `None` if it can.
    pub unwritable: Option<Unwritable>,
    /// The lanes, as the running servers report them.
    pub lanes: Vec<LaneState>,
    /// For each portfolio, the recipients that count against its tier. Empty unless a server reports a spent tier.
    recipients: BTreeMap<String, u32>,
}

impl Servers {
    pub async fn look(store: &dyn Store, now: Timestamp) -> Result<Self> {
        let lease = store.lease().await?;
        let is_killed = lease.held.as_ref().is_some_and(|(holder, _)| Os.is_gone(holder));
        let unwritable = store.unwritable(now - NODE_SILENT).await?;
        if is_killed {
            return Ok(Self {
                running: Vec::new(),
                is_killed,
                silent_since: None,
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
        let is_silent = running.is_empty() && unwritable.is_none() && lease.held.is_some();
        let silent_since = is_silent.then_some(lease.renewed);
        Ok(Self { running, is_killed, silent_since, unwritable, lanes, recipients })
    }

    /// Whether a server is running. One that cannot write cannot record its heartbeat either.
    pub fn is_running(&self) -> bool {
        !self.running.is_empty() || self.unwritable.is_some()
    }

    /// The obstacle, if no server is running or responds.
    pub fn missing(&self) -> Option<Obstacle> {
        let missing = self.silent_since.map_or(Obstacle::NoServer, Obstacle::SilentServer);
        (!self.is_running()).then_some(missing)
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
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::config::Config;
    use crate::base::domain::{Portion, Span};
    use crate::store;

    fn lane(tier: &str) -> Lane {
        let text = format!(
            "[provider]\nsub_account = \"acme\"\n\
             [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nportfolio = \"acme\"\ntier = \"{tier}\"\n"
        );
        let none = std::iter::empty::<(&str, String)>();
        let file = Some((std::path::Path::new("volley.toml"), text.as_str()));
        Config::read(file, std::iter::empty(), none).unwrap().config.lanes.remove(0)
    }

    #[tokio::test]
    async fn a_server_that_does_not_respond_is_not_taken_for_none() {
        let start = Timestamp::from_millis(1_000_000);
        let clock = Arc::new(ManualClock::at(start));
        let store = store::open("sqlite::memory:", clock).await.unwrap();
        let store = store.as_ref();
        let look = async |now| Servers::look(store, now).await.unwrap();
        let none = look(start).await;
        assert_eq!((none.is_running(), none.silent_since), (false, None));
        let node = store::started(store, start).await.node;
        let running = look(start).await;
        assert_eq!((running.is_running(), running.silent_since), (true, None));
        let late = start + NODE_SILENT + Span::from_secs(1);
        let silent = look(late).await;
        assert_eq!((silent.is_running(), silent.silent_since, silent.is_killed), (false, Some(start), false));
        store.stop_node(node, late).await.unwrap();
        assert_eq!(look(late).await.silent_since, None);
    }

    #[test]
    fn a_raised_tier_is_not_reported_as_spent() {
        let (lanes, recipients) = (Vec::new(), BTreeMap::from([("acme".to_owned(), 250)]));
        let servers =
            Servers { running: Vec::new(), is_killed: false, silent_since: None, unwritable: None, lanes, recipients };
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
