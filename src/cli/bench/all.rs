//! `volley bench all`: measures every table of benches/README.md.

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::Args;

use super::api::Api;
use super::campaign::Campaign;
use super::cancel::Cancel;
use super::dispatch::Dispatch;
use super::engine::Engine;
use super::import::Import;
use super::memory::Memory;
use super::pace::Pace;
use super::pages::Pages;
use super::receipts::Receipts;
use super::timers::Timers;
use super::{Rounds, machine, out};
use crate::base::clock::Clock;

#[derive(Debug, Args)]
#[command(
    after_help = "Runs every benchmark with the sizes of benches/README.md. This takes about an hour on two cores, and 10 \
                  GB in the folder for temporary files."
)]
pub(in crate::cli) struct All {
    /// Number of runs of each kind. Default: as in benches/README.md: five of dispatch and engine, one of memory and pace,
    /// three of the others
    #[arg(long)]
    runs: Option<NonZeroU32>,
    /// Print the tables as Markdown
    #[arg(long)]
    markdown: bool,
}

const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number - 1)
}

impl All {
    pub(super) async fn run(self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        if self.markdown {
            out::data(machine())?;
        }
        self.dispatch().run().await?;
        self.memory().run().await?;
        self.campaign().run(clock.as_ref()).await?;
        self.import().run().await?;
        self.receipts().run(Arc::clone(&clock)).await?;
        self.api().run(Arc::clone(&clock)).await?;
        self.pace().run().await?;
        self.timers().run(Arc::clone(&clock)).await?;
        self.cancel().run(Arc::clone(&clock)).await?;
        self.pages().run(Arc::clone(&clock)).await?;
        Engine { rounds: self.rounds(5) }.run(clock.as_ref())
    }

    fn rounds(&self, quoted: u32) -> Rounds {
        Rounds { runs: self.runs.unwrap_or(count(quoted)), json: false, in_markdown: self.markdown }
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch {
            messages: 200_000,
            connections: count(64),
            batch: count(1_000),
            batch_connections: count(4),
            rounds: self.rounds(5),
        }
    }

    fn memory(&self) -> Memory {
        Memory { messages: 1_000_000, many: 10_000_000, rounds: self.rounds(1) }
    }

    fn campaign(&self) -> Campaign {
        Campaign { rows: 1_000_000, exported: 300_000, rounds: self.rounds(3) }
    }

    fn import(&self) -> Import {
        Import { rows: 1_000_000, huge: 10_000_000, rounds: self.rounds(3) }
    }

    fn receipts(&self) -> Receipts {
        Receipts {
            receipts: 300_000,
            connections: count(256),
            messages: 1_000_000,
            spread: count(1_000),
            rounds: self.rounds(3),
        }
    }

    fn api(&self) -> Api {
        Api {
            messages: 200_000,
            connections: count(64),
            batched: 1_000_000,
            uploaded: 30_000_000,
            stored: 10_000_000,
            rounds: self.rounds(3),
        }
    }

    fn pace(&self) -> Pace {
        Pace {
            rates: [1, 20, 80, 1_000, 5_000, 20_000].map(count).to_vec(),
            seconds: count(10),
            busy: count(100),
            starts: 50,
            lanes: 1_000,
            campaigns: 100,
            rounds: self.rounds(1),
        }
    }

    fn timers(&self) -> Timers {
        Timers { burst: 100_000, steady: 1_000, pending: 10_000_000, rounds: self.rounds(3) }
    }

    fn pages(&self) -> Pages {
        Pages { stored: 10_000_000, viewers: 100, messages: 1_000_000, rounds: self.rounds(3) }
    }

    fn cancel(&self) -> Cancel {
        Cancel { pending: 10_000_000, rounds: self.rounds(3) }
    }
}
