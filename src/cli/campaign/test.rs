//! `volley campaign test`: sends a campaign's messages to a few test numbers.

use std::num::NonZeroU8;
use std::path::Path;

use anyhow::Context;

use super::{Until, find, launch, media};
use crate::base::clock::format_time;
use crate::base::domain::BatchState;
use crate::campaigns::campaign::{Draft, LaunchError, LaunchView, Launched, Trial};
use crate::campaigns::report::{MessageResult, results_in};
use crate::cli::config::warn;
use crate::cli::interrupt::Interrupts;
use crate::cli::message::results::words;
use crate::cli::out::{self, To};
use crate::cli::preview::values::column_and_value;
use crate::cli::table::Table;
use crate::cli::watch::{How, follow, stopped_watching, warn_of_obstacles};
use crate::cli::{CommandContext, Exit};
use crate::provider::media::At;
use crate::recipients::audience::DefaultCountry;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A campaign file, or a launched campaign or a draft (name, id or `latest`).
    campaign: String,
    /// Test numbers, at most ten. Each gets the message of one of the first recipients.
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', required = true)]
    to: Vec<String>,
    /// Send only this step, instead of the whole route.
    #[arg(long, value_name = "STEP", value_parser = super::step)]
    step: Option<NonZeroU8>,
    /// Default country for numbers without a country code, such as SG.
    #[arg(long, value_name = "CC")]
    country: Option<DefaultCountry>,
    /// A column and its value for these messages, such as FirstName=Ann; repeatable. A step on LINE needs an id of yours.
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = column_and_value)]
    with: Vec<(String, String)>,
    /// Wait until every message has its outcome, and print it.
    #[arg(long)]
    wait: bool,
    /// Print one JSON object: id, name, state, messages; with --wait also results, a list of objects.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// A path, if the campaign is a file.
    pub(in crate::cli) fn campaign_or_file(&self) -> &Path {
        Path::new(&self.campaign)
    }
}

pub(super) async fn run(context: &CommandContext, args: Args) -> anyhow::Result<Exit> {
    let trial = Trial { to: args.to, only: args.step, country: args.country, with: args.with };
    let store = context.store().await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let launcher = context.launcher(store.as_ref());
    let file = Path::new(&args.campaign);
    let launched = if context.is_campaign_file(file) {
        try_file(context, store.as_ref(), context.campaign_file(file)?, &trial)
            .await
            .map_err(|error| in_file(error, file))?
    } else {
        launcher.try_campaign(&find(store.as_ref(), &args.campaign).await?, &trial).await?
    };
    if !args.wait {
        print(&launched, launched.state, None, args.json)?;
        if !args.json {
            warn_of_obstacles(context, store.as_ref(), launched.batch).await?;
        }
        return Ok(Exit::Done);
    }
    if !args.json {
        out::talk(launch::headline(&launched, launched.state));
    }
    let how = if args.json { How::Silent } else { How::Passing(To::Stderr) };
    let mut interrupts = Interrupts::listen();
    let (batch, exit) = tokio::select! {
        look = follow(context, store.as_ref(), launched.batch, Until::Settled, how) => (look?.batch, Exit::Done),
        () = interrupts.next() => {
            out::talk(stopped_watching(context, store.as_ref(), launched.batch).await?.1);
            (store.batch(launched.batch).await?.context("the test send is no longer in the database")?, Exit::Failed)
        }
    };
    let results = results_in(store.as_ref(), &batch).await?;
    print(&launched, batch.state, Some(results), args.json)?;
    Ok(exit)
}

async fn try_file(
    context: &CommandContext,
    store: &dyn Store,
    mut draft: Draft,
    trial: &Trial,
) -> Result<Launched, LaunchError> {
    let (context, notes) =
        media::review(context, store, media::of(&mut draft), (At::Launch, context.may_request())).await?;
    warn(notes.iter());
    context.launcher(store).try_file(&draft, trial).await
}

/// The error of a test of a file: names the file, unless the error is about the options of the test.
fn in_file(error: LaunchError, file: &Path) -> anyhow::Error {
    match error {
        LaunchError::Problems(ref problems) if problems.iter().any(|problem| problem.key == "test") => error.into(),
        error => launch::in_file(error, file),
    }
}

fn print(
    launched: &Launched,
    state: BatchState,
    results: Option<Vec<MessageResult>>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        return out::json(&LaunchView { results, ..LaunchView::new(launched, state, &[]) });
    }
    let Some(results) = results else { return out::data(launch::headline(launched, state)) };
    let mut table = Table::new(&["=number", "result", "time", "=message"]);
    for result in &results {
        let at = format_time(result.at, launched.zone);
        table.row([result.address.to_string(), words(result), at, result.id.clone()]);
    }
    out::lines(table.lines(To::Stdout.paint()))
}
