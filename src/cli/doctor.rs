//! `volley doctor`: checks the installation, and says what to do.

mod receiving;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::campaign::launch::knock;
use super::disk::{Space, space_beside};
use super::out::{self, Paint, To};
use super::words::{count, list, plural, shell, span};
use super::{CommandContext, Exit};
use crate::campaign::{PriceList, check_routes, used_up};
use crate::clock::format_time;
use crate::domain::{BatchState, Count, Timestamp};
use crate::report::{Stranded, Waiting};
use crate::status::{Obstacle, Servers, Slow, holds};
use crate::store::{Node, Store};

#[derive(Debug, clap::Args)]
#[command(
    long_about = "Check the installation: whether the configuration is valid, the database and the providers can be \
                  reached, every lane has a key, and a server is running; and which lanes and templates are on hold. Each \
                  finding says what to do. The exit code is 1 if something prevents Volley from sending."
)]
pub(super) struct Args {
    /// Print one JSON object: ok, findings.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    health: Health,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    what_to_do: Option<String>,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, what: &'static str, health: Health, text: impl Into<String>, what_to_do: Option<&str>) {
        self.0.push(Finding { what, health, text: text.into(), what_to_do: what_to_do.map(str::to_owned) });
    }

    fn add_ok(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(what, Health::Ok, text, None);
    }

    fn is_ok(&self) -> bool {
        self.0.iter().all(|finding| finding.health != Health::Failed)
    }
}

pub(super) async fn run(args: Args, context: anyhow::Result<CommandContext>) -> anyhow::Result<Exit> {
    let mut findings = Findings::default();
    match context {
        Ok(context) => examine(&context, &mut findings).await,
        Err(error) => findings.add("configuration", Health::Failed, format!("{error:#}"), None),
    }
    let ok = findings.is_ok();
    if args.json {
        out::json(&serde_json::json!({ "ok": ok, "findings": findings.0 }))?;
    } else {
        out::lines(lines(&findings.0, To::Stdout.paint()))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn lines(findings: &[Finding], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut previous = "";
    for finding in findings {
        let sign = match finding.health {
            Health::Ok => paint.good("✓"),
            Health::Warning => paint.so_so("!"),
            Health::Failed => paint.bad("✗"),
        };
        let what = if finding.what == previous { "" } else { finding.what };
        previous = finding.what;
        lines.push(format!("{sign} {what:<14} {}", finding.text));
        lines.extend(finding.what_to_do.as_ref().map(|advice| paint.dim(format!("{:17}{advice}", ""))));
    }
    lines
}

async fn examine(context: &CommandContext, findings: &mut Findings) {
    let path = context.database();
    let store = if path.exists() { Some(context.store().await) } else { None };
    let server_runs = match &store {
        Some(Ok(store)) => {
            Servers::look(store.as_ref(), context.now()).await.is_ok_and(|servers| !servers.running.is_empty())
        }
        Some(Err(_)) | None => false,
    };
    configuration(context, server_runs, findings);
    lanes(context, findings).await;
    match store {
        None => {
            let text = format!("{} does not exist yet", path.display());
            let advice = "`volley serve`, an import or a launch creates it";
            findings.add("database", Health::Warning, text, Some(advice));
            disk(path, findings);
        }
        Some(Ok(store)) => {
            findings.add_ok("database", format!("{} can be opened, and its schema is up to date", path.display()));
            disk(path, findings);
            if let Err(error) = stored(context, store.as_ref(), findings).await {
                findings.add("database", Health::Failed, error.to_string(), None);
            }
            store.close().await;
        }
        Some(Err(error)) => {
            findings.add("database", Health::Failed, format!("{error:#}"), None);
            disk(path, findings);
        }
    }
}

/// Checks the free space for what a server writes.
fn disk(database: &Path, findings: &mut Findings) {
    let megabytes = |bytes: u64| count(bytes / 1_000_000);
    match space_beside(database) {
        Space::Enough(Some(bytes)) => {
            findings.add_ok("disk", format!("{} MB free in the folder of the database", megabytes(bytes)));
        }
        Space::Enough(None) => findings.add_ok("disk", "the folder of the database is writable"),
        Space::Low(bytes) => {
            let text = format!("only {} MB free in the folder of the database", megabytes(bytes));
            findings.add(
                "disk",
                Health::Warning,
                text,
                Some("free disk space: a server that cannot write sends nothing"),
            );
        }
        Space::Unwritable(error) => {
            let text = format!("the folder of the database is not writable: {error}");
            findings.add("disk", Health::Failed, text, Some("free disk space, or make the folder writable"));
        }
    }
}

/// Checks the configuration. A server that runs (`server_runs`) may have got other values when it started.
fn configuration(context: &CommandContext, server_runs: bool, findings: &mut Findings) {
    match &context.loaded.file {
        Some(file) => findings.add_ok("configuration", format!("{} is valid", file.display())),
        None => findings.add(
            "configuration",
            Health::Warning,
            "no volley.toml in this folder, so every value is the default",
            Some("create volley.toml, or name a file with --config"),
        ),
    }
    for warning in &context.loaded.warnings {
        findings.add("configuration", Health::Warning, warning, None);
    }
    for problem in check_routes(&context.config) {
        findings.add("configuration", Health::Failed, problem.to_string(), None);
    }
    if let Some(Err(error)) = context.config.prices.as_deref().map(PriceList::load) {
        findings.add("configuration", Health::Failed, format!("nothing can be launched: {error}"), None);
    }
    match context.config.check_serve() {
        Err(error) if server_runs => {
            let text = format!("a server is running, with values that are missing here: {error}");
            let advice = "add them to the file, or set them for every command as for the server";
            findings.add("configuration", Health::Warning, text, Some(advice));
        }
        Err(error) => {
            findings.add("configuration", Health::Failed, format!("`volley serve` would not start: {error}"), None);
        }
        Ok(()) => {}
    }
}

async fn lanes(context: &CommandContext, findings: &mut Findings) {
    if context.config.lanes.is_empty() {
        let advice = "add a [[lane]] with a name and a channel";
        findings.add("lanes", Health::Failed, "no lanes are configured, so nothing can be sent", Some(advice));
        return;
    }
    let with_key = context.config.lanes.iter().filter(|lane| lane.provider.api_key.is_some());
    let names: Vec<&str> = with_key.map(|lane| lane.name.as_str()).collect();
    if !names.is_empty() {
        let have = if names.len() == 1 { "has an API key" } else { "have API keys" };
        findings.add_ok("lanes", format!("{} {have}", list(&names)));
    }
    let addresses: BTreeSet<&str> = context.config.lanes.iter().map(|lane| lane.provider.base_url.as_str()).collect();
    for address in addresses {
        match knock(context, address).await {
            Ok(()) => findings.add_ok("provider", format!("{address} can be reached")),
            Err(error) => {
                let text = format!("{address} cannot be reached: {error:#}");
                findings.add("provider", Health::Failed, text, Some("check base_url and the network"));
            }
        }
    }
}

async fn stored(context: &CommandContext, store: &dyn Store, findings: &mut Findings) -> anyhow::Result<()> {
    let now = context.now();
    let holds = store.holds().await?;
    let waiting = Waiting::everywhere(store).await?;
    for hold in &holds {
        let text = holds::sentence_since(hold, waiting.on(&hold.lane, &hold.template), now);
        findings.add("holds", Health::Warning, text, Some(&holds::what_to_do(hold)));
    }
    if holds.is_empty() {
        findings.add_ok("holds", "no lane or template is on hold");
    }
    let servers = Servers::look(store, now).await?;
    for slow in Slow::all(&context.with_overrides(store).await?.config, &servers.lanes, now) {
        let text = format!("{}{}", slow.what(), holds::wait_for_it(waiting.on_lane(&slow.lane)));
        findings.add("rate", Health::Warning, text, Some(&slow.what_to_do(now)));
    }
    server(store, &servers, now, findings).await?;
    campaigns(context, store, now, findings).await?;
    if !servers.running.is_empty() {
        let states = vec![BatchState::Running, BatchState::Paused, BatchState::Finished];
        for doubt in Obstacle::doubts(store, &context.config, &store.batches(Some(states)).await?).await? {
            findings.add("doubt", Health::Failed, doubt.what_since(now), Some(&doubt.what_to_do("", now)));
        }
    }
    receiving::gaps(store, now, findings).await?;
    receiving::account_events(context, store, now, findings).await?;
    receiving::webhooks(context, store, now, findings).await
}

/// Reports whether a server is running, and how the last one ended.
async fn server(store: &dyn Store, servers: &Servers, now: Timestamp, findings: &mut Findings) -> anyhow::Result<()> {
    // A server that stops in good order leaves no row behind that is not stopped.
    let last = store.nodes(Timestamp::default()).await?.into_iter().max_by_key(|node| node.seen_at);
    let unwritable = servers.unwritable.map(Obstacle::Unwritable);
    let seen = |node: &Node| format!("{} ({} ago)", format_time(node.seen_at, None), span(now.since(node.seen_at)));
    match (unwritable, servers.running.last(), last) {
        _ if servers.is_killed => {
            let since = last.as_ref().map(|node| format!(", last seen {}", seen(node))).unwrap_or_default();
            let text = format!("not running: the last server ended without stopping{since}; it was killed, or crashed");
            let advice = "start `volley serve`: it recovers the messages in flight. Its log, or the system's, may say why it \
                          ended";
            findings.add("server", Health::Warning, text, Some(advice));
        }
        // The server runs, however old its heartbeat is: the heartbeat cannot be written either.
        (Some(stuck), _, _) => {
            findings.add("server", Health::Failed, stuck.what_since(now), Some(&stuck.what_to_do("", now)));
        }
        (None, Some(node), _) => {
            findings.add_ok("server", format!("running, last seen {} ago", span(now.since(node.seen_at))));
        }
        (None, None, Some(node)) => {
            let text = format!("not responding, last seen {}: it ended without stopping, or hangs", seen(&node));
            let advice = "check whether its process still runs. If it hangs, end it; then start `volley serve`, which recovers \
                          the messages in flight";
            findings.add("server", Health::Warning, text, Some(advice));
        }
        (None, None, None) => findings.add("server", Health::Warning, "not running", Some("start `volley serve`")),
    }
    Ok(())
}

/// Reports what stops single campaigns. Holds on lanes and templates concern all campaigns and are reported elsewhere.
async fn campaigns(
    context: &CommandContext,
    store: &dyn Store,
    now: Timestamp,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let states = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused, BatchState::Cancelling];
    let in_play = store.batches(Some(states)).await?;
    let number = in_play.len() as u64;
    let text = if number == 0 {
        "none scheduled, running or paused".to_owned()
    } else {
        plural(number, "is active", "are active")
    };
    findings.add_ok("campaigns", text);
    let step_holds = store.step_holds().await?;
    for batch in &in_play {
        let name = batch.display_name();
        if batch.state == BatchState::Paused {
            let why = batch.why().map(|why| format!(": {why}")).unwrap_or_default();
            let used_up = used_up(store, batch).await?.into_iter().find(|used_up| used_up.step.is_none());
            let advice = match used_up {
                Some(limit) => Obstacle::UsedUp(limit).what_to_do(&name, now),
                None => format!("to resume: volley campaign resume {}", shell(&name)),
            };
            findings.add("campaigns", Health::Warning, format!("\"{name}\" is paused{why}"), Some(&advice));
        }
        let held: Vec<_> = step_holds.iter().filter(|hold| hold.batch == batch.id).collect();
        if held.is_empty() || batch.state == BatchState::Cancelling {
            continue;
        }
        let Some(plan) = store.plan(batch.id).await? else { continue };
        let tallies = store.tallies(batch.id).await?;
        for hold in held {
            let Some(step) = plan.step(hold.step) else { continue };
            let held = Obstacle::StepHeld(hold.clone(), step.channel, tallies.get(hold.step, Count::Queued));
            let text = format!("\"{name}\": {}", held.what_since(now));
            findings.add("campaigns", Health::Warning, text, Some(&held.what_to_do(&name, now)));
        }
    }
    for (batch, missing) in Stranded::everywhere(store, &context.config).await? {
        let name = batch.display_name();
        let text = format!("\"{name}\": {}", missing.what());
        findings.add("campaigns", Health::Warning, text, Some(&missing.what_to_do(&name)));
    }
    for (batch, _, sentence) in context.launcher(store).flagged_everywhere().await? {
        let name = batch.display_name();
        let advice = format!("fix the template at the provider, or: volley campaign cancel {}", shell(&name));
        findings.add("campaigns", Health::Warning, format!("\"{name}\": {sentence}"), Some(&advice));
    }
    Ok(())
}
