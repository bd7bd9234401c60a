//! `volley bench api`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::part::run_part;
use super::table::{CPU, P50, P99, PEAK};
use super::{Rounds, Stock, text};
use crate::base::clock::Clock;
use crate::base::domain::grouped;
use crate::bench::api::{List, Sends, add_rows};
use crate::bench::import::{From, write_csv};
use crate::bench::{Figures, Laid, Run, Target};

/// Messages in one call, and connections for such calls.
const BATCH: u32 = 1_000;
const BATCH_CONNECTIONS: u32 = 4;

/// 150 MB.
const UPLOAD_MIB: f64 = 143.0;

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs: messages accepted per second, or rows imported or listed; the ratio to \
                  the limit of the same run, in a row above; processor time of the server per message or row; p50 and \
                  p99 of the requests; peak memory of the server. Every message is a text on SMS with a number of its \
                  own, stored before its answer, and every request has an API key. The lane is paused, so nothing is \
                  sent. A run fails unless each answered message is stored once. The limit of single sends is a \
                  handler that parses the same JSON and stores nothing; `kept, not accepted` only stores every body on \
                  disk. Batches are compared with the import's bulk insert of recipients. At half load, requests are \
                  sent at a fixed rate. A file is uploaded in parts of 64 MiB, without and with its import. Lists are \
                  read to their end in pages of 500, after one page that is not counted; p99 is that of the slowest \
                  third. --json has every run."
)]
pub(in crate::cli) struct Api {
    /// Single sends in each run
    #[arg(long, default_value_t = 200_000)]
    pub(super) messages: u32,
    /// Connections of single sends
    #[arg(long, default_value = "64")]
    pub(super) connections: NonZeroU32,
    /// Messages of each run with batches, and recipients of the bulk insert
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=9_000_000))]
    pub(super) batched: u32,
    /// Rows of the file that is uploaded; 30 million are 2 GB
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) uploaded: u32,
    /// Messages stored before lists are read; ten million take a minute to prepare, and 5 GB
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) stored: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

impl Api {
    pub(super) async fn run(self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let recipients = written(folder.path().join("recipients.csv"), self.batched).await?;
        let file = written(folder.path().join("upload.csv"), self.uploaded).await?;
        let stock = Stock::new(self.stored, Laid::HandedOver, clock).await?;
        add_rows(&stock.original()).await.map_err(anyhow::Error::from_boxed)?;
        let single =
            Sends { messages: self.messages, connections: self.connections, batch: NonZeroU32::MIN, rate: None };
        let batches = Sends {
            messages: self.batched,
            connections: NonZeroU32::new(BATCH_CONNECTIONS).unwrap_or(NonZeroU32::MIN),
            batch: NonZeroU32::new(BATCH).unwrap_or(NonZeroU32::MIN),
            rate: None,
        };
        let (mut bare, mut kept, mut singles, mut half) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut inserts, mut batched) = (Vec::new(), Vec::new());
        let (mut uploads, mut imports) = (Vec::new(), Vec::new());
        let mut lists = List::ALL.map(|list| (list, Vec::new()));
        for _ in self.rounds.iter("api") {
            bare.push(run_part("the bare handler", &arguments("bare-sends", &single)).await?);
            kept.push(run_part("the journal", &arguments("kept-sends", &single)).await?);
            let run = run_part("the server", &arguments("sends", &single)).await?;
            half.push(run_part("the server", &arguments("sends", &at_half(&single, run.rate_per_s))).await?);
            singles.push(run);
            inserts.push(insert(&recipients, folder.path()).await?);
            batched.push(run_part("the server", &arguments("sends", &batches)).await?);
            uploads.push(upload((&file, false), self.uploaded, folder.path()).await?);
            imports.push(upload((&file, true), self.uploaded, folder.path()).await?);
            for (list, runs) in &mut lists {
                let database = text(&stock.copy().await?);
                let arguments = ["pages", "--database", &database, "--list", list.name()].map(str::to_owned);
                runs.push(run_part("the server", &arguments).await?);
            }
        }
        let mut api = vec![
            Figures::new("single sends: parsed, nothing stored", bare.clone(), None),
            Figures::new("single sends: kept, not accepted", kept, Some(&bare)),
            Figures::new("single sends: volley", singles, Some(&bare)).held_against(Target::Ratio(0.5)),
            Figures::new("half of that load: volley", half, None).held_against(Target::P99Ms(50)),
            Figures::new("recipients: bulk insert alone", inserts.clone(), None),
            Figures::new(&format!("batches of {}: volley", grouped(BATCH)), batched, Some(&inserts))
                .held_against(Target::PerSecond(100_000)),
            Figures::new("upload of a file: volley", uploads, None).held_against(Target::PeakMib(UPLOAD_MIB)),
            Figures::new("upload and import: volley", imports, None),
        ];
        api.extend(lists.into_iter().map(|(list, runs)| {
            Figures::new(&format!("list of {}: volley", list.name()), runs, None).held_against(Target::P99Ms(20))
        }));
        let sizes = [("stored", self.stored), ("uploaded", self.uploaded)];
        self.rounds.print("api", &sizes, &api, "messages/s", &[CPU, P50, P99, PEAK])
    }
}

fn arguments(part: &str, load: &Sends) -> Vec<String> {
    std::iter::once(part.to_owned()).chain(load.arguments()).collect()
}

/// Writes a recipient file, and returns its path.
async fn written(file: PathBuf, rows: u32) -> anyhow::Result<PathBuf> {
    let writing = tokio::task::spawn_blocking(move || write_csv(&file, rows, From::Some).map(|()| file));
    writing.await?.map_err(anyhow::Error::from_boxed)
}

/// Uploads a file to a server, which imports it if that is wanted.
async fn upload((file, is_imported): (&Path, bool), rows: u32, folder: &Path) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir_in(folder)?;
    let [file, database] = [file, &folder.path().join("bench.db")].map(text);
    let rows = rows.to_string();
    let arguments = ["uploads", "--file", &file, "--database", &database, "--rows", &rows];
    let imported = is_imported.then_some("--import");
    let arguments: Vec<String> = arguments.into_iter().chain(imported).map(str::to_owned).collect();
    run_part("the server", &arguments).await
}

/// Stores the recipients of a file as the import does.
async fn insert(recipients: &Path, folder: &Path) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir_in(folder)?;
    let database = text(&folder.path().join("bench.db"));
    let arguments = ["bulk-insert", "--file", &text(recipients), "--database", &database].map(str::to_owned);
    run_part("the bulk insert", &arguments).await
}

/// The load at half the rate that was reached, for the same time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float saturates")]
fn at_half(load: &Sends, reached: f64) -> Sends {
    let rate = NonZeroU32::new((reached / 2.0) as u32).unwrap_or(NonZeroU32::MIN);
    Sends { messages: load.messages / 2, rate: Some(rate), ..load.clone() }
}
