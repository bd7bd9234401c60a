//! `volley campaign list` and `show`: show campaigns with their state, rules and obstacles.

use serde::Serialize;

use super::rules;
use super::{find, state};
use crate::campaign::RulesView;
use crate::campaign::{CampaignRow, campaigns};
use crate::cli::table::Table;
use crate::cli::watch::{Look, Shown, Watcher, forecast_sentence, gaps, settled_by};
use crate::cli::words::{count, percent, plural, rate};
use crate::cli::{CommandContext, Exit, out};
use crate::clock::format_time;
use crate::domain::Plan;
use crate::store::Batch;

/// A campaign with its rules, for JSON.
#[derive(Serialize)]
struct ShownWithRules<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<RulesView<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    messages: u32,
    created_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
}

/// Lists campaigns; test sends only with `all`.
pub(super) async fn list(context: &CommandContext, all: bool, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let rows = campaigns(store.as_ref()).await?;
    let (listed, left_out): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| all || !row.is_test);
    let mut looks: Vec<(Look, bool)> = Vec::new();
    for CampaignRow { batch, is_test } in listed {
        let mut watcher = Watcher::new(context, store.as_ref(), batch.id).await?.without_forecast();
        looks.push((watcher.look().await?, is_test));
    }
    if json {
        let listed = looks.iter().map(|(look, is_test)| Listed {
            shown: Shown::new(look),
            messages: look.batch.messages,
            created_at: look.batch.created_at.rfc3339(),
            test: *is_test,
        });
        out::json(&listed.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if looks.is_empty() {
        out::talk("No campaigns yet; to launch one: volley campaign launch promo.toml");
    } else {
        out::lines(table(&looks).lines(out::To::Stdout.paint()))?;
    }
    if !left_out.is_empty() {
        let tests = plural(left_out.len() as u64, "test send is", "test sends are");
        out::talk(format_args!("{tests} not listed; to list all: volley campaign list --all"));
    }
    Ok(Exit::Done)
}

fn table(looks: &[(Look, bool)]) -> Table {
    let paint = out::To::Stdout.paint();
    let mut table = Table::new(&["name", "state", ">recipients", ">done", ">share", "launched", "id"]);
    for (Look { batch, show, report, obstacles, .. }, _) in looks {
        let state = state(batch, report.zone);
        // The mark points to obstacles, which `campaign show` describes.
        let state = if obstacles.is_empty() { state } else { format!("{state} {}", paint.so_so("!")) };
        table.row([
            batch.display_name(),
            state,
            count(batch.messages),
            count(show.counts.done),
            percent(show.counts.done, i64::from(batch.messages)),
            format_time(batch.created_at, report.zone),
            batch.public_id().to_string(),
        ]);
    }
    table
}

pub(super) async fn show(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let look = Watcher::new(context, store.as_ref(), batch.id).await?.look().await?;
    let plan = store.plan(batch.id).await?;
    if json {
        out::json(&ShownWithRules { shown: Shown::new(&look), rules: plan.as_ref().map(RulesView::of) })?;
        return Ok(Exit::Done);
    }
    let Look { at, batch, show, report, obstacles, .. } = &look;
    let paint = out::To::Stdout.paint();
    let why = batch.why().map(|why| format!(" · {why}")).unwrap_or_default();
    out::data(format_args!("{}  {}{}", paint.bold(&show.name), state(batch, report.zone), paint.dim(why)))?;
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
    let rates = format!("  {} now, {} allowed", rate(show.rate.now), rate(show.rate.allowed));
    out::data(format_args!("{rates}; {} in all", plural(batch.messages, "message", "messages")))?;
    if let Some(forecast) = &look.forecast {
        out::data(format_args!("  {}", forecast_sentence(forecast, &look)))?;
    }
    if let Some(sentence) = settled_by(&look) {
        out::data(format_args!("  {sentence}"))?;
    }
    if let Some(plan) = &plan {
        out::data("")?;
        out::lines(rule_lines(plan, batch, paint))?;
    }
    for sentence in gaps(&look) {
        out::data(format_args!("\n{} {sentence}", paint.so_so("!")))?;
    }
    for obstacle in obstacles {
        out::data(format_args!("\n{} {}", paint.so_so("!"), obstacle.what_since(*at)))?;
        out::data(paint.dim(format!("  {}", obstacle.what_to_do(&show.name, *at))))?;
    }
    Ok(Exit::Done)
}

/// The present rules of a campaign, and how often they were changed.
fn rule_lines(plan: &Plan, batch: &Batch, paint: out::Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if batch.edition > 0 {
        lines.push(format!("changed {} since its launch", plural(batch.edition, "time", "times")));
    }
    lines.extend(rules::local_start(plan).map(|shown| format!("starts at {shown} by each recipient's own clock")));
    lines.extend(plan.over.map(|over| format!("its first messages are spread over {over}")));
    lines.extend(rules::of_campaign(plan, None));
    for (index, step) in plan.indexed_steps() {
        let countries = rules::country_limit(&step.countries).map(|limit| format!("; {limit}")).unwrap_or_default();
        lines.push(format!("step {index}, {}: {}{countries}", step.channel, rules::of_step((index, step), plan)));
    }
    lines.into_iter().map(|line| format!("  {}", paint.dim(line))).collect()
}
