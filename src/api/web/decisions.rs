//! Starts, refuses, pauses, resumes and cancels campaigns.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::admit::Session;
use super::campaigns::{Said, shown, to_campaign};
use super::form::Form;
use super::frame::{page, too_late};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, Query, found, launcher};
use crate::campaign::{CampaignDecision, DecidedBy, DecisionError, carry_out};
use crate::domain::{BatchState, Scope, Timestamp};
use crate::pages::{CONFIRM_RESTORED, CancelPage, Done, Part, Place, RefusePage, RestoredPage, campaign_path, texts};
use crate::status::Watcher;
use crate::store::Batch;

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
        CampaignDecision::Refuse => Done::Refused,
        CampaignDecision::Pause => Done::Paused,
        CampaignDecision::Resume => Done::Resumed,
        CampaignDecision::Cancel => Done::Cancelled,
    };
    Ok(to_campaign(&batch.public_id().to_string(), done))
}

/// Asks before a campaign from a restored backup is sent: the same form, with a confirmation.
pub(super) fn ask_restored(
    session: &Session,
    form: &Form,
    (name, copied_at): (String, Timestamp),
    (action, back): (String, String),
) -> Answer<Response> {
    let fields = form.fields().filter(|(name, _)| !["form_token", CONFIRM_RESTORED].contains(name));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let frame = session.frame(Place::Below(Part::Campaigns));
    page(&RestoredPage { frame, name, copied_at, action, fields, back })
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
    let by = DecidedBy { confirms_restored: form.confirms_restored(), ..call.decided_by(form.reason()?) };
    let batch = found(&shared, &call, &campaign).await?;
    let edition = form.get("edition").and_then(|edition| edition.parse().ok());
    // The store starts only the edition that it is given, so a change in between is no matter.
    if batch.state != BatchState::Draft || edition == Some(batch.edition) {
        let whole = (shared.store.as_ref(), shared.config.as_ref());
        match carry_out(whole, shared.clock.as_ref(), &batch, CampaignDecision::Start, &by).await {
            Ok(_) => return Ok(to_campaign(&batch.public_id().to_string(), Done::Started).into_response()),
            Err(DecisionError::Outdated { .. }) => {}
            Err(DecisionError::Restored { name, copied_at, .. }) => {
                let back = campaign_path(&batch.public_id().to_string());
                return ask_restored(&session, &form, (name, copied_at), (format!("{back}/start"), back));
            }
            Err(error) => return Err(error.into()),
        }
    }
    changed_meanwhile(&shared, &session, &call, &campaign).await
}

/// Asks why a draft is refused.
pub(super) async fn ask_refuse(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(EditionQuery { edition }): Query<EditionQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    if edition.is_some_and(|edition| edition != batch.edition) {
        return changed_meanwhile(&shared, &session, &call, &campaign).await;
    }
    refuse_page(&session, &batch, None)
}

/// The edition of the draft that was read.
#[derive(Debug, Deserialize)]
pub(super) struct EditionQuery {
    edition: Option<u32>,
}

fn refuse_page(session: &Session, batch: &Batch, problem: Option<&'static str>) -> Answer<Response> {
    let path = campaign_path(&batch.public_id().to_string());
    let frame = session.frame(Place::Below(Part::Campaigns));
    page(&RefusePage { frame, campaign: batch.display_name(), path, edition: batch.edition, problem })
}

/// Refuses a draft as its page has shown it. One that was changed meanwhile is shown again instead.
pub(super) async fn refuse(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let batch = found(&shared, &call, &campaign).await?;
    if form.get("edition").and_then(|edition| edition.parse().ok()) == Some(batch.edition) {
        let Some(reason) = form.reason()? else {
            return refuse_page(&session, &batch, Some(texts().wizard.refuse_why));
        };
        let (whole, by) = ((shared.store.as_ref(), shared.config.as_ref()), call.decided_by(Some(reason)));
        match carry_out(whole, shared.clock.as_ref(), &batch, CampaignDecision::Refuse, &by).await {
            Ok(_) => return Ok(to_campaign(&batch.public_id().to_string(), Done::Refused).into_response()),
            Err(DecisionError::Outdated { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    changed_meanwhile(&shared, &session, &call, &campaign).await
}

/// Shows a draft again that was changed before it was decided on.
async fn changed_meanwhile(shared: &Shared, session: &Session, call: &Call, campaign: &str) -> Answer<Response> {
    let present = found(shared, call, campaign).await?;
    let said = Said { problem: Some(texts().wizard.changed_before_decision.to_owned()), ..Said::default() };
    Ok(too_late(shown(shared, session, call, &present, said).await?))
}

pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &campaign, CampaignDecision::Pause, &form).await
}

/// Resumes a campaign. One from a restored backup is asked about first.
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let by = DecidedBy { confirms_restored: form.confirms_restored(), ..call.decided_by(form.reason()?) };
    let batch = found(&shared, &call, &campaign).await?;
    let whole = (shared.store.as_ref(), shared.config.as_ref());
    let back = campaign_path(&batch.public_id().to_string());
    match carry_out(whole, shared.clock.as_ref(), &batch, CampaignDecision::Resume, &by).await {
        Ok(_) => Ok(to_campaign(&batch.public_id().to_string(), Done::Resumed).into_response()),
        Err(DecisionError::Restored { name, copied_at, .. }) => {
            ask_restored(&session, &form, (name, copied_at), (format!("{back}/resume"), back))
        }
        Err(error) => Err(error.into()),
    }
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
