//! `volley campaign export`: a row for each recipient, with what became of every step.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::{find, has_messages, name_of};
use crate::campaign::{self, Columns, Progress};
use crate::cli::exit::Usage;
use crate::cli::interrupt::Interrupts;
use crate::cli::words::of;
use crate::cli::{Exit, Ground, out, progress};
use crate::domain::Zone;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Its name or its id.
    campaign: String,
    /// Where to: an XLSX file where the name ends in .xlsx, CSV where it ends in .csv, .txt or nothing; `-` is CSV on
    /// standard output.
    file: PathBuf,
    /// Only these columns, in this order, separated by commas. Without it all of them: message, ClientMessageId, number,
    /// country, state, outcome, reason, those of the recipient file, and ten of each step.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// In which times are written; without it the campaign's own, else UTC.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<Zone>,
}

pub(super) async fn run(args: Args, ground: &Ground) -> anyhow::Result<Exit> {
    out::is_table(&args.file)?;
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    has_messages(&batch)?;
    let plan = store.plan(batch.id).await?.with_context(|| format!("\"{}\" has lost its plan", args.campaign))?;
    let columns = Columns::of(&plan, batch.tag, args.time_zone);
    let columns = columns.only(&args.columns).map_err(|error| Usage(format!("--columns: {error}")))?;
    let header = columns.names().map(str::to_owned).collect();
    let to_stdout = out::is_stdout(&args.file);
    let mut sheets = out::table_into(&args.file, header)?;
    let (copying, bar) = (progress::bar("copy", false), progress::bar("export", to_stdout));
    let mut interrupts = Interrupts::listen();
    let exporting = campaign::export(
        store.as_ref(),
        batch.id,
        &columns,
        |cells| sheets.row(&cells),
        |seen, all| match seen {
            // Nothing goes to standard output before the copy is whole, so this bar is in nobody's way.
            Progress::Copied(copied) if copied < all => {
                progress::over_messages(&copying, seen, all, "row", "rows");
            }
            Progress::Copied(_) => copying.finish_and_clear(),
            Progress::Seen(_) => progress::over_messages(&bar, seen, all, "row", "rows"),
        },
    );
    let exported = tokio::select! {
        exported = exporting => Some(exported),
        () = interrupts.next() => None,
    };
    copying.finish_and_clear();
    bar.finish_and_clear();
    let Some(exported) = exported else { bail!("stopped before the export was whole") };
    let rows = exported??;
    sheets.finish()?;
    if !to_stdout {
        let rows = of(i128::from(rows), "row", "rows");
        out::talk(format_args!("Wrote {rows} of \"{}\" to {}.", name_of(&batch), args.file.display()));
    }
    Ok(Exit::Done)
}
