//! What recipients wrote to us: everything, or the replies to one campaign.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};

use super::super::admit::Session;
use super::super::campaigns::{filters, with_cursor, without_cursor};
use super::super::form::Form;
use super::super::frame::page;
use crate::base::domain::{BatchId, MessageId, Scope};
use crate::campaigns::campaign::find_exactly;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, decided, found};
use crate::http::pages::{AnsweredMessage, Part, Place, RepliesPage, Reply, UNDECIDED_COUNTED, campaign_path};
use crate::recipients::optout::Decision;
use crate::sending::receipts::ContentView;
use crate::store::{Batch, Cursor, Inbound, InboundOf, Store};

/// Replies of a page.
const SHOWN: u32 = 50;
/// Replies that are read at once, and by one page at most.
const READ: u32 = 200;
const READ_MOST: u32 = 2_000;
/// Characters of a text in the list.
const TEXT_SHOWN: usize = 200;

/// Which replies are listed. An empty field of the form is none.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct RepliesQuery {
    pub(super) campaign: String,
    pub(super) text: String,
    /// Only replies that may be opt-outs, if it is not empty.
    undecided: String,
    #[serde(skip_serializing)]
    cursor: String,
    /// What was decided, and is said on top.
    #[serde(skip_serializing, deserialize_with = "crate::http::api::web::form::known")]
    done: Option<Decision>,
}

/// The replies to everything, those to the campaign of a name, or those that may be opt-outs; `None` for an unknown name.
pub(super) async fn wanted(store: &dyn Store, query: &RepliesQuery) -> Option<InboundOf> {
    let name = query.campaign.trim();
    if !query.undecided.is_empty() {
        return Some(InboundOf::PossibleStops);
    }
    if name.is_empty() {
        return Some(InboundOf::All);
    }
    // An id of another installation is not found, either.
    let found = find_exactly(store, name).await.unwrap_or_default();
    found.map(|batch| InboundOf::Batch(batch.id))
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<RepliesQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let of = wanted(shared.store.as_ref(), &query).await;
    shown(&shared, (of, None), query, &session, &uri).await
}

pub(super) async fn of_campaign(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<RepliesQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let named = (batch.display_name(), campaign_path(&batch.public_id().to_string()));
    let query = RepliesQuery { campaign: String::new(), undecided: String::new(), ..query };
    shown(&shared, (Some(InboundOf::Batch(batch.id)), Some(named)), query, &session, &uri).await
}

/// Decides about one reply that may be an opt-out.
pub(super) async fn decide(State(shared): State<Shared>, call: Call, form: Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let (decision, done) = match form.get("do") {
        Some("opt-out") => (Decision::OptOut, "opt-out"),
        Some("dismiss") => (Decision::Dismiss, "dismiss"),
        _ => return Err(Problem::new(Kind::Invalid, "decide whether the recipient opts out")),
    };
    decided(&shared, &call, form.get("umid").unwrap_or_default(), decision, None).await?;
    Ok(Redirect::to(&format!("/replies?undecided=1&done={done}")))
}

async fn shown(
    shared: &Shared,
    (of, named): (Option<InboundOf>, Option<(String, String)>),
    query: RepliesQuery,
    session: &Session,
    uri: &Uri,
) -> Answer<Response> {
    let batch = of.as_ref().and_then(|of| if let InboundOf::Batch(batch) = of { Some(batch.0) } else { None });
    let cursors = shared.cursors("reply-pages", &(batch, &query)).await?;
    let before = cursors.position::<Cursor>(&query.cursor)?;
    let text = query.text.trim().to_owned();
    let (is_unknown_campaign, is_undecided) = (of.is_none(), of == Some(InboundOf::PossibleStops));
    let undecided = match named.is_none() && !is_undecided {
        true => shared.store.inbound_before(InboundOf::PossibleStops, None, UNDECIDED_COUNTED + 1).await?.len() as u64,
        false => 0,
    };
    let (rows, next) = match of {
        Some(of) => read(shared.store.as_ref(), of, before, &text).await?,
        None => (Vec::new(), None),
    };
    let next = next.map(|next| cursors.write(&next)).transpose()?;
    let mut frame = session.frame(if named.is_some() { Place::Below(Part::Campaigns) } else { Place::Replies });
    let own = frame.texts().on_recipients;
    let said = query.done.map(|done| match done {
        Decision::OptOut => own.decided_out,
        Decision::Dismiss => own.decided_not,
    });
    frame.notice = said.map(str::to_owned);
    page(&RepliesPage {
        frame,
        of: named,
        rows,
        campaign: query.campaign.trim().to_owned(),
        is_unknown_campaign,
        text,
        is_undecided,
        undecided,
        is_later: before.is_some(),
        csv: format!("{}/csv?{}", uri.path(), filters(uri).finish()),
        first: without_cursor(uri),
        next: next.map(|next| with_cursor(uri, &next)),
    })
}

/// One page of the replies with a text, and where the next one begins. It reads a bounded number of replies, so there may be
/// fewer rows although others follow.
async fn read(
    store: &dyn Store,
    of: InboundOf,
    mut before: Option<Cursor>,
    text: &str,
) -> Answer<(Vec<Reply>, Option<Cursor>)> {
    let wanted = text.to_lowercase();
    let (mut reader, mut rows) = (Reader::new(store, TEXT_SHOWN), Vec::new());
    let size = if wanted.is_empty() { SHOWN + 1 } else { READ };
    for _ in 0..READ_MOST / READ {
        let replies = store.inbound_before(of.clone(), before, size).await?;
        let is_last = replies.len() < size as usize;
        for (cursor, inbound) in replies {
            if rows.len() == SHOWN as usize {
                return Ok((rows, before));
            }
            before = Some(cursor);
            if wanted.is_empty() || text_of(&inbound).to_lowercase().contains(&wanted) {
                rows.push(reader.read(&inbound).await?);
            }
        }
        if is_last {
            return Ok((rows, None));
        }
    }
    Ok((rows, before))
}

/// What the recipient sent or chose, on one line; empty if it was purged.
pub(super) fn text_of(inbound: &Inbound) -> String {
    ContentView::of(&inbound.raw).map(|content| content.line).unwrap_or_default()
}

/// Describes messages from recipients; remembers the campaigns that they answer.
pub(super) struct Reader<'a> {
    store: &'a dyn Store,
    longest: usize,
    batches: HashMap<BatchId, Option<Batch>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a dyn Store, longest: usize) -> Self {
        Self { store, longest, batches: HashMap::new() }
    }

    pub(super) async fn read(&mut self, inbound: &Inbound) -> Answer<Reply> {
        let whole = text_of(inbound);
        let text: String = whole.chars().take(self.longest).collect();
        Ok(Reply {
            umid: inbound.umid.clone(),
            at: inbound.received,
            number: inbound.msisdn,
            user: inbound.called.clone(),
            channel: inbound.channel,
            kind: inbound.kind.clone(),
            is_choice: inbound.choice.is_some(),
            keyword: inbound.keyword,
            is_cut: text.len() < whole.len(),
            text,
            on: self.answered(inbound).await?,
        })
    }

    /// The message that it answers. A purged one has no page.
    async fn answered(&mut self, inbound: &Inbound) -> Answer<Option<AnsweredMessage>> {
        let Some((key, step)) = inbound.on else { return Ok(None) };
        if !self.batches.contains_key(&key.batch) {
            let batch = self.store.batch(key.batch).await?;
            self.batches.insert(key.batch, batch.filter(|batch| batch.purged_at.is_none()));
        }
        let batch = self.batches.get(&key.batch).and_then(Option::as_ref);
        Ok(batch.map(|batch| AnsweredMessage {
            campaign: batch.display_name(),
            campaign_path: campaign_path(&batch.public_id().to_string()),
            message: MessageId { key, tag: batch.tag }.to_string(),
            step: step.get() + 1,
        }))
    }
}
