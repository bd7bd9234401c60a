//! `/contacts`: the history of a recipient.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use utoipa::ToSchema;

use super::PREFIX;
use super::extract::{Path, Query};
use super::messages::cursors_to;
use super::page::Limit;
use super::problem::{Answer, Problem};
use super::replies::cursors_of;
use crate::base::domain::Address;
use crate::campaigns::report::{MessageFilter, MessageResult, messages_to, results_at};
use crate::http::api::Shared;
use crate::recipients::optout::ConsentView;
use crate::sending::receipts::{ReplyView, ReplyViews};
use crate::store::{Cursor, InboundOf, Whom};

/// How much of a history is shown.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ContactQuery {
    /// Number of messages, and number of replies.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// Show full numbers, texts and values of replies, and the recipient's other addresses. Without it, numbers are masked, and
    /// texts and other addresses are left out.
    #[serde(default)]
    unmasked: bool,
}

/// The history of a recipient: opt-outs, campaign messages and replies.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ContactView<'a> {
    /// Whether the number has opted out, and its history.
    #[serde(flatten)]
    consent: ConsentView,
    /// What the recipient got from campaigns: of the latest recipient file first.
    messages: Vec<MessageResult>,
    /// Address of more messages, if there may be any.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_messages: Option<String>,
    /// The recipient's messages, in order of arrival.
    inbound: Vec<ReplyView<'a>>,
    /// Address of more of the recipient's messages, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_inbound: Option<String>,
}

/// The address of the rest of a list.
fn rest(list: &str, parameter: &str, address: &Address, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(parameter, &address.to_string()).append_pair("cursor", cursor);
    format!("{PREFIX}/{list}?{}", query.finish())
}

/// Get the history of a recipient: messages of all campaigns, replies and opt-outs.
///
/// There may be fewer messages than the limit, or none, although others follow: `more_messages` tells.
#[utoipa::path(get, path = "/contacts/{address}", operation_id = "get_contact", tag = "contacts",
    params(("address" = String, Path, description = "Number with its country code, or a channel's id."), ContactQuery),
    responses((status = 200, description = "The history. That of an unknown address is empty.", body = ContactView<'static>)))]
pub(super) async fn get(
    State(shared): State<Shared>,
    Path(address): Path<Address>,
    Query(query): Query<ContactQuery>,
) -> Answer<Response> {
    let store = shared.store.as_ref();
    let found = messages_to(store, Whom::Address(address.clone()), None, query.limit.items(), |_, _| true).await?;
    let mut messages = Vec::new();
    for (batch, to) in &found.messages {
        let plan = store.plan(batch.id).await?;
        messages.extend(results_at(store, batch, plan.as_ref(), to).await?);
    }
    let cursors = cursors_to(&shared, Some(&address), None, MessageFilter::default()).await?;
    let more_messages = found.next.map(|next| cursors.write(&next)).transpose()?;
    let of = InboundOf::Recipient(address.clone());
    let cursors = cursors_of(&shared, &of).await?;
    let mut replies = store.inbound(of, Cursor::START, query.limit.rows()).await?;
    let more_inbound = query.limit.cut(&mut replies).map(|(last, _)| cursors.write(last)).transpose()?;
    let mut views = ReplyViews::new(store, query.unmasked);
    let mut inbound = Vec::new();
    for (_, reply) in &replies {
        inbound.push(views.of(reply).await.map_err(Problem::from)?);
    }
    let mut consent = ConsentView::read(store, address.clone()).await?;
    if !query.unmasked {
        consent.other_addresses.clear();
    }
    Ok(JsonAnswer(ContactView {
        consent,
        messages,
        more_messages: more_messages.map(|cursor| rest("messages", "number", &address, &cursor)),
        inbound,
        more_inbound: more_inbound.map(|cursor| rest("replies", "from", &address, &cursor)),
    })
    .into_response())
}
