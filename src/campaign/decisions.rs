//! What people decide of a campaign after its launch: paused, resumed, started, called off.

use super::noted::{Noted, noted};
use super::used_up::{UsedUp, used_up};
use crate::clock::Clock;
use crate::domain::{BatchState, StepIndex};
use crate::store::{Batch, Result, StepHeldBy, StepHold, Store};

/// What came of a person's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It holds, and so many obey it.
    Holds(Noted),
    /// It was in no state for that.
    Refused(BatchState),
    /// It would stop again at once.
    UsedUp(UsedUp),
}

/// What came of letting held steps go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Some go on, and so many obey that; nothing where none does.
    pub noted: Option<Noted>,
    /// What stays held.
    pub used_up: Vec<UsedUp>,
}

/// Stops claims and holds back what deadlines would do. What has been begun leaves, as with [`cancel`].
pub async fn pause(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &str) -> Result<Decided> {
    let from = vec![BatchState::Running, BatchState::Scheduled];
    decide(store, clock, batch, from, BatchState::Paused, format!("paused by {by}")).await
}

/// Goes on, and applies what came due meanwhile. One that was scheduled and whose time has not come waits for it. What has
/// used up a limit would be paused again before a person has looked away, so that is raised first.
pub async fn resume(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &str) -> Result<Decided> {
    if batch.state == BatchState::Paused
        && let Some(used_up) = used_up(store, batch).await?.into_iter().find(|used_up| used_up.step.is_none())
    {
        return Ok(Decided::UsedUp(used_up));
    }
    let waits = batch.started_at.is_none() && batch.starts_at.is_some_and(|at| at > clock.now());
    let to = if waits { BatchState::Scheduled } else { BatchState::Running };
    decide(store, clock, batch, vec![BatchState::Paused], to, format!("resumed by {by}")).await
}

/// Lets a draft begin, at its time where it has one that is still to come.
pub async fn start(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &str) -> Result<Decided> {
    let waits = batch.starts_at.is_some_and(|at| at > clock.now());
    let to = if waits { BatchState::Scheduled } else { BatchState::Running };
    decide(store, clock, batch, vec![BatchState::Draft], to, format!("started by {by}")).await
}

/// Calls it off. Once every server has noted it nothing more leaves, but what was begun before over a connection that
/// takes longer than that to come about.
pub async fn cancel(store: &dyn Store, clock: &dyn Clock, batch: &Batch, by: &str) -> Result<Decided> {
    // Of one that is finished everything has been handed over; to call it cancelled would be a lie.
    let from = BatchState::OPEN.to_vec();
    decide(store, clock, batch, from, BatchState::Cancelling, format!("cancelled by {by}")).await
}

/// Nothing of a step leaves any more, although the campaign runs.
pub async fn hold_step(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    step: StepIndex,
    by: &str,
) -> Result<Option<Noted>> {
    let hold = StepHold {
        batch: batch.id,
        step,
        by: StepHeldBy::Person,
        why: format!("paused by {by}"),
        since: clock.now(),
        recall: None,
    };
    let Some(seq) = store.hold_step(hold, clock.now()).await? else { return Ok(None) };
    noted(store, clock, seq).await.map(Some)
}

/// Whatever holds a campaign's steps, or one of them, holds them no more; but what has used up its limit would be held
/// again at once, and stays so.
pub async fn release_steps(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    only: Option<StepIndex>,
    by: &str,
) -> Result<Released> {
    let holds = store.step_holds().await?;
    let held = holds.iter().filter(|hold| hold.batch == batch.id && only.is_none_or(|only| only == hold.step));
    let mut held: Vec<StepIndex> = held.map(|hold| hold.step).collect();
    held.dedup();
    if held.is_empty() {
        return Ok(Released { noted: None, used_up: Vec::new() });
    }
    let mut used_up = used_up(store, batch).await?;
    used_up.retain(|used_up| used_up.step.is_some_and(|step| held.contains(&step)));
    held.retain(|held| used_up.iter().all(|used_up| used_up.step != Some(*held)));
    let mut latest = None;
    for step in held {
        latest = store.release_steps(batch.id, Some(step), by.to_owned(), clock.now()).await?.or(latest);
    }
    let noted = match latest {
        Some(seq) => Some(noted(store, clock, seq).await?),
        None => None,
    };
    Ok(Released { noted, used_up })
}

async fn decide(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    from: Vec<BatchState>,
    to: BatchState,
    why: String,
) -> Result<Decided> {
    let Some(seq) = store.move_batch(batch.id, from, to, Some(why), clock.now()).await? else {
        let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
        return Ok(Decided::Refused(state));
    };
    Ok(Decided::Holds(noted(store, clock, seq).await?))
}
