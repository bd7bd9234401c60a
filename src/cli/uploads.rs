//! `volley upload`: recipient files that were uploaded to a server, whether or not it runs.

use super::out::{self, To};
use super::table::Table;
use super::{CommandContext, Exit};
use crate::base::clock::format_time;
use crate::base::domain::grouped;
use crate::campaigns::status::Servers;
use crate::recipients::uploads::{ImportState, StoredUploads, UploadFolder, UploadId, UploadView};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the uploads, latest first, with the state of their import.
    List {
        /// Print one JSON object per line: id, name, offset, length, created_at, expires_at, import.
        #[arg(long)]
        json: bool,
    },
    /// Delete an upload. An audience that was imported from it stays.
    ///
    /// A running server does not delete an upload that it is importing. While no server runs, the command deletes it, and its
    /// import does not go on.
    #[command(after_help = "\
Example:
  volley upload delete upl_0123456789abcdef0123456789abcdef")]
    Delete {
        /// Id of the upload.
        id: UploadId,
        /// Print one JSON object: id.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let are_served = Servers::look(store.as_ref(), context.now()).await?.is_running();
    let folder = UploadFolder::beside(context.database());
    let uploads = StoredUploads { folder: &folder, are_served };
    match command {
        Command::List { json } => list(&uploads, json)?,
        Command::Delete { id, json } => {
            uploads.remove(id)?;
            if json {
                out::json(&serde_json::json!({ "id": id.to_string() }))?;
            } else {
                out::talk(format_args!("Deleted upload {id}."));
            }
        }
    }
    Ok(Exit::Done)
}

fn list(uploads: &StoredUploads<'_>, json: bool) -> anyhow::Result<()> {
    let all = uploads.list()?;
    if json {
        let shown = all.iter().map(serde_json::to_string);
        return out::lines(shown.collect::<Result<Vec<_>, _>>()?);
    }
    if all.is_empty() {
        out::talk("No uploads.");
        return Ok(());
    }
    let mut table = Table::new(&["=id", "file", ">bytes", "import", "expires"]);
    for upload in &all {
        let bytes = match upload.length {
            Some(length) => format!("{} of {length}", upload.offset),
            None => upload.offset.to_string(),
        };
        let expires = format_time(upload.expires_at, None);
        table.row([upload.id.clone(), upload.name.clone(), bytes, import(upload, uploads.are_served), expires]);
    }
    out::lines(table.lines(To::Stdout.paint()))
}

/// What became of the import of an upload.
fn import(upload: &UploadView, is_served: bool) -> String {
    let Some(import) = &upload.import else { return "none".to_owned() };
    let audience = &import.audience;
    match (import.state, &import.problem) {
        (ImportState::Waiting, _) if !is_served => format!("begins with the next server, into {audience}"),
        (ImportState::Waiting, _) => format!("waiting, into {audience}"),
        (ImportState::Running, _) => format!("running, into {audience}"),
        (ImportState::Done, _) => format!("done, into {audience}"),
        (ImportState::Asks, _) => {
            let rows = grouped(import.without_country.unwrap_or(0));
            format!("asks for the country of {rows} numbers, into {audience}")
        }
        (ImportState::Failed, problem) => format!("failed: {}", problem.as_deref().unwrap_or_default()),
    }
}
