//! `volley campaign launch`: launches a campaign, and waits for it if asked to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Until;
use super::media;
use super::report::is_incomplete;
use crate::base::clock::format_time;
use crate::base::config::Lane;
use crate::base::domain::{BatchState, Plan};
use crate::campaigns::campaign::{
    Draft, FileError, HowToLaunch, LaunchError, LaunchView, Launched, Lint, Warning, needs_second_operator, schedule,
};
use crate::cli::config::warn;
use crate::cli::exit::WrongOptions;
use crate::cli::interrupt::Interrupts;
use crate::cli::operator::Operator;
use crate::cli::out::{self, To};
use crate::cli::watch::{How, follow, stopped_watching, warn_of_obstacles};
use crate::cli::words::{count, list, plural, shell};
use crate::cli::{CommandContext, Exit, progress};
use crate::provider::client::Http;
use crate::provider::media::At;
use crate::store::{self, Store};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The campaign file, TOML or JSON.
    file: PathBuf,
    /// Start at this time instead of now: 2026-12-01T09:00 or '2026-12-01 09:00' in the file's time_zone, or with an
    /// offset, 2026-12-01T09:00+08:00 or 2026-12-01T01:00Z.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Create it as a draft; nothing is sent before `campaign start`.
    #[arg(long, conflicts_with = "wait")]
    draft: bool,
    /// Launch under this name instead of the file's.
    #[arg(long, value_parser = crate::base::domain::object_name)]
    name: Option<String>,
    /// Wait until the campaign is finished, or settled, and show its progress.
    #[arg(long, value_enum, value_name = "UNTIL", num_args = 0..=1, default_missing_value = "finished")]
    wait: Option<Until>,
    /// Launch even if the provider of a lane cannot be reached now, and do not request the web addresses of media.
    #[arg(long)]
    unchecked: bool,
    /// Confirm that it may send again what was sent after the backup that was restored.
    #[arg(long)]
    confirm_restored: bool,
    /// Exit with code 3 if rows were rejected or, with --wait, a recipient was not reached.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    pub(in crate::cli) operator: Operator,
    /// Print one JSON object: id, name, state, messages.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.file
    }
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let mut draft = context.campaign_file(&args.file)?;
    if let Some(at) = args.at.clone() {
        draft.at = Some(at);
    }
    if args.name.is_some() {
        draft.name.clone_from(&args.name);
    }
    // A wrong time is reported before any database is opened or created.
    schedule(&draft, context.now()).map_err(|problems| launch_error(LaunchError::Problems(problems), &args))?;
    if draft.at.is_none() && !args.unchecked && !args.draft {
        reach_providers(context, &draft).await?;
    }
    let store = context.store().await?;
    let as_written = draft.clone();
    let looks = !args.unchecked && context.may_request();
    let launched = match media::review(context, store.as_ref(), media::of(&mut draft), (At::BeforeLaunch, looks)).await
    {
        Ok((reviewed, notes)) => {
            let confirms_restored = args.confirm_restored;
            let how = HowToLaunch { is_draft: args.draft, confirms_restored, written_at: None };
            // Nothing is uploaded for a campaign that is refused.
            let upload = async |plan: &mut Plan| media::upload(context, store.as_ref(), as_written, plan).await;
            launch(&reviewed, store.as_ref(), &draft, (how, args.json), upload)
                .await
                .map(|(launched, warnings)| (launched, [warnings, notes].concat()))
        }
        Err(error) => Err(error),
    };
    let (launched, warnings) = match launched {
        Ok(launched) => launched,
        Err(LaunchError::Store(store::Error::NameTaken { name })) => {
            let other = store.batch_named(&name).await?;
            return Err(name_taken(&name, other.map(|other| other.state)));
        }
        Err(error) => return Err(launch_error(error, &args)),
    };
    // `warn_of_obstacles` reports holds below, with what to do, unless the command waits or creates a draft.
    let is_draft = launched.state == BatchState::Draft;
    let wait = args.wait.filter(|_| !is_draft);
    let holds_follow = wait.is_none() && !is_draft;
    warn(warnings.iter().filter(|warning| !(holds_follow && warning.code == Lint::Held)));
    let mut is_over = true;
    let mut state = launched.state;
    let mut exit = if args.strict && launched.rejected > 0 { Exit::Incomplete } else { Exit::Done };
    if let Some(until) = wait {
        if !args.json {
            out::talk(headline(&launched, state));
        }
        let how = if args.json { How::Silent } else { How::View(To::Stderr) };
        let mut interrupts = Interrupts::listen();
        tokio::select! {
            look = follow(context, store.as_ref(), launched.batch, until, how) => {
                let look = look?;
                state = look.batch.state;
                if args.strict && is_incomplete(&look.report) {
                    exit = Exit::Incomplete;
                }
                if state.is_cancelled() {
                    out::talk(format_args!("volley: \"{}\" was cancelled while this command waited for it", launched.name));
                    exit = Exit::Failed;
                }
            }
            () = interrupts.next() => {
                let sentence;
                (state, sentence) = stopped_watching(context, store.as_ref(), launched.batch).await?;
                out::talk(sentence);
                exit = Exit::Failed;
                is_over = false;
            }
        }
    }
    if args.json {
        out::json(&LaunchView::new(&launched, state, &warnings))?;
        return Ok(exit);
    }
    if is_over {
        out::data(headline(&launched, state))?;
    }
    let name = shell(&launched.name);
    let config = context.config_flag();
    // The plan lists the rejected rows of each source. Other rows it only counts, as the headline does.
    if launched.rejected > launched.across {
        let file = shell(&args.file.display().to_string());
        out::talk(format_args!("To see which rows were left out, and why: volley{config} campaign plan {file}"));
    }
    if is_draft {
        out::talk(format_args!("To test it on your own phone: volley{config} campaign test {name} --to NUMBER"));
        out::talk(how_to_start(context, &launched));
    } else if wait.is_some() {
        out::talk(format_args!("Full report: volley{config} campaign report {name}"));
    } else {
        warn_of_obstacles(context, store.as_ref(), launched.batch).await?;
        out::talk(format_args!("To watch it: volley{config} campaign watch {name}"));
    }
    Ok(exit)
}

/// How a draft is started.
pub(super) fn how_to_start(context: &CommandContext, launched: &Launched) -> String {
    if needs_second_operator(&context.config, u64::from(launched.messages)) {
        return "To start it, another operator signs in to the pages and approves it there".to_owned();
    }
    format!("To start it: volley{} campaign start {}", context.config_flag(), shell(&launched.name))
}

/// Imports the recipients, with a progress bar, and creates the messages.
pub(in crate::cli) async fn launch(
    context: &CommandContext,
    store: &dyn Store,
    draft: &Draft,
    (how, quiet): (HowToLaunch, bool),
    finish: impl AsyncFnOnce(&mut Plan) -> Result<(), LaunchError>,
) -> Result<(Launched, Vec<Warning>), LaunchError> {
    let context = &context.with_overrides(store).await?;
    let launcher = context.launcher(store);
    let mut bars = vec![progress::spinner("creating the messages", quiet)];
    let on_label = |label: &str| {
        // One bar at a time; the last one stays full while its messages are created.
        bars.iter().for_each(indicatif::ProgressBar::finish_and_clear);
        let bar = progress::bar(label, quiet);
        bars.push(bar.clone());
        Some(progress::on_progress(&bar))
    };
    let launched = launcher.launch_as(draft, how, on_label, finish).await;
    bars.iter().for_each(indicatif::ProgressBar::finish_and_clear);
    launched
}

/// The error of a launch, with the file and the flag that the operator typed.
fn launch_error(error: LaunchError, args: &Args) -> anyhow::Error {
    match error {
        LaunchError::Problems(problems) if args.at.is_some() && problems.iter().all(|problem| problem.key == "at") => {
            WrongOptions { undone: "", problems }.into()
        }
        error => in_file(error, &args.file),
    }
}

/// The error of a campaign that was read from this file, with the file's name.
pub(in crate::cli) fn in_file(error: LaunchError, file: &Path) -> anyhow::Error {
    match error {
        LaunchError::Problems(problems) => {
            let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            FileError::Problems { file, problems }.into()
        }
        error => error.into(),
    }
}

/// The error of a launch under a name that another campaign has, which is in this state.
fn name_taken(name: &str, other: Option<BatchState>) -> anyhow::Error {
    if other == Some(BatchState::Draft) {
        let draft = shell(name);
        return anyhow::anyhow!(
            "nothing was launched: a draft named \"{name}\" exists; start it (volley campaign start {draft}), delete it \
             (volley campaign delete {draft}), or give another name with --name"
        );
    }
    anyhow::anyhow!(
        "nothing was launched: campaign \"{name}\" already exists, and a name can be launched only once; to send it \
         again, give another name with --name"
    )
}

/// The campaign after its launch, with its state, its messages and the rows left out.
pub(super) fn headline(launched: &Launched, state: BatchState) -> String {
    let begins = match launched.starts_at {
        Some(at) if state == BatchState::Scheduled => format!(" for {}", format_time(at, launched.zone)),
        Some(at) if state == BatchState::Draft => format!(", to start at {}", format_time(at, launched.zone)),
        Some(_) | None => String::new(),
    };
    let mut rejects = String::new();
    if launched.rejected > 0 {
        rejects = format!(", {} left out", plural(launched.rejected, "row", "rows"));
    }
    if launched.across > 0 {
        rejects.push_str(&format!(" ({} across sources)", plural(launched.across, "duplicate", "duplicates")));
    }
    if launched.opted_out > 0 {
        rejects.push_str(&format!(", {} opted out", plural(launched.opted_out, "recipient", "recipients")));
    }
    if launched.reached_before > 0 {
        let reached = plural(launched.reached_before, "recipient", "recipients");
        rejects.push_str(&format!(", {reached} reached by an earlier retry left out"));
    }
    if launched.not_selected > 0 {
        rejects.push_str(&format!(", {} not selected", plural(launched.not_selected, "row", "rows")));
    }
    if launched.excluded > 0 {
        rejects.push_str(&format!(", {} of them excluded by the campaign", count(launched.excluded)));
    }
    let messages = plural(launched.messages, "message", "messages");
    let is = match state {
        BatchState::Draft => "is a draft".to_owned(),
        // Without a server a campaign is in the state `running`, and sends nothing.
        BatchState::Running => "is launched".to_owned(),
        state => format!("is {state}"),
    };
    format!("\"{}\" {is}{begins}: {messages}{rejects}  {}", launched.name, launched.id)
}

/// Connects to the provider of each lane that the campaign would use, and fails if one cannot be reached.
///
/// This refuses a launch that could send nothing before anything is stored.
async fn reach_providers(context: &CommandContext, draft: &Draft) -> anyhow::Result<()> {
    let mut lanes_by_url: BTreeMap<&str, Vec<&Lane>> = BTreeMap::new();
    // The launch itself reports an unknown route.
    let chosen = draft.route.choose(&context.config);
    for step in chosen.iter().flat_map(|chosen| chosen.steps) {
        let lanes = context.config.lanes_on(step.channel);
        for lane in lanes.filter(|lane| step.lanes.is_empty() || step.lanes.contains(&lane.name)) {
            lanes_by_url.entry(&lane.provider.base_url).or_default().push(lane);
        }
    }
    for (base_url, lanes) in lanes_by_url {
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        // The lanes of an address share what opens a connection to it.
        let Some(lane) = lanes.first() else { continue };
        Http::new(&lane.name, &lane.provider)?.connect().await.with_context(|| {
            format!(
                "the provider of {} cannot be reached at {base_url}, so nothing was launched; check it with `volley \
                 doctor`, or launch with --unchecked",
                list(&names)
            )
        })?;
    }
    Ok(())
}
