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
                  same run, which stands above them (a bare HTTP loop; the least that durability needs); processor time of \
                  the process for each message; how long half of them and nearly all took from claim to record; the most \
                  memory that the process had; receipts kept a second. --json has every run."
)]
pub(in crate::cli) struct Dispatch {
    /// Messages in each run of single posts; batches take five times as many
    #[arg(long, default_value_t = 200_000)]
    messages: u32,
    /// Connections for single posts
    #[arg(long, default_value = "64")]
    connections: NonZeroU32,
    /// Messages in one batch
    #[arg(long, default_value = "1000")]
    batch: NonZeroU32,
    /// Connections for batches
    #[arg(long, default_value = "4")]
    batch_connections: NonZeroU32,
    #[command(flatten)]
    rounds: Rounds,
}

/// A load and what it is called.
struct Measured {
    name: &'static str,
    part: &'static str,
    load: Load,
    /// What is promised of it, against the limit that it is measured with.
    ratio: Option<f64>,
}

impl Measured {
    fn of(name: &'static str, part: &'static str, load: &Load) -> Self {
        Self { name, part, load: load.clone(), ratio: None }
    }

    fn promised(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    async fn run(&self) -> anyhow::Result<Run> {
        let Load { messages, connections, batch, receipts } = &self.load;
        let said = [
            ("--messages", messages.to_string()),
            ("--connections", connections.to_string()),
            ("--batch", batch.to_string()),
            ("--receipts", receipts.to_string()),
        ];
        let said = said.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        apart(self.name, &std::iter::once(self.part.to_owned()).chain(said).collect::<Vec<_>>()).await
    }
}

impl Dispatch {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let single =
            Load { messages: self.messages, connections: self.connections, batch: NonZeroU32::MIN, receipts: 0 };
        let batch = Load {
            messages: self.messages.saturating_mul(5),
            connections: self.batch_connections,
            batch: self.batch,
            receipts: 0,
        };
        let with_receipts = |load: &Load| Load { receipts: 3, ..load.clone() };
        let mut all = Vec::new();
        let limit = Measured::of("single: bare HTTP loop", "limit", &single);
        let others = vec![
            Measured::of("single: the same behind gates", "gated", &single),
            Measured::of("single: volley", "product", &single).promised(0.85),
            Measured::of("single: volley, receipts on", "product", &with_receipts(&single)).promised(0.55),
        ];
        all.extend(self.against(limit, others).await?);
        let limit = Measured::of("batch: durability's floor", "floor", &batch);
        let others = vec![
            Measured::of("batch: volley's statements", "database", &batch),
            Measured::of("batch: bare HTTP loop", "limit", &batch),
            Measured::of("batch: volley", "product", &batch).promised(0.6),
        ];
        all.extend(self.against(limit, others).await?);
        self.rounds.print("dispatch", &[], &all, "messages/s", &[CPU, P50, P99, PEAK, RECEIPTS])
    }

    /// Runs the limit and the others in turn, so that a machine that changes its speed changes it for all.
    async fn against(&self, limit: Measured, others: Vec<Measured>) -> anyhow::Result<Vec<Figures>> {
        let mut limits = Vec::new();
        let mut runs: Vec<Vec<Run>> = others.iter().map(|_| Vec::new()).collect();
        for turn in 1..=self.rounds.runs.get() {
            self.rounds.tell(limit.name, turn);
            limits.push(limit.run().await?);
            for (other, runs) in others.iter().zip(&mut runs) {
                self.rounds.tell(other.name, turn);
                runs.push(other.run().await?);
            }
        }
        let mut figures = vec![Figures::new(limit.name, limits.clone(), None)];
        for (other, runs) in others.iter().zip(runs) {
            let measured = Figures::new(other.name, runs, Some(&limits));
            figures.push(match other.ratio {
                Some(ratio) => measured.held_against(Target::Ratio(ratio)),
                None => measured,
            });
        }
        Ok(figures)
    }
}
