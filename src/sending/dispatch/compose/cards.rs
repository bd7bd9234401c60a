//! RCS cards and suggestions on the wire.

use crate::base::domain::{Card, CardHeight, Carousel, RichCard, Suggestion, SuggestionAction, ThumbnailSide};
use crate::rules::wire;
use crate::rules::wire::{CardContent, CardMedia, ContentInfo, Figure, SuggestedAction};

pub(super) fn rich_card(message: &RichCard) -> wire::Content<'_> {
    let rich_card = wire::RichCard {
        card_orientation: message.orientation.as_str().into(),
        thumbnail_image_alignment: message.thumbnail_side.map(ThumbnailSide::as_str).map(Into::into),
        card: card(&message.card),
    };
    let suggestions = message.suggestions.iter().map(suggestion).collect();
    wire::Content { rich_card: Some(rich_card), suggestions, ..wire::Content::default() }
}

pub(super) fn carousel(message: &Carousel) -> wire::Content<'_> {
    let cards = message.cards.iter().map(card).collect();
    let carousel = wire::Carousel { card_width: message.width.as_str().into(), cards };
    let suggestions = message.suggestions.iter().map(suggestion).collect();
    wire::Content { carousel: Some(carousel), suggestions, ..wire::Content::default() }
}

fn card(card: &Card) -> CardContent<'_> {
    CardContent {
        title: card.title.as_deref().map(Into::into),
        description: card.description.as_deref().map(Into::into),
        media: CardMedia {
            height: card.height.map(CardHeight::as_str).map(Into::into),
            content_info: ContentInfo {
                file_url: card.media.url.as_str().into(),
                thumbnail_url: card.media.thumbnail.as_deref().map(Into::into),
                force_refresh: None,
            },
        },
        suggestions: card.suggestions.iter().map(suggestion).collect(),
    }
}

pub(super) fn suggestion(suggestion: &Suggestion) -> wire::Suggestion<'_> {
    let Suggestion { text, data, action } = suggestion;
    let mut composed = SuggestedAction {
        text: text.as_str().into(),
        postback_data: data.as_str().into(),
        ..SuggestedAction::default()
    };
    match action {
        SuggestionAction::Reply => {
            return wire::Suggestion::Reply(wire::SuggestedReply {
                text: text.as_str().into(),
                postback_data: data.as_str().into(),
            });
        }
        SuggestionAction::Url(url) => {
            composed.open_url_action =
                Some(wire::OpenUrlAction { url: url.as_str().into(), ..wire::OpenUrlAction::default() });
        }
        SuggestionAction::Dial(number) => {
            composed.dial_action = Some(wire::DialAction { phone_number: number.as_str().into() });
        }
        SuggestionAction::Place { latitude, longitude, label } => {
            composed.view_location_action = Some(wire::ViewLocationAction {
                lat_long: Some(wire::LatLong {
                    latitude: Figure::number(latitude),
                    longitude: Figure::number(longitude),
                }),
                label: label.as_deref().map(Into::into),
                query: None,
            });
        }
        SuggestionAction::Search(query) => {
            composed.view_location_action = Some(wire::ViewLocationAction {
                query: Some(query.as_str().into()),
                ..wire::ViewLocationAction::default()
            });
        }
        SuggestionAction::Event { title, description, start, end } => {
            composed.create_calendar_event_action = Some(wire::CalendarEventAction {
                title: title.as_str().into(),
                description: description.as_deref().map(Into::into),
                start_time: start.as_str().into(),
                end_time: end.as_str().into(),
            });
        }
    }
    wire::Suggestion::Action(Box::new(composed))
}
