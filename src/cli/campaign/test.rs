//! `volley campaign test`: sends a campaign's messages to a few test numbers.

use std::path::Path;

use super::{find, launch};
use crate::campaign::{Draft, Trial};
use crate::cli::{CommandContext, Exit, out};
use crate::domain::{Country, StepIndex};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A campaign file, or a launched campaign or a draft (name, id or `latest`).
    campaign: String,
    /// Test numbers, at most ten. Each gets the message of one of the first recipients.
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', required = true)]
    to: Vec<String>,
    /// Send only this step, instead of the whole route.
    #[arg(long, value_name = "STEP", value_parser = super::step)]
    step: Option<StepIndex>,
    /// Default country for numbers without a country code: SG.
    #[arg(long, value_name = "CC")]
    country: Option<Country>,
    /// Print one JSON object: id, name, state, messages.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &CommandContext, args: Args) -> anyhow::Result<Exit> {
    let trial = Trial { to: args.to, only: args.step, country: args.country };
    let store = context.store().await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let launcher = context.launcher(store.as_ref());
    let file = Path::new(&args.campaign);
    let launched = if file.is_file() {
        launcher.try_file(&Draft::load(file)?, &trial).await?
    } else {
        launcher.try_campaign(&find(store.as_ref(), &args.campaign).await?, &trial).await?
    };
    if args.json {
        out::json(&launch::LaunchShown::new(&launched, launched.state, &[]))?;
    } else {
        out::data(launch::headline(&launched, launched.state))?;
    }
    Ok(Exit::Done)
}
