//! Which contents each channel takes: one table.

use super::Findings;
use crate::base::domain::{Channel, Content, ContentPart};

/// The keys of a step's content that each channel takes, as the provider documents them.
const FITS: [(Channel, &[&str]); 7] = [
    (Channel::WhatsApp, &["text", "template", "image", "video", "audio", "file", "location", "interactive", "raw"]),
    (Channel::Viber, &["text", "image", "video", "file", "button", "raw"]),
    (Channel::Sms, &["text"]),
    (Channel::Rcs, &["text", "image", "video", "audio", "file", "location", "suggestions", "card", "cards", "raw"]),
    (Channel::Line, &["text", "image", "video", "audio", "location", "raw"]),
    (Channel::ZaloNotification, &["template", "raw"]),
    (Channel::LineNotification, &["notification"]),
];

/// The keys of a step's content that a channel takes.
fn keys_of(channel: Channel) -> &'static [&'static str] {
    FITS.iter().find(|(other, _)| *other == channel).map_or(&[], |(_, keys)| keys)
}

impl Findings {
    /// Whether the channel takes each key of the content; reports those that it does not take.
    pub(super) fn check_fit(&mut self, channel: Channel, content: &Content) -> bool {
        let fits = keys_of(channel);
        let wrong: Vec<&'static str> = content.keys().into_iter().filter(|key| !fits.contains(key)).collect();
        for key in wrong.iter().copied() {
            let sentence = format!("is not supported on {channel}; use {}", listed(fits));
            self.add(ContentPart::Key(key, "".into()), sentence);
        }
        match content {
            Content::Template(_) if channel == Channel::ZaloNotification => {
                self.add(
                    ContentPart::Template("body"),
                    "a ZaloNotification template has named parameters; write params",
                );
            }
            Content::ZaloTemplate(_) if channel != Channel::ZaloNotification => self.add(
                ContentPart::Template("params"),
                "only a ZaloNotification template has named parameters; write body = [\"…\"] instead",
            ),
            _ => return wrong.is_empty(),
        }
        false
    }
}

/// `a, b or c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}
