//! `volley message`: everything about one message, and the rule that decided each step.

mod find;
mod list;
mod strays;

use anyhow::Context;

use super::out::{self, To};
use super::{Exit, Ground};
use crate::campaign::{self, Story, moment_exactly};
use crate::domain::Zone;
use crate::store::Book;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The messages of a campaign, each with its id, whom it goes to and where it stands.
    #[command(after_help = "\
Examples:
  volley message list 'November promo'
  volley message list 'November promo' --outcome undelivered
  volley message list 'November promo' --unknown --json | jq -r .id
  volley message list --to +6581234510            of every campaign")]
    List(list::Args),
    /// Where one message stands: its recipient, its step, its outcome, and each hand-over.
    #[command(after_help = "\
Examples:
  volley message show msg_0000000100008006802f1c9b7a3e5d10
  volley message show 'November promo' +6581234510
  volley message show 'November promo' spring-0001         a ClientMessageId of the recipient file")]
    Show {
        #[command(flatten)]
        which: find::Which,
        /// One object.
        #[arg(long)]
        json: bool,
    },
    /// The story of one message, line by line, with the rule behind each line.
    #[command(after_help = "\
The story is derived: the rules are run once more over what is recorded of the message.

Examples:
  volley message explain msg_0000000100008006802f1c9b7a3e5d10
  volley message explain 'November promo' +6581234510
  volley message explain --rules")]
    Explain {
        /// Nothing where the rules are asked for.
        #[command(flatten)]
        which: Option<find::Which>,
        /// One object.
        #[arg(long)]
        json: bool,
        /// The ten rules instead, one line each.
        #[arg(long, exclusive = true)]
        rules: bool,
    },
    /// Receipts that belong to no message of ours, each with the provider's umid.
    Strays(strays::Args),
}

/// What the numbers in a story stand for.
const RULES: [&str; 10] = [
    "Deadline: it runs from when the provider accepts a step; then the next step has its turn.",
    "Whose fault: what fails for the person goes on to the next step; what fails for the sender is held, and waits.",
    "Possible only: a step waits for no status that its channel never reports.",
    "Last step: it has no deadline; it ends with success, failure, or the close of its receipt window.",
    "TTL: nothing leaves after the campaign's ttl or end; what has not left then is expired.",
    "Late truth: a late success recalls what has not left yet, and turns a bad end into reached, never back.",
    "Unknown is not failed: what may have left counts as handed over, and is not sent again by itself.",
    "Pause and cancel: from when they answer, nothing leaves; after a cancel the present step is the last.",
    "Silence is only news while we listen: a deadline in a time without receipts is held, or the provider is asked.",
    "A step that cannot leave: waiting for pace, tier or a hold uses up no step, unless leave_within says so.",
];

pub(super) async fn run(command: Command, ground: &Ground) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => return list::run(args, ground).await,
        Command::Strays(args) => return strays::run(args, ground).await,
        Command::Explain { which: None, .. } => {
            out::lines(RULES.iter().zip(1..).map(|(rule, number)| format!("{number:>2}  {rule}")))?;
        }
        Command::Show { which, json } => {
            let (story, zone) = story(ground, &which).await?;
            if json { out::json(&story)? } else { show(&story, zone)? }
        }
        Command::Explain { which: Some(which), json, .. } => {
            let (story, zone) = story(ground, &which).await?;
            if json { out::json(&story)? } else { explain(&story, zone)? }
        }
    }
    Ok(Exit::Done)
}

/// The story, and the zone in which it is told.
async fn story(ground: &Ground, which: &find::Which) -> anyhow::Result<(Story, Option<Zone>)> {
    let store = ground.existing_store().await?;
    let (batch, key) = which.find(ground, store.as_ref()).await?;
    let gone = || format!("the message is gone from {}", ground.database().display());
    let entry = Book::new(store.clone()).get(batch.id).await?.with_context(gone)?;
    let story = campaign::explain(store.as_ref(), &batch, &entry, key, ground.now()).await?;
    store.close().await;
    Ok((story.with_context(gone)?, entry.plan.time_zone))
}

fn heading(story: &Story, zone: Option<Zone>) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    let outcome = story.outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
    out::data(format!("{}  {}", paint.bold(&story.message), paint.dim(story.campaign.as_deref().unwrap_or(""))))?;
    let client = story.client_message_id.as_deref().map(|id| format!("  ClientMessageId {id}")).unwrap_or_default();
    let zone = zone.map(|zone| format!("  times in {zone}")).unwrap_or_default();
    out::data(format!("to {}  step {}  {}{outcome}{client}{zone}", story.msisdn, story.step, story.state))
}

fn show(story: &Story, zone: Option<Zone>) -> anyhow::Result<()> {
    heading(story, zone)?;
    for attempt in &story.attempts {
        out::data(format!("  step {}  {}", attempt.step, attempt.text))?;
    }
    for receipt in &story.receipts {
        out::data(format!("  step {}  {}  {}", receipt.step, moment_exactly(receipt.at, zone), receipt.text))?;
    }
    for asked in &story.asked {
        out::data(format!("  step {}  {}  {}", asked.step, moment_exactly(asked.at, zone), asked.text))?;
    }
    Ok(())
}

fn explain(story: &Story, zone: Option<Zone>) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    heading(story, zone)?;
    out::data("")?;
    for line in &story.lines {
        let at = moment_exactly(line.at, zone);
        // Some things happen by no rule: a launch, say.
        let by = if line.rule.starts_with(|c: char| c.is_ascii_digit()) { "rule " } else { "" };
        out::data(format!("{}  {}", paint.dim(&at), line.text))?;
        out::data(format!("{:1$}  {2}", "", at.len(), paint.dim(format!("{by}{}", line.rule))))?;
    }
    if let Some(what) = &story.refuted {
        out::data("")?;
        out::data(format!("Rules and facts contradict each other from here on: {what}."))?;
    }
    Ok(())
}
