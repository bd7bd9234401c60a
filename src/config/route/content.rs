//! The content of a step, as it is written in a campaign file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::step::unknown_country;
use super::table::{NotBuilt, Table};
use crate::domain::{
    Button, ButtonAction, Category, Channel, Content, Country, FlowAction, Header, RawContent, SmsEncoding, Sources,
    TemplateContent, ZaloTemplate,
};

const TEMPLATE_NOT_BUILT: &[NotBuilt] =
    &[("carousel", "remove it"), ("footer", "remove it; a footer has no variables")];
const BUTTON_NOT_BUILT: &[NotBuilt] = &[("voice_call", "remove it")];

/// Reads the content of a step: exactly one of a template, a text and the provider's own JSON.
pub(super) fn read(step: &mut Table<'_>, channel: Option<Channel>) -> Option<Content> {
    let given: Vec<&str> = ["text", "template", "raw"].into_iter().filter(|key| step.has(key)).collect();
    let text = step.text("text");
    let source = sources(step);
    let encoding: Option<SmsEncoding> = step.parsed("encoding");
    let template = step.table("template").and_then(|keys| {
        let table = step.inner("template, ", keys);
        match channel {
            Some(Channel::ZaloNotification) => zalo_template(table).map(Content::ZaloTemplate),
            Some(_) | None => template(table).map(Content::Template),
        }
    });
    let raw = step.table("raw").and_then(|keys| raw(step.inner("raw, ", keys)));
    match given[..] {
        ["text"] => return text.map(|text| Content::Text { text, source, encoding }),
        [] => step.missing(
            &["text", "template", "raw"],
            "a step needs content; add text = \"…\", [step.template] or [step.raw]",
        ),
        [key] => {
            for (sms, is_given) in [("source", !source.is_empty()), ("encoding", encoding.is_some())] {
                if is_given {
                    step.wrong(sms, format_args!("belongs to an SMS, not to a step with {key}; remove it"));
                }
            }
            return template.or(raw.map(Content::Raw));
        }
        [first, second, ..] => {
            let sentence = format!("a step has one content, and {first} is one as well; remove one of them");
            step.wrong(second, sentence);
        }
    }
    None
}

/// The provider's own `type` and `content`.
fn raw(mut table: Table<'_>) -> Option<RawContent> {
    let kind = required(&mut table, &["type"], "the `type` of the provider's request, such as \"interactive\"");
    if !table.has("content") {
        table.missing(&["content"], "is missing; write the `content` of the provider's request");
    }
    let content = table.table("content");
    table.finish(&[]);
    Some(RawContent { kind: kind?, content: content? })
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
    let (name, language) = name_and_language(&mut table);
    let code = table.filled_text("otp");
    let category = match (table.has("category"), &code) {
        (true, _) => table.parsed("category"),
        (false, Some(_)) => Some(Category::Authentication),
        (false, None) => {
            table.missing(&["category"], "is missing; write AUTHENTICATION, UTILITY or MARKETING, as at the provider");
            None
        }
    };
    let ttl = table.parsed("ttl");
    let mut body = table.texts("body");
    let header = table.table("header").map(|keys| header(table.inner("template, header ", keys)));
    let mut buttons = Vec::new();
    for keys in table.tables("buttons").unwrap_or_default() {
        buttons.push(button(table.inner("template, buttons ", keys)));
    }
    if let Some(code) = code {
        if category.is_some_and(|category| category != Category::Authentication) {
            table.wrong("otp", "belongs to a template of AUTHENTICATION; write its code into body, or change category");
        }
        if !body.is_empty() || !buttons.is_empty() {
            table.wrong("otp", "fills body and buttons with the code; remove those");
        }
        body = vec![code.clone()];
        buttons = vec![Some(Button { index: 0, action: ButtonAction::Url(code) })];
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

/// A template of Zalo has no category: every one is a notification.
fn zalo_template(mut table: Table<'_>) -> Option<ZaloTemplate> {
    let (name, language) = name_and_language(&mut table);
    let mut params = BTreeMap::new();
    for (key, value) in table.table("params").unwrap_or_default() {
        match value {
            Value::String(text) => drop(params.insert(key, text)),
            _ => table.wrong("params", format_args!("{key}: must be a text in quotes")),
        }
    }
    for (key, why) in [
        ("body", "ZaloNotification templates have named parameters; write params = { name = \"{{Column}}\" }"),
        ("category", "ZaloNotification templates have none; remove it"),
    ] {
        if table.take(key).is_some() {
            table.wrong(key, why);
        }
    }
    table.finish(&[]);
    Some(ZaloTemplate { name: name?, language: language?, params })
}

fn name_and_language(table: &mut Table<'_>) -> (Option<String>, Option<String>) {
    let name = required(table, &["name"], "the template's name at the provider");
    (name, required(table, &["language"], "the template's language, such as en or en_US"))
}

fn required(table: &mut Table<'_>, key: &'static [&'static str; 1], what: &str) -> Option<String> {
    let [name] = key;
    if !table.has(name) {
        table.missing(key, format_args!("is missing; write {what}"));
    }
    table.filled_text(name)
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
    let mut part = |key: &'static [&'static str; 1]| {
        let [name] = key;
        if !table.has(name) {
            table.missing(key, "is missing; a location has latitude, longitude, name and address");
        }
        table.text_or_number(name)
    };
    let (latitude, longitude, name, address) =
        (part(&["latitude"]), part(&["longitude"]), part(&["name"]), part(&["address"]));
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
    ] {
        found.extend(table.text(key).map(make));
    }
    if table.has("flow") && !table.is_table("flow") {
        table.take("flow");
        table.wrong(
            "flow",
            "the provider takes no token with a template; write flow = {}, or flow = { screen = \"…\", data = {…} }",
        );
    } else if let Some(keys) = table.table("flow") {
        found.push(ButtonAction::Flow(flow(table.inner("template, buttons flow ", keys))));
    }
    let action = one_of(&mut table, found, "a button is one of url, payload, copy_code or flow");
    table.finish(BUTTON_NOT_BUILT);
    Some(Button { index: index?, action: action? })
}

fn flow(mut table: Table<'_>) -> FlowAction {
    let (screen, data) = (table.filled_text("screen"), table.table("data").unwrap_or_default());
    table.finish(&[]);
    FlowAction { screen, data }
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
