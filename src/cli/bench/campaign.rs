//! `volley bench campaign`: measures whole commands, as an operator runs them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use super::part::run_part;
use super::table::ANSWERED;
use super::{Rounds, out, text};
use crate::base::clock::Clock;
use crate::base::domain::grouped;
use crate::bench::import::{From, write_csv};
use crate::bench::{Figures, Run, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs, of whole commands from start to end. The commands import a file, \
                  launch a campaign to it (recipients per second, and their ratio to those of the import), explain one \
                  message, and list all messages of a number. The export is of another campaign, whose messages were \
                  submitted and have three receipts each. --json has every run."
)]
pub(in crate::cli) struct Campaign {
    /// Rows of the file
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) rows: u32,
    /// Messages of the campaign that is exported
    #[arg(long, default_value_t = 300_000)]
    pub(super) exported: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

const CAMPAIGN: &str = r#"name = "bench"
audience = "bench"
[[step]]
channel = "SMS"
lane = "sms"
text = "Hi {{FirstName}}"
"#;

/// The number that is searched for.
const SEARCHED: &str = "+6581234567";

/// The part of a command's `--json` output that is used here.
#[derive(Debug, Deserialize)]
struct Counted {
    #[serde(alias = "valid")]
    messages: u64,
}

/// A folder in which commands run.
struct Workspace<'a> {
    folder: tempfile::TempDir,
    clock: &'a dyn Clock,
}

impl<'a> Workspace<'a> {
    fn new(clock: &'a dyn Clock) -> anyhow::Result<Self> {
        let workspace = Self { folder: tempfile::tempdir()?, clock };
        let config = "[database]\nurl = \"sqlite://bench.db\"\n[provider]\nbase_url = \"http://127.0.0.1:9\"\n\
                      sub_account = \"bench\"\napi_key = \"bench\"\n[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n";
        std::fs::write(workspace.at("volley.toml"), config)?;
        std::fs::write(workspace.at("bench.toml"), CAMPAIGN)?;
        Ok(workspace)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of this program, and measures how long it takes. Returns what it prints.
    async fn command(&self, arguments: &[&str]) -> anyhow::Result<(Run, Vec<u8>)> {
        let begun = self.clock.now();
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().await.context("cannot start a command")?;
        if !output.status.success() {
            bail!("volley {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        let took = self.clock.now().since(begun);
        Ok((
            Run { answered_ms: Some(took.millis()), took_ms: took.std().as_secs_f64() * 1e3, ..Run::default() },
            output.stdout,
        ))
    }

    /// Runs a command that prints a number of messages or recipients, and computes the rate.
    #[expect(clippy::cast_precision_loss, reason = "rounded figures for display")]
    async fn counting(&self, arguments: &[&str]) -> anyhow::Result<Run> {
        let (run, printed) = self.command(arguments).await?;
        let messages = serde_json::from_slice::<Counted>(&printed).context("a command prints no count")?.messages;
        Ok(Run { messages, rate_per_s: messages as f64 * 1e3 / run.took_ms.max(1e-6), ..run })
    }
}

/// The runs of each command.
#[derive(Default)]
struct Runs {
    import: Vec<Run>,
    launch: Vec<Run>,
    explain: Vec<Run>,
    list: Vec<Run>,
    csv: Vec<Run>,
    xlsx: Vec<Run>,
}

impl Campaign {
    pub(super) async fn run(self, clock: &dyn Clock) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("recipients.csv");
        self.write_file(file.clone()).await?;
        let submitted = Workspace::new(clock)?;
        self.submit(&submitted.at("bench.db")).await?;
        let mut runs = Runs::default();
        for _ in self.rounds.iter("campaign") {
            runs.run_on(&Workspace::new(clock)?, &file).await?;
            runs.csv.push(submitted.command(&["campaign", "export", "bench", "bench.csv"]).await?.0);
            runs.xlsx.push(submitted.command(&["campaign", "export", "bench", "bench.xlsx"]).await?.0);
        }
        let Runs { import, launch, explain, list, csv, xlsx } = runs;
        let within = |name: &str, runs, ms| Figures::new(name, runs, None).held_against(Target::AnsweredMs(ms));
        let figures = [
            Figures::new("audience import", import.clone(), None),
            Figures::new("campaign launch", launch, Some(&import)).held_against(Target::Ratio(0.8)),
            within("message explain, by number", explain, 100),
            within("message list --to, by number", list, 100),
            within("campaign export, CSV", csv, 1_500),
            within("campaign export, XLSX", xlsx, 4_000),
        ];
        let sizes = [("rows", self.rows), ("exported", self.exported)];
        self.rounds.print("campaign", &sizes, &figures, "recipients/s", &[ANSWERED])
    }

    /// Writes the file, with one more row for the searched number.
    async fn write_file(&self, path: PathBuf) -> anyhow::Result<()> {
        out::talk(format!("writing a CSV of {} rows", grouped(self.rows)));
        let rows = self.rows;
        let writing = tokio::task::spawn_blocking(move || {
            write_csv(&path, rows, From::Some)?;
            let mut file = std::fs::OpenOptions::new().append(true).open(&path)?;
            Ok(writeln!(file, "{SEARCHED},Mei,SG,SPRING,1,Singapore")?)
        });
        writing.await?.map_err(anyhow::Error::from_boxed)
    }

    /// Submits a campaign with Volley itself, with three receipts for each message.
    async fn submit(&self, database: &Path) -> anyhow::Result<()> {
        out::talk(format!("submitting {} messages", grouped(self.exported)));
        let (messages, database) = (self.exported.to_string(), text(database));
        let arguments = ["product", "--messages", &messages, "--connections", "64", "--batch", "1", "--receipts", "3"];
        let arguments = arguments.into_iter().chain(["--database", &database]).map(str::to_owned);
        run_part("the campaign to export", &arguments.collect::<Vec<_>>()).await.map(drop)
    }
}

impl Runs {
    async fn run_on(&mut self, workspace: &Workspace<'_>, file: &Path) -> anyhow::Result<()> {
        let file = text(file);
        self.import.push(workspace.counting(&["audience", "import", &file, "--name", "bench", "--json"]).await?);
        self.launch.push(workspace.counting(&["campaign", "launch", "bench.toml", "--unchecked", "--json"]).await?);
        self.explain.push(workspace.command(&["message", "explain", "bench", SEARCHED]).await?.0);
        self.list.push(workspace.command(&["message", "list", "--to", SEARCHED]).await?.0);
        Ok(())
    }
}
