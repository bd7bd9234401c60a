//! The open campaigns, as JSON, by start time.

use serde::Serialize;

use super::rules::local_start;
use crate::base::domain::text::hours;
use crate::base::domain::{BatchState, Count, Plan, Timestamp};
use crate::store::{Batch, Batches, Result};

/// An open campaign.
#[derive(Debug)]
pub struct Dated {
    pub batch: Batch,
    pub plan: Plan,
    /// Messages whose step has not been submitted.
    pub queued: i64,
}

/// A campaign in a calendar.
#[derive(Debug, Serialize)]
pub struct CalendarView {
    pub id: String,
    pub name: String,
    pub state: BatchState,
    pub starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    pub lanes: Vec<String>,
    pub messages: u32,
    pub queued: i64,
}

impl Dated {
    /// Lists the open campaigns by start time, without test sends. Batches of the API have no name and are not planned, so
    /// they are left out too.
    pub async fn all(store: &dyn Batches) -> Result<Vec<Self>> {
        let states = vec![BatchState::Draft, BatchState::Scheduled, BatchState::Running, BatchState::Paused];
        let mut all = Vec::new();
        for batch in store.batches(Some(states)).await?.into_iter().filter(|batch| batch.name.is_some()) {
            let Some(plan) = store.plan(batch.id).await?.filter(|plan| !plan.is_test) else { continue };
            let queued = store.tallies(batch.id).await?.total(Count::Queued);
            all.push(Self { batch, plan, queued });
        }
        all.sort_by_key(|dated| (dated.at().is_none(), dated.at(), dated.batch.id));
        Ok(all)
    }

    /// The time it started or will start; `None` for a draft without a start time.
    pub fn at(&self) -> Option<Timestamp> {
        let at = self.batch.started_at.or(self.batch.starts_at);
        at.or(Some(self.batch.created_at).filter(|_| self.batch.state != BatchState::Draft))
    }

    pub fn lanes(&self) -> Vec<String> {
        self.plan.lanes().into_iter().map(|(lane, _)| lane).collect()
    }

    pub fn view(&self) -> CalendarView {
        CalendarView {
            id: self.batch.public_id().to_string(),
            name: self.batch.display_name(),
            state: self.batch.state,
            starts_at: self.at().map(Timestamp::rfc3339),
            local_start: local_start(&self.plan),
            time_zone: self.plan.time_zone.map(|zone| zone.to_string()),
            over: self.plan.over.map(|over| over.to_string()),
            end: self.plan.end.map(Timestamp::rfc3339),
            hours: self.plan.steps.first().and_then(|step| hours(&step.hours)),
            lanes: self.lanes(),
            messages: self.batch.messages,
            queued: self.queued,
        }
    }
}
