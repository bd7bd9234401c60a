//! `volley doctor`: looks over the installation, and says what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::campaign::launch::knock;
use super::campaign::name_of;
use super::holds;
use super::obstacles::Obstacle;
use super::out::{self, Paint, To};
use super::pace::Slow;
use super::room::{Room, room_beside};
use super::words::{count, list, of, shell, span};
use super::{Exit, Ground, stranded};
use crate::campaign::{PriceList, Stranded, Waiting, check_routes, used_up};
use crate::config::Lane;
use crate::domain::{BatchState, Channel, Count, Span, Timestamp};
use crate::engine::Gap;
use crate::store::{KeptGap, Store, StrayKind, TurnedAway};

const A_DAY: Span = Span::from_secs(86_400);
/// What the provider said longer ago is not told any more.
const A_MONTH: Span = Span::from_secs(30 * 86_400);

#[derive(Debug, clap::Args)]
#[command(
    long_about = "Look over the installation: whether the configuration can be read, the database be reached, every lane \
                  has a key and its provider can be reached; what holds lanes and templates; whether a server is \
                  running. Each finding says what to do. Ends with exit code 1 if something keeps Volley from sending."
)]
pub(super) struct Args {
    /// As one object: ok, findings.
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

    fn fine(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(what, Health::Ok, text, None);
    }

    fn is_well(&self) -> bool {
        self.0.iter().all(|finding| finding.health != Health::Failed)
    }
}

pub(super) async fn run(args: Args, ground: anyhow::Result<Ground>) -> anyhow::Result<Exit> {
    let mut findings = Findings::default();
    match ground {
        Ok(ground) => examine(&ground, &mut findings).await,
        Err(error) => findings.add("configuration", Health::Failed, format!("{error:#}"), None),
    }
    let ok = findings.is_well();
    if args.json {
        out::json(&serde_json::json!({ "ok": ok, "findings": findings.0 }))?;
    } else {
        out::lines(lines(&findings.0, To::Stdout.paint()))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn lines(findings: &[Finding], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut before = "";
    for finding in findings {
        let sign = match finding.health {
            Health::Ok => paint.good("✓"),
            Health::Warning => paint.so_so("!"),
            Health::Failed => paint.bad("✗"),
        };
        let what = if finding.what == before { "" } else { finding.what };
        before = finding.what;
        lines.push(format!("{sign} {what:<14} {}", finding.text));
        lines.extend(finding.what_to_do.as_ref().map(|advice| paint.dim(format!("{:17}{advice}", ""))));
    }
    lines
}

async fn examine(ground: &Ground, findings: &mut Findings) {
    let path = ground.database();
    let store = if path.exists() { Some(ground.store().await) } else { None };
    let beside = match &store {
        Some(Ok(store)) => ground.nodes(store.as_ref()).await.is_ok_and(|nodes| !nodes.is_empty()),
        Some(Err(_)) | None => false,
    };
    configuration(ground, beside, findings);
    lanes(ground, findings).await;
    match store {
        None => {
            let text = format!("{} is not there yet", path.display());
            let advice = "it is made by `volley serve`, an import or a launch";
            findings.add("database", Health::Warning, text, Some(advice));
            disk(path, findings);
        }
        Some(Ok(store)) => {
            findings.fine("database", format!("{} can be reached, and its schema is this version's", path.display()));
            disk(path, findings);
            if let Err(error) = stored(ground, store.as_ref(), findings).await {
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

/// Whether there is room for what a server writes.
fn disk(database: &Path, findings: &mut Findings) {
    let megabytes = |bytes: u64| count(bytes / 1_000_000);
    match room_beside(database) {
        Room::Enough(Some(bytes)) => {
            findings.fine("disk", format!("{} MB are free beside the database", megabytes(bytes)));
        }
        Room::Enough(None) => findings.fine("disk", "there is room beside the database"),
        Room::Little(bytes) => {
            let text = format!("only {} MB are free beside the database", megabytes(bytes));
            findings.add(
                "disk",
                Health::Warning,
                text,
                Some("free some space: a server that cannot write sends nothing"),
            );
        }
        Room::Nothing(error) => {
            let text = format!("nothing can be written beside the database: {error}");
            findings.add("disk", Health::Failed, text, Some("free some space, or make the folder writable"));
        }
    }
}

/// `beside`: whether a server is running, with whatever it was given when it started.
fn configuration(ground: &Ground, beside: bool, findings: &mut Findings) {
    match &ground.loaded.file {
        Some(file) => findings.fine("configuration", format!("{} can be read", file.display())),
        None => findings.add(
            "configuration",
            Health::Warning,
            "there is no volley.toml here, so everything is as by default",
            Some("write one, or name it with --config"),
        ),
    }
    for warning in &ground.loaded.warnings {
        findings.add("configuration", Health::Warning, warning, None);
    }
    for problem in check_routes(&ground.config) {
        findings.add("configuration", Health::Failed, problem.to_string(), None);
    }
    if let Some(Err(error)) = ground.config.prices.as_deref().map(PriceList::load) {
        findings.add("configuration", Health::Failed, format!("nothing can be launched: {error}"), None);
    }
    match ground.config.check_serve() {
        Err(error) if beside => {
            let text = format!("the running server was given what is missing here: {error}");
            let advice = "put it into the file, or give it to every command as the server got it";
            findings.add("configuration", Health::Warning, text, Some(advice));
        }
        Err(error) => {
            findings.add("configuration", Health::Failed, format!("`volley serve` would not start: {error}"), None);
        }
        Ok(()) => {}
    }
}

async fn lanes(ground: &Ground, findings: &mut Findings) {
    if ground.config.lanes.is_empty() {
        let advice = "add a [[lane]] with a name and a channel";
        findings.add("lanes", Health::Failed, "there is no lane, so nothing can be sent", Some(advice));
        return;
    }
    let with_key = ground.config.lanes.iter().filter(|lane| lane.provider.api_key.is_some());
    let names: Vec<&str> = with_key.map(|lane| lane.name.as_str()).collect();
    if !names.is_empty() {
        let have = if names.len() == 1 { "has its key" } else { "have their keys" };
        findings.fine("lanes", format!("{} {have}", list(&names)));
    }
    let doors: BTreeSet<&str> = ground.config.lanes.iter().map(|lane| lane.provider.base_url.as_str()).collect();
    for door in doors {
        match knock(ground, door).await {
            Ok(()) => findings.fine("provider", format!("{door} can be reached")),
            Err(error) => {
                let text = format!("{door} cannot be reached: {error:#}");
                findings.add("provider", Health::Failed, text, Some("check base_url and the network"));
            }
        }
    }
}

async fn stored(ground: &Ground, store: &dyn Store, findings: &mut Findings) -> anyhow::Result<()> {
    let now = ground.now();
    let holds = store.holds().await?;
    let waiting = Waiting::everywhere(store).await?;
    for hold in &holds {
        let text = holds::sentence_since(hold, waiting.on(&hold.lane, &hold.template), now);
        findings.add("holds", Health::Warning, text, Some(&holds::what_to_do(hold)));
    }
    if holds.is_empty() {
        findings.fine("holds", "nothing is held");
    }
    for slow in Slow::all(&ground.as_turned(store).await?.config, &ground.lane_states(store).await?, now) {
        let text = format!("{}{}", slow.what(), holds::wait_for_it(waiting.on_lane(&slow.lane)));
        findings.add("pace", Health::Warning, text, Some(&slow.what_to_do(now)));
    }
    let running = ground.nodes(store).await?;
    let last = store.nodes(Timestamp::default()).await?.into_iter().max_by_key(|node| node.seen_at);
    let unwritable = ground.unwritable(store).await?;
    match (unwritable.map(Obstacle::Unwritable), running.last(), last) {
        // It runs, whenever it was seen last: its beat cannot be written either.
        (Some(stuck), _, _) => {
            findings.add("server", Health::Failed, stuck.what_since(now), Some(&stuck.what_to_do("", now)));
        }
        (None, Some(node), _) => {
            findings.fine("server", format!("one is running, seen {} ago", span(now.since(node.seen_at))));
        }
        (None, None, Some(node)) => {
            let text =
                format!("none is running; the last one was killed, and seen {} ago", span(now.since(node.seen_at)));
            findings.add("server", Health::Warning, text, Some("start `volley serve`"));
        }
        (None, None, None) => findings.add("server", Health::Warning, "none is running", Some("start `volley serve`")),
    }
    campaigns(ground, store, now, findings).await?;
    if !running.is_empty() {
        let states = vec![BatchState::Running, BatchState::Paused, BatchState::Finished];
        for doubt in Obstacle::doubts(store, &ground.config, &store.batches(Some(states)).await?).await? {
            findings.add("doubt", Health::Failed, doubt.what_since(now), Some(&doubt.what_to_do("", now)));
        }
    }
    gaps(store, now, findings).await?;
    account_events(ground, store, now, findings).await?;
    webhooks(ground, store, now, findings).await
}

/// What keeps a campaign from moving, but for lanes and templates, which are everybody's.
async fn campaigns(ground: &Ground, store: &dyn Store, now: Timestamp, findings: &mut Findings) -> anyhow::Result<()> {
    let states = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused, BatchState::Cancelling];
    let in_play = store.batches(Some(states)).await?;
    let number = in_play.len() as u64;
    let text = if number == 0 { "none is in play".to_owned() } else { of(number, "is in play", "are in play") };
    findings.fine("campaigns", text);
    let step_holds = store.step_holds().await?;
    for batch in &in_play {
        let name = name_of(batch);
        if batch.state == BatchState::Paused {
            let why = batch.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            let used_up = used_up(store, batch).await?.into_iter().find(|used_up| used_up.step.is_none());
            let advice = match used_up {
                Some(limit) => Obstacle::UsedUp(limit).what_to_do(&name, now),
                None => format!("to go on: volley campaign resume {}", shell(&name)),
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
    for (batch, gone) in Stranded::everywhere(store, &ground.config).await? {
        let name = name_of(&batch);
        let text = format!("\"{name}\": {}", stranded::what(&gone));
        findings.add("campaigns", Health::Warning, text, Some(&stranded::what_to_do(&gone, &name)));
    }
    for (batch, _, sentence) in ground.launcher(store).flagged_everywhere().await? {
        let name = name_of(&batch);
        let advice = format!("put the template right at the provider, or: volley campaign cancel {}", shell(&name));
        findings.add("campaigns", Health::Warning, format!("\"{name}\": {sentence}"), Some(&advice));
    }
    Ok(())
}

/// Times of the last day in which no receipt could be taken, and what keeps us from asking about them.
async fn gaps(store: &dyn Store, now: Timestamp, findings: &mut Findings) -> anyhow::Result<()> {
    let gaps = store.gaps().await?;
    let mut recent: BTreeMap<Option<&str>, Vec<&KeptGap>> = BTreeMap::new();
    for gap in gaps.iter().filter(|gap| now.since(gap.until) <= A_DAY) {
        recent.entry(gap.address.as_deref()).or_default().push(gap);
    }
    for (address, recent) in recent {
        let what = match address {
            None => "no receipt could be taken".to_owned(),
            Some(address) => format!("the provider at {address} could not be confirmed as reachable both ways"),
        };
        let lengths = recent.iter().map(|gap| (Gap { from: gap.from, until: gap.until }.length(), gap.until));
        // One of which nobody knows may be the longest of all.
        let Some((length, until)) = lengths.max_by_key(|(length, _)| (length.is_none(), *length)) else { continue };
        let length = length.map_or_else(|| "unknown length (the clock was set back)".to_owned(), span);
        let text = format!(
            "{} in the last day in which {what}, the longest of {length}, {} ago",
            of(recent.len() as u64, "time", "times"),
            span(now.since(until))
        );
        findings.fine("gaps", text);
    }
    for asking in store.asking().await? {
        if let Some(trouble) = asking.trouble_now(now) {
            let text = format!("subaccount {} cannot be asked what became of messages: {trouble}", asking.sub_account);
            let advice = "check the key and the provider; until then deadlines that fell into a gap wait";
            findings.add("gaps", Health::Warning, text, Some(advice));
        }
    }
    Ok(())
}

/// What came to the door, and is nobody's receipt.
async fn webhooks(ground: &Ground, store: &dyn Store, now: Timestamp, findings: &mut Findings) -> anyhow::Result<()> {
    let provider = &ground.config.provider;
    let (asks_for, signs) = (provider.webhook_authorization.is_some(), provider.webhook_secret.is_some());
    for turned in store.turned_away().await? {
        let (why, advice) = match turned.why {
            TurnedAway::Signature => {
                ("with a wrong signature", "compare webhook_secret_file with the provider's secret")
            }
            TurnedAway::Nothing => ("without the proof that was agreed on", proof_advice(asks_for, signs)),
            TurnedAway::TooLarge => {
                ("that were too large", "the provider posts at most some thousand events at once; somebody else may")
            }
        };
        let (since, latest) = (span(now.since(turned.since)), span(now.since(turned.latest)));
        let text =
            format!("{} {why} were turned away in the last {since}, the latest {latest} ago", count(turned.count));
        findings.add("webhooks", Health::Warning, text, Some(advice));
    }
    let counts = store.stray_counts().await?;
    for (kind, one, many, advice) in [
        (
            StrayKind::NoAttempt,
            "receipt belongs to no message of ours",
            "receipts belong to no message of ours",
            "somebody else may send with this subaccount; `volley message strays` lists them",
        ),
        (
            StrayKind::OtherSubaccount,
            "webhook is for another subaccount",
            "webhooks are for another subaccount",
            "check what the provider posts here",
        ),
        (
            StrayKind::OtherType,
            "webhook is of a type that Volley does not know",
            "webhooks are of a type that Volley does not know",
            "they are kept for 30 days; choose at the provider which events it posts here",
        ),
        (
            StrayKind::Unreadable,
            "webhook could not be read",
            "webhooks could not be read",
            "the provider may have changed its format; report it",
        ),
    ] {
        let Some(found) = counts.iter().find(|found| found.kind == kind) else { continue };
        let (since, latest) = (span(now.since(found.earliest)), span(now.since(found.latest)));
        let text = format!("{}, in the last {since}, the latest {latest} ago", of(found.count, one, many));
        findings.add("webhooks", Health::Warning, text, Some(advice));
    }
    Ok(())
}

/// Events of accounts and numbers that are those of no lane now.
async fn account_events(
    ground: &Ground,
    store: &dyn Store,
    now: Timestamp,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let lanes: Vec<&Lane> = ground.config.lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp).collect();
    let ours: Vec<&str> = lanes.iter().filter_map(|lane| lane.provider.account_id.as_deref()).collect();
    for said in store.said().await?.iter().filter(|said| now.since(said.at) <= A_MONTH) {
        let (ago, kind) = (span(now.since(said.at)), &said.value);
        // Where no lane says of which account it is, each takes every event for its own.
        let is_unknown =
            |account: &&str| !ours.is_empty() && !ours.iter().any(|ours| ours.eq_ignore_ascii_case(account));
        if let Some(account) = said.unknown_account().filter(is_unknown) {
            let text = format!(
                "account \"{account}\" is the account_id of no lane; of its events only restrictions are obeyed \
                 (the latest: {kind}, {ago} ago)"
            );
            let advice = "if it is your account, put that name into account_id, or leave account_id out; `volley events` shows \
                          what it said";
            findings.add("account events", Health::Warning, text, Some(advice));
        }
        let is_ours =
            |digits: &str| lanes.iter().any(|lane| lane.number.is_some_and(|ours| ours.get().to_string() == digits));
        if let Some(digits) = said.unknown_number().filter(|digits| !is_ours(digits)) {
            let text = format!("+{digits} is the number of no lane, and the provider tells of it ({kind}, {ago} ago)");
            let advice = "if a lane sends by it, state it there: number = \"+…\"";
            findings.add("account events", Health::Warning, text, Some(advice));
        }
    }
    Ok(())
}

/// Whether the provider should send an `Authorization`, a signature, or one of both, and sends neither that is right.
const fn proof_advice(authorization: bool, signature: bool) -> &'static str {
    match (authorization, signature) {
        (false, true) => "the provider signs nothing: tell it the secret in webhook_secret_file",
        (true, true) => {
            "compare webhook_authorization with the provider's, or tell it the secret in webhook_secret_file: it signs \
             nothing"
        }
        (true | false, false) => "compare webhook_authorization with the provider's",
    }
}

#[cfg(test)]
mod tests {
    use super::proof_advice;

    #[test]
    fn what_to_do_about_webhooks_without_a_proof_names_what_is_configured() {
        for (authorization, signature) in [(true, false), (false, true), (true, true)] {
            let advice = proof_advice(authorization, signature);
            assert_eq!(advice.contains("webhook_authorization"), authorization, "{advice}");
            assert_eq!(advice.contains("webhook_secret_file"), signature, "{advice}");
        }
    }
}
