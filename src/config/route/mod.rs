//! `[[route]]`: steps that campaigns share, and what campaigns and routes have in common as they are written.
//!
//! A route's steps take exactly the keys of a campaign's. What is wrong with them is said as it is said of a campaign:
//! all of it, each with its step and key. Whether their lanes are there and their channels can do what they say is looked
//! at by whoever makes a plan of them.

mod content;
mod problem;
mod step;
mod table;

use serde_json::{Map, Value};

pub use problem::Problem;
pub(super) use step::no_country;
pub use step::{DraftStep, Wanted, countries_named, steps};
pub use table::{NotBuilt, Table};

use super::Lane;
use super::error::Error;
use super::keys::hint;
use super::layers::{Source, is_plain};
use super::read::Setting;
use crate::domain::{Content, Countries, Span, StepIndex};

/// Steps under a name. A campaign takes them by it, or because it says nothing and they are its subaccount's default.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: String,
    /// Whose lanes it uses; nothing where neither the route nor the provider says one, and then any will do.
    pub sub_account: Option<String>,
    pub is_default: bool,
    pub steps: Vec<DraftStep>,
}

/// What the file says about routes.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) source: Source,
    pub(super) tables: toml::Value,
}

/// Reads all routes, or says everything that is wrong with them.
pub(super) fn read(
    written: Option<&Written>,
    sub_account: Option<&str>,
    lanes: &[Lane],
    settings: &mut Vec<Setting>,
) -> Result<Vec<Route>, Error> {
    let Some(Written { source, tables }) = written else { return Ok(Vec::new()) };
    let shape =
        || Error::Shape { place: source.clone(), name: "route".to_owned(), wanted: "a repeated section, [[route]]" };
    let Value::Array(tables) = to_json(tables.clone()) else { return Err(shape()) };
    let (mut routes, mut problems) = (Vec::<Route>::new(), Vec::new());
    for (place, keys) in tables.into_iter().enumerate() {
        let Value::Object(keys) = keys else { return Err(shape()) };
        let mut found = Vec::new();
        let route = route(keys, sub_account, lanes, &mut found);
        let name = if is_plain(&route.name) { route.name.clone() } else { format!("number {}", place + 1) };
        clashes(&route, &routes, &mut found);
        problems.extend(found.into_iter().map(|problem| problem.in_route(&name)));
        routes.push(route);
    }
    if !problems.is_empty() {
        return Err(Error::Routes { place: source.clone(), problems });
    }
    for route in &routes {
        note(route, source, settings);
    }
    Ok(routes)
}

fn route(keys: Map<String, Value>, sub_account: Option<&str>, lanes: &[Lane], problems: &mut Vec<Problem>) -> Route {
    let mut table = Table::new(None, "", keys, problems);
    let name = table.text("name").unwrap_or_default();
    if !is_plain(&name) {
        table.wrong("name", "give it a name of letters, digits, - and _, such as \"promo\"");
    }
    let said = table.said("sub_account");
    let known: Vec<&str> = lanes.iter().map(|lane| lane.provider.sub_account.as_str()).collect();
    if let Some(said) = said.as_deref().filter(|said| !known.contains(said)) {
        table.wrong("sub_account", format_args!("no lane sends for {said}; {}", one_of(said, &known)));
    }
    let is_default = table.truth("default").unwrap_or(false);
    let sub_account = said.or_else(|| sub_account.map(str::to_owned));
    if is_default && sub_account.is_none() {
        table.wrong("default", "of which subaccount? add sub_account = \"…\" here or under [provider]");
    }
    let steps = steps(&mut table);
    table.finish(&[]);
    Route { name, sub_account, is_default, steps }
}

fn one_of(said: &str, known: &[&str]) -> String {
    if known.is_empty() { "add a [[lane]]".to_owned() } else { hint(said, known.iter().copied()) }
}

/// A name stands for one route, and a subaccount has one default.
fn clashes(route: &Route, before: &[Route], problems: &mut Vec<Problem>) {
    if before.iter().any(|other| other.name == route.name) {
        problems.push(Problem::new(None, "name", "there are two routes of this name; rename one"));
    }
    let rival = before.iter().find(|other| other.is_default && other.sub_account == route.sub_account);
    if let Some(rival) = rival.filter(|_| route.is_default) {
        let whose = route.sub_account.as_deref().unwrap_or_default();
        let sentence = format!("{} is the default of {whose} already; keep one of them", rival.name);
        problems.push(Problem::new(None, "default", sentence));
    }
}

/// Lines of `config show`, as they would stand in the file.
fn note(route: &Route, source: &Source, settings: &mut Vec<Setting>) {
    let section = format!("route {}", route.name);
    let mut say = |section: &str, key: &'static str, value: Option<String>| {
        let source = if value.is_some() { source.clone() } else { Source::Default };
        settings.push(Setting { section: section.to_owned(), key, value, source });
    };
    say(&section, "sub_account", route.sub_account.clone());
    say(&section, "default", Some(route.is_default.to_string()));
    for (index, step) in StepIndex::all().zip(&route.steps) {
        let section = format!("{section}, step {index}");
        say(&section, "channel", Some(step.channel.to_string()));
        let codes = step.countries.named().map(|country| country.to_string()).collect::<Vec<_>>().join(", ");
        let (only, skip_when) = match &step.countries {
            Countries::Everywhere => (None, None),
            Countries::Only(_) => (Some(codes), None),
            Countries::AllBut(_) => (None, Some(codes)),
        };
        let span = |span: Option<Span>| span.map(|span| span.to_string());
        let (text, template) = match &step.content {
            Content::Text { text, .. } => (Some(text.clone()), None),
            Content::Template(template) => (None, Some(template.name.clone())),
        };
        for (key, value) in [
            ("lanes", (!step.lanes.is_empty()).then(|| step.lanes.join(", "))),
            ("only", only),
            ("skip_when", skip_when),
            ("fallback_after", span(step.fallback_after)),
            ("success_status", step.success_status.map(|status| status.to_string())),
            ("ttl", span(step.ttl)),
            ("leave_within", span(step.leave_within)),
            ("receipt_window", span(step.receipt_window)),
            ("text", text),
            ("template", template),
        ] {
            // What a step leaves open is a long list that says nothing.
            if value.is_some() {
                say(&section, key, value);
            }
        }
    }
}

/// TOML's values as JSON's; an instant is the text that it is written as.
pub fn to_json(value: toml::Value) -> Value {
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
