//! The campaign file, in TOML or JSON, and the same JSON over the API: what a person wants, before anything is checked
//! against lanes, columns or the time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::content;
use super::error::{FileError, Problem};
use super::table::{NotBuilt, Table};
use crate::config::nearest;
use crate::domain::{
    AfterGap, Channel, Content, Countries, Country, OnOverlap, OnTierSpent, OnUnknown, Span, Status, StepIndex,
};

/// A campaign as it is written. Everything optional is still open.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub name: Option<String>,
    /// Files, or names of imported audiences.
    pub audience: Vec<String>,
    /// Numbers written into the file itself.
    pub numbers: Vec<String>,
    pub exclude: Vec<String>,
    /// For national numbers.
    pub country: Option<Country>,
    pub ttl: Option<Span>,
    /// As written; [`super::schedule`] reads them.
    pub at: Option<String>,
    pub end: Option<String>,
    pub time_zone: Option<Tz>,
    pub on_overlap: OnOverlap,
    pub on_unknown: OnUnknown,
    pub after_gap: AfterGap,
    pub steps: Vec<DraftStep>,
    /// Where the file lies: what the paths in `audience` and `exclude` are relative to.
    pub folder: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DraftStep {
    pub channel: Channel,
    pub lane: Option<String>,
    pub fallback_after: Option<Span>,
    pub success_status: Option<Status>,
    pub receipt_window: Option<Span>,
    pub ttl: Option<Span>,
    pub leave_within: Option<Span>,
    pub on_tier_spent: OnTierSpent,
    pub countries: Countries,
    pub content: Content,
}

const REMOVE: &str = "remove it";

/// Designed, not built, and therefore refused: a key that is ignored is a wish that nobody hears.
const CAMPAIGN_NOT_BUILT: &[NotBuilt] = &[
    ("quiet_hours", REMOVE),
    ("send_window", REMOVE),
    ("over", REMOVE),
    ("budget", REMOVE),
    ("max_messages", REMOVE),
    ("on_missed", REMOVE),
    ("allow_countries", REMOVE),
    ("countries", REMOVE),
    ("holidays", REMOVE),
    ("stop", REMOVE),
    ("stop_rules", REMOVE),
    ("stop_when", REMOVE),
    ("repeat", REMOVE),
    ("mapping", "remove it, and let each variable name its column"),
];

const STEP_NOT_BUILT: &[NotBuilt] =
    &[("lanes", "name one `lane`"), ("countries", "write `only` or `skip_when`"), ("quiet_hours", REMOVE)];

impl Draft {
    /// Reads a campaign file.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        let file =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let mut draft = Self::parse(&file, &text)?;
        draft.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(draft)
    }

    /// Reads a text: JSON where its name ends so or where it opens with a brace, TOML otherwise. `file` names it in
    /// what is said about it.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let text = text.trim_start_matches('\u{feff}');
        let syntax =
            |line, message: &str| FileError::Syntax { file: file.to_owned(), line, message: message.to_owned() };
        let json = file.to_lowercase().ends_with(".json") || text.trim_start().starts_with('{');
        let value = if json {
            serde_json::from_str(text).map_err(|error| syntax(error.line(), &error.to_string()))?
        } else {
            let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
                let start = error.span().map_or(0, |span| span.start);
                let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
                syntax(line, error.message())
            })?;
            to_json(toml::Value::Table(table))
        };
        Self::from_json(value).map_err(|problems| FileError::Problems { file: file.to_owned(), problems })
    }

    /// Reads what the API is given, or says everything that is wrong with it.
    pub fn from_json(value: Value) -> Result<Self, Vec<Problem>> {
        let Value::Object(table) = value else {
            return Err(vec![Problem::new(None, "campaign", "must be a table of keys and values")]);
        };
        let mut problems = Vec::new();
        let draft = campaign(table, &mut problems);
        if problems.is_empty() { Ok(draft) } else { Err(problems) }
    }
}

fn campaign(table: Map<String, Value>, problems: &mut Vec<Problem>) -> Draft {
    let mut table = Table::new(None, "", table, problems);
    let draft = Draft {
        name: name(&mut table),
        audience: table.texts("audience"),
        numbers: table.texts("numbers"),
        exclude: table.texts("exclude"),
        country: table.parsed("country"),
        ttl: positive(&mut table, "ttl"),
        at: table.said("at"),
        end: table.said("end"),
        time_zone: time_zone(&mut table),
        on_overlap: table.parsed("on_overlap").unwrap_or(OnOverlap::Warn),
        on_unknown: table.parsed("on_unknown").unwrap_or(OnUnknown::Keep),
        after_gap: after_gap(&mut table),
        steps: steps(&mut table),
        folder: PathBuf::new(),
    };
    if draft.audience.is_empty() && draft.numbers.is_empty() {
        table.wrong("audience", "a campaign needs people; add audience = \"recipients.csv\" or numbers = [\"+65…\"]");
    }
    table.finish(CAMPAIGN_NOT_BUILT);
    draft
}

fn name(table: &mut Table<'_>) -> Option<String> {
    let name = table.said("name")?;
    if name.chars().count() > 200 || name.chars().any(char::is_control) {
        table.wrong("name", "a name is one line of at most 200 characters; shorten it");
    }
    Some(name)
}

fn positive(table: &mut Table<'_>, key: &'static str) -> Option<Span> {
    let span: Span = table.parsed(key)?;
    if span < Span::from_secs(1) {
        table.wrong(key, format_args!("{span} is less than a second; write 1s or more, or remove it"));
        return None;
    }
    Some(span)
}

fn time_zone(table: &mut Table<'_>) -> Option<Tz> {
    let text = table.said("time_zone")?;
    if text == "recipient" {
        table.not_built("time_zone", "each recipient's own time", "write one zone, such as Asia/Singapore");
        return None;
    }
    if let Ok(zone) = Tz::from_str_insensitive(&text) {
        return Some(zone);
    }
    let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    match nearest(&text, known) {
        Some(right) => table.wrong("time_zone", format_args!("\"{text}\" is no time zone; did you mean {right}?")),
        None => table.wrong("time_zone", format_args!("\"{text}\" is no time zone; write one such as Asia/Singapore")),
    }
    None
}

/// Asking the provider is the designed default; until it is built, waiting is the one that sends nothing needlessly.
fn after_gap(table: &mut Table<'_>) -> AfterGap {
    match table.parsed("after_gap") {
        Some(AfterGap::Ask) => {
            table.not_built("after_gap", "asking the provider", "write \"wait\" or \"fall_back\"");
            AfterGap::Wait
        }
        Some(said @ (AfterGap::Wait | AfterGap::FallBack)) => said,
        None => AfterGap::Wait,
    }
}

fn steps(table: &mut Table<'_>) -> Vec<DraftStep> {
    let mut found = Vec::new();
    let tables = table.tables("step");
    if tables.len() > usize::from(StepIndex::COUNT_MAX) {
        let sentence =
            format!("{} steps are more than the {} allowed; remove some", tables.len(), StepIndex::COUNT_MAX);
        table.wrong("step", sentence);
    } else if tables.is_empty() {
        table.wrong("step", "a campaign needs a step; add [[step]] with a channel and what to say");
    }
    for (index, keys) in StepIndex::all().zip(tables) {
        found.extend(step(table.step(index, keys)));
    }
    found
}

fn step(mut table: Table<'_>) -> Option<DraftStep> {
    if !table.has("channel") {
        table.wrong("channel", "is missing; write WhatsApp, Viber, SMS or another");
    }
    let channel: Option<Channel> = table.parsed("channel");
    let lane = table.said("lane");
    let fallback_after = positive(&mut table, "fallback_after");
    let success_status = table.parsed("success_status");
    let receipt_window = positive(&mut table, "receipt_window");
    let ttl = positive(&mut table, "ttl");
    let leave_within = positive(&mut table, "leave_within");
    let on_tier_spent = table.parsed("on_tier_spent").unwrap_or(OnTierSpent::Wait);
    if on_tier_spent == OnTierSpent::FallBack {
        table.not_built(
            "on_tier_spent",
            "falling back for a spent tier",
            "remove it, or bound the wait with `leave_within`",
        );
    }
    let countries = countries(&mut table);
    let content = content::read(&mut table);
    table.finish(STEP_NOT_BUILT);
    Some(DraftStep {
        channel: channel?,
        lane,
        fallback_after,
        success_status,
        receipt_window,
        ttl,
        leave_within,
        on_tier_spent,
        countries,
        content: content?,
    })
}

/// For whom a step is: those that `only` names, or all but those that `skip_when` names. An empty column is no reason of
/// its own to leave a step out: a text that cannot be written for somebody gives way to the next step anyway.
fn countries(table: &mut Table<'_>) -> Countries {
    let (only, skipped) = (named(table, "only"), named(table, "skip_when"));
    match (only, skipped) {
        (Some(_), Some(_)) => {
            table.wrong("skip_when", "`only` says already for whom the step is; keep one of them");
            Countries::Everywhere
        }
        (Some(only), None) => Countries::Only(only),
        (None, Some(skipped)) => Countries::AllBut(skipped),
        (None, None) => Countries::Everywhere,
    }
}

/// Countries by their codes, where the key is there.
fn named(table: &mut Table<'_>, key: &'static str) -> Option<BTreeSet<Country>> {
    if !table.has(key) {
        return None;
    }
    let codes = table.texts(key);
    if codes.is_empty() {
        table.wrong(key, "names no country; write some, such as [\"SG\", \"MY\"], or remove it");
    }
    let mut countries = BTreeSet::new();
    for code in codes {
        match code.parse::<Country>().ok().filter(|country| country.is_known()) {
            Some(country) => countries.extend([country]),
            None => table.wrong(key, no_country(&code)),
        }
    }
    Some(countries)
}

fn no_country(code: &str) -> String {
    // A slip of the hand mostly leaves the first letter right.
    let first = code.trim().chars().next().map(|first| first.to_ascii_uppercase());
    let alike = Country::known().filter(|known| known.chars().next() == first);
    let right = match code.trim().to_ascii_uppercase().as_str() {
        "UK" => Some("GB"),
        code => nearest(code, alike).or_else(|| nearest(code, Country::known())),
    };
    match right {
        Some(right) => format!("\"{code}\" is no country; did you mean {right}?"),
        None => format!("\"{code}\" is no country; write its two letters, such as SG or MY"),
    }
}

/// TOML's values as JSON's; an instant is the text that it is written as.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(values) => values.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, to_json(value))).collect(),
    }
}
