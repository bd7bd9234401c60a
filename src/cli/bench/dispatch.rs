//! `volley bench dispatch`.

use std::num::NonZeroU32;

use clap::Args;

use super::Rounds;
use super::part::run_part;
use super::table::{CPU, P50, P99, PEAK, RECEIPTS};
use crate::bench::dispatch::Load;
use crate::bench::{Figures, Run, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs: messages submitted per second; their ratio to the limit of the \
                  same run, in a row above (a bare HTTP loop; the minimum of durable writes); with all rules (a tier, hours, \
                  limits, prices, two countries), the ratio to the same load without rules; processor time per message; \
                  p50 and p99 of the time from claim to record; peak memory of the process; receipts stored per second. \
                  --json has every run."
)]
pub(in crate::cli) struct Dispatch {
    /// Messages in each run of single requests; batch runs have five times as many
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) messages: u32,
    /// Connections for single requests
    #[arg(long, default_value = "64")]
    pub(super) connections: NonZeroU32,
    /// Messages in one batch
    #[arg(long, default_value = "1000")]
    pub(super) batch: NonZeroU32,
    /// Connections for batches
    #[arg(long, default_value = "4")]
    pub(super) batch_connections: NonZeroU32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

/// A load, its name and its target.
struct Measured {
    name: &'static str,
    part: &'static str,
    load: Load,
    /// The row above that is its limit.
    limit: Option<usize>,
    /// The target for the ratio to that limit.
    target: Option<Target>,
}

impl Measured {
    fn of(name: &'static str, part: &'static str, load: &Load) -> Self {
        Self { name, part, load: load.clone(), limit: Some(0), target: None }
    }

    fn limit(name: &'static str, part: &'static str, load: &Load) -> Self {
        Self { limit: None, ..Self::of(name, part, load) }
    }

    fn with_target(self, ratio: f64) -> Self {
        Self { target: Some(Target::Ratio(ratio)), ..self }
    }

    async fn run(&self) -> anyhow::Result<Run> {
        run_part(self.name, &arguments(self.part, &self.load)).await
    }
}

/// The arguments of a part for this load.
pub(super) fn arguments(part: &str, load: &Load) -> Vec<String> {
    let Load { messages, connections, batch, receipts, with_rules, viewers } = load;
    let flags = [
        ("--messages", messages.to_string()),
        ("--connections", connections.to_string()),
        ("--batch", batch.to_string()),
        ("--receipts", receipts.to_string()),
        ("--viewers", viewers.to_string()),
    ];
    let flags = flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    let rules = with_rules.then(|| "--with-rules".to_owned());
    std::iter::once(part.to_owned()).chain(flags).chain(rules).collect()
}

impl Dispatch {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let single = Load {
            messages: self.messages,
            connections: self.connections,
            batch: NonZeroU32::MIN,
            receipts: 0,
            with_rules: false,
            viewers: 0,
        };
        let messages = self.messages.saturating_mul(5);
        let batch = Load { messages, connections: self.batch_connections, batch: self.batch, ..single.clone() };
        let with_rules = Load { with_rules: true, ..single.clone() };
        let with_receipts = Load { receipts: 3, ..single.clone() };
        let singles = [
            Measured::limit("single: bare HTTP loop", "limit", &single),
            Measured::of("single: the same behind gates", "gated", &single),
            Measured::of("single: volley", "product", &single).with_target(0.85),
            Measured { limit: Some(2), ..Measured::of("single: volley with all rules", "product", &with_rules) }
                .with_target(0.9),
            Measured::of("single: volley, three receipts each", "product", &with_receipts).with_target(0.55),
        ];
        let batches = [
            Measured::limit("batch: durability's floor", "floor", &batch),
            Measured::of("batch: volley's statements", "database", &batch),
            Measured::of("batch: bare HTTP loop", "limit", &batch),
            Measured::of("batch: volley", "product", &batch).with_target(0.6),
        ];
        let mut all = self.interleave(&singles).await?;
        all.extend(self.interleave(&batches).await?);
        self.rounds.print("dispatch", &[], &all, "messages/s", &[CPU, P50, P99, PEAK, RECEIPTS])
    }

    /// Alternates between the loads, so that a change in the machine's speed affects all of them.
    async fn interleave(&self, measured: &[Measured]) -> anyhow::Result<Vec<Figures>> {
        let mut runs: Vec<Vec<Run>> = measured.iter().map(|_| Vec::new()).collect();
        for run in 1..=self.rounds.runs.get() {
            for (one, runs) in measured.iter().zip(&mut runs) {
                self.rounds.announce(one.name, run);
                runs.push(one.run().await?);
            }
        }
        let figures = measured.iter().zip(&runs).map(|(one, of_one)| {
            let limit = one.limit.and_then(|limit| runs.get(limit)).map(Vec::as_slice);
            let figures = Figures::new(one.name, of_one.clone(), limit);
            one.target.into_iter().fold(figures, Figures::held_against)
        });
        Ok(figures.collect())
    }
}
