//! `/replies`: messages from recipients.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::campaigns::{DecisionReason, found};
use super::extract::{Call, Json, Path, Query};
use super::opt_outs::decided_how;
use super::page::{Cursors, Limit, Page};
use super::problem::{Answer, Kind, Problem};
use crate::base::domain::Address;
use crate::http::api::Shared;
use crate::recipients::optout::{self, Decision};
use crate::sending::receipts::{ReplyView, ReplyViews};
use crate::store::{Cursor, InboundOf};

/// A page of messages from recipients.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReplyQuery {
    /// Number of messages of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
    /// Only replies to messages of this campaign (id or name).
    campaign: Option<String>,
    /// Only messages from this number or id of a channel, unless a campaign is given.
    #[param(value_type = Option<String>)]
    from: Option<Address>,
    /// Only messages that may be opt-outs and await a decision, of all campaigns.
    #[serde(default)]
    may_want_to_opt_out: bool,
    /// Show full numbers, texts and values. Without it, numbers are masked, and texts are left out.
    #[serde(default)]
    unmasked: bool,
}

/// What the pages of a list of replies have in common.
#[derive(Serialize)]
struct Filters<'a> {
    batch: Option<u32>,
    from: Option<&'a Address>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    may_want_to_opt_out: bool,
}

/// The cursors of the list of replies.
pub(super) async fn cursors_of(shared: &Shared, of: &InboundOf) -> Answer<Cursors> {
    let batch = if let InboundOf::Batch(batch) = of { Some(batch.0) } else { None };
    let from = if let InboundOf::Recipient(address) = of { Some(address) } else { None };
    let may_want_to_opt_out = *of == InboundOf::PossibleStops;
    shared.cursors("replies", &Filters { batch, from, may_want_to_opt_out }).await
}

/// List messages from recipients in order of arrival, each with the campaign message that it answers.
#[utoipa::path(get, path = "/replies", operation_id = "list_replies", tag = "replies", params(ReplyQuery),
    responses((status = 200, description = "The messages of the page.", body = Page<ReplyView>), (status = 404)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<ReplyQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    if query.may_want_to_opt_out && (query.campaign.is_some() || query.from.is_some()) {
        return Err(Problem::new(Kind::Invalid, "may_want_to_opt_out stands alone; leave out campaign and from"));
    }
    let batch = match &query.campaign {
        Some(campaign) => Some(found(&shared, &call, campaign).await?.id),
        None => {
            call.caller.ensure_unlimited()?;
            None
        }
    };
    let of = match (batch, query.from) {
        (None, _) if query.may_want_to_opt_out => InboundOf::PossibleStops,
        (Some(batch), _) => InboundOf::Batch(batch),
        (None, Some(address)) => InboundOf::Recipient(address),
        (None, None) => InboundOf::All,
    };
    let cursors = cursors_of(&shared, &of).await?;
    let after = query.cursor.map(|cursor| cursors.read::<Cursor>(&cursor)).transpose()?.unwrap_or(Cursor::START);
    let mut replies = shared.store.inbound(of, after, query.limit.rows()).await?;
    let next = query.limit.cut(&mut replies).map(|(last, _)| cursors.write(last)).transpose()?;
    let mut views = ReplyViews::new(shared.store.as_ref(), query.unmasked);
    let mut items = Vec::new();
    for (_, reply) in &replies {
        items.push(views.of(reply).await.map_err(Problem::from)?);
    }
    Ok(Page { items, next }.answer(&uri))
}

/// What is decided about a message that may be an opt-out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"opt_out": true, "reason": "asked for no more messages"}))]
pub(super) struct ReplyDecision {
    /// Whether its writer opts out. If not, the message is no opt-out.
    opt_out: bool,
    /// Reason, shown in the history of the recipient.
    #[serde(default)]
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Decide about a message that may be an opt-out.
#[utoipa::path(post, path = "/replies/{umid}/decide", operation_id = "decide_reply", tag = "replies",
    params(("umid" = String, Path, description = "`umid` of the message.")), request_body = ReplyDecision,
    responses((status = 204, description = "It is decided."),
        (status = 404, description = "No such message awaits a decision.")))]
pub(super) async fn decide(
    State(shared): State<Shared>,
    Path(umid): Path<String>,
    call: Call,
    Json(body): Json<ReplyDecision>,
) -> Answer<Response> {
    let reason = DecisionReason { reason: body.reason };
    let decision = if body.opt_out { Decision::OptOut } else { Decision::Dismiss };
    decided(&shared, &call, &umid, decision, reason.text()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Carries a decision out.
pub(in crate::http::api) async fn decided(
    shared: &Shared,
    call: &Call,
    umid: &str,
    decision: Decision,
    reason: Option<&str>,
) -> Answer<()> {
    let how = decided_how(call, None, reason);
    match optout::decide(shared.store.as_ref(), umid, decision, shared.clock.now(), &how).await? {
        true => Ok(()),
        false => {
            Err(Problem::new(Kind::NotFound, format_args!("no message with the umid \"{umid}\" awaits a decision")))
        }
    }
}
