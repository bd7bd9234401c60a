//! `volley campaign list` and `show`: show campaigns with their state, rules and obstacles.

use super::{find, state};
use crate::base::clock::format_time;
use crate::base::domain::BatchState;
use crate::campaigns::campaign::{RulesView, needs_second_operator, rules};
use crate::campaigns::status::{CampaignView, Listed, Look, Watcher};
use crate::cli::table::Table;
use crate::cli::watch::{DELAY, can_send, forecast_sentence, rates, settled_by, to_resume, worst_case};
use crate::cli::words::{count, percent, plural, shell};
use crate::cli::{CommandContext, Exit, out};

/// Lists campaigns; test sends only with `all`.
pub(super) async fn list(context: &CommandContext, all: bool, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let (listed, left_out) = Listed::all(&context.launcher(store.as_ref()), all).await?;
    if json {
        out::json(&listed.iter().map(Listed::view).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        out::talk("No campaigns yet; to launch one: volley campaign launch promo.toml");
    } else {
        out::lines(table(&listed).lines(out::To::Stdout.paint()))?;
        if listed.iter().any(|listed| !listed.look.obstacles.is_empty()) {
            out::talk("To see what delays a campaign: volley campaign show NAME");
        }
    }
    if left_out > 0 {
        let tests = plural(left_out as u64, "test send is", "test sends are");
        out::talk(format_args!("{tests} not listed; to list all: volley campaign list --all"));
    }
    Ok(Exit::Done)
}

fn table(listed: &[Listed]) -> Table {
    let paint = out::To::Stdout.paint();
    // A campaign without a name has its id for one, which is copied.
    let are_named = listed.iter().all(|listed| listed.look.batch.name.is_some());
    let name = if are_named { "name" } else { "=name or id" };
    let mut table = Table::new(&[name, "state", "?>recipients", "?>done", "?>share", "?created", "?=id"]);
    for Look { batch, show, report, obstacles, .. } in listed.iter().map(|listed| &listed.look) {
        let state = state(batch, report.zone);
        // `campaign show` describes the obstacles.
        let state = if obstacles.is_empty() { state } else { format!("{state}, {}", paint.so_so("delayed")) };
        let id = batch.public_id().to_string();
        let (name, id) = match batch.name.clone() {
            Some(name) => (name, id),
            None => (id, String::new()),
        };
        table.row([
            name,
            state,
            count(batch.messages),
            count(show.counts.done),
            percent(show.counts.done, i64::from(batch.messages)),
            format_time(batch.created_at, report.zone),
            id,
        ]);
    }
    table
}

pub(super) async fn show(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let launcher = context.launcher(store.as_ref());
    let mut watcher = Watcher::new(&launcher, batch.id).await?;
    let look = watcher.look().await?;
    let plan = watcher.plan();
    if json {
        out::json(&CampaignView { rules: Some(RulesView::of(plan)), ..CampaignView::new(&look) })?;
        return Ok(Exit::Done);
    }
    let Look { at, batch, show, report, obstacles, .. } = &look;
    let paint = out::To::Stdout.paint();
    let state = state(batch, report.zone);
    let state = match batch.why() {
        // A reason such as "paused by ann: wrong text" names the state.
        Some(why) if why.starts_with(&state) => why,
        Some(why) => format!("{state}{}", paint.dim(format!(" · {why}"))),
        None => state,
    };
    out::data(format_args!("{}  {state}", paint.bold(&show.name)))?;
    out::data(paint.dim(&show.id))?;
    if batch.state == BatchState::Paused {
        out::data(paint.dim(to_resume(&look)))?;
    }
    let mut table = Table::new(&["", ">", ">"]);
    let whole = i64::from(batch.messages);
    for (what, number) in [
        ("queued", show.counts.queued),
        ("set aside", show.counts.set_aside),
        ("sending", show.counts.sending),
        ("awaiting receipts", show.counts.awaiting),
        ("done", show.counts.done),
    ] {
        table.row([what.to_owned(), count(number), paint.dim(percent(number, whole))]);
    }
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    let messages = plural(batch.messages, "message", "messages");
    match batch.state {
        BatchState::Draft if !needs_second_operator(&context.config, u64::from(batch.messages)) => {
            out::data(format_args!("  {messages} in all; to start: volley campaign start {}", shell(&show.name)))?;
        }
        BatchState::Running => out::data(format_args!("  rate {}; {messages} in all", rates(&look)))?,
        _ => out::data(format_args!("  {messages} in all"))?,
    }
    if let Some(forecast) = look.forecast.as_ref().filter(|_| can_send(&look)) {
        out::data(format_args!("  {}", forecast_sentence(forecast, &look)))?;
        if let Some(sentence) = worst_case(&look) {
            out::data(format_args!("  {sentence}"))?;
        }
    }
    if let Some(sentence) = settled_by(&look) {
        out::data(format_args!("  {sentence}"))?;
    }
    out::data("")?;
    if batch.state.is_cancelled() {
        out::data("  It is cancelled, so no step follows the one that was submitted last.")?;
    }
    out::lines(
        rules::of_launched(plan, batch.edition, batch.started_at.is_some())
            .into_iter()
            .map(|line| format!("  {}", paint.dim(line))),
    )?;
    for sentence in look.waits() {
        out::data(format_args!("\n{} {sentence}", paint.so_so(DELAY)))?;
    }
    for obstacle in obstacles {
        out::data(format_args!("\n{} {}", paint.so_so(DELAY), obstacle.what_since(*at)))?;
        out::data(paint.dim(format!("  {}", obstacle.what_to_do(&show.name, *at))))?;
    }
    Ok(Exit::Done)
}
