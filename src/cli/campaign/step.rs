//! `volley campaign pause --step` and `resume --step`: hold and release one step.

use anyhow::bail;

use super::find;
use crate::campaign::{self, Noted, Released, StepDecisionView};
use crate::cli::words::plural;
use crate::cli::{CommandContext, Exit, out};
use crate::domain::{Channel, Count, StepIndex};
use crate::store::{Batch, Batches, Store};

pub(super) async fn hold(
    context: &CommandContext,
    name: &str,
    step: StepIndex,
    reason: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let channel = channel(store.as_ref(), &batch, step).await?;
    let (clock, by) = (context.clock.as_ref(), &context.origin(reason));
    let held = campaign::hold_step(store.as_ref(), clock, &batch, step, by).await?;
    let what = match held {
        Some(_) => "is paused".to_owned(),
        None => {
            let holds = store.step_holds().await?;
            let hold = holds.iter().find(|hold| hold.batch == batch.id && hold.step == step);
            let by = hold.map(|hold| match hold.origin.operator_name() {
                Some(name) => format!(" (by {name})"),
                None => format!(" ({})", hold.origin.hold_reason()),
            });
            format!("was already paused{}; the reason is unchanged", by.unwrap_or_default())
        }
    };
    print(context, store.as_ref(), &batch, (step, channel, &what), held, json).await
}

pub(super) async fn release(context: &CommandContext, name: &str, step: StepIndex, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let channel = channel(store.as_ref(), &batch, step).await?;
    let (clock, by) = (context.clock.as_ref(), &context.origin(None));
    let Released { noted: obeyed, used_up: kept } =
        campaign::release_steps(store.as_ref(), clock, &batch, Some(step), by).await?;
    if let Some(kept) = kept.first() {
        let name = batch.display_name();
        bail!("step {step} of \"{name}\" cannot be resumed: {}", kept.sentence(&name));
    }
    let what = if obeyed.is_some() { "is resumed" } else { "was not held" };
    print(context, store.as_ref(), &batch, (step, channel, what), obeyed, json).await
}

async fn channel(store: &dyn Batches, batch: &Batch, step: StepIndex) -> anyhow::Result<Channel> {
    let Some(plan) = store.plan(batch.id).await? else { bail!("the plan of the campaign is no longer stored") };
    match plan.step(step) {
        Some(step) => Ok(step.channel),
        None => {
            bail!(
                "\"{}\" has no step {step}; it has {}",
                batch.display_name(),
                plural(plan.steps.len() as u64, "step", "steps")
            )
        }
    }
}

/// Prints the new state of a step, with its waiting messages.
async fn print(
    context: &CommandContext,
    store: &dyn Store,
    batch: &Batch,
    (step, channel, what): (StepIndex, Channel, &str),
    obeyed: Option<Noted>,
    json: bool,
) -> anyhow::Result<Exit> {
    let has_changed = obeyed.is_some();
    // A repeated command is in effect once every earlier change is.
    let obeyed = match obeyed {
        Some(obeyed) => obeyed,
        None => campaign::noted(store, context.clock.as_ref(), store.seq().await?).await?,
    };
    let queued = store.tallies(batch.id).await?.get(step, Count::Queued);
    let held = store.step_holds().await?.iter().any(|hold| hold.batch == batch.id && hold.step == step);
    store.close().await;
    let name = batch.display_name();
    if json {
        out::json(&StepDecisionView::new(batch, step, held, queued, obeyed))?;
    } else {
        let queued = plural(queued, "message", "messages");
        let state = if held { "waiting" } else { "to submit" };
        let obeyed = obeyed.bracket(has_changed);
        out::data(format_args!("\"{name}\", step {step} ({channel}) {what}; {queued} {state}{obeyed}"))?;
    }
    Ok(Exit::Done)
}
