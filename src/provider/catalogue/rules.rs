//! The provider's documented rules of a template, for a request that creates one.
//!
//! Where the documents contradict each other, the reference of components decides: a button's text has 25 characters there, and
//! 20 in the schema of the request. A text between them gets a note.

use super::rules_buttons::buttons;
use crate::base::domain::text::plural;
use crate::base::domain::{Category, TEMPLATE_NAME_MAX, is_template_language, is_template_name};
use crate::rules::wire::{HeaderFormat, NewTemplate, PartKind, TemplatePart, placeholders};

/// A rule that a new template breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The key, as a path in the request: `components 2 (BODY), text`.
    pub place: String,
    /// What is wrong, and what to do.
    pub sentence: String,
}

const HEADER_MAX: usize = 60;
const BODY_MAX: usize = 1_024;
const FOOTER_MAX: usize = 60;
const CARDS_MAX: usize = 10;
const CARD_BODY_MAX: usize = 160;
/// The value of `message_send_ttl_seconds` that means 30 days.
const THIRTY_DAYS: i64 = -1;

/// What is found in a new template.
#[derive(Debug, Default)]
struct Findings {
    broken: Vec<BrokenRule>,
    notes: Vec<String>,
}

/// Collects findings under a place.
pub(super) struct Found<'a> {
    all: &'a mut Findings,
    place: String,
}

impl Found<'_> {
    pub(super) fn at(&mut self, place: impl std::fmt::Display) -> Found<'_> {
        let place = if self.place.is_empty() { place.to_string() } else { format!("{}, {place}", self.place) };
        Found { all: &mut *self.all, place }
    }

    fn place_of(&self, key: &str) -> String {
        match (self.place.as_str(), key) {
            (place, "") => place.to_owned(),
            ("", key) => key.to_owned(),
            (place, key) => format!("{place}, {key}"),
        }
    }

    pub(super) fn add(&mut self, key: &str, sentence: impl Into<String>) {
        let place = self.place_of(key);
        self.all.broken.push(BrokenRule { place, sentence: sentence.into() });
    }

    /// Notes what only some of the documents allow.
    pub(super) fn note(&mut self, key: &str, sentence: &str) {
        let place = self.place_of(key);
        self.all.notes.push(format!("{place}: {sentence}"));
    }

    /// Adds a rule about a text that is too long.
    pub(super) fn at_most(&mut self, key: &str, text: &str, most: usize) {
        let length = text.chars().count();
        if length > most {
            self.add(key, format!("has {length} characters; the maximum is {most}; shorten it"));
        }
    }
}

/// Returns every documented rule that a new template breaks.
pub fn broken_rules(template: &NewTemplate) -> Vec<BrokenRule> {
    findings(template).broken
}

/// Returns what the provider may refuse of a new template, because its documents contradict each other: each with its place.
pub fn rule_notes(template: &NewTemplate) -> Vec<String> {
    findings(template).notes
}

fn findings(template: &NewTemplate) -> Findings {
    let mut all = Findings::default();
    let mut found = Found { all: &mut all, place: String::new() };
    let category = head(template, &mut found);
    components(template, category, &mut found);
    all
}

/// Checks what is not a component, and returns the category.
fn head(template: &NewTemplate, found: &mut Found<'_>) -> Option<Category> {
    let name = template.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        found.add("name", "is missing; write a name of lowercase letters, digits and underscores");
    } else if !is_template_name(name) {
        found.add("name", format!("\"{name}\" is not allowed; use lowercase letters, digits and underscores"));
    }
    found.at_most("name", name, TEMPLATE_NAME_MAX);
    let language = template.language.as_deref().unwrap_or_default();
    if !is_template_language(language) {
        found.add("language", format!("invalid language \"{language}\"; write one such as en or en_US"));
    }
    let Some(word) = template.category.as_deref() else {
        found.add("category", "is missing; write UTILITY, MARKETING or AUTHENTICATION");
        return None;
    };
    let Ok(category) = word.parse::<Category>() else {
        found.add("category", format!("unknown category \"{word}\"; write UTILITY, MARKETING or AUTHENTICATION"));
        return None;
    };
    if let Some(ttl) = template.message_send_ttl_seconds {
        let (range, may_be_whole) = match category {
            Category::Authentication => (30..=900, true),
            Category::Utility => (30..=43_200, true),
            Category::Marketing => (43_200..=2_592_000, false),
        };
        if !range.contains(&ttl) && (!may_be_whole || ttl != THIRTY_DAYS) {
            let or = if may_be_whole { ", or -1 for 30 days" } else { "" };
            let (from, to) = range.into_inner();
            found.add("message_send_ttl_seconds", format!("is {ttl}; a {category} template allows {from} to {to}{or}"));
        }
    }
    Some(category)
}

fn components(template: &NewTemplate, category: Option<Category>, found: &mut Found<'_>) {
    let mut kinds = Vec::new();
    for (index, part) in template.components.iter().enumerate() {
        let kind = part.part_kind();
        let word = kind.map_or_else(|| part.kind.clone().unwrap_or_default(), |kind| kind.as_str().to_owned());
        let mut found = found.at(format_args!("components {} ({word})", index + 1));
        let Some(kind) = kind else {
            let known = PartKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
            found.add("type", format!("unknown component; use one of {known}"));
            continue;
        };
        if kinds.contains(&kind) {
            found.add("", "a template has each component at most once; remove one");
        }
        kinds.push(kind);
        match kind {
            PartKind::Header => header(part, category, &mut found),
            PartKind::Body => {
                body(part, category, BODY_MAX, &mut found);
                no_parameter_at_its_ends(part, &mut found);
            }
            PartKind::Footer => footer(part, category, &mut found),
            PartKind::Buttons => buttons(&part.buttons, category, &mut found),
            PartKind::Carousel => carousel(part, category, &mut found),
            PartKind::CallPermissionRequest => {}
        }
        if kind != PartKind::Buttons && !part.buttons.is_empty() {
            found.add("buttons", "belongs to a component of type BUTTONS; move it there");
        }
    }
    if !kinds.contains(&PartKind::Body) {
        found.add("components", "a template needs a component of type BODY; add one");
    }
}

fn header(part: &TemplatePart, category: Option<Category>, found: &mut Found<'_>) {
    let Some(format) = part.header_format() else {
        let known = HeaderFormat::ALL.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(", ");
        return found.add("format", format!("is missing or unknown; use one of {known}"));
    };
    match format {
        HeaderFormat::Text => {
            let text = part.text.as_deref().unwrap_or_default();
            if text.is_empty() {
                found.add("text", "is missing; write the text of the header");
            }
            found.at_most("text", text, HEADER_MAX);
            let parameters = placeholders(text);
            if parameters.len() > 1 {
                found.add("text", format!("has {} parameters; a header has one at most", parameters.len()));
            }
            examples(part, &parameters, found);
        }
        HeaderFormat::Location => {
            if category == Some(Category::Authentication) {
                found.add("format", "a location is for UTILITY and MARKETING templates only; use another category");
            }
        }
        HeaderFormat::Image | HeaderFormat::Video | HeaderFormat::Document | HeaderFormat::Gif => {
            if format == HeaderFormat::Gif && category.is_some_and(|category| category != Category::Marketing) {
                found.add("format", "a GIF is for MARKETING templates only; use a VIDEO");
            }
            media_example(part, found);
        }
    }
}

/// A header of media needs the address of an example.
fn media_example(part: &TemplatePart, found: &mut Found<'_>) {
    match part.all_examples()[..] {
        [url] if url.starts_with("https://") => {}
        [_] => found.add("examples", "the example of a medium is a public address that begins with https://"),
        _ => found.add("examples", "a header of media needs the address of one example: examples = [\"https://…\"]"),
    }
}

/// Checks that each parameter has an example.
fn examples(part: &TemplatePart, parameters: &[&str], found: &mut Found<'_>) {
    let given = part.all_examples().len();
    if given != parameters.len() {
        let (given, needed) =
            (plural(given as u64, "example", "examples"), plural(parameters.len() as u64, "parameter", "parameters"));
        found.add("examples", format!("there are {given} for {needed}; write one for each parameter"));
    }
}

fn body(part: &TemplatePart, category: Option<Category>, most: usize, found: &mut Found<'_>) {
    let is_code = category == Some(Category::Authentication);
    if part.add_security_recommendation.is_some() && !is_code {
        found.add("add_security_recommendation", "is for AUTHENTICATION templates only; remove it");
    }
    let text = part.text.as_deref().unwrap_or_default();
    if text.is_empty() {
        // The text of an authentication template is fixed.
        if !is_code {
            found.add("text", "is missing; write the text of the template");
        }
        return;
    }
    found.at_most("text", text, most);
    let parameters = placeholders(text);
    sequential(&parameters, found);
    examples(part, &parameters, found);
}

/// The provider's own carousel has cards that end with a parameter, so this holds for the text of a template alone.
fn no_parameter_at_its_ends(part: &TemplatePart, found: &mut Found<'_>) {
    let text = part.text.as_deref().unwrap_or_default().trim();
    if text.starts_with("{{") || text.ends_with("}}") {
        found.add("text", "begins or ends with a parameter; write some text before and after it");
    }
}

/// Checks that parameters are numbered from 1 without a gap, or all have names.
fn sequential(parameters: &[&str], found: &mut Found<'_>) {
    let numbers: Vec<usize> = parameters.iter().filter_map(|name| name.parse().ok()).collect();
    if numbers.is_empty() {
        let is_name = |name: &&str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if let Some(odd) = parameters.iter().find(|name| !is_name(name)) {
            found
                .add("text", format!("invalid parameter {{{{{odd}}}}}; use {{{{1}}}}, or a name in lowercase letters"));
        }
        return;
    }
    if numbers.len() != parameters.len() {
        found.add("text", "has numbered and named parameters; use one kind");
    } else if numbers.iter().enumerate().any(|(index, number)| *number != index + 1) {
        found.add("text", "its parameters are not numbered {{1}}, {{2}}, … in the order of the text; renumber them");
    }
}

fn footer(part: &TemplatePart, category: Option<Category>, found: &mut Found<'_>) {
    let is_code = category == Some(Category::Authentication);
    if part.code_expiration_minutes.is_some() && !is_code {
        found.add("code_expiration_minutes", "is for AUTHENTICATION templates only; remove it");
    }
    let text = part.text.as_deref().unwrap_or_default();
    if text.is_empty() && !is_code {
        found.add("text", "is missing; write the text of the footer");
    }
    found.at_most("text", text, FOOTER_MAX);
    if !placeholders(text).is_empty() {
        found.add("text", "has a parameter; a footer has none");
    }
}

fn carousel(part: &TemplatePart, category: Option<Category>, found: &mut Found<'_>) {
    if category.is_some_and(|category| category != Category::Marketing) {
        found.add("", "a carousel is for MARKETING templates only; use that category");
    }
    let cards = part.cards.len();
    if !(1..=CARDS_MAX).contains(&cards) {
        found.add("cards", format!("has {}; a carousel has 1 to {CARDS_MAX}", plural(cards as u64, "card", "cards")));
    }
    let mut layouts = Vec::new();
    for (index, card) in part.cards.iter().enumerate() {
        layouts.push(self::card(&card.components, category, &mut found.at(format_args!("card {}", index + 1))));
    }
    if layouts.windows(2).any(|pair| pair[0] != pair[1]) {
        found.add("cards", "all cards need the same buttons: as many, of the same kinds, in the same order");
    }
}

/// Checks a card, and returns the kinds of its buttons.
fn card(
    parts: &[TemplatePart],
    category: Option<Category>,
    found: &mut Found<'_>,
) -> Vec<Option<crate::rules::wire::ButtonKind>> {
    let of = |kind| parts.iter().filter(move |part| part.part_kind() == Some(kind)).collect::<Vec<_>>();
    match of(PartKind::Header)[..] {
        [header] if matches!(header.header_format(), Some(HeaderFormat::Image | HeaderFormat::Video)) => {
            media_example(header, &mut found.at("HEADER"));
        }
        [_] => found.add("HEADER", "the header of a card is an IMAGE or a VIDEO"),
        _ => found.add("", "a card needs one HEADER, an IMAGE or a VIDEO"),
    }
    match of(PartKind::Body)[..] {
        [text] => body(text, category, CARD_BODY_MAX, &mut found.at("BODY")),
        _ => found.add("", "a card needs one BODY"),
    }
    if let Some(other) = parts
        .iter()
        .find(|part| !matches!(part.part_kind(), Some(PartKind::Header | PartKind::Body | PartKind::Buttons)))
    {
        let kind = other.kind.as_deref().unwrap_or_default();
        found.add("", format!("a card has HEADER, BODY and BUTTONS, and no {kind}; remove it"));
    }
    let all: Vec<_> = of(PartKind::Buttons).into_iter().flat_map(|part| &part.buttons).collect();
    super::rules_buttons::card_buttons(&all, found);
    all.iter().map(|button| button.button_kind()).collect()
}

#[cfg(test)]
mod tests;
