//! `volley campaign retry` and `clone`.

use std::collections::BTreeSet;

use super::{find, launch};
use crate::campaign::Again;
use crate::cli::{Exit, Ground, out};
use crate::domain::Outcome;

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
    /// The result as one object: id, name, state, messages.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    args: Args,
    /// How people have to have come out of it: undelivered, silent, unknown, expired, cancelled, skipped.
    #[arg(long = "outcome", value_name = "OUTCOME", value_delimiter = ',', required = true)]
    outcomes: Vec<Outcome>,
}

/// For those who came out of it so.
pub(super) async fn retry(ground: &Ground, retry: Retry) -> anyhow::Result<Exit> {
    let outcomes: BTreeSet<Outcome> = retry.outcomes.into_iter().collect();
    if outcomes.contains(&Outcome::Silent) || outcomes.contains(&Outcome::Unknown) {
        out::talk("Who is silent or unknown may have got it: some may get it twice.");
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
    let launched = launcher.again(&batch, &Again { name: args.name, at: args.at, outcomes }).await?;
    if args.json {
        out::json(&launch::LaunchShown::new(&launched, launched.state, &[]))?;
    } else {
        out::data(launch::headline(&launched, launched.state))?;
    }
    Ok(Exit::Done)
}
