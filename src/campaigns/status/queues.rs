//! The queues of a lane, and what each waits for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::closed_hours::ClosedHours;
use super::lanes::{LaneView, Lanes};
use super::slow::Slow;
use crate::base::clock::format_time;
use crate::base::config::{Config, Lane};
use crate::base::domain::{BatchState, Count, Plan, Queue, Span, Step, StepIndex, Timestamp};
use crate::base::events::Origin;
use crate::store::{Batch, Hold, QueueTimes, Result, Store};

/// The waiting messages of one step of a campaign on a lane.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct QueueView {
    pub campaign: String,
    pub step: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    pub queued: i64,
    /// The state of the campaign. Paused and scheduled campaigns do not wait for the lane.
    pub state: BatchState,
    /// What the messages wait for.
    pub waiting_for: String,
}

/// A lane with its queues.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaneWithQueuesView<'a> {
    #[serde(flatten)]
    pub lane: LaneView<'a>,
    pub queues: Vec<QueueView>,
}

/// Lists the waiting messages of a lane by campaign and step, and what they wait for.
///
/// `config` is the configuration with overrides.
pub async fn queues(
    store: &dyn Store,
    (config, lane): (&Config, &Lane),
    known: &Lanes,
    now: Timestamp,
) -> Result<Vec<QueueView>> {
    let mut queues = Vec::new();
    let states = [BatchState::Running, BatchState::Paused, BatchState::Scheduled];
    for batch in store.batches(Some(states.to_vec())).await? {
        let Some(plan) = store.plan(batch.id).await? else { continue };
        let tallies = store.tallies(batch.id).await?;
        let due = match batch.state {
            BatchState::Running => due_times(store, &batch, &plan, lane).await?,
            _ => BTreeMap::new(),
        };
        let closed = ClosedHours::read(store, &batch, &plan, &tallies, now).await?;
        for (index, step) in plan.indexed_steps().filter(|(_, step)| step.lanes.contains(&lane.name)) {
            let queued = tallies.get(index, Count::Queued);
            if queued <= 0 {
                continue;
            }
            let template = step.content.template().map(|template| template.name.to_owned());
            let waiting_for = match batch.state {
                BatchState::Paused => batch.why().unwrap_or_else(|| "the campaign is paused".to_owned()),
                BatchState::Scheduled => match batch.starts_at {
                    Some(at) => format!("its start at {}", format_time(at, plan.time_zone)),
                    None => "its start".to_owned(),
                },
                _ => {
                    let begins = due.get(&index).map(|due| due.first);
                    let closed = closed.iter().find(|closed| closed.step == index.get() + 1);
                    what_for((config, lane), known, (&batch, &plan), (index, step), (begins, closed, now))
                }
            };
            let others: Vec<&str> = step.lanes.names().filter(|other| *other != lane.name).collect();
            let waiting_for = match &others[..] {
                [] => waiting_for,
                others => format!("{waiting_for} (shared with {})", others.join(", ")),
            };
            queues.push(QueueView {
                campaign: batch.display_name(),
                step: index.get() + 1,
                template,
                queued,
                state: batch.state,
                waiting_for,
            });
        }
    }
    Ok(queues)
}

/// A message that is due within this time counts as due.
const SOON: Span = Span::from_secs(2);

/// For each step, when its waiting messages on the lane are due.
async fn due_times(
    store: &dyn Store,
    batch: &Batch,
    plan: &Plan,
    lane: &Lane,
) -> Result<BTreeMap<StepIndex, QueueTimes>> {
    let lanes = store.lanes(Vec::new()).await?;
    let Some(lane) = lanes.iter().find(|known| known.name == lane.name) else { return Ok(BTreeMap::new()) };
    let steps = plan.indexed_steps().map(|(step, _)| Queue { batch: batch.id, step, lane: lane.id }).collect();
    Ok(store.queue_times(steps).await?.into_iter().map(|(queue, times)| (queue.step, times)).collect())
}

/// `paused by ann (moving)`, or `held: …` with the reason of the provider or of a rule.
fn in_short(verb: &str, origin: &Origin) -> String {
    match origin.by_operator() {
        Some(by) => format!("{verb} {by}"),
        None => format!("held: {}", origin.hold_reason()),
    }
}

/// What the waiting messages of a step wait for.
fn what_for(
    (config, lane): (&Config, &Lane),
    known: &Lanes,
    (batch, plan): (&Batch, &Plan),
    (index, step): (StepIndex, &Step),
    (begins, closed, now): (Option<Timestamp>, Option<&ClosedHours>, Timestamp),
) -> String {
    if let Some(hold) = known.holds.iter().find(|hold| hold.is_on(&lane.name, step)) {
        let keeps = step.lanes.member(&lane.name).and_then(|member| Hold::keeping(&known.holds, step, member));
        return match keeps {
            Some(_) => in_short(hold.verb(), &hold.origin),
            None => format!("other lanes of its pool; {}", in_short(hold.verb(), &hold.origin)),
        };
    }
    if let Some(hold) = known.step_holds.iter().find(|hold| (hold.batch, hold.step) == (batch.id, index)) {
        return format!("the step: {}", in_short("paused", &hold.origin));
    }
    if !known.servers.is_running() {
        let is_silent = known.servers.silent_since.is_some();
        return if is_silent { "the server, which does not respond" } else { "a server" }.to_owned();
    }
    if let Some(closed) = closed {
        return closed.what_for();
    }
    if let Some(opens) = begins.filter(|begins| begins.since(now) > SOON) {
        return format!("its start: not sent before {}", format_time(opens, plan.time_zone));
    }
    let slow = Slow::all(config, &known.servers, now);
    let limit = match slow.iter().find(|slow| slow.lane == lane.name) {
        Some(slow) => slow.state(),
        None if index == StepIndex::FIRST => "the lane's rate",
        None => "the lane's rate, before all first steps",
    };
    if !step.hours.are_all() {
        return format!("{limit}, within each recipient's send hours");
    }
    match plan.over.filter(|_| index == StepIndex::FIRST) {
        Some(over) => format!("{limit}, spread over {over}"),
        None => limit.to_owned(),
    }
}
