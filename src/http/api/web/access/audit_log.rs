//! Who changed what.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{SEARCHED, SHOWN};
use crate::base::domain::{AuditAction, KeyId, Scope};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Query, cut};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::frame::page;
use crate::http::pages::{AuditLogPage, AuditRow, Place, texts};
use crate::store::{AuditActor, AuditEntry, AuditFilter, AuditWho, Cursor, Store};

/// Which entries are listed. An empty field of the form is none.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct AuditQuery {
    who: String,
    about: String,
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    action: Option<AuditAction>,
    #[serde(skip_serializing)]
    cursor: String,
}

impl AuditQuery {
    /// What an index of the log leads to.
    fn filter(&self) -> AuditFilter {
        let who = Some(self.who.clone()).filter(|who| !who.is_empty());
        let is_key = self.who.parse::<KeyId>().is_ok();
        AuditFilter { who: who.map(if is_key { AuditWho::Caller } else { AuditWho::Name }), action: self.action }
    }

    /// Whether an entry contains the text that is looked for.
    fn is_about(&self, entry: &AuditEntry) -> bool {
        let about = self.about.to_lowercase();
        let path = entry.request.as_ref().map(|request| request.path.as_str());
        [path, entry.object.as_deref()].into_iter().flatten().any(|text| text.to_lowercase().contains(&about))
    }
}

/// Entries that one store call of a search reads.
const PIECE: u32 = 500;

/// The entries of a page, latest first.
struct Listed {
    rows: Vec<(Cursor, AuditEntry)>,
    /// Where the next page begins.
    next: Option<Cursor>,
    /// How many were looked at, if the search ended before the page was full.
    looked_at: Option<u32>,
}

async fn listed(store: &dyn Store, query: &AuditQuery, before: Option<Cursor>) -> Answer<Listed> {
    if !query.about.is_empty() {
        return searched(store, query, before).await;
    }
    let mut rows = store.audit_entries_before(query.filter(), before, SHOWN + 1).await?;
    let next = cut(&mut rows, SHOWN).map(|(last, _)| *last);
    Ok(Listed { rows, next, looked_at: None })
}

/// Looks for a text. It may be any part of a path or an object, to which no index leads, so a page looks at a bounded number
/// of the filter's entries.
async fn searched(store: &dyn Store, query: &AuditQuery, mut before: Option<Cursor>) -> Answer<Listed> {
    let (mut rows, mut looked_at) = (Vec::new(), 0);
    loop {
        let piece = store.audit_entries_before(query.filter(), before, PIECE).await?;
        let is_last = piece.len() < PIECE as usize;
        looked_at += PIECE;
        before = piece.last().map(|(last, _)| *last).or(before);
        rows.extend(piece.into_iter().filter(|(_, entry)| query.is_about(entry)));
        let (next, looked_at) = match cut(&mut rows, SHOWN) {
            Some((last, _)) => (Some(*last), None),
            None if is_last => (None, None),
            None if looked_at >= SEARCHED => (before, Some(looked_at)),
            None => continue,
        };
        return Ok(Listed { rows, next, looked_at });
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Query(mut query): Query<AuditQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    call.caller.check(Scope::Admin)?;
    query.who = query.who.trim().to_owned();
    query.about = query.about.trim().to_owned();
    let cursors = shared.cursors("audit-pages", &query).await?;
    let before = cursors.position::<Cursor>(&query.cursor)?;
    let listed = listed(shared.store.as_ref(), &query, before).await?;
    let next = listed.next.map(|next| cursors.write(&next)).transpose()?;
    page(&AuditLogPage {
        frame: session.frame(Place::AuditLog),
        entries: listed.rows.into_iter().map(|(_, entry)| row(entry)).collect(),
        who: query.who,
        about: query.about,
        action: query.action,
        looked_at: listed.looked_at,
        is_later: before.is_some(),
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

fn row(entry: AuditEntry) -> AuditRow {
    let is_command = matches!(entry.actor, AuditActor::Command { .. });
    let (who, id) = match entry.actor {
        AuditActor::Command { name } | AuditActor::Unproven { operator: Some(name) } => (name, None),
        AuditActor::Caller { id, name } => (name, Some(id)),
        AuditActor::SetupToken => (texts().access.setup_token.to_owned(), None),
        AuditActor::Unproven { operator: None } => (texts().access.unknown_name.to_owned(), None),
    };
    AuditRow {
        at: entry.at,
        action: entry.action,
        who,
        // The id of an operator is the name.
        key: id.filter(|id| id.parse::<KeyId>().is_ok()),
        is_command,
        peer: entry.request.as_ref().map(|request| request.peer.to_string()),
        request: entry.request.map(|request| (request.method, request.path)),
        object: entry.object,
        status: entry.http_status,
    }
}
