//! `/messages`: finds messages, and explains one.

use std::sync::Arc;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::campaigns::found;
use super::extract::{Call, Path, Query};
use super::page::{Limit, Page};
use super::problem::{Answer, Kind, Problem};
use crate::api::Shared;
use crate::book::Book;
use crate::domain::{Loaded, Msisdn, Outcome};
use crate::report::{MessageView, MessageViews, as_counted, lookup, message_by_id, messages_from};
use crate::store::Batch;
use crate::story::{self, Story};

/// Which messages a page has: of a campaign, or one by its id.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MessageQuery {
    /// Number of messages of a page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Id or name of the campaign. Needed unless `umid` is given.
    campaign: Option<String>,
    /// The provider's id of a submission.
    umid: Option<String>,
    /// Only messages to this number.
    number: Option<Msisdn>,
    /// Only messages with this `ClientMessageId` of the recipient file.
    client_message_id: Option<String>,
    /// Only messages with this outcome.
    outcome: Option<Outcome>,
}

/// What the pages of a list of messages have in common.
#[derive(Serialize)]
struct Filters {
    batch: u32,
    outcome: Option<Outcome>,
}

/// Find messages of a campaign, or the message of a umid.
///
/// A page may have fewer messages than its limit although another follows: `next` tells.
#[utoipa::path(get, path = "/messages", operation_id = "list_messages", tag = "messages", params(MessageQuery),
    responses((status = 200, description = "The messages of the page.", body = Page<MessageView>), (status = 404)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<MessageQuery>,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let store = shared.store.as_ref();
    if let Some(umid) = &query.umid {
        let Some((batch, key)) = message_by_id(store, umid).await? else {
            return Ok(Page::<MessageView> { items: Vec::new(), next: None }.answer(&uri));
        };
        call.ensure_batch(&shared, &batch).await?;
        let messages = store.load(vec![key]).await?;
        return Ok(Page { items: views(&shared, &batch, &messages).await?, next: None }.answer(&uri));
    }
    let Some(campaign) = &query.campaign else {
        let sentence = "name the `campaign` of the messages, or the `umid` of one";
        return Err(Problem::new(Kind::InvalidParameter, sentence).of_parameter("campaign"));
    };
    let batch = found(&shared, &call, campaign).await?;
    let wanted = |message: &Loaded| {
        query.outcome.is_none_or(|outcome| as_counted(&batch, &message.present).outcome() == Some(outcome))
    };
    let of_recipient = query.number.map(|number| number.to_string()).or_else(|| query.client_message_id.clone());
    if let Some(recipient) = of_recipient {
        let mut messages = lookup(store, &batch, &recipient).await?;
        messages.retain(wanted);
        return Ok(Page { items: views(&shared, &batch, &messages).await?, next: None }.answer(&uri));
    }
    let filters = Filters { batch: batch.id.0, outcome: query.outcome };
    let cursors = shared.cursors("messages", &filters).await?;
    let from = query.cursor.as_ref().map(|cursor| cursors.read::<u32>(cursor)).transpose()?.unwrap_or(0);
    let (messages, next) = messages_from(store, &batch, from, query.limit.items(), wanted).await?;
    let next = next.map(|next| cursors.write(&next)).transpose()?;
    Ok(Page { items: views(&shared, &batch, &messages).await?, next }.answer(&uri))
}

async fn views(shared: &Shared, batch: &Batch, messages: &[Loaded]) -> Answer<Vec<MessageView>> {
    Ok(MessageViews::of(shared.store.as_ref(), batch).await?.read(messages).await?)
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
    let story = story::explain(store, &batch, &entry, key, shared.clock.now()).await?;
    story.map(JsonAnswer).ok_or_else(unknown)
}
