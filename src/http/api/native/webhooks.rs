//! `/webhooks`: the subscriptions to the webhooks that Volley sends, and what became of each webhook.

use std::sync::Arc;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::PREFIX;
use super::campaigns::DecisionReason;
use super::extract::{Call, Json, OptionalJson, Path, Query, secret_option};
use super::page::{Limit, Page};
use super::problem::{Answer, Kind, Problem};
use crate::base::config::Secret;
use crate::base::domain::{Span, Timestamp, rfc3339_option};
use crate::http::api::Shared;
use crate::http::api::once::RepeatedBody;
use crate::http::outgoing::{Created, CreatedView, DeliveryView, Desk, ReplayView, SubscriptionView, Wanted};
use crate::store::{Replay, WebhookFormat};

/// How long the former secret of a subscription signs as well.
const OVERLAP: Span = Span::from_secs(86_400);

/// Decides about the webhooks of this installation.
pub(in crate::http::api) fn desk(shared: &Shared) -> Desk {
    Desk::new(Arc::clone(&shared.store), Arc::clone(&shared.clock), shared.config.outgoing.allow.clone())
}

/// List the webhooks (subscriptions).
#[utoipa::path(get, path = "/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    responses((status = 200, description = "All subscriptions.", body = Page<SubscriptionView>)))]
pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Answer<Response> {
    Ok(Page { items: desk(&shared).list().await?, next: None }.answer(&uri))
}

/// Get a webhook, and whether its receiver answers.
#[utoipa::path(get, path = "/webhooks/{webhook}", operation_id = "get_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")),
    responses((status = 200, description = "The subscription.", body = SubscriptionView), (status = 404)))]
pub(super) async fn get(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Answer<JsonAnswer<SubscriptionView>> {
    Ok(JsonAnswer(desk(&shared).show(&name).await?))
}

/// The form of webhooks.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
pub(super) enum WebhookForm {
    #[default]
    #[serde(rename = "volley")]
    Volley,
    #[serde(rename = "8x8")]
    Provider,
}

/// A new receiver of webhooks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "crm", "url": "https://crm.example/hooks", "types": ["message.*", "reply.received"]}))]
pub(super) struct WebhookBody {
    /// Letters, digits, `-`, `_` and dots.
    #[schema(min_length = 1, max_length = 80, pattern = "^[A-Za-z0-9._-]+$")]
    name: String,
    /// Where webhooks are posted to: https, and not in a private network unless the configuration allows that.
    url: String,
    /// Types of webhooks to send, such as `message.done` or `campaign.*`; by default all.
    #[serde(default)]
    types: Vec<String>,
    /// `volley`, signed; or `8x8`, the provider's own form.
    #[serde(default)]
    format: WebhookForm,
    /// With the format `8x8`: only messages of this subaccount; by default of all.
    #[serde(default)]
    sub_account: Option<String>,
    /// Value of the header `Authorization` of each webhook.
    #[serde(default, deserialize_with = "secret_option")]
    #[schema(value_type = Option<String>)]
    authorization: Option<Secret>,
}

/// An answer that shows a secret. The one that is stored for repeated requests does not have it.
fn shown_once(status: StatusCode, view: CreatedView) -> Answer<Response> {
    let repeated = serde_json::to_vec(&view.of).map_err(|error| Problem::failed(&error))?;
    let mut response = (status, JsonAnswer(view)).into_response();
    response.extensions_mut().insert(RepeatedBody(repeated));
    Ok(response)
}

/// Create a webhook. The answer shows its signing secret, once.
///
/// A repeated request with the same `Idempotency-Key` gets the answer without the secret: if the first answer was lost,
/// rotate the secret.
#[utoipa::path(post, path = "/webhooks", operation_id = "create_webhook", tag = "webhooks", request_body = WebhookBody,
    responses((status = 201, description = "The subscription.", body = CreatedView,
        headers(("Location" = String, description = "Address of the subscription."))), (status = 409)))]
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Json(body): Json<WebhookBody>,
) -> Answer<Response> {
    let WebhookBody { name, url, types, format, sub_account, authorization } = body;
    let format = match format {
        WebhookForm::Volley => WebhookFormat::Volley,
        WebhookForm::Provider => WebhookFormat::Provider,
    };
    let authorization = authorization.map(|secret| secret.expose().to_owned());
    let wanted = Wanted { name, url, format, types, sub_account, authorization };
    let Created { view, secret } = desk(&shared).create(wanted, call.origin(None)).await?;
    let place = HeaderValue::try_from(format!("{PREFIX}/webhooks/{}", view.name));
    let mut response = shown_once(StatusCode::CREATED, CreatedView { of: view, secret })?;
    response.headers_mut().extend(place.ok().map(|place| (header::LOCATION, place)));
    Ok(response)
}

async fn enabled(
    shared: &Shared,
    call: &Call,
    name: &str,
    (enable, reason): (bool, DecisionReason),
) -> Answer<Response> {
    let (desk, origin) = (desk(shared), call.origin(reason.text()?));
    if enable {
        desk.enable(name, origin).await?;
    } else {
        desk.disable(name, origin).await?;
    }
    Ok(JsonAnswer(desk.show(name).await?).into_response())
}

/// Enable a webhook. Waiting deliveries are sent first.
#[utoipa::path(post, path = "/webhooks/{webhook}/enable", operation_id = "enable_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")), request_body = DecisionReason,
    responses((status = 200, description = "The subscription.", body = SubscriptionView), (status = 404),
        (status = 409)))]
pub(super) async fn enable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<Response> {
    enabled(&shared, &call, &name, (true, reason)).await
}

/// Disable a webhook. Waiting deliveries are kept; later events are not.
#[utoipa::path(post, path = "/webhooks/{webhook}/disable", operation_id = "disable_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")), request_body = DecisionReason,
    responses((status = 200, description = "The subscription.", body = SubscriptionView), (status = 404),
        (status = 409)))]
pub(super) async fn disable(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<Response> {
    enabled(&shared, &call, &name, (false, reason)).await
}

/// How to rotate the signing secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"overlap": "1h"}))]
pub(super) struct SecretRotation {
    /// How long the former secret signs as well, at most 7d; by default 1d.
    overlap: Span,
}

impl Default for SecretRotation {
    fn default() -> Self {
        Self { overlap: OVERLAP }
    }
}

/// Give a webhook a new signing secret. The answer shows it, once. For a while, the former secret signs too.
#[utoipa::path(post, path = "/webhooks/{webhook}/rotate", operation_id = "rotate_webhook_secret", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")), request_body = SecretRotation,
    responses((status = 200, description = "The subscription.", body = CreatedView), (status = 404), (status = 409)))]
pub(super) async fn rotate(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(SecretRotation { overlap }): OptionalJson<SecretRotation>,
) -> Answer<Response> {
    let desk = desk(&shared);
    let secret = desk.rotate(&name, overlap, call.origin(None)).await?.secret;
    shown_once(StatusCode::OK, CreatedView { of: desk.show(&name).await?, secret: Some(secret) })
}

/// Remove a webhook. Waiting deliveries are given up; their log stays for seven days.
#[utoipa::path(delete, path = "/webhooks/{webhook}", operation_id = "remove_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")),
    responses((status = 204, description = "The subscription is removed."), (status = 404), (status = 409)))]
pub(super) async fn remove(State(shared): State<Shared>, Path(name): Path<String>, call: Call) -> Answer<StatusCode> {
    desk(&shared).remove(&name, call.origin(None)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a test. The answer is its delivery; get the delivery to see what the receiver answered.
#[utoipa::path(post, path = "/webhooks/{webhook}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")),
    responses((status = 202, description = "The delivery, which waits.", body = DeliveryView), (status = 404)))]
pub(super) async fn test(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<Response> {
    let desk = desk(&shared);
    let delivery = desk.test(&name).await?;
    Ok((StatusCode::ACCEPTED, JsonAnswer(desk.delivery(&name, delivery).await?)).into_response())
}

/// Which deliveries to resend: one, or those of a period.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"since": "2026-12-01T01:00:00Z", "until": "2026-12-01T02:00:00Z"}))]
pub(super) struct ReplayBody {
    /// Number of one delivery.
    #[serde(default)]
    delivery: Option<i64>,
    /// Webhooks that were created from this time on.
    #[serde(default, deserialize_with = "rfc3339_option::deserialize")]
    since: Option<Timestamp>,
    /// Webhooks that were created before this time; by default now.
    #[serde(default, deserialize_with = "rfc3339_option::deserialize")]
    until: Option<Timestamp>,
}

impl ReplayBody {
    fn which(self, now: Timestamp) -> Answer<Replay> {
        match (self.delivery, self.since, self.until) {
            (Some(delivery), None, None) => Ok(Replay::One(delivery)),
            (None, Some(from), until) => Ok(Replay::Between { from, until: until.unwrap_or(now) }),
            _ => {
                Err(Problem::new(Kind::Invalid, "name one `delivery`, or the time `since` when webhooks were created"))
            }
        }
    }
}

/// Resend deliveries of the last seven days: one, or all of a period.
#[utoipa::path(post, path = "/webhooks/{webhook}/replay", operation_id = "replay_webhooks", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription.")), request_body = ReplayBody,
    responses((status = 200, description = "How many are resent.", body = ReplayView), (status = 404)))]
pub(super) async fn replay(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Json(body): Json<ReplayBody>,
) -> Answer<JsonAnswer<ReplayView>> {
    let which = body.which(shared.clock.now())?;
    Ok(JsonAnswer(ReplayView { replayed: desk(&shared).replay(&name, which).await? }))
}

/// A page of webhooks to one receiver.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// Number of webhooks of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
}

/// List the deliveries of a webhook in the last seven days, latest first, with what the receiver answered.
#[utoipa::path(get, path = "/webhooks/{webhook}/deliveries", operation_id = "list_deliveries", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription."), DeliveryQuery),
    responses((status = 200, description = "The webhooks of the page.", body = Page<DeliveryView>), (status = 404)))]
pub(super) async fn deliveries(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<DeliveryQuery>,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("deliveries", &name).await?;
    let before = query.cursor.map(|cursor| cursors.read::<i64>(&cursor)).transpose()?;
    let mut items = desk(&shared).deliveries(&name, before, query.limit.rows()).await?;
    let next = query.limit.cut(&mut items).map(|last| cursors.write(&last.delivery)).transpose()?;
    Ok(Page { items, next }.answer(&uri))
}

/// Get one delivery of a webhook, with its latest try.
#[utoipa::path(get, path = "/webhooks/{webhook}/deliveries/{delivery}", operation_id = "get_delivery", tag = "webhooks",
    params(("webhook" = String, Path, description = "Name of the subscription."),
        ("delivery" = i64, Path, description = "Number of the delivery.", minimum = 1)),
    responses((status = 200, description = "The delivery.", body = DeliveryView), (status = 404)))]
pub(super) async fn delivery(
    State(shared): State<Shared>,
    Path((name, delivery)): Path<(String, i64)>,
) -> Answer<JsonAnswer<DeliveryView>> {
    Ok(JsonAnswer(desk(&shared).delivery(&name, delivery).await?))
}
