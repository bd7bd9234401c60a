//! Cards and suggestions of RCS.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::loose;
use super::text::{Hidden, Text};

/// One card.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RichCard<'a> {
    /// `vertical` or `horizontal`.
    #[serde(borrow)]
    pub card_orientation: Text<'a>,
    /// `left` or `right`; of a horizontal card.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub thumbnail_image_alignment: Option<Text<'a>>,
    #[serde(borrow, flatten)]
    pub card: CardContent<'a>,
}

/// Cards in a row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Carousel<'a> {
    /// `small` or `medium`.
    #[serde(borrow)]
    pub card_width: Text<'a>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub cards: Vec<CardContent<'a>>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CardContent<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub title: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub description: Option<Hidden<'a>>,
    #[serde(borrow)]
    pub media: CardMedia<'a>,
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", deserialize_with = "loose::nothing_is_default")]
    pub suggestions: Vec<Suggestion<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CardMedia<'a> {
    /// `short`, `medium` or `tall`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub height: Option<Text<'a>>,
    #[serde(borrow)]
    pub content_info: ContentInfo<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContentInfo<'a> {
    #[serde(borrow)]
    pub file_url: Hidden<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<Hidden<'a>>,
    /// Whether the file is fetched again although it is cached; passed on unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_refresh: Option<bool>,
}

/// A reply or an action that the recipient can tap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Suggestion<'a> {
    #[serde(borrow)]
    Reply(SuggestedReply<'a>),
    Action(Box<SuggestedAction<'a>>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SuggestedReply<'a> {
    #[serde(borrow)]
    pub text: Hidden<'a>,
    #[serde(borrow)]
    pub postback_data: Hidden<'a>,
}

/// Has exactly one of the actions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SuggestedAction<'a> {
    #[serde(borrow)]
    pub text: Hidden<'a>,
    #[serde(borrow)]
    pub postback_data: Hidden<'a>,
    /// Opens where the device does not support the action; passed on unchanged.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub fallback_url: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub dial_action: Option<DialAction<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub view_location_action: Option<ViewLocationAction<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub create_calendar_event_action: Option<CalendarEventAction<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub open_url_action: Option<OpenUrlAction<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DialAction<'a> {
    #[serde(borrow)]
    pub phone_number: Hidden<'a>,
}

/// A place, or a search for places.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ViewLocationAction<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub lat_long: Option<LatLong<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub label: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub query: Option<Hidden<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatLong<'a> {
    #[serde(borrow)]
    pub latitude: Figure<'a>,
    #[serde(borrow)]
    pub longitude: Figure<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CalendarEventAction<'a> {
    #[serde(borrow)]
    pub title: Hidden<'a>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub description: Option<Hidden<'a>>,
    #[serde(borrow)]
    pub start_time: Hidden<'a>,
    #[serde(borrow)]
    pub end_time: Hidden<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OpenUrlAction<'a> {
    #[serde(borrow)]
    pub url: Hidden<'a>,
    /// `BROWSER` or `WEBVIEW`; passed on unchanged, as are the next two.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub application: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub webview_view_mode: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub description: Option<Hidden<'a>>,
}
