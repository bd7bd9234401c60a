//! The lanes of this node, for those that stand in for one another and those that share a subaccount.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::lane::Lane;
use crate::domain::{LaneId, Timestamp};
use crate::provider::Reach;

/// When a subaccount was read last, and what came of it. Whoever wants to read waits for who does.
type LastRead = Arc<tokio::sync::Mutex<Option<(Timestamp, Reach)>>>;

/// Every lane at work here. One that is not among them is configured no more.
#[derive(Debug, Default)]
pub struct Fleet {
    lanes: RwLock<HashMap<LaneId, Weak<Lane>>>,
    /// By address and subaccount.
    reads: RwLock<HashMap<(String, String), LastRead>>,
}

impl Fleet {
    pub(super) fn join(&self, lane: &Arc<Lane>) {
        self.lanes.write().unwrap_or_else(PoisonError::into_inner).insert(lane.id, Arc::downgrade(lane));
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<Arc<Lane>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(&id).and_then(Weak::upgrade)
    }

    /// Finds out by a harmless read whether the provider answers this lane's subaccount. Lanes that share one share the
    /// read too.
    pub(super) async fn reach(&self, lane: &Lane) -> Reach {
        let provider = &lane.config.provider;
        let key = (provider.base_url.clone(), provider.sub_account.clone());
        let last = Arc::clone(self.reads.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
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
