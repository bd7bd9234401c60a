//! `volley bench import`.

use std::path::Path;

use clap::Args;

use super::part::run_part;
use super::table::{CPU, PEAK};
use super::{Rounds, out, text};
use crate::base::domain::grouped;
use crate::bench::import::{From, write_csv, write_xlsx};
use crate::bench::{Figures, Run, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs: rows per second; their ratio to the limit of the same run, in a row \
                  above; processor time per row; peak memory of the process. The file has six columns; half of the numbers \
                  are national numbers of sixteen countries, and one of twenty is invalid. The bulk insert only stores the \
                  same rows from memory. --json has every run."
)]
pub(in crate::cli) struct Import {
    /// Rows of the CSV file and of the spreadsheet
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1_048_575))]
    pub(super) rows: u32,
    /// Rows of the CSV file with every country; 0 skips it
    #[arg(long, default_value_t = 10_000_000)]
    pub(super) huge: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

/// At most 1.3 times the time that calamine takes.
const SHEET: f64 = 1.0 / 1.3;

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let (csv, sheet, huge) = (path("recipients.csv"), path("recipients.xlsx"), path("everywhere.csv"));
        self.write_files(&csv, &sheet, &huge).await?;
        let (mut reads, mut checks, mut inserts, mut imports) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut cells, mut sheets, mut everywhere) = (Vec::new(), Vec::new(), Vec::new());
        for _ in self.rounds.iter("import") {
            reads.push(run_on("csv-alone", &csv, None).await?);
            checks.push(run_on("check", &csv, None).await?);
            inserts.push(run_on("bulk-insert", &csv, Some(folder.path())).await?);
            imports.push(run_on("import", &csv, Some(folder.path())).await?);
            cells.push(run_on("sheet-alone", &sheet, None).await?);
            sheets.push(run_on("check", &sheet, None).await?);
            if self.huge > 0 {
                everywhere.push(run_on("check", &huge, None).await?);
            }
        }
        let mut import = vec![
            Figures::new("CSV: the csv crate alone", reads.clone(), None),
            Figures::new("CSV: audience check", checks, Some(&reads))
                .held_against(Target::PerSecond(1_000_000))
                .held_against(Target::PeakMib(150.0)),
            Figures::new("CSV: bulk insert alone", inserts.clone(), None),
            Figures::new("CSV: audience import", imports, Some(&inserts))
                .held_against(Target::Ratio(0.8))
                .held_against(Target::PeakMib(150.0)),
            Figures::new("XLSX: calamine alone", cells.clone(), None),
            Figures::new("XLSX: audience check", sheets, Some(&cells)).held_against(Target::Ratio(SHEET)),
        ];
        if self.huge > 0 {
            let name = format!("{} rows of every country", grouped(self.huge));
            import.push(Figures::new(&name, everywhere, None).held_against(Target::PeakMib(300.0)));
        }
        self.rounds.print("import", &[("rows", self.rows)], &import, "rows/s", &[CPU, PEAK])
    }

    async fn write_files(&self, csv: &Path, sheet: &Path, huge: &Path) -> anyhow::Result<()> {
        let (rows, of_huge) = (grouped(self.rows), grouped(self.huge));
        out::talk(format!("writing a CSV and a spreadsheet of {rows} rows, and a CSV of {of_huge} rows"));
        let (csv, sheet, huge_file) = (csv.to_owned(), sheet.to_owned(), huge.to_owned());
        let (rows, huge) = (self.rows, self.huge);
        let writing = tokio::task::spawn_blocking(move || {
            write_csv(&csv, rows, From::Some)?;
            write_xlsx(&sheet, rows, From::Some)?;
            if huge > 0 { write_csv(&huge_file, huge, From::Everywhere) } else { Ok(()) }
        });
        writing.await?.map_err(anyhow::Error::from_boxed)
    }
}

/// Runs a part on a file and, if a folder is given, on a new database in it.
async fn run_on(part: &str, file: &Path, folder: Option<&Path>) -> anyhow::Result<Run> {
    let database_folder = folder.map(tempfile::tempdir_in).transpose()?;
    let mut arguments = vec![part.to_owned(), "--file".to_owned(), text(file)];
    if let Some(folder) = &database_folder {
        arguments.extend(["--database".to_owned(), text(&folder.path().join("bench.db"))]);
    }
    run_part(part, &arguments).await
}
