//! What waits for a lane, or for a template on it, read from the counters.

use std::collections::HashMap;

use crate::domain::{BatchState, Content, Count, Plan, Tallies};
use crate::store::{Result, Store};

/// Messages that are queued, by lane and template; texts stand under an empty name. Whatever several lanes share waits for
/// each of them.
#[derive(Debug, Default, Clone)]
pub struct Waiting(HashMap<(String, String), i64>);

impl Waiting {
    /// Those of one campaign.
    pub fn of(plan: &Plan, tallies: &Tallies) -> Self {
        let mut waiting = Self::default();
        waiting.add(plan, tallies);
        waiting
    }

    /// Those of all campaigns that may send now.
    pub async fn everywhere(store: &dyn Store) -> Result<Self> {
        let mut waiting = Self::default();
        for batch in store.batches(Some(vec![BatchState::Running])).await? {
            let Some(plan) = store.plan(batch.id).await? else { continue };
            waiting.add(&plan, &store.tallies(batch.id).await?);
        }
        Ok(waiting)
    }

    fn add(&mut self, plan: &Plan, tallies: &Tallies) {
        for (index, step) in plan.places() {
            let template = match &step.content {
                Content::Template(template) => template.name.as_str(),
                Content::Text { .. } => "",
            };
            for lane in step.lanes.names() {
                let waiting = self.0.entry((lane.to_owned(), template.to_owned())).or_default();
                *waiting += tallies.get(index, Count::Queued);
            }
        }
    }

    /// For a lane, whatever they carry.
    pub fn on_lane(&self, lane: &str) -> i64 {
        self.0.iter().filter(|((on, _), _)| on == lane).map(|(_, waiting)| waiting).sum()
    }

    /// For what a hold is on: a template, or where it names none the whole lane.
    pub fn on(&self, lane: &str, template: &str) -> i64 {
        if template.is_empty() {
            return self.on_lane(lane);
        }
        self.0.get(&(lane.to_owned(), template.to_owned())).copied().unwrap_or(0)
    }
}
