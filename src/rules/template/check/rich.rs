//! The rules of files, buttons and places.

use super::{Findings, bare, is_figure, text_max};
use crate::base::domain::{Channel, ContentPart, LinkButton, Location, Media, MediaKind, RichMessage};

pub(in crate::rules::template) const BUTTON_MAX: usize = 30;

/// What a channel takes beside a file.
struct Beside {
    /// The most characters of a caption; `None` if the file has none.
    caption: Option<usize>,
    details: &'static [Detail],
}

/// A detail of a file that a channel takes.
struct Detail {
    name: &'static str,
    is_needed: bool,
    /// Whether the channel takes it as a number.
    is_number: bool,
}

const fn detail(name: &'static str, is_needed: bool, is_number: bool) -> Detail {
    Detail { name, is_needed, is_number }
}

fn beside(channel: Channel, kind: MediaKind) -> Beside {
    const VIBER_VIDEO: &[Detail] =
        &[detail("thumbnail", true, false), detail("duration", true, false), detail("size", true, false)];
    const PREVIEW: &[Detail] = &[detail("thumbnail", false, false)];
    const LENGTH: &[Detail] = &[detail("duration", true, true)];
    let (caption, details): (_, &'static [Detail]) = match (channel, kind) {
        (Channel::WhatsApp, MediaKind::Audio) => (None, &[]),
        (Channel::WhatsApp, _) => (Some(1_024), &[]),
        (Channel::Viber, MediaKind::Image) => (Some(text_max(channel)), &[]),
        (Channel::Viber, MediaKind::Video) => (Some(text_max(channel)), VIBER_VIDEO),
        (Channel::Rcs, _) => (Some(2_000), &[]),
        (Channel::Line, MediaKind::Image | MediaKind::Video) => (None, PREVIEW),
        (Channel::Line, MediaKind::Audio) => (None, LENGTH),
        // Viber's files, and what no channel takes.
        _ => (None, &[]),
    };
    Beside { caption, details }
}

/// The most characters of a caption; `None` if the channel shows none beside such a file.
pub(in crate::rules::template) fn caption_max(channel: Channel, kind: MediaKind) -> Option<usize> {
    beside(channel, kind).caption
}

impl Findings {
    pub(super) fn check_rich(&mut self, channel: Channel, message: &RichMessage) {
        let RichMessage { text, media, button, suggestions } = message;
        match (media, text) {
            (None, None) => self.add(ContentPart::Text, "is missing; write what to say"),
            (None, Some(text)) => self.check_text(channel, text),
            (Some(media), text) => self.check_media(channel, media, text.as_deref()),
        }
        if let Some(button) = button {
            self.check_link_button(button, message);
        }
        self.check_suggestions(suggestions, false);
    }

    fn check_media(&mut self, channel: Channel, media: &Media, caption: Option<&str>) {
        let key = media.kind.as_str();
        self.check_media_url(ContentPart::File(key, "".into()), &media.url);
        let rules = beside(channel, media.kind);
        match (caption, rules.caption) {
            (None, _) => {}
            (Some(caption), Some(most)) => self.check_label(ContentPart::Text, caption, most),
            (Some(_), None) => {
                self.add(ContentPart::Text, format!("{channel} shows no text beside {key}; remove it"));
            }
        }
        for (name, given) in [("thumbnail", &media.thumbnail), ("duration", &media.duration), ("size", &media.size)] {
            let part = || ContentPart::Key(key, name.into());
            match (rules.details.iter().find(|detail| detail.name == name), given) {
                (None, None) => {}
                (Some(detail), None) if detail.is_needed => {
                    self.add(part(), format!("is missing; {channel} needs the {name} of {key}"));
                }
                (Some(_), None) => {}
                (None, Some(_)) => self.add(part(), format!("{channel} takes no {name} of {key}; remove it")),
                (Some(_), Some(url)) if name == "thumbnail" => {
                    self.check_media_url(ContentPart::File(key, name.into()), url);
                }
                (Some(detail), Some(text)) => self.check_figure(channel, part(), text, detail.is_number),
            }
        }
    }

    /// A duration in seconds, or a size in bytes.
    fn check_figure(&mut self, channel: Channel, part: ContentPart, text: &str, is_number: bool) {
        if is_number {
            self.check_is_fixed(channel, part.clone(), text);
        }
        let is_whole = is_figure(text) && text.parse().is_ok_and(|number: u64| number > 0);
        if bare(text).variables == 0 && !is_whole {
            self.add(part, format!("invalid number \"{text}\"; write 1 or more, in digits"));
        }
    }

    fn check_link_button(&mut self, button: &LinkButton, message: &RichMessage) {
        self.check_label(ContentPart::Key("button", "caption".into()), &button.caption, BUTTON_MAX);
        self.check_link(ContentPart::Key("button", "url".into()), &button.url);
        match message.media.as_ref().map(|media| media.kind) {
            Some(MediaKind::Video) => {}
            Some(MediaKind::File | MediaKind::Audio) => {
                self.add(ContentPart::key("button"), "stands beside a text, an image or a video; remove it");
            }
            Some(MediaKind::Image) if message.text.is_none() => {
                self.add(ContentPart::key("button"), "needs a text beside the image; add text = \"…\"");
            }
            Some(MediaKind::Image) | None => {}
        }
    }

    pub(super) fn check_location(&mut self, channel: Channel, location: &Location) {
        let part = |key: &'static str| ContentPart::Key("location", key.into());
        self.check_place(location, part);
        // The documents write the degrees as texts for WhatsApp, and as numbers elsewhere.
        if channel != Channel::WhatsApp {
            self.check_is_fixed(channel, part("latitude"), &location.latitude);
            self.check_is_fixed(channel, part("longitude"), &location.longitude);
        }
    }

    pub(super) fn check_place(&mut self, location: &Location, part: impl Fn(&'static str) -> ContentPart) {
        let Location { latitude, longitude, name, address } = location;
        self.check_degrees(part("latitude"), latitude, 90.0);
        self.check_degrees(part("longitude"), longitude, 180.0);
        self.check_not_empty(part("name"), name);
        self.check_not_empty(part("address"), address);
    }
}
