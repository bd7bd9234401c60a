//! `volley audience`: recipient files, checked, imported and looked at.

mod check;
mod import;
mod list;
mod summary;

use std::path::PathBuf;

use clap::Args;

pub(super) use summary::{country_lines, small};

use super::exit::Usage;
use super::{Exit, Ground};
use crate::audience::{self, Lines, Mapping, Options, SheetChoice};
use crate::domain::Country;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read a recipient file and say who in it can be written to, and why the others cannot.
    ///
    /// Takes text of any common shape and encoding and every common spreadsheet, also packed; finds the header and the
    /// column of the numbers by itself. Nothing is stored. Where the database already is, people who have opted out are
    /// left out.
    #[command(after_help = "\
Examples:
  volley audience check recipients.xlsx
  volley audience check recipients.csv --country SG --rejects rejects.csv
  volley audience check export.xls --sheet Customers --map number=\"Cell phone\" --map FirstName=Vorname
  zcat recipients.csv.gz | volley audience check -
  volley audience check recipients.csv --json | jq .reasons")]
    Check(check::Args),
    /// Read a recipient file and keep it under a name, for any number of campaigns.
    #[command(after_help = "\
Examples:
  volley audience import recipients.xlsx --name members
  volley audience import recipients.csv --name members-sg --country SG --strict
  volley audience import mended-rejects.csv --append members")]
    Import(import::Args),
    /// The audiences that are kept.
    List {
        /// As a list of objects.
        #[arg(long)]
        json: bool,
    },
    /// What one audience holds: its columns, its countries, its first people.
    Show {
        /// The name it was imported under.
        name: String,
        /// As an object.
        #[arg(long)]
        json: bool,
    },
    /// Some of its people, from its beginning to its end.
    Sample {
        /// The name it was imported under.
        name: String,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        people: u32,
        /// An object a line.
        #[arg(long)]
        json: bool,
    },
    /// Write all of its people into a file, which can be imported again. In CSV a cell that a spreadsheet program would take
    /// for a formula gets a ' before it.
    Export {
        /// The name it was imported under.
        name: String,
        /// Where to: an XLSX file where the name ends in .xlsx, CSV where it ends in .csv, .txt or nothing; `-` is CSV on
        /// standard output.
        file: PathBuf,
    },
    /// Remove an audience that no campaign uses.
    Delete {
        /// The name it was imported under.
        name: String,
        /// As an object: name, recipients.
        #[arg(long)]
        json: bool,
    },
}

/// What somebody says of a file, whatever it is for.
#[derive(Debug, Args)]
pub(in crate::cli) struct Told {
    /// Of which country numbers without a country code are, such as SG, where their row does not say.
    #[arg(long, value_name = "CC")]
    country: Option<Country>,
    /// What the text is written in, such as UTF-8, windows-1252 or Shift_JIS; found out otherwise.
    #[arg(long, value_name = "NAME", value_parser = audience::encoding)]
    encoding: Option<&'static encoding_rs::Encoding>,
    /// What stands between the cells of a text: , ; | or tab; found out otherwise.
    #[arg(long, value_name = "MARK", value_parser = audience::delimiter)]
    delimiter: Option<u8>,
    /// The sheet of a spreadsheet, by its name or its number; otherwise the first that holds numbers.
    #[arg(long, value_name = "NAME|N")]
    sheet: Option<SheetChoice>,
    /// The first row holds data; otherwise found out. Columns are then named by their place: Column 1, Column 2.
    #[arg(long)]
    no_header: bool,
    /// What a column is: number="Cell phone", country=Land, ClientMessageId=Id, or any name for it that templates go by:
    /// FirstName=Vorname. May be given several times.
    #[arg(long, value_name = "NAME=COLUMN")]
    map: Vec<Mapping>,
}

impl Told {
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

/// How a recipient file is to be read.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// The recipient file: text of any common shape, XLSX, XLSM, XLSB, XLS or ODS, gzipped or in a ZIP if you like; `-`
    /// reads standard input.
    file: PathBuf,
    #[command(flatten)]
    told: Told,
    /// Accept a number as often as it stands there, instead of once. A campaign on several audiences still writes to a
    /// number only from the first of them that has it.
    #[arg(long)]
    keep_duplicates: bool,
    /// Which lines are accepted where their country tells them apart: any, or mobile, which leaves out fixed lines and
    /// service numbers.
    #[arg(long, value_name = "LINES", default_value = "any")]
    lines: Lines,
    /// End with exit code 3 if any row was rejected.
    #[arg(long)]
    strict: bool,
    /// The counts as one object.
    #[arg(long)]
    json: bool,
}

impl Reading {
    fn options(&self) -> Options {
        Options { keep_duplicates: self.keep_duplicates, lines: self.lines, ..self.told.options() }
    }

    fn exit(&self, summary: &audience::Summary) -> Exit {
        if self.strict && summary.valid < summary.rows { Exit::Incomplete } else { Exit::Done }
    }

    fn label(&self) -> String {
        audience::Source::File(self.file.clone()).label()
    }
}

/// What is wrong with what was typed, rather than with the file, is wrong usage.
fn told(error: audience::Error) -> anyhow::Error {
    use audience::Error::{
        MappedTwice, NoSheets, NoSuchColumn, NoSuchSheet, NoText, OneOutput, OnlyCsv, OverInput, UnknownCountry,
    };
    match error {
        UnknownCountry(_)
        | OverInput { .. }
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

/// A name as campaigns and audiences have one.
pub(super) fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name has at least one character that can be seen".to_owned()),
        _ if text.chars().count() > 200 || text.chars().any(char::is_control) => {
            Err("a name is one line of at most 200 characters".to_owned())
        }
        name => Ok(name.to_owned()),
    }
}

pub(super) async fn run(command: Command, ground: &Ground) -> anyhow::Result<Exit> {
    match command {
        Command::Check(args) => check::run(args, ground).await,
        Command::Import(args) => import::run(args, ground).await,
        Command::List { json } => list::list(ground, json).await,
        Command::Show { name, json } => list::show(ground, &name, json).await,
        Command::Sample { name, people, json } => list::sample(ground, &name, people, json).await,
        Command::Export { name, file } => list::export(ground, &name, &file).await,
        Command::Delete { name, json } => list::delete(ground, &name, json).await,
    }
}
