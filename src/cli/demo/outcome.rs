//! The result of a demonstration.

use serde::{Deserialize, Serialize};

use crate::base::domain::{BatchId, Channel, MessageId, MessageKey, Outcome as Ended, Span, StepIndex, Timestamp};
use crate::campaigns::report::{Report, ReportView};
use crate::cli::CommandContext;
use crate::cli::campaign::report;
use crate::cli::out::{self, Paint};
use crate::cli::words::{count, span};
use crate::store::{Batch, Messages, Store};

/// Messages that one store call reads.
const PAGE: u32 = 1_000;
/// The last message submitted is among this many at the end of the queue.
const LAST: u32 = 100;

#[derive(Debug)]
pub(super) struct Outcome {
    report: Report,
    batch: Batch,
    at: Timestamp,
    took: Span,
    lanes: Vec<LaneMeasured>,
}

/// The rate that one lane reached, and its limit.
#[derive(Debug, Serialize)]
struct LaneMeasured {
    channel: Channel,
    lane: String,
    allowed_per_s: f64,
    burst: u32,
    /// The average from the first submission to the last. Only for the first step, whose queue is never empty.
    average_per_s: Option<f64>,
    /// The largest number in any second, as counted by the provider.
    peak_per_s: u64,
}

impl LaneMeasured {
    /// Whether more messages arrived in a second than may be sent in one. The provider counts arrivals, and the time
    /// from sending to arrival varies.
    fn has_jitter(&self) -> bool {
        let most = self.allowed_per_s + f64::from(self.burst);
        f64::from(u32::try_from(self.peak_per_s).unwrap_or(u32::MAX)) > most
    }
}

/// What the practice provider received: the part of its answer that is used here.
#[derive(Deserialize)]
struct Seen {
    channels: Vec<ChannelSeen>,
}

#[derive(Deserialize)]
struct ChannelSeen {
    channel: Channel,
    peak_per_second: u64,
}

#[derive(Serialize)]
struct DemoView<'a> {
    #[serde(flatten)]
    report: ReportView<'a>,
    saved_by_fallback: i64,
    took_ms: i64,
    lanes: &'a [LaneMeasured],
}

pub(super) async fn read(
    context: &CommandContext,
    store: &dyn Store,
    batch: BatchId,
    provider: &str,
    begun: Timestamp,
) -> anyhow::Result<Outcome> {
    let batch = store.batch(batch).await?.ok_or_else(|| anyhow::anyhow!("the campaign no longer exists"))?;
    let report = Report::read(store, &batch).await?;
    let seen = reqwest::get(format!("{provider}/simulator/seen")).await?.bytes().await?;
    let seen: Seen = serde_json::from_slice(&seen)?;
    let first = report.steps.first().and_then(|step| context.config.lane(step.lanes.first()?));
    let average = average(store, &batch, first.map_or(0, |lane| lane.burst.get())).await?;
    let measured = |(index, step): (usize, &crate::campaigns::report::StepReport)| {
        let lane = context.config.lane(step.lanes.first()?)?;
        let peak_per_s =
            seen.channels.iter().find(|seen| seen.channel == step.channel).map_or(0, |seen| seen.peak_per_second);
        Some(LaneMeasured {
            channel: step.channel,
            lane: lane.name.clone(),
            allowed_per_s: lane.rate.each_second(),
            burst: lane.burst.get(),
            average_per_s: average.filter(|_| index == 0),
            peak_per_s,
        })
    };
    let lanes = report.steps.iter().enumerate().filter_map(measured).collect();
    let at = context.now();
    Ok(Outcome { report, batch, at, took: at.since(begun), lanes })
}

/// The average rate of the first step, from the first claim to the last response.
///
/// The initial burst does not count, so the figure is rather too low than too high.
async fn average(store: &dyn Messages, batch: &Batch, burst: u32) -> anyhow::Result<Option<f64>> {
    let of = |n: u32| MessageKey { batch: batch.id, n };
    let keys: Vec<_> =
        [of(0)].into_iter().chain((batch.messages.saturating_sub(LAST)..batch.messages).map(of)).collect();
    let attempts = store.attempts(keys).await?.into_iter();
    let mut attempts = attempts.map(|all| all.into_iter().rfind(|attempt| attempt.step == StepIndex::FIRST));
    let first = attempts.next().flatten().and_then(|attempt| attempt.intent);
    let last = attempts.flatten().map(|attempt| attempt.answered).max();
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let seconds = last.since(first).std().as_secs_f64();
    Ok((seconds >= 1.0).then(|| f64::from(batch.messages.saturating_sub(burst)) / seconds))
}

impl Outcome {
    pub(super) fn print(&self, json: bool, paint: Paint) -> anyhow::Result<()> {
        if json {
            return out::json(&DemoView {
                report: ReportView::new(&self.report, &self.batch),
                saved_by_fallback: self.report.steps.iter().skip(1).map(|step| step.reached).sum(),
                took_ms: self.took.millis(),
                lanes: &self.lanes,
            });
        }
        let mut lines = report::lines(&self.report, &self.batch, self.at, paint);
        lines.extend([String::new(), paint.bold("Rate, as measured by the provider")]);
        for lane in &self.lanes {
            let limit = format!("limit {:.0}/s with a burst of {}", lane.allowed_per_s, lane.burst);
            let average = lane.average_per_s.map(|average| format!("{average:.1}/s on average, ")).unwrap_or_default();
            lines.push(format!(
                "  {:<8}  {average}at most {} arrived in a second; {limit}",
                lane.channel,
                count(lane.peak_per_s)
            ));
        }
        if self.lanes.iter().any(LaneMeasured::has_jitter) {
            lines.push(paint.dim(
                "  A count above the limit plus the burst is jitter: requests that were sent at the limit arrived closer together.",
            ));
        }
        lines.extend([String::new(), format!("Time from the spreadsheet to the last outcome: {}.", span(self.took))]);
        out::lines(lines)
    }
}

/// Picks a few messages with interesting histories.
pub(super) async fn worth_a_look(
    store: &dyn Messages,
    batch: &Batch,
) -> anyhow::Result<Vec<(MessageId, &'static str)>> {
    let mut found: Vec<(MessageId, &'static str)> = Vec::new();
    let mut from = 0;
    while from < batch.messages && found.len() < 4 {
        let until = from.saturating_add(PAGE).min(batch.messages);
        let keys = (from..until).map(|n| MessageKey { batch: batch.id, n }).collect();
        for message in store.load(keys).await? {
            let marks = message.present.marks;
            let why = match (marks.reached_by().map(StepIndex::get), message.present.outcome()) {
                _ if marks.delivered_twice() => "delivered twice: an earlier receipt came late",
                (Some(1), _) => "reached by the second step",
                (Some(2), _) => "reached by the third step",
                (None, Some(Ended::Undelivered)) => "not reached by any step",
                _ => continue,
            };
            if found.iter().all(|(_, known)| *known != why) {
                found.push((MessageId { key: message.key, tag: batch.tag }, why));
            }
        }
        from = until;
    }
    Ok(found)
}
