//! The types of messages: those of requests, and those that details show.

use crate::base::domain::Channel;
use crate::rules::wire::Content;

/// The `type` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Image,
    Video,
    Audio,
    File,
    Location,
    Interactive,
    Template,
    Buttons,
    Carousel,
    RichCard,
}

/// Spellings in lower case. The documents also write `document` for a file.
const KINDS: [(&str, Kind); 12] = [
    ("text", Kind::Text),
    ("image", Kind::Image),
    ("video", Kind::Video),
    ("audio", Kind::Audio),
    ("file", Kind::File),
    ("document", Kind::File),
    ("location", Kind::Location),
    ("interactive", Kind::Interactive),
    ("template", Kind::Template),
    ("buttons", Kind::Buttons),
    ("carousel", Kind::Carousel),
    ("richcard", Kind::RichCard),
];

impl Kind {
    /// Reads a `type` in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, kind)| *kind)
    }

    /// The `type` as the samples of the channel spell it. The provider reads any letter case.
    ///
    /// The sample of a file on RCS has the type `Text`, where the schema knows `file`; it is taken for a mistake.
    pub const fn spelled(self, channel: Channel) -> &'static str {
        match (channel, self) {
            (Channel::Line | Channel::Rcs, Self::Text) => "Text",
            (_, Self::Text) => "text",
            (Channel::WhatsApp | Channel::Line | Channel::Rcs, Self::Image) => "Image",
            (_, Self::Image) => "image",
            (Channel::Line | Channel::Rcs, Self::Video) => "Video",
            (_, Self::Video) => "video",
            (Channel::Line | Channel::Rcs, Self::Audio) => "Audio",
            (_, Self::Audio) => "audio",
            (Channel::WhatsApp | Channel::Rcs, Self::File) => "File",
            (_, Self::File) => "file",
            (Channel::Line, Self::Location) => "Location",
            (_, Self::Location) => "location",
            (_, Self::Interactive) => "interactive",
            (_, Self::Template) => "template",
            (_, Self::Buttons) => "buttons",
            (_, Self::Carousel) => "carousel",
            (_, Self::RichCard) => "richCard",
        }
    }

    pub(super) const fn is_media(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Audio | Self::File)
    }
}

/// The type of content that the details of a message show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    Text,
    Audio,
    Video,
    Image,
    Location,
    File,
    Carousel,
    List,
    Buttons,
    Template,
}

impl ContentType {
    pub fn of(kind: Kind, content: &Content<'_>) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Image => Self::Image,
            Kind::Video => Self::Video,
            Kind::Audio => Self::Audio,
            Kind::File => Self::File,
            Kind::Location => Self::Location,
            Kind::Template => Self::Template,
            Kind::Carousel | Kind::RichCard => Self::Carousel,
            Kind::Buttons => Self::Buttons,
            Kind::Interactive => {
                let is_list = content.interactive.as_ref().is_some_and(|it| it.kind.eq_ignore_ascii_case("list"));
                if is_list { Self::List } else { Self::Buttons }
            }
        }
    }

    /// The type on one channel: an SMS carries text, whatever the message contains.
    #[must_use]
    pub fn on(self, channel: Channel) -> Self {
        if channel == Channel::Sms { Self::Text } else { self }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Audio => "Audio",
            Self::Video => "Video",
            Self::Image => "Image",
            Self::Location => "Location",
            Self::File => "File",
            Self::Carousel => "Carousel",
            Self::List => "List",
            Self::Buttons => "Buttons",
            Self::Template => "Template",
        }
    }
}
