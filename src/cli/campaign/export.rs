//! `volley campaign export`: writes a row for each recipient, with the result of every step.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::{ensure_not_purged, find};
use crate::base::clock::wanted_zone;
use crate::campaigns::report;
use crate::campaigns::report::{CopyProgress, ExportColumns};
use crate::cli::exit::Usage;
use crate::cli::interrupt::Interrupts;
use crate::cli::words::plural;
use crate::cli::{CommandContext, Exit, out, progress};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name or id of the campaign, or `latest`.
    campaign: String,
    /// Output file: XLSX for names that end in .xlsx; CSV for .csv, .txt or no extension; `-` writes CSV to standard
    /// output.
    file: PathBuf,
    /// Columns to write, in this order, separated by commas: `number,outcome,1 SMS status`. By default all.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
}

impl Args {
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.file
    }
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    out::is_table(&args.file)?;
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    ensure_not_purged(&batch)?;
    let plan = store
        .plan(batch.id)
        .await?
        .with_context(|| format!("the plan of \"{}\" is no longer stored", args.campaign))?;
    let columns = ExportColumns::of(&plan, batch.tag, wanted_zone());
    let columns = columns.only(&args.columns).map_err(|error| Usage(format!("--columns: {error}")))?;
    let header = columns.names().map(str::to_owned).collect();
    let to_stdout = out::is_stdout(&args.file);
    let mut sheets = out::table_into(context, &args.file, header)?;
    let (copying, bar) = (progress::bar("copy", false), progress::bar("export", to_stdout));
    let mut interrupts = Interrupts::listen();
    let exporting = report::export(
        store.as_ref(),
        batch.id,
        &columns,
        |cells| sheets.row(&cells),
        |seen, all| match seen {
            // Nothing is written to standard output before the copy is complete, so this bar disturbs no output.
            CopyProgress::Copied(copied) if copied < all => {
                progress::over_messages(&copying, seen, all, "row", "rows");
            }
            CopyProgress::Copied(_) => copying.finish_and_clear(),
            CopyProgress::Seen(_) => progress::over_messages(&bar, seen, all, "row", "rows"),
        },
    );
    let exported = tokio::select! {
        exported = exporting => Some(exported),
        () = interrupts.next() => None,
    };
    copying.finish_and_clear();
    bar.finish_and_clear();
    let Some(exported) = exported else { bail!("stopped before the export was complete") };
    let rows = exported??;
    sheets.finish()?;
    if !to_stdout {
        let rows = plural(i128::from(rows), "row", "rows");
        out::talk(format_args!("Wrote {rows} of \"{}\" to {}.", batch.display_name(), args.file.display()));
    }
    Ok(Exit::Done)
}
