//! `/templates`: what is known of the provider's templates, and holds on them.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::campaigns::{DecisionReason, launcher};
use super::extract::{Call, OptionalJson, Path};
use super::page::Page;
use super::problem::Answer;
use crate::campaigns::campaign::{TemplateDecision, TemplateDecisionView, carry_out_on_template, lanes_to_hold};
use crate::campaigns::status::{TemplateHistory, TemplateView, Templates};
use crate::http::api::Shared;

/// List the templates that campaigns and routes use, or that the provider lists.
#[utoipa::path(get, path = "/templates", operation_id = "list_templates", tag = "templates",
    responses((status = 200, description = "All templates.", body = Page<TemplateView>)))]
pub(super) async fn list(State(shared): State<Shared>, call: Call, uri: Uri) -> Answer<Response> {
    let templates = Templates::read(&launcher(&shared, &shared.config, &call)).await?;
    Ok(Page { items: templates.views, next: None }.answer(&uri))
}

/// Get a template with its latest events.
#[utoipa::path(get, path = "/templates/{template}", operation_id = "get_template", tag = "templates",
    params(("template" = String, Path, description = "Name of the template.")),
    responses((status = 200, description = "The template.", body = TemplateHistory), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(name): Path<String>, call: Call) -> Answer<Response> {
    let history = TemplateHistory::read(&launcher(&shared, &shared.config, &call), &name).await?;
    Ok(JsonAnswer(history).into_response())
}

/// A hold of a template, or its end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateDecisionBody {
    /// Only on this lane; by default on every WhatsApp lane.
    #[serde(default)]
    lane: Option<String>,
    /// Reason, shown in events and with the template.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Hold a template: messages with it wait.
#[utoipa::path(post, path = "/templates/{template}/hold", operation_id = "hold_template", tag = "templates",
    params(("template" = String, Path, description = "Name of the template.")), request_body = TemplateDecisionBody,
    responses((status = 200, description = "The template after the decision.", body = TemplateDecisionView),
        (status = 404)))]
pub(super) async fn hold(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(body): OptionalJson<TemplateDecisionBody>,
) -> Answer<Response> {
    let lanes = lanes_to_hold(&shared.config, body.lane.as_deref())?;
    let reason = DecisionReason { reason: body.reason };
    decide(&shared, &call, &name, TemplateDecision::Hold { lanes: &lanes }, &reason).await
}

/// Resume a template: release its holds.
#[utoipa::path(post, path = "/templates/{template}/resume", operation_id = "resume_template", tag = "templates",
    params(("template" = String, Path, description = "Name of the template.")), request_body = TemplateDecisionBody,
    responses((status = 200, description = "The template after the decision.", body = TemplateDecisionView),
        (status = 404)))]
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(body): OptionalJson<TemplateDecisionBody>,
) -> Answer<Response> {
    let reason = DecisionReason { reason: body.reason };
    decide(&shared, &call, &name, TemplateDecision::Resume { on: body.lane.as_deref() }, &reason).await
}

async fn decide(
    shared: &Shared,
    call: &Call,
    name: &str,
    decision: TemplateDecision<'_>,
    reason: &DecisionReason,
) -> Answer<Response> {
    let (store, clock) = (shared.store.as_ref(), shared.clock.as_ref());
    let by = call.origin(reason.text()?);
    let done = carry_out_on_template(store, clock, &shared.config, name, decision, &by).await?;
    Ok(JsonAnswer(TemplateDecisionView::new(name, &done)).into_response())
}
