//! `volley audience`: checks, imports, shows and exports recipient files.

mod check;
mod import;
mod list;
mod summary;

use std::path::PathBuf;

use clap::Args;

pub(super) use summary::{country_lines, small};

use super::exit::Usage;
use super::{CommandContext, Exit};
use crate::recipients::audience::{self, DefaultCountry, Lines, Mapping, Options, SheetChoice};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a recipient file: count valid and rejected rows, with reasons.
    ///
    /// Reads text in the common formats and encodings, and the common spreadsheets, also compressed. Detects the header
    /// and the column with the numbers. Stores nothing. If the database exists, opted-out numbers are counted separately.
    #[command(after_help = "\
Examples:
  volley audience check recipients.xlsx
  volley audience check recipients.csv --country SG --rejects rejects.csv
  volley audience check export.xls --sheet Customers --map number=\"Cell phone\" --map FirstName=Vorname
  zcat recipients.csv.gz | volley audience check -
  volley audience check recipients.csv --json | jq .reasons")]
    Check(check::Args),
    /// Import a recipient file as a named audience, for any number of campaigns.
    #[command(after_help = "\
Examples:
  volley audience import recipients.xlsx --name members
  volley audience import recipients.csv --name members-sg --country SG --strict
  volley audience import mended-rejects.csv --append members")]
    Import(import::Args),
    /// List the imported audiences.
    List {
        /// Print a JSON list of objects.
        #[arg(long)]
        json: bool,
    },
    /// Show one audience: its files, countries, columns and first recipients.
    Show {
        /// The name of the audience.
        name: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show some recipients, evenly chosen from the whole audience.
    Sample {
        /// The name of the audience.
        name: String,
        /// Number of recipients.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        recipients: u32,
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Export all recipients to a file that can be imported. In CSV, a cell that a spreadsheet program would take for a
    /// formula gets a ' before it.
    Export {
        /// The name of the audience.
        name: String,
        /// The file to write: XLSX if the name ends in .xlsx, CSV if it ends in .csv, .txt or nothing; `-` writes CSV to
        /// standard output.
        file: PathBuf,
    },
    /// Remove an audience that no campaign uses.
    Delete {
        /// The name of the audience.
        name: String,
        /// Print one JSON object: name, recipients.
        #[arg(long)]
        json: bool,
    },
}

/// Options for reading any file of numbers.
#[derive(Debug, Args)]
pub(in crate::cli) struct FileOptions {
    /// Default country for numbers without a country code, such as SG, in rows that name no country.
    #[arg(long, value_name = "CC")]
    country: Option<DefaultCountry>,
    /// Encoding of a text file, such as UTF-8, windows-1252 or Shift_JIS. Default: detected.
    #[arg(long, value_name = "NAME", value_parser = audience::encoding)]
    encoding: Option<&'static encoding_rs::Encoding>,
    /// Separator between the cells of a text file: , ; | or tab. Default: detected.
    #[arg(long, value_name = "MARK", value_parser = audience::delimiter)]
    delimiter: Option<u8>,
    /// Sheet of a spreadsheet, by name or number. Default: the first that contains phone numbers.
    #[arg(long, value_name = "NAME|N")]
    sheet: Option<SheetChoice>,
    /// The first row contains data. Columns are then named Column 1, Column 2. Default: detected.
    #[arg(long)]
    no_header: bool,
    /// Meaning of a column: number="Cell phone", country=Land, ClientMessageId=Id, WhatsAppUserId=BSUID, or the name that
    /// templates use for it: FirstName=Vorname. Can be repeated.
    #[arg(long, value_name = "NAME=COLUMN")]
    map: Vec<Mapping>,
}

impl FileOptions {
    pub(in crate::cli) fn options(&self) -> Options {
        Options {
            country: self.country,
            encoding: self.encoding,
            delimiter: self.delimiter,
            sheet: self.sheet.clone(),
            no_header: self.no_header,
            map: self.map.clone(),
            ..Options::default()
        }
    }
}

/// Arguments of the commands that read a recipient file.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// The recipient file: text, XLSX, XLSM, XLSB, XLS or ODS, optionally gzipped or in a ZIP; `-` reads standard input.
    file: PathBuf,
    #[command(flatten)]
    file_options: FileOptions,
    /// Accept every occurrence of a number. A campaign on several audiences still uses a number only from the first
    /// audience that contains it.
    #[arg(long)]
    keep_duplicates: bool,
    /// Types of numbers to accept, in countries that distinguish them: any, or mobile (no landlines, no service
    /// numbers).
    #[arg(long, value_name = "LINES", default_value = "any")]
    lines: Lines,
    /// End with exit code 3 if any row was rejected.
    #[arg(long)]
    strict: bool,
    /// Print the counts as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Reading {
    fn options(&self) -> Options {
        Options { keep_duplicates: self.keep_duplicates, lines: self.lines, ..self.file_options.options() }
    }

    fn exit(&self, summary: &audience::Summary) -> Exit {
        if self.strict && summary.valid < summary.rows { Exit::Incomplete } else { Exit::Done }
    }
}

/// Turns an error of the command line, as opposed to one of the file, into wrong usage.
fn classify(error: audience::Error) -> anyhow::Error {
    use audience::Error::{MappedTwice, NoSheets, NoSuchColumn, NoSuchSheet, NoText, OneOutput, OnlyCsv, OverInput};
    match error {
        OverInput { .. }
        | OneOutput { .. }
        | NoSuchSheet { .. }
        | NoSheets { .. }
        | NoText { .. }
        | OnlyCsv { .. }
        | NoSuchColumn { .. }
        | MappedTwice { .. } => Usage(error.to_string()).into(),
        error => error.into(),
    }
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::Check(args) => check::run(args, context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::List { json } => list::list(context, json).await,
        Command::Show { name, json } => list::show(context, &name, json).await,
        Command::Sample { name, recipients, json } => list::sample(context, &name, recipients, json).await,
        Command::Export { name, file } => list::export(context, &name, &file).await,
        Command::Delete { name, json } => list::delete(context, &name, json).await,
    }
}
