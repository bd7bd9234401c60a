//! One look at a campaign: everything that a view shows, read at one time.

use crate::campaign::{Forecast, Report, Show, Stranded, Waiting, used_up};
use crate::cli::Ground;
use crate::cli::gap::{Repeated, Waived};
use crate::cli::obstacles::Obstacle;
use crate::cli::pace::Slow;
use crate::domain::{BatchId, BatchState, Count, Plan, Span, Step, StepIndex, Tallies, Timestamp};
use crate::store::{Batch, Hold, StepHold, Store};

#[derive(Debug)]
pub(in crate::cli) struct Look {
    pub(in crate::cli) at: Timestamp,
    pub(in crate::cli) batch: Batch,
    pub(in crate::cli) show: Show,
    pub(in crate::cli) report: Report,
    /// What keeps it from moving.
    pub(in crate::cli) obstacles: Vec<Obstacle>,
    /// Whether somebody has to do something before all that waits may leave.
    pub(in crate::cli) is_kept: bool,
    /// Whether a server is running on this database.
    pub(in crate::cli) server: bool,
    /// Whether that server cannot write, and so does nothing.
    pub(in crate::cli) is_unwritable: bool,
    pub(in crate::cli) next_due: Option<Timestamp>,
    /// When what waits now will have left, as things stand.
    pub(in crate::cli) forecast: Option<Forecast>,
    /// When nothing will be left to hand over, should everybody fall back at every step.
    pub(in crate::cli) finished_by: Option<Timestamp>,
    /// Deadlines that fell into a time in which no receipt could be taken.
    pub(in crate::cli) waived: Option<Waived>,
    /// A time in which none could be taken, of which deadlines wait for what is still repeated.
    pub(in crate::cli) repeated: Option<Repeated>,
}

/// Looks again and again; what never changes is read once.
pub(in crate::cli) struct Looking<'a> {
    ground: &'a Ground,
    store: &'a dyn Store,
    id: BatchId,
    plan: Plan,
    foresees: bool,
    /// The latest forecast, and when it was made.
    forecast: Option<(Timestamp, Foreseen)>,
}

/// What waits now, and when all of it is finished at the latest.
type Foreseen = (Option<Forecast>, Option<Timestamp>);

/// How long a forecast stands: it looks at all campaigns.
const FORECAST: Span = Span::from_secs(5);

impl<'a> Looking<'a> {
    pub(in crate::cli) async fn new(ground: &'a Ground, store: &'a dyn Store, id: BatchId) -> anyhow::Result<Self> {
        let plan = store.plan(id).await?.ok_or_else(|| anyhow::anyhow!("the campaign is gone"))?;
        Ok(Self { ground, store, id, plan, foresees: true, forecast: None })
    }

    /// Without a forecast, which looks at all campaigns: for whoever shows many.
    pub(in crate::cli) fn briefly(self) -> Self {
        Self { foresees: false, ..self }
    }

    pub(in crate::cli) async fn look(&mut self) -> anyhow::Result<Look> {
        let store = self.store;
        // The state first: what is counted afterwards can only be further on.
        let batch = store.batch(self.id).await?.ok_or_else(|| anyhow::anyhow!("the campaign is gone"))?;
        let tallies = store.tallies(self.id).await?;
        let at = self.ground.now();
        let nodes = self.ground.nodes(store).await?;
        let unwritable = self.ground.unwritable(store).await?;
        // What cannot be written is its beat as well.
        let server = !nodes.is_empty() || unwritable.is_some();
        let stranded = Stranded::of(&batch, &self.plan, &tallies, &self.ground.config);
        let turned = self.ground.as_turned(store).await?;
        let allowed = turned.allowed(&self.plan);
        let mut show = Show::new(&batch, &tallies, allowed, stranded);
        if !server || unwritable.is_some() {
            show.rate.now = 0.0;
        }
        let report = Report::of(&batch, Some(&self.plan), &tallies);
        // What has left already waits for no lane.
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
        let is_kept = self.keeps(&all_holds, &step_holds, &show.stranded, &tallies);
        obstacles.extend(step_holds.into_iter().filter_map(|hold| {
            let (channel, waiting) = (self.plan.step(hold.step)?.channel, tallies.get(hold.step, Count::Queued));
            Some(Obstacle::StepHeld(hold, channel, waiting))
        }));
        if batch.state == BatchState::Running {
            // A slow lane is in nobody's way who does not wait for it.
            let slow = Slow::all(&turned.config, &self.ground.lane_states(store).await?, at);
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
            obstacles.extend(Obstacle::doubts(store, &self.ground.config, std::slice::from_ref(&batch)).await?);
        }
        let is_unwritable = unwritable.is_some();
        obstacles.extend(unwritable.filter(|_| !is_over).map(Obstacle::Unwritable));
        let next_due = store.next_due(vec![self.id]).await?.remove(&self.id);
        let is_to_leave = matches!(batch.state, BatchState::Running | BatchState::Scheduled) && show.counts.queued > 0;
        // Nobody knows when there will be room on a full disk.
        let goes_on = self.foresees && is_to_leave && !is_unwritable;
        let foreseen = if goes_on { self.forecast(&turned, &batch, &tallies, at).await? } else { (None, None) };
        let (forecast, finished_by) = foreseen;
        let waived = Waived::read(store, &self.ground.config, &self.plan, &tallies, at).await?;
        // Where nothing falls due any more, nothing waits.
        let repeated = match batch.started_at.filter(|_| next_due.is_some()) {
            Some(begun) => Repeated::read(store, &self.ground.config, &self.plan, (begun, report.zone), at).await?,
            None => None,
        };
        Ok(Look {
            at,
            batch,
            show,
            report,
            obstacles,
            is_kept,
            server,
            is_unwritable,
            next_due,
            forecast,
            finished_by,
            waived,
            repeated,
        })
    }

    async fn forecast(
        &mut self,
        turned: &Ground,
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

    /// Whether something that waits may not leave before somebody lets it. Whom another lane stands in for waits for nobody.
    fn keeps(&self, holds: &[Hold], step_holds: &[StepHold], gone: &[Stranded], tallies: &Tallies) -> bool {
        let is_kept = |(index, step): (StepIndex, &Step)| {
            let on_lane = || step.lanes.members().iter().any(|member| Hold::keeping(holds, step, member).is_some());
            tallies.get(index, Count::Queued) > 0 && (step_holds.iter().any(|hold| hold.step == index) || on_lane())
        };
        self.plan.places().any(is_kept) || gone.iter().any(|gone| gone.queued > 0)
    }

    fn concerns(&self, hold: &Hold) -> bool {
        self.plan.steps.iter().any(|step| step.lanes.contains(&hold.lane) && hold.is_on(&hold.lane, step))
    }
}
