//! Files, buttons and places on the wire.

use super::cards;
use crate::base::domain::{Channel, LinkButton, Location, Media, MediaKind, RichMessage};
use crate::rules::wire;
use crate::rules::wire::Figure;
use crate::rules::wire::rules::Kind;

/// The `type` and the `content` of a text with a file, a button or suggestions.
pub(super) fn content(channel: Channel, message: &RichMessage) -> (Kind, wire::Content<'_>) {
    let RichMessage { text, media, button, suggestions } = message;
    let kind = match media.as_ref().map(|media| media.kind) {
        Some(MediaKind::Video) => Kind::Video,
        // A text with a button, also with an image.
        _ if button.is_some() => Kind::Buttons,
        Some(MediaKind::Image) => Kind::Image,
        Some(MediaKind::Audio) => Kind::Audio,
        Some(MediaKind::File) => Kind::File,
        None => Kind::Text,
    };
    let mut content = wire::Content {
        text: text.as_deref().map(Into::into),
        url: media.as_ref().map(|media| media.url.as_str().into()),
        button: button.as_ref().map(link_button),
        suggestions: suggestions.iter().map(cards::suggestion).collect(),
        ..wire::Content::default()
    };
    if let Some(media) = media {
        let details = details(channel, media);
        match media.kind {
            MediaKind::Image => content.image = details,
            MediaKind::Video => content.video = details,
            MediaKind::Audio => content.audio = details,
            MediaKind::File => {}
        }
    }
    (kind, content)
}

/// The details of a file: texts in the samples of Viber, a number in that of LINE.
fn details(channel: Channel, media: &Media) -> Option<wire::FileDetails<'_>> {
    let Media { kind: _, url: _, thumbnail, duration, size } = media;
    let has_some = thumbnail.is_some() || duration.is_some() || size.is_some();
    has_some.then(|| wire::FileDetails {
        thumbnail: thumbnail.as_deref().map(Into::into),
        filesize: size.as_deref().map(|size| figure(channel, size)),
        duration: duration.as_deref().map(|duration| figure(channel, duration)),
    })
}

fn figure(channel: Channel, text: &str) -> Figure<'_> {
    if channel == Channel::Line { Figure::number(text) } else { Figure::text(text) }
}

fn link_button(button: &LinkButton) -> wire::LinkButton<'_> {
    wire::LinkButton { caption: button.caption.as_str().into(), action: button.url.as_str().into() }
}

/// A place: with texts for degrees on WhatsApp, with numbers elsewhere.
pub(super) fn location(location: &Location, channel: Channel) -> wire::Location<'_> {
    if channel == Channel::WhatsApp {
        return location_in_texts(location);
    }
    let Location { latitude, longitude, .. } = location;
    wire::Location {
        latitude: Some(Figure::number(latitude)),
        longitude: Some(Figure::number(longitude)),
        ..location_in_texts(location)
    }
}

pub(super) fn location_in_texts(location: &Location) -> wire::Location<'_> {
    let Location { latitude, longitude, name, address } = location;
    wire::Location {
        latitude: Some(Figure::text(latitude)),
        longitude: Some(Figure::text(longitude)),
        name: Some(name.as_str().into()),
        address: Some(address.as_str().into()),
    }
}
