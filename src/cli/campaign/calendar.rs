//! `volley campaign calendar`: lists open campaigns by start time.

use serde::Serialize;

use super::rules;
use crate::cli::table::Table;
use crate::cli::words::{count, hours};
use crate::cli::{CommandContext, Exit, out};
use crate::clock::format_time;
use crate::domain::{BatchState, Count, Plan, Timestamp};
use crate::store::Batch;

/// A campaign that is not finished.
struct Dated {
    batch: Batch,
    plan: Plan,
    /// Messages whose step has not been submitted.
    queued: i64,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    state: BatchState,
    starts_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<String>,
    lanes: Vec<String>,
    messages: u32,
    queued: i64,
}

impl Dated {
    /// The time it started or will start; `None` for a draft without a start time.
    fn at(&self) -> Option<Timestamp> {
        let at = self.batch.started_at.or(self.batch.starts_at);
        at.or(Some(self.batch.created_at).filter(|_| self.batch.state != BatchState::Draft))
    }

    fn begins(&self) -> String {
        match (self.at(), self.batch.state) {
            (Some(at), BatchState::Draft) => format!("{}, once started", format_time(at, self.plan.time_zone)),
            (Some(at), _) => format_time(at, self.plan.time_zone),
            (None, _) => "once started".to_owned(),
        }
    }

    fn hours(&self) -> Option<String> {
        hours(&self.plan.steps.first()?.hours)
    }

    fn lanes(&self) -> Vec<String> {
        let mut lanes: Vec<String> = self.plan.lanes().into_iter().map(|(lane, _)| lane).collect();
        lanes.dedup();
        lanes
    }

    /// Its start, hours and end, in words.
    fn how(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(rules::beginning(&self.plan));
        parts.extend(self.plan.end.map(|end| format!("until {}", format_time(end, self.plan.time_zone))));
        parts.join(", ")
    }

    fn shown(&self) -> Shown {
        Shown {
            id: self.batch.public_id().to_string(),
            name: self.batch.display_name(),
            state: self.batch.state,
            starts_at: self.at().map(Timestamp::rfc3339),
            local_start: rules::local_start(&self.plan),
            time_zone: self.plan.time_zone.map(|zone| zone.to_string()),
            over: self.plan.over.map(|over| over.to_string()),
            end: self.plan.end.map(Timestamp::rfc3339),
            hours: self.hours(),
            lanes: self.lanes(),
            messages: self.batch.messages,
            queued: self.queued,
        }
    }
}

pub(super) async fn run(context: &CommandContext, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let states = vec![BatchState::Draft, BatchState::Scheduled, BatchState::Running, BatchState::Paused];
    let mut all = Vec::new();
    for batch in store.batches(Some(states)).await? {
        // Batches of the API have no name and are not planned, so they are not listed.
        let Some(plan) = store.plan(batch.id).await?.filter(|_| batch.name.is_some()) else { continue };
        let queued = store.tallies(batch.id).await?.total(Count::Queued);
        all.push(Dated { batch, plan, queued });
    }
    all.sort_by_key(|dated| (dated.at().is_none(), dated.at(), dated.batch.id));
    if json {
        out::json(&all.iter().map(Dated::shown).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        out::talk("No campaign is running or scheduled.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["starts", "campaign", "state", ">recipients", ">queued", "lanes", "when"]);
    for dated in &all {
        table.row([
            dated.begins(),
            dated.batch.display_name(),
            dated.batch.state.to_string(),
            count(dated.batch.messages),
            count(dated.queued),
            dated.lanes().join(", "),
            dated.how(),
        ]);
    }
    out::lines(table.lines(out::To::Stdout.paint()))?;
    Ok(Exit::Done)
}
