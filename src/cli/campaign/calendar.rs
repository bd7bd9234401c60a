//! `volley campaign calendar`: lists open campaigns by start time.

use crate::base::clock::format_time;
use crate::base::domain::BatchState;
use crate::campaigns::campaign::{Dated, rules};
use crate::cli::table::Table;
use crate::cli::words::count;
use crate::cli::{CommandContext, Exit, out};

fn begins(dated: &Dated) -> String {
    match (dated.at(), dated.batch.state) {
        (Some(at), BatchState::Draft) => format!("{} (a draft, to be started)", format_time(at, dated.plan.time_zone)),
        (Some(at), _) => format_time(at, dated.plan.time_zone),
        (None, _) => "when it is started".to_owned(),
    }
}

/// Its start, hours and end, in words.
fn how(dated: &Dated) -> String {
    let plan = &dated.plan;
    let mut parts = Vec::new();
    parts.extend(rules::beginning(plan));
    parts.extend(plan.end.map(|end| format!("until {}", format_time(end, plan.time_zone))));
    parts.join(", ")
}

pub(super) async fn run(context: &CommandContext, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let all = Dated::all(store.as_ref()).await?;
    if json {
        out::json(&all.iter().map(Dated::view).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        out::talk("No campaign is running or scheduled.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["starts", "campaign", "state", ">recipients", ">queued", "lanes", "hours and end"]);
    for dated in &all {
        table.row([
            begins(dated),
            dated.batch.display_name(),
            dated.batch.state.to_string(),
            count(dated.batch.messages),
            count(dated.queued),
            dated.lanes().join(", "),
            how(dated),
        ]);
    }
    out::lines(table.lines(out::To::Stdout.paint()))?;
    Ok(Exit::Done)
}
