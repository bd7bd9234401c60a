//! `volley campaign start`, `refuse`, `pause`, `resume` and `cancel`: carry out decisions of an operator.

use super::find;
use crate::base::clock::format_time;
use crate::base::domain::{BatchState, Count};
use crate::campaigns::campaign::{CampaignDecision, CarriedOut, DecidedBy, DecisionView, DueAtOnce, carry_out};
use crate::cli::watch::print_closed_hours;
use crate::cli::words::{capital, count, list, plural, shell};
use crate::cli::{CommandContext, Exit, out};

pub(super) async fn run(
    context: &CommandContext,
    (decision, confirms_restored): (CampaignDecision, bool),
    name: &str,
    reason: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let (name, clock) = (batch.display_name(), context.clock.as_ref());
    let by = DecidedBy { origin: context.origin(reason), is_signed_in: false, confirms_restored };
    let plan = store.plan(batch.id).await?;
    let done = carry_out((store.as_ref(), &context.config), clock, &batch, decision, &by).await?;
    if json {
        store.close().await;
        out::json(&DecisionView::new(&batch, &done))?;
        return Ok(Exit::Done);
    }
    let CarriedOut { state, before, counts, certificate, noted, released_steps, used_up, already } = done;
    let has_stop_time = certificate.is_some_and(|certificate| certificate.stopped_after_ms.is_some());
    // No server knows a draft, so none has to obey its end.
    let was_draft = batch.state == BatchState::Draft && decision != CampaignDecision::Start;
    let obeyed = if has_stop_time || was_draft { String::new() } else { noted.bracket(!already) };
    let effect = match decision {
        CampaignDecision::Refuse => "change it, and another operator is asked again".to_owned(),
        CampaignDecision::Pause => {
            let waiting = format!("{} wait", plural(counts.queued, "message", "messages"));
            match counts.sending {
                0 => waiting,
                1 => format!("{waiting}, and 1 is still being sent"),
                sending => format!("{waiting}, and {} are still being sent", count(sending)),
            }
        }
        CampaignDecision::Start | CampaignDecision::Resume if state == BatchState::Scheduled => match batch.starts_at {
            Some(at) => format!("it starts at {}", format_time(at, None)),
            None => "it waits for its start".to_owned(),
        },
        CampaignDecision::Start | CampaignDecision::Resume => {
            let kept = used_up.iter().filter_map(|kept| Some(before.get(kept.step?, Count::Queued)));
            let to_submit = before.total(Count::Queued) - kept.sum::<i64>();
            format!("{} to submit", plural(to_submit, "message", "messages"))
        }
        CampaignDecision::Cancel => match certificate {
            Some(certificate) => certificate.to_string(),
            None if counts.to_come(state) == 0 => "nothing is pending".to_owned(),
            None => format!("receipts may still come for {}", plural(counts.to_come(state), "message", "messages")),
        },
    };
    // Before the resume it was paused, and after that they are no longer due.
    let due = plan.as_ref().filter(|_| decision == CampaignDecision::Resume && state == BatchState::Running);
    let due = due.and_then(|plan| DueAtOnce::of(&batch, plan, &before, clock.now()));
    let is = match (already, decision) {
        (false, _) => {
            let steps: Vec<String> = released_steps.iter().map(ToString::to_string).collect();
            let steps = if steps.is_empty() { String::new() } else { format!(", and so is step {}", list(&steps)) };
            format!("is {}{steps}:", decision.participle())
        }
        (true, CampaignDecision::Cancel) => "was already cancelled;".to_owned(),
        (true, CampaignDecision::Refuse) => "was already refused:".to_owned(),
        (true, CampaignDecision::Start | CampaignDecision::Pause | CampaignDecision::Resume) => {
            format!("is already {state}:")
        }
    };
    out::data(format_args!("\"{name}\" {is} {effect}{obeyed}"))?;
    if let Some(due) = due {
        out::data(format_args!("{}.", capital(&due.sentence())))?;
    }
    if matches!(decision, CampaignDecision::Cancel) && batch.state == BatchState::Finished {
        let waiting = plural(counts.to_come(state), "message", "messages");
        out::data(format_args!(
            "Nothing was left to submit. Last receipts may still come for {waiting}; one that fails is not sent again."
        ))?;
    }
    if matches!(decision, CampaignDecision::Pause) {
        out::talk(format_args!("To resume: volley campaign resume {}", shell(&name)));
    }
    for kept in &used_up {
        out::talk(kept.sentence(&name));
    }
    if matches!(decision, CampaignDecision::Start | CampaignDecision::Resume) {
        print_closed_hours(context, store.as_ref(), batch.id).await?;
    }
    store.close().await;
    Ok(Exit::Done)
}
