//! `/batches`: messages that were launched together, by a campaign or by calls of the API.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::campaigns::{DecisionReason, StartReason};
use super::extract::{Call, OptionalJson, Path, Query};
use super::page::{Limit, Page};
use super::problem::{Answer, Kind, Problem};
use crate::base::domain::{BatchId, BatchState, CampaignId, Tallies};
use crate::campaigns::campaign::{CampaignDecision, DecidedBy, DecisionView, carry_out, find_by_id};
use crate::campaigns::report::BatchView;
use crate::http::api::Shared;
use crate::store::{Batch, BatchFilter};

/// A page of batches.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BatchQuery {
    /// Number of batches of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
    /// Only batches in this state.
    state: Option<BatchState>,
    /// Only batches of campaigns, or only batches of calls of the API.
    campaign: Option<bool>,
}

/// What the pages of a list of batches have in common.
#[derive(Serialize)]
struct Filters {
    state: Option<BatchState>,
    campaign: Option<bool>,
}

/// List batches, latest first, with test sends.
///
/// A page may have fewer batches than its limit although another follows: `next` tells.
#[utoipa::path(get, path = "/batches", operation_id = "list_batches", tag = "batches", params(BatchQuery),
    responses((status = 200, description = "The batches of the page.", body = Page<BatchView>)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<BatchQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let filters = Filters { state: query.state, campaign: query.campaign };
    let cursors = shared.cursors("batches", &filters).await?;
    let before = query.cursor.map(|cursor| cursors.read::<u32>(&cursor)).transpose()?.map(BatchId);
    let filter = BatchFilter {
        states: query.state.map(|state| vec![state]),
        name: None,
        is_campaign: query.campaign,
        tests: true,
    };
    let page = shared.store.batch_page(filter, before, query.limit.items()).await?;
    let next = page.next.map(|next| cursors.write(&next.0)).transpose()?;
    let all = shared.store.tallies_of(page.batches.iter().map(|(batch, _)| batch.id).collect()).await?;
    let none = Tallies::default();
    let mut items = Vec::new();
    for (batch, _) in &page.batches {
        if call.may_use_batch(&shared, batch.id).await? {
            items.push(BatchView::new(batch, all.get(&batch.id).unwrap_or(&none)));
        }
    }
    Ok(Page { items, next }.answer(&uri))
}

async fn found(shared: &Shared, call: &Call, text: &str) -> Answer<Batch> {
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown batch \"{text}\""));
    let id: CampaignId = text.parse().map_err(|_| unknown())?;
    let batch = find_by_id(shared.store.as_ref(), id).await?.ok_or_else(unknown)?;
    call.ensure_batch(shared, &batch).await?;
    Ok(batch)
}

/// Get a batch with its counts.
#[utoipa::path(get, path = "/batches/{batch}", operation_id = "get_batch", tag = "batches",
    params(("batch" = String, Path, description = "Id of the batch.", pattern = "^(cmp_)?[0-9a-fA-F-]{32,36}$")),
    responses((status = 200, description = "The batch.", body = BatchView), (status = 404)))]
pub(super) async fn get(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
) -> Answer<JsonAnswer<BatchView>> {
    let batch = found(&shared, &call, &id).await?;
    Ok(JsonAnswer(BatchView::new(&batch, &shared.store.tallies(batch.id).await?)))
}

async fn decide(
    (shared, call): (&Shared, &Call),
    id: &str,
    decision: CampaignDecision,
    by: DecidedBy,
) -> Answer<JsonAnswer<DecisionView>> {
    let batch = found(shared, call, id).await?;
    let done = carry_out((shared.store.as_ref(), &shared.config), shared.clock.as_ref(), &batch, decision, &by).await?;
    Ok(JsonAnswer(DecisionView::new(&batch, &done)))
}

/// Stop sending a batch for now.
#[utoipa::path(post, path = "/batches/{batch}/pause", operation_id = "pause_batch", tag = "batches",
    params(("batch" = String, Path, description = "Id of the batch.", pattern = "^(cmp_)?[0-9a-fA-F-]{32,36}$")),
    request_body = DecisionReason,
    responses((status = 200, description = "The batch after the decision.", body = DecisionView), (status = 404),
        (status = 409)))]
pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    decide((&shared, &call), &id, CampaignDecision::Pause, call.decided_by(reason.text()?)).await
}

/// Resume a paused batch and its held steps.
///
/// A batch from a restored backup needs `confirm_restored`.
#[utoipa::path(post, path = "/batches/{batch}/resume", operation_id = "resume_batch", tag = "batches",
    params(("batch" = String, Path, description = "Id of the batch.", pattern = "^(cmp_)?[0-9a-fA-F-]{32,36}$")),
    request_body = StartReason,
    responses((status = 200, description = "The batch after the decision.", body = DecisionView), (status = 404),
        (status = 409)))]
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<StartReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    decide((&shared, &call), &id, CampaignDecision::Resume, reason.decided_by(&call)?).await
}

/// Cancel a batch. Once this answers, nothing more is sent. Cannot be undone.
#[utoipa::path(post, path = "/batches/{batch}/cancel", operation_id = "cancel_batch", tag = "batches",
    params(("batch" = String, Path, description = "Id of the batch.", pattern = "^(cmp_)?[0-9a-fA-F-]{32,36}$")),
    request_body = DecisionReason,
    responses((status = 200, description = "The batch after the decision.", body = DecisionView), (status = 404),
        (status = 409)))]
pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<DecisionView>> {
    decide((&shared, &call), &id, CampaignDecision::Cancel, call.decided_by(reason.text()?)).await
}
