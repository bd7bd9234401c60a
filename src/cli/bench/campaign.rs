//! `volley bench campaign`: whole commands, as an operator runs them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use super::part::apart;
use super::table::ANSWERED;
use super::{Rounds, out, text};
use crate::bench::import::{From, write_csv};
use crate::bench::{Figures, Run, Target};
use crate::clock::Clock;
use crate::domain::grouped;

#[derive(Debug, Args)]
#[command(
    after_help = "The table holds the medians of all runs, of whole commands from start to end: a file is imported, a \
                  campaign to it is launched (recipients a second, and their ratio to those of the import), one message is \
                  explained and all of a number's are listed. Exported is another campaign, whose messages were submitted \
                  and have three receipts each. --json has every run."
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

/// A number that the file has.
const WANTED: &str = "+6581234567";

/// What a command prints with `--json`, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Counted {
    #[serde(alias = "valid")]
    messages: u64,
}

/// A folder in which commands run.
struct Place<'a> {
    folder: tempfile::TempDir,
    clock: &'a dyn Clock,
}

impl<'a> Place<'a> {
    fn new(clock: &'a dyn Clock) -> anyhow::Result<Self> {
        let place = Self { folder: tempfile::tempdir()?, clock };
        let config = "[database]\nurl = \"sqlite://bench.db\"\n[provider]\nbase_url = \"http://127.0.0.1:9\"\n\
                      sub_account = \"bench\"\napi_key = \"bench\"\n[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n";
        std::fs::write(place.at("volley.toml"), config)?;
        std::fs::write(place.at("bench.toml"), CAMPAIGN)?;
        Ok(place)
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
            Run { answered_ms: Some(took.millis()), seconds: took.std().as_secs_f64(), ..Run::default() },
            output.stdout,
        ))
    }

    /// The same of a command that prints how many messages or recipients it was about.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    async fn counting(&self, arguments: &[&str]) -> anyhow::Result<Run> {
        let (run, printed) = self.command(arguments).await?;
        let messages = serde_json::from_slice::<Counted>(&printed).context("a command prints no count")?.messages;
        Ok(Run { messages, per_second: messages as f64 / run.seconds.max(1e-9), ..run })
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
        let submitted = Place::new(clock)?;
        self.submit(&submitted.at("bench.db")).await?;
        let mut runs = Runs::default();
        for _ in self.rounds.turns("campaign") {
            runs.of_file(&Place::new(clock)?, &file).await?;
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

    /// Writes the file, with a row more for the one who is looked for.
    async fn write_file(&self, path: PathBuf) -> anyhow::Result<()> {
        out::talk(format!("writing a CSV of {} rows", grouped(self.rows)));
        let rows = self.rows;
        let writing = tokio::task::spawn_blocking(move || {
            write_csv(&path, rows, From::Some)?;
            let mut file = std::fs::OpenOptions::new().append(true).open(&path)?;
            Ok(writeln!(file, "{WANTED},Mei,SG,SPRING,1,Singapore")?)
        });
        writing.await?.map_err(anyhow::Error::from_boxed)
    }

    /// Lets the product submit a campaign, with three receipts for each message.
    async fn submit(&self, database: &Path) -> anyhow::Result<()> {
        out::talk(format!("submitting {} messages", grouped(self.exported)));
        let (messages, database) = (self.exported.to_string(), text(database));
        let said = ["product", "--messages", &messages, "--connections", "64", "--batch", "1", "--receipts", "3"];
        let said = said.into_iter().chain(["--database", &database]).map(str::to_owned);
        apart("the campaign to export", &said.collect::<Vec<_>>()).await.map(drop)
    }
}

impl Runs {
    async fn of_file(&mut self, place: &Place<'_>, file: &Path) -> anyhow::Result<()> {
        let file = text(file);
        self.import.push(place.counting(&["audience", "import", &file, "--name", "bench", "--json"]).await?);
        self.launch.push(place.counting(&["campaign", "launch", "bench.toml", "--unchecked", "--json"]).await?);
        self.explain.push(place.command(&["message", "explain", "bench", WANTED]).await?.0);
        self.list.push(place.command(&["message", "list", "--to", WANTED]).await?.0);
        Ok(())
    }
}
