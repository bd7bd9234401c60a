//! Carries out a decision of an operator about one step of a campaign: hold it, or release it.

use super::decisions::{Released, hold_step, release_steps};
use super::noted::{Noted, noted};
use super::used_up::UsedUp;
use crate::base::clock::Clock;
use crate::base::domain::text::plural;
use crate::base::domain::{Channel, Count, StepIndex};
use crate::base::events::Origin;
use crate::store::{self, Batch, StepHold, Store};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepDecision {
    Hold,
    Release,
}

/// A decision about a step that was carried out.
#[derive(Debug)]
pub struct StepCarriedOut {
    pub channel: Channel,
    /// What holds the step now.
    pub held: Option<StepHold>,
    /// Messages that wait for their submission by the step.
    pub queued: i64,
    pub noted: Noted,
    /// Whether the step was held, or not held, before.
    pub already: bool,
}

/// Why a decision about a step was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum StepDecisionError {
    #[error("the plan of the campaign is no longer stored")]
    NoPlan,

    #[error("\"{name}\" has no step {step}; it has {}", plural(*steps as u64, "step", "steps"))]
    NoStep { name: String, step: StepIndex, steps: usize },

    #[error("step {step} of \"{name}\" cannot be resumed: {}", used_up.sentence(name))]
    UsedUp { name: String, step: StepIndex, used_up: UsedUp },

    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Carries out a decision. A repeated decision succeeds.
pub async fn carry_out_on_step(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    (step, decision): (StepIndex, StepDecision),
    by: &Origin,
) -> Result<StepCarriedOut, StepDecisionError> {
    let name = || batch.display_name();
    let plan = store.plan(batch.id).await?.ok_or(StepDecisionError::NoPlan)?;
    let steps = plan.steps.len();
    let channel = plan.step(step).ok_or_else(|| StepDecisionError::NoStep { name: name(), step, steps })?.channel;
    let decided = match decision {
        StepDecision::Hold => hold_step(store, clock, batch, step, by).await?,
        StepDecision::Release => {
            let Released { noted, used_up, .. } = release_steps(store, clock, batch, [step], by).await?;
            if let Some(used_up) = used_up.into_iter().next() {
                return Err(StepDecisionError::UsedUp { name: name(), step, used_up });
            }
            noted
        }
    };
    let already = decided.is_none();
    // A repeated decision is in effect once every earlier change is.
    let noted = match decided {
        Some(noted) => noted,
        None => noted(store, clock, store.seq().await?).await?,
    };
    let queued = store.tallies(batch.id).await?.get(step, Count::Queued);
    let held = store.step_holds().await?.into_iter().find(|hold| hold.batch == batch.id && hold.step == step);
    Ok(StepCarriedOut { channel, held, queued, noted, already })
}
