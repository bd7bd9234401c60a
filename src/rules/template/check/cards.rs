//! The rules of RCS cards and suggestions.

use super::{Findings, bare};
use crate::base::domain::{
    Card, CardOrientation, Carousel, Channel, ContentPart, Msisdn, RichCard, Suggestion, SuggestionAction, Timestamp,
};

pub(in crate::rules::template) const TITLE_MAX: usize = 200;
pub(in crate::rules::template) const DESCRIPTION_MAX: usize = 2_000;
const CARDS: std::ops::RangeInclusive<usize> = 2..=10;
/// The most suggestions in a card, below cards, and below a text or a file: 11 in all where there is a card.
const IN_CARD_MAX: usize = 4;
const BELOW_CARDS_MAX: usize = 7;
const BELOW_TEXT_MAX: usize = 11;
pub(in crate::rules::template) const LABEL_MAX: usize = 25;
pub(in crate::rules::template) const DATA_MAX: usize = 2_048;
pub(in crate::rules::template) const PLACE_LABEL_MAX: usize = 100;
pub(in crate::rules::template) const SEARCH_MAX: usize = 200;
pub(in crate::rules::template) const EVENT_TITLE_MAX: usize = 100;
pub(in crate::rules::template) const EVENT_DESCRIPTION_MAX: usize = 500;

impl Findings {
    pub(super) fn check_rich_card(&mut self, message: &RichCard) {
        self.check_card(&message.card, "");
        if message.thumbnail_side.is_some() && message.orientation == CardOrientation::Vertical {
            let sentence = "belongs to a horizontal card; write orientation = \"horizontal\", or remove it";
            self.add(ContentPart::Key("card", "thumbnail_side".into()), sentence);
        }
        self.check_suggestions(&message.suggestions, true);
    }

    pub(super) fn check_carousel(&mut self, carousel: &Carousel) {
        self.check_count(ContentPart::key("cards"), carousel.cards.len(), CARDS, "card");
        for (number, card) in (1_usize..).zip(&carousel.cards) {
            self.check_card(card, &format!("{number} "));
        }
        self.check_suggestions(&carousel.suggestions, true);
    }

    fn check_card(&mut self, card: &Card, number: &str) {
        let part = |path: &str| ContentPart::Key("card", format!("{number}{path}").into());
        if let Some(text) = &card.title {
            self.check_label(part("title"), text, TITLE_MAX);
        }
        if let Some(text) = &card.description {
            self.check_label(part("description"), text, DESCRIPTION_MAX);
        }
        let kind = card.media.kind.as_str();
        self.check_media_url(part(kind), &card.media.url);
        if let Some(url) = &card.media.thumbnail {
            self.check_media_url(part(&format!("{kind} thumbnail")), url);
        }
        for (name, given) in [("duration", &card.media.duration), ("size", &card.media.size)] {
            if given.is_some() {
                self.add(part(&format!("{kind} {name}")), format!("a card takes no {name}; remove it"));
            }
        }
        self.check_count(part("suggestions"), card.suggestions.len(), 0..=IN_CARD_MAX, "suggestion");
        for (index, suggestion) in (1_usize..).zip(&card.suggestions) {
            self.check_suggestion(suggestion, |path| part(&format!("suggestion {index} {path}")));
        }
    }

    /// The suggestions below a message.
    pub(super) fn check_suggestions(&mut self, suggestions: &[Suggestion], has_cards: bool) {
        let most = if has_cards { BELOW_CARDS_MAX } else { BELOW_TEXT_MAX };
        self.check_count(ContentPart::key("suggestions"), suggestions.len(), 0..=most, "suggestion");
        for (number, suggestion) in (1_usize..).zip(suggestions) {
            self.check_suggestion(suggestion, |path| ContentPart::Key("suggestion", format!("{number} {path}").into()));
        }
    }

    fn check_suggestion(&mut self, suggestion: &Suggestion, part: impl Fn(&str) -> ContentPart) {
        self.check_label(part("text"), &suggestion.text, LABEL_MAX);
        self.check_label(part("data"), &suggestion.data, DATA_MAX);
        match &suggestion.action {
            SuggestionAction::Reply => {}
            SuggestionAction::Url(url) => self.check_link(part("url"), url),
            SuggestionAction::Search(text) => self.check_label(part("search"), text, SEARCH_MAX),
            SuggestionAction::Dial(number) => {
                let is_number = number.starts_with('+') && number.parse::<Msisdn>().is_ok();
                if bare(number).variables == 0 && !is_number {
                    self.add(part("dial"), format!("invalid phone number \"{number}\"; write it as +6591234567"));
                }
            }
            SuggestionAction::Place { latitude, longitude, label } => {
                for (name, degrees, most) in [("latitude", latitude, 90.0), ("longitude", longitude, 180.0)] {
                    self.check_degrees(part(name), degrees, most);
                    self.check_is_fixed(Channel::Rcs, part(name), degrees);
                }
                if let Some(label) = label {
                    self.check_label(part("label"), label, PLACE_LABEL_MAX);
                }
            }
            SuggestionAction::Event { title, description, start, end } => {
                self.check_label(part("event title"), title, EVENT_TITLE_MAX);
                if let Some(text) = description {
                    self.check_label(part("event description"), text, EVENT_DESCRIPTION_MAX);
                }
                for (name, time) in [("event start", start), ("event end", end)] {
                    if bare(time).variables == 0 && Timestamp::parse_rfc3339(time).is_none() {
                        let sentence = format!("invalid time \"{time}\"; write it as 2026-12-01T09:00:00Z");
                        self.add(part(name), sentence);
                    }
                }
            }
        }
    }
}
