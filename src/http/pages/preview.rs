//! The page of a preview: for each step, messages as handsets show them, and the limits that they break.

use askama::Template;

use super::texts::ENGLISH;
use crate::base::domain::{Category, Channel};
use crate::rules::template::preview::{Bubble, BubbleHeader, ButtonKind, FileKind, Run};

/// A preview of the messages of a campaign or a route.
#[derive(Debug, Template)]
#[template(path = "preview.html")]
pub struct PreviewPage<'a> {
    pub title: &'a str,
    /// What the page shows, in sentences.
    pub facts: Vec<String>,
    /// When the page was made, with its zone.
    pub made_at: String,
    pub steps: Vec<PreviewStep<'a>>,
}

#[derive(Debug)]
pub struct PreviewStep<'a> {
    pub title: String,
    pub facts: Vec<String>,
    /// The limits that messages break, each with its recipients.
    pub broken: Vec<String>,
    pub messages: Vec<PreviewMessage<'a>>,
}

#[derive(Debug)]
pub struct PreviewMessage<'a> {
    /// The recipient, and why this one is shown.
    pub title: String,
    pub bubble: &'a Bubble,
    pub length: String,
    pub broken: Vec<String>,
}

/// The class of a channel's bubbles.
pub(super) const fn class(channel: &Channel) -> &'static str {
    match channel {
        Channel::WhatsApp => "whatsapp",
        Channel::Viber => "viber",
        Channel::Sms => "sms",
        Channel::Rcs => "rcs",
        Channel::Line | Channel::LineNotification => "line",
        Channel::ZaloNotification => "zalo",
    }
}

/// The language of a template as HTML spells it: `en_US` is `en-US`.
pub(super) fn language(bubble: &Bubble) -> Option<String> {
    bubble.template.as_ref().map(|template| template.language.replace('_', "-"))
}

/// Why a message shows only the values that fill its template, if it does.
pub(super) fn values_alone(bubble: &Bubble) -> Option<&'static str> {
    let template = bubble.template.as_ref().filter(|_| bubble.body.text.is_none())?;
    Some(match template.category {
        Some(Category::Authentication) => ENGLISH.wizard.values_of_fixed,
        _ => ENGLISH.wizard.values_alone,
    })
}

impl PreviewStep<'_> {
    /// Why its messages show only values, if they do.
    pub(super) fn alone(&self) -> Option<&'static str> {
        self.messages.iter().find_map(|message| values_alone(message.bubble))
    }

    /// Whether its messages show only values, because the text of the template is not known.
    pub(super) fn lacks_text(&self) -> bool {
        self.messages.iter().any(|message| values_alone(message.bubble) == Some(ENGLISH.wizard.values_alone))
    }
}

pub(super) const fn media_name(kind: &FileKind) -> &'static str {
    match kind {
        FileKind::Image => "Image",
        FileKind::Video => "Video",
        FileKind::Gif => "GIF",
        FileKind::Audio => "Audio",
        FileKind::Document => "Document",
    }
}

/// What a button does, as its label where only the provider knows its title.
pub(super) const fn button_name(kind: &ButtonKind) -> &'static str {
    match kind {
        ButtonKind::Url => "Open link",
        ButtonKind::QuickReply => "Reply",
        ButtonKind::CopyCode => "Copy code",
        ButtonKind::Flow => "Open form",
        ButtonKind::Call => "Call",
        ButtonKind::List => "Open list",
        ButtonKind::Products => "View products",
        ButtonKind::Place => "Show place",
        ButtonKind::Search => "Search nearby",
        ButtonKind::Event => "Add event",
    }
}

#[cfg(test)]
#[path = "preview_tests.rs"]
mod tests;
