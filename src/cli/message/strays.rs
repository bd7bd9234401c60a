//! `volley message strays`: lists receipts that belong to no known message.

use crate::cli::out::{self, To};
use crate::cli::table::Table;
use crate::cli::words::{count, plural};
use crate::cli::{CommandContext, Exit};
use crate::clock::format_time_exactly;
use crate::domain::Timestamp;
use crate::receipts::StrayView;
use crate::store::{Cursor, StrayKind};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Strays are kept for 30 days: a receipt can arrive before the answer to its request, and is matched to its message later.
The others may be for messages that another system sent through the same subaccount.")]
pub(in crate::cli) struct Args {
    /// Maximum number to list; the latest are listed.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print one JSON object per line: received_at, umid.
    #[arg(long)]
    json: bool,
}

/// Strays read at a time.
const PAGE: u32 = 2_000;

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let mut latest = std::collections::VecDeque::new();
    let (mut after, mut all) = (Cursor::START, 0_u64);
    loop {
        let page = store.strays(StrayKind::NoAttempt, Timestamp::default(), after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (_, stray) in page {
            all += 1;
            latest.push_back(StrayView::of(stray));
            if latest.len() > args.limit {
                latest.pop_front();
            }
        }
    }
    if args.json {
        for shown in &latest {
            out::data(serde_json::to_string(shown)?)?;
        }
        return Ok(Exit::Done);
    }
    if all == 0 {
        out::talk("Every receipt belongs to a known message.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["received", "umid"]);
    for shown in &latest {
        let at = format_time_exactly(shown.at, None);
        table.row([at, shown.umid.clone().unwrap_or_else(|| "none".to_owned())]);
    }
    if !latest.is_empty() {
        out::lines(table.lines(To::Stdout.paint()))?;
    }
    let belong = plural(all, "receipt belongs", "receipts belong");
    let part = match latest.len() as u64 {
        shown if shown == all => String::new(),
        shown => format!("; the latest {} are shown", count(shown)),
    };
    out::talk(format_args!("{belong} to no known message{part}."));
    Ok(Exit::Done)
}
