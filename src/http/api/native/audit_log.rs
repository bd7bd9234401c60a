//! `/audit-log`: who did what.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::events::EventQuery;
use super::extract::Query;
use super::page::Page;
use super::problem::Answer;
use crate::http::access::AuditEntryView;
use crate::http::api::Shared;
use crate::store::{AuditFilter, Cursor};

/// List who did what, latest first: changes of keys and operators, and requests that changed something or tried to.
#[utoipa::path(get, path = "/audit-log", operation_id = "list_audit_entries", tag = "audit-log", params(EventQuery),
    responses((status = 200, description = "The entries of the page.", body = Page<AuditEntryView>)))]
pub(super) async fn list(State(shared): State<Shared>, Query(query): Query<EventQuery>, uri: Uri) -> Answer<Response> {
    let cursors = shared.cursors("audit-log", &()).await?;
    let before = query.cursor.map(|cursor| cursors.read::<Cursor>(&cursor)).transpose()?;
    let mut entries = shared.store.audit_entries_before(AuditFilter::default(), before, query.limit.rows()).await?;
    let next = query.limit.cut(&mut entries).map(|(last, _)| cursors.write(last)).transpose()?;
    Ok(Page { items: entries.iter().map(|(_, entry)| AuditEntryView::new(entry)).collect(), next }.answer(&uri))
}
