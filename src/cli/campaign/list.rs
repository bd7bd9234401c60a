//! `volley campaign list` and `show`.

use serde::Serialize;

use super::{find, id_of, name_of};
use crate::campaign::{Show, Stranded};
use crate::cli::table::Table;
use crate::cli::words::{count, moment, of, percent, rate};
use crate::cli::{Exit, Ground, out, stranded};
use crate::store::{Batch, Store};

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    show: Show,
    messages: u32,
    created_at: String,
}

/// Where a campaign stands, with its pace as the running server last measured it.
async fn shown(ground: &Ground, store: &dyn Store, batch: &Batch) -> anyhow::Result<Show> {
    let tallies = store.tallies(batch.id).await?;
    let plan = store.plan(batch.id).await?;
    let allowed = plan.as_ref().map_or(0.0, |plan| ground.allowed(plan));
    let stranded = plan.map(|plan| Stranded::of(batch, &plan, &tallies, &ground.config)).unwrap_or_default();
    let mut show = Show::new(batch, &tallies, allowed, stranded);
    if ground.nodes(store).await?.is_empty() {
        // What was measured last is no news of a server that is gone.
        show.rate.now = 0.0;
    }
    Ok(show)
}

pub(super) async fn list(ground: &Ground, json: bool) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batches = store.batches(None).await?;
    let mut listed = Vec::with_capacity(batches.len());
    for batch in &batches {
        let show = shown(ground, store.as_ref(), batch).await?;
        listed.push(Listed { show, messages: batch.messages, created_at: batch.created_at.rfc3339() });
    }
    if json {
        out::json(&listed)?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        out::talk("There is no campaign yet: volley campaign launch promo.toml");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["name", "state", ">people", ">done", ">share", "launched", "id"]);
    for (batch, listed) in batches.iter().zip(&listed) {
        let done = listed.show.counts.done;
        table.row([
            name_of(batch),
            batch.state.to_string(),
            count(batch.messages),
            count(done),
            percent(done, i64::from(batch.messages)),
            moment(batch.created_at),
            id_of(batch).to_string(),
        ]);
    }
    out::lines(table.lines(out::To::Stdout.paint()))?;
    Ok(Exit::Done)
}

pub(super) async fn show(ground: &Ground, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let show = shown(ground, store.as_ref(), &batch).await?;
    if json {
        out::json(&show)?;
        return Ok(Exit::Done);
    }
    let paint = out::To::Stdout.paint();
    let why = show.why.as_ref().map(|why| format!(" · {why}")).unwrap_or_default();
    out::data(format_args!("{}  {}{}", paint.bold(&show.name), show.state, paint.dim(why)))?;
    out::data(paint.dim(&show.id))?;
    let mut table = Table::new(&["", ">", ""]);
    let whole = i64::from(batch.messages);
    for (what, number) in [
        ("queued", show.counts.queued),
        ("sending", show.counts.sending),
        ("awaiting receipts", show.counts.awaiting),
        ("done", show.counts.done),
    ] {
        table.row([what.to_owned(), count(number), paint.dim(percent(number, whole))]);
    }
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    let pace = format!("  {} now, {} allowed", rate(show.rate.now), rate(show.rate.allowed));
    out::data(format_args!("{pace}; {} in all", of(batch.messages, "message", "messages")))?;
    for gone in &show.stranded {
        out::data(format_args!("\n{} {}", paint.so_so("!"), stranded::what(gone)))?;
        out::data(paint.dim(format!("  {}", stranded::what_to_do(gone, &show.name))))?;
    }
    Ok(Exit::Done)
}
