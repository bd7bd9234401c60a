//! Messages with a file, a button or suggestions, and places on a map.

use serde::{Deserialize, Serialize};

use super::super::word::words;
use super::Suggestion;

/// A file with a caption, or a text with a button or suggestions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RichMessage {
    /// The text, or the caption of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Viber only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<LinkButton>,
    /// RCS only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
}

impl RichMessage {
    /// The keys of a step that the message consists of. A caption belongs to its file.
    pub(super) fn keys(&self) -> Vec<&'static str> {
        let mut keys: Vec<&'static str> = self.media.iter().map(|media| media.kind.as_str()).collect();
        if keys.is_empty() {
            keys.push("text");
        }
        keys.extend(self.button.is_some().then_some("button"));
        keys.extend((!self.suggestions.is_empty()).then_some("suggestions"));
        keys
    }
}

/// A file that the provider fetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub kind: MediaKind,
    pub url: String,
    /// The address of a smaller picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
}

words! {
    /// The kind of a file, named as the key of a step that sends one.
    MediaKind, "kind of file" {
        Image = 0, "image";
        Video = 1, "video";
        Audio = 2, "audio";
        File = 3, "file";
    }
}

/// A button that opens an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkButton {
    pub caption: String,
    pub url: String,
}

/// A place on a map. The degrees are texts, because they may come from columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    pub latitude: String,
    pub longitude: String,
    pub name: String,
    pub address: String,
}
