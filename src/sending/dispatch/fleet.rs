//! The lanes of this node, which replace one another in pools and share subaccounts.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use super::lane::RunningLane;
use crate::base::domain::{LaneId, Timestamp};
use crate::provider::client::Reach;

/// The time and the result of the last read of a subaccount. The lock lets one lane read while the others wait.
type LastRead = Arc<tokio::sync::Mutex<Option<(Timestamp, Reach)>>>;

/// All running lanes of this node. A lane that is not in it is no longer configured.
#[derive(Debug, Default)]
pub struct Fleet {
    lanes: RwLock<HashMap<LaneId, Weak<RunningLane>>>,
    /// By address and subaccount.
    reads: RwLock<HashMap<(String, String), LastRead>>,
}

impl Fleet {
    pub(super) fn join(&self, lane: &Arc<RunningLane>) {
        self.lanes.write().insert(lane.id, Arc::downgrade(lane));
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<Arc<RunningLane>> {
        self.lanes.read().get(&id).and_then(Weak::upgrade)
    }

    /// Checks with a harmless read whether the provider answers for this lane's subaccount. Lanes of one subaccount
    /// share the read.
    pub(super) async fn reach(&self, lane: &RunningLane) -> Reach {
        let provider = &lane.config.provider;
        let key = (provider.base_url.clone(), provider.sub_account.clone());
        let last = Arc::clone(self.reads.write().entry(key).or_default());
        let wanted_at = lane.clock.now();
        let mut last = last.lock().await;
        match &*last {
            Some((at, reach)) if *at > wanted_at => reach.clone(),
            _ => {
                let reach = lane.client.probe().await;
                last.insert((lane.clock.now(), reach)).1.clone()
            }
        }
    }
}
