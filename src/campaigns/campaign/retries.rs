//! Finds whom a retry leaves out, because another campaign has brought them the same message.

use std::collections::BTreeSet;

use super::launch::{LaunchError, Launcher};
use super::repeat::Repeat;
use crate::base::domain::{MessageKey, Outcome};
use crate::campaigns::report::as_counted;
use crate::store::{self, Batch};

/// Campaigns whose recipients a retry leaves out once they were reached: the first one, its retries, and theirs.
#[derive(Debug, Default)]
pub(super) struct Retries(Vec<Batch>);

impl Launcher<'_> {
    /// The recipients with these outcomes whom another retry of the same first campaign has reached.
    pub async fn reached_before(&self, batch: &Batch, again: &Repeat) -> Result<u64, LaunchError> {
        if self.retries_beside(batch).await?.0.is_empty() {
            return Ok(0);
        }
        let again = Repeat { include_reached: false, ..again.clone() };
        let plan = self.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
        Ok(self.recipients_of(batch, &plan, &again).await?.reached_before)
    }

    /// The campaigns beside this one that a retry leaves recipients out for. A clone is a first campaign of its own.
    pub(super) async fn retries_beside(&self, batch: &Batch) -> store::Result<Retries> {
        let mut first = batch.clone();
        while self.is_retry(&first).await?
            && let Some(origin) = self.store.repetitions(first.id, 0).await?.origin
        {
            first = origin;
        }
        let (mut found, mut next) = (Vec::new(), vec![first]);
        while let Some(one) = next.pop() {
            let later = self.store.repetitions(one.id, u32::MAX).await?.later;
            let plans = self.store.plans(later.iter().map(|later| later.id).collect()).await?;
            next.extend(later.into_iter().filter(|later| plans.get(&later.id).is_some_and(|plan| plan.is_retry)));
            found.extend((one.id != batch.id).then_some(one));
        }
        Ok(Retries(found))
    }

    async fn is_retry(&self, batch: &Batch) -> store::Result<bool> {
        Ok(self.store.plan(batch.id).await?.is_some_and(|plan| plan.is_retry))
    }

    /// The positions from `from` until `until` of recipients whom one of the campaigns has reached. All of them have the
    /// same recipients in the same places.
    pub(super) async fn reached_by(&self, retries: &Retries, from: u32, until: u32) -> store::Result<BTreeSet<u32>> {
        let mut reached = BTreeSet::new();
        for batch in &retries.0 {
            let keys = (from..until).map(|n| MessageKey { batch: batch.id, n }).collect();
            let messages = self.store.load(keys).await?;
            let is_reached = |outcome: Option<Outcome>| outcome == Some(Outcome::Reached);
            let of_reached = messages.iter().filter(|it| is_reached(as_counted(batch, &it.present).outcome()));
            reached.extend(of_reached.map(|it| it.key.n));
        }
        Ok(reached)
    }
}
