//! `volley events`: what servers, operators and the provider did to lanes, campaigns and servers.

use super::interrupt::Interrupts;
use super::out::{self, To};
use super::{CommandContext, Exit};
use crate::base::clock::format_time_exactly;
use crate::base::domain::Span;
use crate::base::events::{Event, EventView};
use crate::store::Cursor;

/// How often `--follow` looks for new events.
const POLL_INTERVAL: Span = Span::from_millis(250);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  volley events\n  volley events --limit 100 --json\n  volley events --follow")]
pub(super) struct Args {
    /// Number of latest events to show.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,
    /// Show new events as they happen, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Print one JSON object per line: at, subject, text; about, by, reason and kind with their fields.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let mut interrupts = Interrupts::listen();
    let (mut after, mut limit) = (Cursor::START, args.limit);
    loop {
        let events = store.events(after, limit).await?;
        if events.is_empty() && after == Cursor::START && !args.follow && !args.json {
            out::talk("No events yet.");
        }
        for (position, event) in events {
            show(&event, args.json)?;
            after = position;
        }
        if !args.follow {
            return Ok(Exit::Done);
        }
        limit = u32::MAX;
        tokio::select! {
            () = interrupts.next() => return Ok(Exit::Done),
            () = context.clock.sleep(POLL_INTERVAL) => {}
        }
    }
}

fn show(event: &Event, json: bool) -> anyhow::Result<()> {
    if json {
        return out::data(serde_json::to_string(&EventView::new(event))?);
    }
    let at = To::Stdout.paint().dim(format_time_exactly(event.at, None));
    out::data(format_args!("{at}  {}", event.sentence()))
}
