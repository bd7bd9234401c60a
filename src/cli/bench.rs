//! `volley bench`: figures, not adjectives.

use std::num::NonZeroU32;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Exit;
use super::out;
use crate::bench::{self, Figures, Load, Run};
use crate::clock::{Chance, Clock, RealClock};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Hand-overs a second, against a bare HTTP loop and against the database alone
    Dispatch(Dispatch),
    /// A provider that takes everything: what the other commands send to
    #[command(hide = true)]
    Sink {
        #[arg(long)]
        webhook: Option<String>,
        #[arg(long, default_value_t = 0)]
        receipts: usize,
    },
    /// One measured run, in a process of its own
    #[command(hide = true)]
    Run {
        what: What,
        #[command(flatten)]
        load: LoadArgs,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum What {
    Limit,
    Product,
    Database,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The table holds the medians of all runs: messages handed over a second; their ratio to the limit of the \
                  same run, which stands above them; processor time of the process for each message; how long half of \
                  them and nearly all took from claim to record; the most memory that the process had; receipts kept a \
                  second. --json has every run."
)]
pub(super) struct Dispatch {
    /// Messages in each run of single posts; batches take five times as many
    #[arg(long, default_value_t = 200_000)]
    messages: u32,
    /// Runs of each kind; the medians are quoted
    #[arg(long, default_value = "3")]
    runs: NonZeroU32,
    /// Connections for single posts
    #[arg(long, default_value = "64")]
    connections: NonZeroU32,
    /// Messages in one batch
    #[arg(long, default_value = "1000")]
    batch: NonZeroU32,
    /// Connections for batches
    #[arg(long, default_value = "4")]
    batch_connections: NonZeroU32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    #[arg(long)]
    messages: u32,
    #[arg(long)]
    connections: NonZeroU32,
    #[arg(long)]
    batch: NonZeroU32,
    #[arg(long, default_value_t = 0)]
    receipts: usize,
}

impl LoadArgs {
    fn load(&self) -> Load {
        Load { messages: self.messages, connections: self.connections, batch: self.batch, receipts: self.receipts }
    }
}

/// What the benchmark ran on, as far as a figure without it says nothing.
#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
    cpu: String,
    memory_mib: u64,
}

#[derive(Debug, Serialize)]
struct Printed {
    machine: Machine,
    durability: &'static str,
    dispatch: Vec<Figures>,
}

pub(super) async fn run(command: Command) -> anyhow::Result<Exit> {
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    let chance = Arc::new(Chance::from_entropy());
    match command {
        Command::Dispatch(dispatch) => dispatch.run().await?,
        Command::Sink { webhook, receipts } => {
            let mut told = Ok(());
            let sink = bench::run_sink(webhook, receipts, clock, |address| told = out::data(address));
            sink.await.map_err(anyhow::Error::from_boxed)?;
            told?;
        }
        Command::Run { what, load } => {
            let load = load.load();
            let run = match what {
                What::Limit => bench::limit(&load, clock.as_ref()).await,
                What::Product => bench::product(&load, clock, chance).await,
                What::Database => bench::database(&load, clock, &chance).await,
            };
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
    }
    Ok(Exit::Done)
}

/// A load and what it is called.
struct Measured {
    name: &'static str,
    what: What,
    load: Load,
}

impl Dispatch {
    async fn run(self) -> anyhow::Result<()> {
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
                Measured { name: "single: bare HTTP loop", what: What::Limit, load: single.clone() },
                vec![
                    Measured { name: "single: volley", what: What::Product, load: single.clone() },
                    Measured { name: "single: volley, receipts on", what: What::Product, load: with_receipts(&single) },
                ],
            )
            .await?,
        );
        all.extend(
            self.against(
                Measured { name: "batch: the database alone", what: What::Database, load: batch.clone() },
                vec![
                    Measured { name: "batch: bare HTTP loop", what: What::Limit, load: batch.clone() },
                    Measured { name: "batch: volley", what: What::Product, load: batch.clone() },
                ],
            )
            .await?,
        );
        let printed = Printed {
            machine: machine(),
            durability: "WAL, synchronous = FULL, every hand-over committed",
            dispatch: all,
        };
        if self.json { out::json(&printed) } else { print_table(&printed) }
    }

    /// Runs the limit and the others in turn, so that a machine that changes its speed changes it for all.
    async fn against(&self, limit: Measured, others: Vec<Measured>) -> anyhow::Result<Vec<Figures>> {
        let mut limits = Vec::new();
        let mut runs: Vec<Vec<Run>> = others.iter().map(|_| Vec::new()).collect();
        for turn in 1..=self.runs.get() {
            out::talk(format!("{} ({turn} of {})", limit.name, self.runs));
            limits.push(apart(&limit).await?);
            for (other, runs) in others.iter().zip(&mut runs) {
                out::talk(format!("{} ({turn} of {})", other.name, self.runs));
                runs.push(apart(other).await?);
            }
        }
        let mut figures = vec![Figures::new(limit.name, limits.clone(), None)];
        for (other, runs) in others.iter().zip(runs) {
            figures.push(Figures::new(other.name, runs, Some(&limits)));
        }
        Ok(figures)
    }
}

/// Measures in a process of its own, so that its memory is its own.
async fn apart(measured: &Measured) -> anyhow::Result<Run> {
    let what = match measured.what {
        What::Limit => "limit",
        What::Product => "product",
        What::Database => "database",
    };
    let load = &measured.load;
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "run", what])
        .args(["--messages", &load.messages.to_string(), "--connections", &load.connections.to_string()])
        .args(["--batch", &load.batch.to_string(), "--receipts", &load.receipts.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .context("cannot start a run")?;
    if !output.status.success() {
        bail!("{} failed", measured.name);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{} said nothing that can be read", measured.name))
}

fn machine() -> Machine {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).map(|line| line.trim_matches([' ', '\t', ':']));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    Machine {
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        cpu: model.unwrap_or("unknown").to_owned(),
        memory_mib: kib.unwrap_or(0) / 1024,
    }
}

fn print_table(printed: &Printed) -> anyhow::Result<()> {
    let Machine { cores, cpu, memory_mib } = &printed.machine;
    out::data(format!("{cores} cores, {cpu}, {memory_mib} MiB; {}", printed.durability))?;
    out::data(format!(
        "{:<30} {:>12} {:>8} {:>8} {:>8} {:>8} {:>9} {:>12}",
        "", "messages/s", "ratio", "cpu µs", "p50 ms", "p99 ms", "peak MiB", "receipts/s"
    ))?;
    for figures in &printed.dispatch {
        out::data(row(figures))?;
    }
    Ok(())
}

/// The medians of some runs, each figure's own.
#[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
fn row(figures: &Figures) -> String {
    let told = |figure: Option<f64>, digits| figure.map_or_else(|| "-".to_owned(), |f| format!("{f:.digits$}"));
    format!(
        "{:<30} {:>12.0} {:>8} {:>8} {:>8} {:>8} {:>9} {:>12}",
        figures.name,
        figures.median_per_second,
        told(figures.median_ratio, 2),
        told(figures.median(|run| Some(run.cpu_us)), 1),
        told(figures.median(|run| Some(run.p50_ms? as f64)), 0),
        told(figures.median(|run| Some(run.p99_ms? as f64)), 0),
        told(figures.median(|run| Some(run.peak_mib)), 0),
        told(figures.median(|run| run.receipts_per_second), 0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_table_is_the_median_of_its_runs() {
        let run = |per_second, cpu_us, p50_ms, p99_ms, peak_mib| Run {
            per_second,
            cpu_us,
            p50_ms: Some(p50_ms),
            p99_ms: Some(p99_ms),
            peak_mib,
            receipts_per_second: Some(per_second * 3.0),
            ..Run::default()
        };
        // The last run is an outlier in everything.
        let runs = vec![run(100.0, 10.0, 1, 5, 40.0), run(200.0, 20.0, 2, 6, 50.0), run(900.0, 90.0, 9, 99, 900.0)];
        let limits = vec![run(200.0, 1.0, 1, 1, 1.0); 3];
        let row = row(&Figures::new("volley", runs, Some(&limits)));
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells, ["volley", "200", "1.00", "20.0", "2", "6", "50", "600"]);
    }
}
