//! `volley lane show`.

use super::{hold_lines, override_lines, slow_lines};
use crate::base::clock::format_time;
use crate::base::config::{Config, Lane};
use crate::base::domain::{BatchState, Tier, Timestamp};
use crate::campaigns::status::{
    LaneView, LaneWithQueuesView, Lanes, QueueView, Servers, Slow, TierView, queues, reports,
};
use crate::cli::CommandContext;
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::watch::DELAY;
use crate::cli::words::{about, count, list, plural, rate};
use crate::store::LaneState;

/// A server reports a lane with its first heartbeat, if the lane was configured when it started.
const NOTHING_REPORTED: &str = "running, but it has reported nothing for this lane yet: it has just started, or the lane was \
                                added since and needs a restart of the server";

pub(super) async fn run(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<()> {
    context.config.named_lane(name)?;
    let store = context.store_for_reading().await?;
    let now = context.now();
    let known = Lanes::read(store.as_ref(), &context.config, now).await?;
    let current = context.with_overrides(store.as_ref()).await?;
    let lane = current.config.named_lane(name)?;
    let queues = queues(store.as_ref(), (&current.config, lane), &known, now).await?;
    let shown = known.view(&current.config, lane);
    store.close().await;
    if json {
        return out::json(&LaneWithQueuesView { lane: shown, queues });
    }
    let paint = To::Stdout.paint();
    let number = lane.number.map(|number| format!("  {number}")).unwrap_or_default();
    out::data(format_args!("{}  {}{}", paint.bold(name), lane.channel, paint.dim(number)))?;
    let rows = rows(&known, lane, &shown, &queues, now);
    let mut table = Table::new(&["", ""]);
    rows.into_iter().for_each(|(what, text)| table.row([paint.dim(what), text]));
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    print_details(&known, &current.config, lane, now, paint)?;
    if !queues.is_empty() {
        out::data("")?;
        let mut table = Table::new(&["campaign", ">step", ">messages", "what delays them"]);
        for queue in queues {
            table.row([queue.campaign, queue.step.to_string(), count(queue.queued), queue.waiting_for]);
        }
        out::lines(table.lines(paint))?;
    }
    Ok(())
}

/// The settings and the present state of a lane, each with its name.
fn rows(
    known: &Lanes,
    lane: &Lane,
    shown: &LaneView<'_>,
    queues: &[QueueView],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let state = known.servers.lane(&lane.name);
    // Measured from beat to beat, so that a rate that has just been lowered may still be exceeded.
    let pace = state.map_or_else(String::new, |state| format!("; {} in the last second", rate(state.pace)));
    let burst = plural(lane.burst.get(), "message", "messages");
    rows.push(("rate", format!("{} allowed, burst of {burst}{pace}", lane.rate)));
    let of_account =
        shown.account_rate.as_ref().map(|rate| format!(", {rate} for all of its lanes")).unwrap_or_default();
    let account = if lane.account == lane.name { "its own" } else { &lane.account };
    rows.push(("account", format!("{account}{of_account}")));
    rows.extend(shown.tier.as_ref().map(|tier| ("tier", tier_used(tier, lane, &known.servers, now))));
    if !shown.countries.is_empty() {
        rows.push(("countries", format!("only {}", list(&shown.countries))));
    }
    let others: i64 = queues.iter().filter(|queue| queue.state != BatchState::Running).map(|queue| queue.queued).sum();
    let others = (others > 0).then(|| format!(", and {} in paused or scheduled campaigns", count(others)));
    rows.push(("waiting", plural(shown.queued, "message", "messages") + &others.unwrap_or_default()));
    match (known.servers.is_running(), state) {
        (false, _) if known.servers.silent_since.is_some() => rows.push(("server", "does not respond".to_owned())),
        (false, _) => rows.push(("server", "not running, so nothing is sent".to_owned())),
        (true, None) => rows.push(("server", NOTHING_REPORTED.to_owned())),
        (true, Some(_)) => {}
    }
    rows
}

/// The used slots of the tier, and when the next slot frees up if it is spent.
fn tier_used(view: &TierView, lane: &Lane, servers: &Servers, now: Timestamp) -> String {
    let state = servers.lane(&lane.name);
    let used = match lane.tier {
        Tier::Recipients(slots) => {
            format!("{} of {} slots of the tier used", count(view.recipients_in_24h), count(slots))
        }
        Tier::Unlimited => format!("unlimited; {}", plural(view.recipients_in_24h as u64, "recipient", "recipients")),
    };
    let is_spent = |state: &&LaneState| servers.is_tier_spent(lane, state);
    let free = state.filter(is_spent).and_then(|state| state.free_at).filter(|at| *at > now);
    let free =
        free.map(|at| format!("; the next slot frees up {} (in {})", format_time(at, None), about(at.since(now))));
    format!("{used} in the last 24 h (portfolio {}){}", view.portfolio, free.unwrap_or_default())
}

/// Prints holds, what slows the lane down, the last complaint, overrides and reports of the provider, each with what to do.
fn print_details(known: &Lanes, config: &Config, lane: &Lane, now: Timestamp, paint: Paint) -> anyhow::Result<()> {
    for hold in known.holds.iter().filter(|hold| hold.lane == lane.name) {
        let [what, what_to_do] = hold_lines(known, hold, now, paint);
        out::data(format_args!("\n{} {what}\n{what_to_do}", paint.bad(DELAY)))?;
    }
    for slow in Slow::all(config, &known.servers, now).iter().filter(|slow| slow.lane == lane.name) {
        let [what, what_to_do] = slow_lines(slow, now, paint);
        out::data(format_args!("\n{} {what}\n{what_to_do}", paint.so_so(DELAY)))?;
    }
    if let Some(complaint) = known.complaint(lane, now) {
        out::data(format_args!("\n{complaint}"))?;
    }
    for overridden in known.overrides(lane) {
        let [what, what_to_do] = override_lines(overridden, lane, now, paint);
        out::data(format_args!("\n{what}\n{what_to_do}"))?;
    }
    for report in known.reports(lane) {
        out::data(format_args!("\n{}", reports::sentence_since(report, now)))?;
    }
    Ok(())
}
