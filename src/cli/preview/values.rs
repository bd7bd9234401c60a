//! `volley template preview`: shows the messages of a campaign file or a route with given values.

use std::num::NonZeroU8;
use std::path::{Path, PathBuf};

use super::{Page, SharedArgs, message_lines, write};
use crate::base::clock::format_time;
use crate::base::domain::{StepIndex, Values};
use crate::campaigns::campaign::{DraftRoute, LaunchError, MessagePreview, Sample, ValuesError, ValuesView};
use crate::cli::campaign::{in_file, media, step};
use crate::cli::exit::Usage;
use crate::cli::out::{self, To};
use crate::cli::words::plural;
use crate::cli::{CommandContext, Exit};
use crate::provider::media::At;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A campaign file, TOML or JSON; its recipients are not read. Default: a route of volley.toml.
    file: Option<PathBuf>,
    /// Show this route of volley.toml. Default: the default route.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    route: Option<String>,
    /// Show only this step.
    #[arg(long, value_name = "STEP", value_parser = step)]
    step: Option<NonZeroU8>,
    /// A column and its value, such as FirstName=Ann; repeatable. Other variables show as missing.
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = column_and_value)]
    with: Vec<(String, String)>,
    #[command(flatten)]
    shared: SharedArgs,
    /// Print one JSON object: steps.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(in crate::cli) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(in crate::cli) fn page(&self) -> Option<&Path> {
        self.shared.html.as_deref()
    }
}

pub(in crate::cli) fn column_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, value)) if !column.trim().is_empty() => Ok((column.trim().to_owned(), value.to_owned())),
        Some(_) | None => Err(format!("\"{text}\" names no column; write COLUMN=VALUE, such as FirstName=Ann")),
    }
}

pub(in crate::cli) async fn run(args: &Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.store_for_reading().await?;
    let sample = sample(args, context, store.as_ref()).await;
    store.close().await;
    let (title, sample) = sample?;
    let messages = messages(&sample, args)?;
    if args.json {
        out::json(&ValuesView::new(&messages))?;
    } else {
        let paint = To::Stdout.paint();
        let step = |(index, message): &(StepIndex, MessagePreview)| {
            let title = format!("Step {index}: {}", paint.bold(message.bubble.channel));
            std::iter::once(title).chain(message_lines(message, paint)).collect::<Vec<_>>()
        };
        out::lines(messages.iter().flat_map(step))?;
    }
    if let Some(html) = &args.shared.html {
        let mut page = Page::new(&title, Vec::new(), format_time(context.now(), None));
        messages.iter().for_each(|(index, message)| page.add_message(*index, message));
        write(&page, (context, html))?;
    }
    Ok(Exit::Done)
}

/// The steps to show, and their title.
async fn sample(args: &Args, context: &CommandContext, store: &dyn Store) -> anyhow::Result<(String, Sample)> {
    let Some(file) = &args.file else {
        let (title, mut route) = match &args.route {
            Some(name) => (format!("route {name}"), DraftRoute::Named(name.clone())),
            None => ("default route".to_owned(), DraftRoute::Default { sub_account: None }),
        };
        // A configured route has a folder of its own.
        let written = media::Written { route: &mut route, folder: Path::new(""), values: &Values::default() };
        let (context, _) = media::review(context, store, written, (At::Plan, false)).await?;
        return Ok((title, Sample::of_route(&route, &context.config, store).await?));
    };
    let mut draft = context.campaign_file(file)?;
    let sample = async {
        let (context, _) = media::review(context, store, media::of(&mut draft), (At::Plan, false)).await?;
        Sample::of_draft(&draft, &context.config, store).await
    };
    Ok((file.display().to_string(), sample.await.map_err(|error: LaunchError| in_file(error, file))?))
}

/// The messages of the steps to show, each with its step.
fn messages(sample: &Sample, args: &Args) -> anyhow::Result<Vec<(StepIndex, MessagePreview)>> {
    let steps = sample.steps.len();
    if let Some(only) = args.step.filter(|only| usize::from(only.get()) > steps) {
        let all = plural(steps as u64, "step", "steps");
        return Err(Usage(format!("--step: unknown step {only}; the route has {all}")).into());
    }
    let is_wanted = |index: StepIndex| args.step.is_none_or(|only| only.get() == index.get() + 1);
    let filled = sample.messages(is_wanted, &args.with, args.shared.max_parts);
    filled.map_err(|error| match error {
        ValuesError::Unused { .. } | ValuesError::Column(_) => Usage(format!("--with: {error}")).into(),
        ValuesError::Template(_) => anyhow::Error::from(error),
    })
}
