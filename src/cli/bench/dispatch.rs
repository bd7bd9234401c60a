//! `volley bench dispatch`.

use std::num::NonZeroU32;

use clap::Args;

use super::Rounds;
use super::part::apart;
use super::table::{CPU, P50, P99, PEAK, RECEIPTS};
use crate::bench::dispatch::Load;
use crate::bench::{Figures, Run, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table holds the medians of all runs: messages handed over a second; their ratio to the limit of the \
                  same run, which stands above them (a bare HTTP loop; the least that durability needs), and with all rules \
                  (a tier, hours, limits, prices, two countries) to the same without; processor time of \
                  the process for each message; how long half of them and nearly all took from claim to record; the most \
                  memory that the process had; receipts kept a second. --json has every run."
)]
pub(in crate::cli) struct Dispatch {
    /// Messages in each run of single posts; batches take five times as many
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) messages: u32,
    /// Connections for single posts
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

/// A load and what it is called.
struct Measured {
    name: &'static str,
    part: &'static str,
    load: Load,
    /// The row above that is its limit.
    limit: Option<usize>,
    /// What is promised of it, against that.
    target: Option<Target>,
}

impl Measured {
    fn of(name: &'static str, part: &'static str, load: &Load) -> Self {
        Self { name, part, load: load.clone(), limit: Some(0), target: None }
    }

    fn limit(name: &'static str, part: &'static str, load: &Load) -> Self {
        Self { limit: None, ..Self::of(name, part, load) }
    }

    fn promised(self, ratio: f64) -> Self {
        Self { target: Some(Target::Ratio(ratio)), ..self }
    }

    async fn run(&self) -> anyhow::Result<Run> {
        apart(self.name, &arguments(self.part, &self.load)).await
    }
}

/// What a part of this program is told to send.
pub(super) fn arguments(part: &str, load: &Load) -> Vec<String> {
    let Load { messages, connections, batch, receipts, with_rules } = load;
    let said = [
        ("--messages", messages.to_string()),
        ("--connections", connections.to_string()),
        ("--batch", batch.to_string()),
        ("--receipts", receipts.to_string()),
    ];
    let said = said.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    let rules = with_rules.then(|| "--with-rules".to_owned());
    std::iter::once(part.to_owned()).chain(said).chain(rules).collect()
}

impl Dispatch {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let single = Load {
            messages: self.messages,
            connections: self.connections,
            batch: NonZeroU32::MIN,
            receipts: 0,
            with_rules: false,
        };
        let messages = self.messages.saturating_mul(5);
        let batch = Load { messages, connections: self.batch_connections, batch: self.batch, ..single.clone() };
        let with_rules = Load { with_rules: true, ..single.clone() };
        let with_receipts = Load { receipts: 3, ..single.clone() };
        let singles = [
            Measured::limit("single: bare HTTP loop", "limit", &single),
            Measured::of("single: the same behind gates", "gated", &single),
            Measured::of("single: volley", "product", &single).promised(0.85),
            Measured { limit: Some(2), ..Measured::of("single: volley with all rules", "product", &with_rules) }
                .promised(0.9),
            Measured::of("single: volley, three receipts each", "product", &with_receipts).promised(0.55),
        ];
        let batches = [
            Measured::limit("batch: durability's floor", "floor", &batch),
            Measured::of("batch: volley's statements", "database", &batch),
            Measured::of("batch: bare HTTP loop", "limit", &batch),
            Measured::of("batch: volley", "product", &batch).promised(0.6),
        ];
        let mut all = self.in_turn(&singles).await?;
        all.extend(self.in_turn(&batches).await?);
        self.rounds.print("dispatch", &[], &all, "messages/s", &[CPU, P50, P99, PEAK, RECEIPTS])
    }

    /// Runs all of them in turn, so that a machine that changes its speed changes it for all.
    async fn in_turn(&self, measured: &[Measured]) -> anyhow::Result<Vec<Figures>> {
        let mut runs: Vec<Vec<Run>> = measured.iter().map(|_| Vec::new()).collect();
        for turn in 1..=self.rounds.runs.get() {
            for (one, runs) in measured.iter().zip(&mut runs) {
                self.rounds.tell(one.name, turn);
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
