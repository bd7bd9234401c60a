//! `volley doctor`: checks the installation, and says what to do.

use std::path::Path;

use super::campaign::launch::knock;
use super::disk::{Space, space_beside};
use super::out::{self, Paint, To};
use super::{CommandContext, Exit};
use crate::domain::size;
use crate::status::{FindingView, Findings, Health, provider_addresses};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object: ok, findings.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: anyhow::Result<CommandContext>) -> anyhow::Result<Exit> {
    let mut findings = Findings::default();
    match context {
        Ok(context) => examine(&context, &mut findings).await,
        Err(error) => findings.add("configuration", Health::Failed, format!("{error:#}"), None),
    }
    let ok = findings.is_ok();
    if args.json {
        out::json(&findings.view())?;
    } else {
        out::lines(lines(findings.all(), To::Stdout.paint()))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn lines(findings: &[FindingView], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut previous = "";
    for finding in findings {
        let sign = match finding.health {
            Health::Ok => paint.good("✓"),
            Health::Warning => paint.so_so("!"),
            Health::Failed => paint.bad("✗"),
        };
        let what = if finding.what == previous { "" } else { finding.what };
        previous = finding.what;
        lines.push(format!("{sign} {what:<14} {}", finding.text));
        lines.extend(finding.what_to_do.as_ref().map(|advice| paint.dim(format!("{:17}{advice}", ""))));
    }
    lines
}

async fn examine(context: &CommandContext, findings: &mut Findings) {
    let path = context.database();
    let store = if path.exists() { Some(context.store().await) } else { None };
    let opened = store.as_ref().and_then(|store| store.as_ref().ok());
    findings.check_configuration(&context.loaded, opened.map(AsRef::as_ref), context.now()).await;
    for address in provider_addresses(&context.config) {
        let error = knock(context, address).await.err().map(|error| format!("{error:#}"));
        findings.add_provider(address, error.as_deref());
    }
    match store {
        None => {
            findings.add_missing_database(path);
            disk(path, findings);
        }
        Some(Ok(store)) => {
            findings.add_database(path);
            disk(path, findings);
            findings.check_stored(&context.launcher(store.as_ref())).await;
            store.close().await;
        }
        Some(Err(error)) => {
            findings.add_broken_database(&format!("{error:#}"));
            disk(path, findings);
        }
    }
}

/// Checks the free space for what a server writes.
fn disk(database: &Path, findings: &mut Findings) {
    match space_beside(database) {
        Space::Enough(Some(bytes)) => {
            findings.add_ok("disk", format!("{} free in the folder of the database", size(bytes)));
        }
        Space::Enough(None) => findings.add_ok("disk", "the folder of the database is writable"),
        Space::Low(bytes) => {
            let text = format!("only {} free in the folder of the database", size(bytes));
            findings.add(
                "disk",
                Health::Warning,
                text,
                Some("free disk space: a server that cannot write sends nothing"),
            );
        }
        Space::Unwritable(error) => {
            let text = format!("the folder of the database is not writable: {error}");
            findings.add("disk", Health::Failed, text, Some("free disk space, or make the folder writable"));
        }
    }
}
