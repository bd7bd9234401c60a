//! Replies as a CSV file: everything, or those of one campaign, with the filters of the page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;

use super::replies::{RepliesQuery, text_of, wanted};
use crate::base::domain::{Channel, Keyword};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, found};
use crate::http::api::web::download;
use crate::sending::receipts::{ReplyView, ReplyViews};
use crate::store::{self, Cursor, InboundOf, Store};

/// Replies that are read at once.
const READ: u32 = 2_000;

const COLUMNS: [&str; 10] =
    ["received", "number", "channel user", "channel", "kind", "keyword", "campaign", "message", "step", "text"];

pub(super) async fn all(State(shared): State<Shared>, Query(query): Query<RepliesQuery>) -> Answer<Response> {
    let unknown = || Problem::new(Kind::NotFound, "unknown campaign");
    let of = wanted(shared.store.as_ref(), &query).await.ok_or_else(unknown)?;
    let name = query.campaign.trim();
    file(&shared, of, query.text.trim(), Some(name).filter(|name| !name.is_empty()))
}

pub(super) async fn of_campaign(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<RepliesQuery>,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    file(&shared, InboundOf::Batch(batch.id), query.text.trim(), Some(&batch.display_name()))
}

/// The file. It is read and sent page by page, in order of arrival.
fn file(shared: &Shared, of: InboundOf, text: &str, campaign: Option<&str>) -> Answer<Response> {
    let begin = (Arc::clone(&shared.store), Cursor::START, text.to_lowercase());
    let pages = stream::try_unfold(begin, move |(store, after, text)| {
        let of = of.clone();
        async move {
            let page = page(store.as_ref(), of, after, &text).await?;
            Ok(page.map(|(rows, last)| (rows, (store, last, text))))
        }
    });
    download::table(shared, campaign, "replies.csv", COLUMNS.map(str::to_owned).to_vec(), pages)
}

/// The rows of the next replies, and the last of these; `None` after the end.
async fn page(
    store: &dyn Store,
    of: InboundOf,
    after: Cursor,
    text: &str,
) -> store::Result<Option<(Vec<Vec<String>>, Cursor)>> {
    let replies = store.inbound(of, after, READ).await?;
    let Some((last, _)) = replies.last() else { return Ok(None) };
    let (last, mut views, mut rows) = (*last, ReplyViews::new(store, true), Vec::new());
    for (_, inbound) in &replies {
        if text.is_empty() || text_of(inbound).to_lowercase().contains(text) {
            rows.push(cells(views.of(inbound).await?));
        }
    }
    Ok(Some((rows, last)))
}

fn cells(reply: ReplyView<'_>) -> Vec<String> {
    vec![
        reply.received_at,
        reply.msisdn.unwrap_or_default(),
        reply.channel_user.unwrap_or_default(),
        reply.channel.map(Channel::as_str).unwrap_or_default().to_owned(),
        reply.kind.to_owned(),
        reply.keyword.map(Keyword::as_str).unwrap_or_default().to_owned(),
        reply.campaign.unwrap_or_default(),
        reply.message.unwrap_or_default(),
        reply.step.map(|step| step.to_string()).unwrap_or_default(),
        reply.text.unwrap_or_default(),
    ]
}
