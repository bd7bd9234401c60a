//! What a message contains: its type, the channels that carry it, and each channel's limits.
//!
//! The limits are the provider's page of supported content types. A text that is too long gets 3006 wherever it is, so that
//! it counts as this text's fault; the provider documents no code for the parts of interactive messages.

mod interactive;
mod template;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use self::template::SubType;
use super::kind::Kind;
use super::sms;
use crate::base::domain::Channel;
use crate::rules::wire::Content;

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
        Channel::Line | Channel::Sms => (sms::TEXT_MAX, sms::TEXT_MAX),
    }
}

/// The most suggestions of a message; where it has cards, so many of them are below the cards, and the others in a card.
const SUGGESTIONS_MAX: usize = 11;
const BELOW_CARDS_MAX: usize = 7;

const CONTENT_MISSING: i64 = 3_004;
const TEXT_MISSING: i64 = 3_005;
const TEXT_TOO_LONG: i64 = 3_006;
const UNKNOWN_TYPE: i64 = 3_010;
const BUTTON: i64 = 3_049;
const OUT_OF_RANGE: i64 = 1_010;

/// Checks the content for one channel. The error is the provider's code.
pub(super) fn check(channel: Channel, kind: Kind, content: &Content<'_>) -> Result<(), i64> {
    if channel == Channel::Sms {
        return check_sms(kind, content);
    }
    if !carries(channel, kind) {
        return Err(UNKNOWN_TYPE);
    }
    let (text_max, caption_max) = limits(channel);
    let text = content.text.as_deref().unwrap_or_default();
    match kind {
        Kind::Template => return template::check(channel, content.template.as_ref().ok_or(3_030)?, text_max),
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
        Kind::Buttons => check_text(text, text_max)?,
        Kind::Location => check_location(&whole["location"], 3_021)?,
        Kind::Interactive => interactive::check(&whole["interactive"])?,
        Kind::RichCard => check_card(&whole["richCard"])?,
        Kind::Carousel => {
            let cards = list(&whole["carousel"], "cards");
            if !(2..=10).contains(&cards.len()) {
                return Err(OUT_OF_RANGE);
            }
            cards.iter().try_for_each(check_card)?;
        }
        Kind::Text | Kind::Template | Kind::Image | Kind::Video | Kind::Audio | Kind::File => {}
    }
    if channel == Channel::Viber {
        check_button(kind, &whole["button"])?;
    }
    check_details(channel, kind, &whole)?;
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
    let source = content.sms.as_ref().and_then(|sms| sms.source.as_deref());
    if source.is_some_and(|source| source.chars().count() > sms::SOURCE_MAX) {
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

/// The button of a message on Viber. It is needed where the type is `buttons`, and may be blank.
fn check_button(kind: Kind, button: &Value) -> Result<(), i64> {
    let is_missing = kind == Kind::Buttons && !button.is_object();
    if is_missing || text_of(button, "caption").chars().count() > 30 { Err(BUTTON) } else { Ok(()) }
}

/// The documented details of a file: all of a video on Viber, and the duration of an audio on LINE.
fn check_details(channel: Channel, kind: Kind, whole: &Value) -> Result<(), i64> {
    let (details, numbers, addresses): (_, &[&str], &[&str]) = match (channel, kind) {
        (Channel::Viber, Kind::Video) => (&whole["video"], &["filesize", "duration"], &["thumbnail"]),
        (Channel::Line, Kind::Audio) => (&whole["audio"], &["duration"], &[]),
        _ => return Ok(()),
    };
    if numbers.iter().chain(addresses).any(|key| details[*key].is_null()) {
        return Err(CONTENT_MISSING);
    }
    if !numbers.iter().all(|key| number(&details[*key]).is_some_and(|it| it > 0.0)) {
        return Err(OUT_OF_RANGE);
    }
    addresses.iter().try_for_each(|key| check_address(details[*key].as_str()))
}

/// A number, which some samples write as a text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn check_location(location: &Value, code: i64) -> Result<(), i64> {
    let is_valid = number(&location["latitude"]).is_some_and(|it| it.abs() <= 90.0)
        && number(&location["longitude"]).is_some_and(|it| it.abs() <= 180.0);
    if is_valid { Ok(()) } else { Err(code) }
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[][..], Vec::as_slice)
}

/// The limits of a rich card on RCS.
fn check_card(card: &Value) -> Result<(), i64> {
    if !card.is_object() {
        return Err(CONTENT_MISSING);
    }
    at_most(text_of(card, "title"), 200)?;
    at_most(text_of(card, "description"), 2_000)?;
    if card.to_string().len() > 250 * 1_024 {
        return Err(OUT_OF_RANGE);
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
