//! `volley backup`: a consistent copy of the database, beside a running server.

use std::path::PathBuf;

use serde::Serialize;

use super::{CommandContext, Exit, out, progress};
use crate::base::domain::size;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A copy of volley.db alone is not a backup: recent commits are in the file beside it, volley.db-wal.

To restore: stop the server, replace the database with the copy, delete the files -wal and -shm beside it, and start \
the server. The copy does not contain what was sent after the backup, so the server starts with all campaigns paused, \
and says why.

Examples:
  volley backup /backups/volley-2026-11-20.db")]
pub(super) struct Args {
    /// The new file. The command fails if it exists.
    #[arg(value_name = "OUT")]
    into: PathBuf,
    /// Print one JSON object: path, bytes, took_ms.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct BackupView {
    path: PathBuf,
    bytes: u64,
    took_ms: i64,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let began = context.now();
    let spinner = progress::spinner("copying the database", args.json);
    let copied = store.back_up(&args.into).await;
    spinner.finish_and_clear();
    let bytes = copied?;
    let took_ms = context.now().since(began).millis();
    if args.json {
        out::json(&BackupView { path: args.into, bytes, took_ms })?;
    } else {
        let size = size(bytes);
        out::talk(format!("Backed up the database to {}: {size} in {took_ms} ms.", args.into.display()));
    }
    Ok(Exit::Done)
}
