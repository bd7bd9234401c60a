//! `volley purge`: what is not to be kept for ever.

use anyhow::bail;
use serde::Serialize;

use super::campaign::name_of;
use super::exit::Usage;
use super::out::{self, Paint, To};
use super::words::{count, of};
use super::{Exit, Ground, progress};
use crate::campaign::{self, Erased, Overdue, moment};
use crate::config::SHORTEST_RETENTION;
use crate::domain::{Msisdn, Span, Timestamp};
use crate::store::Store;

/// Campaigns that are named.
const NAMED: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --yes it only says what would go. With [retention] after = \"90d\" in volley.toml a server does the same once a day.

Of a purged campaign its name, plan, counters and report stay; messages, hand-overs, receipts and texts are removed, and
audiences that nothing else has used. Of an erased recipient it stays that they opted out, and that there was a message;
their number reads +999999999999999 from then on. Places of a messaging tier keep numbers for a day; copies that `campaign
test` sent to others, and files that were exported, are yours to remove.

What was removed can stand in the database's free pages until they are written over: --compact writes the file anew
without them. Backups and exported files are yours to remove.

Examples:
  volley purge --after 90d
  volley purge --after 90d --yes
  volley purge --recipient +6581234510 --yes
  volley purge --compact")]
pub(super) struct Args {
    /// Campaigns that settled longer ago than this, such as 90d. Else as [retention] says.
    #[arg(long, value_name = "TIME")]
    after: Option<Span>,
    /// Erase this recipient from every audience and campaign instead.
    #[arg(long, value_name = "NUMBER", conflicts_with = "after")]
    recipient: Option<Msisdn>,
    /// Do it: what is removed is gone for good.
    #[arg(long)]
    yes: bool,
    /// Afterwards write the database anew, without what was removed. No server may run.
    #[arg(long)]
    compact: bool,
    /// One object: campaigns, audiences, messages, done.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    campaigns: Vec<String>,
    audiences: Vec<String>,
    messages: u64,
    done: bool,
}

pub(super) async fn run(args: Args, ground: &Ground) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let store = store.as_ref();
    match (&args.recipient, args.after.or(ground.config.retention)) {
        (Some(person), _) => erase(store, *person, &args).await?,
        (None, Some(after)) if after < SHORTEST_RETENTION => {
            let advice = format!(
                "--after {after} is too short: what is purged is gone for good; say {SHORTEST_RETENTION} or more"
            );
            return Err(Usage(advice).into());
        }
        (None, Some(after)) => purge(store, ground, ground.now() - after, &args).await?,
        (None, None) if args.compact => {}
        (None, None) => {
            let advice = "say how old: `volley purge --after 90d`, or [retention] after = \"90d\" in volley.toml";
            return Err(Usage(advice.to_owned()).into());
        }
    }
    if args.compact {
        compact(store, ground).await?;
    }
    Ok(Exit::Done)
}

async fn purge(store: &dyn Store, ground: &Ground, before: Timestamp, args: &Args) -> anyhow::Result<()> {
    let overdue = campaign::overdue(store, before).await?;
    if !args.json {
        out::lines(lines(&overdue, before, To::Stdout.paint()))?;
    }
    if args.yes {
        let bar = progress::bar("purge", args.json);
        let all = overdue.messages();
        let seen = |seen| {
            progress::over_messages(&bar, campaign::Progress::Seen(seen), all, "message removed", "messages removed");
        };
        let purged = campaign::purge(store, ground.clock.as_ref(), &overdue, seen).await;
        bar.finish_and_clear();
        out::talk(format_args!("{} removed.", of(i128::from(purged?), "message", "messages")));
    } else if !overdue.is_empty() && !args.json {
        out::talk("Nothing was removed. With --yes it is, for good.");
    }
    if args.json {
        out::json(&Shown {
            campaigns: overdue.campaigns.iter().map(name_of).collect(),
            audiences: overdue.audiences.iter().filter_map(|(_, name)| name.clone()).collect(),
            messages: overdue.messages(),
            done: args.yes,
        })?;
    }
    Ok(())
}

fn lines(overdue: &Overdue, before: Timestamp, paint: Paint) -> Vec<String> {
    let before = moment(before, None);
    if overdue.is_empty() {
        return vec![format!("No campaign that settled before {before} is left to purge.")];
    }
    let mut lines = vec![format!(
        "{} settled before {before}, with {}:",
        of(overdue.campaigns.len() as i128, "campaign", "campaigns"),
        of(i128::from(overdue.messages()), "message", "messages")
    )];
    for batch in overdue.campaigns.iter().take(NAMED) {
        let settled = batch.settled_at.map_or_else(String::new, |at| moment(at, None));
        lines.push(format!("  {:>12}  {}  {}", count(i128::from(batch.messages)), paint.dim(settled), name_of(batch)));
    }
    if let Some(more) = overdue.campaigns.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(paint.dim(format!("  and {more} more")));
    }
    let named: Vec<&str> = overdue.audiences.iter().filter_map(|(_, name)| name.as_deref()).collect();
    if !named.is_empty() {
        lines.push(format!("Audiences that nothing else has used: {}.", named.join(", ")));
    }
    lines
}

async fn erase(store: &dyn Store, person: Msisdn, args: &Args) -> anyhow::Result<()> {
    if !args.yes {
        let found = campaign::messages_to(store, person).await?;
        let messages: usize = found.iter().map(|(_, messages)| messages.len()).sum();
        out::talk(format_args!(
            "{person} has {} in {}. Nothing was removed. With --yes it is, for good.",
            of(messages as i128, "message", "messages"),
            of(found.len() as i128, "campaign", "campaigns")
        ));
        return Ok(());
    }
    match campaign::erase(store, person).await? {
        Erased::Done { messages, places } => out::talk(format_args!(
            "Erased: {} and {} of audiences. If they opted out, that stays.",
            of(messages as i128, "message", "messages"),
            of(places as i128, "row", "rows")
        )),
        Erased::Open(campaigns) if campaigns.is_empty() => {
            bail!("nothing was erased: a campaign to one of their audiences is being launched; try again once it is")
        }
        Erased::Open(campaigns) => {
            let names: Vec<String> = campaigns.iter().map(name_of).collect();
            bail!(
                "nothing was erased: messages to {person} have no outcome yet, of {}. Opt them out (`volley opt-out add \
                 {person}`) or cancel, and try again once these have ended",
                names.join(", ")
            );
        }
    }
    Ok(())
}

async fn compact(store: &dyn Store, ground: &Ground) -> anyhow::Result<()> {
    if !ground.nodes(store).await?.is_empty() {
        bail!("a server is running: stop it, and run `volley purge --compact` again");
    }
    let bar = progress::bar("compact", false);
    let done = store.compact().await;
    bar.finish_and_clear();
    done?;
    out::talk("The database was written anew, without what had been removed.");
    Ok(())
}
