//! The recipients of a campaign, one message with its story, and the search for anything.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::admit::Session;
use super::campaigns::{with_cursor, without_cursor};
use super::frame::page;
use super::recipients::{is_known, number_of};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Kind, Path, Problem, Query, found};
use crate::book::Book;
use crate::campaign::find_exactly;
use crate::domain::{Loaded, MessageId, Msisdn, Outcome, Plan, StepIndex};
use crate::pages::{
    FoundPage, MessagePage, Part, Place, RecipientFilter, RecipientsPage, campaign_path, recipient_path,
};
use crate::report::{
    MessageFilter, MessageView, MessageViews, RecipientCursor, StateName, StepFact, message_by_id, messages_from,
    messages_to, messages_to_within,
};
use crate::store::{Batch, Whom};
use crate::story;

/// Messages of a page.
const SHOWN: u32 = 50;

/// Which recipients are listed. An empty field of the form is none.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RecipientsQuery {
    whom: String,
    #[serde(deserialize_with = "super::form::known")]
    state: Option<StateName>,
    #[serde(deserialize_with = "super::form::known")]
    outcome: Option<Outcome>,
    /// Every outcome but `reached`.
    missed: bool,
    /// Without an outcome.
    open: bool,
    /// The number of a step, and what is true there; without it, where a message is or ended.
    step: String,
    #[serde(deserialize_with = "super::form::known")]
    fact: Option<StepFact>,
    #[serde(skip_serializing)]
    cursor: String,
}

impl RecipientsQuery {
    fn filter(&self) -> RecipientFilter {
        RecipientFilter {
            whom: Some(self.whom.trim().to_owned()).filter(|whom| !whom.is_empty()),
            state: self.state,
            outcome: self.outcome,
            is_missed: self.missed,
            is_open: self.open,
            step: self.step.parse::<u8>().ok().and_then(|step| StepIndex::new(step.checked_sub(1)?)),
            fact: self.fact,
        }
    }
}

impl RecipientFilter {
    fn wants(&self, batch: &Batch, message: &Loaded) -> bool {
        let by = MessageFilter { state: self.state, outcome: self.outcome };
        let reached = MessageFilter { state: None, outcome: Some(Outcome::Reached) };
        let done = MessageFilter { state: Some(StateName::Done), outcome: None };
        // A fact is about a step: without one it is ignored.
        let is_there = |step: StepIndex| match self.fact {
            Some(fact) => fact.holds(batch, message, step),
            None => message.present.step == step,
        };
        by.wants(batch, message)
            && !(self.is_missed && reached.wants(batch, message))
            && !(self.is_open && done.wants(batch, message))
            && self.step.is_none_or(is_there)
    }
}

/// A number, or the client id of a recipient.
fn whom(text: &str) -> Whom {
    text.parse::<Msisdn>().map_or_else(|_| Whom::ClientId(text.to_owned()), Whom::Number)
}

pub(super) async fn of_campaign(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<RecipientsQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let store = shared.store.as_ref();
    let batch = found(&shared, &call, &campaign).await?;
    let filter = query.filter();
    let cursors = shared.cursors("recipient-pages", &(batch.id.0, &query)).await?;
    let from = cursors.position::<u32>(&query.cursor)?.unwrap_or(0);
    let wanted = |message: &Loaded| filter.wants(&batch, message);
    let (messages, next) = match filter.whom.as_deref().map(whom) {
        Some(whom) => messages_to_within(store, &batch, whom, from, SHOWN, wanted).await?,
        None => messages_from(store, &batch, from, SHOWN, wanted).await?,
    };
    let next = next.map(|next| cursors.write(&next)).transpose()?;
    let plan = store.plan(batch.id).await?;
    let steps = plan.iter().flat_map(Plan::indexed_steps).map(|(index, step)| (index, step.channel));
    page(&RecipientsPage {
        steps: steps.collect(),
        frame: session.frame(Place::Below(Part::Campaigns)),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        rows: MessageViews::of(store, &batch).await?.read(&messages).await?,
        filter,
        may_repeat: super::results::may_repeat(&batch),
        is_later: from > 0,
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown message \"{id}\""));
    let store = shared.store.as_ref();
    let (batch, key) = message_by_id(store, &id).await?.ok_or_else(unknown)?;
    call.ensure_batch(&shared, &batch).await?;
    let entry = Book::new(Arc::clone(&shared.store)).get(batch.id).await?.ok_or_else(unknown)?;
    let story =
        story::explain(store, &batch, &entry, key, shared.clock.now(), session.0.zone).await?.ok_or_else(unknown)?;
    page(&MessagePage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        story: &story,
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
    })
}

/// What an operator looks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindQuery {
    whom: String,
    cursor: String,
}

/// Finds a campaign by its name, a message by its id, a recipient by the number, or the messages to a client id.
pub(super) async fn find(
    State(shared): State<Shared>,
    Query(query): Query<FindQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let store = shared.store.as_ref();
    let text = query.whom.trim();
    // An id of another installation is not found; the page says so.
    if let Ok(Some(batch)) = find_exactly(store, text).await {
        return Ok(Redirect::to(&campaign_path(&batch.public_id().to_string())).into_response());
    }
    if let Some((batch, key)) = message_by_id(store, text).await? {
        return Ok(Redirect::to(&format!("/messages/{}", MessageId { key, tag: batch.tag })).into_response());
    }
    if let Some(number) = number_of(text)
        && (text.starts_with('+') || !is_client_id(&shared, number, text).await?)
    {
        return Ok(Redirect::to(&recipient_path(number)).into_response());
    }
    let cursors = shared.cursors("found-pages", &text).await?;
    let from = cursors.position::<RecipientCursor>(&query.cursor)?;
    let found = messages_to(store, Whom::ClientId(text.to_owned()), from, SHOWN, |_, _| true).await?;
    let mut rows: Vec<MessageView> = Vec::new();
    for (batch, messages) in &found.messages {
        rows.extend(MessageViews::of(store, batch).await?.read(messages).await?);
    }
    let next = found.next.map(|next| cursors.write(&next)).transpose()?;
    page(&FoundPage {
        frame: session.frame(Place::Elsewhere),
        whom: text.to_owned(),
        rows,
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// Whether digits are the client id of a recipient, and the number of none.
async fn is_client_id(shared: &Shared, number: Msisdn, text: &str) -> Answer<bool> {
    Ok(!is_known(shared, Whom::Number(number)).await? && is_known(shared, Whom::ClientId(text.to_owned())).await?)
}
