//! `volley audience check`.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use super::{Reading, classify, summary};
use crate::base::domain::Recipient;
use crate::cli::{CommandContext, Exit, out, progress};
use crate::recipients::audience::{CheckView, Columns, Halt, Outputs, ReadingProgress, Reject, Sink, SourceFilter};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    reading: Reading,
    /// Write the accepted rows to this CSV file, after the columns msisdn and country.
    #[arg(long, value_name = "OUT.csv")]
    accepted: Option<PathBuf>,
    /// Write the rejected rows to this CSV file, followed by the columns line and reason.
    #[arg(long, value_name = "OUT.csv")]
    rejects: Option<PathBuf>,
}

impl Args {
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.reading.file
    }

    pub(in crate::cli) fn files_to_write(&self) -> impl Iterator<Item = &Path> {
        self.accepted.iter().chain(&self.rejects).map(PathBuf::as_path)
    }
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let begun = context.now();
    context.refuse_campaign_file(&args.reading.file)?;
    let store = context.store_for_reading().await?;
    let filter = SourceFilter::load(store.as_ref()).await?;
    store.close().await;
    let Args { reading, accepted, rejects } = args;
    let source = context.source(&reading.file)?;
    let label = source.label();
    let bar = progress::bar(&label, reading.json);
    let shown = bar.clone();
    let options = reading.options();
    let [accepted, rejects] = [accepted, rejects].map(|file| file.map(|file| context.output(&file)));
    let whole = tokio::task::spawn_blocking(move || {
        let outputs = Outputs::create(source.path(), accepted.as_deref(), rejects.as_deref())?;
        let mut sink = Checking { outputs, bar: shown };
        let summary = source.read(&options, &filter, &mut sink)?;
        sink.outputs.finish()?;
        Ok::<_, crate::recipients::audience::Error>(summary)
    });
    let whole = whole.await;
    bar.finish_and_clear();
    let summary = whole?.map_err(classify)?;
    let took = context.now().since(begun);
    if reading.json {
        out::json(&CheckView::new(&summary, took))?;
    } else {
        out::lines(summary::lines(&summary, took, &label, out::To::Stdout.paint()))?;
    }
    Ok(reading.exit(&summary))
}

/// Writes the requested files and updates the progress bar.
struct Checking {
    outputs: Outputs,
    bar: ProgressBar,
}

impl Sink for Checking {
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        self.outputs.columns(columns)
    }

    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        self.outputs.accepted(recipients)
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        self.outputs.rejected(rejects)
    }

    fn progress(&mut self, progress: ReadingProgress) -> Result<(), Halt> {
        progress::follow(&self.bar, progress);
        Ok(())
    }
}
