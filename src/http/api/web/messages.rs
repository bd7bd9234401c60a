//! The recipients of a campaign, and one message with its story.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{Redirect, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::admit::Session;
use super::campaigns::{with_cursor, without_cursor};
use super::download;
use super::form::Form;
use super::frame::page;
use super::recipients::number_of;
use super::results::{ensure_kept, may_repeat, repeatable_of};
use crate::base::domain::{
    Address, Loaded, MessageId, Outcome, Plan, Reasons, Scope, State as MessageState, StepIndex,
};
use crate::campaigns::campaign::{MessageDecision, SentText, SentTexts, carry_out_on_message, sent_texts};
use crate::campaigns::report::{
    CodeFilter, CodeResult, MessageView, MessageViews, Report, StepBrief, StepFact, as_counted, message_by_id,
    messages_from, messages_to_within, messages_with_code, numbers_of, retain_with_code,
};
use crate::campaigns::story;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, found};
use crate::http::pages::{
    LookedAt, MessagePage, NO_CODE, Part, Place, RecipientFilter, RecipientsPage, Repeatable, SentMessage, SentStep,
    Standing, texts,
};
use crate::sending::book::Book;
use crate::store::{self, Batch, Store, Whom};

/// Messages of a page.
const SHOWN: u32 = 50;
/// Messages of a list that are read at a time for its file.
const READ: u32 = 1_000;

/// Which recipients are listed. An empty field of the form is none.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RecipientsQuery {
    whom: String,
    #[serde(deserialize_with = "super::form::known")]
    outcome: Option<Standing>,
    /// The number of a step, and what is true there; without it, where a message is or ended.
    step: String,
    #[serde(deserialize_with = "super::form::known")]
    fact: Option<StepFact>,
    country: String,
    /// A code of the provider, or the word for none.
    code: String,
    #[serde(deserialize_with = "super::form::known")]
    result: Option<CodeResult>,
    #[serde(skip_serializing)]
    cursor: String,
}

impl RecipientsQuery {
    fn filter(&self) -> RecipientFilter {
        let step = self.step.parse::<u8>().ok().and_then(|step| StepIndex::new(step.checked_sub(1)?));
        let reasons = match self.code.trim() {
            NO_CODE => Some(Reasons::WithoutCode),
            // A kind of failure is a filter by itself.
            code => code.parse().ok().map(Reasons::Of).or(self.result.map(|_| Reasons::All)),
        };
        RecipientFilter {
            whom: Some(self.whom.trim().to_owned()).filter(|whom| !whom.is_empty()),
            standing: self.outcome,
            step,
            // A fact is about a step: without one it is no filter.
            fact: self.fact.filter(|_| step.is_some()),
            country: self.country.trim().to_uppercase().parse().ok(),
            code: reasons.map(|reasons| CodeFilter { reasons, result: self.result, step }),
        }
    }
}

impl Standing {
    fn is_of(self, batch: &Batch, message: &Loaded) -> bool {
        let present = as_counted(batch, &message.present);
        let is_cancelled = batch.state.is_cancelled();
        match (self, present.state) {
            (Self::Missed, MessageState::Done { outcome, .. }) => outcome != Outcome::Reached,
            (Self::With(wanted), MessageState::Done { outcome, .. }) => outcome == wanted,
            (Self::Open | Self::ToSubmit | Self::SetAside | Self::Awaiting, MessageState::Done { .. })
            | (Self::Missed | Self::With(_), _) => false,
            (Self::Open, _) => true,
            // In a cancelled campaign nothing is to be submitted, and receipts may come for all that is open.
            (Self::SetAside, _) => !is_cancelled && present.is_set_aside(),
            (Self::ToSubmit, state) => {
                !is_cancelled && !present.is_set_aside() && !matches!(state, MessageState::Awaiting { .. })
            }
            (Self::Awaiting, state) => is_cancelled || matches!(state, MessageState::Awaiting { .. }),
        }
    }
}

impl RecipientFilter {
    /// Whether it wants a message. The code is not looked at: the row of a message has none.
    fn wants(&self, batch: &Batch, message: &Loaded) -> bool {
        let is_there = |step: StepIndex| match self.fact {
            Some(fact) => fact.holds(batch, message, step),
            // The code happened at the step, wherever the message is now.
            None if self.code.is_some() => true,
            None => message.present.step == step,
        };
        self.standing.is_none_or(|standing| standing.is_of(batch, message))
            && self.country.is_none_or(|country| message.country == country)
            && self.step.is_none_or(is_there)
    }

    /// One page of the wanted messages, and where the next one begins.
    async fn page(
        &self,
        store: &dyn Store,
        batch: &Batch,
        (from, most): (u32, u32),
    ) -> store::Result<(Vec<Loaded>, Option<u32>)> {
        let wanted = |message: &Loaded| self.wants(batch, message);
        Ok(match (self.whom.as_deref().map(whom), self.code) {
            (None, None) => messages_from(store, batch, from, most, wanted).await?,
            (None, Some(code)) => messages_with_code(store, batch, (from, most), code, wanted).await?,
            (Some(whom), code) => {
                let is_id = matches!(&whom, Whom::Address(Address::User(_)));
                let (mut messages, next) = match messages_to_within(store, batch, whom, from, most, wanted).await? {
                    // A client's own id may look like one of a channel.
                    (found, None) if found.is_empty() && is_id => {
                        let own = Whom::ClientId(self.whom.clone().unwrap_or_default());
                        messages_to_within(store, batch, own, from, most, wanted).await?
                    }
                    found => found,
                };
                if let Some(code) = code {
                    retain_with_code(store, batch, &mut messages, code).await?;
                }
                (messages, next)
            }
        })
    }
}

/// An address, or the client id of a recipient.
fn whom(text: &str) -> Whom {
    // A client's id may have digits and separators too, but hardly a plus sign.
    let address = match text.starts_with('+') {
        true => number_of(text).map(Address::Number),
        false => Address::asked(text).ok(),
    };
    address.map_or_else(|| Whom::ClientId(text.to_owned()), Whom::Address)
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
    let (messages, next) = filter.page(store, &batch, (from, SHOWN)).await?;
    let is_full = messages.len() == SHOWN as usize;
    let looked_at = match next.filter(|_| filter.whom.is_none() && !is_full) {
        Some(next) => Some(LookedAt { looked: next, all: numbers_of(store, &batch).await? }),
        None => None,
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
        repeatable: repeatable(&shared, &batch, &filter).await?,
        looked_at,
        filter,
        is_later: from > 0,
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// The recipients of a list as a file: what the page shows of each, read as the browser takes them.
pub(super) async fn list_csv(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<RecipientsQuery>,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    ensure_kept(&batch)?;
    let t = texts();
    let header = [t.number, t.client_id, t.outcome, t.story].map(str::to_owned).to_vec();
    let name = batch.display_name();
    let begin = (Arc::clone(&shared.store), batch, query.filter(), Some(0));
    let pages = stream::try_unfold(begin, |(store, batch, filter, from)| async move {
        let Some(from) = from else { return Ok(None) };
        let (messages, next) = filter.page(store.as_ref(), &batch, (from, READ)).await?;
        let rows = MessageViews::of(store.as_ref(), &batch).await?.read(&messages).await?;
        Ok(Some((rows.iter().map(cells).collect(), (store, batch, filter, next))))
    });
    download::table(&shared, Some(&name), "recipients.csv", header, pages)
}

/// A recipient of a list, as its file has it.
fn cells(row: &MessageView) -> Vec<String> {
    let (t, own) = (texts(), texts().on_messages);
    let outcome = row.outcome.map_or_else(|| own.state_name(row.state), |outcome| t.outcome_name(outcome));
    let result = |step: &StepBrief| format!("{} {}: {}", step.step, step.channel, own.step_result(step));
    let results: Vec<String> = row.steps.iter().map(result).collect();
    let id = row.client_message_id.as_deref().unwrap_or_default();
    vec![row.address.to_string(), id.to_owned(), outcome.to_owned(), results.join("; ")]
}

/// Whom of a list the campaign can be sent to again.
async fn repeatable(shared: &Shared, batch: &Batch, filter: &RecipientFilter) -> Answer<Option<Repeatable>> {
    let Some(outcome) = filter.whole_outcomes().filter(|_| may_repeat(batch)) else { return Ok(None) };
    let report = Report::read(shared.store.as_ref(), batch).await?;
    let number = |outcome| repeatable_of(&report, outcome);
    let may_have_it = number(Outcome::Silent) + number(Outcome::Unknown);
    let all: i64 = Outcome::ALL.iter().copied().filter(|outcome| *outcome != Outcome::Reached).map(number).sum();
    Ok(Some(match outcome {
        Some(outcome) => Repeatable { outcome: Some(outcome), recipients: number(outcome), may_have_it: 0 },
        None => Repeatable { outcome: None, recipients: all - may_have_it, may_have_it },
    }))
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown message \"{id}\""));
    let store = shared.store.as_ref();
    let Some((batch, key)) = message_by_id(store, &id).await? else {
        ensure_not_purged(&shared, &call, &id).await?;
        return Err(unknown());
    };
    call.ensure_batch(&shared, &batch).await?;
    let entry = Book::new(Arc::clone(&shared.store)).get(batch.id).await?.ok_or_else(unknown)?;
    let story =
        story::explain(store, &batch, &entry, key, shared.clock.now(), session.0.zone).await?.ok_or_else(unknown)?;
    let sent = sent_texts(store, &shared.config, &batch, &entry.plan, key).await?.unwrap_or(SentTexts::Missing);
    page(&MessagePage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        story: &story,
        sent: shown(&sent),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        may_repeat: may_repeat(&batch),
    })
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &id, MessageDecision::Cancel, &form).await
}

pub(super) async fn release(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    call: Call,
    form: Form,
) -> Answer<Redirect> {
    decide(&shared, &call, &id, MessageDecision::Release, &form).await
}

async fn decide(shared: &Shared, call: &Call, id: &str, decision: MessageDecision, form: &Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let by = call.origin(form.reason()?);
    let unknown = || Problem::new(Kind::NotFound, format_args!("unknown message \"{id}\""));
    let (batch, key) = message_by_id(shared.store.as_ref(), id).await?.ok_or_else(unknown)?;
    call.ensure_batch(shared, &batch).await?;
    carry_out_on_message(&shared.store, shared.clock.as_ref(), (&batch, key), decision, &by).await?;
    Ok(Redirect::to(&format!("/messages/{}", MessageId { key, tag: batch.tag })))
}

/// Fails for an id of a message that was purged with its campaign.
async fn ensure_not_purged(shared: &Shared, call: &Call, id: &str) -> Answer<()> {
    let Ok(MessageId { key, tag }) = id.parse() else { return Ok(()) };
    let batch = shared.store.batch(key.batch).await?.filter(|batch| batch.tag == tag && key.n < batch.messages);
    let Some(batch) = batch else { return Ok(()) };
    call.ensure_batch(shared, &batch).await?;
    ensure_kept(&batch)
}

/// What a recipient was sent, as the page of the message shows it.
fn shown(sent: &SentTexts) -> SentMessage<'_> {
    match sent {
        SentTexts::Kept { steps, values } => {
            SentMessage::Kept { steps: steps.iter().map(shown_step).collect(), values }
        }
        SentTexts::Erased => SentMessage::Erased,
        SentTexts::Missing => SentMessage::Missing,
    }
}

fn shown_step(text: &SentText) -> SentStep<'_> {
    let SentText { step, channel, sent_at, template, bubble } = text;
    let (step, channel, sent_at) = (*step, *channel, *sent_at);
    SentStep { step, channel, sent_at, template: template.as_deref(), bubble: bubble.as_ref() }
}
