//! `volley lane`: shows, changes, pauses and resumes lanes.

mod list;
mod scheduled;
mod set;
mod show;

use super::operator::Operator;
use super::out::{self, Paint};
use super::words::plural;
use super::{CommandContext, Exit};
use crate::base::config::Lane;
use crate::base::domain::Timestamp;
use crate::base::events::Origin;
use crate::campaigns::campaign::{LaneCarriedOut, LaneDecision, carry_out_on_lane};
use crate::campaigns::status::{LaneDecisionView, LaneView, Lanes, Slow, holds, overrides};
use crate::store::{Hold, Override};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the lanes of the configuration: rates, tiers and holds.
    List {
        /// Print a JSON list of objects.
        #[arg(long)]
        json: bool,
    },
    /// Show one lane: state, settings, overrides, waiting messages, and what the provider reports.
    Show {
        /// The lane's name in the configuration.
        lane: String,
        /// Print one JSON object: as `lane list`, plus queues.
        #[arg(long)]
        json: bool,
    },
    /// Override a lane's rate or burst, its account's rate, or its portfolio's tier, also while it sends.
    ///
    /// An override takes effect at once, survives restarts, and ends when the value in the file changes.
    #[command(after_help = "\
Examples:
  volley lane set promo-sg --rate 40/s --reason 'a gentle start'
  volley lane set promo-sg --tier 10K
  volley lane set promo-sg --rate file            restore the value of the file")]
    Set(set::Args),
    /// Pause a lane. Its queued messages wait; a step with leave_within falls back after that time.
    #[command(
        after_help = "Examples:\n  volley lane pause promo-sg\n  volley lane pause promo-sg --reason 'number moves to another account'"
    )]
    Pause {
        /// The lane's name in the configuration.
        lane: String,
        /// Reason, shown in events and with the lane.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: as `lane list`, plus noted.
        #[arg(long)]
        json: bool,
    },
    /// Resume a lane: release the holds of operators and those of Volley itself.
    Resume {
        /// The lane's name in the configuration.
        lane: String,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: as `lane list`, plus released and noted.
        #[arg(long)]
        json: bool,
    },
    /// Cancel a batch that another program submitted on a lane's subaccount for a later time.
    ///
    /// Volley itself submits each message when it is due, so its own campaigns need `campaign cancel`.
    #[command(after_help = "\
Example:
  volley lane cancel-batch promo-sg cf3cbbf5-5b1e-4d05-b5c5-41b1c1a1e7b7")]
    CancelBatch {
        /// The lane's name in the configuration.
        lane: String,
        /// The batchId of the provider's answer.
        batch: String,
        /// Print one JSON object: lane, cancelled.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::List { json } => list::run(context, json).await?,
        Command::Show { lane, json } => show::run(context, &lane, json).await?,
        Command::Set(args) => set::run(&context.acting(&args.operator), args).await?,
        Command::Pause { lane, reason, operator, json } => {
            pause(&context.acting(&operator), &lane, reason, json).await?;
        }
        Command::CancelBatch { lane, batch, json } => scheduled::cancel(context, &lane, &batch, json).await?,
        Command::Resume { lane, operator, json } => resume(&context.acting(&operator), &lane, json).await?,
    }
    Ok(Exit::Done)
}

async fn pause(context: &CommandContext, name: &str, reason: Option<String>, json: bool) -> anyhow::Result<()> {
    let lane = context.config.named_lane(name)?;
    let by = &context.origin(reason.as_deref());
    let (done, shown) = carry_out(context, lane, &LaneDecision::Pause, by).await?;
    if json {
        return out::json(&LaneDecisionView::new(shown, &done));
    }
    let paused = match done.already.as_ref().map(|by| by.operator_name().unwrap_or_default()) {
        Some(by) => format!("was already paused (by {by}); the reason is unchanged"),
        None => "is paused; its queued messages wait".to_owned(),
    };
    out::data(format_args!("Lane {name} {paused} ({}). To resume: volley lane resume {name}", done.noted.sentence()))
}

async fn resume(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<()> {
    let lane = context.config.named_lane(name)?;
    let (done, shown) = carry_out(context, lane, &LaneDecision::Resume, &context.origin(None)).await?;
    if json {
        return out::json(&LaneDecisionView::new(shown, &done));
    }
    match done.released {
        None | Some(0) => out::data(format_args!("Lane {name} was not on hold.")),
        Some(released) => {
            let (holds, effect) = (plural(released, "hold", "holds"), done.noted.sentence());
            out::data(format_args!("Lane {name} is resumed; {holds} released ({effect})."))
        }
    }
}

/// Carries out a decision, and looks at the lane afterwards.
async fn carry_out<'a>(
    context: &'a CommandContext,
    lane: &'a Lane,
    decision: &LaneDecision,
    by: &Origin,
) -> anyhow::Result<(LaneCarriedOut, LaneView<'a>)> {
    let (store, clock, config) = (context.store().await?, context.clock.as_ref(), &context.config);
    let done = carry_out_on_lane(store.as_ref(), clock, config, lane, decision, by).await?;
    let shown = Lanes::read(store.as_ref(), config, context.now()).await?.view(config, lane);
    store.close().await;
    Ok((done, shown))
}

/// A hold, its waiting messages, and what to do.
fn hold_lines(known: &Lanes, hold: &Hold, now: Timestamp, paint: Paint) -> [String; 2] {
    let waiting = known.waiting.held_by(hold);
    [holds::sentence_since(hold, waiting, now), paint.dim(format!("  {}", holds::what_to_do(hold)))]
}

/// What slows a lane down, and what to do.
fn slow_lines(slow: &Slow, now: Timestamp, paint: Paint) -> [String; 2] {
    [slow.what(), paint.dim(format!("  {}", slow.what_to_do(now)))]
}

/// An override, and what to do.
fn override_lines(overridden: &Override, lane: &Lane, now: Timestamp, paint: Paint) -> [String; 2] {
    let what_to_do = overrides::what_to_do(overridden, lane);
    [overrides::sentence_since(overridden, now), paint.dim(format!("  {what_to_do}"))]
}
