//! `volley bench`: measures throughput, latency and memory.

mod all;
mod api;
mod campaign;
mod cancel;
mod dispatch;
mod engine;
mod import;
mod memory;
mod pace;
mod pages;
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
use crate::base::clock::{Chance, Clock, RealClock};
use crate::base::domain::grouped;
use crate::bench::{self, Figures};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run all benchmarks below, with the sizes of benches/README.md
    All(all::All),
    /// Rows of a recipient file per second, against crates that only read it and a database that only stores it
    Import(import::Import),
    /// Messages submitted per second, against a bare HTTP loop and against the database alone
    Dispatch(dispatch::Dispatch),
    /// Peak memory of a server that sends, for any number of messages
    Memory(memory::Memory),
    /// Engine decisions per second on one core, without I/O
    Engine(engine::Engine),
    /// Deadlines per second, their delay, and the cost of millions of them at a start
    Timers(timers::Timers),
    /// Receipts over HTTP, stored before the acknowledgement, against a handler that stores nothing
    Receipts(receipts::Receipts),
    /// Messages accepted by the API, stored before the answer, against a handler that stores nothing; and pages of its lists
    Api(api::Api),
    /// Accuracy of the rate limit, delay of scheduled campaigns, and cost of an idle server
    Pace(pace::Pace),
    /// Time to launch a campaign on a file, to find one of its messages, and to export it
    Campaign(campaign::Campaign),
    /// Time to cancel a campaign of millions, and memory of its server
    Cancel(cancel::Cancel),
    /// Time and size of each page of the server beside a running campaign, and the cost of its viewers
    Pages(pages::Pages),
    /// A provider that accepts everything, for the other commands
    #[command(hide = true)]
    Sink {
        #[arg(long)]
        webhook: Option<String>,
        #[arg(long, default_value_t = 0)]
        receipts: usize,
        /// Print the arrival time and the number of messages of each request
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
    /// A program that sends messages
    #[command(hide = true)]
    Send {
        #[arg(long)]
        address: std::net::SocketAddr,
        #[arg(long)]
        authorization: String,
        #[command(flatten)]
        load: part::SendsArgs,
    },
    /// A program that uploads a recipient file
    #[command(hide = true)]
    Upload {
        #[arg(long)]
        address: std::net::SocketAddr,
        #[arg(long)]
        authorization: String,
        #[arg(long)]
        file: PathBuf,
        #[arg(long)]
        rows: u32,
        #[arg(long)]
        import: bool,
    },
    /// A program that reads a list
    #[command(hide = true)]
    Walk {
        #[arg(long)]
        address: std::net::SocketAddr,
        #[arg(long)]
        authorization: String,
        #[arg(long)]
        list: bench::api::List,
    },
    /// A browser that loads one page again and again
    #[command(hide = true)]
    LoadPage {
        #[arg(long)]
        address: std::net::SocketAddr,
        /// A header, as a line
        #[arg(long)]
        credentials: String,
        #[arg(long)]
        page: String,
    },
    /// Browsers that show a live page
    #[command(hide = true)]
    View {
        #[arg(long)]
        address: std::net::SocketAddr,
        /// A header, as a line
        #[arg(long)]
        credentials: String,
        #[arg(long)]
        page: String,
        #[arg(long)]
        viewers: u32,
    },
    /// One measured run, in a process of its own
    #[command(hide = true, subcommand)]
    Run(part::Part),
}

/// Options of every benchmark.
#[derive(Debug, Args)]
struct Rounds {
    /// Number of runs of each kind; the table shows medians
    #[arg(long, default_value = "3")]
    runs: NonZeroU32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Whether to print the table as Markdown, under its own heading.
    #[arg(skip)]
    in_markdown: bool,
}

#[derive(Debug, Serialize)]
struct Printed<'a> {
    machine: Machine,
    durability: &'static str,
    benchmark: &'static str,
    #[serde(flatten)]
    sizes: BTreeMap<&'static str, u32>,
    figures: &'a [Figures],
}

impl Rounds {
    /// Iterates over the runs, and prints each when it starts.
    fn iter(&self, what: &str) -> impl Iterator<Item = u32> {
        (1..=self.runs.get()).inspect(move |run| self.announce(what, *run))
    }

    fn announce(&self, what: &str, run: u32) {
        out::talk(format!("{what} ({run} of {})", self.runs));
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
        out::json(&Printed { machine, durability: DURABILITY, benchmark: name, sizes, figures })
    }
}

/// The machine and the build that the figures depend on.
#[derive(Debug, Serialize)]
struct Machine {
    /// `None` if the program was not built from a checkout, or not for release.
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

/// Buffer for requests to print: a minute at the fastest rate that is measured.
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
        Command::Api(api) => api.run(clock).await?,
        Command::Pace(pace) => pace.run().await?,
        Command::Campaign(campaign) => campaign.run(clock.as_ref()).await?,
        Command::Cancel(cancel) => cancel.run(clock).await?,
        Command::Pages(pages) => pages.run(clock).await?,
        Command::Sink { webhook, receipts, arrivals } => {
            let mut printed = Ok(());
            let (sender, mut requests) = tokio::sync::mpsc::channel(ARRIVALS);
            let sink = bench::run_sink(webhook, receipts, arrivals.then_some(sender), clock, |address| {
                printed = out::data(address);
            });
            let printing = async {
                while let Some(request) = requests.recv().await {
                    out::data(bench::arrival_line(&request))?;
                }
                anyhow::Ok(())
            };
            let (ended, lines) = tokio::join!(sink, printing);
            ended.map_err(anyhow::Error::from_boxed)?;
            lines?;
            printed?;
        }
        Command::Load { address, load } => {
            let run = bench::receipts::load(address, load.load(), clock).await;
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
        Command::Send { address, authorization, load } => {
            let run = bench::api::send(address, authorization, load.load(), clock).await;
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
        Command::Upload { address, authorization, file, rows, import } => {
            let upload = bench::api::Upload { address, authorization, file, rows, is_imported: import };
            let run = bench::api::upload(upload, clock.as_ref()).await;
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
        Command::Walk { address, authorization, list } => {
            let walk = bench::api::Walk { address, authorization, list };
            let run = bench::api::walk(walk, clock.as_ref()).await;
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
        Command::LoadPage { address, credentials, page } => {
            let run = bench::browse::load(address, &credentials, &page, clock.as_ref()).await;
            out::json(&run.map_err(anyhow::Error::from_boxed)?)?;
        }
        Command::View { address, credentials, page, viewers } => {
            let mut printed = Ok(());
            let seen = || printed = out::data("seen");
            let viewed = bench::browse::view(address, &credentials, &page, viewers, seen).await;
            viewed.map_err(anyhow::Error::from_boxed)?;
            printed?;
        }
        Command::Run(part) => out::json(&part.run(clock, chance).await.map_err(anyhow::Error::from_boxed)?)?,
    }
    Ok(Exit::Done)
}

/// A database of prepared messages, copied for each run. Its folder is removed on drop.
struct Stock {
    folder: tempfile::TempDir,
}

impl Stock {
    async fn new(messages: u32, laid: bench::Laid, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let stock = Self { folder: tempfile::tempdir()? };
        out::talk(format!("preparing {} messages", grouped(messages)));
        bench::fill(&stock.original(), messages, laid, clock).await.map_err(anyhow::Error::from_boxed)?;
        Ok(stock)
    }

    fn original(&self) -> PathBuf {
        self.folder.path().join("stock.db")
    }

    /// Makes a fresh copy, which replaces the previous one.
    async fn copy(&self) -> anyhow::Result<PathBuf> {
        let copy = self.folder.path().join("bench.db");
        for beside in ["-wal", "-shm"] {
            let mut name = copy.clone().into_os_string();
            name.push(beside);
            // The file is missing if the last run closed its database.
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
