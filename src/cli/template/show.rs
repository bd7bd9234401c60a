//! `volley template show`: everything about one template.

use super::list::status;
use crate::base::clock::format_time;
use crate::campaigns::status::{KnownTemplateView, TemplateHistory, holds};
use crate::cli::CommandContext;
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;

pub(super) async fn run(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let shown = TemplateHistory::read(&context.launcher(store.as_ref()), name).await?;
    if json {
        return out::json(&shown);
    }
    let paint = To::Stdout.paint();
    out::data(paint.bold(name))?;
    for known in &shown.template.at_provider {
        out::lines(of_language(known, paint))?;
    }
    if shown.template.at_provider.is_empty() {
        out::data(paint.dim("its text is unknown; fetch it with volley template pull"))?;
    }
    let (lanes, campaigns) = (shown.template.lanes.join(", "), shown.template.campaigns.join(", "));
    out::data(match campaigns.as_str() {
        "" => "\nno active campaign uses it".to_owned(),
        campaigns => format!("\nused on {lanes} by {campaigns}"),
    })?;
    for hold in &shown.holds {
        out::data(format_args!("{}", holds::sentence_since(hold, 0, context.now())))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for entry in &shown.history {
        out::data(format_args!("{}  {}", paint.dim(format_time(entry.at, None)), entry.sentence))?;
    }
    Ok(())
}

/// A template in one language: its facts, and its text as the provider keeps it.
fn of_language(known: &KnownTemplateView, paint: Paint) -> Vec<String> {
    let KnownTemplateView { language, category, quality, rejection, text, updated_at, fetched_at, .. } = known;
    let mut facts = vec![format!("{language}, {category}"), status(&known.status, paint)];
    facts.extend(rejection.as_ref().map(|reason| format!("because of {reason}")));
    facts.extend(quality.as_ref().map(|quality| format!("quality {quality}")));
    facts.extend(updated_at.map(|at| format!("updated {}", format_time(at, None))));
    facts.push(format!("fetched {}", format_time(*fetched_at, None)));
    let mut table = Table::new(&["", ""]);
    for (label, text) in text.lines() {
        for (row, line) in text.lines().enumerate() {
            let label = if row == 0 { label.clone() } else { String::new() };
            table.row([paint.dim(label), line.to_owned()]);
        }
    }
    let mut lines = vec![String::new(), facts.join(" · ")];
    lines.extend(table.lines(paint).into_iter().map(|line| format!("  {line}")));
    lines
}
