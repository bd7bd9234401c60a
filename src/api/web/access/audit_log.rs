//! Who changed what.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Search;
use crate::api::Shared;
use crate::api::native::{Answer, Call, Query};
use crate::api::web::admit::Session;
use crate::api::web::campaigns::{with_cursor, without_cursor};
use crate::api::web::frame::page;
use crate::domain::{AuditAction, KeyId, Scope};
use crate::pages::{AuditLogPage, AuditRow, Place};
use crate::store::{AuditActor, AuditEntry, Cursor};

/// Which entries are listed. An empty field of the form is none.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct AuditQuery {
    who: String,
    about: String,
    #[serde(deserialize_with = "crate::api::web::form::known")]
    action: Option<AuditAction>,
    #[serde(skip_serializing)]
    cursor: String,
}

impl AuditQuery {
    fn is_filter(&self) -> bool {
        !self.who.is_empty() || !self.about.is_empty() || self.action.is_some()
    }

    fn wants(&self, entry: &AuditEntry) -> bool {
        let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let is_by = || match &entry.actor {
            AuditActor::Command { name } => contains(name, &self.who),
            AuditActor::Caller { id, name } => contains(name, &self.who) || *id == self.who,
            AuditActor::SetupToken => false,
        };
        let is_about = || {
            let path = entry.request.as_ref().map(|request| request.path.as_str());
            [path, entry.object.as_deref()].into_iter().flatten().any(|text| contains(text, &self.about))
        };
        self.action.is_none_or(|action| entry.action == action)
            && (self.who.is_empty() || is_by())
            && (self.about.is_empty() || is_about())
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
    let mut search = Search::new(query.is_filter(), before);
    let listed = loop {
        let piece = shared.store.audit_entries_before(search.before, search.piece()).await?;
        if let Some(found) = search.take(piece, |entry| query.wants(entry)) {
            break found;
        }
    };
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
        AuditActor::Command { name } => (Some(name), None),
        AuditActor::Caller { id, name } => (Some(name), Some(id)),
        AuditActor::SetupToken => (None, None),
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
