//! `volley campaign retry` and `clone`.

use std::collections::BTreeSet;

use super::{find, launch};
use crate::campaign::{Again, LaunchError};
use crate::cli::config::warn;
use crate::cli::watch::obstacles;
use crate::cli::words::shell;
use crate::cli::{Exit, Ground, out};
use crate::domain::{BatchState, Outcome, Plan};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The campaign's name or its id.
    campaign: String,
    /// What to call the new one; the same name with a number behind it where nothing is said.
    #[arg(long, value_parser = crate::cli::audience::name)]
    name: Option<String>,
    /// Begin then instead of at once: 2026-12-01T09:00, in the campaign's time zone or with an offset.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Lay everything out, and let nothing leave before `campaign start`.
    #[arg(long)]
    draft: bool,
    /// The result as one object: id, name, state, messages.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    args: Args,
    /// How people have to have come out of it: undelivered, silent, unknown, expired, cancelled,
    /// skipped, reached.
    #[arg(long = "outcome", value_name = "OUTCOME", value_delimiter = ',', required = true)]
    outcomes: Vec<Outcome>,
}

/// For those who came out of it so.
pub(super) async fn retry(ground: &Ground, retry: Retry) -> anyhow::Result<Exit> {
    let outcomes: BTreeSet<Outcome> = retry.outcomes.into_iter().collect();
    if outcomes.contains(&Outcome::Silent) || outcomes.contains(&Outcome::Unknown) {
        out::talk("Who is silent or unknown may have got it: some may get it twice.");
    }
    if outcomes.contains(&Outcome::Reached) {
        out::talk("Who was reached has got it, and gets it once more.");
    }
    if outcomes.contains(&Outcome::Skipped) {
        out::talk("Who was skipped is so again, unless what stood in the way is gone.");
    }
    run(ground, retry.args, Some(outcomes)).await
}

/// For everybody.
pub(super) async fn clone(ground: &Ground, args: Args) -> anyhow::Result<Exit> {
    run(ground, args, None).await
}

async fn run(ground: &Ground, args: Args, outcomes: Option<BTreeSet<Outcome>>) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let ground = &ground.as_turned(store.as_ref()).await?;
    let launcher = ground.launcher(store.as_ref());
    let again = Again { name: args.name, at: args.at, outcomes, is_draft: args.draft };
    let launched = launcher.again(&batch, &again).await.map_err(|error| match error {
        LaunchError::Problems(problems) if problems.iter().all(|problem| problem.key == "at") => {
            launch::wrong_at(problems).into()
        }
        error => anyhow::Error::from(error),
    })?;
    let before = store.plan(batch.id).await?;
    if args.json {
        out::json(&launch::LaunchShown::new(&launched, launched.state, &[]))?;
    } else {
        out::data(launch::headline(&launched, launched.state))?;
        before.iter().flat_map(|before| what_is_over(before, &launched.name)).for_each(out::talk);
        if launched.state != BatchState::Draft {
            warn(&obstacles(ground, store.as_ref(), launched.batch).await?);
        }
    }
    Ok(Exit::Done)
}

/// What was said of the first time alone.
fn what_is_over(before: &Plan, name: &str) -> impl Iterator<Item = String> {
    let end = before.end.map(|_| {
        format!(
            "The end of the first time does not count; to give it one: volley campaign set {} --end TIME",
            shell(name)
        )
    });
    let is_theirs = before.steps.iter().any(|step| step.hours.since.is_some());
    let since = is_theirs
        .then(|| "It begins for everybody at the same moment, and not by each recipient's own clock.".to_owned());
    end.into_iter().chain(since)
}
