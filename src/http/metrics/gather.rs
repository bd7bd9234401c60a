//! Reads the figures where they are known.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::page::Page;
use super::table;
use crate::base::domain::{Ending, Histogram, LaneId, ServerLimit, Status, StepIndex, Timestamp};
use crate::campaigns::report::{Counts, QueuedMessages};
use crate::sending::book::Book;
use crate::sending::dispatch::RunningLane;
use crate::sending::throttle::StandstillCause;
use crate::store::{self, Flow, FlowCount, Store, Verdict, WriterFigures};

const MILLIS: f64 = 1_000.0;

/// The parts of a running server that know figures.
#[derive(Debug)]
pub struct Sources {
    pub lanes: Vec<Arc<RunningLane>>,
    /// How late deadlines were applied, in milliseconds.
    pub lateness: Arc<Histogram>,
}

/// What the HTTP server counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpFigures {
    /// Connections that are open now.
    pub connections: u64,
    pub connections_max: u64,
    /// Connections since the start.
    pub accepted: u64,
    pub failed_handshakes: u64,
    /// Requests that are not answered yet.
    pub requests: u64,
    /// Long requests in progress and their limits.
    pub long: Vec<(ServerLimit, u32, u32)>,
    /// What was closed or refused because of each limit since the start.
    pub turned_away: Vec<(ServerLimit, u64)>,
    /// Answers since the start: route, status, number.
    pub answers: Vec<(String, u16, u64)>,
}

/// Why there is no page of metrics.
#[derive(Debug, thiserror::Error)]
pub enum NoPage {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the metrics cannot be written")]
    Format(#[from] fmt::Error),
}

/// Returns all metrics as they are now.
pub async fn scrape(sources: &Sources, store: &dyn Store, http: HttpFigures, now: Timestamp) -> Result<String, NoPage> {
    let mut page = Page::new();
    page.count(&table::BUILD, [env!("CARGO_PKG_VERSION")], 1);
    add_flows(&mut page, &sources.lanes, store.flow_counts());
    let queued = QueuedMessages::everywhere(store).await?;
    add_lanes(&mut page, &sources.lanes, &queued);
    page.histogram(&table::LATENESS, [], sources.lateness.figures(), MILLIS);
    add_campaigns(&mut page, store).await?;
    add_writer(&mut page, store.writer_figures(), now);
    let webhooks = store.webhook_counts();
    for (result, count) in
        [("delivered", webhooks.delivered), ("failed", webhooks.failed), ("given_up", webhooks.given_up)]
    {
        page.count(&table::WEBHOOKS, [result], count);
    }
    if let Some(free) = store.free_space() {
        page.count(&table::DISK_FREE, [], free);
    }
    add_http(&mut page, http);
    Ok(page.into_text()?)
}

/// A metric with its last label; `None` for what is in another metric already.
fn metric_of(flow: Flow) -> Option<(&'static table::Metric, &'static str)> {
    let tried = |verdict| match verdict {
        Verdict::Accepted => (&table::SUBMISSIONS, "accepted"),
        Verdict::Rejected => (&table::SUBMISSIONS, "rejected"),
        Verdict::Refused => (&table::SUBMISSIONS, "refused"),
        Verdict::Unknown => (&table::SUBMISSIONS, "unknown"),
        Verdict::CouldNotLeave => (&table::NOT_SUBMITTED, "could_not_leave"),
        Verdict::OutsideWindow => (&table::NOT_SUBMITTED, "outside_window"),
        Verdict::MissingVariable => (&table::NOT_SUBMITTED, "missing_variable"),
        Verdict::OptedOut => (&table::NOT_SUBMITTED, "opted_out"),
        Verdict::TierSpent => (&table::NOT_SUBMITTED, "tier_spent"),
    };
    Some(match flow {
        Flow::Tried(verdict) => tried(verdict),
        Flow::Reported(Status::Accepted) => return None,
        Flow::Reported(Status::Sent) => (&table::RECEIPTS, "sent"),
        Flow::Reported(Status::Delivered) => (&table::RECEIPTS, "delivered"),
        Flow::Reported(Status::Read) => (&table::RECEIPTS, "read"),
        Flow::ReportedUndelivered => (&table::RECEIPTS, "undelivered"),
        Flow::FellBack(Ending::Open | Ending::Success) => return None,
        Flow::FellBack(Ending::Deadline) => (&table::FALLBACKS, "deadline"),
        Flow::FellBack(Ending::Undelivered) => (&table::FALLBACKS, "undelivered"),
        Flow::FellBack(Ending::Rejected) => (&table::FALLBACKS, "rejected"),
        Flow::FellBack(Ending::CouldNotLeave) => (&table::FALLBACKS, "could_not_leave"),
        Flow::FellBack(Ending::OutsideWindow) => (&table::FALLBACKS, "outside_window"),
        Flow::FellBack(Ending::MissingVariable) => (&table::FALLBACKS, "missing_variable"),
        Flow::FellBack(Ending::OptedOut) => (&table::FALLBACKS, "opted_out"),
        Flow::Ended(outcome) => (&table::OUTCOMES, outcome.as_str()),
    })
}

fn add_flows(page: &mut Page, lanes: &[Arc<RunningLane>], counts: Vec<FlowCount>) {
    let names: BTreeMap<LaneId, &str> = lanes.iter().map(|lane| (lane.id, lane.config.name.as_str())).collect();
    let mut named: BTreeMap<(String, &str, StepIndex, &str), (&table::Metric, u64)> = BTreeMap::new();
    for FlowCount { place, flow, count } in counts {
        let Some((metric, word)) = metric_of(flow) else { continue };
        // A lane that is no longer configured, or of which nothing is known, has no name.
        let lane = place.lane.and_then(|lane| names.get(&lane).copied()).unwrap_or_default();
        named.entry((metric.full_name(), lane, place.step, word)).or_insert((metric, 0)).1 += count;
    }
    for ((_, lane, step, word), (metric, count)) in named {
        page.count(metric, [lane, &step.to_string(), word], count);
    }
}

fn add_lanes(page: &mut Page, lanes: &[Arc<RunningLane>], queued: &QueuedMessages) {
    let mut tiers = BTreeMap::new();
    for lane in lanes {
        let (name, status) = (lane.config.name.as_str(), lane.status());
        page.histogram(&table::REQUEST_TIME, [name], lane.request_ms.figures(), MILLIS);
        page.histogram(&table::RECORD_TIME, [name], lane.latency.figures(), MILLIS);
        page.count(&table::IN_FLIGHT, [name], lane.unrecorded().into());
        page.count(&table::QUEUED, [name], queued.on_lane(name).try_into().unwrap_or_default());
        page.number(&table::RATE, [name], status.rate.each_second());
        page.number(&table::PORTION, [name], status.portion.of(1.0));
        page.count(&table::HELD, [name], status.hold.is_some().into());
        let cause = status.standstill.map(|standstill| standstill.cause);
        for (known, word) in [
            (StandstillCause::Throttled, "throttled"),
            (StandstillCause::Outage, "outage"),
            (StandstillCause::Refused, "refused"),
        ] {
            page.count(&table::STANDSTILL, [name, word], (cause == Some(known)).into());
        }
        if let Some(tier) = status.tier {
            tiers.insert(tier.portfolio, (tier.recipients, tier.of));
        }
    }
    for (portfolio, (used, of)) in tiers {
        page.count(&table::TIER_USED, [&portfolio], used.into());
        page.count(&table::TIER_LIMIT, [&portfolio], of.into());
    }
}

async fn add_campaigns(page: &mut Page, store: &dyn Store) -> store::Result<()> {
    let mut by_state: BTreeMap<&str, u64> = Book::IN_PLAY.iter().map(|state| (state.as_str(), 0)).collect();
    let mut open = store.batches(Some(Book::IN_PLAY.to_vec())).await?;
    open.retain(|batch| batch.settled_at.is_none());
    for batch in &open {
        *by_state.entry(batch.state.as_str()).or_default() += 1;
    }
    for (state, count) in by_state {
        page.count(&table::CAMPAIGNS, [state], count);
    }
    let tallies = store.tallies_of(open.iter().map(|batch| batch.id).collect()).await?;
    let counts = open.iter().filter_map(|batch| Some(Counts::of(batch.state, tallies.get(&batch.id)?)));
    let set_aside = counts.map(|counts| counts.set_aside.unsigned_abs()).sum();
    page.count(&table::SET_ASIDE, [], set_aside);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
fn add_writer(page: &mut Page, writer: WriterFigures, now: Timestamp) {
    let lag = writer.lag(now).millis() as f64 / MILLIS;
    page.histogram(&table::GROUP_SIZE, [], writer.group_sizes, 1.0);
    page.histogram(&table::COMMIT_TIME, [], writer.commit_ms, MILLIS);
    page.count(&table::WRITER_QUEUE, [], writer.queued);
    page.number(&table::WRITER_LAG, [], lag);
    page.count(&table::WRITER_FAILED, [], writer.failed);
}

fn add_http(page: &mut Page, http: HttpFigures) {
    page.count(&table::CONNECTIONS, [], http.connections);
    page.count(&table::CONNECTIONS_MAX, [], http.connections_max);
    page.count(&table::ACCEPTED, [], http.accepted);
    page.count(&table::HANDSHAKES_FAILED, [], http.failed_handshakes);
    page.count(&table::IN_PROGRESS, [], http.requests);
    for (limit, now, most) in http.long {
        page.count(&table::LONG_REQUESTS, [limit.as_str()], now.into());
        page.count(&table::LONG_REQUESTS_MAX, [limit.as_str()], most.into());
    }
    for (limit, count) in http.turned_away {
        page.count(&table::TURNED_AWAY, [limit.as_str()], count);
    }
    for (route, status, count) in http.answers {
        page.count(&table::REQUESTS, [&route, &status.to_string()], count);
    }
}
