//! `volley lane show`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Known, LaneShown, named, override_sentence, report_sentence, reset_command, shown};
use crate::cli::out::{self, To};
use crate::cli::pace::Slow;
use crate::cli::table::Table;
use crate::cli::words::{about, count, list, plural, rate};
use crate::cli::{CommandContext, holds};
use crate::clock::format_time;
use crate::config::Lane;
use crate::domain::{BatchState, Content, Count, Plan, Queue, Span, Step, StepIndex, Tier, Timestamp};
use crate::store::{Batch, Hold, Store, Turns};

/// A server reports a lane with its first heartbeat, if the lane was configured when it started.
const NOTHING_REPORTED: &str = "running, but it has reported nothing for this lane yet: it has just started, or the lane was \
                                added since and needs a restart of the server";

/// The waiting messages of one step of a campaign on a lane.
#[derive(Serialize)]
struct QueueShown {
    campaign: String,
    step: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    queued: i64,
    /// The state of the campaign. Paused and scheduled campaigns do not wait for the lane.
    state: BatchState,
    /// What the messages wait for.
    waiting_for: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    lane: LaneShown<'a>,
    queues: Vec<QueueShown>,
}

pub(super) async fn run(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<()> {
    named(context, name)?;
    let store = context.store_for_reading().await?;
    let known = Known::read(context, store.as_ref()).await?;
    let current = context.with_overrides(store.as_ref()).await?;
    let lane = named(&current, name)?;
    let queues = queues(&current, store.as_ref(), lane, &known).await?;
    let shown = shown(&current, lane, &known);
    store.close().await;
    if json {
        return out::json(&Shown { lane: shown, queues });
    }
    let (paint, now) = (To::Stdout.paint(), context.now());
    let number = lane.number.map(|number| format!("  {number}")).unwrap_or_default();
    out::data(format_args!("{}  {}{}", paint.bold(name), lane.channel, paint.dim(number)))?;
    let state = known.states.iter().find(|state| state.lane == lane.name);
    let mut table = Table::new(&["", ""]);
    let mut row = |what: &str, text: String| table.row([paint.dim(what), text]);
    let pace = state.map_or_else(String::new, |state| format!("{} now, ", rate(state.pace)));
    row("rate", format!("{pace}{} allowed, burst {}", lane.rate, count(lane.burst.get())));
    let of_account =
        shown.account_rate.as_ref().map(|rate| format!(", {rate} for all of its lanes")).unwrap_or_default();
    row("account", format!("{}{of_account}", lane.account));
    if let Some(tier) = &shown.tier {
        let used = plural(tier.recipients_in_24h as u64, "recipient", "recipients");
        let most = match lane.tier {
            Tier::Recipients(recipients) => format!("of {}", count(recipients)),
            Tier::Unlimited => "unlimited".to_owned(),
        };
        let free = state.filter(|state| state.tier_spent).and_then(|state| state.free_at).filter(|at| *at > now);
        let free =
            free.map(|at| format!("; the next slot frees up {} (in {})", format_time(at, None), about(at.since(now))));
        row(
            "tier",
            format!("{used} in the last 24 h, {most} (portfolio {}){}", tier.portfolio, free.unwrap_or_default()),
        );
    }
    if !shown.countries.is_empty() {
        row("countries", format!("only {}", list(&shown.countries)));
    }
    let others: i64 = queues.iter().filter(|queue| queue.state != BatchState::Running).map(|queue| queue.queued).sum();
    let others = (others > 0).then(|| format!(", and {} in paused or scheduled campaigns", count(others)));
    row("waiting", plural(shown.queued, "message", "messages") + &others.unwrap_or_default());
    if let Some((at, why)) = state.and_then(|state| state.complaint.as_ref()) {
        row("last complaint", format!("{why}, {} ago", about(now.since(*at))));
    }
    match (known.has_server, state) {
        (false, _) => row("server", "not running, so nothing is sent".to_owned()),
        (true, None) => row("server", NOTHING_REPORTED.to_owned()),
        (true, Some(_)) => {}
    }
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    for hold in known.holds.iter().filter(|hold| hold.lane == lane.name) {
        let waiting = known.waiting.on(&hold.lane, &hold.template);
        out::data(format_args!("\n{} {}", paint.bad("!"), holds::sentence_since(hold, waiting, now)))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for slow in Slow::all(&current.config, &known.states, now).iter().filter(|slow| slow.lane == lane.name) {
        out::data(format_args!("\n{} {}", paint.so_so("!"), slow.what()))?;
        out::data(paint.dim(format!("  {}", slow.what_to_do(now))))?;
    }
    for overridden in known.overrides(lane) {
        out::data(format_args!("\n{}", override_sentence(overridden, now)))?;
        out::data(paint.dim(format!("  {}", reset_command(overridden, lane))))?;
    }
    for said in known.says(lane) {
        out::data(format_args!("\n{}", report_sentence(said, now)))?;
    }
    if !queues.is_empty() {
        out::data("")?;
        let mut table = Table::new(&["campaign", ">step", ">messages", "waiting for"]);
        for queue in queues {
            table.row([queue.campaign, queue.step.to_string(), count(queue.queued), queue.waiting_for]);
        }
        out::lines(table.lines(paint))?;
    }
    Ok(())
}

/// Lists the waiting messages of a lane by campaign and step, and what they wait for.
async fn queues(
    context: &CommandContext,
    store: &dyn Store,
    lane: &Lane,
    known: &Known,
) -> anyhow::Result<Vec<QueueShown>> {
    let mut queues = Vec::new();
    let states = [BatchState::Running, BatchState::Paused, BatchState::Scheduled];
    for batch in store.batches(Some(states.to_vec())).await? {
        let Some(plan) = store.plan(batch.id).await? else { continue };
        let tallies = store.tallies(batch.id).await?;
        let due = match batch.state {
            BatchState::Running => due_times(store, &batch, &plan, lane).await?,
            _ => BTreeMap::new(),
        };
        for (index, step) in plan.indexed_steps().filter(|(_, step)| step.lanes.contains(&lane.name)) {
            let queued = tallies.get(index, Count::Queued);
            if queued <= 0 {
                continue;
            }
            let template = match &step.content {
                Content::Template(template) => Some(template.name.clone()),
                Content::Text { .. } => None,
            };
            let waiting_for = match batch.state {
                BatchState::Paused => batch.why().unwrap_or_else(|| "the campaign is paused".to_owned()),
                BatchState::Scheduled => match batch.starts_at {
                    Some(at) => format!("its start at {}", format_time(at, plan.time_zone)),
                    None => "its start".to_owned(),
                },
                _ => {
                    let begins = due.get(&index).map(|due| due.first);
                    what_for(context, lane, known, (&batch, &plan), (index, step), begins)
                }
            };
            let others: Vec<&str> = step.lanes.names().filter(|other| *other != lane.name).collect();
            let waiting_for = match &others[..] {
                [] => waiting_for,
                others => format!("{waiting_for} (shared with {})", others.join(", ")),
            };
            queues.push(QueueShown {
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
) -> anyhow::Result<BTreeMap<StepIndex, Turns>> {
    let lanes = store.lanes(Vec::new()).await?;
    let Some(lane) = lanes.iter().find(|known| known.name == lane.name) else { return Ok(BTreeMap::new()) };
    let steps = plan.indexed_steps().map(|(step, _)| Queue { batch: batch.id, step, lane: lane.id }).collect();
    Ok(store.turns(steps).await?.into_iter().map(|(queue, turns)| (queue.step, turns)).collect())
}

/// What the waiting messages of a step wait for.
fn what_for(
    context: &CommandContext,
    lane: &Lane,
    known: &Known,
    (batch, plan): (&Batch, &Plan),
    (index, step): (StepIndex, &Step),
    begins: Option<Timestamp>,
) -> String {
    if let Some(hold) = known.holds.iter().find(|hold| hold.is_on(&lane.name, step)) {
        let keeps = step.lanes.member(&lane.name).and_then(|member| Hold::keeping(&known.holds, step, member));
        return match keeps {
            Some(_) => format!("a hold: {}", hold.origin.hold_reason()),
            None => format!("other lanes of its pool, because of a hold: {}", hold.origin.hold_reason()),
        };
    }
    if let Some(hold) = known.step_holds.iter().find(|hold| (hold.batch, hold.step) == (batch.id, index)) {
        return format!("a hold on the step: {}", hold.origin.hold_reason());
    }
    if !known.has_server {
        return "a server".to_owned();
    }
    let now = context.now();
    let closed = step.hours.closed_for_all(now);
    if let Some(opens) = closed.max(begins.filter(|begins| begins.since(now) > SOON)) {
        return format!("its start: not sent before {}", format_time(opens, plan.time_zone));
    }
    let slow = Slow::all(&context.config, &known.states, now);
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
