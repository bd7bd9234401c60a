//! `volley campaign retry` and `clone`: send a campaign again, as a new campaign.

use std::collections::BTreeSet;

use super::{find, launch, media};
use crate::base::domain::{BatchState, Outcome, Plan};
use crate::campaigns::campaign::{LaunchError, LaunchView, Repeat};
use crate::cli::config::warn;
use crate::cli::exit::WrongOptions;
use crate::cli::operator::Operator;
use crate::cli::watch::warn_of_obstacles;
use crate::cli::words::shell;
use crate::cli::{CommandContext, Exit, out};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name or id of the campaign, or `latest`.
    campaign: String,
    /// Name of the new campaign; by default the same name with a number appended.
    #[arg(long, value_parser = crate::base::domain::object_name)]
    name: Option<String>,
    /// Start at this time instead of now: 2026-12-01T09:00 or '2026-12-01 09:00' in the campaign's time zone, or with
    /// an offset, 2026-12-01T09:00+08:00 or 2026-12-01T01:00Z.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Create it as a draft; nothing is sent before `campaign start`.
    #[arg(long)]
    draft: bool,
    /// Confirm that it may send again what was sent after the backup that was restored.
    #[arg(long)]
    confirm_restored: bool,
    #[command(flatten)]
    pub(in crate::cli) operator: Operator,
    /// Print one JSON object: id, name, state, messages.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    pub(super) args: Args,
    /// Outcomes of the recipients to send to: undelivered, silent, unknown, expired, cancelled,
    /// skipped, reached.
    #[arg(long = "outcome", value_name = "OUTCOME", value_delimiter = ',', required = true)]
    outcomes: Vec<Outcome>,
    /// Also send to recipients whom an earlier retry of the campaign has reached. Without it, they are left out.
    #[arg(long)]
    include_reached: bool,
}

/// Sends to the recipients with the given outcomes.
pub(super) async fn retry(context: &CommandContext, retry: Retry) -> anyhow::Result<Exit> {
    let chosen = (Some(retry.outcomes.into_iter().collect()), retry.include_reached);
    run(context, retry.args, chosen).await
}

/// What operators should know about sending again to the recipients with these outcomes.
fn notes_on(outcomes: &BTreeSet<Outcome>) -> impl Iterator<Item = &'static str> {
    let has = |wanted: &[Outcome]| wanted.iter().any(|outcome| outcomes.contains(outcome));
    let notes = [
        (
            has(&[Outcome::Silent, Outcome::Unknown]),
            "Silent and unknown recipients may have received the message: some may get it twice.",
        ),
        (has(&[Outcome::Reached]), "Reached recipients have received the message, and get it a second time."),
        (has(&[Outcome::Skipped]), "Skipped recipients are skipped again, unless the reason no longer applies."),
    ];
    notes.into_iter().filter(|(applies, _)| *applies).map(|(_, note)| note)
}

/// Sends to all recipients.
pub(super) async fn clone(context: &CommandContext, args: Args) -> anyhow::Result<Exit> {
    run(context, args, (None, false)).await
}

async fn run(
    context: &CommandContext,
    args: Args,
    (outcomes, include_reached): (Option<BTreeSet<Outcome>>, bool),
) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let launcher = context.launcher(store.as_ref());
    let before = store.plan(batch.id).await?;
    if let Some(before) = &before {
        warn(media::look_again(context, store.as_ref(), before).await?.iter());
    }
    let (name, at, is_draft, confirms_restored) = (args.name, args.at, args.draft, args.confirm_restored);
    let again = Repeat { name, at, outcomes, only: None, include_reached, is_draft, confirms_restored };
    let launched = launcher.repeat(&batch, &again).await.map_err(|error| match error {
        LaunchError::Problems(problems) if problems.iter().all(|problem| problem.key == "at") => {
            WrongOptions { undone: "", problems }.into()
        }
        error => anyhow::Error::from(error),
    })?;
    // A repetition that was refused has nothing to note.
    again.outcomes.iter().flat_map(notes_on).for_each(out::talk);
    if args.json {
        out::json(&LaunchView::new(&launched, launched.state, &[]))?;
    } else {
        out::data(launch::headline(&launched, launched.state))?;
        before.iter().flat_map(|before| not_copied(before, &launched.name)).for_each(out::talk);
        let (name, config) = (shell(&launched.name), context.config_flag());
        if launched.state == BatchState::Draft {
            out::talk(launch::how_to_start(context, &launched));
        } else {
            warn_of_obstacles(context, store.as_ref(), launched.batch).await?;
            out::talk(format_args!("To watch it: volley{config} campaign watch {name}"));
        }
    }
    Ok(Exit::Done)
}

/// Names the settings of the first campaign that the new one does not have.
fn not_copied(before: &Plan, name: &str) -> impl Iterator<Item = String> {
    let end = before.end.map(|_| {
        format!("The first campaign's end is not copied; to set one: volley campaign set {} --end TIME", shell(name))
    });
    let is_local = before.steps.iter().any(|step| step.hours.since.is_some());
    let since =
        is_local.then(|| "It starts at the same time for all recipients, not by each recipient's clock.".to_owned());
    end.into_iter().chain(since)
}
