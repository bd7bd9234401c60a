//! The content of a step, as it is written in a campaign file.

use serde_json::Value;

use super::step::unknown_country;
use super::table::{NotBuilt, Table};
use crate::domain::{Button, ButtonAction, Content, Country, Header, SmsEncoding, Sources, TemplateContent};

const TEMPLATE_NOT_BUILT: &[NotBuilt] =
    &[("carousel", "remove it"), ("footer", "remove it; a footer has no variables")];
const BUTTON_NOT_BUILT: &[NotBuilt] = &[("voice_call", "remove it")];

/// Reads the template or the text of a step: exactly one of them.
pub(super) fn read(step: &mut Table<'_>) -> Option<Content> {
    let text = step.text("text");
    let source = sources(step);
    let encoding: Option<SmsEncoding> = step.parsed("encoding");
    let has_template = step.has("template");
    let template = step.table("template").and_then(|keys| template(step.inner("template, ", keys)));
    match (template, text) {
        (Some(_), Some(_)) => {
            step.wrong("template", "a step has a template or a text; remove one of them");
            None
        }
        (Some(template), None) => {
            for (key, given) in [("source", !source.is_empty()), ("encoding", encoding.is_some())] {
                if given {
                    step.wrong(key, "belongs to an SMS, not to a template; remove it");
                }
            }
            Some(Content::Template(template))
        }
        (None, Some(text)) if !has_template => Some(Content::Text { text, source, encoding }),
        (None, _) => {
            if !has_template {
                step.wrong("text", "a step needs content; add text = \"…\" or [step.template]");
            }
            None
        }
    }
}

/// `source = "ACME"`, or `source = { SG = "ACME", others = "68886" }`.
fn sources(step: &mut Table<'_>) -> Sources {
    if !step.is_table("source") {
        return Sources { others: step.filled_text("source"), ..Sources::default() };
    }
    let mut sources = Sources::default();
    for (key, value) in step.table("source").into_iter().flatten() {
        let Value::String(source) = value else {
            step.wrong("source", format_args!("{key}: must be a text in quotes"));
            continue;
        };
        match Country::by_code(&key) {
            _ if key == "others" => sources.others = Some(source),
            Some(country) => drop(sources.by_country.insert(country, source)),
            None => step.wrong("source", unknown_country(&key)),
        }
    }
    sources
}

fn template(mut table: Table<'_>) -> Option<TemplateContent> {
    let name = required(&mut table, "name", "the template's name at the provider");
    let language = required(&mut table, "language", "the template's language, such as en or en_US");
    let category = match table.has("category") {
        true => table.parsed("category"),
        false => {
            table.wrong("category", "is missing; write AUTHENTICATION, UTILITY or MARKETING, as at the provider");
            None
        }
    };
    let ttl = table.parsed("ttl");
    let body = table.texts("body");
    let header = table.table("header").map(|keys| header(table.inner("template, header ", keys)));
    let mut buttons = Vec::new();
    for keys in table.tables("buttons").unwrap_or_default() {
        buttons.push(button(table.inner("template, buttons ", keys)));
    }
    table.finish(TEMPLATE_NOT_BUILT);
    Some(TemplateContent {
        name: name?,
        language: language?,
        category: category?,
        ttl,
        // If one of these is missing, its problem is already reported.
        header: header.map_or(Some(None), |read| read.map(Some))?,
        body,
        buttons: buttons.into_iter().collect::<Option<_>>()?,
    })
}

fn required(table: &mut Table<'_>, key: &'static str, what: &str) -> Option<String> {
    if !table.has(key) {
        table.wrong(key, format_args!("is missing; write {what}"));
    }
    table.filled_text(key)
}

fn header(mut table: Table<'_>) -> Option<Header> {
    let mut found = Vec::new();
    for (key, make) in [
        ("text", Header::Text as fn(String) -> Header),
        ("image", Header::Image),
        ("video", Header::Video),
        ("document", Header::Document),
    ] {
        found.extend(table.text(key).map(make));
    }
    if let Some(keys) = table.table("location") {
        found.extend(location(table.inner("template, header location ", keys)));
    }
    let header = one_of(&mut table, found, "a header is one of text, image, video, document or location");
    table.finish(&[("gif", "use a video")]);
    header
}

fn location(mut table: Table<'_>) -> Option<Header> {
    let mut part = |key| {
        if !table.has(key) {
            table.wrong(key, "is missing; a location has latitude, longitude, name and address");
        }
        table.text_or_number(key)
    };
    let (latitude, longitude, name, address) = (part("latitude"), part("longitude"), part("name"), part("address"));
    table.finish(&[]);
    Some(Header::Location { latitude: latitude?, longitude: longitude?, name: name?, address: address? })
}

fn button(mut table: Table<'_>) -> Option<Button> {
    let index = match table.take("index") {
        Some(Value::Number(number)) => number.as_u64().and_then(|number| u8::try_from(number).ok()),
        Some(_) | None => None,
    };
    if index.is_none() {
        table.wrong("index", "must be a number from 0 to 9, as in the template");
    }
    let mut found = Vec::new();
    for (key, make) in [
        ("url", ButtonAction::Url as fn(String) -> ButtonAction),
        ("payload", ButtonAction::Payload),
        ("copy_code", ButtonAction::CopyCode),
        ("flow", ButtonAction::Flow),
    ] {
        found.extend(table.text(key).map(make));
    }
    let action = one_of(&mut table, found, "a button is one of url, payload, copy_code or flow");
    table.finish(BUTTON_NOT_BUILT);
    Some(Button { index: index?, action: action? })
}

/// The only one found. If none was found but the table has other keys, the error about the unknown key is enough.
fn one_of<T>(table: &mut Table<'_>, mut found: Vec<T>, rule: &str) -> Option<T> {
    match (found.len(), table.is_spent()) {
        (1, _) => found.pop(),
        (0, false) => None,
        _ => {
            table.wrong("", format_args!("{rule}; write exactly one"));
            None
        }
    }
}
