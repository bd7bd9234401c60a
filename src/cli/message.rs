//! `volley message`: everything about one message, and the rule that decided each step.

use anyhow::{Context, bail};

use super::out::{self, To};
use super::{Exit, Ground};
use crate::campaign::{self, Story};
use crate::domain::{MessageId, Timestamp};
use crate::store::Book;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Where one message stands: its recipient, its step, its outcome, and each hand-over.
    Show {
        /// The message's id: msg_… from a report, or the UUID of the 8x8 API.
        id: String,
        /// One object.
        #[arg(long)]
        json: bool,
    },
    /// The story of one message, line by line, with the rule behind each line.
    #[command(
        after_help = "The story is derived: the rules are run once more over what is recorded of the message.\n\nExample:\n  volley message explain msg_00000001000080068d2f1c9b7a3e5d10"
    )]
    Explain {
        /// The message's id: msg_… from a report, or the UUID of the 8x8 API.
        id: String,
        /// One object.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, ground: &Ground) -> anyhow::Result<Exit> {
    let (Command::Show { id, json } | Command::Explain { id, json }) = &command;
    let story = story(ground, id).await?;
    if *json {
        out::json(&story)?;
        return Ok(Exit::Done);
    }
    match command {
        Command::Show { .. } => show(&story)?,
        Command::Explain { .. } => explain(&story)?,
    }
    Ok(Exit::Done)
}

async fn story(ground: &Ground, id: &str) -> anyhow::Result<Story> {
    let id: MessageId = id.parse()?;
    let store = ground.existing_store().await?;
    let unknown = || format!("there is no message {id} in {}", ground.database().display());
    let batch = store.batch(id.key.batch).await?.with_context(unknown)?;
    if batch.tag != id.tag {
        bail!("message {id} was made by another installation, or for a database that is gone");
    }
    let entry = Book::new(store.clone()).get(batch.id).await?.with_context(unknown)?;
    let story = campaign::explain(store.as_ref(), &batch, &entry, id.key).await?;
    store.close().await;
    story.with_context(unknown)
}

fn heading(story: &Story) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    let outcome = story.outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
    out::data(format!("{}  {}", paint.bold(&story.message), paint.dim(story.campaign.as_deref().unwrap_or(""))))?;
    let client = story.client_message_id.as_deref().map(|id| format!("  ClientMessageId {id}")).unwrap_or_default();
    out::data(format!("to {}  step {}  {}{outcome}{client}", story.msisdn, story.step, story.state))
}

fn show(story: &Story) -> anyhow::Result<()> {
    heading(story)?;
    for attempt in &story.attempts {
        out::data(format!("  step {}  {}", attempt.step, attempt.text))?;
    }
    for receipt in &story.receipts {
        out::data(format!("  step {}  {}  {}", receipt.step, moment(receipt.at), receipt.text))?;
    }
    Ok(())
}

fn explain(story: &Story) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    heading(story)?;
    out::data("")?;
    for line in &story.lines {
        out::data(format!("{}  {}", paint.dim(moment(line.at)), line.text))?;
        out::data(format!("{:23}  {}", "", paint.dim(format!("rule {}", line.rule))))?;
    }
    if !story.proven {
        out::data("")?;
        out::data(
            "The rules, run over the facts, do not end where the message stands now; a fact may still be on its way.",
        )?;
    }
    Ok(())
}

/// To the millisecond, in UTC: `2026-11-20 14:15:02.123`.
fn moment(at: Timestamp) -> String {
    at.rfc3339().replace('T', " ").trim_end_matches('Z').to_owned()
}
