//! Changes, renames and deletes campaigns, and holds and releases their steps.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::DecisionReason;
use super::file::{budget, max_messages};
use super::parts::{found, launcher, tag_of};
use crate::base::clock::format_time;
use crate::base::domain::{StepIndex, object_name};
use crate::campaigns::campaign::{
    Amend, Amended, ChangeView, Deleted, RenameView, StepDecision, StepDecisionView, WarningView, carry_out_on_step,
    delete_draft, why_not,
};
use crate::http::api::Shared;
use crate::http::api::native::extract::{Call, Json, OptionalJson, Path};
use crate::http::api::native::page::{changed_meanwhile, ensure_unchanged};
use crate::http::api::native::problem::{Answer, Kind, Problem};

/// New settings of a campaign, with the keys and values of a campaign file. `none` removes a setting; a missing key keeps
/// its value.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"quiet_hours": ["22:00-07:00"], "max_messages": 50_000}))]
pub(in crate::http::api::native) struct CampaignChange {
    /// Change only the hours, limits and text of the step with this number.
    #[schema(minimum = 1, maximum = 7)]
    step: Option<u8>,
    /// Start of a draft or a scheduled campaign.
    at: Option<String>,
    /// Latest time for a first message.
    end: Option<String>,
    /// Hours in which nothing is sent.
    quiet_hours: Option<Vec<String>>,
    /// Hours in which messages are sent.
    send_window: Option<Vec<String>>,
    /// Days on which nothing is sent.
    holidays: Option<Vec<String>>,
    #[schema(schema_with = max_messages)]
    max_messages: Option<NumberOrText>,
    #[schema(schema_with = budget)]
    budget: Option<NumberOrText>,
    /// Rule that pauses the campaign.
    pause_when: Option<String>,
    /// Rule that holds the next paid step.
    hold_paid_when: Option<String>,
    /// Text of the step, until the first message is sent. If campaigns of its size need a second operator, it is a draft again.
    text: Option<String>,
}

impl CampaignChange {
    /// The settings as keys of a campaign file.
    fn keys(self) -> Map<String, Value> {
        let texts = [
            ("at", self.at),
            ("end", self.end),
            ("pause_when", self.pause_when),
            ("hold_paid_when", self.hold_paid_when),
            ("text", self.text),
        ];
        let lists = [("quiet_hours", self.quiet_hours), ("send_window", self.send_window), ("holidays", self.holidays)];
        let texts = texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        let lists = lists.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        let numbers = [("max_messages", self.max_messages), ("budget", self.budget)];
        let numbers = numbers.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        texts.chain(lists).chain(numbers).collect()
    }
}

/// A number, or a text: an amount with a currency, or `none`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "this is neither a number nor a text; write `none` to remove it")]
enum NumberOrText {
    Number(serde_json::Number),
    Text(String),
}

impl From<NumberOrText> for Value {
    fn from(wanted: NumberOrText) -> Self {
        match wanted {
            NumberOrText::Number(number) => number.into(),
            NumberOrText::Text(text) => text.into(),
        }
    }
}

fn step_of(number: u8) -> Answer<StepIndex> {
    let step = number.checked_sub(1).and_then(StepIndex::new);
    step.ok_or_else(|| Problem::new(Kind::NotFound, format_args!("no campaign has a step {number}")))
}

/// Change a campaign or a draft: its name, its start and end, its send hours, its limits, and the rules that pause it.
///
/// A change applies at once to every message that has not been submitted.
#[utoipa::path(patch, path = "/campaigns/{campaign}", operation_id = "change_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."),
        ("If-Match" = String, Header, description = "ETag of the campaign that the change was decided on.")),
    request_body = CampaignChange,
    responses((status = 200, description = "What has changed.", body = ChangeView), (status = 404), (status = 409),
        (status = 412), (status = 428)))]
pub(in crate::http::api::native) async fn change(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    headers: HeaderMap,
    Json(body): Json<CampaignChange>,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    ensure_unchanged(&headers, &tag_of(&batch))?;
    let step = body.step.map(step_of).transpose()?;
    let keys = body.keys();
    if keys.is_empty() {
        return Err(Problem::new(Kind::Invalid, "nothing to change; name at least one setting"));
    }
    let amend = Amend { step, keys, edition: Some(batch.edition) };
    let amended = launcher(&shared, &shared.config, &call).amend(&batch, &amend).await?;
    let name = batch.display_name();
    let cannot = |why: String| Problem::new(Kind::Conflict, format_args!("\"{name}\" cannot be changed: {why}"));
    let (changed, noted, brought_forward, warnings) = match amended {
        Amended::Holds { changed, noted, brought_forward, warnings } => (changed, noted, brought_forward, warnings),
        Amended::AsItWas { noted, warnings } => (Vec::new(), noted, 0, warnings),
        Amended::Outdated => return Err(changed_meanwhile()),
        Amended::Over(state) => return Err(cannot(why_not(state))),
        Amended::Ended(end) => return Err(cannot(format!("its end was {}", format_time(end, None)))),
    };
    let state = shared.store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    let (id, noted) = (batch.public_id().to_string(), noted.by_all());
    let warnings = warnings.iter().map(WarningView::new).collect();
    let view = ChangeView { id, name, state, changes: &changed, brought_forward, noted, warnings };
    Ok(JsonAnswer(view).into_response())
}

/// A new name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "December promo"}))]
pub(in crate::http::api::native) struct NewName {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// Give a campaign or a draft another name. The former name is free again.
#[utoipa::path(post, path = "/campaigns/{campaign}/rename", operation_id = "rename_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = NewName,
    responses((status = 200, description = "The campaign with its new name.", body = RenameView), (status = 404),
        (status = 409)))]
pub(in crate::http::api::native) async fn rename(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
    Json(NewName { name }): Json<NewName>,
) -> Answer<JsonAnswer<RenameView>> {
    let name = object_name(&name).map_err(|error| Problem::new(Kind::Invalid, error).at("/name"))?;
    let batch = found(&shared, &call, &campaign).await?;
    let now = shared.clock.now();
    crate::campaigns::campaign::rename(shared.store.as_ref(), &batch, &name, &call.origin(None), now).await?;
    Ok(JsonAnswer(RenameView::new(&batch, name)))
}

/// Delete a draft, with the recipients that were imported for it alone. Cannot be undone.
#[utoipa::path(delete, path = "/campaigns/{campaign}", operation_id = "delete_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the draft.")),
    responses((status = 204, description = "The draft is deleted."), (status = 404), (status = 409)))]
pub(in crate::http::api::native) async fn delete(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    call: Call,
) -> Answer<StatusCode> {
    let batch = found(&shared, &call, &campaign).await?;
    match delete_draft(shared.store.as_ref(), &batch, &call.origin(None), shared.clock.now()).await? {
        Deleted::Gone => Ok(StatusCode::NO_CONTENT),
        Deleted::Refused(state) => {
            let name = batch.display_name();
            let sentence = format!("\"{name}\" cannot be deleted: only a draft can, and {}", why_not(state));
            Err(Problem::new(Kind::Conflict, sentence))
        }
    }
}

async fn decide(
    (shared, call): (&Shared, &Call),
    (campaign, number): (String, u8),
    decision: StepDecision,
    reason: &DecisionReason,
) -> Answer<JsonAnswer<StepDecisionView>> {
    let batch = found(shared, call, &campaign).await?;
    let (step, by) = (step_of(number)?, call.origin(reason.text()?));
    let done = carry_out_on_step(shared.store.as_ref(), shared.clock.as_ref(), &batch, (step, decision), &by).await?;
    Ok(JsonAnswer(StepDecisionView::new(&batch, step, &done)))
}

/// Pause one step of a campaign; the other steps continue.
#[utoipa::path(post, path = "/campaigns/{campaign}/steps/{step}/pause", operation_id = "pause_step", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."),
        ("step" = u8, Path, description = "Number of the step.", minimum = 1, maximum = 7)),
    request_body = DecisionReason,
    responses((status = 200, description = "The step after the decision.", body = StepDecisionView), (status = 404),
        (status = 409)))]
pub(in crate::http::api::native) async fn pause_step(
    State(shared): State<Shared>,
    Path(which): Path<(String, u8)>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<StepDecisionView>> {
    decide((&shared, &call), which, StepDecision::Hold, &reason).await
}

/// Resume one step of a campaign.
#[utoipa::path(post, path = "/campaigns/{campaign}/steps/{step}/resume", operation_id = "resume_step",
    tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."),
        ("step" = u8, Path, description = "Number of the step.", minimum = 1, maximum = 7)),
    request_body = DecisionReason,
    responses((status = 200, description = "The step after the decision.", body = StepDecisionView), (status = 404),
        (status = 409)))]
pub(in crate::http::api::native) async fn resume_step(
    State(shared): State<Shared>,
    Path(which): Path<(String, u8)>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<StepDecisionView>> {
    decide((&shared, &call), which, StepDecision::Release, &reason).await
}
