//! `volley config`: the values in effect, and where each comes from.

use std::path::Path;

use serde::Serialize;

use super::out::{self, To};
use super::table::Table;
use super::words;
use super::{CommandContext, Exit};
use crate::base::config::{DEFAULT_PATH, Setting};
use crate::campaigns::campaign::{FileError, PriceList, check_routes};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print every value with its source. Secrets show as ***.
    #[command(after_help = "\
Sources, in order of precedence: command line, environment, file, default. The names of a key:
  volley.toml                     [server] listen = \"127.0.0.1:8688\"
  VOLLEY_SERVER_LISTEN            the same in the environment
  VOLLEY_LANE_PROMO_SG_RATE       the rate of lane promo-sg

Examples:
  volley config show
  volley --config staging.toml config show --json")]
    Show {
        /// Print a JSON list of objects: section, key, value, source.
        #[arg(long)]
        json: bool,
    },
    /// Check the configuration and report its errors and warnings.
    #[command(after_help = "Examples:\n  volley config check\n  volley --config staging.toml config check")]
    Check {
        /// Print one JSON object: ok, file, lanes, warnings.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::Show { json } => show(context, *json)?,
        Command::Check { json } => check(context, *json)?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct SettingView<'a> {
    section: &'a str,
    key: &'a str,
    value: Option<&'a str>,
    source: String,
}

fn show(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    if json {
        let shown = context.loaded.settings.iter().map(|setting| SettingView {
            section: &setting.section,
            key: setting.key,
            value: setting.value.as_deref(),
            source: setting.source.to_string(),
        });
        return out::json(&shown.collect::<Vec<_>>());
    }
    let paint = To::Stdout.paint();
    let mut table = Table::new(&["", "", ""]);
    for (index, settings) in context.loaded.sections().enumerate() {
        if index > 0 {
            table.row([""]);
        }
        table.row(settings.iter().take(1).map(|first| paint.bold(&first.section)));
        for Setting { key, value, source, .. } in settings {
            let value = value.clone().unwrap_or_else(|| paint.dim("–"));
            table.row([format!("  {key}"), value, paint.dim(source)]);
        }
    }
    out::lines(table.lines(paint))
}

#[derive(Serialize)]
struct CheckView<'a> {
    ok: bool,
    file: Option<String>,
    lanes: Vec<&'a str>,
    warnings: &'a [String],
}

fn check(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let problems = check_routes(&context.config);
    if !problems.is_empty() {
        let file = context.loaded.file.as_deref().unwrap_or(Path::new(DEFAULT_PATH)).display().to_string();
        return Err(FileError::Problems { file, problems }.into());
    }
    // Every plan and every launch loads the price list.
    context.config.prices.as_deref().map(PriceList::load).transpose()?;
    context.config.check_serve().map_err(|error| anyhow::anyhow!("`volley serve` would not start: {error}"))?;
    let folder = context.database().parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        anyhow::bail!(
            "`volley serve` would not start: the folder {folder} of the database does not exist; create it, or change database.url"
        );
    }
    let mut warnings = context.loaded.warnings.clone();
    if context.config.lanes.is_empty() {
        warnings.push(
            "no lanes are configured, so nothing can be sent; add a [[lane]] with a name and a channel".to_owned(),
        );
    }
    let file = context.loaded.file.as_ref().map(|file| file.display().to_string());
    if json {
        let lanes = context.config.lanes.iter().map(|lane| lane.name.as_str()).collect();
        return out::json(&CheckView { ok: true, file, lanes, warnings: &warnings });
    }
    warn(&warnings);
    let name = file.unwrap_or_else(|| "the configuration (without a file)".to_owned());
    let lanes = words::plural(context.config.lanes.len() as u64, "lane", "lanes");
    let found = words::plural(i64::try_from(warnings.len()).unwrap_or(i64::MAX), "warning", "warnings");
    out::data(format_args!("{name} is valid: {lanes}, {found}"))
}

/// Prints warnings on stderr, in the format of all commands.
pub(super) fn warn(warnings: impl IntoIterator<Item: std::fmt::Display>) {
    let paint = To::Stderr.paint();
    for warning in warnings {
        out::talk(format_args!("{} {warning}", paint.so_so("warning:")));
    }
}
