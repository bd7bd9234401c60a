//! `volley bench`: figures, not adjectives.

mod all;
mod campaign;
mod cancel;
mod dispatch;
mod engine;
mod import;
mod memory;
mod pace;
mod part;
mod receipts;
mod table;
mod timers;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Exit;
use super::out;
use crate::bench::{self, Figures};
use crate::clock::{Chance, Clock, RealClock};
use crate::domain::grouped;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Everything below, with the sizes of benches/README.md
    All(all::All),
    /// Rows a second of a recipient file, against the crates that only read it and the database that only stores it
    Import(import::Import),
    /// Hand-overs a second, against a bare HTTP loop and against the database alone
    Dispatch(dispatch::Dispatch),
    /// The most memory that a server takes that sends, whatever it sends
    Memory(memory::Memory),
    /// Decisions a second on one core, with nothing read or written
    Engine(engine::Engine),
    /// Deadlines a second, how late they are, and what millions of them cost at a start
    Timers(timers::Timers),
    /// Receipts over HTTP, on disk before they are acknowledged, against a handler that stores nothing
    Receipts(receipts::Receipts),
    /// What of a rate is used and never exceeded, how late scheduled campaigns begin, what a server costs that waits
    Pace(pace::Pace),
    /// How long it takes to launch a file's campaign, to find one message of it, and to export it
    Campaign(campaign::Campaign),
    /// How long it takes to stop a campaign of millions, and what memory its server needs
    Cancel(cancel::Cancel),
    /// A provider that takes everything: what the other commands send to
    #[command(hide = true)]
    Sink {
        #[arg(long)]
        webhook: Option<String>,
        #[arg(long, default_value_t = 0)]
        receipts: usize,
        /// Print when each request came, and with how many messages
        #[arg(long)]
        arrivals: bool,
    },
    /// A provider that posts receipts
    #[command(hide = true)]
    Load {
        #[arg(long)]
        address: std::net::SocketAddr,
        #[command(flatten)]
        load: part::ReceiptsArgs,
    },
    /// One measured run, in a process of its own
    #[command(hide = true, subcommand)]
    Run(part::Part),
}

/// What every benchmark is told.
#[derive(Debug, Args)]
struct Rounds {
    /// Runs of each kind; the medians are quoted
    #[arg(long, default_value = "3")]
    runs: NonZeroU32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Whether the table is one of Markdown, under a heading of its own.
    #[arg(skip)]
    in_markdown: bool,
}

#[derive(Debug, Serialize)]
struct Printed<'a> {
    machine: Machine,
    durability: &'static str,
    #[serde(flatten)]
    sizes: BTreeMap<&'static str, u32>,
    #[serde(flatten)]
    figures: BTreeMap<&'static str, &'a [Figures]>,
}

impl Rounds {
    /// All of them, each told when its turn comes.
    fn turns(&self, what: &str) -> impl Iterator<Item = u32> {
        (1..=self.runs.get()).inspect(move |turn| self.tell(what, *turn))
    }

    fn tell(&self, what: &str, turn: u32) {
        out::talk(format!("{what} ({turn} of {})", self.runs));
    }

    fn print(
        &self,
        name: &'static str,
        sizes: &[(&'static str, u32)],
        figures: &[Figures],
        unit: &'static str,
        columns: &[table::Column],
    ) -> anyhow::Result<()> {
        if self.in_markdown {
            return table::print_markdown(name, self.runs, unit, columns, figures);
        }
        let machine = machine();
        if !self.json {
            return table::print(&machine, unit, columns, figures);
        }
        let sizes = sizes.iter().copied().collect();
        out::json(&Printed { machine, durability: DURABILITY, sizes, figures: BTreeMap::from([(name, figures)]) })
    }
}

/// What the benchmark ran on, as far as a figure without it says nothing.
#[derive(Debug, Serialize)]
struct Machine {
    /// Nothing where the program was not built from a checkout, or not for release.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    cores: usize,
    cpu: String,
    memory_mib: u64,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, cores, cpu, memory_mib } = self;
        let commit = commit.unwrap_or("unknown");
        write!(f, "commit {commit}, {cores} cores, {cpu}, {} MiB; {DURABILITY}", grouped(*memory_mib))
    }
}

/// Requests that may wait to be printed: a minute of the fastest pace that is measured.
const ARRIVALS: usize = 60_000;

const DURABILITY: &str = "WAL, synchronous = FULL";

pub(super) async fn run(command: Command) -> anyhow::Result<Exit> {
    let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
    let chance = Arc::new(Chance::from_entropy());
    match command {
        Command::All(all) => all.run(clock).await?,
        Command::Import(import) => import.run().await?,
        Command::Dispatch(dispatch) => dispatch.run().await?,
        Command::Memory(memory) => memory.run().await?,
        Command::Engine(engine) => engine.run(clock.as_ref())?,
        Command::Timers(timers) => timers.run(clock).await?,
        Command::Receipts(receipts) => receipts.run(clock).await?,
        Command::Pace(pace) => pace.run().await?,
        Command::Campaign(campaign) => campaign.run(clock.as_ref()).await?,
        Command::Cancel(cancel) => cancel.run(clock).await?,
        Command::Sink { webhook, receipts, arrivals } => {
            let mut told = Ok(());
            let (tell, mut requests) = tokio::sync::mpsc::channel(ARRIVALS);
            let sink = bench::run_sink(webhook, receipts, arrivals.then_some(tell), clock, |address| {
                told = out::data(address);
            });
            let telling = async {
                while let Some(request) = requests.recv().await {
                    out::data(bench::arrival_line(&request))?;
                }
                anyhow::Ok(())
            };
            let (ended, lines) = tokio::join!(sink, telling);
            ended.map_err(anyhow::Error::from_boxed)?;
            lines?;
            told?;
        }
        Command::Load { address, load } => {
            let run = bench::receipts::load(address, load.load(), clock).await;
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
        Command::Run(part) => out::json(&part.run(clock, chance).await.map_err(anyhow::Error::from_boxed)?)?,
    }
    Ok(Exit::Done)
}

/// Messages that are laid out once and copied for each run, in a folder that goes when this does.
struct Stock {
    folder: tempfile::TempDir,
}

impl Stock {
    async fn new(messages: u32, laid: bench::Laid, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let stock = Self { folder: tempfile::tempdir()? };
        out::talk(format!("laying out {} messages", grouped(messages)));
        bench::fill(&stock.original(), messages, laid, clock).await.map_err(anyhow::Error::from_boxed)?;
        Ok(stock)
    }

    fn original(&self) -> PathBuf {
        self.folder.path().join("stock.db")
    }

    /// A fresh copy. There is one at a time.
    async fn copy(&self) -> anyhow::Result<PathBuf> {
        let copy = self.folder.path().join("bench.db");
        for beside in ["-wal", "-shm"] {
            let mut name = copy.clone().into_os_string();
            name.push(beside);
            // Where the last run has closed its database there is none.
            let _ = tokio::fs::remove_file(name).await;
        }
        tokio::fs::copy(self.original(), &copy).await?;
        Ok(copy)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn machine() -> Machine {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).map(|line| line.trim_matches([' ', '\t', ':']));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    Machine {
        commit: option_env!("VOLLEY_COMMIT"),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
        cpu: model.unwrap_or("unknown").to_owned(),
        memory_mib: kib.unwrap_or(0) / 1024,
    }
}
