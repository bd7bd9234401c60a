//! Starts, pauses, resumes and cancels campaigns.

use axum::extract::State;
use axum::response::{Redirect, Response};

use super::admit::Session;
use super::campaigns::to_campaign;
use super::form::Form;
use super::frame::page;
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, found, launcher};
use crate::campaign::{CampaignDecision, carry_out};
use crate::domain::Scope;
use crate::pages::{CancelPage, Done, Part, Place};
use crate::status::Watcher;

async fn decide(
    shared: &Shared,
    call: &Call,
    campaign: &str,
    decision: CampaignDecision,
    form: &Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let reason = form.reason()?;
    let batch = found(shared, call, campaign).await?;
    carry_out((shared.store.as_ref(), &shared.config), shared.clock.as_ref(), &batch, decision, &call.origin(reason))
        .await?;
    let done = match decision {
        CampaignDecision::Start => Done::Started,
        CampaignDecision::Pause => Done::Paused,
        CampaignDecision::Resume => Done::Resumed,
        CampaignDecision::Cancel => Done::Cancelled,
    };
    Ok(to_campaign(&batch.public_id().to_string(), done))
}

pub(super) async fn start(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &campaign, CampaignDecision::Start, &form).await
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &campaign, CampaignDecision::Pause, &form).await
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &campaign, CampaignDecision::Resume, &form).await
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &campaign, CampaignDecision::Cancel, &form).await
}

/// Asks before a cancel, which cannot be undone, and says what it does.
pub(super) async fn ask_cancel(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    let launcher = launcher(&shared, &shared.config, &call);
    let look = Watcher::new(&launcher, batch.id).await?.without_forecast().look().await?;
    page(&CancelPage { frame: session.frame(Place::Below(Part::Campaigns)), look: &look })
}
