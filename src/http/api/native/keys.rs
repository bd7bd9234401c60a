//! `/keys`: the keys of the API. `/setup`: the first of them.

use std::num::NonZeroU32;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::PREFIX;
use super::extract::{Asked, Call, Json, OptionalJson, Path, Query, secret};
use super::page::{Limit, Page};
use super::problem::{Answer, Kind, Problem};
use super::recorded::Recorded;
use crate::base::config::Secret;
use crate::base::domain::{IpNetwork, KeyId, Purpose, Scope, Span, Timestamp, rfc3339_option};
use crate::http::access::{By, Issued, IssuedView, KeyView, NewKey, Scopes};
use crate::http::api::Shared;
use crate::http::api::once::RepeatedBody;
use crate::store::KeyLimits;

/// A page of keys.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyQuery {
    /// Number of keys of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
}

/// List the keys of the API, also revoked ones, in order of the id.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "keys", params(KeyQuery),
    responses((status = 200, description = "The keys of the page.", body = Page<KeyView>)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<KeyQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("keys", &()).await?;
    let after = query.cursor.map(|cursor| cursors.read::<KeyId>(&cursor)).transpose()?;
    let mut keys = shared.store.api_keys(after, query.limit.rows()).await?;
    let next = query.limit.cut(&mut keys).map(|last| cursors.write(&last.id)).transpose()?;
    Ok(Page { items: keys.iter().map(|key| KeyView::new(key, call.at)).collect(), next }.answer(&uri))
}

/// Get a key: its scopes, its limits and its last use.
#[utoipa::path(get, path = "/keys/{key}", operation_id = "get_key", tag = "keys",
    params(("key" = String, Path, description = "Id or name of the key.")),
    responses((status = 200, description = "The key.", body = KeyView), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(name): Path<String>, call: Call) -> Answer<Response> {
    let key = shared.0.access.key(&name).await?;
    Ok(JsonAnswer(KeyView::new(&key, call.at)).into_response())
}

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "shop", "scopes": ["send"], "sub_accounts": ["acme"], "addresses": ["10.0.0.0/8"]}))]
pub(super) struct KeyBody {
    /// Its name, which no other key has that is not revoked.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it permits.
    scopes: Scopes,
    /// The subaccounts that it may use; by default all.
    #[serde(default)]
    #[schema(min_items = 1)]
    sub_accounts: Option<Vec<String>>,
    /// The lanes that it may use; by default all.
    #[serde(default)]
    #[schema(min_items = 1)]
    lanes: Option<Vec<String>>,
    /// The addresses and networks from which it may be used; by default all.
    #[serde(default)]
    #[schema(min_items = 1)]
    addresses: Option<Vec<IpNetwork>>,
    /// The most requests in a second.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_u64)]
    requests_per_s: Option<NonZeroU32>,
    /// What the messages are for that it sends; by default marketing. Campaigns say it themselves.
    #[serde(default)]
    purpose: Option<Purpose>,
    /// Its end; by default it has none.
    #[serde(default, deserialize_with = "rfc3339_option::deserialize")]
    expires_at: Option<Timestamp>,
}

impl KeyBody {
    fn checked(self, shared: &Shared) -> Answer<NewKey> {
        let Self { name, scopes, sub_accounts, lanes, addresses, requests_per_s, purpose, expires_at } = self;
        for (index, lane) in lanes.iter().flatten().enumerate() {
            let known = shared.config.named_lane(lane);
            known.map_err(|error| Problem::new(Kind::Invalid, error).at(format!("/lanes/{index}")))?;
        }
        let limits = KeyLimits { sub_accounts, lanes, addresses, requests_per_s, expires_at, purpose };
        Ok(NewKey { name, scopes, limits })
    }
}

/// The answer with a new secret. The answer that is stored for repeated requests does not have it.
fn shown_once(status: StatusCode, issued: &Issued, now: Timestamp) -> Answer<Response> {
    let view = IssuedView::new(issued, now);
    let repeated = serde_json::to_vec(&view.without_secret()).map_err(|error| Problem::failed(&error))?;
    let mut response = (status, JsonAnswer(view)).into_response();
    response.extensions_mut().insert(RepeatedBody(repeated));
    response.extensions_mut().insert(Recorded);
    if let (StatusCode::CREATED, Ok(place)) =
        (status, HeaderValue::try_from(format!("{PREFIX}/keys/{}", issued.key.id)))
    {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Create a key of the API. The answer shows the key, once.
///
/// Volley stores only a digest of the key. A repeated request with the same `Idempotency-Key` gets the answer without the
/// key: if the first answer was lost, rotate the key.
#[utoipa::path(post, path = "/keys", operation_id = "create_key", tag = "keys", request_body = KeyBody,
    responses((status = 201, description = "The key.", body = IssuedView,
        headers(("Location" = String, description = "Address of the key.")),
        links(("key" = (operation_id = "get_key", parameters(("key" = "$response.body#/id")))))), (status = 409)))]
pub(super) async fn create(
    State(shared): State<Shared>,
    call: Call,
    Asked(asked): Asked,
    Json(body): Json<KeyBody>,
) -> Answer<Response> {
    let (new, now) = (body.checked(&shared)?, shared.clock.now());
    let issued = shared.0.access.create_key(new, &By::caller(&call.caller, asked), now).await?;
    shown_once(StatusCode::CREATED, &issued, now)
}

/// How to rotate a key.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"overlap": "1h"}))]
pub(super) struct KeyRotation {
    /// How long the former secret stays valid; by default it ends at once.
    #[serde(default)]
    overlap: Span,
}

/// Give a key a new secret. The answer shows the key, once. Its id, scopes and limits stay.
#[utoipa::path(post, path = "/keys/{key}/rotate", operation_id = "rotate_key", tag = "keys",
    params(("key" = String, Path, description = "Id or name of the key.")), request_body = KeyRotation,
    responses((status = 200, description = "The key.", body = IssuedView), (status = 404), (status = 409)))]
pub(super) async fn rotate(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
    OptionalJson(KeyRotation { overlap }): OptionalJson<KeyRotation>,
) -> Answer<Response> {
    let now = shared.clock.now();
    let issued = shared.0.access.rotate_key(&name, overlap, &By::caller(&call.caller, asked), now).await?;
    shown_once(StatusCode::OK, &issued, now)
}

/// Revoke a key for good. Once this answers, the server refuses it.
#[utoipa::path(post, path = "/keys/{key}/revoke", operation_id = "revoke_key", tag = "keys",
    params(("key" = String, Path, description = "Id or name of the key.")),
    responses((status = 200, description = "The key.", body = KeyView), (status = 404), (status = 409)))]
pub(super) async fn revoke(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Asked(asked): Asked,
) -> Answer<Response> {
    let now = shared.clock.now();
    let key = shared.0.access.revoke_key(&name, &By::caller(&call.caller, asked), now).await?;
    let mut response = JsonAnswer(KeyView::new(&key, now)).into_response();
    response.extensions_mut().insert(Recorded);
    Ok(response)
}

/// The setup token, and the name of the first admin key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "vs_…", "name": "admin"}))]
pub(super) struct SetupBody {
    /// The token that `volley serve` has printed.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    token: Secret,
    /// The name of the key.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// Create the first key, which has the scope admin, with the token that the first start of the server printed.
///
/// It needs no key. The token ends with it, after 24 hours, or once there is another admin.
#[utoipa::path(post, path = "/setup", operation_id = "set_up", tag = "keys", request_body = SetupBody,
    responses((status = 201, description = "The key.", body = IssuedView,
        headers(("Location" = String, description = "Address of the key."))), (status = 403), (status = 409)))]
pub(super) async fn set_up(
    State(shared): State<Shared>,
    Asked(asked): Asked,
    Json(SetupBody { token, name }): Json<SetupBody>,
) -> Answer<Response> {
    let scopes = Scopes::default().with(Scope::Admin);
    let (new, now) = (NewKey { name, scopes, limits: KeyLimits::default() }, shared.clock.now());
    let issued = shared.0.access.create_first_key(&token, new, asked, now).await?;
    shown_once(StatusCode::CREATED, &issued, now)
}
