//! Counts the messages that wait for a lane, or for a template on it, from the counters.

use std::collections::HashMap;

use crate::domain::{BatchState, Count, Plan, Tallies};
use crate::store::{Batches, Result};

/// Queued messages by lane and template; texts are under an empty template name. A step with several lanes counts for
/// each of them.
#[derive(Debug, Default, Clone)]
pub struct QueuedMessages(HashMap<(String, String), i64>);

impl QueuedMessages {
    /// The queued messages of one campaign.
    pub fn of(plan: &Plan, tallies: &Tallies) -> Self {
        let mut waiting = Self::default();
        waiting.add(plan, tallies);
        waiting
    }

    /// The queued messages of all running campaigns.
    pub async fn everywhere(store: &dyn Batches) -> Result<Self> {
        let mut waiting = Self::default();
        for batch in store.batches(Some(vec![BatchState::Running])).await? {
            let Some(plan) = store.plan(batch.id).await? else { continue };
            waiting.add(&plan, &store.tallies(batch.id).await?);
        }
        Ok(waiting)
    }

    fn add(&mut self, plan: &Plan, tallies: &Tallies) {
        for (index, step) in plan.indexed_steps() {
            let template = step.content.template().map_or("", |template| template.name);
            for lane in step.lanes.names() {
                let waiting = self.0.entry((lane.to_owned(), template.to_owned())).or_default();
                *waiting += tallies.get(index, Count::Queued);
            }
        }
    }

    /// The messages that wait for a lane, with any content.
    pub fn on_lane(&self, lane: &str) -> i64 {
        self.0.iter().filter(|((on, _), _)| on == lane).map(|(_, waiting)| waiting).sum()
    }

    /// The messages that wait for a hold: on a template, or on the whole lane if `template` is empty.
    pub fn on(&self, lane: &str, template: &str) -> i64 {
        if template.is_empty() {
            return self.on_lane(lane);
        }
        self.0.get(&(lane.to_owned(), template.to_owned())).copied().unwrap_or(0)
    }
}
