//! What a key with limits may do: its lanes and subaccounts, applied to what an operation is about.
//!
//! A key with limits calls only operations that check here ([`Rule::by_lane`](super::rules::Rule::by_lane)). It may use a
//! lane if both limits permit it, and a batch if it may use every lane of the batch's steps.

use super::extract::Call;
use super::problem::{Answer, Kind, Problem};
use crate::base::config::{Config, Lane};
use crate::base::domain::BatchId;
use crate::campaigns::campaign::Draft;
use crate::http::accept::{may_use_lane, may_use_plan};
use crate::http::api::Shared;
use crate::store::Batch;

impl Call {
    /// Whether it may use a lane, and what is queued on it.
    pub(in crate::http::api) fn may_use_lane(&self, lane: &Lane) -> bool {
        may_use_lane(&self.caller, lane)
    }

    pub(in crate::http::api) fn ensure_lane(&self, lane: &Lane) -> Answer<()> {
        if self.may_use_lane(lane) { Ok(()) } else { Err(self.refused(format_args!("lane {}", lane.name))) }
    }

    /// Whether it may use a batch. Costs a read of the plan if the key has limits, and nothing otherwise.
    pub(in crate::http::api) async fn may_use_batch(&self, shared: &Shared, batch: BatchId) -> Answer<bool> {
        if !self.caller.is_limited() {
            return Ok(true);
        }
        let plan = shared.store.plan(batch).await?;
        // Of a batch without a plan it is not known whose it is.
        Ok(plan.is_some_and(|plan| may_use_plan(&self.caller, &shared.config, &plan)))
    }

    pub(in crate::http::api) async fn ensure_batch(&self, shared: &Shared, batch: &Batch) -> Answer<()> {
        if self.may_use_batch(shared, batch.id).await? {
            return Ok(());
        }
        let what = if batch.name.is_some() { "campaign" } else { "batch" };
        Err(self
            .refused(format_args!("this {what}, because it uses other lanes or another subaccount than the key's own")))
    }

    /// Checks the lanes that a campaign would use. One that does not exist is left to the plan, which reports it.
    pub(super) fn ensure_draft(&self, config: &Config, draft: &Draft) -> Answer<()> {
        let lanes = if self.caller.is_limited() { draft.lanes(config) } else { Vec::new() };
        lanes.into_iter().try_for_each(|lane| self.ensure_lane(lane))
    }

    fn refused(&self, what: impl std::fmt::Display) -> Problem {
        Problem::new(Kind::Forbidden, format_args!("the API key \"{}\" may not use {what}", self.caller.name))
    }
}
