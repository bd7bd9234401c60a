//! `volley bench dispatch`.

use std::num::NonZeroU32;

use clap::Args;

use super::Rounds;
use super::part::apart;
use super::table::{CPU, P50, P99, PEAK, RECEIPTS};
use crate::bench::dispatch::Load;
use crate::bench::{Figures, Run};

#[derive(Debug, Args)]
#[command(
    after_help = "The table holds the medians of all runs: messages handed over a second; their ratio to the limit of the \
                  same run, which stands above them; processor time of the process for each message; how long half of \
                  them and nearly all took from claim to record; the most memory that the process had; receipts kept a \
                  second. --json has every run."
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
}

impl Measured {
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
        all.extend(
            self.against(
                Measured { name: "single: bare HTTP loop", part: "limit", load: single.clone() },
                vec![
                    Measured { name: "single: the same behind gates", part: "gated", load: single.clone() },
                    Measured { name: "single: volley", part: "product", load: single.clone() },
                    Measured { name: "single: volley, receipts on", part: "product", load: with_receipts(&single) },
                ],
            )
            .await?,
        );
        all.extend(
            self.against(
                Measured { name: "batch: the database alone", part: "database", load: batch.clone() },
                vec![
                    Measured { name: "batch: bare HTTP loop", part: "limit", load: batch.clone() },
                    Measured { name: "batch: volley", part: "product", load: batch.clone() },
                ],
            )
            .await?,
        );
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
            figures.push(Figures::new(other.name, runs, Some(&limits)));
        }
        Ok(figures)
    }
}
