//! The parts of a template, in the places where a message has them.

use crate::base::domain::Category;
use crate::rules::wire::{ButtonKind, HeaderFormat, PartKind, TemplateButton, TemplatePart, placeholders};

/// A template's parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape<'a> {
    pub header: Option<&'a TemplatePart>,
    /// Empty if the provider lists no text: that of an authentication template is fixed.
    pub body: &'a str,
    pub footer: Option<&'a str>,
    pub buttons: Vec<&'a TemplateButton>,
    /// The cards of a carousel, each with parts of its own.
    pub cards: Vec<Self>,
}

/// The header that a template needs from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderNeed {
    Nothing,
    /// The value of its variable.
    Text,
    Media(HeaderFormat),
}

/// The value that a button takes from a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ButtonNeed {
    Nothing,
    /// The end of its address, or the code of a one-time password.
    Url,
    CopyCode,
    /// It works without one.
    Payload,
    /// It works without one.
    Flow,
    /// It works without one.
    VoiceCall,
}

impl<'a> Shape<'a> {
    pub(super) fn of(parts: &'a [TemplatePart]) -> Self {
        let mut shape = Self::default();
        for part in parts {
            match part.part_kind() {
                Some(PartKind::Header) => shape.header = Some(part),
                Some(PartKind::Body) => shape.body = part.text.as_deref().unwrap_or_default(),
                Some(PartKind::Footer) => shape.footer = part.text.as_deref(),
                Some(PartKind::Carousel) => {
                    shape.cards = part.cards.iter().map(|card| Self::of(&card.components)).collect();
                }
                Some(PartKind::Buttons | PartKind::CallPermissionRequest) | None => {}
            }
            // The schema's own example has its buttons on the body.
            shape.buttons.extend(&part.buttons);
        }
        shape
    }

    /// The parameters of its body. The code of an authentication template is one, also where no text is listed.
    pub(super) fn body_parameters(&self, category: Option<Category>) -> usize {
        let found = placeholders(self.body).len();
        if category == Some(Category::Authentication) { found.max(1) } else { found }
    }

    pub(super) fn header_need(&self) -> HeaderNeed {
        match self.header.map(|header| (header.header_format(), header.text.as_deref().unwrap_or_default())) {
            None => HeaderNeed::Nothing,
            Some((None | Some(HeaderFormat::Text), text)) if placeholders(text).is_empty() => HeaderNeed::Nothing,
            Some((None | Some(HeaderFormat::Text), _)) => HeaderNeed::Text,
            Some((Some(media), _)) => HeaderNeed::Media(media),
        }
    }
}

impl ButtonNeed {
    pub(super) fn of(button: &TemplateButton) -> Self {
        match button.button_kind() {
            Some(ButtonKind::Url) if button.has_variable_url() => Self::Url,
            Some(ButtonKind::Otp) => Self::Url,
            Some(ButtonKind::CopyCode) => Self::CopyCode,
            Some(ButtonKind::QuickReply) => Self::Payload,
            Some(ButtonKind::Flow) => Self::Flow,
            Some(ButtonKind::VoiceCall) => Self::VoiceCall,
            Some(ButtonKind::Url | ButtonKind::PhoneNumber) | None => Self::Nothing,
        }
    }

    /// Whether a message without its value is refused.
    pub(super) const fn is_required(self) -> bool {
        matches!(self, Self::Url | Self::CopyCode)
    }
}
