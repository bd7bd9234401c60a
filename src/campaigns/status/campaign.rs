//! Reads the present state of a campaign, all at one time.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::closed_hours::ClosedHours;
use super::error::StatusError;
use super::gaps::{Repeated, Waived};
use super::obstacles::Obstacle;
use super::servers::Servers;
use super::slow::Slow;
use crate::base::config::{Config, Lane};
use crate::base::domain::{BatchId, BatchState, Count, Outcome, Plan, Span, Step, StepIndex, Tallies, Tier, Timestamp};
use crate::campaigns::campaign::{Approval, DueAtOnce, Launcher, NeedsApproval, reserved, settled_by, used_up};
use crate::campaigns::report::{CoursePoint, QueuedMessages, Report, Show, Stranded, line};
use crate::rules::forecast::Forecast;
use crate::sending::throttle::with_overrides;
use crate::store::{Batch, Hold, StepHold};

/// The state of a campaign at one time.
#[derive(Debug)]
pub struct Look {
    pub at: Timestamp,
    pub batch: Batch,
    pub show: Show,
    pub report: Report,
    /// Its lanes, in the order of its steps.
    pub lanes: Vec<LaneRateView>,
    /// The reasons why it does not send.
    pub obstacles: Vec<Obstacle>,
    /// Whether an operator has to act before all waiting messages can be sent.
    pub is_held: bool,
    /// Whether a server is running on this database.
    pub server: bool,
    /// Whether that server cannot write to the database, and so sends nothing.
    pub is_unwritable: bool,
    pub next_due: Option<Timestamp>,
    /// When the remaining messages will be sent.
    pub forecast: Option<Forecast>,
    /// When the last message will be submitted if every message falls back at every step.
    pub finished_by: Option<Timestamp>,
    /// Whether it has a limit or a budget. The worst case leaves them out.
    pub has_limits: bool,
    /// When every message will have its outcome at the latest, if that is known.
    pub settled_by: Option<Timestamp>,
    /// Deadlines in a gap, in which no receipt could be taken.
    pub waived: Option<Waived>,
    /// A gap whose receipts the provider still repeats; deadlines wait for them.
    pub repeated: Option<Repeated>,
    /// Its steps that wait for their send hours.
    pub closed_hours: Vec<ClosedHours>,
    /// The use of the tiers that limit its lanes, while it may send.
    pub tiers: Vec<TierGauge>,
    /// What a resume would send at once.
    pub due_at_once: Option<DueAtOnce>,
}

/// How much of the tier of a portfolio is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierGauge {
    pub portfolio: String,
    /// Recipients in the last 24 hours.
    pub used: u32,
    /// Recipients that it allows in 24 hours.
    pub most: u32,
}

impl Look {
    /// The line through the noted figures of the campaign. It ends at the figures that the campaign has now.
    pub fn course(&self, noted: &[CoursePoint]) -> Vec<CoursePoint> {
        let Some(last) = noted.last() else { return Vec::new() };
        let reached = self.report.outcome(Outcome::Reached);
        let ended_at = self.batch.settled_at.or(self.batch.cancelled_at).unwrap_or(last.at);
        let present = CoursePoint {
            at: if self.is_over() { ended_at } else { self.at },
            submitted: self.report.steps.iter().map(|step| step.handed_over).sum(),
            reached,
            ended: self.show.counts.done - reached,
            open: self.report.open,
            fell_back: self.report.steps.iter().filter_map(|step| step.course).map(|it| it.entered.by_fallback).sum(),
            ..*last
        };
        line(noted, present, self.is_over())
    }

    /// Whether anything is left to submit now.
    pub fn is_sending(&self) -> bool {
        self.batch.state == BatchState::Running && self.show.counts.to_hand_over(self.batch.state) > 0
    }

    /// Whether every message has its outcome.
    pub fn is_over(&self) -> bool {
        self.batch.state == BatchState::Settled || self.batch.state.is_cancelled() && self.report.open == 0
    }

    /// What its messages wait for without an operator: send hours, and the effects of gaps. One sentence each.
    pub fn waits(&self) -> impl Iterator<Item = String> {
        let closed = self.closed_hours.iter().map(ClosedHours::sentence);
        let repeated = self.repeated.as_ref().map(Repeated::sentence);
        closed.chain(repeated).chain(self.waived.as_ref().map(Waived::sentence))
    }
}

/// The present rate of a lane. Other campaigns on the lane count too.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaneRateView {
    pub lane: String,
    /// Submissions a second, as last measured; `None` if no running server has reported it.
    pub rate_per_s: Option<f64>,
    /// The rate of the lane, or less while it is throttled.
    pub allowed_per_s: f64,
}

/// Reads the state of a campaign repeatedly. The plan is read once.
#[derive(Debug)]
pub struct Watcher<'a> {
    /// The configuration without overrides, which may change between two looks.
    launcher: &'a Launcher<'a>,
    id: BatchId,
    plan: Plan,
    has_forecast: bool,
    /// The latest forecast, and when it was made.
    forecast: Option<(Timestamp, Foreseen)>,
    /// The recipients that count against each tier, and when they were counted.
    tiers: Option<(Timestamp, BTreeMap<String, u32>)>,
}

/// The forecast of the waiting messages, and the time of the last submission in the worst case.
type Foreseen = (Option<Forecast>, Option<Timestamp>);

/// The present state of a campaign, from which its obstacles follow.
#[derive(Clone, Copy)]
struct Present<'a> {
    at: Timestamp,
    batch: &'a Batch,
    tallies: &'a Tallies,
    /// The configuration with overrides.
    config: &'a Config,
    servers: &'a Servers,
    holds: &'a [Hold],
    /// Its own.
    step_holds: &'a [StepHold],
    stranded: &'a [Stranded],
    /// Whether no message is open any more.
    is_over: bool,
}

/// What all campaigns have in common at one time.
#[derive(Debug)]
struct Surroundings {
    at: Timestamp,
    servers: Servers,
    /// The configuration with overrides.
    turned: Config,
    holds: Vec<Hold>,
    step_holds: Vec<StepHold>,
}

impl Surroundings {
    async fn read(launcher: &Launcher<'_>) -> Result<Self, StatusError> {
        let Launcher { store, config, clock, .. } = *launcher;
        let at = clock.now();
        let servers = Servers::look(store, at).await?;
        let turned = with_overrides(config, &store.overrides().await?);
        Ok(Self { at, servers, turned, holds: store.holds().await?, step_holds: store.step_holds().await? })
    }
}

/// A campaign with its counters, and its next deadline.
struct Counted {
    batch: Batch,
    tallies: Tallies,
    next_due: Option<Timestamp>,
}

/// Looks at these campaigns without their forecasts, which are slow to make. What they have in common is read once.
pub(super) async fn look_at_all(launcher: &Launcher<'_>, campaigns: Vec<Batch>) -> Result<Vec<Look>, StatusError> {
    let store = launcher.store;
    let ids: Vec<BatchId> = campaigns.iter().map(|batch| batch.id).collect();
    let mut tallies = store.tallies_of(ids.clone()).await?;
    let around = Surroundings::read(launcher).await?;
    let mut next_due = store.next_due(ids.clone()).await?;
    let mut plans = store.plans(ids).await?;
    let mut looks = Vec::with_capacity(campaigns.len());
    for batch in campaigns {
        let id = batch.id;
        let plan = plans.remove(&id).ok_or(StatusError::NoPlan)?;
        let mut watcher = Watcher { launcher, id, plan, has_forecast: false, forecast: None, tiers: None };
        let (tallies, next_due) = (tallies.remove(&id).unwrap_or_default(), next_due.remove(&id));
        looks.push(watcher.look_at(Counted { batch, tallies, next_due }, &around).await?);
    }
    Ok(looks)
}

/// Whether a campaign in this state sends or will send. A finished campaign waits for no lane.
const fn sends(state: BatchState) -> bool {
    matches!(state, BatchState::Scheduled | BatchState::Running | BatchState::Paused)
}

/// The time of the last submission: the recorded one, else the forecast's in the worst case; `None` if that is unknown.
fn last_submission(batch: &Batch, forecast: Option<&Forecast>, finished_by: Option<Timestamp>) -> Option<Timestamp> {
    match batch.state {
        BatchState::Running | BatchState::Scheduled => {
            let forecast = forecast.filter(|forecast| forecast.left_behind.is_empty())?;
            finished_by.max(Some(forecast.done_at))
        }
        _ => batch.finished_at.max(batch.cancelled_at),
    }
}

/// How long a forecast is reused, because making one reads all campaigns.
const FORECAST: Span = Span::from_secs(5);

impl<'a> Watcher<'a> {
    pub async fn new(launcher: &'a Launcher<'a>, id: BatchId) -> Result<Self, StatusError> {
        let plan = launcher.store.plan(id).await?.ok_or(StatusError::NoPlan)?;
        Ok(Self { launcher, id, plan, has_forecast: true, forecast: None, tiers: None })
    }

    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Leaves out the forecast, which is slow to make: for a list of campaigns.
    pub fn without_forecast(self) -> Self {
        Self { has_forecast: false, ..self }
    }

    pub async fn look(&mut self) -> Result<Look, StatusError> {
        let store = self.launcher.store;
        // The state is read first, so the counts are never older than the state.
        let batch = store.batch(self.id).await?.ok_or(StatusError::Gone)?;
        let tallies = store.tallies(self.id).await?;
        let around = Surroundings::read(self.launcher).await?;
        let next_due = store.next_due(vec![self.id]).await?.remove(&self.id);
        self.look_at(Counted { batch, tallies, next_due }, &around).await
    }

    async fn look_at(
        &mut self,
        Counted { batch, tallies, next_due }: Counted,
        around: &Surroundings,
    ) -> Result<Look, StatusError> {
        let Launcher { store, config, .. } = *self.launcher;
        let Surroundings { at, servers, turned, holds, step_holds } = around;
        let at = *at;
        let server = servers.is_running();
        let stranded = Stranded::of(&batch, &self.plan, &tallies, config);
        let mut show = Show::new(&batch, &tallies, turned.allowed_per_s(&self.plan), stranded);
        if !server || servers.unwritable.is_some() {
            show.rate.now = 0.0;
        }
        let report = Report::of(&batch, Some(&self.plan), &tallies);
        let lanes = self.lanes(turned, servers);
        let of_it = |hold: &&StepHold| sends(batch.state) && hold.batch == self.id;
        let step_holds: Vec<StepHold> = step_holds.iter().filter(of_it).cloned().collect();
        let is_held = self.is_held(holds, &step_holds, &show.stranded, &tallies);
        let is_over = match batch.state {
            BatchState::Settled => true,
            BatchState::Cancelled => report.open == 0,
            _ => false,
        };
        let present = Present {
            at,
            batch: &batch,
            tallies: &tallies,
            config: turned,
            servers,
            holds,
            step_holds: &step_holds,
            stranded: &show.stranded,
            is_over,
        };
        let obstacles = self.obstacles(&present).await?;
        let is_unwritable = servers.unwritable.is_some();
        let has_queued = matches!(batch.state, BatchState::Running | BatchState::Scheduled) && show.counts.queued > 0;
        // Nothing can be forecast while the database cannot be written, or while the provider cannot be reached.
        let is_cut_off = obstacles.iter().any(Obstacle::is_outage);
        let makes_forecast = self.has_forecast && has_queued && !is_unwritable && !is_cut_off;
        let foreseen = if makes_forecast { self.forecast(turned, &batch, &tallies, at).await? } else { (None, None) };
        let (forecast, finished_by) = foreseen;
        let last_submission = last_submission(&batch, forecast.as_ref().filter(|_| !is_held), finished_by);
        let settled_by = last_submission.and_then(|last| settled_by(&self.plan, &tallies, batch.state, last));
        let waived = Waived::read(store, config, &self.plan, &tallies, at).await?;
        // Without a next deadline, no deadline waits.
        let repeated = match batch.started_at.filter(|_| next_due.is_some()) {
            Some(begun) => Repeated::read(store, config, &self.plan, (begun, report.zone), at).await?,
            None => None,
        };
        let closed_hours = ClosedHours::read(store, &batch, &self.plan, &tallies, at).await?;
        let due_at_once = DueAtOnce::of(&batch, &self.plan, &tallies, at);
        let tiers = if self.has_forecast && sends(batch.state) { self.tiers(turned, at).await? } else { Vec::new() };
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
            has_limits: self.plan.has_limits(),
            settled_by,
            waived,
            repeated,
            closed_hours,
            tiers,
            due_at_once,
        })
    }

    /// What keeps its messages from being sent: holds first, then what ends without an operator.
    async fn obstacles(&self, present: &Present<'_>) -> Result<Vec<Obstacle>, StatusError> {
        let Present { at, batch, tallies, config, servers, holds, step_holds, stranded, is_over } = *present;
        let store = self.launcher.store;
        let waiting = QueuedMessages::of(&self.plan, tallies);
        let holds = holds.iter().filter(|hold| sends(batch.state) && self.concerns(hold)).cloned();
        let held = |hold: Hold| {
            let waiting = waiting.held_by(&hold);
            Obstacle::Held(hold, waiting)
        };
        let mut obstacles: Vec<Obstacle> = holds.map(held).collect();
        obstacles.extend(step_holds.iter().cloned().filter_map(|hold| {
            let (channel, waiting) = (self.plan.step(hold.step)?.channel, tallies.get(hold.step, Count::Queued));
            Some(Obstacle::StepHeld(hold, channel, waiting))
        }));
        let set_aside = tallies.total(Count::SetAside);
        if set_aside > 0 && !batch.state.is_cancelled() {
            obstacles.push(Obstacle::SetAside(set_aside));
        }
        if batch.state == BatchState::Scheduled
            && let Approval::Pending(templates) = Approval::of(&self.plan, store, self.launcher.config).await?
        {
            obstacles.extend(templates.into_iter().map(Obstacle::Unapproved));
        }
        if batch.state == BatchState::Running {
            // A slow lane matters only if messages wait for it.
            let slow = Slow::all(config, servers, at);
            let slow = slow.into_iter().map(|slow| (waiting.on_lane(&slow.lane), slow));
            if self.plan.has_limits() {
                obstacles.extend(reserved(store, batch).await?.into_iter().map(Obstacle::Reserved));
            }
            obstacles
                .extend(slow.filter(|(waiting, _)| *waiting > 0).map(|(waiting, slow)| Obstacle::Slow(slow, waiting)));
        }
        obstacles.extend(stranded.iter().cloned().map(Obstacle::Gone));
        if batch.state == BatchState::Paused {
            let used_up = used_up(store, batch).await?.into_iter().filter(|used_up| used_up.step.is_none());
            obstacles.extend(used_up.map(Obstacle::UsedUp));
        }
        let needed = NeedsApproval::of(store, self.launcher.config, batch).await?;
        obstacles.extend(needed.map(Obstacle::NeedsApproval));
        // A draft does not send, whatever the state of the servers.
        if is_over || batch.state == BatchState::Draft {
            return Ok(obstacles);
        }
        match servers.missing() {
            Some(missing) => obstacles.push(missing),
            None => obstacles.extend(Obstacle::doubts(store, self.launcher.config, std::slice::from_ref(batch)).await?),
        }
        obstacles.extend(servers.unwritable.map(Obstacle::Unwritable));
        Ok(obstacles)
    }

    async fn forecast(
        &mut self,
        turned: &Config,
        batch: &Batch,
        tallies: &Tallies,
        at: Timestamp,
    ) -> Result<Foreseen, StatusError> {
        if let Some((_, foreseen)) = self.forecast.as_ref().filter(|(made, _)| at.since(*made) < FORECAST) {
            return Ok(foreseen.clone());
        }
        let launcher = self.launcher.with_config(turned);
        let forecast = launcher.forecast_of(batch, &self.plan, tallies, at).await?;
        let finished_by = match &forecast {
            Some(first) => launcher.finished_by_of(batch, &self.plan, tallies, (first, at)).await?,
            None => None,
        };
        let foreseen = (forecast, finished_by);
        self.forecast = Some((at, foreseen.clone()));
        Ok(foreseen)
    }

    /// The use of each tier that limits its lanes, the first of its steps first.
    async fn tiers(&mut self, turned: &Config, at: Timestamp) -> Result<Vec<TierGauge>, StatusError> {
        let mut gauges: Vec<TierGauge> = Vec::new();
        for lane in self.plan.steps.iter().flat_map(|step| turned.lanes_of(step)) {
            let (Some(portfolio), Tier::Recipients(most)) = (lane.limited_portfolio(), lane.tier) else { continue };
            if gauges.iter().all(|gauge| gauge.portfolio != portfolio) {
                gauges.push(TierGauge { portfolio: portfolio.to_owned(), used: 0, most });
            }
        }
        if gauges.is_empty() {
            return Ok(gauges);
        }
        if self.tiers.as_ref().is_none_or(|(counted, _)| at.since(*counted) >= FORECAST) {
            self.tiers = Some((at, self.launcher.store.tiers_used(at - Tier::HELD).await?));
        }
        for gauge in &mut gauges {
            let used = self.tiers.as_ref().and_then(|(_, used)| used.get(&gauge.portfolio));
            gauge.used = used.copied().unwrap_or_default();
        }
        Ok(gauges)
    }

    /// Whether waiting messages need an operator to release a hold. Messages with another lane in the pool do not.
    fn is_held(&self, holds: &[Hold], step_holds: &[StepHold], gone: &[Stranded], tallies: &Tallies) -> bool {
        let is_step_held = |(index, step): (StepIndex, &Step)| {
            let on_lane = || step.lanes.members().iter().any(|member| Hold::keeping(holds, step, member).is_some());
            tallies.get(index, Count::Queued) > 0 && (step_holds.iter().any(|hold| hold.step == index) || on_lane())
        };
        self.plan.indexed_steps().any(is_step_held) || gone.iter().any(|gone| gone.queued > 0)
    }

    fn lanes(&self, turned: &Config, servers: &Servers) -> Vec<LaneRateView> {
        let mut seen = BTreeSet::new();
        let names = self.plan.steps.iter().flat_map(|step| step.lanes.names()).filter(|name| seen.insert(*name));
        let lanes = names.filter_map(|name| turned.lane(name));
        let rate = |lane: &Lane| {
            let state = servers.lane(&lane.name);
            let whole = lane.rate.each_second();
            LaneRateView {
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
