//! Messages whose lane is no longer configured. Nobody claims them, so nobody would ever notice.

use serde::Serialize;

use crate::config::Config;
use crate::domain::{BatchState, Channel, Count, Plan, Tallies};
use crate::store::{Batch, Result, Store};

/// A step of a campaign whose lane is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stranded {
    pub lane: String,
    pub channel: Channel,
    /// Messages that wait for it now; where there are none yet, some may still fall back to it.
    pub queued: i64,
}

impl Stranded {
    /// The steps of a campaign that cannot leave. What was called off or has come to its end waits for no lane.
    pub fn of(batch: &Batch, plan: &Plan, tallies: &Tallies, config: &Config) -> Vec<Self> {
        let goes_on = !tallies.is_finished()
            && matches!(
                batch.state,
                BatchState::Scheduled | BatchState::Running | BatchState::Paused | BatchState::Finished
            );
        let gone = plan.places().filter(|(_, step)| goes_on && config.lane(&step.lane).is_none());
        gone.map(|(index, step)| Self {
            lane: step.lane.clone(),
            channel: step.channel,
            queued: tallies.get(index, Count::Queued),
        })
        .collect()
    }

    /// Those of every campaign in play, read from the counters.
    pub async fn everywhere(store: &dyn Store, config: &Config) -> Result<Vec<(Batch, Self)>> {
        let in_play = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused, BatchState::Finished];
        let mut all = Vec::new();
        for batch in store.batches(Some(in_play)).await? {
            let Some(plan) = store.plan(batch.id).await? else { continue };
            let found = Self::of(&batch, &plan, &store.tallies(batch.id).await?, config);
            all.extend(found.into_iter().map(|stranded| (batch.clone(), stranded)));
        }
        Ok(all)
    }
}
