//! `/messages`: finds messages, explains one, and carries out decisions about one.

use std::sync::Arc;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::campaigns::{DecisionReason, found};
use super::extract::{Call, OptionalJson, Path, Query};
use super::page::{Cursors, Limit, Page};
use super::problem::{Answer, Kind, Problem};
use crate::base::domain::{Address, Loaded, Outcome};
use crate::campaigns::campaign::{MessageDecision, carry_out_on_message};
use crate::campaigns::report::{
    MessageCursor, MessageFilter, MessageView, MessageViews, RecipientCursor, StateName, message_by_id, messages_from,
    messages_in_all, messages_to, messages_to_within,
};
use crate::campaigns::story::{self, Story};
use crate::http::api::Shared;
use crate::sending::book::Book;
use crate::store::{Batch, Whom};

/// Which messages a page has. Without any filter: all, those of the latest campaign first.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessageQuery {
    /// Number of messages of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "super::page::cursor")]
    cursor: Option<String>,
    /// Only messages of this campaign (id or name).
    campaign: Option<String>,
    /// Only the message with this id of the provider for a submission.
    umid: Option<String>,
    /// Only messages to this number, or to this id of a channel.
    #[param(value_type = Option<String>)]
    number: Option<Address>,
    /// Only messages with this `ClientMessageId` of the recipient file.
    client_message_id: Option<String>,
    /// Only messages in this state.
    #[param(inline)]
    state: Option<StateName>,
    /// Only messages with this outcome.
    outcome: Option<Outcome>,
}

impl MessageQuery {
    const fn filter(&self) -> MessageFilter {
        MessageFilter { state: self.state, outcome: self.outcome }
    }

    /// Whether the message is to the address that is asked for. A search by a client's own id finds others too.
    fn is_to(&self, message: &MessageView) -> bool {
        self.number.as_ref().is_none_or(|number| message.address == Some(number.clone()).into())
    }

    /// The recipient that is asked for.
    fn whom(&self) -> Option<Whom> {
        let id = self.client_message_id.clone().map(Whom::ClientId);
        id.or(self.number.clone().map(Whom::Address))
    }
}

/// The cursors of the messages to a recipient in all campaigns.
pub(super) async fn cursors_to(
    shared: &Shared,
    number: Option<&Address>,
    client_message_id: Option<&str>,
    filter: MessageFilter,
) -> Answer<Cursors> {
    shared.cursors("messages-to", &(number, client_message_id, filter)).await
}

/// Find messages: of a campaign or of all, by number, client id, umid, state and outcome.
///
/// A page may have fewer messages than its limit, or none, although another follows: `next` tells.
#[utoipa::path(get, path = "/messages", operation_id = "list_messages", tag = "messages", params(MessageQuery),
    responses((status = 200, description = "The messages of the page.", body = Page<MessageView>), (status = 404)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<MessageQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let store = shared.store.as_ref();
    let (mut items, next) = if let Some(umid) = &query.umid {
        (by_umid(&shared, &call, &query, umid).await?, None)
    } else if let Some(campaign) = &query.campaign {
        let batch = found(&shared, &call, campaign).await?;
        of_campaign(&shared, &query, &batch).await?
    } else if let Some(whom) = query.whom() {
        let cursors =
            cursors_to(&shared, query.number.as_ref(), query.client_message_id.as_deref(), query.filter()).await?;
        let from = query.cursor.as_ref().map(|cursor| cursors.read::<RecipientCursor>(cursor)).transpose()?;
        let wanted = |batch: &Batch, message: &Loaded| query.filter().wants(batch, message);
        let page = messages_to(store, whom, from, query.limit.items(), wanted).await?;
        (all_views(&shared, &call, &page.messages).await?, page.next.map(|next| cursors.write(&next)).transpose()?)
    } else {
        let cursors = shared.cursors("all-messages", &query.filter()).await?;
        let from = query.cursor.as_ref().map(|cursor| cursors.read::<MessageCursor>(cursor)).transpose()?;
        let page = messages_in_all(store, query.filter(), from, query.limit.items()).await?;
        (all_views(&shared, &call, &page.messages).await?, page.next.map(|next| cursors.write(&next)).transpose()?)
    };
    items.retain(|message| query.is_to(message));
    Ok(Page { items, next }.answer(&uri))
}

async fn by_umid(shared: &Shared, call: &Call, query: &MessageQuery, umid: &str) -> Answer<Vec<MessageView>> {
    let store = shared.store.as_ref();
    let Some((batch, key)) = message_by_id(store, umid).await? else { return Ok(Vec::new()) };
    call.ensure_batch(shared, &batch).await?;
    if let Some(campaign) = &query.campaign
        && found(shared, call, campaign).await?.id != batch.id
    {
        return Ok(Vec::new());
    }
    let mut messages = store.load(vec![key]).await?;
    messages.retain(|message| query.filter().wants(&batch, message));
    views(shared, &batch, &messages).await
}

/// The page of a campaign, and the cursor of the next one.
async fn of_campaign(
    shared: &Shared,
    query: &MessageQuery,
    batch: &Batch,
) -> Answer<(Vec<MessageView>, Option<String>)> {
    let store = shared.store.as_ref();
    let wanted = |message: &Loaded| query.filter().wants(batch, message);
    let of = (query.number.as_ref(), query.client_message_id.as_deref());
    let cursors = shared.cursors("messages", &(batch.id.0, of, query.filter())).await?;
    let from = query.cursor.as_ref().map(|cursor| cursors.read::<u32>(cursor)).transpose()?.unwrap_or(0);
    let (messages, next) = match query.whom() {
        Some(whom) => messages_to_within(store, batch, whom, from, query.limit.items(), wanted).await?,
        None => messages_from(store, batch, from, query.limit.items(), wanted).await?,
    };
    Ok((views(shared, batch, &messages).await?, next.map(|next| cursors.write(&next)).transpose()?))
}

async fn views(shared: &Shared, batch: &Batch, messages: &[Loaded]) -> Answer<Vec<MessageView>> {
    Ok(MessageViews::of(shared.store.as_ref(), batch).await?.read(messages).await?)
}

/// The messages that the caller may see.
async fn all_views(shared: &Shared, call: &Call, found: &[(Batch, Vec<Loaded>)]) -> Answer<Vec<MessageView>> {
    let mut all = Vec::new();
    for (batch, messages) in found {
        if !call.may_use_batch(shared, batch.id).await? {
            continue;
        }
        all.extend(views(shared, batch, messages).await?);
    }
    Ok(all)
}

/// Cancel one message: what was never submitted is not sent, and no step follows one that was.
#[utoipa::path(post, path = "/messages/{message}/cancel", operation_id = "cancel_message", tag = "messages",
    params(("message" = String, Path, description = "Id of the message (`msg_…`, or its UUID).")),
    request_body = DecisionReason,
    responses((status = 200, description = "The message after the decision.", body = MessageView), (status = 404),
        (status = 409)))]
pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<MessageView>> {
    decide(&shared, &call, &id, MessageDecision::Cancel, reason.text()?).await
}

/// Release a message that is set aside: it returns to its queue.
#[utoipa::path(post, path = "/messages/{message}/release", operation_id = "release_message", tag = "messages",
    params(("message" = String, Path, description = "Id of the message (`msg_…`, or its UUID).")),
    request_body = DecisionReason,
    responses((status = 200, description = "The message after the decision.", body = MessageView), (status = 404),
        (status = 409)))]
pub(super) async fn release(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    OptionalJson(reason): OptionalJson<DecisionReason>,
) -> Answer<JsonAnswer<MessageView>> {
    decide(&shared, &call, &id, MessageDecision::Release, reason.text()?).await
}

async fn decide(
    shared: &Shared,
    call: &Call,
    id: &str,
    decision: MessageDecision,
    reason: Option<&str>,
) -> Answer<JsonAnswer<MessageView>> {
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown message \"{id}\""));
    let (batch, key) = message_by_id(shared.store.as_ref(), id).await?.ok_or_else(unknown)?;
    call.ensure_batch(shared, &batch).await?;
    let (clock, by) = (shared.clock.as_ref(), call.origin(reason));
    let message = carry_out_on_message(&shared.store, clock, (&batch, key), decision, &by).await?;
    views(shared, &batch, &[message]).await?.pop().map(JsonAnswer).ok_or_else(unknown)
}

/// Explain one message: its submissions, its receipts, and the rule behind each decision.
#[utoipa::path(get, path = "/messages/{message}", operation_id = "get_message", tag = "messages",
    params(("message" = String, Path,
        description = "Id of the message (`msg_…`, or its UUID), id of a submission (`att_…`), or the provider's umid.")),
    responses((status = 200, description = "The message.", body = Story), (status = 404)))]
pub(super) async fn get(State(shared): State<Shared>, Path(id): Path<String>, call: Call) -> Answer<JsonAnswer<Story>> {
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown message \"{id}\""));
    let store = shared.store.as_ref();
    let (batch, key) = message_by_id(store, &id).await?.ok_or_else(unknown)?;
    call.ensure_batch(&shared, &batch).await?;
    let entry = Book::new(Arc::clone(&shared.store)).get(batch.id).await?.ok_or_else(unknown)?;
    let story = story::explain(store, &batch, &entry, key, shared.clock.now(), None).await?;
    story.map(JsonAnswer).ok_or_else(unknown)
}
