//! `volley campaign set`: changes the rules of a launched campaign.

use std::num::NonZeroU8;

use anyhow::bail;
use serde_json::{Map, Value};

use super::{find, step_of};
use crate::base::clock::format_time;
use crate::base::domain::BatchState;
use crate::base::events::ChangedKey;
use crate::campaigns::campaign::{Amend, Amended, ChangeView, LaunchError, WarningView, why_not};
use crate::cli::config::warn;
use crate::cli::exit::{Usage, WrongOptions};
use crate::cli::operator::Operator;
use crate::cli::out;
use crate::cli::words::{plural, shell};
use crate::cli::{CommandContext, Exit};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name or id of the campaign, or `latest`.
    campaign: String,
    /// Change only the hours, limits and text of this step.
    #[arg(long, value_name = "STEP", value_parser = super::step)]
    step: Option<NonZeroU8>,
    /// Move the start of a draft or a scheduled campaign: 2026-12-01T09:00, in the campaign's zone or with an offset.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Latest time for a first message: 2026-12-01T18:00, in the campaign's zone or with an offset.
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Hours in which nothing is sent: 21:00-08:00. May be repeated.
    #[arg(long, value_name = "HOURS")]
    quiet_hours: Vec<String>,
    /// Send only in these hours: 'Mon-Fri 09:00-18:00'. May be repeated.
    #[arg(long, value_name = "HOURS")]
    send_window: Vec<String>,
    /// Days on which nothing is sent: 2026-12-25,2026-12-26.
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    holidays: Vec<String>,
    /// Maximum number of messages.
    #[arg(long, value_name = "N")]
    max_messages: Option<String>,
    /// Maximum cost.
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<String>,
    /// Pause the campaign automatically: 'undelivered > 20% of the last 1000'.
    #[arg(long, value_name = "RULE")]
    pause_when: Option<String>,
    /// Hold the next paid step automatically: 'undelivered > 20% of the last 1000'.
    #[arg(long, value_name = "RULE")]
    hold_paid_when: Option<String>,
    /// Correct the text of a step, until the first message is sent: 'Hi {{FirstName}}, …'. Needs --step.
    #[arg(long, value_name = "TEXT", requires = "step")]
    text: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) operator: Operator,
    /// Print one JSON object: id, name, state, changes, brought_forward, noted, warnings.
    #[arg(long)]
    json: bool,
}

/// The flags as keys of a campaign file.
fn keys(args: &Args) -> Map<String, Value> {
    let one = |text: &Option<String>| text.clone().map(Value::from);
    let many = |texts: &[String]| (!texts.is_empty()).then(|| Value::from(texts.to_vec()));
    let all = [
        ("at", one(&args.at)),
        ("end", one(&args.end)),
        ("quiet_hours", many(&args.quiet_hours)),
        ("send_window", many(&args.send_window)),
        ("holidays", many(&args.holidays)),
        ("max_messages", one(&args.max_messages)),
        ("budget", one(&args.budget)),
        ("pause_when", one(&args.pause_when)),
        ("hold_paid_when", one(&args.hold_paid_when)),
        ("text", one(&args.text)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// `quiet_hours (steps 1–3): none → 21:00-08:00`. Neighbouring steps with the same change share a line.
fn changes(changed: Vec<ChangedKey>) -> impl Iterator<Item = String> {
    let mut lines: Vec<(ChangedKey, Option<u8>)> = Vec::new();
    for change in changed {
        let same = |(first, last): &&mut (ChangedKey, Option<u8>)| {
            last.map(|last| last + 1) == change.step
                && (&first.key, &first.before, &first.after) == (&change.key, &change.before, &change.after)
        };
        match lines.iter_mut().find(same) {
            Some((_, last)) => *last = change.step,
            None => {
                let step = change.step;
                lines.push((change, step));
            }
        }
    }
    lines.into_iter().map(|(ChangedKey { step, key, before, after }, last)| {
        let steps = match (step, last) {
            (Some(first), Some(last)) if first == last => format!(" (step {first})"),
            (Some(first), Some(last)) => format!(" (steps {first}–{last})"),
            _ => String::new(),
        };
        format!("{key}{steps}: {before} → {after}")
    })
}

pub(super) async fn run(context: &CommandContext, args: Args) -> anyhow::Result<Exit> {
    let keys = keys(&args);
    if keys.is_empty() {
        return Err(Usage(
            "nothing to change; give --at, --end, --quiet-hours, --send-window, --holidays, --max-messages, --budget, --pause-when, \
             --hold-paid-when or --text; to change the rate of a lane: volley lane set"
                .to_owned(),
        )
        .into());
    }
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let name = batch.display_name();
    let step = match args.step {
        Some(number) => Some(step_of(store.as_ref(), &batch, number).await?),
        None => None,
    };
    let amend = Amend { step, keys, edition: None };
    let amended = context.launcher(store.as_ref()).amend(&batch, &amend).await.map_err(|error| match error {
        LaunchError::Problems(problems) => WrongOptions { undone: "nothing was changed: ", problems }.into(),
        error => anyhow::Error::from(error),
    })?;
    let (changed, noted, brought_forward, warnings) = match amended {
        Amended::Holds { changed, noted, brought_forward, warnings } => (changed, noted, brought_forward, warnings),
        Amended::AsItWas { noted, warnings } => (Vec::new(), noted, 0, warnings),
        // Only a change that names an edition can be outdated.
        Amended::Outdated => {
            bail!("\"{name}\" was changed meanwhile; look at it, and repeat the change if it still applies")
        }
        Amended::Over(state) => bail!("\"{name}\" cannot be changed: {}", why_not(state)),
        Amended::Ended(end) => {
            let zone = store.plan(batch.id).await?.and_then(|plan| plan.time_zone);
            bail!(
                "\"{name}\" cannot be changed: its end was {}; to send to the expired messages again: volley campaign \
                 retry {} --outcome expired",
                format_time(end, zone),
                shell(&name)
            )
        }
    };
    let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    let held = store.step_holds().await?.iter().any(|hold| hold.batch == batch.id);
    store.close().await;
    warn(&warnings);
    if args.json {
        out::json(&ChangeView {
            id: batch.public_id().to_string(),
            name,
            state,
            changes: &changed,
            brought_forward,
            noted: noted.by_all(),
            warnings: warnings.iter().map(WarningView::new).collect(),
        })?;
        return Ok(Exit::Done);
    }
    // No server knows a draft, so a change is not for one to obey.
    let obeyed = |has_changed| if state == BatchState::Draft { String::new() } else { noted.bracket(has_changed) };
    if changed.is_empty() {
        out::data(format_args!("\"{name}\" already has these settings{}", obeyed(false)))?;
        return Ok(Exit::Done);
    }
    out::data(format_args!("\"{name}\" is changed{}", obeyed(true)))?;
    out::lines(changes(changed).map(|line| format!("  {line}")))?;
    if state == BatchState::Draft && batch.state != BatchState::Draft {
        out::data("It is a draft again, because campaigns of its size need a second operator to start them.")?;
    }
    if brought_forward > 0 {
        let messages = plural(i128::from(brought_forward), "message", "messages");
        out::data(format_args!(
            "{messages} that waited for a later hour can be sent as soon as the new hours allow it."
        ))?;
    }
    if state == BatchState::Paused || held {
        let what = if state == BatchState::Paused { "It is still paused" } else { "A step is still held" };
        out::data(format_args!("{what}; to resume: volley campaign resume {}", shell(&name)))?;
    }
    Ok(Exit::Done)
}
