//! `volley message`: shows messages, and explains one message by the rule behind each decision.

mod decide;
mod find;
mod list;
pub(super) mod results;
mod strays;

use anyhow::Context;

use super::out::{self, To};
use super::{CommandContext, Exit};
use crate::base::clock::format_time_exactly;
use crate::base::domain::Zone;
use crate::campaigns::campaign::MessageDecision;
use crate::campaigns::story;
use crate::campaigns::story::Story;
use crate::sending::book::Book;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the messages of a campaign, each with its id, number and state.
    #[command(after_help = "\
Examples:
  volley message list 'November promo'
  volley message list 'November promo' --outcome undelivered
  volley message list 'November promo' --unknown --json | jq -r .id
  volley message list --to +6581234510            in all campaigns")]
    List(list::Args),
    /// Show the state of one message: its recipient, step, outcome and submissions.
    #[command(after_help = "\
Examples:
  volley message show msg_0000000100008006802f1c9b7a3e5d10
  volley message show 'November promo' +6581234510
  volley message show 'November promo' spring-0001         a ClientMessageId of the recipient file")]
    Show {
        #[command(flatten)]
        which: find::Which,
        /// Print one JSON object; for a number alone, a list of objects.
        #[arg(long)]
        json: bool,
    },
    /// Explain one message: list its events, with the rule behind each decision.
    #[command(after_help = "\
The explanation is derived: the rules are run again over the recorded facts.

Examples:
  volley message explain msg_0000000100008006802f1c9b7a3e5d10
  volley message explain 'November promo' +6581234510
  volley message explain +6581234510                   lists its messages of all campaigns
  volley message explain --rules")]
    Explain {
        /// Absent with `--rules`.
        #[command(flatten)]
        which: Option<find::Which>,
        /// Print one JSON object; for a number alone, a list of objects.
        #[arg(long)]
        json: bool,
        /// Print the ten rules instead, one line each.
        #[arg(long, exclusive = true)]
        rules: bool,
    },
    /// Cancel one message: what was never submitted is not sent, and no step follows one that was.
    #[command(after_help = "\
Examples:
  volley message cancel msg_0000000100008006802f1c9b7a3e5d10
  volley message cancel 'November promo' +6581234510 --reason 'wrong number'")]
    Cancel(decide::Args),
    /// Release a message that is set aside: it returns to its queue.
    #[command(after_help = "\
A message is set aside if the provider refuses it, without a known code, while it accepts others.

Examples:
  volley message list 'November promo' --state set-aside
  volley message release msg_0000000100008006802f1c9b7a3e5d10")]
    Release(decide::Args),
    /// List webhooks that belong to no message of this installation, each with the reason, type and umid.
    Strays(strays::Args),
}

/// The rules that an explanation names by number.
const RULES: [&str; 10] = [
    "Deadline: it starts when the provider accepts a step; when it passes, the message falls back.",
    "Cause: a failure of the recipient falls back to the next step; a failure of the sender is held, and waits.",
    "Possible statuses: a step never waits for a status that its channel does not report.",
    "Last step: it has no deadline; it ends with success, failure, or the end of its receipt window.",
    "TTL: nothing is submitted after the campaign's ttl or end, or the message's own expiry; what is unsent then expires.",
    "Late success: it recalls a step not yet submitted, and changes a failed outcome to reached, never back.",
    "Unknown is not failed: a step that may have been submitted counts as submitted, and is not resent.",
    "Pause and cancel: once the command returns, nothing is sent; after a cancel the present step is the last.",
    "Silence counts only while receipts can arrive: a deadline in a gap is held, or the provider is asked.",
    "A step that cannot be submitted: waiting for rate, tier or a hold uses up no step, unless leave_within says so.",
];

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => return list::run(args, context).await,
        Command::Strays(args) => return strays::run(args, context).await,
        Command::Cancel(args) => decide::run(args, context, MessageDecision::Cancel).await?,
        Command::Release(args) => decide::run(args, context, MessageDecision::Release).await?,
        Command::Explain { which: None, .. } => {
            out::lines(RULES.iter().zip(1..).map(|(rule, number)| format!("{number:>2}  {rule}")))?;
        }
        Command::Show { which, json } if let Some(address) = which.address() => {
            return results::list(context, address, "show", json).await;
        }
        Command::Explain { which: Some(which), json, .. } if let Some(address) = which.address() => {
            return results::list(context, address, "explain", json).await;
        }
        Command::Show { which, json } => {
            let (story, zone) = story(context, &which).await?;
            if json { out::json(&story)? } else { show(&story, zone)? }
        }
        Command::Explain { which: Some(which), json, .. } => {
            let (story, zone) = story(context, &which).await?;
            if json { out::json(&story)? } else { explain(&story, zone)? }
        }
    }
    Ok(Exit::Done)
}

/// Reads the story of a message, and the time zone for its times.
async fn story(context: &CommandContext, which: &find::Which) -> anyhow::Result<(Story, Option<Zone>)> {
    let store = context.existing_store().await?;
    let (batch, key) = which.find(context, store.as_ref()).await?;
    let gone = || format!("the message is no longer in {}", context.database().display());
    let entry = Book::new(store.clone()).get(batch.id).await?.with_context(gone)?;
    let story = story::explain(store.as_ref(), &batch, &entry, key, context.now(), None).await?;
    store.close().await;
    Ok((story.with_context(gone)?, entry.plan.time_zone))
}

fn heading(story: &Story, zone: Option<Zone>) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    let outcome = story.outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
    out::data(format!("{}  {}", paint.bold(&story.id), paint.dim(story.campaign.as_deref().unwrap_or(""))))?;
    let client = story.client_message_id.as_deref().map(|id| format!("  ClientMessageId {id}")).unwrap_or_default();
    let expiry = story.expiry.map(|at| format!("  expiry {}", format_time_exactly(at, zone))).unwrap_or_default();
    let zone = zone.map(|zone| format!("  times in {zone}")).unwrap_or_default();
    out::data(format!("to {}  step {}  {}{outcome}{client}{expiry}{zone}", story.address, story.step, story.state))
}

fn show(story: &Story, zone: Option<Zone>) -> anyhow::Result<()> {
    heading(story, zone)?;
    for attempt in &story.attempts {
        out::data(format!("  step {}  {}", attempt.step, attempt.text))?;
    }
    for receipt in &story.receipts {
        out::data(format!("  step {}  {}  {}", receipt.step, format_time_exactly(receipt.at, zone), receipt.text))?;
    }
    for asked in &story.asked {
        out::data(format!("  step {}  {}  {}", asked.step, format_time_exactly(asked.at, zone), asked.text))?;
    }
    Ok(())
}

fn explain(story: &Story, zone: Option<Zone>) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    heading(story, zone)?;
    out::data("")?;
    for line in &story.lines {
        let at = format_time_exactly(line.at, zone);
        // Some events have no rule: a launch, for example.
        let by = if line.rule.starts_with(|c: char| c.is_ascii_digit()) { "rule " } else { "" };
        out::data(format!("{}  {}", paint.dim(&at), line.text))?;
        out::data(format!("{:1$}  {2}", "", at.len(), paint.dim(format!("{by}{}", line.rule))))?;
    }
    if let Some(what) = &story.contradiction {
        out::data("")?;
        out::data(format!("From here on, the rules and the recorded facts contradict each other: {what}."))?;
    }
    Ok(())
}
