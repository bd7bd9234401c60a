//! Files, buttons and places on the wire.

use super::cards;
use crate::domain::{Channel, LinkButton, Location, Media, MediaKind, RichMessage};
use crate::wire;
use crate::wire::Figure;

/// The `type` of a request, before its channel spells it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Image,
    Video,
    Audio,
    File,
    Location,
}

/// The `type` as the samples of the channel spell it. The provider reads any letter case.
///
/// The sample of a file on RCS has the type `Text`, where the schema knows `file`; it is taken for a mistake.
pub(super) fn spelled(channel: Channel, kind: Kind) -> &'static str {
    match (channel, kind) {
        (Channel::Line | Channel::Rcs, Kind::Text) => "Text",
        (_, Kind::Text) => "text",
        (Channel::WhatsApp | Channel::Line | Channel::Rcs, Kind::Image) => "Image",
        (_, Kind::Image) => "image",
        (Channel::Line | Channel::Rcs, Kind::Video) => "Video",
        (_, Kind::Video) => "video",
        (Channel::Line | Channel::Rcs, Kind::Audio) => "Audio",
        (_, Kind::Audio) => "audio",
        (Channel::WhatsApp | Channel::Rcs, Kind::File) => "File",
        (_, Kind::File) => "file",
        (Channel::Line, Kind::Location) => "Location",
        (_, Kind::Location) => "location",
    }
}

/// The `type` and the `content` of a text with a file, a button or suggestions.
pub(super) fn content(channel: Channel, message: &RichMessage) -> (&'static str, wire::Content<'_>) {
    let RichMessage { text, media, button, suggestions } = message;
    let kind = match media.as_ref().map(|media| media.kind) {
        Some(MediaKind::Video) => spelled(channel, Kind::Video),
        // A text with a button, also with an image.
        _ if button.is_some() => "buttons",
        Some(MediaKind::Image) => spelled(channel, Kind::Image),
        Some(MediaKind::Audio) => spelled(channel, Kind::Audio),
        Some(MediaKind::File) => spelled(channel, Kind::File),
        None => spelled(channel, Kind::Text),
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
