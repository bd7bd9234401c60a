//! What is held now, as this node knows it.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::store::Hold;

/// Holds by lane and template. The store is the truth; a hold that this node puts itself counts at once.
#[derive(Debug, Default)]
pub struct Holds(ArcSwap<HashMap<(String, String), Hold>>);

impl Holds {
    /// Returns whether something is held now that was not.
    pub fn replace(&self, holds: Vec<Hold>) -> bool {
        let holds: HashMap<_, _> =
            holds.into_iter().map(|hold| ((hold.lane.clone(), hold.template.clone()), hold)).collect();
        let held = Arc::new(holds);
        let before = self.0.swap(Arc::clone(&held));
        held.keys().any(|key| !before.contains_key(key))
    }

    pub fn put(&self, hold: &Hold) {
        self.0.rcu(|holds| {
            let mut holds = HashMap::clone(holds);
            holds.entry((hold.lane.clone(), hold.template.clone())).or_insert_with(|| hold.clone());
            holds
        });
    }

    /// Why a lane may not send at all.
    pub fn on_lane(&self, lane: &str) -> Option<Hold> {
        self.on_template(lane, "")
    }

    /// Why a template may not be sent on a lane.
    pub fn on_template(&self, lane: &str, template: &str) -> Option<Hold> {
        let holds = self.0.load();
        if holds.is_empty() {
            return None;
        }
        holds.get(&(lane.to_owned(), template.to_owned())).cloned()
    }
}
