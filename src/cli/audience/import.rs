//! `volley audience import`.

use std::path::Path;

use super::list::named;
use super::{Reading, classify, summary};
use crate::base::clock::format_time;
use crate::cli::{CommandContext, Exit, out, progress, words};
use crate::recipients::audience::{self, ImportError, ImportView, Keep, SourceFilter, SummaryView, imported_before};
use crate::store::Audience;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Name of the new audience, for campaigns.
    #[arg(long, value_parser = crate::base::domain::object_name)]
    name: Option<String>,
    /// Add new recipients to this audience. Campaigns launched before do not include them.
    #[arg(long, value_name = "NAME")]
    append: Option<String>,
}

impl Args {
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.reading.file
    }
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let Args { reading, target } = args;
    context.refuse_campaign_file(&reading.file)?;
    let was_there = context.database().exists();
    let store = context.store().await?;
    let to = match &target.append {
        Some(name) => Some(named(store.as_ref(), name).await?),
        None => None,
    };
    let name = target.name.or(target.append).unwrap_or_default();
    // Fail before a long import, not after it.
    if to.is_none() && store.audience_named(&name).await?.is_some() {
        let append = words::shell(&name);
        anyhow::bail!("an audience \"{name}\" exists; choose another name, or use --append {append}");
    }
    let filter = SourceFilter::load(store.as_ref()).await?;
    let source = context.source(&reading.file)?;
    let label = source.label();
    let bar = progress::bar(&label, reading.json);
    let imported = audience::import(
        store.as_ref(),
        context.clock.as_ref(),
        source,
        to.as_ref().map_or(Keep::Named(&name), Keep::AddTo),
        reading.options(),
        filter,
        Some(progress::on_progress(&bar)),
    )
    .await;
    bar.finish_and_clear();
    let others = store.audiences().await?;
    store.close().await;
    let (summary, took, added) = match imported {
        Ok(imported) => (imported.summary, imported.took, true),
        Err(ImportError::NothingNew { summary, took, .. }) => (*summary, took, false),
        Err(ImportError::Read(error)) => return Err(classify(error)),
        Err(error) => return Err(error.into()),
    };
    let before = summary.sha256.as_deref().and_then(|digest| imported_before(&others, digest, added));
    if reading.json {
        let same_as = before.map(|(name, _)| name);
        out::json(&ImportView {
            name: &name,
            added: if added { summary.valid } else { 0 },
            took_ms: took.millis(),
            same_as,
            summary: SummaryView::new(&summary),
        })?;
    } else {
        out::lines(summary::lines(&summary, took, &label, out::To::Stdout.paint()))?;
        out::data("")?;
        let recipients = words::plural(summary.valid, "recipient", "recipients");
        match to.as_ref().map(Audience::recipients) {
            None => out::data(format_args!(
                "Imported {recipients} as \"{name}\"; campaigns use it with audience = \"{name}\"."
            ))?,
            Some(_) if !added => {
                out::data(format_args!("All of its recipients are already in \"{name}\"; nothing was added."))?;
            }
            Some(had) => {
                let all = words::plural(u64::from(had) + summary.valid, "recipient", "recipients");
                out::data(format_args!(
                    "Added {recipients} to \"{name}\", which now has {all}; campaigns launched before do not include them."
                ))?;
            }
        }
        if let Some((name, at)) = before {
            out::talk(format_args!(
                "The same file was imported before, into \"{name}\", at {}.",
                format_time(at, None)
            ));
        }
    }
    context.print_database(was_there);
    Ok(reading.exit(&summary))
}
