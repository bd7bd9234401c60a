//! `volley lane`: shows, changes, pauses and resumes lanes.

mod set;
mod show;

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Serialize;

use super::holds::{self, HoldShown};
use super::operator::Operator;
use super::out::{self, To};
use super::pace::{PaceShown, Slow};
use super::table::Table;
use super::words::{about, count, count_or_dash, plural, rate};
use super::{CommandContext, Exit};
use crate::campaign::noted;
use crate::config::{Lane, hint};
use crate::domain::{Channel, Country, OverridableSetting, Tier, Timestamp};
use crate::events::Subject;
use crate::report::Waiting;
use crate::store::{HeldBy, Hold, LaneState, Override, ProviderReport, StepHold, Store};
use crate::throttle::is_over;

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

/// Finds a lane by its name. The error suggests the nearest name.
pub(super) fn named<'a>(context: &'a CommandContext, name: &str) -> anyhow::Result<&'a Lane> {
    if let Some(lane) = context.config.lane(name) {
        return Ok(lane);
    }
    let names: Vec<&str> = context.config.lanes.iter().map(|lane| lane.name.as_str()).collect();
    if names.is_empty() {
        bail!("unknown lane \"{name}\": no lanes are configured; add a [[lane]] to volley.toml");
    }
    bail!("unknown lane \"{name}\"; {}", hint(name, names))
}

#[derive(Serialize)]
struct TierShown {
    portfolio: String,
    tier: String,
    /// Recipients that messages were submitted to in the last 24 hours.
    recipients_in_24h: u32,
}

#[derive(Serialize)]
struct LaneShown<'a> {
    name: &'a str,
    channel: Channel,
    rate: String,
    burst: u32,
    account: &'a str,
    account_rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<TierShown>,
    /// The countries that it sends to; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    countries: Vec<Country>,
    holds: Vec<HoldShown>,
    /// Messages that are queued on it, including those that it shares with other lanes.
    queued: i64,
    /// Whether a server is running on this database.
    server: bool,
    /// Its current state; `None` if no running server has reported it yet.
    now: Option<PaceShown>,
    /// The overrides of its settings.
    overrides: Vec<OverrideShown>,
    /// What the provider reports about it.
    reports: Vec<ReportedShown>,
}

#[derive(Serialize)]
struct OverrideShown {
    setting: OverridableSetting,
    value: String,
    in_file: String,
    by_operator: bool,
    reason: String,
    since: String,
}

#[derive(Serialize)]
struct ReportedShown {
    about: String,
    what: String,
    value: String,
    at: String,
}

/// Whether an override concerns this lane, its account or its portfolio.
fn concerns(overridden: &Override, lane: &Lane) -> bool {
    match overridden.setting {
        OverridableSetting::Rate | OverridableSetting::Burst => overridden.name == lane.name,
        OverridableSetting::AccountRate => overridden.name == lane.account,
        OverridableSetting::Tier => lane.tiered() == Some(&overridden.name),
    }
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

/// The stored state of all lanes.
struct Known {
    holds: Vec<Hold>,
    waiting: Waiting,
    /// Whether a server is running. It may not have reported every lane yet.
    has_server: bool,
    states: Vec<LaneState>,
    overrides: Vec<Override>,
    says: Vec<ProviderReport>,
    step_holds: Vec<StepHold>,
    /// For each portfolio, the recipients that count against its tier.
    recipients: BTreeMap<String, u32>,
}

impl Known {
    async fn read(context: &CommandContext, store: &dyn Store) -> anyhow::Result<Self> {
        let (holds, waiting) = (store.holds().await?, Waiting::everywhere(store).await?);
        let counts = |overridden: &Override| !is_over(&context.config, overridden);
        let overrides = store.overrides().await?.into_iter().filter(counts).collect();
        let step_holds = store.step_holds().await?;
        let recipients = store.tiers_used(context.now() - Tier::HELD).await?;
        let says = store.provider_reports().await?.into_iter().filter(|said| !said.value.is_empty()).collect();
        // Read first: the states of a server that starts meanwhile are not missing.
        let has_server = !context.nodes(store).await?.is_empty() || context.unwritable(store).await?.is_some();
        let states = context.lane_states(store).await?;
        Ok(Self { holds, waiting, has_server, states, overrides, says, step_holds, recipients })
    }

    fn overrides<'a>(&'a self, lane: &'a Lane) -> impl Iterator<Item = &'a Override> {
        self.overrides.iter().filter(|overridden| concerns(overridden, lane))
    }

    fn says(&self, lane: &Lane) -> impl Iterator<Item = &ProviderReport> {
        let about = Subject::lane(&lane.name);
        // What the provider reports about the account concerns all WhatsApp lanes.
        let is_whatsapp = lane.channel == Channel::WhatsApp;
        self.says
            .iter()
            .filter(move |said| said.about == about || is_whatsapp && said.about == Subject::ProviderAccount)
    }
}

fn shown<'a>(context: &'a CommandContext, lane: &'a Lane, known: &Known) -> LaneShown<'a> {
    let tier = lane.tiered().map(|portfolio| TierShown {
        portfolio: portfolio.to_owned(),
        tier: lane.tier.to_string(),
        recipients_in_24h: known.recipients.get(portfolio).copied().unwrap_or(0),
    });
    LaneShown {
        name: &lane.name,
        channel: lane.channel,
        rate: lane.rate.to_string(),
        burst: lane.burst.get(),
        account: &lane.account,
        account_rate: context
            .config
            .account(&lane.account)
            .and_then(|account| account.rate)
            .map(|rate| rate.to_string()),
        tier,
        countries: lane.countries.iter().copied().collect(),
        holds: known
            .holds
            .iter()
            .filter(|hold| hold.lane == lane.name)
            .map(|hold| HoldShown::new(hold, &known.waiting))
            .collect(),
        queued: known.waiting.on_lane(&lane.name),
        server: known.has_server,
        now: known.states.iter().find(|state| state.lane == lane.name).map(|state| PaceShown::new(lane, state)),
        overrides: known
            .overrides(lane)
            .map(|overridden| OverrideShown {
                setting: overridden.setting,
                value: overridden.value.clone(),
                in_file: overridden.in_file.clone(),
                by_operator: overridden.origin.is_operator(),
                reason: overridden.origin.after("set"),
                since: overridden.since.rfc3339(),
            })
            .collect(),
        reports: known
            .says(lane)
            .map(|said| ReportedShown {
                about: said.about.to_string(),
                what: said.what.clone(),
                value: said.value.clone(),
                at: said.at.rfc3339(),
            })
            .collect(),
    }
}

async fn list(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let known = Known::read(context, store.as_ref()).await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let slow = Slow::all(&context.config, &known.states, context.now());
    let lanes: Vec<_> = context.config.lanes.iter().map(|lane| shown(context, lane, &known)).collect();
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
    for state in known.states.iter().filter(|state| context.config.lane(&state.lane).is_some()) {
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
    for said in context.config.lanes.iter().flat_map(|lane| known.says(lane)) {
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
fn current_rate(known: &Known, lane: &Lane) -> String {
    let state = known.states.iter().find(|state| state.lane == lane.name);
    state.map_or_else(|| "–".to_owned(), |state| rate(state.pace))
}

/// A lane after an operator's decision, for JSON.
#[derive(Serialize)]
struct DecidedShown<'a> {
    #[serde(flatten)]
    lane: LaneShown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<u32>,
    noted: Option<bool>,
}

async fn pause(context: &CommandContext, name: &str, reason: Option<String>, json: bool) -> anyhow::Result<()> {
    let lane = named(context, name)?;
    let store = context.store().await?;
    let known = store.holds().await?;
    let is_paused = |hold: &&Hold| hold.lane == lane.name && hold.template.is_empty() && hold.by == HeldBy::Operator;
    // Pausing a paused lane without a reason keeps the first reason.
    let already = known.iter().find(is_paused).filter(|_| reason.is_none());
    let seq = match already {
        Some(_) => store.seq().await?,
        None => {
            let since = context.now();
            store.hold(Hold::by_operator(&lane.name, "", context.origin(reason.as_deref()), since), since).await?
        }
    };
    let noted = noted(store.as_ref(), context.clock.as_ref(), seq).await?;
    let shown = shown(context, lane, &Known::read(context, store.as_ref()).await?);
    store.close().await;
    if json {
        return out::json(&DecidedShown { lane: shown, released: None, noted: noted.by_all() });
    }
    let effect = noted.sentence();
    out::data(format_args!(
        "Lane {name} is {}paused; its queued messages wait ({effect}). To resume: volley lane resume {name}",
        if already.is_some() { "already " } else { "" },
    ))
}

async fn resume(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<()> {
    let lane = named(context, name)?;
    let store = context.store().await?;
    let released = store.release(lane.name.clone(), String::new(), context.now(), context.origin(None)).await?;
    let noted = noted(store.as_ref(), context.clock.as_ref(), store.seq().await?).await?;
    let shown = shown(context, lane, &Known::read(context, store.as_ref()).await?);
    store.close().await;
    if json {
        return out::json(&DecidedShown { lane: shown, released: Some(released), noted: noted.by_all() });
    }
    match released {
        0 => out::data(format_args!("Lane {name} was not on hold.")),
        released => {
            let (holds, effect) = (plural(released, "hold", "holds"), noted.sentence());
            out::data(format_args!("Lane {name} is resumed; {holds} released ({effect})."))
        }
    }
}
