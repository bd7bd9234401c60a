//! Follows a campaign: reads the store four times a second, with or without a running server.

mod view;

use serde_json::Value;

use super::campaign::report::is_incomplete;
use super::campaign::{Until, find};
use super::config::warn;
use super::interrupt::Interrupts;
use super::out::{self, Screen, To};
use super::words::{capital, shell};
use super::{CommandContext, Exit};
use crate::base::clock::format_time_of_day;
use crate::base::domain::{BatchId, BatchState, Span, Timestamp};
use crate::campaigns::status::{CampaignView, Look, Obstacle, Watcher};
use crate::store::{Batch, Store};

pub(super) use view::{
    DELAY, can_send, fell_back, forecast_sentence, outcome_notes, rates, settled_by, worst_case, worst_case_of,
};

/// The time between two looks into the store.
const LOOK: Span = Span::from_millis(250);
/// The shortest time between two printed lines: `LINES` at first, up to `LINES_LATER` in a long campaign.
const LINES: Span = Span::from_secs(1);
const LINES_LATER: Span = Span::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or id of the campaign, or `latest`.
    campaign: String,
    /// The state in which to stop.
    #[arg(long, value_enum, value_name = "UNTIL", default_value = "finished")]
    wait: Until,
    /// Exit with code 3 if a recipient was not reached.
    #[arg(long)]
    strict: bool,
    /// Print one JSON object per line after each change, as `campaign show` prints it: at, state, counts, reached, steps,
    /// lanes.
    #[arg(long)]
    json: bool,
}

/// How a campaign is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Redrawn in place on a terminal, else in lines.
    View(To),
    /// The same, and cleared at the end.
    Passing(To),
    Json,
    Silent,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let how = if args.json { How::Json } else { How::View(To::Stdout) };
    if batch.state == BatchState::Draft && !args.json {
        out::talk(draft(&batch.display_name()));
    }
    let mut interrupts = Interrupts::listen();
    let look = tokio::select! {
        look = follow(context, store.as_ref(), batch.id, args.wait, how) => look?,
        () = interrupts.next() => {
            out::talk(stopped_watching(context, store.as_ref(), batch.id).await?.1);
            return Ok(Exit::Done);
        }
    };
    Ok(if args.strict && is_incomplete(&look.report) { Exit::Incomplete } else { Exit::Done })
}

impl Until {
    /// Whether the wait is over. A cancelled campaign stays cancelled while its last receipts arrive.
    pub(super) fn is_met(self, look: &Look) -> bool {
        let settled = look.report.open == 0;
        match (self, look.batch.state) {
            (_, BatchState::Settled) => true,
            (Self::Finished, BatchState::Finished | BatchState::Cancelled) => true,
            (Self::Settled, BatchState::Finished) => false,
            (Self::Settled, BatchState::Cancelled) => settled,
            (
                _,
                BatchState::Launching
                | BatchState::Draft
                | BatchState::Scheduled
                | BatchState::Running
                | BatchState::Paused
                | BatchState::Cancelling,
            ) => false,
        }
    }
}

/// Shows a campaign until `until` is met, and returns the last look.
pub(super) async fn follow(
    context: &CommandContext,
    store: &dyn Store,
    batch: BatchId,
    until: Until,
    how: How,
) -> anyhow::Result<Look> {
    let begun = context.now();
    let mut printer = Printer::new(how, begun);
    let launcher = context.launcher(store);
    let mut watcher = Watcher::new(&launcher, batch).await?;
    loop {
        let look = watcher.look().await?;
        let is_over = until.is_met(&look);
        printer.print(&look, is_over)?;
        if is_over {
            return Ok(look);
        }
        context.clock.sleep(LOOK).await;
    }
}

/// The state of a campaign when an operator stops watching, and a sentence that says whether it continues.
pub(super) async fn stopped_watching(
    context: &CommandContext,
    store: &dyn Store,
    batch: BatchId,
) -> anyhow::Result<(BatchState, String)> {
    let look = Watcher::new(&context.launcher(store), batch).await?.look().await?;
    let sentence = match (look.batch.state, first_obstacle(&look)) {
        (state @ (BatchState::Settled | BatchState::Cancelled), _) => format!("It is {state}."),
        (BatchState::Draft, _) => draft(&look.show.name),
        (BatchState::Paused, _) => paused(&look),
        (state, Some(obstacle)) => {
            let what = sentences(obstacle, &look);
            if stops_all(obstacle, &look) {
                format!("Not sending: {what}")
            } else {
                format!("It is {state}, but {what}")
            }
        }
        (state, None) => match look.waits().next() {
            Some(waits) => format!("The campaign continues; {waits}."),
            None => format!("The campaign continues; it is {state}."),
        },
    };
    Ok((look.batch.state, sentence))
}

/// Why a draft does not send.
fn draft(name: &str) -> String {
    format!("It is a draft, so nothing is sent. To start it: volley campaign start {}", shell(name))
}

/// The obstacle to name if only one is: one that stops every message before one that stops some.
fn first_obstacle(look: &Look) -> Option<&Obstacle> {
    look.obstacles.iter().find(|obstacle| stops_all(obstacle, look)).or_else(|| look.obstacles.first())
}

/// Whether a running campaign sends nothing because of this obstacle.
fn stops_all(obstacle: &Obstacle, look: &Look) -> bool {
    let is_for_all = |waiting: i64| waiting > 0 && waiting == look.show.counts.queued;
    look.batch.state == BatchState::Running
        && match obstacle {
            Obstacle::NoServer | Obstacle::SilentServer(_) | Obstacle::Unwritable(_) => true,
            Obstacle::Held(_, waiting) | Obstacle::StepHeld(_, _, waiting) => is_for_all(*waiting),
            Obstacle::Gone(gone) => is_for_all(gone.queued),
            Obstacle::Slow(..)
            | Obstacle::SetAside(_)
            | Obstacle::Unapproved(_)
            | Obstacle::NeedsApproval(_)
            | Obstacle::UsedUp(_)
            | Obstacle::Reserved(_)
            | Obstacle::Doubt { .. } => false,
        }
}

/// `Lane promo-sg is paused by ann. To resume: volley lane resume promo-sg`, for the end of a sentence.
fn sentences(obstacle: &Obstacle, look: &Look) -> String {
    format!("{}. {}", obstacle.what(), capital(&obstacle.what_to_do(&look.show.name, look.at)))
}

/// Why a campaign is paused and how to resume it, then each obstacle that stays after that.
fn paused(look: &Look) -> String {
    let is = look.batch.stopped().unwrap_or_else(|| "paused".to_owned());
    let mut lines = vec![format!("{}. {}", capital(&is), capital(&to_resume(look)))];
    let stays = look.obstacles.iter().filter(|obstacle| !matches!(obstacle, Obstacle::UsedUp(_)));
    lines.extend(stays.map(|obstacle| capital(&sentences(obstacle, look))));
    lines.join("\n")
}

/// How to resume a paused campaign, which may first need a higher limit.
pub(super) fn to_resume(look: &Look) -> String {
    match look.obstacles.iter().find(|obstacle| matches!(obstacle, Obstacle::UsedUp(_))) {
        Some(limit) => limit.what_to_do(&look.show.name, look.at),
        None => format!("to resume: volley campaign resume {}", shell(&look.show.name)),
    }
}

/// Warns of each reason why a campaign does not send, with what to do, and prints what its messages wait for.
pub(super) async fn warn_of_obstacles(
    context: &CommandContext,
    store: &dyn Store,
    batch: BatchId,
) -> anyhow::Result<()> {
    let look = look_at(context, store, batch).await?;
    if look.batch.state == BatchState::Paused {
        out::talk(paused(&look));
        return Ok(());
    }
    warn(look.obstacles.iter().map(|obstacle| {
        let sentence = obstacle.sentence(&look.show.name, look.at);
        if stops_all(obstacle, &look) { format!("not sending: {sentence}") } else { sentence }
    }));
    look.waits().for_each(|sentence| out::talk(format_args!("{}.", capital(&sentence))));
    Ok(())
}

/// Says which steps of a campaign wait for their send hours, and until when.
pub(super) async fn print_closed_hours(
    context: &CommandContext,
    store: &dyn Store,
    batch: BatchId,
) -> anyhow::Result<()> {
    let look = look_at(context, store, batch).await?;
    out::lines(look.closed_hours.iter().map(|closed| format!("{}.", capital(&closed.sentence()))))
}

async fn look_at(context: &CommandContext, store: &dyn Store, batch: BatchId) -> anyhow::Result<Look> {
    Ok(Watcher::new(&context.launcher(store), batch).await?.without_forecast().look().await?)
}

/// Prints looks at a campaign.
enum Printer {
    Live { screen: Screen, paint: out::Paint, passing: bool },
    Lines { to: To, begun: Timestamp, last: Option<(Timestamp, String)>, is_warned: bool },
    Json { last: Option<Value> },
    Silent { is_warned: bool },
}

impl Printer {
    fn new(how: How, begun: Timestamp) -> Self {
        match how {
            How::View(to) | How::Passing(to) if to.is_terminal() => {
                Self::Live { screen: Screen::new(to), paint: to.paint(), passing: matches!(how, How::Passing(_)) }
            }
            How::View(to) | How::Passing(to) => Self::Lines { to, begun, last: None, is_warned: false },
            How::Json => Self::Json { last: None },
            How::Silent => Self::Silent { is_warned: false },
        }
    }

    fn print(&mut self, look: &Look, is_over: bool) -> anyhow::Result<()> {
        match self {
            Self::Live { screen, passing: true, .. } if is_over => screen.clear(),
            Self::Live { screen, paint, .. } => screen.draw(&view::frame(look, screen.width(), *paint)),
            Self::Lines { to, begun, last, is_warned } => {
                warn_without_server(look, is_warned);
                let line = view::line(look);
                let pause = look.at.since(*begun).millis() / 10;
                let pause = Span::from_millis(pause).clamp(LINES, LINES_LATER);
                let due = last.as_ref().is_none_or(|(at, shown)| *shown != line && look.at.since(*at) >= pause);
                if due || is_over {
                    to.line(format_args!("{}  {line}", format_time_of_day(look.at, look.report.zone)))?;
                    *last = Some((look.at, line));
                }
            }
            Self::Json { last } => {
                let shown = CampaignView::new(look);
                // The time alone is no change.
                let unchanged = serde_json::to_value(CampaignView { at: String::new(), ..CampaignView::new(look) })?;
                if last.as_ref() != Some(&unchanged) {
                    out::data(serde_json::to_string(&shown)?)?;
                    *last = Some(unchanged);
                }
            }
            Self::Silent { is_warned } => warn_without_server(look, is_warned),
        }
        Ok(())
    }
}

/// Warns once if no server is running or responds, because then nothing is sent.
fn warn_without_server(look: &Look, is_warned: &mut bool) {
    let is_missing = |obstacle: &&Obstacle| matches!(obstacle, Obstacle::NoServer | Obstacle::SilentServer(_));
    let missing = look.obstacles.iter().find(is_missing);
    if let Some(obstacle) = missing.filter(|_| !*is_warned) {
        out::talk(obstacle.sentence(&look.show.name, look.at));
    }
    *is_warned = missing.is_some();
}

/// How long a campaign took, or has taken so far; `None` before its start.
pub(super) fn took(batch: &Batch, now: Timestamp) -> Option<Span> {
    let begun = batch.started_at?;
    let over = match batch.state {
        BatchState::Settled => batch.settled_at,
        BatchState::Cancelled => batch.finished_at,
        _ => None,
    };
    Some(over.unwrap_or(now).since(begun))
}
