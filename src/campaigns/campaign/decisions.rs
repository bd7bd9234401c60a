//! Carries out the operator's decisions about a launched campaign: start, refuse, pause, resume, cancel, hold and release
//! of steps.

use super::noted::{Noted, noted};
use super::used_up::{UsedUp, used_up};
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, StepIndex, Timestamp};
use crate::base::events::Origin;
use crate::store::{Batch, Result, StepHeldBy, StepHold, Store};

/// The result of an operator's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// The decision is saved; `Noted` tells which servers obey it.
    Saved(Noted),
    /// The campaign's state does not allow the decision.
    Refused(BatchState),
    /// A used-up limit would stop the campaign again at once.
    UsedUp(UsedUp),
    /// The draft was changed after it was read.
    Outdated,
}

/// The result of releasing held steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Tells which servers obey the release; `None` if no step was released.
    pub noted: Option<Noted>,
    /// The steps that were held.
    pub steps: Vec<StepIndex>,
    /// The used-up limits whose steps stay held.
    pub used_up: Vec<UsedUp>,
}

/// Pauses a campaign: stops claims and holds its deadlines. Submissions in progress are completed, as with [`cancel`].
pub async fn pause(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &Origin) -> Result<Decided> {
    let from = vec![BatchState::Running, BatchState::Scheduled];
    decide(store, clock, batch, from, BatchState::Paused, by.clone()).await
}

/// Resumes a campaign, and applies what came due meanwhile.
///
/// - A scheduled campaign whose start has not come is scheduled again.
/// - A campaign with a used-up limit would be paused again at once, so it is refused until the limit is raised.
pub async fn resume(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &Origin) -> Result<Decided> {
    if batch.state == BatchState::Paused
        && let Some(used_up) = used_up(store, batch).await?.into_iter().find(|used_up| used_up.step.is_none())
    {
        return Ok(Decided::UsedUp(used_up));
    }
    let to = state_when_released(store, batch, clock.now()).await?;
    decide(store, clock, batch, vec![BatchState::Paused], to, by.clone()).await
}

/// Starts a draft as it was read: at once, or at its start time if that is still to come.
pub async fn start(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &Origin) -> Result<Decided> {
    let to = state_when_released(store, batch, clock.now()).await?;
    let Some(seq) = store.start_draft(batch.id, batch.edition, to, by.clone(), clock.now()).await? else {
        return not_in_this_edition(store, batch).await;
    };
    Ok(Decided::Saved(noted(store, clock, seq).await?))
}

/// Refuses a draft as it was read. It stays a draft, which may be changed.
pub async fn refuse(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &Origin) -> Result<Decided> {
    let Some(seq) = store.refuse_draft(batch.id, batch.edition, by.clone(), clock.now()).await? else {
        return not_in_this_edition(store, batch).await;
    };
    Ok(Decided::Saved(noted(store, clock, seq).await?))
}

/// Why a decision about a draft was not saved: it is none any more, or it was changed.
async fn not_in_this_edition(store: &dyn Store, batch: &Batch) -> Result<Decided> {
    let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    Ok(if state == BatchState::Draft { Decided::Outdated } else { Decided::Refused(state) })
}

/// Cancels a campaign. Once every server has noted it, nothing more is submitted, except submissions in progress on
/// connections that are still being opened.
///
/// A finished campaign can be cancelled too: its messages await their last receipts, and one that fails is not sent again.
pub async fn cancel(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &Origin) -> Result<Decided> {
    let from = BatchState::OPEN.into_iter().chain([BatchState::Finished]).collect();
    decide(store, clock, batch, from, BatchState::Cancelling, by.clone()).await
}

/// Holds a step: its messages are not submitted while the campaign runs.
pub async fn hold_step(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    step: StepIndex,
    by: &Origin,
) -> Result<Option<Noted>> {
    let hold = StepHold {
        batch: batch.id,
        step,
        by: StepHeldBy::Operator,
        origin: by.clone(),
        since: clock.now(),
        recall: None,
    };
    let Some(seq) = store.hold_step(hold, clock.now()).await? else { return Ok(None) };
    noted(store, clock, seq).await.map(Some)
}

/// Releases the held steps among `steps`. A step with a used-up limit would be held again at once, so it stays held.
pub async fn release_steps(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    steps: impl IntoIterator<Item = StepIndex>,
    by: &Origin,
) -> Result<Released> {
    let holds = store.step_holds().await?;
    let is_held = |step: &StepIndex| holds.iter().any(|hold| hold.batch == batch.id && hold.step == *step);
    let mut held: Vec<StepIndex> = steps.into_iter().filter(is_held).collect();
    if held.is_empty() {
        return Ok(Released { noted: None, steps: Vec::new(), used_up: Vec::new() });
    }
    let mut used_up = used_up(store, batch).await?;
    used_up.retain(|used_up| used_up.step.is_some_and(|step| held.contains(&step)));
    held.retain(|held| used_up.iter().all(|used_up| used_up.step != Some(*held)));
    let noted = match store.release_steps(batch.id, held.clone(), by.clone(), clock.now()).await? {
        Some(seq) => Some(noted(store, clock, seq).await?),
        None => None,
    };
    Ok(Released { noted, steps: held, used_up })
}

/// The state of a draft that is started, or of a paused campaign that is resumed.
async fn state_when_released(store: &dyn Store, batch: &Batch, now: Timestamp) -> Result<BatchState> {
    let has_begun = batch.started_at.is_some();
    let waits_for_approval = || async { Ok(store.plan(batch.id).await?.is_some_and(|plan| plan.when.is_some())) };
    let waits = !has_begun && (batch.starts_at.is_some_and(|at| at > now) || waits_for_approval().await?);
    Ok(if waits { BatchState::Scheduled } else { BatchState::Running })
}

async fn decide(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    from: Vec<BatchState>,
    to: BatchState,
    origin: Origin,
) -> Result<Decided> {
    let Some(seq) = store.move_batch(batch.id, from, to, Some(origin), clock.now()).await? else {
        let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
        return Ok(Decided::Refused(state));
    };
    Ok(Decided::Saved(noted(store, clock, seq).await?))
}
