//! The lanes of this node, for those that stand in for one another.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::lane::Lane;
use crate::domain::LaneId;

/// Every lane at work here. One that is not among them is configured no more.
#[derive(Debug, Default)]
pub struct Fleet(RwLock<HashMap<LaneId, Weak<Lane>>>);

impl Fleet {
    pub(super) fn join(&self, lane: &Arc<Lane>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(lane.id, Arc::downgrade(lane));
    }

    pub(super) fn lane(&self, id: LaneId) -> Option<Arc<Lane>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).and_then(Weak::upgrade)
    }
}
