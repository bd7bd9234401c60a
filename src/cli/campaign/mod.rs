//! `volley campaign`: plans, launches, watches, stops and reports campaigns.

mod bookings;
mod calendar;
mod decide;
mod draft;
mod export;
pub(super) mod launch;
mod list;
pub(super) mod media;
mod plan;
pub(super) mod report;
mod retry;
mod set;
mod step;
mod test;

pub(super) use crate::campaigns::campaign::find;
pub(super) use launch::in_file;

use std::num::NonZeroU8;

use anyhow::Context;
use clap::ValueEnum;

use super::exit::Usage;
use super::operator::Operator;
use super::{CommandContext, Exit, watch};
use crate::base::clock::format_time;
use crate::base::domain::{BatchState, StepIndex, Zone};
use crate::cli::words::{plural, shell};
use crate::store::{Batch, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a campaign: show what each recipient would get, and list problems. Nothing is stored or sent.
    ///
    /// The forecast takes rates, tiers, send windows, quiet hours, limits, budgets and other campaigns into account. The worst
    /// case leaves out limits and budgets.
    #[command(after_help = "\
Examples:
  volley campaign plan promo.toml
  volley campaign plan promo.toml --preview
  volley campaign plan promo.toml --to +6591234567 --html preview.html
  volley campaign plan promo.toml --json | jq .warnings")]
    Plan(plan::Args),
    /// Launch a campaign, or schedule it.
    ///
    /// Imports the recipients, freezes the plan, and lets a running server send. On success, the whole campaign is on disk;
    /// on an error, nothing of it is.
    #[command(after_help = "\
Examples:
  volley campaign launch promo.toml
  volley campaign launch promo.toml --at 2026-12-01T09:00+08:00
  volley campaign launch promo.toml --wait            until nothing is left to submit
  volley campaign launch promo.toml --wait settled --strict --json")]
    Launch(launch::Args),
    /// List campaigns, oldest first, without test sends.
    List {
        /// List test sends (`campaign test`) too.
        #[arg(long)]
        all: bool,
        /// Print a JSON list of objects.
        #[arg(long)]
        json: bool,
    },
    /// List running, paused, scheduled and draft campaigns by start time.
    Calendar {
        /// Print a JSON list of objects.
        #[arg(long)]
        json: bool,
    },
    /// Show the present state of a campaign and its rules.
    Show {
        /// Name or id of the campaign, or `latest`.
        campaign: String,
        /// Print one JSON object: id, name, state, counts, rate, obstacles, rules.
        #[arg(long)]
        json: bool,
    },
    /// Follow a campaign until nothing is left to submit.
    ///
    /// On a terminal the view is redrawn in place; elsewhere each change prints a line. Ctrl-C stops watching; the
    /// campaign continues.
    #[command(after_help = "\
Examples:
  volley campaign watch 'November promo'
  volley campaign watch 'November promo' --wait settled")]
    Watch(watch::Args),
    /// Start a draft: at its start time if that is in the future, else now.
    Start {
        /// Name or id of the campaign, or `latest`.
        campaign: String,
        /// Confirm that it may send again what was sent after the backup that was restored.
        #[arg(long)]
        confirm_restored: bool,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Refuse to start a draft that waits for the approval of another operator. It stays a draft, and a change of it asks again.
    Refuse {
        /// Name or id of the draft, or `latest`.
        campaign: String,
        /// Why, for its authors.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Send a campaign's messages to a few test numbers, as a separate small campaign.
    #[command(after_help = "\
Examples:
  volley campaign test promo.toml --to +6591234567 --wait
  volley campaign test 'November promo' --to +6591234567,+6598765432 --step 2")]
    Test(test::Args),
    /// Change a campaign or a draft: its start and end, its send hours, its limits, and the rules that pause it.
    ///
    /// A change applies at once to every message that has not been submitted. `none` removes a setting. The rate belongs
    /// to the lanes: see `volley lane set`.
    #[command(after_help = "\
Examples:
  volley campaign set 'November promo' --at 2026-12-02T09:00+08:00
  volley campaign set 'November promo' --end 2026-12-02T18:00+08:00
  volley campaign set 'November promo' --quiet-hours 22:00-07:00 --send-window none
  volley campaign set 'November promo' --step 3 --budget 50 --max-messages none")]
    Set(set::Args),
    /// Give a campaign or a draft another name. The former name is free again.
    Rename {
        /// Name or id of the campaign, or `latest`.
        campaign: String,
        /// The new name.
        #[arg(value_parser = crate::base::domain::object_name)]
        name: String,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, before.
        #[arg(long)]
        json: bool,
    },
    /// Delete a draft, with the recipients that were imported for it alone. Cannot be undone.
    Delete {
        /// Name or id of the draft, or `latest`.
        campaign: String,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, messages.
        #[arg(long)]
        json: bool,
    },
    /// Stop sending for now. Submitted messages stay submitted; fallbacks wait.
    Pause {
        /// Name or id of the campaign, or `latest`.
        campaign: String,
        /// Pause only this step; the other steps continue.
        #[arg(long, value_name = "STEP", value_parser = step)]
        step: Option<NonZeroU8>,
        /// Reason, shown in events.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Resume a paused campaign and its held steps.
    Resume {
        /// Name or id of the campaign, or `latest`.
        campaign: String,
        /// Resume only this step.
        #[arg(long, value_name = "STEP", value_parser = step)]
        step: Option<NonZeroU8>,
        /// Confirm that it may send again what was sent after the backup that was restored.
        #[arg(long, conflicts_with = "step")]
        confirm_restored: bool,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Cancel a campaign. Once this returns, nothing more is sent, except by a server that does not respond (the output
    /// then says so). Cannot be undone.
    ///
    /// A message that awaits its receipts keeps its present step as the last: no fallback is sent. That applies to a finished
    /// campaign too, in which a failed message could otherwise be sent again.
    Cancel {
        /// Name or id of the campaign, or `latest`.
        campaign: String,
        /// Reason, shown in events.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Send a campaign again to the recipients with the given outcomes, as a new campaign.
    #[command(after_help = "\
Examples:
  volley campaign retry 'November promo' --outcome undelivered
  volley campaign retry 'November promo' --outcome undelivered,expired --at 2026-12-02T09:00+08:00 --name 'Second try'")]
    Retry(retry::Retry),
    /// Send a campaign again to all its recipients, as a new campaign.
    ///
    /// The copy has the same steps, lanes, hours, texts and exclusions. Recipients who have opted out since get nothing.
    Clone(retry::Args),
    /// Report the results of a campaign: recipients reached on each channel, and the outcomes of the others.
    #[command(after_help = "\
Examples:
  volley campaign report 'November promo'
  volley campaign report 'November promo' --json | jq .outcomes")]
    Report(report::Args),
    /// Export a table with a row for each recipient: the result and the times of every step.
    ///
    /// All columns, in this order: message, ClientMessageId, number, country, state, outcome, reason; the columns of the
    /// recipient file; and for each step status, queued, submitted, sent, delivered, read, undelivered, code, meaning,
    /// ended by. The columns of a step begin with its number and channel, such as `1 WhatsApp status`. From `queued` to
    /// `undelivered` they are times; `code` and `meaning` are the provider's reason for a failure.
    ///
    /// The file is written to the current folder if its name has no folder. It appears only when it is complete, and then
    /// replaces a file of that name. In CSV, a cell that a spreadsheet program would read as a formula starts with a
    /// quote; an XLSX file holds text.
    #[command(after_help = "\
Examples:
  volley campaign export 'November promo' promo.xlsx
  volley campaign export 'November promo' - --columns number,outcome,reason | head
  volley campaign export 'November promo' promo.csv --time-zone Asia/Singapore")]
    Export(export::Args),
}

/// The state in which a command stops waiting for a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Until {
    /// Nothing is left to submit; last receipts may still come.
    Finished,
    /// Every message has its outcome.
    Settled,
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    use crate::campaigns::campaign::{CampaignDecision, StepDecision};
    match command {
        Command::Plan(args) => plan::run(args, context).await,
        Command::Launch(args) => {
            let context = context.acting(&args.operator);
            // A launch goes through every part of a plan; boxed, the other commands do not carry its size.
            Box::pin(launch::run(args, &context)).await
        }
        Command::List { all, json } => list::list(context, all, json).await,
        Command::Calendar { json } => calendar::run(context, json).await,
        Command::Show { campaign, json } => list::show(context, &campaign, json).await,
        Command::Watch(args) => watch::run(args, context).await,
        Command::Start { campaign, confirm_restored, operator, json } => {
            let decision = (CampaignDecision::Start, confirm_restored);
            decide::run(&context.acting(&operator), decision, &campaign, None, json).await
        }
        Command::Refuse { campaign, reason, operator, json } => {
            let decision = (CampaignDecision::Refuse, false);
            decide::run(&context.acting(&operator), decision, &campaign, Some(&reason), json).await
        }
        Command::Set(args) => set::run(&context.acting(&args.operator), args).await,
        Command::Rename { campaign, name, operator, json } => {
            draft::rename(&context.acting(&operator), &campaign, &name, json).await
        }
        Command::Delete { campaign, operator, json } => {
            draft::delete(&context.acting(&operator), &campaign, json).await
        }
        Command::Test(args) => test::run(context, args).await,
        Command::Pause { campaign, step: Some(step), reason, operator, json } => {
            step::decide(&context.acting(&operator), &campaign, (step, StepDecision::Hold), reason.as_deref(), json)
                .await
        }
        Command::Pause { campaign, step: None, reason, operator, json } => {
            let decision = (CampaignDecision::Pause, false);
            decide::run(&context.acting(&operator), decision, &campaign, reason.as_deref(), json).await
        }
        Command::Resume { campaign, step: Some(step), operator, json, .. } => {
            step::decide(&context.acting(&operator), &campaign, (step, StepDecision::Release), None, json).await
        }
        Command::Resume { campaign, step: None, confirm_restored, operator, json } => {
            let decision = (CampaignDecision::Resume, confirm_restored);
            decide::run(&context.acting(&operator), decision, &campaign, None, json).await
        }
        Command::Cancel { campaign, reason, operator, json } => {
            let decision = (CampaignDecision::Cancel, false);
            decide::run(&context.acting(&operator), decision, &campaign, reason.as_deref(), json).await
        }
        Command::Retry(args) => retry::retry(&context.acting(&args.args.operator), args).await,
        Command::Clone(args) => retry::clone(&context.acting(&args.operator), args).await,
        Command::Report(args) => report::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
    }
}

/// Parses a step number, counted from 1. How many steps there are is known only with the campaign.
pub(super) fn step(text: &str) -> Result<NonZeroU8, String> {
    text.parse().map_err(|_| format!("invalid step \"{text}\"; write its number, such as 1 for the first step"))
}

/// The step with this number. Fails if the campaign has fewer steps.
async fn step_of(store: &dyn Store, batch: &Batch, number: NonZeroU8) -> anyhow::Result<StepIndex> {
    let steps = store.plan(batch.id).await?.context("the plan of the campaign is no longer stored")?.steps.len();
    let step = StepIndex::new(number.get() - 1).filter(|step| step.index() < steps);
    step.ok_or_else(|| {
        let (name, has) = (batch.display_name(), plural(steps as u64, "step", "steps"));
        Usage(format!("--step: \"{name}\" has no step {number}; it has {has}")).into()
    })
}

/// The state of a campaign, with its start time if that is in the future.
pub(super) fn state(batch: &Batch, zone: Option<Zone>) -> String {
    match (batch.state, batch.starts_at) {
        (BatchState::Scheduled, Some(at)) => format!("scheduled for {}", format_time(at, zone)),
        (BatchState::Draft, Some(at)) => format!("draft, to start at {}", format_time(at, zone)),
        (BatchState::Paused, Some(at)) if batch.started_at.is_none() => {
            format!("paused, scheduled for {}", format_time(at, zone))
        }
        (state, _) => state.to_string(),
    }
}

/// Fails if the campaign was purged, because its messages are gone.
pub(super) fn ensure_not_purged(batch: &Batch) -> anyhow::Result<()> {
    let Some(at) = batch.purged_at else { return Ok(()) };
    let (name, at) = (batch.display_name(), format_time(at, None));
    anyhow::bail!(
        "\"{name}\" was purged at {at}: its messages are gone; its counts remain, see `volley campaign report {}`",
        shell(&name)
    )
}
