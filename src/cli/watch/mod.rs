//! Following a campaign: reads the store four times a second, beside whatever server is running.

mod look;
mod view;

use serde::Serialize;

use super::campaign::report::is_incomplete;
use super::campaign::{Until, find};
use super::gap::{Repeated, Waived};
use super::interrupt::Interrupts;
use super::obstacles::{Obstacle, ObstacleShown};
use super::out::{self, Screen, To};
use super::words::shell;
use super::{Exit, Ground};
use crate::campaign::{LeftBehind, time_of_day};
use crate::domain::{BatchId, BatchState, Span, Timestamp};
use crate::store::{Batch, Store};

pub(super) use look::{Look, Looking};
pub(super) use view::{fell_back, foreseen, gaps, outcome_notes};

/// How often the store is looked into.
const LOOK: Span = Span::from_millis(250);
/// Where lines are printed one below the other, how often at least at first; later they come less often.
const LINES: Span = Span::from_secs(1);
const LINES_LATER: Span = Span::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name or its id.
    campaign: String,
    /// Until when to follow it.
    #[arg(long, value_enum, value_name = "UNTIL", default_value = "finished")]
    wait: Until,
    /// End with exit code 3 if somebody was not reached.
    #[arg(long)]
    strict: bool,
    /// An object on a line of its own whenever something has changed: as of `campaign show`.
    #[arg(long)]
    json: bool,
}

/// How a campaign is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Drawn in place on a terminal, else in lines.
    View(To),
    /// The same, and taken away at the end.
    Passing(To),
    Json,
    Silent,
}

pub(super) async fn run(args: Args, ground: &Ground) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let how = if args.json { How::Json } else { How::View(To::Stdout) };
    let mut interrupts = Interrupts::listen();
    let look = tokio::select! {
        look = follow(ground, store.as_ref(), batch.id, args.wait, how) => look?,
        () = interrupts.next() => {
            out::talk(unwatched(ground, store.as_ref(), batch.id).await?.1);
            return Ok(Exit::Done);
        }
    };
    Ok(if args.strict && is_incomplete(&look.report) { Exit::Incomplete } else { Exit::Done })
}

impl Until {
    /// Whether there is nothing more to wait for. A cancelled campaign stays so while its last receipts come.
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

/// Shows a campaign until what is waited for has come, and returns how it stands then.
pub(super) async fn follow(
    ground: &Ground,
    store: &dyn Store,
    batch: BatchId,
    until: Until,
    how: How,
) -> anyhow::Result<Look> {
    let begun = ground.now();
    let mut teller = Teller::new(how, begun);
    let mut looking = Looking::new(ground, store, batch).await?;
    loop {
        let look = looking.look().await?;
        let is_over = until.is_met(&look);
        teller.tell(&look, is_over)?;
        if is_over {
            return Ok(look);
        }
        ground.clock.sleep(LOOK).await;
    }
}

/// Where a campaign stands that is followed no longer, and in a sentence whether it goes on without that.
pub(super) async fn unwatched(
    ground: &Ground,
    store: &dyn Store,
    batch: BatchId,
) -> anyhow::Result<(BatchState, String)> {
    let Look { at, batch, show, obstacles, .. } = Looking::new(ground, store, batch).await?.look().await?;
    let said = match (batch.state, &obstacles[..]) {
        (state @ (BatchState::Settled | BatchState::Cancelled), _) => format!("It is {state}."),
        (BatchState::Draft, _) => {
            format!("It is a draft; let it begin: volley campaign start {}", shell(&show.name))
        }
        (state, [first, ..]) => format!("It is {state}, but {}.", first.sentence(&show.name, at)),
        (BatchState::Paused, []) => format!("It is paused; to go on: volley campaign resume {}", shell(&show.name)),
        (state, []) => format!("It goes on without being watched; it is {state}."),
    };
    Ok((batch.state, said))
}

/// What keeps a campaign from moving although it may: one sentence each, with what to do.
pub(super) async fn obstacles(ground: &Ground, store: &dyn Store, batch: BatchId) -> anyhow::Result<Vec<String>> {
    let look = Looking::new(ground, store, batch).await?.look().await?;
    Ok(look.obstacles.iter().map(|obstacle| obstacle.sentence(&look.show.name, look.at)).collect())
}

/// Whatever shows it.
enum Teller {
    Live { screen: Screen, paint: out::Paint, passing: bool },
    Lines { to: To, begun: Timestamp, told: Option<(Timestamp, String)>, alone: bool },
    Json { told: String },
    Silent { alone: bool },
}

impl Teller {
    fn new(how: How, begun: Timestamp) -> Self {
        match how {
            How::View(to) | How::Passing(to) if to.is_terminal() => {
                Self::Live { screen: Screen::new(to), paint: to.paint(), passing: matches!(how, How::Passing(_)) }
            }
            How::View(to) | How::Passing(to) => Self::Lines { to, begun, told: None, alone: false },
            How::Json => Self::Json { told: String::new() },
            How::Silent => Self::Silent { alone: false },
        }
    }

    fn tell(&mut self, look: &Look, is_over: bool) -> anyhow::Result<()> {
        match self {
            Self::Live { screen, passing: true, .. } if is_over => screen.clear(),
            Self::Live { screen, paint, .. } => screen.draw(&view::frame(look, screen.width(), *paint)),
            Self::Lines { to, begun, told, alone } => {
                nobody_sends(look, alone);
                let line = view::line(look);
                let pause = look.at.since(*begun).millis() / 10;
                let pause = Span::from_millis(pause).clamp(LINES, LINES_LATER);
                let due = told.as_ref().is_none_or(|(at, said)| *said != line && look.at.since(*at) >= pause);
                if due || is_over {
                    to.line(format_args!("{}  {line}", time_of_day(look.at, look.report.zone)))?;
                    *told = Some((look.at, line));
                }
            }
            Self::Json { told } => {
                let line = serde_json::to_string(&Shown::new(look))?;
                if line != *told {
                    out::data(&line)?;
                    *told = line;
                }
            }
            Self::Silent { alone } => nobody_sends(look, alone),
        }
        Ok(())
    }
}

/// Says once that nothing will happen, where nothing will.
fn nobody_sends(look: &Look, said: &mut bool) {
    let nobody = look.obstacles.iter().find(|obstacle| matches!(obstacle, Obstacle::NoServer));
    if let Some(nobody) = nobody.filter(|_| !*said) {
        out::talk(nobody.sentence(&look.show.name, look.at));
    }
    *said = nobody.is_some();
}

/// Where a campaign stands, for JSON.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    show: &'a crate::campaign::Show,
    /// When it begins, where it was scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<String>,
    server: bool,
    /// When what waits now will have left, as things stand, what decides that, and what will not leave. Nobody knows while
    /// it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bottleneck: Option<String>,
    /// When nothing will be left to hand over, should everybody fall back at every step.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_by: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    left_behind: &'a [LeftBehind],
    obstacles: Vec<ObstacleShown>,
    /// Deadlines that fell into a time in which no receipt could be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    waived: Option<&'a Waived>,
    /// A time in which none could be taken, of which deadlines wait for what is still repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<&'a Repeated>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(look: &'a Look) -> Self {
        let foreseen = look.forecast.as_ref().filter(|_| !look.is_kept);
        Self {
            show: &look.show,
            starts_at: look.batch.starts_at.map(Timestamp::rfc3339),
            server: look.server,
            left_by: foreseen.filter(|all| all.left_behind.is_empty()).map(|all| all.done_at.rfc3339()),
            bottleneck: foreseen.and_then(|forecast| forecast.bottleneck.as_ref()).map(ToString::to_string),
            finished_by: look.finished_by.filter(|_| foreseen.is_some()).map(Timestamp::rfc3339),
            left_behind: foreseen.map(|forecast| &forecast.left_behind[..]).unwrap_or_default(),
            obstacles: look.obstacles.iter().map(|obstacle| obstacle.shown(&look.show.name, look.at)).collect(),
            waived: look.waived.as_ref(),
            repeated: look.repeated.as_ref(),
        }
    }
}

/// When a campaign began and how long it took, or has taken so far.
pub(super) fn took(batch: &Batch, now: Timestamp) -> Option<Span> {
    let begun = batch.started_at?;
    let over = match batch.state {
        BatchState::Settled => batch.settled_at,
        BatchState::Cancelled => batch.finished_at,
        _ => None,
    };
    Some(over.unwrap_or(now).since(begun))
}
