//! Checks the active campaigns: what keeps each of them from sending.

use super::{Findings, Health};
use crate::base::domain::text::{plural, shell};
use crate::base::domain::{BatchState, Count, Timestamp};
use crate::campaigns::campaign::{Launcher, used_up};
use crate::campaigns::report::Stranded;
use crate::campaigns::status::{Obstacle, StatusError};
use crate::store::{self, Batch, StepHold, Store};

/// Reports what stops single campaigns. Holds on lanes and templates concern all campaigns and are reported elsewhere.
pub(super) async fn check_campaigns(
    launcher: &Launcher<'_>,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<(), StatusError> {
    let store = launcher.store;
    let states = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused, BatchState::Cancelling];
    let in_play = store.batches(Some(states)).await?;
    let number = in_play.len() as u64;
    let text = if number == 0 {
        "none scheduled, running or paused".to_owned()
    } else {
        plural(number, "is scheduled, running or paused", "are scheduled, running or paused")
    };
    findings.add_ok("campaigns", text);
    let step_holds = store.step_holds().await?;
    for batch in &in_play {
        if batch.state == BatchState::Paused {
            paused(store, batch, now, findings).await?;
        }
        let held: Vec<_> = step_holds.iter().filter(|hold| hold.batch == batch.id).collect();
        if !held.is_empty() && batch.state != BatchState::Cancelling {
            held_steps(store, batch, &held, now, findings).await?;
        }
    }
    for (batch, missing) in Stranded::everywhere(store, launcher.config).await? {
        let name = batch.display_name();
        let text = format!("\"{name}\": {}", missing.what());
        findings.add("campaigns", Health::Warning, text, Some(&missing.what_to_do(&name)));
    }
    for (batch, _, sentence) in launcher.flagged_everywhere().await? {
        let name = batch.display_name();
        let advice = format!("fix the template at the provider, or: volley campaign cancel {}", shell(&name));
        findings.add("campaigns", Health::Warning, format!("\"{name}\": {sentence}"), Some(&advice));
    }
    Ok(())
}

/// Reports why a campaign is paused, and how to resume it.
async fn paused(store: &dyn Store, batch: &Batch, now: Timestamp, findings: &mut Findings) -> store::Result<()> {
    let name = batch.display_name();
    let is = batch.stopped().unwrap_or_else(|| "paused".to_owned());
    let used_up = used_up(store, batch).await?.into_iter().find(|used_up| used_up.step.is_none());
    let advice = match used_up {
        Some(limit) => Obstacle::UsedUp(limit).what_to_do(&name, now),
        None if batch.restored_from.is_some() => {
            let name = shell(&name);
            format!(
                "volley campaign cancel {name}, or, if a second message is better than none: volley campaign resume {name} --confirm-restored"
            )
        }
        None => format!("to resume: volley campaign resume {}", shell(&name)),
    };
    findings.add("campaigns", Health::Warning, format!("\"{name}\" is {is}"), Some(&advice));
    Ok(())
}

/// Reports the held steps of a campaign.
async fn held_steps(
    store: &dyn Store,
    batch: &Batch,
    holds: &[&StepHold],
    now: Timestamp,
    findings: &mut Findings,
) -> store::Result<()> {
    let Some(plan) = store.plan(batch.id).await? else { return Ok(()) };
    let (name, tallies) = (batch.display_name(), store.tallies(batch.id).await?);
    for hold in holds {
        let Some(step) = plan.step(hold.step) else { continue };
        let held = Obstacle::StepHeld((*hold).clone(), step.channel, tallies.get(hold.step, Count::Queued));
        let text = format!("\"{name}\": {}", held.what_since(now));
        findings.add("campaigns", Health::Warning, text, Some(&held.what_to_do(&name, now)));
    }
    Ok(())
}
