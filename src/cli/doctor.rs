//! `volley doctor`: checks the installation, and says what to do.

use super::out::{self, Paint, To};
use super::webhooks::{self, Change};
use super::{CommandContext, Exit};
use crate::campaigns::status::{FindingView, Findings, Health};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell the provider to post its webhooks to public_url, with webhook_authorization, which must be set. Shows what was
    /// set before, and asks first.
    #[arg(long, conflicts_with = "json")]
    register_webhooks: bool,
    /// Tell the provider to post no more webhooks to public_url. Asks first.
    #[arg(long, conflicts_with_all = ["json", "register_webhooks"])]
    remove_webhooks: bool,
    /// Check only whether a server is running that can write to the database. The exit code is 1 if none is: for the
    /// health check of a container.
    #[arg(long, conflicts_with_all = ["json", "register_webhooks", "remove_webhooks"])]
    ready: bool,
    /// Do not ask before webhooks are changed.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object: ok, findings.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: anyhow::Result<CommandContext>) -> anyhow::Result<Exit> {
    let change = match (args.register_webhooks, args.remove_webhooks) {
        (true, _) => Some(Change::Register),
        (false, true) => Some(Change::Remove),
        (false, false) => None,
    };
    if let Some(change) = change {
        return webhooks::run(&context?, change, args.yes).await;
    }
    let mut findings = Findings::default();
    let ok = match context {
        Ok(context) if args.ready => is_ready(&context, &mut findings).await?,
        Ok(context) => {
            examine(&context, &mut findings).await;
            findings.is_ok()
        }
        Err(error) => {
            findings.add("configuration", Health::Failed, format!("{error:#}"), None);
            false
        }
    };
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

/// Whether a server is running that can write to the database.
async fn is_ready(context: &CommandContext, findings: &mut Findings) -> anyhow::Result<bool> {
    let store = context.existing_store().await?;
    let is_ready = findings.check_running(store.as_ref(), context.now()).await;
    store.close().await;
    Ok(is_ready?)
}

async fn examine(context: &CommandContext, findings: &mut Findings) {
    let path = context.database();
    let store = if path.exists() { Some(context.store().await) } else { None };
    let opened = store.as_ref().and_then(|store| store.as_ref().ok());
    findings.check_configuration(&context.loaded, opened.map(AsRef::as_ref), context.now()).await;
    findings.ask_providers(&context.config).await;
    match store {
        None => {
            findings.add_missing_database(path);
            findings.check_disk(path.to_owned()).await;
        }
        Some(Ok(store)) => {
            findings.add_database(path);
            findings.check_disk(path.to_owned()).await;
            findings.check_stored(&context.launcher(store.as_ref())).await;
            store.close().await;
        }
        Some(Err(error)) => {
            findings.add_broken_database(&format!("{error:#}"));
            findings.check_disk(path.to_owned()).await;
        }
    }
}
