//! `volley template pull`: fetches the provider's templates.

use crate::catalogue::{ChangeKind, Pull, PullView, TemplateChange, pull};
use crate::cli::out::{self, To};
use crate::cli::words::{list, plural};
use crate::cli::{CommandContext, Exit, progress};

pub(super) async fn run(context: &CommandContext, json: bool) -> anyhow::Result<Exit> {
    let store = context.store().await?;
    let spinner = progress::spinner("fetching the templates", json);
    let pulled = pull(store.as_ref(), context.clock.as_ref(), &context.config).await;
    spinner.finish_and_clear();
    store.close().await;
    let pulled = pulled?;
    let failed = pulled.channels.is_empty() || pulled.channels.iter().any(|channel| channel.result.is_err());
    if json {
        out::json(&PullView::new(&pulled))?;
    } else {
        print(&pulled)?;
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn print(pulled: &Pull) -> anyhow::Result<()> {
    let paint = To::Stdout.paint();
    for channel in &pulled.channels {
        let lanes = list(&channel.lanes);
        match &channel.result {
            Ok((templates, changes)) => {
                let templates = plural(*templates as u64, "template", "templates");
                let changed = match changes.len() {
                    0 => "nothing has changed".to_owned(),
                    changes => plural(changes as u64, "change", "changes"),
                };
                out::data(format_args!("{lanes}: {templates}; {changed}"))?;
                for change in changes {
                    out::data(paint.dim(format!("  {}", sentence(change))))?;
                }
            }
            Err(error) => out::talk(format_args!("volley: {lanes}: {error}")),
        }
    }
    for error in &pulled.skipped {
        out::talk(format_args!("volley: {error}"));
    }
    if pulled.channels.is_empty() && pulled.skipped.is_empty() {
        out::talk("volley: no lane is on WhatsApp, the only channel with templates to fetch; add one to volley.toml");
    }
    Ok(())
}

/// `promo (en): PAUSED instead of APPROVED`.
fn sentence(change: &TemplateChange) -> String {
    let TemplateChange { name, language, what } = change;
    let what = match what {
        ChangeKind::Added { status } => format!("new, {status}"),
        ChangeKind::Removed => "no longer at the provider".to_owned(),
        ChangeKind::Status { before, after } => format!("{after} instead of {before}"),
        ChangeKind::Category { before, after } => format!("category {after} instead of {before}"),
        ChangeKind::Content => "its content has changed".to_owned(),
    };
    format!("{name} ({language}): {what}")
}
