//! Pace: what of a rate is used and whether ever more leaves than it allows, as the provider sees it; how late campaigns
//! begin that were scheduled; and what a server costs that waits.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::dispatch::{LANE, lane, launch_on, people, provider, read};
use super::figures::{idle_ms, memory_peak, percentile};
use super::stock::scratch;
use super::{Begun, Error, Run, SinkProcess};
use crate::campaign::{Draft, Launcher};
use crate::clock::{Chance, Clock, Tick};
use crate::domain::{Count, Span};
use crate::node::{Node, Os, Parts};
use crate::simulator::Arrival;

/// What one run is to keep to.
#[derive(Debug, Clone)]
pub struct Paced {
    /// Lanes, each with a campaign of its own.
    pub lanes: NonZeroU32,
    /// Messages a second of each lane, and at once after a rest.
    pub rate: NonZeroU32,
    pub burst: NonZeroU32,
    /// Messages in one request; one for single posts.
    pub batch: NonZeroU32,
    pub connections: NonZeroU32,
    pub seconds: NonZeroU32,
}

/// How long the first hand-over may take to come.
const PATIENCE: Span = Span::from_secs(30);
/// From the launch of what is scheduled to the first start, and between two of them.
const LEAD: Span = Span::from_secs(3);
const APART: Span = Span::from_millis(137);
/// How long a server that waits is watched: long enough for everything that is looked at from time to time.
const IDLE: Span = Span::from_secs(60);
/// How long it may take until it waits.
const SETTLES: Span = Span::from_secs(120);

/// Campaigns that have more to send than their lanes may for so long.
pub async fn pace(paced: &Paced, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let Paced { lanes, rate, burst, batch, connections, seconds } = paced.clone();
    let mut sink = SinkProcess::start_telling().await?;
    // A second more than is measured, and nothing that could run dry before.
    let count = rate.get().saturating_mul(seconds.get() + 2).saturating_add(burst.get());
    // Places are counted, unless there are more people than the largest of tiers lets in.
    let tier = if count < 100_000 { "100K" } else { "unlimited" };
    let names: Vec<String> = (0..lanes.get()).map(|n| format!("{LANE}-{n}")).collect();
    let text = names.iter().map(|name| lane(name, &format!("{rate}/s"), tier) + &format!("burst = {burst}\n"));
    let text = provider(&sink.base_url(), connections, batch) + &text.collect::<String>();
    let config = Arc::new(read(&text)?);
    let (_folder, store) = scratch(&clock).await?;
    let launcher = Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config };
    people(count, &launcher).await?;
    let mut campaigns = Vec::new();
    for name in names {
        campaigns.push(launch_on(&name, &launcher).await?);
    }
    let begun = Begun::now(clock.as_ref());
    let parts = Parts {
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
    // What the sink has told has to be all that was handed over, or the figures are of something else.
    let mut handed_over = 0;
    for campaign in campaigns {
        handed_over += store.tallies(campaign).await?.total(Count::HandedOver);
    }
    let mut told = i64::from(all);
    while told < handed_over {
        told += i64::from(tokio::time::timeout(PATIENCE.std(), sink.arrival()).await??.messages);
    }
    store.close().await;
    let of_all = |each: NonZeroU32| each.saturating_mul(lanes);
    let seen = Seen::of(&arrivals, of_all(rate), of_all(burst), seconds);
    (run.per_second, run.seconds) = (seen.per_second, seen.seconds);
    (run.early_ms, run.worst_second) = (Some(seen.early_ms), Some(seen.worst_second));
    Ok(run)
}

/// What the provider saw of a rate.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Behind the first second.
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
        // What a window passes from one arrival to another is what there was up to the end of it, less what there was
        // before its beginning. The worst begins where the latter is furthest behind the rate.
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
        // A bucket may begin full, or not: what is used of its rate shows behind that.
        let steady = arrivals.iter().find(|arrival| since(first.at, arrival.at) >= 1.0).unwrap_or(&first).at;
        // To the last that came, or until the next had to come: a stall at the end counts.
        let until = since(first.at, last.at).max(f64::from(measured.get()) - 1.0 / rate);
        let seconds = until - since(first.at, steady);
        let later = arrivals.iter().filter(|arrival| arrival.at > steady).map(|arrival| f64::from(arrival.messages));
        let per_second = later.sum::<f64>() / seconds.max(1e-9);
        Self { per_second, seconds, early_ms: excess / rate * 1_000.0, worst_second: worst }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn nanos(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// So many campaigns of one message each that begin one after the other, while a server runs: how long after its time the
/// message of each was read by the provider.
pub async fn starts(count: u32, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let mut sink = SinkProcess::start_telling().await?;
    let config = Arc::new(read(&format!(
        "{}[[lane]]\nname = \"bench\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"BENCH\"\n",
        provider(&sink.base_url(), FEW, NonZeroU32::MIN)
    ))?);
    let (_folder, store) = scratch(&clock).await?;
    let begun = Begun::now(clock.as_ref());
    let parts = Parts {
        config: Arc::clone(&config),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        processes: Arc::new(Os),
    };
    let node = Node::start(parts).await?;
    let launcher = Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config };
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
        return Err("the machine is too slow to launch all of them before the first begins".into());
    }
    let mut late = Vec::new();
    for at in starts {
        let arrival = tokio::time::timeout(PATIENCE.std(), sink.arrival()).await??;
        if arrival.at < Tick::from(at) {
            return Err("a campaign began early".into());
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
/// People of a campaign that waits, ten more than its tier has places for.
const PEOPLE: u32 = 260;

/// A server with so many lanes, and campaigns on some of them that wait for their tiers: what it costs while they do.
pub async fn idle(lanes: u32, campaigns: u32, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let mut text = provider(&sink.base_url(), FEW, NonZeroU32::MIN);
    for n in 0..lanes {
        text += &lane(&format!("lane-{n}"), "80/s", "250");
    }
    let config = Arc::new(read(&text)?);
    let (_folder, store) = scratch(&clock).await?;
    let launcher = Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config };
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
    let parts =
        Parts { config: Arc::clone(&config), store: Arc::clone(&store), clock: Arc::clone(&clock), chance, processes };
    let node = Node::start(parts).await?;
    let patience = clock.now() + SETTLES;
    for batch in batches {
        while store.tallies(batch).await?.total(Count::HandedOver) < 250 {
            if clock.now() > patience {
                return Err("the campaigns never came to wait".into());
            }
            clock.sleep(Span::from_millis(50)).await;
        }
    }
    let mut run = Run::since(begun, u64::from(campaigns) * 250, clock.as_ref());
    // What has just been recorded is looked after.
    clock.sleep(Span::from_secs(2)).await;
    run.idle_ms = Some(idle_ms(clock.as_ref(), IDLE).await);
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
    fn what_the_provider_sees_is_held_against_rate_and_burst() {
        // Two at once, then one each 100 ms.
        let exact: Vec<_> = std::iter::once((0, 2)).chain((1..=20).map(|n| (n * 100, 1))).collect();
        let exactly = seen(&exact);
        assert!((exactly.per_second - 10.0).abs() < 1e-9 && exactly.early_ms < 1e-6, "{exactly:?}");
        assert!(exactly.worst_second <= 1.0, "{exactly:?}");
        // One comes 30 ms early, whatever came before.
        let early: Vec<_> = exact.iter().map(|(at, n)| if *at == 700 { (670, *n) } else { (*at, *n) }).collect();
        assert!((seen(&early).early_ms - 30.0).abs() < 1e-6, "{:?}", seen(&early));
        // A lump of three behind a pause is one more than the burst.
        let lump = seen(&[(0, 1), (5_000, 3), (5_100, 1)]);
        assert!((lump.early_ms - 100.0).abs() < 1e-6, "{lump:?}");
        // What stalls before the end has used less.
        let stalls: Vec<_> = exact.iter().copied().filter(|(at, _)| *at <= 1_400).collect();
        assert!((seen(&stalls).per_second - 4.0 / 0.9).abs() < 1e-6, "{:?}", seen(&stalls));
        assert_eq!(seen(&[]).per_second, 0.0);
    }
}
