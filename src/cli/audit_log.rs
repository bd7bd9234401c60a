//! `volley audit-log`: who did what over the API, and who changed keys and operators.

use super::out::{self, To};
use super::{CommandContext, Exit};
use crate::base::clock::format_time_exactly;
use crate::http::access::AuditEntryView;
use crate::store::{AuditActor, AuditEntry, Cursor};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
No command and no request changes an entry. To verify the report of a campaign: volley audit CAMPAIGN

Examples:
  volley audit-log
  volley audit-log --limit 1000 --json | jq -r 'select(.actor_name == \"shop\") | .path'")]
pub(super) struct Args {
    /// Number of latest entries to show.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
    /// Print one JSON object per line: at, action, object, actor, actor_id, actor_name, peer, request_id, method, path,
    /// http_status.
    #[arg(long)]
    json: bool,
}

/// Entries that one store call reads.
const PAGE: u32 = 10_000;

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let entries = store.audit_entries(Cursor::START, args.limit.min(PAGE)).await?;
    store.close().await;
    if entries.is_empty() && !args.json {
        out::talk("The audit log is empty.");
    }
    for (_, entry) in &entries {
        let view = AuditEntryView::new(entry);
        if args.json {
            out::data(serde_json::to_string(&view)?)?;
        } else {
            let at = To::Stdout.paint().dim(format_time_exactly(entry.at, None));
            out::data(format_args!("{at}  {}", sentence(entry, &view)))?;
        }
    }
    Ok(Exit::Done)
}

/// `shop (vk_…) from 10.0.0.7: POST /v1/campaigns, HTTP status 201: promo`.
fn sentence(entry: &AuditEntry, view: &AuditEntryView<'_>) -> String {
    let who = match (view.actor_name, view.actor_id) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (Some(name), None) => name.to_owned(),
        (None, _) if matches!(entry.actor, AuditActor::Unproven { .. }) => "an unknown name".to_owned(),
        (None, _) => format!("the {}", view.actor),
    };
    let from = view.peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
    let what = match (&entry.request, entry.http_status) {
        (Some(request), Some(status)) => format!("{} {}, HTTP status {status}", request.method, request.path),
        _ => entry.action.to_string(),
    };
    let object = view.object.map(|object| format!(": {object}")).unwrap_or_default();
    format!("{who}{from}: {what}{object}")
}
