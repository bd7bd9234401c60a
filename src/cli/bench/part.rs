//! Measured runs. Each has its own process, so that its memory can be measured.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::base::clock::{Chance, Clock};
use crate::base::domain::Timestamp;
use crate::bench::api::{self, List, Sends};
use crate::bench::dispatch::{self, Load};
use crate::bench::pace::{self, Paced};
use crate::bench::{Error, Run, browse, cancel, import, receipts, timers};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Part {
    CsvAlone(FileArgs),
    SheetAlone(FileArgs),
    Check(FileArgs),
    BulkInsert(StoredArgs),
    Import(StoredArgs),
    Limit(LoadArgs),
    Gated(LoadArgs),
    Product {
        #[command(flatten)]
        load: LoadArgs,
        /// Path of its database
        #[arg(long)]
        database: Option<PathBuf>,
    },
    Database(LoadArgs),
    Floor(LoadArgs),
    BulkUpdate(DueArgs),
    Burst(DueArgs),
    Steady {
        #[arg(long)]
        database: PathBuf,
        #[arg(long)]
        per_second: u32,
        #[arg(long)]
        seconds: u32,
    },
    PrepareStart(DueArgs),
    Start {
        #[command(flatten)]
        due: DueArgs,
        /// Start of this process, in milliseconds since 1970
        #[arg(long)]
        spawned: i64,
    },
    Pace {
        #[arg(long)]
        lanes: NonZeroU32,
        #[arg(long)]
        rate: NonZeroU32,
        #[arg(long)]
        burst: NonZeroU32,
        #[arg(long)]
        batch: NonZeroU32,
        #[arg(long)]
        connections: NonZeroU32,
        #[arg(long)]
        seconds: NonZeroU32,
    },
    Starts {
        #[arg(long)]
        count: u32,
    },
    Idle {
        #[arg(long)]
        lanes: u32,
        #[arg(long)]
        campaigns: u32,
    },
    Cancel {
        #[arg(long)]
        database: PathBuf,
    },
    Bare(ReceiptsArgs),
    Journal(ReceiptsArgs),
    Receipts {
        #[arg(long)]
        database: PathBuf,
        #[command(flatten)]
        load: ReceiptsArgs,
    },
    BareSends(SendsArgs),
    KeptSends(SendsArgs),
    Sends(SendsArgs),
    Uploads {
        #[command(flatten)]
        stored: StoredArgs,
        #[arg(long)]
        rows: u32,
        #[arg(long)]
        import: bool,
    },
    Pages {
        #[arg(long)]
        database: PathBuf,
        #[arg(long)]
        list: List,
    },
    PrepareBrowse {
        #[arg(long)]
        database: PathBuf,
    },
    Browse {
        #[arg(long)]
        database: PathBuf,
        #[arg(long)]
        page: String,
    },
    Viewers {
        #[arg(long)]
        database: PathBuf,
        #[arg(long)]
        viewers: u32,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct FileArgs {
    #[arg(long)]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StoredArgs {
    #[arg(long)]
    file: PathBuf,
    #[arg(long)]
    database: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LoadArgs {
    #[arg(long)]
    messages: u32,
    #[arg(long)]
    connections: NonZeroU32,
    #[arg(long)]
    batch: NonZeroU32,
    #[arg(long, default_value_t = 0)]
    receipts: usize,
    #[arg(long)]
    with_rules: bool,
    #[arg(long, default_value_t = 0)]
    viewers: u32,
}

impl LoadArgs {
    fn load(&self) -> Load {
        let &Self { messages, connections, batch, receipts, with_rules, viewers } = self;
        Load { messages, connections, batch, receipts, with_rules, viewers }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DueArgs {
    #[arg(long)]
    database: PathBuf,
    #[arg(long)]
    due: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReceiptsArgs {
    #[arg(long)]
    receipts: u32,
    #[arg(long)]
    connections: NonZeroU32,
    #[arg(long)]
    array: NonZeroU32,
    #[arg(long)]
    rate: Option<NonZeroU32>,
    #[arg(long)]
    spread: NonZeroU32,
}

impl ReceiptsArgs {
    pub(super) fn load(&self) -> receipts::Load {
        receipts::Load {
            receipts: self.receipts,
            connections: self.connections,
            array: self.array,
            rate: self.rate,
            spread: self.spread,
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SendsArgs {
    #[arg(long)]
    messages: u32,
    #[arg(long)]
    connections: NonZeroU32,
    #[arg(long)]
    batch: NonZeroU32,
    #[arg(long)]
    rate: Option<NonZeroU32>,
}

impl SendsArgs {
    pub(super) fn load(&self) -> Sends {
        let &Self { messages, connections, batch, rate } = self;
        Sends { messages, connections, batch, rate }
    }
}

impl Part {
    pub(super) async fn run(self, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
        match self {
            Self::CsvAlone(FileArgs { file }) => import::csv_alone(file, clock.as_ref()).await,
            Self::SheetAlone(FileArgs { file }) => import::sheet_alone(file, clock.as_ref()).await,
            Self::Check(FileArgs { file }) => import::check(file, clock.as_ref()).await,
            Self::BulkInsert(StoredArgs { file, database }) => import::bulk_insert(file, &database, clock).await,
            Self::Import(StoredArgs { file, database }) => import::import(file, &database, clock).await,
            Self::Limit(load) => dispatch::limit(&load.load(), clock.as_ref()).await,
            Self::Gated(load) => dispatch::gated(&load.load(), clock.as_ref()).await,
            Self::Product { load, database } => {
                dispatch::product(&load.load(), database.as_deref(), clock, chance).await
            }
            Self::Database(load) => dispatch::database(&load.load(), clock, &chance).await,
            Self::Floor(load) => dispatch::floor(&load.load(), clock.as_ref(), &chance).await,
            Self::BulkUpdate(DueArgs { database, due }) => timers::bulk_update(&database, due, clock.as_ref()).await,
            Self::Burst(DueArgs { database, due }) => timers::burst(&database, due, clock).await,
            Self::Steady { database, per_second, seconds } => {
                timers::steady(&database, per_second, seconds, clock).await
            }
            Self::PrepareStart(DueArgs { database, due }) => {
                timers::prepare_start(&database, due, clock.as_ref()).await?;
                Ok(Run::default())
            }
            Self::Start { due: DueArgs { database, due }, spawned } => {
                timers::start(&database, due, Timestamp::from_millis(spawned), clock, chance).await
            }
            Self::Pace { lanes, rate, burst, batch, connections, seconds } => {
                pace::pace(&Paced { lanes, rate, burst, batch, connections, seconds }, clock, chance).await
            }
            Self::Starts { count } => pace::starts(count, clock, chance).await,
            Self::Idle { lanes, campaigns } => pace::idle(lanes, campaigns, clock, chance).await,
            Self::Cancel { database } => cancel::cancel(&database, clock, chance).await,
            Self::Bare(load) => receipts::bare(&load.load(), clock.as_ref()).await,
            Self::Journal(load) => receipts::journal(&load.load(), clock.as_ref()).await,
            Self::Receipts { database, load } => receipts::product(&database, &load.load(), clock, chance).await,
            Self::BareSends(load) => api::bare(&load.load(), clock).await,
            Self::KeptSends(load) => api::kept(&load.load(), clock.as_ref()).await,
            Self::Sends(load) => api::sends(&load.load(), clock, chance).await,
            Self::Uploads { stored: StoredArgs { file, database }, rows, import } => {
                api::uploads((&file, import), rows, &database, clock, chance).await
            }
            Self::Pages { database, list } => api::pages(&database, list, clock, chance).await,
            Self::PrepareBrowse { database } => {
                browse::prepare(&database, clock, &chance).await?;
                Ok(Run::default())
            }
            Self::Browse { database, page } => browse::browse(&database, &page, clock, chance).await,
            Self::Viewers { database, viewers } => browse::viewers(&database, viewers, clock, chance).await,
        }
    }
}

/// Runs a part in its own process.
pub(super) async fn run_part(name: &str, arguments: &[String]) -> anyhow::Result<Run> {
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", "run"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a run")?
        .wait_with_output()
        .await?;
    if !output.status.success() {
        bail!("{name} failed");
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name} printed no valid result"))
}
