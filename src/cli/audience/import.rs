//! `volley audience import`.

use std::sync::Arc;

use serde::Serialize;

use super::{Reading, summary, told};
use crate::audience::{self, ImportError, Sieve, Source, Summary};
use crate::cli::{Exit, Ground, out, progress, words};
use crate::optout::OptOuts;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    reading: Reading,
    /// What campaigns will call it.
    #[arg(long, value_parser = super::name)]
    name: String,
}

#[derive(Serialize)]
struct ImportShown<'a> {
    name: &'a str,
    #[serde(flatten)]
    summary: &'a Summary,
}

pub(super) async fn run(args: Args, ground: &Ground) -> anyhow::Result<Exit> {
    let Args { reading, name } = args;
    let was_there = ground.database().exists();
    let store = ground.store().await?;
    // Said before a long import instead of after it.
    if store.audience_named(&name).await?.is_some() {
        return Err(crate::store::Error::NameTaken { name }.into());
    }
    let opted_out = Arc::new(OptOuts::load(store.as_ref()).await?);
    let bar = progress::bar(&reading.label(), reading.json);
    let imported = audience::import(
        store.as_ref(),
        ground.clock.as_ref(),
        Source::File(reading.file.clone()),
        Some(name.clone()),
        reading.options(),
        Sieve::new(opted_out),
        Some(progress::on_progress(&bar)),
    )
    .await;
    bar.finish_and_clear();
    store.close().await;
    let summary = match imported {
        Ok(imported) => imported.summary,
        Err(ImportError::Read(error)) => return Err(told(error)),
        Err(error) => return Err(error.into()),
    };
    if reading.json {
        out::json(&ImportShown { name: &name, summary: &summary })?;
    } else {
        out::lines(summary::lines(&summary, &reading.label(), out::To::Stdout.paint()))?;
        let people = words::of(summary.valid, "person", "people");
        out::data("")?;
        out::data(format_args!("Kept as \"{name}\": {people} for any campaign that says audience = \"{name}\"."))?;
    }
    ground.say_where(was_there);
    Ok(reading.exit(&summary))
}
