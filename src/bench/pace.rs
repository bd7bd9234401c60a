//! Rates. The benchmarks show how much of a rate is used and whether it is ever exceeded, as the provider sees it. They
//! also show how late scheduled campaigns start, and what an idle server costs.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::dispatch::{LANE, lane, launch_on, provider, read, store_audience};
use super::figures::{idle_ms, memory_peak, percentile};
use super::stock::scratch;
use super::{Begun, Error, Run, SinkProcess};
use crate::base::clock::{Chance, Clock, Tick};
use crate::base::domain::{Count, Span};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Draft, Launcher};
use crate::node::{Node, NodeParts, Os};
use crate::practice::simulator::Arrival;

/// The rates and the load of one run.
#[derive(Debug, Clone)]
pub struct Paced {
    /// Lanes, each with a campaign of its own.
    pub lanes: NonZeroU32,
    /// Rate and burst of each lane.
    pub rate: NonZeroU32,
    pub burst: NonZeroU32,
    /// Messages in one request; one for single posts.
    pub batch: NonZeroU32,
    pub connections: NonZeroU32,
    pub seconds: NonZeroU32,
}

/// How long to wait for the first submission.
const PATIENCE: Span = Span::from_secs(30);
/// Time from the launches to the first start, and time between two starts.
const LEAD: Span = Span::from_secs(3);
const APART: Span = Span::from_millis(137);
/// How long an idle server is measured: long enough for every periodic check.
const IDLE: Span = Span::from_secs(60);
/// How long the server may take until it is idle.
const SETTLES: Span = Span::from_secs(120);

/// Runs campaigns that have more to send than their lanes may in this time.
pub async fn pace(paced: &Paced, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let Paced { lanes, rate, burst, batch, connections, seconds } = paced.clone();
    let mut sink = SinkProcess::start_with_arrivals().await?;
    // A second more than is measured, so that no campaign runs out before.
    let count = rate.get().saturating_mul(seconds.get() + 2).saturating_add(burst.get());
    // Slots are counted, unless there are more recipients than the largest tier allows.
    let tier = if count < 100_000 { "100K" } else { "unlimited" };
    let names: Vec<String> = (0..lanes.get()).map(|n| format!("{LANE}-{n}")).collect();
    let text = names.iter().map(|name| lane(name, &format!("{rate}/s"), tier) + &format!("burst = {burst}\n"));
    let text = provider(&sink.base_url(), connections, batch) + &text.collect::<String>();
    let config = Arc::new(read(&text)?);
    let (_folder, store) = scratch(&clock).await?;
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config, by: Origin::SERVER };
    store_audience(count, &launcher).await?;
    let mut campaigns = Vec::new();
    for name in names {
        campaigns.push(launch_on(&name, &launcher).await?);
    }
    let begun = Begun::now(clock.as_ref());
    let parts = NodeParts {
        config: Arc::clone(&config),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        processes: Arc::new(Os),
    };
    let node = Node::start(parts).await?;
    let mut arrivals = vec![tokio::time::timeout(PATIENCE.std(), sink.arrival()).await??];
    let measured = Span::from_secs(i64::from(seconds.get()));
    let until = clock.now() + measured;
    while clock.now() < until {
        tokio::select! {
            biased;
            arrival = sink.arrival() => arrivals.push(arrival?),
            () = clock.sleep_until(until) => {}
        }
    }
    let all: u32 = arrivals.iter().map(|arrival| arrival.messages).sum();
    let mut run = Run::since(begun, u64::from(all), clock.as_ref());
    run.p50_ms = Some(node.latency(50).millis());
    run.p99_ms = Some(node.latency(99).millis());
    node.stop().await?;
    // The sink has to report every submitted message, or the figures describe something else.
    let mut handed_over = 0;
    for campaign in campaigns {
        handed_over += store.tallies(campaign).await?.total(Count::HandedOver);
    }
    let mut reported = i64::from(all);
    while reported < handed_over {
        reported += i64::from(tokio::time::timeout(PATIENCE.std(), sink.arrival()).await??.messages);
    }
    store.close().await;
    let of_all = |each: NonZeroU32| each.saturating_mul(lanes);
    let seen = Seen::of(&arrivals, of_all(rate), of_all(burst), seconds);
    (run.rate_per_s, run.took_ms) = (seen.per_second, seen.seconds * 1e3);
    (run.early_ms, run.worst_second_share) = (Some(seen.early_ms), Some(seen.worst_second));
    Ok(run)
}

/// What the provider saw of a rate.
#[derive(Debug, PartialEq)]
struct Seen {
    /// After the first second.
    per_second: f64,
    seconds: f64,
    early_ms: f64,
    worst_second: f64,
}

impl Seen {
    fn of(arrivals: &[Arrival], rate: NonZeroU32, burst: NonZeroU32, measured: NonZeroU32) -> Self {
        let (rate, burst) = (f64::from(rate.get()), f64::from(burst.get()));
        let mut arrivals = arrivals.to_vec();
        arrivals.sort_unstable_by_key(|arrival| arrival.at);
        let (Some(first), Some(last)) = (arrivals.first().copied(), arrivals.last().copied()) else {
            return Self { per_second: 0.0, seconds: 0.0, early_ms: 0.0, worst_second: 0.0 };
        };
        let since = |earlier: Tick, at: Tick| nanos(at.since(earlier));
        // A window from one arrival to another passes what had arrived by its end, less what had arrived before its
        // beginning. The worst window begins where the latter is furthest below the rate.
        let (mut before, mut lowest, mut excess, mut worst, mut begins, mut within) =
            (0.0, 0.0_f64, 0.0_f64, 0.0_f64, 0, 0.0);
        for arrival in &arrivals {
            let (at, messages) = (since(first.at, arrival.at), f64::from(arrival.messages));
            lowest = lowest.min(before - rate * at);
            before += messages;
            excess = excess.max(before - rate * at - lowest - burst);
            within += messages;
            while let Some(begin) = arrivals.get(begins).filter(|begin| since(begin.at, arrival.at) >= 1.0) {
                within -= f64::from(begin.messages);
                begins += 1;
            }
            worst = worst.max(within / (rate + burst));
        }
        // A bucket may begin full or not, so the use of its rate is measured after the first second.
        let steady = arrivals.iter().find(|arrival| since(first.at, arrival.at) >= 1.0).unwrap_or(&first).at;
        // Until the last arrival, or until the next one was due, so a stall at the end counts.
        let until = since(first.at, last.at).max(f64::from(measured.get()) - 1.0 / rate);
        let seconds = until - since(first.at, steady);
        let later = arrivals.iter().filter(|arrival| arrival.at > steady).map(|arrival| f64::from(arrival.messages));
        let per_second = later.sum::<f64>() / seconds.max(1e-9);
        Self { per_second, seconds, early_ms: excess / rate * 1_000.0, worst_second: worst }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for display")]
fn nanos(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Starts this many scheduled campaigns of one message each, one after another, while a server runs. Measures how long
/// after its time the provider read each message.
pub async fn starts(count: u32, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let mut sink = SinkProcess::start_with_arrivals().await?;
    let config = Arc::new(read(&format!(
        "{}[[lane]]\nname = \"bench\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"BENCH\"\n",
        provider(&sink.base_url(), FEW, NonZeroU32::MIN)
    ))?);
    let (_folder, store) = scratch(&clock).await?;
    let begun = Begun::now(clock.as_ref());
    let parts = NodeParts {
        config: Arc::clone(&config),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        processes: Arc::new(Os),
    };
    let node = Node::start(parts).await?;
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config, by: Origin::SERVER };
    let first = clock.now() + LEAD + Span::from_millis(i64::from(count) * 20);
    let mut starts = Vec::new();
    for n in 0..count {
        let at = first + Span::from_millis(i64::from(n) * APART.millis());
        let text = format!(
            "name = \"{n}\"\nnumbers = [\"+65{}\"]\nat = \"{}\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n",
            90_000_000 + n,
            at.rfc3339()
        );
        launcher.launch(&Draft::parse("bench.toml", &text)?, |_| None).await?;
        starts.push(at);
    }
    if clock.now() >= first {
        return Err("the machine is too slow to launch all campaigns before the first one starts".into());
    }
    let mut late = Vec::new();
    for at in starts {
        let arrival = tokio::time::timeout(PATIENCE.std(), sink.arrival()).await??;
        if arrival.at < Tick::from(at) {
            return Err("a campaign started early".into());
        }
        late.push(arrival.at.whole().since(at).millis());
    }
    late.sort_unstable();
    let mut run = Run::since(begun, count.into(), clock.as_ref());
    (run.p50_ms, run.p99_ms) = (percentile(&late, 50), percentile(&late, 99));
    node.stop().await?;
    store.close().await;
    Ok(run)
}

const FEW: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
/// Recipients of an idle campaign: ten more than its tier has slots.
const PEOPLE: u32 = 260;

/// Measures a server with many lanes, and with campaigns on some of them that wait for their tiers.
pub async fn idle(lanes: u32, campaigns: u32, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let mut text = provider(&sink.base_url(), FEW, NonZeroU32::MIN);
    for n in 0..lanes {
        text += &lane(&format!("lane-{n}"), "80/s", "250");
    }
    let config = Arc::new(read(&text)?);
    let (_folder, store) = scratch(&clock).await?;
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config, by: Origin::SERVER };
    let mut batches = Vec::new();
    for campaign in 0..campaigns {
        let numbers: Vec<String> =
            (0..PEOPLE).map(|n| format!("\"+65{}\"", 90_000_000 + campaign * PEOPLE + n)).collect();
        let text = format!(
            "name = \"{campaign}\"\nnumbers = [{}]\n[[step]]\nchannel = \"WhatsApp\"\nlane = \"lane-{campaign}\"\n\
             [step.template]\nname = \"promo\"\nlanguage = \"en\"\ncategory = \"MARKETING\"\n",
            numbers.join(",")
        );
        batches.push(launcher.launch(&Draft::parse("bench.toml", &text)?, |_| None).await?.0.batch);
    }
    let begun = Begun::now(clock.as_ref());
    let processes = Arc::new(Os);
    let parts = NodeParts {
        config: Arc::clone(&config),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance,
        processes,
    };
    let node = Node::start(parts).await?;
    let patience = clock.now() + SETTLES;
    for batch in batches {
        while store.tallies(batch).await?.total(Count::HandedOver) < 250 {
            if clock.now() > patience {
                return Err("the campaigns never filled their tiers".into());
            }
            clock.sleep(Span::from_millis(50)).await;
        }
    }
    let mut run = Run::since(begun, u64::from(campaigns) * 250, clock.as_ref());
    // The work that follows a record ends first.
    clock.sleep(Span::from_secs(2)).await;
    run.idle_ms_per_s = Some(idle_ms(clock.as_ref(), IDLE).await);
    run.peak_mib = memory_peak();
    node.stop().await?;
    store.close().await;
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(arrivals: &[(u64, u32)]) -> Seen {
        let arrival =
            |(millis, messages): &(u64, u32)| Arrival { at: Tick::from_nanos(millis * 1_000_000), messages: *messages };
        let arrivals: Vec<_> = arrivals.iter().map(arrival).collect();
        let number = |n| NonZeroU32::new(n).unwrap();
        Seen::of(&arrivals, number(10), number(2), number(2))
    }

    #[test]
    fn arrivals_are_measured_against_rate_and_burst() {
        // Two at once, then one every 100 ms.
        let exact: Vec<_> = std::iter::once((0, 2)).chain((1..=20).map(|n| (n * 100, 1))).collect();
        let exactly = seen(&exact);
        assert!((exactly.per_second - 10.0).abs() < 1e-9 && exactly.early_ms < 1e-6, "{exactly:?}");
        assert!(exactly.worst_second <= 1.0, "{exactly:?}");
        // One arrives 30 ms early, which counts whatever arrived before.
        let early: Vec<_> = exact.iter().map(|(at, n)| if *at == 700 { (670, *n) } else { (*at, *n) }).collect();
        assert!((seen(&early).early_ms - 30.0).abs() < 1e-6, "{:?}", seen(&early));
        // A group of three after a pause is one more than the burst.
        let lump = seen(&[(0, 1), (5_000, 3), (5_100, 1)]);
        assert!((lump.early_ms - 100.0).abs() < 1e-6, "{lump:?}");
        // A stall before the end uses less of the rate.
        let stalls: Vec<_> = exact.iter().copied().filter(|(at, _)| *at <= 1_400).collect();
        assert!((seen(&stalls).per_second - 4.0 / 0.9).abs() < 1e-6, "{:?}", seen(&stalls));
        assert_eq!(seen(&[]).per_second, 0.0);
    }
}
