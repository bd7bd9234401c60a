//! Counts the messages that wait for a lane, or for a template on it, from the counters.

use std::collections::HashMap;

use crate::base::domain::{BatchId, BatchState, Count, Plan, Tallies};
use crate::store::{Batches, HeldBy, Hold, Result};

/// Queued messages by lane and content. A step with several lanes counts for each of them.
#[derive(Debug, Default, Clone)]
pub struct QueuedMessages(HashMap<Group, i64>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Group {
    lane: String,
    /// Empty for content that is no template.
    template: String,
    is_marketing: bool,
}

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
        let running = store.batches(Some(vec![BatchState::Running])).await?;
        let ids: Vec<BatchId> = running.iter().map(|batch| batch.id).collect();
        let tallies = store.tallies_of(ids.clone()).await?;
        for (batch, plan) in store.plans(ids).await? {
            waiting.add(&plan, tallies.get(&batch).unwrap_or(&Tallies::default()));
        }
        Ok(waiting)
    }

    fn add(&mut self, plan: &Plan, tallies: &Tallies) {
        for (index, step) in plan.indexed_steps() {
            let template = step.content.template().map_or("", |template| template.name);
            for lane in step.lanes.names() {
                let (lane, template) = (lane.to_owned(), template.to_owned());
                let group = Group { lane, template, is_marketing: step.content.is_marketing() };
                let waiting = self.0.entry(group).or_default();
                *waiting += tallies.get(index, Count::Queued);
            }
        }
    }

    /// The messages that wait for a lane, with any content.
    pub fn on_lane(&self, lane: &str) -> i64 {
        self.sum(|group| group.lane == lane)
    }

    /// The messages that wait for a hold to be released.
    pub fn held_by(&self, hold: &Hold) -> i64 {
        self.sum(|group| {
            group.lane == hold.lane
                && (hold.template.is_empty() || group.template == hold.template)
                && (hold.by != HeldBy::Quality || group.is_marketing)
        })
    }

    fn sum(&self, is_of: impl Fn(&Group) -> bool) -> i64 {
        self.0.iter().filter(|(group, _)| is_of(group)).map(|(_, waiting)| waiting).sum()
    }
}
