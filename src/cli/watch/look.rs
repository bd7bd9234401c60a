//! Reads the state of a campaign that a view shows, all at one time.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::campaign::{settled_by, used_up};
use crate::cli::CommandContext;
use crate::cli::gap::{Repeated, Waived};
use crate::cli::obstacles::Obstacle;
use crate::cli::pace::Slow;
use crate::config::Lane;
use crate::domain::{BatchId, BatchState, Count, Plan, Span, Step, StepIndex, Tallies, Timestamp};
use crate::forecast::Forecast;
use crate::report::{Report, Show, Stranded, Waiting};
use crate::store::{Batch, Hold, LaneState, StepHold, Store};

/// The state of a campaign at one time.
#[derive(Debug)]
pub(in crate::cli) struct Look {
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) batch: Batch,
    pub(in crate::cli) show: Show,
    pub(in crate::cli) report: Report,
    /// Its lanes, in the order of its steps.
    pub(in crate::cli) lanes: Vec<LaneRate>,
    /// The reasons why it does not send.
    pub(in crate::cli) obstacles: Vec<Obstacle>,
    /// Whether an operator has to act before all waiting messages can be sent.
    pub(in crate::cli) is_held: bool,
    /// Whether a server is running on this database.
    pub(in crate::cli) server: bool,
    /// Whether that server cannot write to the database, and so sends nothing.
    pub(in crate::cli) is_unwritable: bool,
    pub(in crate::cli) next_due: Option<Timestamp>,
    /// When the remaining messages will be sent.
    pub(in crate::cli) forecast: Option<Forecast>,
    /// When the last message will be submitted if every message falls back at every step.
    pub(in crate::cli) finished_by: Option<Timestamp>,
    /// When every message will have its outcome at the latest, if that is known.
    pub(in crate::cli) settled_by: Option<Timestamp>,
    /// Deadlines in a gap, in which no receipt could be taken.
    pub(in crate::cli) waived: Option<Waived>,
    /// A gap whose receipts the provider still repeats; deadlines wait for them.
    pub(in crate::cli) repeated: Option<Repeated>,
}

/// The present rate of a lane. Other campaigns on the lane count too.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct LaneRate {
    pub(in crate::cli) lane: String,
    /// Submissions a second, as last measured; `None` if no running server has reported it.
    pub(in crate::cli) rate_per_s: Option<f64>,
    /// The rate of the lane, or less while it is throttled.
    pub(in crate::cli) allowed_per_s: f64,
}

/// Reads the state of a campaign repeatedly. The plan is read once.
pub(in crate::cli) struct Watcher<'a> {
    context: &'a CommandContext,
    store: &'a dyn Store,
    id: BatchId,
    plan: Plan,
    has_forecast: bool,
    /// The latest forecast, and when it was made.
    forecast: Option<(Timestamp, Foreseen)>,
}

/// The forecast of the waiting messages, and the time of the last submission in the worst case.
type Foreseen = (Option<Forecast>, Option<Timestamp>);

/// How long a forecast is reused, because making one reads all campaigns.
const FORECAST: Span = Span::from_secs(5);

impl<'a> Watcher<'a> {
    pub(in crate::cli) async fn new(
        context: &'a CommandContext,
        store: &'a dyn Store,
        id: BatchId,
    ) -> anyhow::Result<Self> {
        let plan =
            store.plan(id).await?.ok_or_else(|| anyhow::anyhow!("the plan of the campaign is no longer stored"))?;
        Ok(Self { context, store, id, plan, has_forecast: true, forecast: None })
    }

    /// Leaves out the forecast, which is slow to make: for a list of campaigns.
    pub(in crate::cli) fn without_forecast(self) -> Self {
        Self { has_forecast: false, ..self }
    }

    pub(in crate::cli) async fn look(&mut self) -> anyhow::Result<Look> {
        let store = self.store;
        // The state is read first, so the counts are never older than the state.
        let batch =
            store.batch(self.id).await?.ok_or_else(|| anyhow::anyhow!("the campaign is no longer in the database"))?;
        let tallies = store.tallies(self.id).await?;
        let at = self.context.now();
        let nodes = self.context.nodes(store).await?;
        let unwritable = self.context.unwritable(store).await?;
        // A server that cannot write cannot record its heartbeat either.
        let server = !nodes.is_empty() || unwritable.is_some();
        let stranded = Stranded::of(&batch, &self.plan, &tallies, &self.context.config);
        let turned = self.context.with_overrides(store).await?;
        let allowed = turned.allowed(&self.plan);
        let mut show = Show::new(&batch, &tallies, allowed, stranded);
        if !server || unwritable.is_some() {
            show.rate.now = 0.0;
        }
        let report = Report::of(&batch, Some(&self.plan), &tallies);
        let states = self.context.lane_states(store).await?;
        let lanes = self.lanes(&turned, &states);
        // A finished campaign waits for no lane.
        let sends = matches!(batch.state, BatchState::Scheduled | BatchState::Running | BatchState::Paused);
        let all_holds = store.holds().await?;
        let holds = all_holds.iter().filter(|hold| sends && self.concerns(hold)).cloned();
        let waiting = Waiting::of(&self.plan, &tallies);
        let held = |hold: Hold| {
            let waiting = waiting.on(&hold.lane, &hold.template);
            Obstacle::Held(hold, waiting)
        };
        let mut obstacles: Vec<Obstacle> = holds.map(held).collect();
        let of_it = |hold: &StepHold| sends && hold.batch == self.id;
        let step_holds: Vec<StepHold> = store.step_holds().await?.into_iter().filter(of_it).collect();
        let is_held = self.is_held(&all_holds, &step_holds, &show.stranded, &tallies);
        obstacles.extend(step_holds.into_iter().filter_map(|hold| {
            let (channel, waiting) = (self.plan.step(hold.step)?.channel, tallies.get(hold.step, Count::Queued));
            Some(Obstacle::StepHeld(hold, channel, waiting))
        }));
        if batch.state == BatchState::Running {
            // A slow lane matters only if messages wait for it.
            let slow = Slow::all(&turned.config, &states, at);
            let slow = slow.into_iter().map(|slow| (waiting.on_lane(&slow.lane), slow));
            obstacles
                .extend(slow.filter(|(waiting, _)| *waiting > 0).map(|(waiting, slow)| Obstacle::Slow(slow, waiting)));
        }
        obstacles.extend(show.stranded.iter().cloned().map(Obstacle::Gone));
        if batch.state == BatchState::Paused {
            let used_up = used_up(store, &batch).await?.into_iter().filter(|used_up| used_up.step.is_none());
            obstacles.extend(used_up.map(Obstacle::UsedUp));
        }
        let is_over = match batch.state {
            BatchState::Settled => true,
            BatchState::Cancelled => report.open == 0,
            _ => false,
        };
        obstacles.extend((!server && !is_over).then_some(Obstacle::NoServer));
        if server && !is_over {
            obstacles.extend(Obstacle::doubts(store, &self.context.config, std::slice::from_ref(&batch)).await?);
        }
        let is_unwritable = unwritable.is_some();
        obstacles.extend(unwritable.filter(|_| !is_over).map(Obstacle::Unwritable));
        let next_due = store.next_due(vec![self.id]).await?.remove(&self.id);
        let has_queued = matches!(batch.state, BatchState::Running | BatchState::Scheduled) && show.counts.queued > 0;
        // Nothing can be forecast while the database cannot be written.
        let makes_forecast = self.has_forecast && has_queued && !is_unwritable;
        let foreseen = if makes_forecast { self.forecast(&turned, &batch, &tallies, at).await? } else { (None, None) };
        let (forecast, finished_by) = foreseen;
        let last_submission = match batch.state {
            BatchState::Running | BatchState::Scheduled => match &forecast {
                Some(forecast) if !is_held && forecast.left_behind.is_empty() => {
                    finished_by.max(Some(forecast.done_at))
                }
                Some(_) | None => None,
            },
            _ => batch.finished_at.max(batch.cancelled_at),
        };
        let settled_by = last_submission.and_then(|last| settled_by(&self.plan, &tallies, batch.state, last));
        let waived = Waived::read(store, &self.context.config, &self.plan, &tallies, at).await?;
        // Without a next deadline, no deadline waits.
        let repeated = match batch.started_at.filter(|_| next_due.is_some()) {
            Some(begun) => Repeated::read(store, &self.context.config, &self.plan, (begun, report.zone), at).await?,
            None => None,
        };
        Ok(Look {
            at,
            batch,
            show,
            report,
            lanes,
            obstacles,
            is_held,
            server,
            is_unwritable,
            next_due,
            forecast,
            finished_by,
            settled_by,
            waived,
            repeated,
        })
    }

    async fn forecast(
        &mut self,
        turned: &CommandContext,
        batch: &Batch,
        tallies: &Tallies,
        at: Timestamp,
    ) -> anyhow::Result<Foreseen> {
        if let Some((_, foreseen)) = self.forecast.as_ref().filter(|(made, _)| at.since(*made) < FORECAST) {
            return Ok(foreseen.clone());
        }
        let launcher = turned.launcher(self.store);
        let forecast = launcher.forecast_of(batch, &self.plan, tallies, at).await?;
        let finished_by = match &forecast {
            Some(first) => launcher.finished_by_of(batch, &self.plan, tallies, (first, at)).await?,
            None => None,
        };
        let foreseen = (forecast, finished_by);
        self.forecast = Some((at, foreseen.clone()));
        Ok(foreseen)
    }

    /// Whether waiting messages need an operator to release a hold. Messages with another lane in the pool do not.
    fn is_held(&self, holds: &[Hold], step_holds: &[StepHold], gone: &[Stranded], tallies: &Tallies) -> bool {
        let is_step_held = |(index, step): (StepIndex, &Step)| {
            let on_lane = || step.lanes.members().iter().any(|member| Hold::keeping(holds, step, member).is_some());
            tallies.get(index, Count::Queued) > 0 && (step_holds.iter().any(|hold| hold.step == index) || on_lane())
        };
        self.plan.indexed_steps().any(is_step_held) || gone.iter().any(|gone| gone.queued > 0)
    }

    fn lanes(&self, turned: &CommandContext, states: &[LaneState]) -> Vec<LaneRate> {
        let mut seen = BTreeSet::new();
        let names = self.plan.steps.iter().flat_map(|step| step.lanes.names()).filter(|name| seen.insert(*name));
        let lanes = names.filter_map(|name| turned.config.lane(name));
        let rate = |lane: &Lane| {
            let state = states.iter().find(|state| state.lane == lane.name);
            let whole = lane.rate.each_second();
            LaneRate {
                lane: lane.name.clone(),
                rate_per_s: state.map(|state| state.pace),
                allowed_per_s: state.map_or(whole, |state| state.portion.of(whole)),
            }
        };
        lanes.map(rate).collect()
    }

    fn concerns(&self, hold: &Hold) -> bool {
        self.plan.steps.iter().any(|step| step.lanes.contains(&hold.lane) && hold.is_on(&hold.lane, step))
    }
}
