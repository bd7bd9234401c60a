//! Templates and the results of fetching them, as JSON.

use serde::Serialize;

use super::pull::{ChangeKind, Pull, TemplateChange};
use super::shape::Shape;
use crate::base::domain::Category;
use crate::rules::wire::{HeaderFormat, TemplatePart};

/// The text of a template as the provider keeps it, with its parameters as `{{1}}`.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct TemplateTextView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<TemplateHeaderView>,
    pub body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// Values that a message must give its text.
    pub parameter_count: usize,
    pub buttons: Vec<TemplateButtonView>,
    /// Cards of a carousel.
    pub cards: usize,
    /// The examples that were given at its creation.
    pub samples: Vec<String>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TemplateHeaderView {
    pub kind: String,
    pub text: String,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TemplateButtonView {
    pub index: usize,
    pub kind: String,
    pub text: String,
    /// Its address, its phone number or its flow.
    pub target: String,
}

impl TemplateTextView {
    pub fn of(parts: &[TemplatePart], category: Option<Category>) -> Self {
        let shape = Shape::of(parts);
        let header = shape.header.map(|header| TemplateHeaderView {
            kind: header.header_format().unwrap_or(HeaderFormat::Text).as_str().to_ascii_lowercase(),
            text: header.text.clone().unwrap_or_default(),
        });
        let buttons = shape.buttons.iter().enumerate().map(|(index, button)| {
            let targets = [&button.url, &button.phone_number, &button.flow_id];
            TemplateButtonView {
                index,
                kind: button.kind.clone().unwrap_or_default().to_ascii_uppercase(),
                text: button.text.clone().unwrap_or_default(),
                target: targets.into_iter().flatten().next().cloned().unwrap_or_default(),
            }
        });
        let of_buttons = shape.buttons.iter().flat_map(|button| button.all_examples());
        let samples = parts.iter().flat_map(TemplatePart::all_examples).chain(of_buttons);
        Self {
            header,
            body: shape.body.to_owned(),
            footer: shape.footer.map(str::to_owned),
            parameter_count: shape.body_parameters(category),
            samples: samples.map(str::to_owned).collect(),
            cards: shape.cards.len(),
            buttons: buttons.collect(),
        }
    }

    /// Its parts as lines, each with a label.
    pub fn lines(&self) -> Vec<(String, String)> {
        let header = self.header.as_ref().map(|header| match header.kind.as_str() {
            "text" => ("header".to_owned(), header.text.clone()),
            kind => ("header".to_owned(), format!("[{kind}]")),
        });
        let mut lines: Vec<(String, String)> = header.into_iter().collect();
        lines.push(("body".to_owned(), self.body.clone()));
        lines.extend(self.footer.as_ref().map(|footer| ("footer".to_owned(), footer.clone())));
        for TemplateButtonView { index, kind, text, target } in &self.buttons {
            let text = format!("[{text}] {kind} {target}");
            lines.push((format!("button {index}"), text.trim_end().to_owned()));
        }
        if self.cards > 0 {
            lines.push(("cards".to_owned(), self.cards.to_string()));
        }
        if !self.samples.is_empty() {
            lines.push(("examples".to_owned(), self.samples.join(", ")));
        }
        lines
    }
}

/// The result of fetching the templates of every channel.
#[derive(Debug, Serialize)]
pub struct PullView<'a> {
    pub channels: Vec<PulledChannelView<'a>>,
    /// Why the templates of other lanes were not fetched.
    pub skipped: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct PulledChannelView<'a> {
    pub account_id: &'a str,
    pub channel_id: &'a str,
    pub lanes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<usize>,
    pub changes: Vec<TemplateChangeView<'a>>,
    /// Why they were not fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct TemplateChangeView<'a> {
    pub template: &'a str,
    pub language: &'a str,
    /// `added`, `removed`, `status`, `category` or `content`.
    pub what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<&'a str>,
}

impl<'a> PullView<'a> {
    pub fn new(pulled: &'a Pull) -> Self {
        let channels = pulled.channels.iter().map(|channel| {
            let (templates, changes, reason) = match &channel.result {
                Ok((templates, changes)) => (Some(*templates), &changes[..], None),
                Err(error) => (None, &[][..], Some(error.to_string())),
            };
            PulledChannelView {
                account_id: &channel.place.account_id,
                channel_id: &channel.place.channel_id,
                lanes: &channel.lanes,
                templates,
                changes: changes.iter().map(TemplateChangeView::of).collect(),
                reason,
            }
        });
        Self { channels: channels.collect(), skipped: pulled.skipped.iter().map(ToString::to_string).collect() }
    }
}

impl<'a> TemplateChangeView<'a> {
    fn of(change: &'a TemplateChange) -> Self {
        let (what, before, after) = match &change.what {
            ChangeKind::Added { status } => ("added", None, Some(status.as_str())),
            ChangeKind::Removed => ("removed", None, None),
            ChangeKind::Status { before, after } => ("status", Some(before.as_str()), Some(after.as_str())),
            ChangeKind::Category { before, after } => ("category", Some(before.as_str()), Some(after.as_str())),
            ChangeKind::Content => ("content", None, None),
        };
        Self { template: &change.name, language: &change.language, what, before, after }
    }
}
