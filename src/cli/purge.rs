//! `volley purge`: removes old campaigns, and erases single recipients.

use super::exit::Usage;
use super::out::{self, Paint, To};
use super::words::{count, plural};
use super::{CommandContext, Exit, progress};
use crate::base::clock::format_time;
use crate::base::config::SHORTEST_RETENTION;
use crate::base::domain::{Address, Span, Timestamp};
use crate::campaigns::campaign::{self, Erasure, ErasureView, Overdue, PurgeView};
use crate::campaigns::report;
use crate::store::Store;

/// Maximum number of campaigns that are listed by name.
const NAMED: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --yes, the command only shows what it would remove. With [retention] after = \"90d\" in volley.toml, a server \
purges once a day.

A purged campaign keeps its name, plan, counters and report, with the counts of chosen buttons and list rows. Its messages, \
attempts, receipts and texts are removed, and so are audiences that no other campaign uses.

An erased recipient's opt-out stays, under the number and under each channel's id of it, and so does the fact that there \
was a message, without its number. Slots of a messaging tier keep numbers for a day, and the log of webhooks that were sent for seven.

Removed rows can remain in the database's free pages until they are overwritten: --compact rewrites the file without \
them. Remove backups, exported files and copies that `campaign test` sent yourself.

Examples:
  volley purge --after 90d
  volley purge --after 90d --yes
  volley purge --recipient +6581234510 --yes
  volley purge --compact")]
pub(super) struct Args {
    /// Remove campaigns that settled longer ago than this, such as 90d; at least 4d. Default: [retention] after.
    #[arg(long, value_name = "TIME")]
    after: Option<Span>,
    /// Erase this recipient from every audience and campaign instead: a number with + and its country code, or a channel's
    /// id. A number's ids are erased with it, unless others have them too.
    #[arg(long, value_name = "NUMBER|ID", conflicts_with = "after")]
    recipient: Option<Address>,
    /// Remove it, for good. Without this the command only shows what it would remove.
    #[arg(long)]
    yes: bool,
    /// Afterwards rewrite the database file without the removed rows. Stop the server first.
    #[arg(long)]
    compact: bool,
    /// Print one JSON object: campaigns, audiences, messages, removed; with --recipient: campaigns, messages, rows,
    /// open_campaigns, removed.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let store = store.as_ref();
    match (&args.recipient, args.after.or(context.config.retention)) {
        (Some(recipient), _) => erase(store, recipient, &args).await?,
        (None, Some(after)) if after < SHORTEST_RETENTION => {
            let advice =
                format!("--after {after} is too short: a purge cannot be undone; use {SHORTEST_RETENTION} or more");
            return Err(Usage(advice).into());
        }
        (None, Some(after)) => purge(store, context, context.now() - after, &args).await?,
        (None, None) if args.compact => {}
        (None, None) => {
            let advice = "specify an age: `volley purge --after 90d`, or [retention] after = \"90d\" in volley.toml";
            return Err(Usage(advice.to_owned()).into());
        }
    }
    if args.compact {
        compact(store, context).await?;
    }
    Ok(Exit::Done)
}

async fn purge(store: &dyn Store, context: &CommandContext, before: Timestamp, args: &Args) -> anyhow::Result<()> {
    let overdue = campaign::overdue(store, before).await?;
    if !args.json {
        out::lines(lines(&overdue, before, To::Stdout.paint()))?;
    }
    if args.yes {
        let bar = progress::bar("purge", args.json);
        let all = overdue.messages();
        let seen = |seen| {
            progress::over_messages(&bar, report::CopyProgress::Seen(seen), all, "message removed", "messages removed");
        };
        let purged = campaign::purge(store, context.clock.as_ref(), &overdue, seen).await;
        bar.finish_and_clear();
        out::talk(format_args!("{} removed.", plural(i128::from(purged?), "message", "messages")));
    } else if !overdue.is_empty() && !args.json {
        out::talk("Nothing was removed. Add --yes to remove it for good.");
    }
    if args.json {
        out::json(&PurgeView::new(&overdue, args.yes))?;
    }
    Ok(())
}

fn lines(overdue: &Overdue, before: Timestamp, paint: Paint) -> Vec<String> {
    let before = format_time(before, None);
    if overdue.is_empty() {
        return vec![format!("No campaign settled before {before}; nothing to purge.")];
    }
    let mut lines = vec![format!(
        "{} settled before {before}, with {}:",
        plural(overdue.campaigns.len() as i128, "campaign", "campaigns"),
        plural(i128::from(overdue.messages()), "message", "messages")
    )];
    for batch in overdue.campaigns.iter().take(NAMED) {
        let settled = batch.settled_at.map_or_else(String::new, |at| format_time(at, None));
        lines.push(format!(
            "  {:>12}  {}  {}",
            count(i128::from(batch.messages)),
            paint.dim(settled),
            batch.display_name()
        ));
    }
    if let Some(more) = overdue.campaigns.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(paint.dim(format!("  and {more} more")));
    }
    let named: Vec<&str> = overdue.audiences.iter().filter_map(|(_, name)| name.as_deref()).collect();
    if !named.is_empty() {
        lines.push(format!("Audiences that no other campaign uses: {}.", named.join(", ")));
    }
    lines
}

async fn erase(store: &dyn Store, recipient: &Address, args: &Args) -> anyhow::Result<()> {
    let erasure = Erasure::of(store, recipient.clone()).await?;
    if args.yes {
        erasure.carry_out(store).await?;
    }
    if args.json {
        return out::json(&ErasureView::new(&erasure, args.yes));
    }
    if erasure.messages() == 0 && erasure.rows_in_audiences() == 0 {
        out::talk(format_args!("{recipient}: nothing is stored."));
        return Ok(());
    }
    let messages = plural(erasure.messages() as i128, "message", "messages");
    let campaigns = plural(erasure.found.len() as i128, "campaign", "campaigns");
    let rows = plural(erasure.rows_in_audiences() as i128, "row", "rows");
    out::talk(match (args.yes, erasure.obstacle()) {
        (true, _) => format!("Erased {messages} and {rows} of audiences. An opt-out stays."),
        (false, None) => format!(
            "{recipient} has {messages} in {campaigns} and {rows} in audiences. Nothing was erased: add --yes to erase \
             them for good."
        ),
        (false, Some(obstacle)) => format!(
            "{recipient} has {messages} in {campaigns} and {rows} in audiences. They cannot be erased yet: {obstacle}."
        ),
    });
    Ok(())
}

async fn compact(store: &dyn Store, context: &CommandContext) -> anyhow::Result<()> {
    let bar = progress::bar("compact", false);
    let done = campaign::compact(store, context.now()).await;
    bar.finish_and_clear();
    done?;
    out::talk("The database file was rewritten without the removed rows.");
    Ok(())
}
