//! `volley template pull`: fetches the provider's templates.

use crate::cli::out::{self, To};
use crate::cli::words::list;
use crate::cli::{CommandContext, Exit, progress};
use crate::provider::catalogue::{Pull, PullView, pull};

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
        match channel.outcome() {
            Ok(outcome) => out::data(format_args!("{lanes}: {outcome}"))?,
            Err(error) => out::talk(format_args!("volley: {lanes}: {error}")),
        }
        for change in channel.result.iter().flat_map(|(_, changes)| changes) {
            out::data(paint.dim(format!("  {change}")))?;
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
