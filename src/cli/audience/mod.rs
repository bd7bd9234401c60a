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
use crate::audience::{self, Options};
use crate::domain::Country;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read a recipient file and say who in it can be written to, and why the others cannot.
    ///
    /// Takes CSV of any common shape, and XLSX; finds the column of the numbers by itself. Nothing is stored. Where the
    /// database already is, people who have opted out are left out.
    #[command(after_help = "\
Examples:
  volley audience check recipients.xlsx
  volley audience check recipients.csv --country SG --rejects rejects.csv
  volley audience check recipients.csv --json | jq .reasons")]
    Check(check::Args),
    /// Read a recipient file and keep it under a name, for any number of campaigns.
    #[command(after_help = "\
Examples:
  volley audience import recipients.xlsx --name members
  volley audience import recipients.csv --name members-sg --country SG --strict")]
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
    /// Remove an audience that no campaign uses.
    Delete {
        /// The name it was imported under.
        name: String,
        /// As an object: name, recipients.
        #[arg(long)]
        json: bool,
    },
}

/// How a file is to be read.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// The recipient file: CSV or XLSX.
    file: PathBuf,
    /// Of which country numbers without a country code are, such as SG, where their row does not say.
    #[arg(long, value_name = "CC")]
    country: Option<Country>,
    /// Accept a number as often as it stands there, instead of once. A campaign on several audiences still writes to a
    /// number only from the first of them that has it.
    #[arg(long)]
    keep_duplicates: bool,
    /// End with exit code 3 if any row was rejected.
    #[arg(long)]
    strict: bool,
    /// The counts as one object.
    #[arg(long)]
    json: bool,
}

impl Reading {
    const fn options(&self) -> Options {
        Options { country: self.country, keep_duplicates: self.keep_duplicates }
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
    use audience::Error::{OneOutput, OverInput, UnknownCountry};
    match error {
        UnknownCountry(_) | OverInput { .. } | OneOutput { .. } => Usage(error.to_string()).into(),
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
        Command::Delete { name, json } => list::delete(ground, &name, json).await,
    }
}
