//! `volley lane cancel-batch`: cancels messages that another program scheduled at the provider.

use anyhow::Context;
use serde_json::json;

use crate::cli::words::plural;
use crate::cli::{CommandContext, out};
use crate::provider::client::Http;

/// Cancels what is not sent yet of a batch, which was submitted with a time.
pub(super) async fn cancel(context: &CommandContext, name: &str, batch: &str, json: bool) -> anyhow::Result<()> {
    let lane = context.config.named_lane(name)?;
    let http = Http::new(&lane.name, &lane.provider)?;
    let cancelled = http.cancel_batch(batch).await.with_context(|| {
        format!("batch {batch} of the subaccount {} cannot be cancelled", lane.provider.sub_account)
    })?;
    if json {
        return out::json(&json!({ "lane": name, "cancelled": cancelled }));
    }
    let rest = if cancelled == 0 { "; all of it was sent, cancelled, or has no time" } else { "" };
    out::data(format_args!(
        "Batch {batch}: {} cancelled{rest}",
        plural(cancelled, "scheduled message", "scheduled messages")
    ))
}
