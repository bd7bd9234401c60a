//! `/operators`: operators, who sign in with a password.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::{Asked, Call, Json, Path, Query, secret};
use super::page::{Limit, Page};
use super::problem::Answer;
use super::recorded::Recorded;
use crate::base::config::Secret;
use crate::http::access::{By, NewOperator, OperatorView, Scopes};
use crate::http::api::Shared;
use crate::store::OperatorAccount;

/// A page of operators.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperatorQuery {
    /// Number of operators of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
}

/// List operators, in order of the name.
#[utoipa::path(get, path = "/operators", operation_id = "list_operators", tag = "operators", params(OperatorQuery),
    responses((status = 200, description = "The operators of the page.", body = Page<OperatorView>)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<OperatorQuery>,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("operators", &()).await?;
    let after = query.cursor.map(|cursor| cursors.read::<String>(&cursor)).transpose()?;
    let mut operators = shared.store.operators(after, query.limit.rows()).await?;
    let next = query.limit.cut(&mut operators).map(|last| cursors.write(&last.name)).transpose()?;
    Ok(Page { items: operators.iter().map(OperatorView::new).collect(), next }.answer(&uri))
}

/// Get an operator.
#[utoipa::path(get, path = "/operators/{operator}", operation_id = "get_operator", tag = "operators",
    params(("operator" = String, Path, description = "Name of the operator.")),
    responses((status = 200, description = "The operator.", body = OperatorView), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Response> {
    Ok(JsonAnswer(OperatorView::new(&shared.0.access.operator(&name).await?)).into_response())
}

/// The operator after a change, which has its entry of the audit log.
fn changed(status: StatusCode, operator: &OperatorAccount) -> Response {
    let mut response = (status, JsonAnswer(OperatorView::new(operator))).into_response();
    response.extensions_mut().insert(Recorded);
    response
}

/// A new operator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "ann", "scopes": ["manage"], "password": "correct horse battery"}))]
pub(super) struct OperatorBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What the operator may do.
    scopes: Scopes,
    /// At least 12 characters on one line.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, min_length = 12, max_length = 1024)]
    password: Secret,
}

/// Create an operator, with a password and scopes.
#[utoipa::path(post, path = "/operators", operation_id = "create_operator", tag = "operators",
    request_body = OperatorBody,
    responses((status = 201, description = "The operator.", body = OperatorView), (status = 409)))]
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Asked(asked): Asked,
    Json(OperatorBody { name, scopes, password }): Json<OperatorBody>,
) -> Answer<Response> {
    let (new, by) = (NewOperator { name, scopes, password }, By::caller(&call.caller, asked));
    let operator = shared.0.access.create_operator(new, &by, shared.clock.now()).await?;
    Ok(changed(StatusCode::CREATED, &operator))
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery"}))]
pub(super) struct PasswordBody {
    /// At least 12 characters on one line.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, min_length = 12, max_length = 1024)]
    password: Secret,
}

/// Set a new password for an operator.
#[utoipa::path(put, path = "/operators/{operator}/password", operation_id = "set_password", tag = "operators",
    params(("operator" = String, Path, description = "Name of the operator.")), request_body = PasswordBody,
    responses((status = 200, description = "The operator.", body = OperatorView), (status = 404)))]
pub(super) async fn set_password(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
    Json(PasswordBody { password }): Json<PasswordBody>,
) -> Answer<Response> {
    let by = By::caller(&call.caller, asked);
    let operator = shared.0.access.set_password(&name, password, &by, shared.clock.now()).await?;
    Ok(changed(StatusCode::OK, &operator))
}

/// New scopes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"scopes": ["read", "manage"]}))]
pub(super) struct ScopesBody {
    /// What the operator may do from now on.
    scopes: Scopes,
}

/// The operator after a change that may have changed nothing.
fn maybe_changed((operator, is_changed): (OperatorAccount, bool)) -> Response {
    match is_changed {
        true => changed(StatusCode::OK, &operator),
        false => JsonAnswer(OperatorView::new(&operator)).into_response(),
    }
}

/// Set the scopes of an operator, from the next request on.
#[utoipa::path(put, path = "/operators/{operator}/scopes", operation_id = "set_operator_scopes", tag = "operators",
    params(("operator" = String, Path, description = "Name of the operator.")), request_body = ScopesBody,
    responses((status = 200, description = "The operator.", body = OperatorView), (status = 404), (status = 409)))]
pub(super) async fn set_scopes(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
    Json(ScopesBody { scopes }): Json<ScopesBody>,
) -> Answer<Response> {
    let by = By::caller(&call.caller, asked);
    Ok(maybe_changed(shared.0.access.set_scopes(&name, scopes, &by, shared.clock.now()).await?))
}

async fn set_disabled(shared: &Shared, name: &str, is_disabled: bool, by: &By) -> Answer<Response> {
    Ok(maybe_changed(shared.0.access.set_disabled(name, is_disabled, by, shared.clock.now()).await?))
}

/// Disable an operator, who can then no longer sign in.
#[utoipa::path(post, path = "/operators/{operator}/disable", operation_id = "disable_operator", tag = "operators",
    params(("operator" = String, Path, description = "Name of the operator.")),
    responses((status = 200, description = "The operator.", body = OperatorView), (status = 404)))]
pub(super) async fn disable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
) -> Answer<Response> {
    set_disabled(&shared, &name, true, &By::caller(&call.caller, asked)).await
}

/// Enable a disabled operator.
#[utoipa::path(post, path = "/operators/{operator}/enable", operation_id = "enable_operator", tag = "operators",
    params(("operator" = String, Path, description = "Name of the operator.")),
    responses((status = 200, description = "The operator.", body = OperatorView), (status = 404)))]
pub(super) async fn enable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
) -> Answer<Response> {
    set_disabled(&shared, &name, false, &By::caller(&call.caller, asked)).await
}
