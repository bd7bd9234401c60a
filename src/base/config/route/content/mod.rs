//! The content of a step, as it is written in a campaign file.

mod cards;
mod interactive;
mod notification;
mod rich;
mod template;

use super::bounds::Most;
use super::step::unknown_country;
use super::table::Table;
use crate::base::domain::{
    CardWidth, Carousel, Channel, Content, Country, Location, MediaKind, RawContent, RichCard, RichMessage,
    SmsEncoding, Sources,
};

/// The keys of which a step has one, or those of one message: a text, a file and a button.
const KEYS: &[&str] = &[
    "text",
    "image",
    "video",
    "audio",
    "file",
    "button",
    "template",
    "location",
    "interactive",
    "card",
    "cards",
    "notification",
    "raw",
];

/// What a key belongs to. Keys of one message may stand beside each other, but a message has one file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Message,
    Alone(&'static str),
}

fn group_of(key: &'static str) -> Group {
    match key {
        "text" | "image" | "video" | "audio" | "file" | "button" => Group::Message,
        key => Group::Alone(key),
    }
}

/// The content of a step as it is written.
pub(super) struct Written {
    pub(super) content: Content,
    /// Whether it is a template without a category. Until the provider's own is known, MARKETING is in its place.
    pub(super) category_is_open: bool,
}

impl From<Content> for Written {
    fn from(content: Content) -> Self {
        Self { content, category_is_open: false }
    }
}

/// Reads the content of a step: one message, or exactly one of the other keys.
pub(super) fn read(step: &mut Table<'_>, channel: Option<Channel>) -> Option<Written> {
    let given: Vec<&'static str> = KEYS.iter().copied().filter(|key| step.has(key)).collect();
    let source = sources(step);
    let encoding: Option<SmsEncoding> = step.parsed("encoding");
    let is_plain_text = matches!(given[..], ["text"]) && !step.has("suggestions");
    check_sms_keys(step, &given, [("source", !source.is_empty()), ("encoding", encoding.is_some())]);
    let suggestions = step.read_each("suggestions", cards::suggestion);
    let message = rich::message(step, &given);
    let template = step.read_below("template", |table| match channel {
        Some(Channel::ZaloNotification) => template::of_zalo(table).map(|zalo| Content::ZaloTemplate(zalo).into()),
        Some(_) | None => template::read(table),
    });
    let location = step.read_below("location", location).map(Content::Location);
    let interactive = step.read_below("interactive", interactive::read).map(Content::Interactive);
    let card = step.read_below("card", cards::one);
    let cards = step.read_each("cards", cards::card).filter(|_| given.contains(&"cards"));
    let width: Option<CardWidth> = step.parsed("card_width");
    if width.is_some() && !given.contains(&"cards") {
        step.wrong("card_width", "belongs to cards; remove it");
    }
    let notification = step.read_below("notification", notification::read).map(Content::Notification);
    let raw = step.read_below("raw", raw).map(Content::Raw);
    let is_one = is_one_content(step, &given);
    // If suggestions or a part of the content are missing, their problem is already reported.
    let suggestions = suggestions?;
    let takes_suggestions =
        matches!(given.first().copied().map(group_of), Some(Group::Message | Group::Alone("card" | "cards")));
    if !suggestions.is_empty() && !takes_suggestions {
        step.wrong("suggestions", "belong to a text, a file or cards; remove them");
    }
    if !is_one {
        return None;
    }
    let content = match group_of(given.first().copied()?) {
        Group::Message if is_plain_text => Some(Content::Text { text: message?.text?, source, encoding }),
        Group::Message => Some(Content::Rich(RichMessage { suggestions, ..message? })),
        Group::Alone("template") => return template,
        Group::Alone("card") => card.map(|card| Content::Card(RichCard { suggestions, ..card })),
        Group::Alone("cards") => {
            let width = width.unwrap_or(CardWidth::Medium);
            cards.map(|cards| Content::Carousel(Carousel { cards, width, suggestions }))
        }
        Group::Alone(_) => location.or(interactive).or(notification).or(raw),
    };
    content.map(Written::from)
}

/// Reports keys of an SMS beside another content than a text.
fn check_sms_keys(step: &mut Table<'_>, given: &[&'static str], keys: [(&'static str, bool); 2]) {
    let other = given.iter().copied().find(|key| *key != "text");
    let suggested = (step.has("suggestions") && !given.is_empty()).then_some("suggestions");
    let Some(other) = other.or(suggested) else { return };
    for (key, _) in keys.into_iter().filter(|(_, is_given)| *is_given) {
        step.wrong(key, format_args!("belongs to an SMS, not to a step with {other}; remove it"));
    }
}

/// Reports a step without content or with several.
fn is_one_content(step: &mut Table<'_>, given: &[&'static str]) -> bool {
    let Some(first) = given.first().copied() else {
        step.missing(KEYS, "a step needs content; add text = \"…\", [step.template] or [step.raw]");
        return false;
    };
    let files: Vec<&str> = given.iter().copied().filter(|key| key.parse::<MediaKind>().is_ok()).collect();
    if let [first, second, ..] = files[..] {
        step.wrong(second, format_args!("a message has one file, and {first} is one as well; remove one of them"));
        return false;
    }
    if let Some(other) = given.iter().copied().find(|key| group_of(key) != group_of(first)) {
        step.wrong(other, format_args!("a step has one content, and {first} is one as well; remove one of them"));
        return false;
    }
    true
}

/// The provider's own `type` and `content`.
fn raw(mut table: Table<'_>) -> Option<RawContent> {
    let kind = required(&mut table, &["type"], "the `type` of the provider's request, such as \"interactive\"");
    if !table.has("content") {
        table.missing(&["content"], "is missing; write the `content` of the provider's request");
    }
    let content = table.object("content");
    table.finish(&[]);
    Some(RawContent { kind: kind?, content: content?, category: None })
}

/// `source = "ACME"`, or `source = { SG = "ACME", others = "68886" }`.
fn sources(step: &mut Table<'_>) -> Sources {
    if !step.is_table("source") {
        return Sources { others: step.filled_text("source"), ..Sources::default() };
    }
    let mut sources = Sources::default();
    for (key, source) in step.named_texts("source", Most::COUNTRIES) {
        match Country::by_code(&key) {
            _ if key == "others" => sources.others = Some(source),
            Some(country) => drop(sources.by_country.insert(country, source)),
            None => step.wrong("source", unknown_country(&key)),
        }
    }
    sources
}

/// A place on a map: of a step, or in the header of a template.
fn location(mut table: Table<'_>) -> Option<Location> {
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
    Some(Location { latitude: latitude?, longitude: longitude?, name: name?, address: address? })
}

/// Reads a text that must be there.
fn required(table: &mut Table<'_>, key: &'static [&'static str; 1], what: &str) -> Option<String> {
    let [name] = key;
    if !table.has(name) {
        table.missing(key, format_args!("is missing; write {what}"));
    }
    table.filled_text(name)
}

/// Reads a text that may be absent; `None` after a reported problem.
fn optional(table: &mut Table<'_>, key: &'static str) -> Option<Option<String>> {
    if table.has(key) { table.text(key).map(Some) } else { Some(None) }
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
