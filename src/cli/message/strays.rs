//! `volley message strays`: lists webhooks that belong to no known message.

use std::collections::VecDeque;

use crate::base::clock::format_time_exactly;
use crate::base::domain::Timestamp;
use crate::cli::out::{self, To};
use crate::cli::table::Table;
use crate::cli::words::{count, plural};
use crate::cli::{CommandContext, Exit};
use crate::sending::receipts::StrayView;
use crate::store::{Cursor, Store, StrayKind};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Strays are kept for 30 days: a receipt can arrive before the answer to its request, and is matched to its message later.
The others may be for messages that another system sent through the same subaccount.
Webhooks for another subaccount, of an unknown type, or unreadable ones are listed too.")]
pub(in crate::cli) struct Args {
    /// Maximum number to list; the latest are listed.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print one JSON object per line: received_at, kind, event_type, umid.
    #[arg(long)]
    json: bool,
}

/// Strays read at a time.
const PAGE: u32 = 2_000;

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let (mut latest, mut counts) = (Vec::new(), Vec::new());
    for kind in StrayKind::ALL {
        let (of_kind, number) = latest_of(store.as_ref(), kind, args.limit).await?;
        latest.extend(of_kind);
        counts.push((kind, number));
    }
    latest.sort_by_key(|shown| shown.at);
    latest.drain(..latest.len().saturating_sub(args.limit));
    if args.json {
        for shown in &latest {
            out::data(serde_json::to_string(shown)?)?;
        }
        return Ok(Exit::Done);
    }
    let all: u64 = counts.iter().map(|(_, number)| number).sum();
    if all == 0 {
        out::talk("Every receipt belongs to a known message.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["received", "why", "type", "=umid"]);
    for shown in &latest {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let at = format_time_exactly(shown.at, None);
        table.row([at, shown.kind.to_owned(), or_none(&shown.event_type), or_none(&shown.umid)]);
    }
    if !latest.is_empty() {
        out::lines(table.lines(To::Stdout.paint()))?;
    }
    let belong: Vec<String> =
        counts.iter().filter(|(_, number)| *number > 0).map(|(kind, number)| sentence(*kind, *number)).collect();
    let part = match latest.len() as u64 {
        shown if shown == all => String::new(),
        shown => format!("; the latest {} are shown", count(shown)),
    };
    out::talk(format_args!("{}{part}.", belong.join(", ")));
    Ok(Exit::Done)
}

/// The latest strays of a kind, and the number of all.
async fn latest_of(store: &dyn Store, kind: StrayKind, limit: usize) -> anyhow::Result<(VecDeque<StrayView>, u64)> {
    let (mut latest, mut all, mut after) = (VecDeque::new(), 0, Cursor::START);
    loop {
        let page = store.strays(kind, Timestamp::default(), after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok((latest, all)) };
        after = *last;
        for (_, stray) in page {
            all += 1;
            latest.push_back(StrayView::of(stray));
            if latest.len() > limit {
                latest.pop_front();
            }
        }
    }
}

fn sentence(kind: StrayKind, number: u64) -> String {
    match kind {
        StrayKind::NoAttempt => {
            format!("{} to no known message", plural(number, "receipt belongs", "receipts belong"))
        }
        StrayKind::OtherSubaccount => {
            format!("{} for another subaccount", plural(number, "webhook is", "webhooks are"))
        }
        StrayKind::OtherType => plural(number, "webhook has an unknown type", "webhooks have an unknown type"),
        StrayKind::Unreadable => plural(number, "webhook could not be read", "webhooks could not be read"),
    }
}
