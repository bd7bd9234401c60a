//! `volley lane show`.

use super::{override_sentence, report_sentence, reset_command};
use crate::cli::CommandContext;
use crate::cli::out::{self, To};
use crate::cli::table::Table;
use crate::cli::words::{about, count, list, plural, rate};
use crate::clock::format_time;
use crate::domain::{BatchState, Tier};
use crate::status::{LaneWithQueuesView, Lanes, Slow, holds, queues};

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
    let state = known.servers.lane(&lane.name);
    let mut table = Table::new(&["", ""]);
    let mut row = |what: &str, text: String| table.row([paint.dim(what), text]);
    let pace = state.map_or_else(String::new, |state| format!("{} now, ", rate(state.pace)));
    row("rate", format!("{pace}{} allowed, burst {}", lane.rate, count(lane.burst.get())));
    let of_account =
        shown.account_rate.as_ref().map(|rate| format!(", {rate} for all of its lanes")).unwrap_or_default();
    row("account", format!("{}{of_account}", lane.account));
    if let Some(tier) = &shown.tier {
        let used = plural(tier.recipients_in_24h as u64, "recipient", "recipients");
        let most = match lane.tier {
            Tier::Recipients(recipients) => format!("of {}", count(recipients)),
            Tier::Unlimited => "unlimited".to_owned(),
        };
        let free = state.filter(|state| state.tier_spent).and_then(|state| state.free_at).filter(|at| *at > now);
        let free =
            free.map(|at| format!("; the next slot frees up {} (in {})", format_time(at, None), about(at.since(now))));
        row(
            "tier",
            format!("{used} in the last 24 h, {most} (portfolio {}){}", tier.portfolio, free.unwrap_or_default()),
        );
    }
    if !shown.countries.is_empty() {
        row("countries", format!("only {}", list(&shown.countries)));
    }
    let others: i64 = queues.iter().filter(|queue| queue.state != BatchState::Running).map(|queue| queue.queued).sum();
    let others = (others > 0).then(|| format!(", and {} in paused or scheduled campaigns", count(others)));
    row("waiting", plural(shown.queued, "message", "messages") + &others.unwrap_or_default());
    if let Some((at, why)) = state.and_then(|state| state.complaint.as_ref()) {
        row("last complaint", format!("{why}, {} ago", about(now.since(*at))));
    }
    match (known.servers.is_running(), state) {
        (false, _) => row("server", "not running, so nothing is sent".to_owned()),
        (true, None) => row("server", NOTHING_REPORTED.to_owned()),
        (true, Some(_)) => {}
    }
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    for hold in known.holds.iter().filter(|hold| hold.lane == lane.name) {
        let waiting = known.waiting.on(&hold.lane, &hold.template);
        out::data(format_args!("\n{} {}", paint.bad("!"), holds::sentence_since(hold, waiting, now)))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for slow in Slow::all(&current.config, &known.servers.lanes, now).iter().filter(|slow| slow.lane == lane.name) {
        out::data(format_args!("\n{} {}", paint.so_so("!"), slow.what()))?;
        out::data(paint.dim(format!("  {}", slow.what_to_do(now))))?;
    }
    for overridden in known.overrides(lane) {
        out::data(format_args!("\n{}", override_sentence(overridden, now)))?;
        out::data(paint.dim(format!("  {}", reset_command(overridden, lane))))?;
    }
    for said in known.reports(lane) {
        out::data(format_args!("\n{}", report_sentence(said, now)))?;
    }
    if !queues.is_empty() {
        out::data("")?;
        let mut table = Table::new(&["campaign", ">step", ">messages", "waiting for"]);
        for queue in queues {
            table.row([queue.campaign, queue.step.to_string(), count(queue.queued), queue.waiting_for]);
        }
        out::lines(table.lines(paint))?;
    }
    Ok(())
}
