//! `/replies`: messages from recipients.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::campaigns::found;
use super::extract::{Call, Query};
use super::page::{Cursors, Limit, Page};
use super::problem::{Answer, Problem};
use crate::api::Shared;
use crate::domain::{Address, BatchId};
use crate::receipts::{ReplyView, ReplyViews};
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
    /// Show full numbers, texts and values. Without it, numbers are masked, and texts are left out.
    #[serde(default)]
    unmasked: bool,
}

/// What the pages of a list of replies have in common.
#[derive(Serialize)]
struct Filters<'a> {
    batch: Option<u32>,
    from: Option<&'a Address>,
}

/// The cursors of the list of replies.
pub(super) async fn cursors_of(shared: &Shared, batch: Option<BatchId>, from: Option<&Address>) -> Answer<Cursors> {
    shared.cursors("replies", &Filters { batch: batch.map(|batch| batch.0), from }).await
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
    let batch = match &query.campaign {
        Some(campaign) => Some(found(&shared, &call, campaign).await?.id),
        None => {
            call.caller.ensure_unlimited()?;
            None
        }
    };
    let cursors = cursors_of(&shared, batch, query.from.as_ref()).await?;
    let of = match (batch, query.from) {
        (Some(batch), _) => InboundOf::Batch(batch),
        (None, Some(address)) => InboundOf::Recipient(address),
        (None, None) => InboundOf::All,
    };
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
