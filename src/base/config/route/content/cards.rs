//! Cards and suggestions of RCS, as they are written in a campaign file.

use super::super::table::Table;
use super::rich::file;
use super::{one_of, optional, required};
use crate::base::domain::{
    Card, CardHeight, CardOrientation, MediaKind, RichCard, Suggestion, SuggestionAction, ThumbnailSide,
};

/// The card of a step with one.
pub(super) fn one(mut table: Table<'_>) -> Option<RichCard> {
    let orientation = parsed_or_none::<CardOrientation>(&mut table, "orientation");
    let thumbnail_side = parsed_or_none::<ThumbnailSide>(&mut table, "thumbnail_side");
    let card = card(table);
    Some(RichCard {
        card: card?,
        orientation: orientation?.unwrap_or(CardOrientation::Vertical),
        thumbnail_side: thumbnail_side?,
        suggestions: Vec::new(),
    })
}

/// A card of a carousel, and what a single card shares with it.
pub(super) fn card(mut table: Table<'_>) -> Option<Card> {
    let (title, description) = (optional(&mut table, "title"), optional(&mut table, "description"));
    let mut found = Vec::new();
    for (key, kind) in [("image", MediaKind::Image), ("video", MediaKind::Video)] {
        if table.has(key) {
            found.push(file(&mut table, key, kind));
        }
    }
    let height = parsed_or_none::<CardHeight>(&mut table, "height");
    let suggestions = table.read_each("suggestions", suggestion);
    let media = one_of(&mut table, found, "a card has an image or a video");
    table.finish(&[]);
    Some(Card { title: title?, description: description?, media: media??, height: height?, suggestions: suggestions? })
}

/// Reads a word that may be absent; `None` after a reported problem.
fn parsed_or_none<T: std::str::FromStr<Err: std::fmt::Display>>(
    table: &mut Table<'_>,
    key: &'static str,
) -> Option<Option<T>> {
    if table.has(key) { table.parsed(key).map(Some) } else { Some(None) }
}

/// `{ reply = "Yes", data = "yes" }`, or a label with what a tap does.
pub(super) fn suggestion(mut table: Table<'_>) -> Option<Suggestion> {
    let is_reply = table.has("reply");
    let reply = table.filled_text("reply");
    let text = match is_reply {
        true => reply.clone(),
        false => required(&mut table, &["text"], "the label of the suggestion"),
    };
    let data = required(&mut table, &["data"], "what comes back when the recipient taps the suggestion");
    let mut found: Vec<SuggestionAction> = reply.map(|_| SuggestionAction::Reply).into_iter().collect();
    for (key, make) in [
        ("url", SuggestionAction::Url as fn(String) -> SuggestionAction),
        ("dial", SuggestionAction::Dial),
        ("search", SuggestionAction::Search),
    ] {
        found.extend(table.text(key).map(make));
    }
    found.extend(table.read_below("place", place));
    found.extend(table.read_below("event", event));
    let rule = "a suggestion is one of reply, url, dial, place, search or event";
    let action = one_of(&mut table, found, rule);
    table.finish(&[]);
    Some(Suggestion { text: text?, data: data?, action: action? })
}

fn place(mut table: Table<'_>) -> Option<SuggestionAction> {
    let mut degrees = |key: &'static [&'static str; 1]| {
        let [name] = key;
        if !table.has(name) {
            table.missing(key, "is missing; a place has latitude and longitude");
        }
        table.text_or_number(name)
    };
    let (latitude, longitude) = (degrees(&["latitude"]), degrees(&["longitude"]));
    let label = optional(&mut table, "label");
    table.finish(&[]);
    Some(SuggestionAction::Place { latitude: latitude?, longitude: longitude?, label: label? })
}

fn event(mut table: Table<'_>) -> Option<SuggestionAction> {
    let title = required(&mut table, &["title"], "the title of the event");
    let description = optional(&mut table, "description");
    let start = required(&mut table, &["start"], "when the event begins, such as 2026-12-01T09:00:00Z");
    let end = required(&mut table, &["end"], "when the event ends, such as 2026-12-01T10:00:00Z");
    table.finish(&[]);
    Some(SuggestionAction::Event { title: title?, description: description?, start: start?, end: end? })
}
