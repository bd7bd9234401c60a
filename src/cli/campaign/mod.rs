//! `volley campaign`: planned, launched, watched, stopped, reported on.

mod again;
mod calendar;
mod decide;
mod export;
pub(super) mod launch;
mod limits;
mod list;
mod plan;
pub(super) mod report;
mod rules;
mod set;
mod step;
mod test;

pub(super) use limits::decides;

use anyhow::bail;
use clap::ValueEnum;

use super::{Exit, Ground, watch};
use crate::campaign::moment;
use crate::cli::words::shell;
use crate::config::nearest;
use crate::domain::{BatchState, CampaignId, StepIndex, Zone};
use crate::store::{Batch, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Look a campaign over: who would get what, and what is wrong. Nothing is stored or sent.
    #[command(after_help = "\
Examples:
  volley campaign plan promo.toml
  volley campaign plan promo.toml --json | jq .warnings")]
    Plan(plan::Args),
    /// Launch a campaign, or schedule it.
    ///
    /// The recipient file is read and kept, the plan is frozen, and a running server begins to send. When this returns
    /// the campaign is on disk and whole; when it fails, nothing is.
    #[command(after_help = "\
Examples:
  volley campaign launch promo.toml
  volley campaign launch promo.toml --at 2026-12-01T09:00+08:00
  volley campaign launch promo.toml --wait            until nothing is left to hand over
  volley campaign launch promo.toml --wait settled --strict --json")]
    Launch(launch::Args),
    /// Every campaign, the latest last.
    List {
        /// As a list of objects.
        #[arg(long)]
        json: bool,
    },
    /// What is going on and what is to come, by when it begins.
    Calendar {
        /// As a list of objects.
        #[arg(long)]
        json: bool,
    },
    /// Where a campaign stands now, and what it goes by.
    Show {
        /// Its name or its id.
        campaign: String,
        /// As an object: id, name, state, counts, rate, obstacles, rules.
        #[arg(long)]
        json: bool,
    },
    /// Follow a campaign until nothing is left to hand over.
    ///
    /// On a terminal it is drawn in place; elsewhere a line is printed whenever something has changed. Ctrl-C ends the
    /// watching, not the campaign.
    #[command(after_help = "\
Examples:
  volley campaign watch 'November promo'
  volley campaign watch 'November promo' --wait settled")]
    Watch(watch::Args),
    /// Let a draft begin, at its time where it has one that is still to come.
    Start {
        /// Its name or its id.
        campaign: String,
        /// As an object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Send what a campaign says to a few numbers of your own, as a small campaign of its own.
    #[command(after_help = "\
Examples:
  volley campaign test promo.toml --to +6591234567
  volley campaign test 'November promo' --to +6591234567,+6598765432 --step 2")]
    Test(test::Args),
    /// Change a campaign that is launched: its end, its hours, its limits, and the rules that stop it.
    ///
    /// It counts at once, for everything that has not left. `none` takes something away. The rate is that of its lanes:
    /// see `volley lane set`.
    #[command(after_help = "\
Examples:
  volley campaign set 'November promo' --end 2026-12-02T18:00
  volley campaign set 'November promo' --quiet-hours 22:00-07:00 --send-window none
  volley campaign set 'November promo' --step 3 --budget 50 --max-messages none")]
    Set(set::Args),
    /// Stop sending for now. What was handed over stays; fallbacks wait.
    Pause {
        /// Its name or its id.
        campaign: String,
        /// Only this step: nothing more of it leaves, and the others go on.
        #[arg(long, value_name = "STEP", value_parser = step)]
        step: Option<StepIndex>,
        /// Why, for whoever wonders.
        #[arg(long)]
        reason: Option<String>,
        /// As an object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Go on with a paused campaign, and with steps of it that are held.
    Resume {
        /// Its name or its id.
        campaign: String,
        /// Only this step.
        #[arg(long, value_name = "STEP", value_parser = step)]
        step: Option<StepIndex>,
        /// As an object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Cancel a campaign. Once this returns, nothing more is sent, except by a server that does not respond (it says so). Cannot be undone.
    Cancel {
        /// Its name or its id.
        campaign: String,
        /// Why, for whoever wonders.
        #[arg(long)]
        reason: Option<String>,
        /// As an object: id, name, state, counts, noted.
        #[arg(long)]
        json: bool,
    },
    /// Send it once more to those who came out of it in some way, as a new campaign.
    #[command(after_help = "\
Examples:
  volley campaign retry 'November promo' --outcome undelivered
  volley campaign retry 'November promo' --outcome undelivered,expired --at 2026-12-02T09:00 --name 'Second try'")]
    Retry(again::Retry),
    /// Send it once more to everybody, as a new campaign.
    ///
    /// The steps are those of the first time, and so are their lanes, hours and texts; who was excluded is so again, and who has
    /// opted out since gets nothing.
    Clone(again::Args),
    /// What a campaign has come to: who was reached on which channel, and what became of the others.
    #[command(after_help = "\
Examples:
  volley campaign report 'November promo'
  volley campaign report 'November promo' --json | jq .outcomes")]
    Report(report::Args),
    /// A table with a row for each recipient: what became of every step, and when.
    ///
    /// Cells that a spreadsheet program would take for a formula get a quote before them in CSV; an XLSX file holds text.
    /// The file appears once it is whole.
    #[command(after_help = "\
Examples:
  volley campaign export 'November promo' promo.xlsx
  volley campaign export 'November promo' - --columns number,outcome,reason | head
  volley campaign export 'November promo' promo.csv --time-zone Asia/Singapore")]
    Export(export::Args),
}

/// Until when somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Until {
    /// Nothing is left to hand over; last receipts may still come.
    Finished,
    /// Every message has its outcome.
    Settled,
}

pub(super) async fn run(command: Command, ground: &Ground) -> anyhow::Result<Exit> {
    use decide::Decision;
    match command {
        Command::Plan(args) => plan::run(args, ground).await,
        Command::Launch(args) => launch::run(args, ground).await,
        Command::List { json } => list::list(ground, json).await,
        Command::Calendar { json } => calendar::run(ground, json).await,
        Command::Show { campaign, json } => list::show(ground, &campaign, json).await,
        Command::Watch(args) => watch::run(args, ground).await,
        Command::Start { campaign, json } => decide::run(ground, Decision::Start, &campaign, None, json).await,
        Command::Set(args) => set::run(ground, args).await,
        Command::Test(args) => test::run(ground, args).await,
        Command::Pause { campaign, step: Some(step), reason, json } => {
            step::hold(ground, &campaign, step, reason.as_deref(), json).await
        }
        Command::Pause { campaign, step: None, reason, json } => {
            decide::run(ground, Decision::Pause, &campaign, reason.as_deref(), json).await
        }
        Command::Resume { campaign, step: Some(step), json } => step::release(ground, &campaign, step, json).await,
        Command::Resume { campaign, step: None, json } => {
            decide::run(ground, Decision::Resume, &campaign, None, json).await
        }
        Command::Cancel { campaign, reason, json } => {
            decide::run(ground, Decision::Cancel, &campaign, reason.as_deref(), json).await
        }
        Command::Retry(args) => again::retry(ground, args).await,
        Command::Clone(args) => again::clone(ground, args).await,
        Command::Report(args) => report::run(args, ground).await,
        Command::Export(args) => export::run(args, ground).await,
    }
}

/// A step as people count them.
fn step(text: &str) -> Result<StepIndex, String> {
    let step = text.parse::<u8>().ok().and_then(|step| StepIndex::new(step.checked_sub(1)?));
    step.ok_or_else(|| format!("write a number from 1 to {}", StepIndex::COUNT_MAX))
}

/// The campaign of a name, or of a `cmp_…` id.
pub(super) async fn find(store: &dyn Store, name: &str) -> anyhow::Result<Batch> {
    if let Some(batch) = store.batch_named(name).await? {
        return Ok(batch);
    }
    if name.starts_with("cmp_") {
        let id: CampaignId = name.parse()?;
        match store.batch(id.batch).await? {
            Some(batch) if batch.tag == id.tag => return Ok(batch),
            Some(_) | None => bail!("there is no campaign {name} in this database; see `volley campaign list`"),
        }
    }
    let known: Vec<String> = store.batches(None).await?.into_iter().filter_map(|batch| batch.name).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(right) => bail!("there is no campaign \"{name}\"; did you mean \"{right}\"?"),
        None => bail!("there is no campaign \"{name}\"; see `volley campaign list`"),
    }
}

/// Who stopped it, where somebody did. Who let it go on again explains nothing.
pub(super) fn why(batch: &Batch) -> Option<&str> {
    match batch.state {
        BatchState::Paused | BatchState::Cancelling | BatchState::Cancelled => batch.why.as_deref(),
        BatchState::Launching
        | BatchState::Draft
        | BatchState::Scheduled
        | BatchState::Running
        | BatchState::Finished
        | BatchState::Settled => None,
    }
}

/// Its state, with when it begins where that is still to come.
pub(super) fn state(batch: &Batch, zone: Option<Zone>) -> String {
    match (batch.state, batch.starts_at) {
        (BatchState::Scheduled, Some(at)) => format!("scheduled for {}", moment(at, zone)),
        (BatchState::Paused, Some(at)) if batch.started_at.is_none() => {
            format!("paused, scheduled for {}", moment(at, zone))
        }
        (state, _) => state.to_string(),
    }
}

/// Of a campaign that was purged nobody can look at its messages any more.
pub(super) fn has_messages(batch: &Batch) -> anyhow::Result<()> {
    let Some(at) = batch.purged_at else { return Ok(()) };
    let (name, at) = (name_of(batch), moment(at, None));
    anyhow::bail!(
        "\"{name}\" was purged at {at}: its messages are gone; its figures stay, see `volley campaign report {}`",
        shell(&name)
    )
}

/// What people call it.
pub(super) fn name_of(batch: &Batch) -> String {
    batch.name.clone().unwrap_or_else(|| id_of(batch).to_string())
}

pub(super) const fn id_of(batch: &Batch) -> CampaignId {
    CampaignId { batch: batch.id, tag: batch.tag }
}
