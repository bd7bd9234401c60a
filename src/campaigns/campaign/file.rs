//! Reads a campaign file in TOML or JSON, or the same JSON over the API. Nothing is checked against lanes, columns or
//! the time yet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::chosen::DraftRoute;
use super::error::FileError;
use super::time::no_such_day;
use super::values;
use crate::base::config::{
    Most, NotBuilt, Problem, Table, Wanted, countries_named, parse_toml, steps, stretches, to_json,
};
use crate::base::domain::{
    AfterGap, BeginsWhen, Country, Hours, OnMissed, OnMissingValue, OnOverlap, OnUnknown, Purpose, Span, StopRule,
    Values, Zone, has_private_key, nearest, object_name,
};
use crate::recipients::audience::{DefaultCountry, Selection};

/// A campaign as the operator wrote it. Optional keys are still undecided.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub name: Option<String>,
    /// Files, or names of imported audiences.
    pub audience: Vec<String>,
    /// Numbers in the file itself.
    pub numbers: Vec<String>,
    pub exclude: Vec<String>,
    /// The recipients to send to, by their columns.
    pub selection: Option<Selection>,
    /// Default country for numbers without a country code.
    pub country: Option<DefaultCountry>,
    /// The only countries to send to.
    pub allow_countries: Option<BTreeSet<Country>>,
    pub ttl: Option<Span>,
    /// As written; [`super::schedule`] parses it.
    pub at: Option<String>,
    /// What the start waits for besides its time.
    pub when: Option<BeginsWhen>,
    pub end: Option<String>,
    pub time_zone: Option<TimeZone>,
    /// The time over which the start is spread.
    pub over: Option<Span>,
    /// When its steps may be sent, unless a step has its own hours.
    pub hours: Hours,
    pub on_missed: Option<OnMissed>,
    pub on_missing_value: Option<OnMissingValue>,
    /// Its limits and budget.
    pub wanted: Wanted,
    pub pause_when: Option<StopRule>,
    pub hold_paid_when: Option<StopRule>,
    pub on_overlap: OnOverlap,
    pub on_unknown: OnUnknown,
    pub after_gap: AfterGap,
    /// Its own variables.
    pub values: Values,
    /// What its steps are for, unless a step says it.
    pub purpose: Option<Purpose>,
    pub route: DraftRoute,
    /// The folder of the file; paths in `audience` and `exclude` are relative to it. `None` for a campaign that came over
    /// the API, which cannot name files of the server.
    pub folder: Option<PathBuf>,
}

/// The clock that the times of a campaign refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeZone {
    Of(Zone),
    /// Each recipient's own clock.
    Recipients,
}

impl TimeZone {
    /// The zone that applies to all recipients, if there is one.
    pub const fn zone(self) -> Option<Zone> {
        match self {
            Self::Of(zone) => Some(zone),
            Self::Recipients => None,
        }
    }
}

const REMOVE: &str = "remove it";

/// Keys that are designed but not built. They are refused, because an ignored key would be a wish without effect.
const CAMPAIGN_NOT_BUILT: &[NotBuilt] = &[
    ("countries", "write `allow_countries`, or `only` in a step"),
    ("stop", "write `pause_when`"),
    ("stop_rules", "write `pause_when`"),
    ("stop_when", "write `pause_when`"),
    ("repeat", REMOVE),
    ("mapping", "remove it, and let each variable name its column"),
];

/// The endings of recipient files, which are often given where their campaign was meant.
const RECIPIENT_FILES: [&str; 7] = ["csv", "ods", "tsv", "xls", "xlsb", "xlsx", "zip"];

impl Draft {
    /// Reads a campaign file.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        Self::load_as_json(path).map(|(draft, _)| draft)
    }

    /// Reads a campaign file. Returns also the same as the JSON of the API.
    pub fn load_as_json(path: &Path) -> Result<(Self, Value), FileError> {
        if path.extension().is_some_and(|ending| RECIPIENT_FILES.iter().any(|known| ending.eq_ignore_ascii_case(known)))
        {
            return Err(FileError::Recipients { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        let file =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let value = parse_value(&file, &text)?;
        let mut draft = Self::parse_json(&file, value.clone())?;
        draft.folder = Some(path.parent().unwrap_or(Path::new("")).to_owned());
        Ok((draft, value))
    }

    /// Parses a text: JSON if its name ends in `.json` or it opens with a brace, else TOML. `file` names it in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        Self::parse_json(file, parse_value(file, text)?)
    }

    fn parse_json(file: &str, value: Value) -> Result<Self, FileError> {
        let draft =
            Self::from_json(value).map_err(|problems| FileError::Problems { file: file.to_owned(), problems })?;
        Ok(Self { folder: Some(PathBuf::new()), ..draft })
    }

    /// The path of a file that the campaign may name, relative to its own file.
    pub(super) fn path_of(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    /// Parses the JSON of the API, or returns every problem in it.
    pub fn from_json(value: Value) -> Result<Self, Vec<Problem>> {
        let Value::Object(table) = value else {
            return Err(vec![Problem::new(None, "campaign", "must be a table of keys and values")]);
        };
        let mut problems = Vec::new();
        let draft = campaign(table, &mut problems);
        if problems.is_empty() { Ok(draft) } else { Err(problems) }
    }
}

/// Parses the text of a campaign file, before its keys are looked at.
fn parse_value(file: &str, text: &str) -> Result<Value, FileError> {
    let text = text.trim_start_matches('\u{feff}');
    let syntax = |line, message: String| FileError::Syntax { file: file.to_owned(), line, message };
    if file.to_lowercase().ends_with(".json") || text.trim_start().starts_with('{') {
        if has_private_key(text.as_bytes()) {
            return Err(syntax(1, "invalid JSON: it has a key that no campaign has, or too many levels".to_owned()));
        }
        return serde_json::from_str(text).map_err(|error| syntax(error.line(), format!("invalid JSON: {error}")));
    }
    let table = parse_toml(text).map_err(|error| syntax(error.line, error.message))?;
    Ok(to_json(toml::Value::Table(table)))
}

/// Fails if a file is a campaign file, which was given where its recipients were meant.
pub fn refuse_campaign_file(path: &Path) -> Result<(), FileError> {
    let ends_in = |ending: &str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(ending));
    if !ends_in("toml") && !ends_in("json") {
        return Ok(());
    }
    // An unreadable file is for the reader of recipients to report.
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
    let is_campaign = match ends_in("json") {
        true if has_private_key(text.as_bytes()) => false,
        true => serde_json::from_str::<Map<String, Value>>(&text)
            .is_ok_and(|table| table.keys().any(|key| is_of_campaign(key))),
        false => text.parse::<toml::Table>().is_ok_and(|table| table.keys().any(|key| is_of_campaign(key))),
    };
    if is_campaign { Err(FileError::Campaign { path: path.to_owned() }) } else { Ok(()) }
}

/// Whether a key is of a campaign file, and of no other file of Volley.
fn is_of_campaign(key: &str) -> bool {
    ["audience", "numbers", "step"].contains(&key)
}

fn campaign(table: Map<String, Value>, problems: &mut Vec<Problem>) -> Draft {
    let mut table = Table::new(None, "", table, problems);
    let draft = Draft {
        name: name(&mut table),
        audience: table.texts("audience", Most::AUDIENCES),
        numbers: table.texts("numbers", Most::NUMBERS),
        exclude: table.texts("exclude", Most::EXCLUDED),
        selection: selection(&mut table),
        country: table.parsed("country"),
        allow_countries: countries_named(&mut table, "allow_countries"),
        ttl: table.positive("ttl"),
        at: table.filled_text("at"),
        when: table.parsed("when"),
        end: table.filled_text("end"),
        time_zone: time_zone(&mut table),
        over: table.positive("over"),
        hours: hours(&mut table),
        on_missed: table.parsed("on_missed"),
        on_missing_value: table.parsed("on_missing_value"),
        wanted: Wanted::read(&mut table),
        pause_when: table.parsed("pause_when"),
        hold_paid_when: table.parsed("hold_paid_when"),
        on_overlap: table.parsed("on_overlap").unwrap_or(OnOverlap::Warn),
        on_unknown: table.parsed("on_unknown").unwrap_or(OnUnknown::Keep),
        after_gap: table.parsed("after_gap").unwrap_or(AfterGap::Ask),
        values: values::read(&mut table),
        purpose: table.parsed("purpose"),
        route: route(&mut table),
        folder: None,
    };
    if draft.audience.is_empty() && draft.numbers.is_empty() {
        table.missing(
            &["audience", "numbers"],
            "a campaign needs recipients; add audience = \"recipients.csv\" or numbers = [\"+65…\"]",
        );
    }
    table.finish_beside_steps("[[step]]", CAMPAIGN_NOT_BUILT);
    draft
}

fn selection(table: &mut Table<'_>) -> Option<Selection> {
    let text = table.filled_text("where")?;
    Selection::parse(&text).map_err(|error| table.wrong("where", error)).ok()
}

fn name(table: &mut Table<'_>) -> Option<String> {
    let name = table.filled_text("name")?;
    if let Err(problem) = object_name(&name) {
        table.wrong("name", problem);
    }
    Some(name)
}

/// Reads a route's name, the campaign's own steps, or neither, which means the default route.
fn route(table: &mut Table<'_>) -> DraftRoute {
    let (name, sub_account) = (table.filled_text("route"), table.filled_text("sub_account"));
    let has_steps = table.has("step");
    if name.is_some() && has_steps {
        table.wrong("route", "a campaign names a route or has its own steps; keep one of them");
    }
    if sub_account.is_some() && (name.is_some() || has_steps) {
        table.wrong(
            "sub_account",
            "chooses a default route, but the campaign has its own steps or names a route; \
                                    remove it",
        );
    }
    match name {
        _ if has_steps => DraftRoute::Own(steps(table)),
        Some(name) => DraftRoute::Named(name),
        None => {
            // Takes the key, so that hints about a misspelled key can name it.
            table.take("step");
            DraftRoute::Default { sub_account }
        }
    }
}

fn time_zone(table: &mut Table<'_>) -> Option<TimeZone> {
    let text = table.filled_text("time_zone")?;
    if text.eq_ignore_ascii_case("recipient") {
        return Some(TimeZone::Recipients);
    }
    if let Ok(zone) = text.parse() {
        return Some(TimeZone::Of(zone));
    }
    let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    match nearest(&text, known) {
        Some(right) => table.wrong("time_zone", format_args!("unknown time zone \"{text}\"; did you mean {right}?")),
        None => {
            table.wrong("time_zone", format_args!("unknown time zone \"{text}\"; write one such as Asia/Singapore"));
        }
    }
    None
}

fn hours(table: &mut Table<'_>) -> Hours {
    let quiet = stretches(table, "quiet_hours").unwrap_or_default();
    let windows = stretches(table, "send_window").unwrap_or_default();
    Hours { quiet, windows, holidays: holidays(table), ..Hours::default() }
}

pub(super) fn holidays(table: &mut Table<'_>) -> BTreeSet<NaiveDate> {
    let mut holidays = BTreeSet::new();
    for day in table.texts("holidays", Most::HOLIDAYS) {
        match day.parse::<NaiveDate>() {
            Ok(day) => holidays.extend([day]),
            Err(_) => match no_such_day(&day) {
                Some(missing) => table.wrong("holidays", format_args!("{missing}; write another day")),
                None => table.wrong("holidays", format_args!("\"{day}\" is not a date; write it as 2026-12-25")),
            },
        }
    }
    holidays
}
