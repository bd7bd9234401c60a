//! What a template needs from a message, for a form.

use super::known::KnownTemplate;
use super::shape::{ButtonNeed, HeaderNeed, Shape};
use crate::base::domain::Category;
use crate::rules::wire::{HeaderFormat, placeholders};

/// The texts of a template with the places of its variables, and the values that a message gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateNeeds {
    pub header: Option<NeededHeader>,
    /// Empty if the provider lists no text.
    pub body: String,
    pub footer: Option<String>,
    /// The names of its body's variables, without their braces.
    pub body_values: Vec<String>,
    pub buttons: Vec<NeededButton>,
    /// The cards of its carousel, which have no cards of their own.
    pub cards: Vec<Self>,
}

/// A header that a message fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeededHeader {
    /// The value of its variable, in this text.
    Text(String),
    /// The address of a file: `image`, `video`, `gif` or `document`.
    File(&'static str),
    Location,
}

/// A button that a message may give a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededButton {
    /// From 0, as at the provider.
    pub index: u8,
    pub title: String,
    /// Its address with the place of the variable, if it has one.
    pub address: Option<String>,
    pub value: ButtonValue,
}

/// The value that a button takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonValue {
    /// The end of its address, or a one-time password.
    Url,
    CopyCode,
    /// What comes back with the reply; it works without.
    Payload,
    /// The screen that opens; it works without.
    Flow,
}

impl ButtonValue {
    /// The key of a campaign file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::CopyCode => "copy_code",
            Self::Payload => "payload",
            Self::Flow => "flow",
        }
    }

    /// Whether a message without it is refused.
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Url | Self::CopyCode)
    }
}

impl KnownTemplate {
    /// What it needs; `None` if its components cannot be read.
    pub fn needs(&self) -> Option<TemplateNeeds> {
        Some(TemplateNeeds::of(&Shape::of(self.parts.as_ref()?), self.category()))
    }
}

impl TemplateNeeds {
    /// What a template or one of its cards needs.
    fn of(shape: &Shape<'_>, category: Option<Category>) -> Self {
        let text = shape.header.and_then(|header| header.text.clone()).unwrap_or_default();
        let header = match shape.header_need() {
            HeaderNeed::Nothing => None,
            HeaderNeed::Text | HeaderNeed::Media(HeaderFormat::Text) => Some(NeededHeader::Text(text)),
            HeaderNeed::Media(HeaderFormat::Image) => Some(NeededHeader::File("image")),
            HeaderNeed::Media(HeaderFormat::Gif) => Some(NeededHeader::File("gif")),
            HeaderNeed::Media(HeaderFormat::Video) => Some(NeededHeader::File("video")),
            HeaderNeed::Media(HeaderFormat::Document) => Some(NeededHeader::File("document")),
            HeaderNeed::Media(HeaderFormat::Location) => Some(NeededHeader::Location),
        };
        let mut body_values: Vec<String> = placeholders(shape.body).into_iter().map(str::to_owned).collect();
        // The fixed text of an authentication template is not listed.
        while body_values.len() < shape.body_parameters(category) {
            body_values.push((body_values.len() + 1).to_string());
        }
        let buttons = (0..).zip(&shape.buttons).filter_map(|(index, button)| {
            let value = match ButtonNeed::of(button) {
                ButtonNeed::Url => ButtonValue::Url,
                ButtonNeed::CopyCode => ButtonValue::CopyCode,
                ButtonNeed::Payload => ButtonValue::Payload,
                ButtonNeed::Flow => ButtonValue::Flow,
                ButtonNeed::Nothing | ButtonNeed::VoiceCall => return None,
            };
            Some(NeededButton {
                index,
                title: button.text.clone().unwrap_or_default(),
                address: button.url.clone().filter(|_| button.has_variable_url()),
                value,
            })
        });
        Self {
            header,
            body: shape.body.to_owned(),
            footer: shape.footer.map(str::to_owned),
            body_values,
            buttons: buttons.collect(),
            cards: shape.cards.iter().map(|card| Self::of(card, None)).collect(),
        }
    }
}
