//! `volley campaign pause --step` and `resume --step`: hold and release one step.

use std::num::NonZeroU8;

use super::{find, step_of};
use crate::base::domain::BatchState;
use crate::campaigns::campaign::{StepCarriedOut, StepDecision, StepDecisionView, carry_out_on_step};
use crate::cli::watch::print_closed_hours;
use crate::cli::words::{plural, shell};
use crate::cli::{CommandContext, Exit, out};
use crate::store::StepHold;

pub(super) async fn decide(
    context: &CommandContext,
    name: &str,
    (number, decision): (NonZeroU8, StepDecision),
    reason: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let step = step_of(store.as_ref(), &batch, number).await?;
    let (clock, by) = (context.clock.as_ref(), &context.origin(reason));
    let done = carry_out_on_step(store.as_ref(), clock, &batch, (step, decision), by).await?;
    if json {
        out::json(&StepDecisionView::new(&batch, step, &done))?;
    } else {
        let name = batch.display_name();
        let StepCarriedOut { channel, held, queued, noted, already } = &done;
        let queued = plural(*queued, "message", "messages");
        let state = if held.is_some() { "wait" } else { "to submit" };
        // No server knows a draft, so none has to obey the decision.
        let obeyed = if batch.state == BatchState::Draft { String::new() } else { noted.bracket(!already) };
        let what = what(decision, *already, held.as_ref());
        out::data(format_args!("\"{name}\", step {step} ({channel}) {what}: {queued} {state}{obeyed}"))?;
        if held.is_some() {
            out::talk(format_args!("To resume: volley campaign resume {} --step {step}", shell(&name)));
        } else if batch.state == BatchState::Paused {
            out::talk(format_args!(
                "The campaign itself is still paused. To resume: volley campaign resume {}",
                shell(&name)
            ));
        } else {
            print_closed_hours(context, store.as_ref(), batch.id).await?;
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

/// What became of the step.
fn what(decision: StepDecision, already: bool, held: Option<&StepHold>) -> String {
    match (decision, already) {
        (StepDecision::Hold, false) => "is paused".to_owned(),
        (StepDecision::Hold, true) => {
            let by = held.map(|hold| match hold.origin.operator_name() {
                Some(name) => format!(" (by {name})"),
                None => format!(" ({})", hold.origin.hold_reason()),
            });
            format!("was already paused{}; the reason is unchanged", by.unwrap_or_default())
        }
        (StepDecision::Release, false) => "is resumed".to_owned(),
        (StepDecision::Release, true) => "was not held".to_owned(),
    }
}
