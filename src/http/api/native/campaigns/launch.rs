//! Plans, launches, repeats and tests campaigns.

use std::collections::BTreeSet;
use std::num::NonZeroU8;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::file::CampaignBody;
use super::parts::{found, launcher};
use crate::base::config::Config;
use crate::base::domain::Outcome;
use crate::campaigns::campaign::{HowToLaunch, LaunchView, Launched, PlanView, Repeat, Trial, Warning};
use crate::http::api::Shared;
use crate::http::api::native::PREFIX;
use crate::http::api::native::extract::{Call, Json, OptionalJson, Path, Query};
use crate::http::api::native::problem::{Answer, Kind, Problem};
use crate::recipients::audience::DefaultCountry;
use crate::sending::throttle::with_overrides;

/// The configuration with the overrides that apply now.
pub(in crate::http::api) async fn current(shared: &Shared) -> Answer<Config> {
    Ok(with_overrides(&shared.config, &shared.store.overrides().await?))
}

/// The answer to a launch: the new campaign, and where it is.
fn created(launched: &Launched, warnings: &[Warning]) -> Response {
    let view = JsonAnswer(LaunchView::new(launched, launched.state, warnings));
    let mut response = (StatusCode::CREATED, view).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("{PREFIX}/campaigns/{}", launched.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Check a campaign: show what each recipient would get, and list problems. Nothing is stored or sent.
#[utoipa::path(post, path = "/campaigns/plan", operation_id = "plan_campaign", tag = "campaigns",
    request_body = CampaignBody,
    responses((status = 200, description = "What the campaign would send, and when.", body = PlanView)))]
pub(in crate::http::api::native) async fn plan(
    State(shared): State<Shared>,
    call: Call,
    Json(body): Json<CampaignBody>,
) -> Answer<Response> {
    let sent = body.value();
    planned(&shared, &call, body).await.map_err(|problem| problem.pointing_into(&sent))
}

async fn planned(shared: &Shared, call: &Call, body: CampaignBody) -> Answer<Response> {
    let draft = body.draft(shared)?;
    let config = current(shared).await?;
    call.ensure_draft(&config, &draft)?;
    let launcher = launcher(shared, &config, call);
    let prepared = launcher.plan(&draft).await?;
    let finished_by = launcher.finished_by(&prepared).await?;
    Ok(JsonAnswer(PlanView::new(&prepared, finished_by, &config)).into_response())
}

/// How to launch.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http::api::native) struct LaunchQuery {
    /// Create it as a draft; nothing is sent before it is started.
    #[serde(default)]
    draft: bool,
}

/// Launch a campaign, or schedule it with `at`, or create it as a draft.
///
/// On success, the whole campaign is on disk; on an error, nothing of it is. Media are web addresses, which are not
/// requested before the launch. For a day after a backup was restored, a launch needs `"confirm_restored": true` in the body.
#[utoipa::path(post, path = "/campaigns", operation_id = "launch_campaign", tag = "campaigns", params(LaunchQuery),
    request_body = CampaignBody,
    responses((status = 201, description = "The campaign.", body = LaunchView,
        headers(("Location" = String, description = "Address of the campaign."))), (status = 409)))]
pub(in crate::http::api::native) async fn launch(
    State(shared): State<Shared>,
    Query(query): Query<LaunchQuery>,
    call: Call,
    Json(mut body): Json<CampaignBody>,
) -> Answer<Response> {
    let how =
        HowToLaunch { is_draft: query.draft, confirms_restored: body.take_confirmation()?, ..HowToLaunch::default() };
    let sent = body.value();
    launched((&shared, &call), how, body).await.map_err(|problem| problem.pointing_into(&sent))
}

async fn launched((shared, call): (&Shared, &Call), how: HowToLaunch, body: CampaignBody) -> Answer<Response> {
    let draft = body.draft(shared)?;
    let config = current(shared).await?;
    call.ensure_draft(&config, &draft)?;
    let launcher = launcher(shared, &config, call);
    let (launched, warnings) = launcher.launch_as(&draft, how, |_| None, async |_| Ok(())).await?;
    Ok(created(&launched, &warnings))
}

/// How to resend a campaign.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"name": "Second try", "draft": true}))]
pub(in crate::http::api::native) struct CloneBody {
    /// The new name; by default the old name with a number.
    name: Option<String>,
    /// Start time; by default it starts at once.
    at: Option<String>,
    /// Create it as a draft.
    draft: bool,
    /// Confirms that it may send again what was sent after the backup that was restored.
    confirm_restored: bool,
}

/// How to resend a campaign to some of its recipients.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"outcomes": ["undelivered", "expired"]}))]
pub(in crate::http::api::native) struct RetryBody {
    /// Only recipients with these outcomes.
    #[schema(min_items = 1)]
    outcomes: BTreeSet<Outcome>,
    /// Also send to recipients whom an earlier retry of the campaign has reached. Without it, they are left out.
    #[serde(default)]
    include_reached: bool,
    /// The new name; by default the old name with a number.
    #[serde(default)]
    name: Option<String>,
    /// Start time; by default it starts at once.
    #[serde(default)]
    at: Option<String>,
    /// Create it as a draft.
    #[serde(default)]
    draft: bool,
    /// Confirms that it may send again what was sent after the backup that was restored.
    #[serde(default)]
    confirm_restored: bool,
}

async fn repeat(shared: &Shared, call: &Call, campaign: &str, again: Repeat) -> Answer<Response> {
    let batch = found(shared, call, campaign).await?;
    let config = current(shared).await?;
    let launched = launcher(shared, &config, call).repeat(&batch, &again).await?;
    Ok(created(&launched, &[]))
}

/// Resend a campaign to all its recipients, as a new campaign.
#[utoipa::path(post, path = "/campaigns/{campaign}/clone", operation_id = "clone_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = CloneBody,
    responses((status = 201, description = "The new campaign.", body = LaunchView), (status = 404), (status = 409)))]
pub(in crate::http::api::native) async fn clone(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(body): OptionalJson<CloneBody>,
) -> Answer<Response> {
    let CloneBody { name: other, at, draft: is_draft, confirm_restored: confirms_restored } = body;
    let again = Repeat { name: other, at, is_draft, confirms_restored, ..Repeat::default() };
    repeat(&shared, &call, &name, again).await
}

/// Resend a campaign to the recipients with the given outcomes, as a new campaign.
#[utoipa::path(post, path = "/campaigns/{campaign}/retry", operation_id = "retry_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = RetryBody,
    responses((status = 201, description = "The new campaign.", body = LaunchView), (status = 404), (status = 409)))]
pub(in crate::http::api::native) async fn retry(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Json(body): Json<RetryBody>,
) -> Answer<Response> {
    if body.outcomes.is_empty() {
        return Err(Problem::new(Kind::Invalid, "name at least one outcome").at("/outcomes"));
    }
    let RetryBody { outcomes, include_reached, name: other, at, draft: is_draft, confirm_restored } = body;
    let (outcomes, confirms_restored) = (Some(outcomes), confirm_restored);
    let again = Repeat { name: other, at, outcomes, include_reached, is_draft, confirms_restored, ..Repeat::default() };
    repeat(&shared, &call, &name, again).await
}

/// Test numbers, and what they get.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to": ["+6591234567"]}))]
pub(in crate::http::api::native) struct TestBody {
    /// Test numbers. Each gets the message of one of the first recipients.
    #[schema(min_items = 1, max_items = 10)]
    to: Vec<String>,
    /// Send only this step, instead of the whole route.
    #[serde(default)]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 7)]
    step: Option<NonZeroU8>,
    /// Default country for numbers without a country code.
    #[serde(default)]
    country: Option<DefaultCountry>,
}

/// Send a campaign's messages to a few test numbers, as a separate small campaign.
#[utoipa::path(post, path = "/campaigns/{campaign}/test", operation_id = "test_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = TestBody,
    responses((status = 201, description = "The test send.", body = LaunchView), (status = 404), (status = 409)))]
pub(in crate::http::api::native) async fn test(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    Json(body): Json<TestBody>,
) -> Answer<Response> {
    let batch = found(&shared, &call, &name).await?;
    let config = current(&shared).await?;
    let trial = Trial { to: body.to, only: body.step, country: body.country, with: Vec::new() };
    let launched = launcher(&shared, &config, &call).try_campaign(&batch, &trial).await?;
    Ok(created(&launched, &[]))
}
