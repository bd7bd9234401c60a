//! What a message contains: its type, the channels that carry it, and each channel's limits.
//!
//! The limits are the provider's page of supported content types. A text that is too long gets 3006 wherever it is, so that
//! it counts as this text's fault; the provider documents no code for the parts of interactive messages.

use serde::Serialize;
use serde_json::Value;

use super::record::ContentType;
use crate::domain::{Channel, TEMPLATE_NAME_MAX};
use crate::wire::{Component, Content, Parameter, Template};

/// The `type` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Image,
    Video,
    Audio,
    File,
    Location,
    Interactive,
    Template,
    Buttons,
    Carousel,
    RichCard,
}

/// Spellings in lower case. The documents also write `document` for a file.
const KINDS: [(&str, Kind); 12] = [
    ("text", Kind::Text),
    ("image", Kind::Image),
    ("video", Kind::Video),
    ("audio", Kind::Audio),
    ("file", Kind::File),
    ("document", Kind::File),
    ("location", Kind::Location),
    ("interactive", Kind::Interactive),
    ("template", Kind::Template),
    ("buttons", Kind::Buttons),
    ("carousel", Kind::Carousel),
    ("richcard", Kind::RichCard),
];

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind)
    }

    const fn is_media(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Audio | Self::File)
    }
}

/// The type that the details of a message show.
pub(super) fn content_type(kind: Kind, content: &Content<'_>) -> ContentType {
    match kind {
        Kind::Text => ContentType::Text,
        Kind::Image => ContentType::Image,
        Kind::Video => ContentType::Video,
        Kind::Audio => ContentType::Audio,
        Kind::File => ContentType::File,
        Kind::Location => ContentType::Location,
        Kind::Template => ContentType::Template,
        Kind::Carousel | Kind::RichCard => ContentType::Carousel,
        Kind::Buttons => ContentType::Buttons,
        Kind::Interactive => match text_of(&json(content)["interactive"], "type") {
            kind if kind.eq_ignore_ascii_case("list") => ContentType::List,
            _ => ContentType::Buttons,
        },
    }
}

/// A part of a request as JSON, whose limits are checked by the documented keys.
fn json(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}

/// Whether the channel carries this type. SMS carries only text, which may be the fallback text of any content.
pub(super) const fn carries(channel: Channel, kind: Kind) -> bool {
    use Kind::{Audio, Buttons, Carousel, File, Image, Interactive, Location, RichCard, Template, Text, Video};
    match channel {
        Channel::WhatsApp => {
            matches!(kind, Text | Image | Video | Audio | File | Location | Interactive | Template)
        }
        Channel::Viber => matches!(kind, Text | Image | Video | File | Buttons | Template),
        Channel::Rcs => {
            matches!(kind, Text | Image | Video | Audio | File | Location | Interactive | Buttons | Carousel | RichCard)
        }
        Channel::Line => matches!(kind, Text | Image | Video | Audio | Location),
        Channel::ZaloNotification => matches!(kind, Template),
        // The text of an SMS is checked by itself, and LINE notifications have an address of their own.
        Channel::Sms | Channel::LineNotification => false,
    }
}

/// The longest text of a message, and the longest caption of its media.
const fn limits(channel: Channel) -> (usize, usize) {
    match channel {
        Channel::WhatsApp => (4_096, 1_024),
        Channel::Viber => (1_000, 1_000),
        Channel::Rcs => (3_072, 2_000),
        Channel::ZaloNotification => (400, 400),
        Channel::LineNotification => (500, 500),
        // By the schema; the page of content types names no limit.
        Channel::Line | Channel::Sms => (35_000, 35_000),
    }
}

/// The most suggestions of a message; where it has cards, so many of them are below the cards, and the others in a card.
const SUGGESTIONS_MAX: usize = 11;
const BELOW_CARDS_MAX: usize = 7;

const TEXT_MISSING: i64 = 3_005;
const TEXT_TOO_LONG: i64 = 3_006;
const BUTTON: i64 = 3_049;

/// Checks the content for one channel. The error is the provider's code.
pub(super) fn check(channel: Channel, kind: Kind, content: &Content<'_>) -> Result<(), i64> {
    if channel == Channel::Sms {
        return check_sms(kind, content);
    }
    if !carries(channel, kind) {
        return Err(3_010);
    }
    let (text_max, caption_max) = limits(channel);
    let text = content.text.as_deref().unwrap_or_default();
    match kind {
        Kind::Template => return check_template(channel, content.template.as_ref().ok_or(3_030)?),
        Kind::Text => check_text(text, text_max)?,
        _ if kind.is_media() => {
            check_address(content.url.as_deref())?;
            at_most(text, caption_max)?;
        }
        _ => {}
    }
    if kind == Kind::Text && channel != Channel::Rcs {
        return Ok(());
    }
    let whole = json(content);
    match kind {
        Kind::Buttons => {
            check_text(text, text_max)?;
            if text_of(&whole["button"], "caption").chars().count() > 30 {
                return Err(BUTTON);
            }
        }
        Kind::Location => check_location(&whole["location"], 3_021)?,
        Kind::Interactive => check_interactive(&whole["interactive"])?,
        Kind::RichCard => check_card(&whole["richCard"])?,
        Kind::Carousel => {
            let cards = list(&whole["carousel"], "cards");
            if !(2..=10).contains(&cards.len()) {
                return Err(1_010);
            }
            cards.iter().try_for_each(check_card)?;
        }
        Kind::Text | Kind::Template | Kind::Image | Kind::Video | Kind::Audio | Kind::File => {}
    }
    let below = if matches!(kind, Kind::RichCard | Kind::Carousel) { BELOW_CARDS_MAX } else { SUGGESTIONS_MAX };
    check_suggestions(&whole["suggestions"], below)
}

fn check_text(text: &str, most: usize) -> Result<(), i64> {
    if text.is_empty() { Err(TEXT_MISSING) } else { at_most(text, most) }
}

fn at_most(text: &str, most: usize) -> Result<(), i64> {
    if text.chars().count() > most { Err(TEXT_TOO_LONG) } else { Ok(()) }
}

/// The fallback text, else the text. Other content has no text for SMS.
fn check_sms(kind: Kind, content: &Content<'_>) -> Result<(), i64> {
    if content.sms.as_ref().and_then(|sms| sms.source.as_deref()).is_some_and(|source| source.chars().count() > 16) {
        return Err(3_011);
    }
    let most = limits(Channel::Sms).0;
    match (content.fallback_text.as_deref(), content.text.as_deref()) {
        (Some(text), _) if !text.is_empty() => at_most(text, most).map_err(|_| 3_017),
        (_, Some(text)) if kind != Kind::Template => check_text(text, most),
        _ => Err(TEXT_MISSING),
    }
}

fn check_address(url: Option<&str>) -> Result<(), i64> {
    match url.unwrap_or_default() {
        "" => Err(3_007),
        url if url.contains(char::is_whitespace) => Err(3_008),
        _ => Ok(()),
    }
}

/// Coordinates are numbers in some samples and texts in others.
fn check_location(location: &Value, code: i64) -> Result<(), i64> {
    let degrees = |key: &str| match &location[key] {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    let is_valid = degrees("latitude").is_some_and(|it| it.abs() <= 90.0)
        && degrees("longitude").is_some_and(|it| it.abs() <= 180.0);
    if is_valid { Ok(()) } else { Err(code) }
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[][..], Vec::as_slice)
}

/// The limits of an interactive message on WhatsApp.
fn check_interactive(part: &Value) -> Result<(), i64> {
    if !part.is_object() {
        return Err(3_004);
    }
    at_most(text_of(&part["header"], "text"), 60)?;
    at_most(text_of(&part["body"], "text"), 1_024)?;
    at_most(text_of(&part["footer"], "text"), 60)?;
    let action = &part["action"];
    let buttons = list(action, "buttons");
    if buttons.len() > 3 {
        return Err(BUTTON);
    }
    buttons.iter().try_for_each(|button| at_most(text_of(&button["reply"], "title"), 20))?;
    at_most(text_of(action, "button"), 20)?;
    let parameters = &action["parameters"];
    for label in ["display_text", "flowCta", "flow_cta"] {
        at_most(text_of(parameters, label), 20)?;
    }
    let sections = list(action, "sections");
    let mut rows = 0;
    for section in sections {
        at_most(text_of(section, "title"), 24)?;
        for row in list(section, "rows") {
            rows += 1;
            at_most(text_of(row, "title"), 24)?;
            at_most(text_of(row, "description"), 72)?;
        }
    }
    if rows > 10 || sections.len() > 10 { Err(1_010) } else { Ok(()) }
}

/// The limits of a rich card on RCS.
fn check_card(card: &Value) -> Result<(), i64> {
    if !card.is_object() {
        return Err(3_004);
    }
    at_most(text_of(card, "title"), 200)?;
    at_most(text_of(card, "description"), 2_000)?;
    if card.to_string().len() > 250 * 1_024 {
        return Err(1_010);
    }
    check_suggestions(&card["suggestions"], 4)
}

fn check_suggestions(suggestions: &Value, most: usize) -> Result<(), i64> {
    let all = suggestions.as_array().map_or(&[][..], Vec::as_slice);
    if all.len() > most {
        return Err(BUTTON);
    }
    for suggestion in all {
        // A suggestion is a reply or an action, with its parts inside or beside the type.
        for part in [suggestion, &suggestion["reply"], &suggestion["action"]] {
            at_most(text_of(part, "text"), 25)?;
            at_most(text_of(part, "postbackData"), 2_048)?;
        }
    }
    Ok(())
}

const PARAMETER_MAX: usize = 1_024;
const HEADER_MAX: usize = 60;

/// Checks how a template is filled in. A template of Zalo is named by its id, which may have capitals.
fn check_template(channel: Channel, template: &Template<'_>) -> Result<(), i64> {
    let is_allowed = |c: char| match channel {
        Channel::WhatsApp => c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
        _ => c.is_ascii_alphanumeric() || "_-".contains(c),
    };
    if template.name.len() > TEMPLATE_NAME_MAX {
        return Err(3_031);
    }
    if template.name.is_empty() || !template.name.chars().all(is_allowed) {
        return Err(3_032);
    }
    if template.language.is_empty() {
        return Err(3_036);
    }
    template.components.iter().try_for_each(check_component)?;
    let values = template.components.iter().flat_map(|component| &component.parameters);
    let filled: usize = values.map(|value| value.text.as_deref().unwrap_or_default().chars().count()).sum();
    if channel == Channel::ZaloNotification && filled > limits(channel).0 { Err(TEXT_TOO_LONG) } else { Ok(()) }
}

fn check_component(component: &Component<'_>) -> Result<(), i64> {
    let is = |kind: &str| component.kind.eq_ignore_ascii_case(kind);
    if !["header", "body", "button", "carousel"].iter().any(|known| is(known)) {
        return Err(3_039);
    }
    if is("button") && !component.index.is_some_and(|index| (0..=9).contains(&index)) {
        return Err(3_053);
    }
    let most = if is("header") { HEADER_MAX } else { PARAMETER_MAX };
    component.parameters.iter().try_for_each(|parameter| check_parameter(parameter, most))?;
    let texts = component.parameters.iter().filter_map(|parameter| parameter.text.as_deref());
    if texts.map(|text| text.chars().count()).sum::<usize>() > most { Err(3_043) } else { Ok(()) }
}

fn check_parameter(parameter: &Parameter<'_>, most: usize) -> Result<(), i64> {
    match parameter.kind.to_ascii_lowercase().as_str() {
        "text" => match parameter.text.as_deref().unwrap_or_default().chars().count() {
            0 => Err(3_040),
            len if len > most => Err(3_043),
            _ => Ok(()),
        },
        "image" | "video" | "document" | "gif" => check_address(parameter.url.as_deref()).map_err(|_| 3_046),
        "location" => check_location(&json(&parameter.location), 3_044),
        "couponcode" => match parameter.coupon_code.as_deref().unwrap_or_default().chars().count() {
            4..=15 => Ok(()),
            _ => Err(BUTTON),
        },
        "payload" | "action" | "ttlminutes" => Ok(()),
        _ => Err(3_042),
    }
}
