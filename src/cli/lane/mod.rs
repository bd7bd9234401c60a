//! `volley lane`: shows, changes, pauses and resumes lanes.

mod set;
mod show;

use super::operator::Operator;
use super::out::{self, To};
use super::table::Table;
use super::words::{about, count, count_or_dash, plural, rate};
use super::{CommandContext, Exit};
use crate::campaign::{LaneCarriedOut, LaneDecision, carry_out_on_lane};
use crate::config::Lane;
use crate::domain::{Tier, Timestamp};
use crate::events::Origin;
use crate::status::{LaneDecisionView, LaneView, Lanes, Slow, concerns, holds};
use crate::store::{Override, ProviderReport};

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
    /// Pause a lane. Its queued messages wait, at most until their leave_within.
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
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::List { json } => list(context, json).await?,
        Command::Show { lane, json } => show::run(context, &lane, json).await?,
        Command::Set(args) => set::run(&context.acting(&args.operator), args).await?,
        Command::Pause { lane, reason, operator, json } => {
            pause(&context.acting(&operator), &lane, reason, json).await?;
        }
        Command::Resume { lane, operator, json } => resume(&context.acting(&operator), &lane, json).await?,
    }
    Ok(Exit::Done)
}

/// `the rate of lane promo-sg is 40/s (80/s in the file): set by ann: a gentle start, 3 min ago`.
fn override_sentence(overridden: &Override, now: Timestamp) -> String {
    let Override { setting, value, in_file, origin, since, .. } = overridden;
    format!(
        "the {} of {} is {value} ({in_file} in the file): {}, {} ago",
        setting.what(),
        overridden.subject(),
        origin.after("set"),
        about(now.since(*since))
    )
}

/// The command that restores the value of the file.
fn reset_command(overridden: &Override, lane: &Lane) -> String {
    format!(
        "to restore the value of the file: volley lane set {} --{} file",
        super::words::shell(&lane.name),
        overridden.setting
    )
}

fn report_sentence(said: &ProviderReport, now: Timestamp) -> String {
    format!(
        "{}: its {} is {}, reported by the provider {} ago",
        said.about,
        said.what,
        said.value,
        about(now.since(said.at))
    )
}

async fn list(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let known = Lanes::read(store.as_ref(), &context.config, context.now()).await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let slow = Slow::all(&context.config, &known.servers.lanes, context.now());
    let lanes: Vec<_> = context.config.lanes.iter().map(|lane| known.view(&context.config, lane)).collect();
    if json {
        return out::json(&lanes);
    }
    if lanes.is_empty() {
        out::talk("No lanes are configured; add a [[lane]] with a name and a channel to volley.toml.");
        return Ok(());
    }
    let paint = To::Stdout.paint();
    let mut table = Table::new(&[
        "lane",
        "channel",
        ">rate",
        ">now",
        ">burst",
        "account",
        "recipients in 24 h, of tier",
        ">waiting",
        "state",
    ]);
    for (lane, config) in lanes.iter().zip(&context.config.lanes) {
        let account = match &lane.account_rate {
            Some(rate) => format!("{} ({rate})", lane.account),
            None => lane.account.to_owned(),
        };
        let tier = lane.tier.as_ref().map(|tier| {
            let used = count(tier.recipients_in_24h);
            match config.tier {
                Tier::Recipients(recipients) => format!("{used} of {} ({})", count(recipients), tier.portfolio),
                Tier::Unlimited => format!("{used}, unlimited ({})", tier.portfolio),
            }
        });
        let state = match lane.holds.iter().any(|hold| hold.template.is_none()) {
            true => paint.bad("on hold"),
            false if lane.holds.len() == 1 => paint.so_so("ready; one template is on hold"),
            false if !lane.holds.is_empty() => paint.so_so("ready; some templates are on hold"),
            false => match slow.iter().find(|slow| slow.lane == lane.name) {
                Some(slow) => paint.so_so(slow.state()),
                None => paint.good("ready"),
            },
        };
        table.row([
            lane.name.to_owned(),
            lane.channel.to_string(),
            lane.rate.clone(),
            current_rate(&known, config),
            count(lane.burst),
            account,
            tier.unwrap_or_else(|| "–".to_owned()),
            count_or_dash(lane.queued),
            state,
        ]);
    }
    out::lines(table.lines(paint))?;
    let now = context.now();
    for hold in known.holds.iter().filter(|hold| context.config.lane(&hold.lane).is_some()) {
        let waiting = known.waiting.on(&hold.lane, &hold.template);
        out::data(format_args!("\n{}", holds::sentence_since(hold, waiting, now)))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for slow in &slow {
        out::data(format_args!("\n{}", slow.what()))?;
        out::data(paint.dim(format!("  {}", slow.what_to_do(now))))?;
    }
    for state in known.servers.lanes.iter().filter(|state| context.config.lane(&state.lane).is_some()) {
        if let Some((at, why)) = &state.complaint {
            let ago = about(now.since(*at));
            out::data(format_args!("\nlane {}: last complaint of the provider, {ago} ago: {why}", state.lane))?;
        }
    }
    for overridden in &known.overrides {
        if let Some(lane) = context.config.lanes.iter().find(|lane| concerns(overridden, lane)) {
            out::data(format_args!("\n{}", override_sentence(overridden, now)))?;
            out::data(paint.dim(format!("  {}", reset_command(overridden, lane))))?;
        }
    }
    let mut says: Vec<&ProviderReport> = Vec::new();
    for said in context.config.lanes.iter().flat_map(|lane| known.reports(lane)) {
        if !says.contains(&said) {
            says.push(said);
        }
    }
    for said in says {
        out::data(format_args!("\n{}", report_sentence(said, now)))?;
    }
    Ok(())
}

/// The current rate of a lane; a dash if no server reports it.
fn current_rate(known: &Lanes, lane: &Lane) -> String {
    known.servers.lane(&lane.name).map_or_else(|| "–".to_owned(), |state| rate(state.pace))
}

async fn pause(context: &CommandContext, name: &str, reason: Option<String>, json: bool) -> anyhow::Result<()> {
    let lane = context.config.named_lane(name)?;
    let by = &context.origin(reason.as_deref());
    let (done, shown) = carry_out(context, lane, &LaneDecision::Pause, by).await?;
    if json {
        return out::json(&LaneDecisionView::new(shown, &done));
    }
    out::data(format_args!(
        "Lane {name} is {}paused; its queued messages wait ({}). To resume: volley lane resume {name}",
        if done.already { "already " } else { "" },
        done.noted.sentence(),
    ))
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
