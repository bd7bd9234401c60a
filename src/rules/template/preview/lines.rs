//! A message as a list of labelled lines.

use serde::Serialize;

use super::bubble::{Bubble, TemplateLabel};
use super::text::ShownText;
use crate::base::domain::ContentPart;

/// One part of a message, such as `body 1` or `header image`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PreviewLine {
    pub label: String,
    pub text: String,
}

impl PreviewLine {
    fn new(label: impl Into<String>, text: &impl ToString) -> Self {
        Self { label: label.into(), text: text.to_string() }
    }
}

impl Bubble<ShownText> {
    /// The message, part by part. A missing value shows as `‹Column is missing›`.
    pub fn lines(&self) -> Vec<PreviewLine> {
        let mut lines = Vec::new();
        lines.extend(self.template.as_ref().map(|template| PreviewLine::new("template", template)));
        for text in self.shown() {
            lines.push(PreviewLine::new(text.part.to_string(), text));
            // The length gets its own line, so the label stays short.
            let segments = self.measures().segments.filter(|_| text.part == ContentPart::Text);
            lines.extend(segments.map(|segments| PreviewLine::new("length", &segments)));
        }
        lines.extend(self.recipient_id.as_ref().map(|id| PreviewLine::new(id.part.to_string(), id)));
        lines.extend(self.sender.as_ref().map(|sender| PreviewLine::new("source", sender)));
        lines
    }
}

/// `promo (en, MARKETING)`.
impl std::fmt::Display for TemplateLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, language, category } = self;
        match category {
            Some(category) => write!(f, "{name} ({language}, {category})"),
            None => write!(f, "{name} ({language})"),
        }
    }
}
