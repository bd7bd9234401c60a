//! `volley bench timers`.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::part::run_part;
use super::table::{CPU, IDLE, P50, P99, PEAK, READY};
use super::{Rounds, Stock, text};
use crate::base::clock::Clock;
use crate::base::domain::grouped;
use crate::bench::{Figures, Laid, Run, Target};

/// Few enough that the memory shown is that of a server with almost nothing pending.
const FEW: u32 = 10_000;
/// Deadlines that are due at a start.
const DUE_AT_START: u32 = 1_000;

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs. burst: deadlines per second, all due at once, decided and queued; \
                  the limit is one update for each page of the same rows. steady: p50 and p99 of the delay until the \
                  decision is on disk. start: time from the start of the process until the first deadline was handled, with \
                  that many pending; then processor time per second while nothing is due, and peak memory of the process. \
                  --json has every run."
)]
pub(in crate::cli) struct Timers {
    /// Deadlines that are due at once
    #[arg(long, default_value_t = 100_000)]
    pub(super) burst: u32,
    /// Deadlines per second that fall due one after another, for ten seconds
    #[arg(long, default_value_t = 1_000)]
    pub(super) steady: u32,
    /// Deadlines pending in total; ten million take a minute to prepare, and 5 GB
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) pending: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

const SECONDS: u32 = 10;

impl Timers {
    pub(super) async fn run(self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        let pending = self.pending.max(self.burst).max(self.steady.saturating_mul(SECONDS)).max(DUE_AT_START);
        let stock = async |messages| Stock::new(messages, Laid::HandedOver, Arc::clone(&clock)).await;
        let (few, many) = (stock(FEW).await?, stock(pending).await?);
        let (mut limits, mut bursts, mut steady) = (Vec::new(), Vec::new(), Vec::new());
        let (mut starts_few, mut starts_many) = (Vec::new(), Vec::new());
        let burst = self.burst.to_string();
        for _ in self.rounds.iter("timers") {
            limits.push(on(&many, "bulk-update", &["--due", &burst]).await?);
            bursts.push(on(&many, "burst", &["--due", &burst]).await?);
            let arguments = ["--per-second", &self.steady.to_string(), "--seconds", &SECONDS.to_string()];
            steady.push(on(&many, "steady", &arguments).await?);
            starts_few.push(start(&few, clock.as_ref()).await?);
            starts_many.push(start(&many, clock.as_ref()).await?);
        }
        let timers = vec![
            Figures::new("burst: bulk update alone", limits.clone(), None),
            Figures::new("burst: volley", bursts, Some(&limits)).held_against(Target::Ratio(0.5)),
            Figures::new("steady: volley", steady, None).held_against(Target::P99Ms(100)),
            Figures::new(&format!("start: volley, {} pending", grouped(FEW)), starts_few, None),
            Figures::new(&format!("start: volley, {} pending", grouped(pending)), starts_many, None)
                .held_against(Target::ReadyMs(1_000)),
        ];
        self.rounds.print(
            "timers",
            &[("pending", pending)],
            &timers,
            "deadlines/s",
            &[CPU, P50, P99, READY, IDLE, PEAK],
        )
    }
}

async fn on(stock: &Stock, part: &str, arguments: &[&str]) -> anyhow::Result<Run> {
    run_on(&stock.copy().await?, part, arguments).await
}

async fn run_on(database: &Path, part: &str, arguments: &[&str]) -> anyhow::Result<Run> {
    let database = text(database);
    let arguments = [part, "--database", &database].into_iter().chain(arguments.iter().copied());
    run_part(part, &arguments.map(str::to_owned).collect::<Vec<_>>()).await
}

async fn start(stock: &Stock, clock: &dyn Clock) -> anyhow::Result<Run> {
    let due = DUE_AT_START.to_string();
    let database = stock.copy().await?;
    run_on(&database, "prepare-start", &["--due", &due]).await?;
    let spawned = clock.now().millis().to_string();
    run_on(&database, "start", &["--due", &due, "--spawned", &spawned]).await
}
