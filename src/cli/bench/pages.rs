//! `volley bench pages`.

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::Args;

use super::dispatch::arguments;
use super::part::run_part;
use super::table::{CPU, IDLE, P50, P99, SIZE};
use super::{Rounds, Stock, text};
use crate::base::clock::Clock;
use crate::base::domain::grouped;
use crate::bench::api::add_rows;
use crate::bench::browse::PAGES;
use crate::bench::dispatch::Load;
use crate::bench::{Figures, Laid, Run, Target};

/// Connections of the server that submits as fast as it can.
const CONNECTIONS: u32 = 64;

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs. Each page is loaded ninety times by another process, while the \
                  server sends another campaign at 100 per second: p50 and p99 from the request to the whole answer, and the size of \
                  the page with its style, script and icon, uncompressed. The viewers show the live page of the \
                  campaign that is sent: `idle ms/s` is the processor time that they add to the server, in milliseconds a second. The last \
                  rows send as fast as possible, without viewers and with them. --json has every run."
)]
pub(in crate::cli) struct Pages {
    /// Messages stored; ten million take a minute to prepare, and 5 GB
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) stored: u32,
    /// Viewers of a live page
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) viewers: u32,
    /// Messages of each run that sends as fast as possible; it must take longer than the viewers take to come
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) messages: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

impl Pages {
    pub(super) async fn run(self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        let stock = Stock::new(self.stored, Laid::HandedOver, clock).await?;
        add_rows(&stock.original()).await.map_err(anyhow::Error::from_boxed)?;
        run_part("the launch", &["prepare-browse".to_owned(), "--database".to_owned(), text(&stock.original())])
            .await?;
        let alone = Load {
            messages: self.messages,
            connections: NonZeroU32::new(CONNECTIONS).unwrap_or(NonZeroU32::MIN),
            batch: NonZeroU32::MIN,
            receipts: 0,
            with_rules: false,
            viewers: 0,
        };
        let watched = Load { viewers: self.viewers, ..alone.clone() };
        let mut pages = PAGES.map(|page| (page, Vec::new()));
        let (mut viewers, mut sent, mut sent_watched) = (Vec::new(), Vec::new(), Vec::new());
        for _ in self.rounds.iter("pages") {
            let database = text(&stock.copy().await?);
            for (page, runs) in &mut pages {
                runs.push(part(["browse", "--database", &database, "--page", page]).await?);
            }
            let many = self.viewers.to_string();
            viewers.push(part(["viewers", "--database", &database, "--viewers", &many]).await?);
            sent.push(run_part("the server", &arguments("product", &alone)).await?);
            sent_watched.push(run_part("the server", &arguments("product", &watched)).await?);
        }
        let name = format!("{} viewers", grouped(self.viewers));
        let mut figures: Vec<Figures> = pages
            .into_iter()
            .map(|(page, runs)| {
                let figures = Figures::new(page, runs, None);
                figures.held_against(Target::P99Ms(100)).held_against(Target::PageKib(100.0))
            })
            .collect();
        figures.extend([
            Figures::new(&name, viewers, None).held_against(Target::IdleMs(100.0)),
            Figures::new("sent without viewers", sent.clone(), None),
            Figures::new(&format!("sent beside {name}"), sent_watched, Some(&sent)).held_against(Target::Ratio(0.95)),
        ]);
        self.rounds.print("pages", &[("stored", self.stored)], &figures, "per s", &[CPU, P50, P99, IDLE, SIZE])
    }
}

async fn part<const N: usize>(arguments: [&str; N]) -> anyhow::Result<Run> {
    run_part("the server", &arguments.map(str::to_owned)).await
}
