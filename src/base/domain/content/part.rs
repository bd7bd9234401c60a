//! The places of texts in a content.

use std::fmt;
use std::sync::Arc;

use super::MediaKind;

/// A text of a content. Prints as operators read it: `body 1`, `card 2 header image`, `interactive footer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentPart {
    /// The template as a whole, or one of its keys.
    Template(&'static str),
    Text,
    Source,
    Encoding,
    Header(&'static str),
    /// From 1, as in `{{1}}`.
    Body(usize),
    Button(u8, &'static str),
    /// A value of a flow's data, by its path.
    Flow(u8, Arc<str>),
    /// A part of a card of a template's carousel; cards are counted from 1.
    Card(usize, Box<ContentPart>),
    /// A named parameter.
    Param(Arc<str>),
    /// A string of the provider's own JSON, by its path.
    Raw(Arc<str>),
    /// A key of the step, and the path of the text below it, which is empty if the key is the text.
    Key(&'static str, Arc<str>),
    /// The same for the address of a file.
    File(&'static str, Arc<str>),
    LineUserId,
}

impl ContentPart {
    /// A key of the step as a whole.
    pub fn key(key: &'static str) -> Self {
        Self::Key(key, "".into())
    }

    /// Whether the text is the address of a file that the provider fetches.
    pub fn is_media(&self) -> bool {
        self.media_kind().is_some()
    }

    /// The kind of the file whose address the text is.
    pub fn media_kind(&self) -> Option<MediaKind> {
        let word = match self {
            // The last word of a path is the key of the file.
            Self::File(key, path) => path.rsplit(' ').next().filter(|word| !word.is_empty()).unwrap_or(key),
            Self::Header(kind) => kind,
            Self::Card(_, part) => return part.media_kind(),
            _ => return None,
        };
        match word {
            "image" | "thumbnail" => Some(MediaKind::Image),
            "video" | "gif" => Some(MediaKind::Video),
            "audio" => Some(MediaKind::Audio),
            "file" | "document" => Some(MediaKind::File),
            _ => None,
        }
    }

    /// Whether the text is the address of a GIF, which the provider documents as a picture and as a video.
    pub fn is_gif(&self) -> bool {
        match self {
            Self::Header("gif") => true,
            Self::Card(_, part) => part.is_gif(),
            _ => false,
        }
    }

    /// The key of the step under which the text is written, as problems name it.
    pub fn in_step(&self) -> String {
        if self.is_of_a_template() { format!("template, {self}") } else { self.to_string() }
    }

    /// Whether the text is a parameter of a template's header or body, for which the provider has rules of its own.
    pub fn is_parameter(&self) -> bool {
        match self {
            Self::Body(_) | Self::Header("text") => true,
            Self::Card(_, part) => part.is_parameter(),
            _ => false,
        }
    }

    /// Whether it is a part of a template.
    pub fn is_of_a_template(&self) -> bool {
        match self {
            Self::Header(_) | Self::Body(_) | Self::Button(..) | Self::Flow(..) | Self::Card(..) | Self::Param(_) => {
                true
            }
            Self::Template(_)
            | Self::Text
            | Self::Source
            | Self::Encoding
            | Self::Raw(_)
            | Self::Key(..)
            | Self::File(..)
            | Self::LineUserId => false,
        }
    }
}

impl fmt::Display for ContentPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template("") => f.write_str("template"),
            Self::Template(part) => write!(f, "template {part}"),
            Self::Text => f.write_str("text"),
            Self::Source => f.write_str("source"),
            Self::Encoding => f.write_str("encoding"),
            Self::Header(kind) => write!(f, "header {kind}"),
            Self::Body(number) => write!(f, "body {number}"),
            Self::Button(index, kind) => write!(f, "button {index} {kind}"),
            Self::Flow(index, path) => write!(f, "button {index} flow data.{path}"),
            Self::Card(number, part) => write!(f, "card {number} {part}"),
            Self::Param(name) => write!(f, "params {name}"),
            Self::Raw(path) => write!(f, "raw {path}"),
            Self::Key(key, path) | Self::File(key, path) if path.is_empty() => f.write_str(key),
            Self::Key(key, path) | Self::File(key, path) => write!(f, "{key} {path}"),
            Self::LineUserId => f.write_str("line_user_id"),
        }
    }
}
