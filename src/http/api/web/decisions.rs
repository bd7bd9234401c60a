//! Starts, refuses, pauses, resumes and cancels campaigns.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::admit::Session;
use super::campaigns::{Said, shown, to_campaign};
use super::form::Form;
use super::frame::{page, too_late};
use crate::base::domain::{BatchState, Scope, Timestamp};
use crate::campaigns::campaign::{CampaignDecision, DecidedBy, DecisionError, carry_out};
use crate::campaigns::status::Watcher;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query, found, launcher};
use crate::http::pages::{
    CONFIRM_RESTORED, CancelPage, Done, Part, Place, RefusePage, RestoredPage, campaign_path, texts,
};
use crate::store::Batch;

/// Carries out a decision, and leads to the campaign, whose page says so. A draft is decided on as its page has shown it: one that
/// was changed meanwhile is shown again instead. One from a restored backup is asked about before it is sent.
async fn decide(
    (shared, session, call): (&Shared, &Session, &Call),
    campaign: &str,
    (decision, action): (CampaignDecision, &str),
    form: &Form,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    let by = DecidedBy { confirms_restored: form.confirms_restored(), ..call.decided_by(form.reason()?) };
    let batch = found(shared, call, campaign).await?;
    let path = campaign_path(&batch.public_id().to_string());
    let (is_as_read, done) = match decision {
        CampaignDecision::Start => (batch.state != BatchState::Draft || is_read(form, &batch), Done::Started),
        CampaignDecision::Refuse => (is_read(form, &batch), Done::Refused),
        CampaignDecision::Pause => (true, Done::Paused),
        CampaignDecision::Resume => (true, Done::Resumed),
        CampaignDecision::Cancel => (true, Done::Cancelled),
    };
    // The store decides only on the edition that it is given, so a change in between is no matter.
    if is_as_read {
        let whole = (shared.store.as_ref(), shared.config.as_ref());
        match carry_out(whole, shared.clock.as_ref(), &batch, decision, &by).await {
            Ok(_) => return Ok(to_campaign(&batch.public_id().to_string(), done).into_response()),
            Err(DecisionError::Outdated { .. }) => {}
            Err(DecisionError::Restored { name, copied_at, .. }) => {
                return ask_restored(session, form, (name, copied_at), (format!("{path}/{action}"), path));
            }
            Err(DecisionError::NoReason { .. }) => {
                return refuse_page(session, &batch, Some(texts().wizard.refuse_why));
            }
            Err(error) => return Err(error.into()),
        }
    }
    changed_meanwhile(shared, session, call, campaign).await
}

/// Whether a form is of the present edition of a draft.
fn is_read(form: &Form, batch: &Batch) -> bool {
    form.get("edition").and_then(|edition| edition.parse().ok()) == Some(batch.edition)
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

pub(super) async fn start(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    decide((&shared, &session, &call), &campaign, (CampaignDecision::Start, "start"), &form).await
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

pub(super) async fn refuse(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    decide((&shared, &session, &call), &campaign, (CampaignDecision::Refuse, "refuse"), &form).await
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
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    decide((&shared, &session, &call), &campaign, (CampaignDecision::Pause, "pause"), &form).await
}

pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    decide((&shared, &session, &call), &campaign, (CampaignDecision::Resume, "resume"), &form).await
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    decide((&shared, &session, &call), &campaign, (CampaignDecision::Cancel, "cancel"), &form).await
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
