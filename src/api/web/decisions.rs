//! Starts, pauses, resumes and cancels campaigns.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::admit::Session;
use super::campaigns::{Said, shown, to_campaign};
use super::form::Form;
use super::frame::{page, too_late};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, found, launcher};
use crate::campaign::{CampaignDecision, DecisionError, carry_out};
use crate::domain::{BatchState, Scope};
use crate::pages::{CancelPage, Done, Part, Place, texts};
use crate::status::Watcher;

async fn decide(
    shared: &Shared,
    call: &Call,
    campaign: &str,
    decision: CampaignDecision,
    form: &Form,
) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let by = call.decided_by(form.reason()?);
    let batch = found(shared, call, campaign).await?;
    carry_out((shared.store.as_ref(), &shared.config), shared.clock.as_ref(), &batch, decision, &by).await?;
    let done = match decision {
        CampaignDecision::Start => Done::Started,
        CampaignDecision::Pause => Done::Paused,
        CampaignDecision::Resume => Done::Resumed,
        CampaignDecision::Cancel => Done::Cancelled,
    };
    Ok(to_campaign(&batch.public_id().to_string(), done))
}

/// Starts a draft as its page has shown it. One that was changed meanwhile is shown again instead.
pub(super) async fn start(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let by = call.decided_by(form.reason()?);
    let batch = found(&shared, &call, &campaign).await?;
    let edition = form.get("edition").and_then(|edition| edition.parse().ok());
    // The store starts only the edition that it is given, so a change in between is no matter.
    if batch.state != BatchState::Draft || edition == Some(batch.edition) {
        let whole = (shared.store.as_ref(), shared.config.as_ref());
        match carry_out(whole, shared.clock.as_ref(), &batch, CampaignDecision::Start, &by).await {
            Ok(_) => return Ok(to_campaign(&batch.public_id().to_string(), Done::Started).into_response()),
            Err(DecisionError::Outdated { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let present = found(&shared, &call, &campaign).await?;
    let said = Said { problem: Some(texts().wizard.changed_before_start.to_owned()), ..Said::default() };
    Ok(too_late(shown(&shared, &session, &call, &present, said).await?))
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
