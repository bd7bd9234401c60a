//! One look at the servers of a database.

use crate::campaign::NODE_SILENT;
use crate::domain::Timestamp;
use crate::node::{Os, Processes};
use crate::store::{LaneState, Node, Nodes, Result, Unwritable};

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
}

impl Servers {
    pub async fn look(store: &dyn Nodes, now: Timestamp) -> Result<Self> {
        let is_killed = store.lease().await?.held.is_some_and(|(holder, _)| Os.is_gone(&holder));
        let unwritable = store.unwritable(now - NODE_SILENT).await?;
        if is_killed {
            return Ok(Self { running: Vec::new(), is_killed, unwritable, lanes: Vec::new() });
        }
        // Read first: a server that starts meanwhile has not reported its lanes, and its lanes are not missing.
        let running = store.nodes(now - NODE_SILENT).await?;
        let lanes = store.lane_states(now - NODE_SILENT).await?;
        Ok(Self { running, is_killed, unwritable, lanes })
    }

    /// Whether a server is running. One that cannot write cannot record its heartbeat either.
    pub fn is_running(&self) -> bool {
        !self.running.is_empty() || self.unwritable.is_some()
    }

    /// What a server reports about a lane.
    pub fn lane(&self, name: &str) -> Option<&LaneState> {
        self.lanes.iter().find(|state| state.lane == name)
    }
}
