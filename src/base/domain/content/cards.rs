//! Cards and suggestions of RCS.

use serde::{Deserialize, Serialize};

use super::super::word::words;
use super::Media;

/// One card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RichCard {
    pub card: Card,
    pub orientation: CardOrientation,
    /// Where a horizontal card shows its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_side: Option<ThumbnailSide>,
    /// Suggestions below the message, beside those of the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
}

/// Cards in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carousel {
    pub cards: Vec<Card>,
    pub width: CardWidth,
    /// Suggestions below the message, beside those of the cards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
}

/// A file with texts and suggestions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub media: Media,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<CardHeight>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
}

words! {
    /// The height of a card's file.
    CardHeight, "card height" {
        Short = 0, "short";
        Medium = 1, "medium";
        Tall = 2, "tall";
    }
}

words! {
    /// Whether a card has its file above its texts or beside them.
    CardOrientation, "card orientation" {
        Vertical = 0, "vertical";
        Horizontal = 1, "horizontal";
    }
}

words! {
    /// The side on which a horizontal card has its file.
    ThumbnailSide, "thumbnail side" {
        Left = 0, "left";
        Right = 1, "right";
    }
}

words! {
    /// The width of the cards of a carousel.
    CardWidth, "card width" {
        Small = 0, "small";
        Medium = 1, "medium";
    }
}

/// A reply or an action that the recipient can tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suggestion {
    /// Its label; the recipient's reply, if it is one.
    pub text: String,
    /// Comes back when the recipient taps it.
    pub data: String,
    pub action: SuggestionAction,
}

/// What a tap does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionAction {
    /// Sends the label back.
    Reply,
    /// Opens an address.
    Url(String),
    /// Dials a number in E.164.
    Dial(String),
    /// Shows a place.
    Place {
        /// In degrees.
        latitude: String,
        longitude: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// Searches for places near the recipient.
    Search(String),
    /// Adds an event to the recipient's calendar. The times are RFC 3339.
    Event {
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        start: String,
        end: String,
    },
}
