//! Finds messages whose lane is no longer configured. No claim takes them, so they would wait unnoticed.

use serde::Serialize;

use crate::base::config::Config;
use crate::base::domain::text::{plural, shell};
use crate::base::domain::{BatchId, BatchState, Channel, Count, Member, Plan, Step, StepIndex, Tallies};
use crate::store::{Batch, Batches, Result};

/// A step of a campaign whose lane is gone, and no other lane takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Stranded {
    pub lane: String,
    pub channel: Channel,
    /// Messages that wait for it now. If there are none, messages may still fall back to it.
    pub queued: i64,
}

impl Stranded {
    /// Finds the steps of a campaign that cannot be sent. A cancelled campaign, or one with nothing left to send, has
    /// none.
    pub fn of(batch: &Batch, plan: &Plan, tallies: &Tallies, config: &Config) -> Vec<Self> {
        let goes_on = !tallies.is_finished()
            && matches!(
                batch.state,
                BatchState::Scheduled | BatchState::Running | BatchState::Paused | BatchState::Finished
            );
        let is_gone = |member: &Member| config.lane(&member.lane).is_none();
        let steps = plan.indexed_steps().filter(|_| goes_on);
        let of_step = |(index, step): (StepIndex, &Step)| {
            let pool = &step.lanes;
            let takes_over =
                |member: &Member| pool.members().iter().any(|other| !is_gone(other) && pool.may_replace(other, member));
            let gone = pool.members().iter().filter(|member| is_gone(member) && !takes_over(member));
            gone.map(|member| Self {
                lane: member.lane.clone(),
                channel: step.channel,
                queued: tallies.get(index, Count::Queued),
            })
            .collect::<Vec<_>>()
        };
        steps.flat_map(of_step).collect()
    }

    /// `12 messages wait for lane viber, which is not in the configuration`.
    pub fn what(&self) -> String {
        let Self { lane, channel, queued } = self;
        let waits = match queued {
            0 => format!("messages that fall back to {channel} would wait"),
            queued => plural(*queued, "message waits", "messages wait"),
        };
        format!("{waits} for lane {lane}, which is not in the configuration")
    }

    /// What an operator can do about it.
    pub fn what_to_do(&self, campaign: &str) -> String {
        format!(
            "add lane {} to the configuration again and restart `volley serve`; or: volley campaign cancel {}",
            self.lane,
            shell(campaign)
        )
    }

    /// Finds the stranded steps of every active campaign, from the counters.
    pub async fn everywhere(store: &dyn Batches, config: &Config) -> Result<Vec<(Batch, Self)>> {
        let in_play = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused, BatchState::Finished];
        let mut all = Vec::new();
        let batches = store.batches(Some(in_play)).await?;
        let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id).collect();
        let (plans, tallies) = (store.plans(ids.clone()).await?, store.tallies_of(ids).await?);
        for batch in batches {
            let Some(plan) = plans.get(&batch.id) else { continue };
            let found = Self::of(&batch, plan, tallies.get(&batch.id).unwrap_or(&Tallies::default()), config);
            all.extend(found.into_iter().map(|stranded| (batch.clone(), stranded)));
        }
        Ok(all)
    }
}
