//! `volley lane list`.

use super::{hold_lines, override_lines, slow_lines};
use crate::base::config::{Config, Lane};
use crate::base::domain::Tier;
use crate::campaigns::status::holds::HoldView;
use crate::campaigns::status::overrides::concerns;
use crate::campaigns::status::{LaneView, Lanes, Slow, TierView, reports};
use crate::cli::CommandContext;
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::words::{count, count_or_dash, rate};

pub(super) async fn run(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let known = Lanes::read(store.as_ref(), &context.config, context.now()).await?;
    let context = &context.with_overrides(store.as_ref()).await?;
    let slow = Slow::all(&context.config, &known.servers, context.now());
    let lanes: Vec<_> = context.config.lanes.iter().map(|lane| known.view(&context.config, lane)).collect();
    if json {
        return out::json(&lanes);
    }
    if lanes.is_empty() {
        out::talk("No lanes are configured; add a [[lane]] with a name and a channel to volley.toml.");
        return Ok(());
    }
    let paint = To::Stdout.paint();
    out::lines(table(&known, &lanes, &context.config, &slow, paint).lines(paint))?;
    print_details(context, &known, &slow, paint)
}

fn table(known: &Lanes, lanes: &[LaneView<'_>], config: &Config, slow: &[Slow], paint: Paint) -> Table {
    let mut table = Table::new(&[
        "lane",
        "channel",
        ">rate allowed",
        "?>rate now",
        "?>messages waiting",
        "?tier slots used in 24 h",
        "?account (its rate)",
        "?>burst, messages",
        "state",
    ]);
    for (lane, config) in lanes.iter().zip(&config.lanes) {
        let account = match &lane.account_rate {
            Some(rate) => format!("{} ({rate})", lane.account),
            None => lane.account.to_owned(),
        };
        table.row([
            lane.name.to_owned(),
            lane.channel.to_string(),
            lane.rate.clone(),
            current_rate(known, config),
            count_or_dash(lane.queued),
            lane.tier.as_ref().map_or_else(|| "–".to_owned(), |tier| tier_used(tier, config.tier)),
            account,
            count(lane.burst),
            state(known, lane, slow, paint),
        ]);
    }
    table
}

/// `47 of 250 (acme)`: used and all slots of the tier, and its portfolio.
fn tier_used(view: &TierView, tier: Tier) -> String {
    let used = count(view.recipients_in_24h);
    match tier {
        Tier::Recipients(recipients) => format!("{used} of {} ({})", count(recipients), view.portfolio),
        Tier::Unlimited => format!("{used}, unlimited ({})", view.portfolio),
    }
}

/// The current rate of a lane; a dash if no server reports it.
fn current_rate(known: &Lanes, lane: &Lane) -> String {
    known.servers.lane(&lane.name).map_or_else(|| "–".to_owned(), |state| rate(state.pace))
}

fn state(known: &Lanes, lane: &LaneView<'_>, slow: &[Slow], paint: Paint) -> String {
    let holds_all = |hold: &&HoldView| hold.template.is_none() && hold.category.is_none();
    let holds_marketing = |hold: &HoldView| hold.template.is_none() && hold.category.is_some();
    match lane.holds.iter().find(holds_all) {
        Some(hold) if hold.by_operator => paint.bad("paused"),
        Some(_) => paint.bad("on hold"),
        None if lane.holds.iter().any(holds_marketing) => paint.so_so("ready; MARKETING is on hold"),
        None if lane.holds.len() == 1 => paint.so_so("ready; one template is on hold"),
        None if !lane.holds.is_empty() => paint.so_so("ready; some templates are on hold"),
        None => match slow.iter().find(|slow| slow.lane == lane.name) {
            Some(slow) => paint.so_so(slow.state()),
            None if !known.servers.is_running() => paint.so_so("no server"),
            None => paint.good("ready"),
        },
    }
}

/// Prints holds, what slows lanes down, complaints, overrides and reports of the provider, each with what to do.
fn print_details(context: &CommandContext, known: &Lanes, slow: &[Slow], paint: Paint) -> anyhow::Result<()> {
    let (config, now) = (&context.config, context.now());
    for hold in known.holds.iter().filter(|hold| config.lane(&hold.lane).is_some()) {
        let [what, what_to_do] = hold_lines(known, hold, now, paint);
        out::data(format_args!("\n{what}\n{what_to_do}"))?;
    }
    for slow in slow {
        let [what, what_to_do] = slow_lines(slow, now, paint);
        out::data(format_args!("\n{what}\n{what_to_do}"))?;
    }
    for complaint in config.lanes.iter().filter_map(|lane| known.complaint(lane, now)) {
        out::data(format_args!("\n{complaint}"))?;
    }
    for overridden in &known.overrides {
        if let Some(lane) = config.lanes.iter().find(|lane| concerns(overridden, lane)) {
            let [what, what_to_do] = override_lines(overridden, lane, now, paint);
            out::data(format_args!("\n{what}\n{what_to_do}"))?;
        }
    }
    for report in known.all_reports(config) {
        out::data(format_args!("\n{}", reports::sentence_since(report, now)))?;
    }
    Ok(())
}
