//! `[[route]]`: steps that campaigns share, and the reader for steps of routes and campaigns.
//!
//! A route's steps have exactly the keys of a campaign's. Their problems are reported in the same way: all of them, each
//! with its step and key. The planner checks later whether their lanes exist and their channels support what they ask.

mod bounds;
mod content;
mod problem;
mod step;
mod table;

use serde_json::{Map, Value};

pub use bounds::{Most, text_problem};
pub use problem::Problem;
pub(super) use step::STEP_KEYS;
pub(super) use step::unknown_country;
pub use step::{DraftStep, Wanted, countries_named, steps, stretches};
pub use table::{NotBuilt, Table};

use super::Lane;
use super::error::Error;
use super::layers::{Source, is_plain};
use super::read::Setting;
use crate::base::domain::{Content, Countries, Span, StepIndex, hint};

/// Named steps. A campaign uses them by name, or as the default of its subaccount if it has no steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: String,
    /// The subaccount whose lanes it uses. `None` means any, if neither the route nor the provider names one.
    pub sub_account: Option<String>,
    pub is_default: bool,
    pub steps: Vec<DraftStep>,
}

/// The routes as they are written in the file.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) source: Source,
    pub(super) tables: toml::Value,
}

/// Reads all routes, or returns all problems with them.
pub(super) fn read(
    written: Option<&Written>,
    sub_account: Option<&str>,
    lanes: &[Lane],
    settings: &mut Vec<Setting>,
) -> Result<Vec<Route>, Error> {
    let Some(Written { source, tables }) = written else { return Ok(Vec::new()) };
    let shape = || Error::Shape {
        place: source.clone(),
        name: "route".to_owned(),
        wanted: "a repeated section with double brackets, [[route]]",
    };
    let Value::Array(tables) = to_json(tables.clone()) else { return Err(shape()) };
    let (mut routes, mut problems) = (Vec::<Route>::new(), Vec::new());
    for (index, keys) in tables.into_iter().enumerate() {
        let Value::Object(keys) = keys else { return Err(shape()) };
        let mut found = Vec::new();
        let route = route(keys, sub_account, lanes, &mut found);
        let name = if is_plain(&route.name) { route.name.clone() } else { format!("number {}", index + 1) };
        check_unique(&route, &routes, &mut found);
        problems.extend(found.into_iter().map(|problem| problem.in_route(&name)));
        routes.push(route);
    }
    if !problems.is_empty() {
        return Err(Error::Routes { place: source.clone(), problems });
    }
    for route in &routes {
        record(route, source, settings);
    }
    Ok(routes)
}

fn route(keys: Map<String, Value>, sub_account: Option<&str>, lanes: &[Lane], problems: &mut Vec<Problem>) -> Route {
    const NAME: &str = "give it a name of letters, digits, - and _, such as \"promo\"";
    let mut table = Table::new(None, "", keys, problems);
    let is_named = table.has("name");
    let name = table.text("name").unwrap_or_default();
    if !is_named {
        table.missing(&["name"], NAME);
    } else if !is_plain(&name) {
        table.wrong("name", NAME);
    }
    let named = table.filled_text("sub_account");
    let known: Vec<&str> = lanes.iter().map(|lane| lane.provider.sub_account.as_str()).collect();
    if let Some(named) = named.as_deref().filter(|named| !known.contains(named)) {
        table.wrong("sub_account", format_args!("no lane uses the subaccount {named}; {}", one_of(named, &known)));
    }
    let is_default = table.truth("default").unwrap_or(false);
    let sub_account = named.or_else(|| sub_account.map(str::to_owned));
    if is_default && sub_account.is_none() {
        table.wrong("default", "a default route needs a subaccount; add sub_account = \"…\" here or under [provider]");
    }
    let steps = steps(&mut table);
    table.finish_beside_steps("[[route.step]]", &[]);
    Route { name, sub_account, is_default, steps }
}

fn one_of(name: &str, known: &[&str]) -> String {
    if known.is_empty() { "add a [[lane]]".to_owned() } else { hint(name, known.iter().copied()) }
}

/// Reports a name that another route has, and a second default of a subaccount.
fn check_unique(route: &Route, before: &[Route], problems: &mut Vec<Problem>) {
    if before.iter().any(|other| other.name == route.name) {
        problems.push(Problem::new(None, "name", "another route has this name; rename one"));
    }
    let rival = before.iter().find(|other| other.is_default && other.sub_account == route.sub_account);
    if let Some(rival) = rival.filter(|_| route.is_default) {
        let whose = route.sub_account.as_deref().unwrap_or_default();
        let sentence = format!("{} is already the default of {whose}; keep one of them", rival.name);
        problems.push(Problem::new(None, "default", sentence));
    }
}

/// Records the lines of `config show`, as they would be written in the file.
fn record(route: &Route, source: &Source, settings: &mut Vec<Setting>) {
    let section = format!("route {}", route.name);
    let mut add = |section: &str, key: &'static str, value: Option<String>| {
        let source = if value.is_some() { source.clone() } else { Source::Default };
        let section = section.to_owned();
        settings.push(Setting { section, key, value, secret: None, is_secret: false, source, line: None });
    };
    add(&section, "sub_account", route.sub_account.clone());
    add(&section, "default", Some(route.is_default.to_string()));
    for (index, step) in StepIndex::all().zip(&route.steps) {
        let section = format!("{section}, step {index}");
        add(&section, "channel", Some(step.channel.to_string()));
        let codes = step.countries.named().map(|country| country.to_string()).collect::<Vec<_>>().join(", ");
        let (only, skip_when) = match &step.countries {
            Countries::Everywhere => (None, None),
            Countries::Only(_) => (Some(codes), None),
            Countries::AllBut(_) => (None, Some(codes)),
        };
        let span = |span: Option<Span>| span.map(|span| span.to_string());
        let template = step.content.template().map(|template| template.name.to_owned());
        let text = match &step.content {
            Content::Text { text, .. } => Some(text.clone()),
            Content::Rich(message) => message.text.clone(),
            _ => None,
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
            // Keys that a step does not set would be a long list without information.
            if value.is_some() {
                add(&section, key, value);
            }
        }
    }
}

/// Converts TOML values to JSON; a time becomes the text that it is written as.
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
