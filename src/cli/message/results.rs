//! Prints what became of messages, one line each.

use anyhow::bail;

use crate::base::clock::format_time;
use crate::base::domain::{Address, Outcome};
use crate::campaigns::report::{MessageResult, results_of};
use crate::cli::out::{self, To};
use crate::cli::table::Table;
use crate::cli::{CommandContext, Exit};
use crate::store::Store;

/// Lists what a recipient got from all campaigns, newest last, and names the command that explains one of the messages.
pub(super) async fn list(context: &CommandContext, address: Address, verb: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let results = results_of(store.as_ref(), &address.to_string()).await?;
    if results.is_empty() {
        return none(store.as_ref(), &address).await;
    }
    if json {
        out::json(&results)?;
        return Ok(Exit::Done);
    }
    let paint = To::Stdout.paint();
    let mut table = Table::new(&["campaign", "result", "time", "=message"]);
    for result in &results {
        table.row([result.campaign.clone(), words(result), format_time(result.at, None), result.id.clone()]);
    }
    out::lines(table.lines(paint))?;
    if let Some(last) = results.last() {
        let which = if results.len() == 1 { "it" } else { "one of them" };
        out::talk(format_args!("To {verb} {which}: volley message {verb} {}", last.id));
    }
    Ok(Exit::Done)
}

async fn none(store: &dyn Store, address: &Address) -> anyhow::Result<Exit> {
    if store.opt_out_of(address.clone()).await?.is_some() {
        bail!(
            "no campaign has a message to {address}: the recipient has opted out, and a launch leaves out opted-out \
             recipients; see `volley opt-out show {address}`"
        );
    }
    bail!(
        "no campaign has a message to {address}; check its country code, or list the messages of a campaign: volley message \
         list CAMPAIGN"
    );
}

/// `reached on SMS`, `skipped: opted out`, `awaiting on WhatsApp`.
pub(in crate::cli) fn words(result: &MessageResult) -> String {
    let paint = To::Stdout.paint();
    let on = result.channel.map(|channel| format!(" on {channel}")).unwrap_or_default();
    match (result.outcome, result.skipped) {
        (Some(outcome), Some(reason)) => paint.bad(format!("{outcome}: {reason}")),
        (Some(outcome @ Outcome::Reached), None) => paint.good(format!("{outcome}{on}")),
        (Some(outcome), None) => paint.bad(outcome),
        (None, _) => format!("{}{on}", result.state),
    }
}
