//! `volley bench memory`.

use std::num::NonZeroU32;

use clap::Args;

use super::Rounds;
use super::dispatch::arguments;
use super::part::run_part;
use super::table::{CPU, PEAK};
use crate::base::domain::grouped;
use crate::bench::dispatch::Load;
use crate::bench::{Figures, Run, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs: messages submitted per second; processor time per message; peak \
                  memory of the process, which should be the same for any number of messages. --json has every run."
)]
pub(in crate::cli) struct Memory {
    /// Messages of the campaign
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) messages: u32,
    /// Messages of the large campaign; 0 skips it
    #[arg(long, default_value_t = 10_000_000)]
    pub(super) many: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

/// The memory limit of a server.
const MOST_MIB: f64 = 80.0;

const SINGLES: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
const BATCHES: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
const BATCH: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// The loads: name, connections, messages in a request, receipts for each message.
const KINDS: [(&str, NonZeroU32, NonZeroU32, usize); 3] = [
    ("single", SINGLES, NonZeroU32::MIN, 0),
    ("single, three receipts each", SINGLES, NonZeroU32::MIN, 3),
    ("batch", BATCHES, BATCH, 0),
];

impl Memory {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let sizes = [self.messages, self.many].into_iter().filter(|messages| *messages > 0);
        let mut measured: Vec<(String, Load, Vec<Run>)> = Vec::new();
        for messages in sizes {
            for (kind, connections, batch, receipts) in KINDS {
                let load = Load { messages, connections, batch, receipts, with_rules: false, viewers: 0 };
                measured.push((format!("{}: {kind}", grouped(messages)), load, Vec::new()));
            }
        }
        for run in 1..=self.rounds.runs.get() {
            for (name, load, runs) in &mut measured {
                self.rounds.announce(name, run);
                runs.push(run_part(name, &arguments("product", load)).await?);
            }
        }
        let figures_of = |(name, _, runs): (String, Load, Vec<Run>)| {
            Figures::new(&name, runs, None).held_against(Target::PeakMib(MOST_MIB))
        };
        let figures: Vec<Figures> = measured.into_iter().map(figures_of).collect();
        self.rounds.print("memory", &[], &figures, "messages/s", &[CPU, PEAK])
    }
}
