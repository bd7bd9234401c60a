//! The content of a step whose variables are bound, with the approved text of its template if that is known.

use std::collections::BTreeSet;

use super::bubble::{Bubble, ButtonKind};
use super::text::{MessageText, ShownText};
use crate::base::domain::{Names, Step};
use crate::rules::template::error::Error;

/// A template as the provider has approved it, as far as the handset shows it. Its texts have
/// `{{1}}`, `{{2}}`, … or names for the parameters that a message fills.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovedTemplate {
    /// The text of the header, if that is a text.
    pub header: Option<String>,
    /// `None` if the provider does not tell it, as of an authentication template.
    pub body: Option<String>,
    pub footer: Option<String>,
    /// In the order of the template.
    pub buttons: Vec<ApprovedButton>,
    /// The cards of a carousel, each with texts and buttons of its own.
    pub cards: Vec<Self>,
}

/// A parameter of a template, which a message fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateParameter {
    /// The part that has it: `body`, or `card 2, button 1`.
    pub part: String,
    /// As in the text: `1`, or a name.
    pub name: String,
    /// The example that was given when the template was created.
    pub example: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedButton {
    pub kind: ButtonKind,
    pub title: Option<String>,
    /// The address, with `{{1}}` for what a message adds, or the number.
    pub target: Option<String>,
}

/// The message of a step before it is filled.
#[derive(Debug, Clone)]
pub struct BoundMessage(Bubble<MessageText>);

impl BoundMessage {
    /// Binds each variable of a step to its column or value.
    pub fn new(step: &Step, names: Names<'_>, approved: Option<&ApprovedTemplate>) -> Result<Self, Error> {
        super::kinds::bubble(step, names, approved).map(Self)
    }

    /// The columns that its texts name.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.0.texts().into_iter().for_each(|text| text.columns(&mut found));
        found
    }

    /// The message of one recipient.
    pub fn fill<T: AsRef<str>>(&self, fields: &[T]) -> Bubble<ShownText> {
        self.0.map(&mut |text| text.fill(fields))
    }
}
