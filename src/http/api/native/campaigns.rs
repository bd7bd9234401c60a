//! `/campaigns`: lists campaigns, shows one, and carries out decisions about it.

pub(super) mod change;
pub(super) mod export;
pub(super) mod file;
pub(super) mod launch;
mod parts;
pub(super) mod results;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::extract::{Call, Json, OptionalJson, Path, Query};
use super::page::{Limit, Page, ensure_as_named};
use super::problem::{Answer, Kind, Problem};
use crate::base::domain::{BatchId, BatchState};
use crate::campaigns::campaign::{CampaignDecision, DecidedBy, DecisionView, RulesView, carry_out};
use crate::campaigns::status::{CampaignView, Listed, ListedView, Watcher};
use crate::http::api::Shared;
use crate::store::{Batch, BatchFilter};
pub(in crate::http::api) use file::draft_of;
pub(in crate::http::api) use launch::current;
pub(in crate::http::api) use parts::{found, launcher};

/// A page of campaigns.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CampaignQuery {
    /// Number of campaigns of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
    /// Only campaigns in this state.
    state: Option<BatchState>,
    /// Only campaigns with this part in their name, in any letter case.
    name: Option<String>,
    /// Also test sends.
    #[serde(default)]
    tests: bool,
}

/// What the pages of a list of campaigns have in common.
#[derive(Serialize)]
struct Filters<'a> {
    state: Option<BatchState>,
    name: Option<&'a str>,
    tests: bool,
}

/// List campaigns, latest first.
///
/// A page may have fewer campaigns than its limit although another follows: `next` tells.
#[utoipa::path(get, path = "/campaigns", operation_id = "list_campaigns", tag = "campaigns", params(CampaignQuery),
    responses((status = 200, description = "The campaigns of the page.", body = Page<ListedView>)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<CampaignQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let filters = Filters { state: query.state, name: query.name.as_deref(), tests: query.tests };
    let cursors = shared.cursors("campaigns", &filters).await?;
    let before = query.cursor.map(|cursor| cursors.read::<u32>(&cursor)).transpose()?.map(BatchId);
    let filter = BatchFilter {
        states: query.state.map(|state| vec![state]),
        name: query.name.clone(),
        is_campaign: Some(true),
        tests: query.tests,
    };
    let page = shared.store.batch_page(filter, before, query.limit.items()).await?;
    let next = page.next.map(|next| cursors.write(&next.0)).transpose()?;
    let launcher = launcher(&shared, &shared.config, &call);
    let mut own = Vec::new();
    for (batch, is_test) in page.batches {
        if call.may_use_batch(&shared, batch.id).await? {
            own.push((batch, is_test));
        }
    }
    let listed = Listed::of(&launcher, own).await?;
    Ok(Page { items: listed.iter().map(Listed::view).collect(), next }.answer(&uri))
}

/// Get the present state of a campaign, with its rules.
#[utoipa::path(get, path = "/campaigns/{campaign}", operation_id = "get_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")),
    responses((status = 200, description = "The campaign.", body = CampaignView<'static>), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(name): Path<String>, call: Call) -> Answer<Response> {
    let batch = found(&shared, &call, &name).await?;
    let launcher = launcher(&shared, &shared.config, &call);
    let mut watcher = Watcher::new(&launcher, batch.id).await?;
    let look = watcher.look().await?;
    let rules = Some(RulesView::of(watcher.plan()));
    Ok(parts::tagged(&batch, &CampaignView { rules, ..CampaignView::new(&look) }))
}

/// The reason for a decision.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionReason {
    /// Reason, shown in events.
    #[schema(max_length = 1000, example = "wrong text")]
    #[serde(default)]
    pub(super) reason: Option<String>,
}

impl DecisionReason {
    /// The reason, if it is short enough to be shown.
    pub(super) fn text(&self) -> Answer<Option<&str>> {
        match self.reason.as_deref() {
            Some(reason) if reason.chars().count() > 1_000 => {
                Err(Problem::new(Kind::Invalid, "a reason has at most 1,000 characters; shorten it").at("/reason"))
            }
            reason => Ok(reason),
        }
    }
}

/// Why a draft is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    /// Reason, shown to the authors of the draft and in events.
    #[schema(min_length = 1, max_length = 1000, example = "the price is last week's")]
    reason: String,
}

/// The reason for a start or a resume, and the confirmation that a restored campaign needs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StartReason {
    /// Reason, shown in events.
    #[schema(max_length = 1000, example = "approved by legal")]
    reason: Option<String>,
    /// Confirms that it may send again what was sent after the backup that was restored.
    confirm_restored: bool,
}

impl StartReason {
    pub(super) fn decided_by(self, call: &Call) -> Answer<DecidedBy> {
        let by = call.decided_by(DecisionReason { reason: self.reason }.text()?);
        Ok(DecidedBy { confirms_restored: self.confirm_restored, ..by })
    }
}

async fn decide(
    shared: &Shared,
    call: &Call,
    name: &str,
    decision: CampaignDecision,
    reason: &DecisionReason,
) -> Answer<JsonAnswer<DecisionView>> {
    let batch = found(shared, call, name).await?;
    decide_on(shared, &batch, decision, call.decided_by(reason.text()?)).await
}

async fn decide_on(
    shared: &Shared,
    batch: &Batch,
    decision: CampaignDecision,
    by: DecidedBy,
) -> Answer<JsonAnswer<DecisionView>> {
    let done = carry_out((shared.store.as_ref(), &shared.config), shared.clock.as_ref(), batch, decision, &by).await?;
    Ok(JsonAnswer(DecisionView::new(batch, &done)))
}

/// Start a draft: at its start time if that is in the future, else now.
///
/// With `If-Match`, a draft that was changed meanwhile is not started. A draft that waits for a second operator is started
/// by an operator who has signed in, not by a key. A draft from a restored backup needs `confirm_restored`.
#[utoipa::path(post, path = "/campaigns/{campaign}/start", operation_id = "start_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."),
        ("If-Match" = Option<String>, Header, description = "ETag of the draft that the decision is about.")),
    request_body = StartReason,
    responses((status = 200, description = "The campaign after the decision.", body = DecisionView), (status = 404),
        (status = 409), (status = 412)))]
pub(super) async fn start(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    headers: HeaderMap,
    OptionalJson(reason): OptionalJson<StartReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    let batch = found(&shared, &call, &name).await?;
    ensure_as_named(&headers, &parts::tag_of(&batch))?;
    decide_on(&shared, &batch, CampaignDecision::Start, reason.decided_by(&call)?).await
}

/// Refuse to start a draft that waits for a second operator. It stays a draft, and a change of it asks again.
///
/// With `If-Match`, a draft that was changed meanwhile is not refused.
#[utoipa::path(post, path = "/campaigns/{campaign}/refuse", operation_id = "refuse_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the draft."),
        ("If-Match" = Option<String>, Header, description = "ETag of the draft that the decision is about.")),
    request_body = Refusal,
    responses((status = 200, description = "The draft after the decision.", body = DecisionView), (status = 404),
        (status = 409), (status = 412)))]
pub(super) async fn refuse(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    headers: HeaderMap,
    Json(Refusal { reason }): Json<Refusal>,
) -> Answer<JsonAnswer<DecisionView>> {
    let batch = found(&shared, &call, &name).await?;
    ensure_as_named(&headers, &parts::tag_of(&batch))?;
    let reason = DecisionReason { reason: Some(reason) };
    decide_on(&shared, &batch, CampaignDecision::Refuse, call.decided_by(reason.text()?)).await
}

/// Stop sending for now. Submitted messages stay submitted; fallbacks wait.
#[utoipa::path(post, path = "/campaigns/{campaign}/pause", operation_id = "pause_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = DecisionReason,
    responses((status = 200, description = "The campaign after the decision.", body = DecisionView), (status = 404),
        (status = 409)))]
pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    decide(&shared, &call, &name, CampaignDecision::Pause, &reason).await
}

/// Resume a paused campaign and its held steps.
///
/// A campaign from a restored backup needs `confirm_restored`.
#[utoipa::path(post, path = "/campaigns/{campaign}/resume", operation_id = "resume_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = StartReason,
    responses((status = 200, description = "The campaign after the decision.", body = DecisionView), (status = 404),
        (status = 409)))]
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<StartReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    let batch = found(&shared, &call, &name).await?;
    decide_on(&shared, &batch, CampaignDecision::Resume, reason.decided_by(&call)?).await
}

/// Cancel a campaign. Once this answers, nothing more is sent. Cannot be undone.
///
/// A message that awaits its receipts keeps its present step as the last: no fallback is sent.
#[utoipa::path(post, path = "/campaigns/{campaign}/cancel", operation_id = "cancel_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign.")), request_body = DecisionReason,
    responses((status = 200, description = "The campaign after the decision.", body = DecisionView), (status = 404),
        (status = 409)))]
pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    decide(&shared, &call, &name, CampaignDecision::Cancel, &reason).await
}
